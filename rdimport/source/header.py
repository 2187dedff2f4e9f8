"""Finds the header of a table, and names its columns."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

from rdimport.core.errors import SourceError
from rdimport.core.messages import _, ngettext, untranslated
from rdimport.core.names import fold
from rdimport.core.schemas import ORIGIN
from rdimport.source.failure_report import is_header
from rdimport.source.limits import LONGEST_HEADING, MOST_COLUMNS
from rdimport.source.mojibake import repaired

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rdimport.source.port import Hints

_ANOTHER_FILE: Final = untranslated(
    "Check that it is the right file; --delimiter sets the character between its columns."
)
SEARCHED: Final = 100
"""Number of rows searched for the header."""

_KNOWN: Final = frozenset(
    "nome|name|nome completo|sobrenome|primeiro nome|first name|last name|full name|email|e-mail"
    "|mail|telefone|celular|whatsapp|fone|tel|phone|mobile|ddd|empresa|company|razao social"
    "|nome fantasia|cargo|job title|cidade|city|uf|estado|state|pais|country|cep|endereco|bairro"
    "|cpf|cnpj|cpf/cnpj|rg|data|date|data de cadastro|data de nascimento|nascimento|tags|tag"
    "|origem|source|id|codigo|status|site|website|observacao|observacoes|obs|interesse|aceite"
    "|opt-in|campanha|sexo|genero|idade|contato|cliente|segmento|produto|valor|linkedin".split("|")
)
_DATA: Final = re.compile(
    r"[^@\s]+@[^@\s]+\.[^@\s]+"  # an address
    r"|[\d\s().,/:+\-]*\d[\d\s().,/:+\-]*"  # a number, date, phone or document
    r"|(?:https?://|www\.)\S+",
    re.IGNORECASE,
)
_ADDRESS: Final = re.compile(r"[^@\s]@[^@\s]+\.[^@\s]")
NAME_THE_ROW: Final = untranslated(
    "Name the row with the column names (--header-row, or header_row in the mapping), or "
    "omit it to have that row detected."
)
_LISTED: Final = 20
"""Number of columns, and of repeated headings, listed in notes."""
_INVISIBLE: Final = re.compile("[\u200b-\u200f\u2060\ufeff\x00-\x08\x0e-\x1f]")


class FirstRow(NamedTuple):
    """One of a table's first rows: its number as the program shows it, last line, cells."""

    number: int
    last: int
    cells: Sequence[str | None]

    @property
    def is_blank(self) -> bool:
        """Whether no cell has visible text."""
        return not any(cell and cell.strip() for cell in self.cells)

    @property
    def width(self) -> int:
        """Number of cells up to the last non-empty one."""
        width = len(self.cells)
        while width and not (self.cells[width - 1] or "").strip():
            width -= 1
        return width


