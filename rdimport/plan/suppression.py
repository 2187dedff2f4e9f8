"""Suppression lists: people who must never be sent, by e-mail address or its SHA-256."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Final, NamedTuple

import polars as pl

from rdimport.core.errors import SourceError, UsageError
from rdimport.core.messages import _, ngettext
from rdimport.core.row import FILE, ROW, State
from rdimport.ledger import Outcome
from rdimport.mapping import sql
from rdimport.plan.duplicates import UNCHANGED
from rdimport.plan.history import Known
from rdimport.prepare import Prepared
from rdimport.prepare.clean import email
from rdimport.prepare.clean.text import column
from rdimport.prepare.trace import Cells
from rdimport.source import Hints, open_tables

_TEXT: Final = "__rdimport_text__"
_PIECE: Final = r"""[^\s;,|<>()\[\]{}"':@/\\]+"""
_ADDRESS: Final = rf"{_PIECE}@{_PIECE}"
_SHA256: Final = r"(?-u:\b)[0-9a-f]{64}(?-u:\b)"
_DIGEST: Final = {"low": pl.UInt64, "high": pl.UInt64}
"""The first 16 bytes of a SHA-256: a million people and a million rows do not collide."""

_WHOLE: Final = Hints(header_row=0, sheets="all")
"""A list of addresses may have no header, or a cover: every cell of every sheet is read."""


class KeptBack(NamedTuple):
    """The remaining rows of a batch, and the results of those whose people are on a list."""

    prepared: Prepared
    known: Known
    ends: list[Outcome]


class Suppression:
    """The people of all lists, as 16-byte hashes of their addresses.

    `notes` describe rows of the lists that contain no address.
    """

    def __init__(self, people: pl.DataFrame, notes: tuple[str, ...] = ()) -> None:
        self._people = people
        self.notes = notes

    @classmethod
    def read(cls, lists: Sequence[str]) -> Suppression:
        """Read lists in any format. Raises UsageError for a list that cannot be read, or that
        contains neither addresses nor their SHA-256 and so would suppress no one.
        """
        parts = [part for name in dict.fromkeys(lists) for part in _parts(name)]
        people = pl.concat([pl.DataFrame(schema=_DIGEST), *(part.people for part in parts)])
        return cls(people.unique(), tuple(note for part in parts for note in part.notes))

    def keep_back(self, prepared: Prepared, known: Known) -> KeptBack:
        """Remove from a batch the rows whose people are on a list, whatever their other states.
        Rows that the ledger knows as accepted, or as uncertain and not to be resent, keep their
        state.
        """
        if self._people.is_empty():
            return KeptBack(prepared, known, [])
        accepted = [known.already[ROW], known.rows.filter(UNCHANGED)[ROW]]
        doubt = [end.row for end in known.ends if end.state is State.UNCERTAIN]
        stay = pl.concat([*accepted, pl.Series(ROW, doubt, pl.UInt32)])
        suppressed = self._rows(prepared.cells)
        suppressed = suppressed.filter(~suppressed.is_in(stay.implode()))
        if suppressed.is_empty():
            return KeptBack(prepared, known, [])
        rows = set(suppressed)
        ends = [end for end in known.ends if end.row not in rows]
        left = known.rows.filter(~pl.col(ROW).is_in(suppressed.implode()))
        file = prepared.cells.sound[FILE][0]  # a batch belongs to one file
        kept = [Outcome(file, row, State.SUPPRESSED) for row in sorted(rows)]
        return KeptBack(prepared.without(suppressed), known._replace(rows=left, ends=ends), kept)

    def _rows(self, cells: Cells) -> pl.Series:
        """The `ROW`s with an address of the field `email` on a list: the one to be sent, or any in
        its source cells.
        """
        raw = [cells.sound.select(ROW, column(name).alias(_TEXT)) for name in _columns(cells)]
        if "email" in cells.frame.columns:
            raw.append(cells.frame.select(ROW, pl.col("email").alias(_TEXT)))
        if not raw:
            return pl.Series(ROW, [], pl.UInt32)
        matches = _hashed(pl.concat(raw)).join(self._people, on=list(_DIGEST), how="semi")
        return matches[ROW].unique()


NOBODY: Final = Suppression(pl.DataFrame(schema=_DIGEST))
"""An empty suppression list."""


class _Part(NamedTuple):
    """The people of one file, and a note about it."""

    people: pl.DataFrame
    notes: tuple[str, ...]


def _parts(name: str) -> Iterator[_Part]:
    """The contents of the files that a name refers to."""
    try:
        tables = open_tables([name], _WHOLE)
        for file in dict.fromkeys(table.name for table in tables):
            people, silent = [pl.DataFrame(schema=_DIGEST)], 0
            for table in (one for one in tables if one.name == file):
                for at, batch in enumerate(table.batches()):
                    hashes = _people_in(batch)
                    people.append(hashes.select(*_DIGEST))
                    matched = batch[ROW].is_in(hashes[ROW].implode()).to_list()
                    silent += matched.count(False) - (not at and not matched[0])  # a header
            together = pl.concat(people).unique()
            if together.is_empty():
                raise _of_nobody(file)
            yield _Part(together, tuple(_note(file, silent)))
    except SourceError as error:
        message = _("A suppression list cannot be read. {error}", error=error.message)
        raise UsageError(message, error.remedy) from error


def _of_nobody(name: str) -> UsageError:
    return UsageError(
        _(
            "The suppression list {name} contains no e-mail address and no SHA-256 of one: "
            "it would suppress nobody.",
            name=name,
        ),
        _("Nothing was sent. Name the right list, or omit --suppress."),
    )


def _note(name: str, silent: int) -> Iterator[str]:
    """The note about rows of a list without an address."""
    if silent > 0:
        yield ngettext(
            "{name}: {number} row without an address or its SHA-256 suppresses nobody.",
            "{name}: {number} rows without an address or its SHA-256 suppress nobody.",
            silent,
            name=name,
        )


def _people_in(batch: pl.DataFrame) -> pl.DataFrame:
    """`ROW` and the hashes of all people in the cells of a batch of a list."""
    names = [name for name in batch.columns if not name.startswith("__rdimport_")]
    cells = pl.concat(batch.select(ROW, column(name).alias(_TEXT)) for name in names)
    written = cells.select(ROW, pl.col(_TEXT).str.to_lowercase().str.extract_all(_SHA256))
    digests = written.explode(_TEXT).drop_nulls()
    decoded = digests.with_columns(pl.col(_TEXT).str.head(32).str.decode("hex"))
    return pl.concat([_hashed(cells), decoded.select(ROW, *_halves(_TEXT))])


def _hashed(cells: pl.DataFrame) -> pl.DataFrame:
    """`ROW` and the hashes of all addresses in the texts of a frame."""
    texts = cells.filter(pl.col(_TEXT).str.contains("[@＠﹫]"))
    if texts.is_empty():
        return pl.DataFrame(schema={ROW: pl.UInt32, **_DIGEST})
    whole = texts.select(ROW, email.email(pl.col(_TEXT), first=False, correct=False))
    lower = pl.col(_TEXT).str.to_lowercase()
    each = texts.select(ROW, lower.str.extract_all(_ADDRESS)).explode(_TEXT)
    stripped = pl.col(_TEXT).str.strip_chars_end(".")
    texts = pl.concat([whole, each]).drop_nulls().with_columns(stripped).unique()
    digests = [sha256(address.encode()).digest()[:16] for address in texts[_TEXT]]
    return texts.with_columns(pl.Series(_TEXT, digests, pl.Binary)).select(ROW, *_halves(_TEXT))


def _halves(name: str) -> Iterator[pl.Expr]:
    for at, half in zip((0, 8), _DIGEST, strict=True):
        part = pl.col(name).bin.slice(at, 8)
        yield part.bin.reinterpret(dtype=pl.UInt64, endianness="little").alias(half)


def _columns(cells: Cells) -> list[str]:
    """The columns that fill the field `email`, including those in an expression."""
    bound = cells.bound
    columns: list[str] = []
    for target in bound.targets:
        if target.field == "email":
            columns += bound.columns[target.name]
            called = sql.columns(target.source.expr) if target.source.expr else ()
            columns += [bound.aliases.get(name, name) for name in called]
    return list(dict.fromkeys(columns))
