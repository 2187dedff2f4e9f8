"""A preview of a mapping's effect: rows before and after, and statistics for each field."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as made
from typing import TYPE_CHECKING, Final

import polars as pl

from rdimport.core.messages.codes import Code
from rdimport.core.messages.reasons import explain, remedy
from rdimport.core.row import FILE, ROW, Problem
from rdimport.core.schemas import PROBLEMS
from rdimport.mapping import Type
from rdimport.prepare.clean.text import column, filled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rdimport.mapping import Mapping
    from rdimport.mapping.targets import Target
    from rdimport.prepare import Prepared
    from rdimport.prepare.trace import Cells

FIRST_ROWS: Final = 5
EXAMPLES: Final = 3
_ROWS_NAMED: Final = 5
_LOOKED_AT: Final = 1_000
"""Number of changed cells of a batch among which examples are chosen."""
_AFTER: Final = "__rdimport_after__"


@dataclass(frozen=True, slots=True)
class CellView:
    """One field of one row: the source's column and text, and the value sent."""

    field: str
    column: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class RowView:
    """One row before and after preparation."""

    file: int
    row: int
    cells: tuple[CellView, ...]


@dataclass(slots=True)
class FieldView:
    """Number of rows in which a field is filled, changed by cleaning, suspect or invalid.

    `examples` are distinct cells that cleaning changed.
    """

    field: str
    columns: tuple[str, ...]
    filled: int = 0
    changed: int = 0
    suspect: int = 0
    invalid: int = 0
    examples: list[CellView] = made(default_factory=list)


@dataclass(slots=True)
class ReasonView:
    """One code of one field: number of cells, first rows as (file, row), and distinct values.

    `suspect` cells are still sent.
    """

    code: str
    field: str
    suspect: bool
    cells: int = 0
    rows: list[tuple[int, int]] = made(default_factory=list)
    values: list[str] = made(default_factory=list)


class Preview:
    """Accumulates the results of `prepare`; keeps examples, never whole batches."""

    def __init__(self) -> None:
        self._first: list[tuple[int, RowView]] = []
        self._fields: dict[str, FieldView] = {}
        self._reasons: dict[tuple[str, str, bool], ReasonView] = {}

    @property
    def first(self) -> list[RowView]:
        """The most informative rows: with suspect or dropped cells, then with changed ones."""
        return [view for _rank, view in self._first]

    @property
    def fields(self) -> tuple[FieldView, ...]:
        """The fields in the order of the payload."""
        return tuple(self._fields.values())

    @property
    def reasons(self) -> tuple[ReasonView, ...]:
        """Problems and suspicions, the most frequent first."""
        return tuple(sorted(self._reasons.values(), key=lambda reason: -reason.cells))

    def add(self, prepared: Prepared) -> None:
        """Add the result of one batch."""
        cells = prepared.cells
        good = pl.col(ROW).is_in(prepared.rows[ROW].implode())
        changed = self._count(cells)
        for kind, frame in (("invalid", prepared.problems), ("suspect", prepared.warnings)):
            self._blame(kind, frame)
        odd = pl.col(ROW).is_in(prepared.warnings[ROW].implode())
        rank = pl.when(odd).then(0).when(changed).then(1).otherwise(2).alias("rank")
        ranked = cells.frame.select(rank, at=pl.int_range(pl.len())).filter(
            cells.frame.select(good).to_series()
        )
        self._choose(cells, ranked)

    def _choose(self, cells: Cells, ranked: pl.DataFrame) -> None:
        """Keep the most informative rows; among equal ones, the first."""
        if len(self._first) == FIRST_ROWS:
            ranked = ranked.filter(pl.col("rank") < self._first[-1][0])
        best = ranked.sort("rank", maintain_order=True).head(FIRST_ROWS)
        self._first += zip(best["rank"].to_list(), _rows(cells, best["at"]), strict=True)
        self._first = sorted(self._first, key=lambda one: one[0])[:FIRST_ROWS]

    def _count(self, cells: Cells) -> pl.Series:
        """Count filled and changed cells; returns for each row whether one is changed."""
        after = {name: f"{_AFTER}{name}" for name in cells.frame.columns}
        both = pl.concat([cells.sound, cells.frame.rename(after)], how="horizontal")
        filled_, changed = {}, {}
        for target in cells.bound.targets:
            columns = cells.bound.columns[target.name]
            self._fields.setdefault(target.field, FieldView(target.field, columns))
            filled_[target.name] = pl.col(after[target.name]).is_not_null().sum()
            if columns:
                changed[target.name] = _changed(target, columns)
        found = both.select(**filled_).row(0, named=True)
        marks = both.select(expr.alias(name) for name, expr in changed.items())
        differs = {name: int(marks[name].sum()) for name in marks.columns}
        for target in cells.bound.targets:
            view = self._fields[target.field]
            view.filled += found[target.name]
            view.changed += differs.get(target.name, 0)
            if differs.get(target.name) and len(view.examples) < EXAMPLES:
                columns = cells.bound.columns[target.name]
                at = marks[target.name].arg_true()
                rows = both[at.head(_LOOKED_AT)].select(
                    _before(columns).alias("before"), _shown(target, _AFTER).alias("after")
                )
                self._show(view, columns[0], rows)
        if not changed:
            return pl.repeat(value=False, n=both.height, dtype=pl.Boolean, eager=True)
        return marks.select(pl.any_horizontal(pl.all())).to_series()

    def _show(self, view: FieldView, column: str, rows: pl.DataFrame) -> None:
        seen = {example.before for example in view.examples}
        fresh = rows.unique("before", maintain_order=True).head(EXAMPLES + len(seen))
        views = [
            CellView(view.field, column, before, after)
            for before, after in fresh.iter_rows()
            if before not in seen
        ]
        view.examples = (view.examples + views)[:EXAMPLES]

    def _blame(self, kind: str, frame: pl.DataFrame) -> None:
        if not frame.height:
            return
        for name, count in frame.group_by("field").len().iter_rows():
            if name in self._fields:
                view = self._fields[name]
                setattr(view, kind, getattr(view, kind) + count)
        for (code, name), group in frame.select(*PROBLEMS).group_by(
            "code", "field", maintain_order=True
        ):
            key = (str(code), str(name), kind == "suspect")
            reason = self._reasons.setdefault(key, ReasonView(*key))
            reason.cells += group.height
            named = [(int(f), int(r)) for f, r in group.select(FILE, ROW).head(5).iter_rows()]
            reason.rows = (reason.rows + named)[:_ROWS_NAMED]
            values = group["value"].unique(maintain_order=True).head(EXAMPLES).to_list()
            reason.values = list(dict.fromkeys(reason.values + values))[:EXAMPLES]


