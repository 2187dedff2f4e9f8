"""Where the table begins, and what its columns are called."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from rdimport.errors import SourceError
from rdimport.names import fold

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rdimport.source import Hints


class FirstRow(NamedTuple):
    """One of a table's first rows: its number as a person sees it, its last line, its cells."""

    number: int
    last: int
    cells: Sequence[str | None]

    @property
    def is_blank(self) -> bool:
        """No cell holds anything visible."""
        return not any(cell and cell.strip() for cell in self.cells)


_KNOWN: Final = frozenset(
    "nome name nome completo sobrenome primeiro nome first name last name full name email e-mail"
    " mail telefone celular whatsapp fone phone mobile empresa company razao social nome fantasia"
    " cargo job title cidade city uf estado state pais country cep endereco bairro cpf cnpj data"
    " date tags tag origem source id codigo status site website observacao observacoes obs"
    " interesse aceite opt-in campanha nascimento sexo genero idade contato cliente".split()
)
_DATA: Final = re.compile(
    r"[^@\s]+@[^@\s]+\.[^@\s]+"  # an address
    r"|[\d\s().,/:+\-]*\d[\d\s().,/:+\-]*"  # a number, date, phone or document
    r"|(?:https?://|www\.)\S+",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Header:
    """A found header: its row's number (0 for none), its cells, and the first number after it."""

    row: int
    names: tuple[str, ...]
    first_data: int

    @property
    def columns(self) -> tuple[str, ...]:
        """The names that the columns get: unique, none empty."""
        return unique_names(self.names)


def find_header(rows: Sequence[FirstRow], hints: Hints, name: str) -> Header:
    """The header among the first rows of the table `name`.

    Raises SourceError when the row that the person named is not among them, or there is none.
    """
    if not rows:
        raise SourceError(
            f"{name} is empty: it has no header and no rows.",
            "Check that it is the right file and that its export was finished.",
        )
    width = _usual_width(rows)
    named = hints.header_row
    at = _best_row(rows, width, hints) if named is None else _named_row(rows, named, name)
    if at is None:
        return Header(0, ("",) * width, rows[0].number)
    number, last, cells = rows[at]
    names = [cell or "" for cell in cells[: max(_filled_width(cells), width)]]
    names += [""] * (width - len(names))
    return Header(number, tuple(names), last + 1)


def header_only(name: str, header: Header) -> SourceError:
    """The error for a table that ends with its header."""
    return SourceError(
        f"{name} has a header in row {header.row} and no rows below it.",
        "Check that it is the right file and that its export was finished.",
    )


def _named_row(rows: Sequence[FirstRow], wanted: int, name: str) -> int:
    for at, row in enumerate(rows):
        if row.number == wanted:
            return at
    raise SourceError(
        f"{name} has no header in row {wanted}: the row is blank or not there.",
        "Name the row that holds the column names with --header-row, or leave that out.",
    )


def _usual_width(rows: Sequence[FirstRow]) -> int:
    """The most cells that at least half of the rows have, up to each one's last filled cell."""
    widths = sorted((_filled_width(row.cells) for row in rows), reverse=True)
    return widths[len(widths) // 2] or 1


def _filled_width(cells: Sequence[str | None]) -> int:
    return max((i + 1 for i, cell in enumerate(cells) if cell and cell.strip()), default=0)


def _best_row(rows: Sequence[FirstRow], width: int, hints: Hints) -> int | None:
    wanted = {fold(column) for column in hints.columns}
    best, best_score = None, 0.0
    for at, row in enumerate(rows):
        score = _score(row.cells, width, wanted)
        if score > best_score:
            best, best_score = at, score
    return best


def _score(cells: Sequence[str | None], width: int, wanted: set[str]) -> float:
    """How much a row looks like a header; 0 for a row that looks like data or a title."""
    filled = [fold(cell) for cell in cells if cell and cell.strip()]
    if not filled:
        return 0.0
    known = sum(1 for cell in filled if cell in wanted)
    usual = sum(1 for cell in filled if cell in _KNOWN)
    data = sum(1 for cell in filled if _DATA.fullmatch(cell))
    if known == 0 and (data > len(filled) * 0.3 or len(filled) < min(width * 0.5, width - 1)):
        return 0.0
    distinct = len(set(filled)) / len(filled)
    return 4.0 * known + usual + distinct * len(filled) / max(width, 1) - 2.0 * data


def unique_names(names: Sequence[str]) -> tuple[str, ...]:
    """Names that a mapping can use: visible text kept, empty ones `Coluna 3`, doubled `Nome (2)`.

    >>> unique_names(["Nome", "", "nome"])
    ('Nome', 'Coluna 2', 'nome (2)')
    """
    seen: set[str] = set()
    found = []
    taken = {fold(name) for name in names}
    for position, raw in enumerate(names, start=1):
        name = visible(raw)
        base = name or f"Coluna {position}"
        candidate, copy = base, 2
        while fold(candidate) in seen or (candidate != name and fold(candidate) in taken):
            candidate = f"{base} ({copy})"
            copy += 1
        seen.add(fold(candidate))
        found.append(candidate)
    return tuple(found)


def visible(name: str) -> str:
    """A header cell as a person reads it: one line, single spaces, nothing invisible."""
    bare = re.sub(r"[\u200b-\u200f\u2060\ufeff\x00-\x08\x0e-\x1f]", "", name)
    return " ".join(bare.split())