@dataclass(frozen=True)
class Header:
    """The header found: its row number (0 for none), its cells, and the number of the next row."""

    row: int
    names: tuple[str, ...]
    first_data: int
    notes: tuple[str, ...] = ()

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns: unique and not empty."""
        return unique_names(self.names)


def find_header(rows: Sequence[FirstRow], hints: Hints, name: str) -> Header:
    """The header among the first rows of the table `name`; none of the rows is blank.

    Raises SourceError if there is none, or if the requested row is not among them.
    """
    if not rows:
        raise SourceError(
            _("{name} is empty: it has no header and no rows.", name=name),
            _("Check that it is the right file and that its export was completed."),
        )
    if hints.repair:
        rows = [row._replace(cells=tuple(repaired(c or "") for c in row.cells)) for row in rows]
    width = _usual_width(rows)
    named = rows[0].number if is_header(rows[0].cells) else hints.header_row
    if named is None:
        at = _best_row(rows, width, hints)
    else:
        at = _named_row(rows, named, name)
        if at is not None:
            _refuse_people(rows, at, hints, name)
    if at is None:
        note = _(
            "{name} has no header; its columns are named by position: Coluna 1, 2 …",
            name=name,
        )
        return Header(0, ("",) * width, rows[0].number, (note,))
    width = max(rows[at].width, width, _width_without_headings(rows[at], rows[at + 1 :]))
    _refuse_wide(width, name)
    names, last = _two_rows(rows, at, width)
    _refuse_long(max(map(len, names)), rows[at].number, name)
    notes = (*_title_note(rows[:at], name), *_notes_of_repeated(names, hints, name))
    return Header(rows[at].number, names, last + 1, notes)


def header_only(name: str, header: Header) -> SourceError:
    """The error for a table without rows below its header."""
    return SourceError(
        _("{name} has a header in row {row} and no rows below it.", name=name, row=header.row),
        _("Check that it is the right file and that its export was completed."),
    )


def _named_row(rows: Sequence[FirstRow], wanted: int, name: str) -> int | None:
    """The row given as header in the hints; 0 means that there is none."""
    if wanted == 0:
        return None
    for at, row in enumerate(rows):
        if row.number == wanted:
            return at
    last = rows[-1].last
    where = _("of the rows examined, the last is {last}", last=last)
    if wanted < last:
        where = _("that row is blank")
    raise SourceError(
        _("{name} has no header in row {wanted}: {where}.", name=name, wanted=wanted, where=where),
        _(NAME_THE_ROW),
    )


def _refuse_people(rows: Sequence[FirstRow], at: int, hints: Hints, name: str) -> None:
    """Raise if a row that was given as header cuts off people above it, or is a person itself."""
    cells = [fold(cell) for cell in rows[at].cells if cell and cell.strip()]
    if _has_address(cells) and not {fold(column) for column in hints.columns} & set(cells):
        raise SourceError(
            _(
                "{name} has no header in row {number}: it contains an e-mail address, so it "
                "is a data row.",
                name=name,
                number=rows[at].number,
            ),
            _(NAME_THE_ROW),
        )


def _refuse_wide(width: int, name: str) -> None:
    """Raise if a table has more columns than any spreadsheet program can show."""
    if width > MOST_COLUMNS:
        raise SourceError(
            _(
                "{name} has {width} columns; a spreadsheet has at most {most_columns}.",
                name=name,
                width=width,
                most_columns=MOST_COLUMNS,
            ),
            _(_ANOTHER_FILE),
        )


def _refuse_long(length: int, row: int, name: str) -> None:
    """Raise if a heading is longer than any spreadsheet program's cell: it is compared with names
    and shown, which takes ever longer.
    """
    if length > LONGEST_HEADING:
        raise SourceError(
            _(
                "{name} has a heading in row {row} that is too long for a spreadsheet's cell.",
                name=name,
                row=row,
            ),
            _(_ANOTHER_FILE),
        )


def _usual_width(rows: Sequence[FirstRow]) -> int:
    """The largest width that at least half of the rows have."""
    widths = sorted((row.width for row in rows), reverse=True)
    return widths[len(widths) // 2] or 1


def _width_without_headings(header: FirstRow, below: Sequence[FirstRow]) -> int:
    """The width with columns that have cells but no heading; 0 unless most rows end, with their
    empty cells, where the header does. A single longer row is an accident.
    """
    alike = sorted(row.width for row in below if len(row.cells) == len(header.cells))
    return alike[-2] if len(alike) * 2 > max(len(below), 2) else 0


class _Score(NamedTuple):
    """The evidence that a row is the header: names that the mapping uses, common names, cells."""

    wanted: int
    usual: int
    filled: int


def _best_row(rows: Sequence[FirstRow], width: int, hints: Hints) -> int | None:
    """The first row that can be a header, unless a later one fits clearly better.

    Clearly, because rows above the header are not imported: a person must not be taken for a title
    because the row below contains a typical header word.
    """
    wanted = {fold(column) for column in hints.columns}
    best: tuple[int, _Score] | None = None
    people = False
    for at, row in enumerate(rows[:SEARCHED]):
        looks = _looks(row, width, wanted)
        if looks is None:
            people = people or _is_person(row, width)
        elif people and not looks.wanted:
            continue
        elif best is None or _is_clearly_better(looks, best[1]):
            best = at, looks
    return best[0] if best else None


def _is_person(row: FirstRow, width: int) -> bool:
    """Whether it has an address among other cells: then the header is not below this row."""
    filled = [fold(cell) for cell in row.cells if cell and cell.strip()]
    return len(filled) * 2 >= width and _has_address(filled)


def _looks(row: FirstRow, width: int, wanted: set[str]) -> _Score | None:
    filled = [fold(cell) for cell in row.cells if cell and cell.strip()]
    known = sum(cell in wanted for cell in filled)
    data = sum(bool(_DATA.fullmatch(cell)) for cell in filled)
    is_sparse = len(filled) < min(width * 0.5, width - 1)
    if not known and (is_sparse or data > len(filled) * 0.3 or _has_address(filled)):
        return None
    return _Score(known, sum(cell in _KNOWN for cell in filled), len(filled))


def _has_address(cells: Sequence[str]) -> bool:
    return any("@" in cell and _DATA.fullmatch(cell) for cell in cells)


def _is_clearly_better(looks: _Score, than: _Score) -> bool:
    if looks.wanted != than.wanted:
        return looks.wanted > than.wanted
    return looks.usual >= than.usual + 2 and looks.usual * 2 >= looks.filled


def _two_rows(rows: Sequence[FirstRow], at: int, width: int) -> tuple[tuple[str, ...], int]:
    """The header's names and last line, combined with a neighbouring row of group headings."""
    names = _padded(rows[at], width)
    if at + 1 < len(rows) and _goes_on_below(rows[at], rows[at + 1], rows[at + 2 :]):
        width = max(width, rows[at + 1].width)
        upper, below = _padded(rows[at], width), _padded(rows[at + 1], width)
        names = [low or up for up, low in zip(upper, below, strict=True)]
        return _with_groups(names, upper), rows[at + 1].last
    if at and rows[at - 1].last + 1 == rows[at].number and _is_group_row(rows[at - 1]):
        above = _padded(rows[at - 1], width)
        names = [low or up for up, low in zip(above, names, strict=True)]
        return _with_groups(names, above), rows[at].last
    return tuple(names), rows[at].last