def _before(columns: tuple[str, ...]) -> pl.Expr:
    """The first non-empty cell among the columns that fill the field."""
    return pl.coalesce(pl.when(filled(column(c))).then(column(c)) for c in columns)


def _changed(target: Target, columns: tuple[str, ...]) -> pl.Expr:
    """Whether a non-empty cell is sent with a different value."""
    after = _shown(target, _AFTER)
    may_fill = target.how.default is not None or target.how.add
    if len(columns) == 1 and not may_fill:  # then the value sent comes from a non-empty cell
        return column(columns[0]).ne(after).fill_null(value=False)
    before = _before(columns)
    return (before.is_not_null() & before.ne(after)).fill_null(value=False)


def _shown(target: Target, prefix: str = "") -> pl.Expr:
    """The cleaned value as shown to the user."""
    cell = pl.col(f"{prefix}{target.name}")
    if target.type is Type.LIST:
        mark = target.how.split or ";"
        return cell.list.join(f"{mark} " if mark.strip() else mark)
    if target.is_status:  # as in `payload`
        status = pl.when(cell.eq("true")).then(pl.lit("granted")).otherwise(pl.lit("declined"))
        return pl.when(cell.is_not_null()).then(status)
    return cell


def _rows(cells: Cells, at: pl.Series) -> Iterator[RowView]:
    targets, columns = cells.bound.targets, cells.bound.columns
    nothing = pl.lit(None, pl.String)
    before = (_before(columns[t.name]) if columns[t.name] else nothing for t in targets)
    names = [target.name for target in targets]
    sources = cells.sound[at].with_columns(map(pl.Expr.alias, before, names)).select(names)
    shown = cells.frame[at].select(FILE, ROW, *(_shown(t).alias(t.name) for t in targets))
    for (file, row, *sent), given in zip(shown.iter_rows(), sources.iter_rows(), strict=True):
        views = (
            CellView(target.field, next(iter(columns[target.name]), ""), old or "", new or "")
            for target, old, new in zip(targets, given, sent, strict=True)
            if new is not None or old is not None
        )
        yield RowView(file, row, tuple(views))


def advice(mapping: Mapping, lang: str = "en") -> tuple[str, ...]:
    """Later consequences of the mapping, as sentences."""
    return tuple(
        f"{explain(problem, lang)}; {remedy(problem.code, lang)}." for problem in _advised(mapping)
    )


def _advised(mapping: Mapping) -> Iterator[Problem]:
    if not mapping.legal_bases:
        yield Problem(Code.ADVICE_NO_LEGAL_BASES)
    custom = [name for name in mapping.fields if name.startswith("cf_")]
    if custom and mapping.catalogue is None:
        yield Problem(Code.ADVICE_CUSTOM_FIELDS, detail=", ".join(custom))
    tags = mapping.fields.get("tags")
    if tags is not None and tags.column is not None and tags.split is None:
        yield Problem(Code.ADVICE_TAGS_WHOLE)