def _goes_on_below(header: FirstRow, below: FirstRow, data: Sequence[FirstRow]) -> bool:
    """Whether the row below names the columns of groups (`Telefones` over `Celular` and `Fixo`).

    It must fill a column that the header leaves empty and, except for the first column of such a
    group, none that the header names. If it has more cells than the header, so must a row of data.
    """
    own, longer = len(header.cells), len(below.cells) > len(header.cells)
    if below.number != header.last + 1:
        return False
    if longer and not any(len(row.cells) >= len(below.cells) for row in data):
        return False
    size = max(header.width, below.width)
    names, under = _padded(header, size), _padded(below, size)
    filled = [i for i, cell in enumerate(under) if cell]
    if longer and not any(under[:own]):  # an excess, not a group
        return False
    if any(_DATA.fullmatch(cell) or _ADDRESS.search(cell) for cell in under):
        return False
    starts = {i for i in filled if names[i] and i + 1 < size and not names[i + 1] and under[i + 1]}
    new = [i for i in filled if not names[i]]
    return bool(new) and all(not names[i] or i in starts for i in filled)


def _is_group_row(row: FirstRow) -> bool:
    filled = [cell.strip() for cell in row.cells if cell and cell.strip()]
    return len(filled) >= 2 and not any(_DATA.fullmatch(cell) for cell in filled)


def _with_groups(names: Sequence[str], groups: Sequence[str]) -> tuple[str, ...]:
    """Prefix repeated names with the name of their group."""
    folded = [fold(name) for name in names]
    often = Counter(folded)
    found, group = [], ""
    for i, name in enumerate(names):
        group = groups[i] or group
        twice = bool(name) and often[folded[i]] > 1 and fold(group) != folded[i]
        found.append(f"{group} {name}".strip() if twice else name)
    return tuple(found)


def _padded(row: FirstRow, width: int) -> list[str]:
    cells = [visible(cell or "") for cell in row.cells[:width]]
    return cells + [""] * (width - len(cells))


def _title_note(above: Sequence[FirstRow], name: str) -> list[str]:
    if not above:
        return []
    first, last = above[0].number, above[-1].last
    if first == last:
        text = _("{name}: row {first}, above the header, is treated as a title and not imported.")
    else:
        text = _(
            "{name}: rows {first} to {last}, above the header, are treated as a title and not "
            "imported."
        )
    return [text.format(first=first, last=last, name=name)]


def _notes_of_repeated(names: Sequence[str], hints: Hints, name: str) -> Iterator[str]:
    """Which of several columns with the same heading a mapping uses, and how to name the others.

    Without a mapping, all of them are listed.
    """
    wanted = {fold(column) for column in hints.columns}
    called = unique_names(names)
    places_of: defaultdict[str, list[int]] = defaultdict(list)
    for i, heading in enumerate(names):
        places_of[fold(visible(heading))].append(i)
    places_of.pop("", None)
    noted = [
        at
        for at in places_of.values()
        if len(at) > 1 and (not wanted or _taken(at, called, wanted))
    ]
    for at in noted[:_LISTED]:
        taken = _taken(at, called, wanted)
        places = ", ".join(
            _("“{name}” is column {number}", name=called[i], number=i + 1) for i in at[:_LISTED]
        )
        if len(at) > _LISTED:
            places += _(" and {number} more", number=len(at) - _LISTED)
        sentence = _(
            "{name} has {number} columns with the same heading: {places}",
            name=name,
            number=len(at),
            places=places,
        )
        chosen = _("; the mapping uses {columns}", columns=_(" and ").join(taken))
        yield f"{sentence}{chosen if taken else ''}."
    if len(noted) > _LISTED:
        yield ngettext(
            "{name} has {number} more heading that several columns have.",
            "{name} has {number} more headings that several columns have.",
            len(noted) - _LISTED,
            name=name,
        )


def _taken(at: Sequence[int], called: Sequence[str], wanted: set[str]) -> list[str]:
    """The columns, among those with one heading, that the mapping uses."""
    return [f"“{called[i]}”" for i in at if fold(called[i]) in wanted]


def unique_names(names: Sequence[str]) -> tuple[str, ...]:
    """Names that a mapping can use: visible text kept, empty ones `Coluna 3`, repeated ones `Nome
    (2)`.

    >>> unique_names(["Nome", "", "nome", "*"])
    ('Nome', 'Coluna 2', 'nome (2)', 'Coluna 4 *')
    """
    seen = set(ORIGIN)
    found = []
    taken = {fold(name) for name in names}
    copies: Counter[str] = Counter()
    for position, raw in enumerate(names, start=1):
        name = visible(raw)
        base = name or f"Coluna {position}"
        if base == "*" or (base.startswith("^") and base.endswith("$")):
            base = f"Coluna {position} {base}"  # polars would treat it as a pattern
        candidate, folded = base, fold(base)
        while folded in seen or (candidate != name and folded in taken):
            copies[fold(base)] += 1
            candidate = f"{base} ({copies[fold(base)] + 1})"
            folded = fold(candidate)
        seen.add(folded)
        found.append(candidate)
    return tuple(found)


def is_data(cell: str) -> bool:
    """Whether it is an address, number, date, phone or document, which no header is."""
    return _DATA.fullmatch(cell.strip()) is not None


def visible(name: str) -> str:
    """The visible text of a header cell: one line, single spaces."""
    return " ".join(_INVISIBLE.sub("", name).split())
