"""Combines phone numbers with area or country codes from separate columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdimport.proposal.vocabulary import Holds, words_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rdimport.proposal.column_guess import Guess
    from rdimport.proposal.evidence import ColumnEvidence

_HALF: Final = 0.5
_GENERAL: Final = frozenset(
    "ddd ddi codigo de do da area pais prefixo numero telefone fone tel phone celular whatsapp "
    "cel movel movil 1".split()
)
"""Words that do not distinguish the numbers of a person."""


def area_codes(
    by_field: Mapping[Holds, Sequence[Guess]], evidence: Mapping[str, ColumnEvidence]
) -> dict[str, str]:
    """For each column of numbers without an area code, the expression that adds it."""
    columns = list(evidence)
    phones = [
        one.column
        for holds in (Holds.MOBILE, Holds.PHONE, Holds.LANDLINE)
        for one in by_field.get(holds, [])
        if evidence[one.column].local >= _HALF
    ]
    found = {}
    for column in phones:
        area, country = (
            _code_column(column, [one.column for one in by_field.get(holds, [])], columns)
            for holds in (Holds.AREA, Holds.COUNTRY_CODE)
        )
        if area is not None:
            found[column] = _expression(column, area, country)
    return found


def _code_column(column: str, codes: Sequence[str], columns: Sequence[str]) -> str | None:
    """The code column for a number column: with the same words, otherwise the one before it."""
    if not codes:
        return None
    own = _special(column)
    same = [code for code in codes if own & _special(code)] or [
        code for code in codes if not _special(code) and not own
    ]
    at = columns.index(column)
    return min(same or codes, key=lambda code: _distance(columns.index(code), at))


def _special(column: str) -> set[str]:
    words = set(words_of(column).split())
    kinds = {"celular", "cel", "whatsapp", "movel", "fixo", "residencial", "comercial"}
    return (words - _GENERAL) | (words & kinds)


def _distance(code: int, column: int) -> int:
    """Number of columns between the two; a code precedes its number."""
    return column - code if code < column else 2 * (code - column)


def _expression(column: str, area: str, country: str | None) -> str:
    """Add the code only to numbers without one; empty cells stay empty."""
    number, code = sql_name(column), sql_name(area)
    if country is None:
        local, whole = "8,9", f"CONCAT({code}, {number})"
    else:
        abroad = sql_name(country)
        full = f"CONCAT('+', TRIM(LEADING '+' FROM {abroad}), {code}, {number})"
        local, whole = "6,9", f"IF({abroad} IS NULL, CONCAT({code}, {number}), {full})"
    has_none = f"REGEXP_LIKE({number}, '^[^0-9+]*([0-9][^0-9]*){{{local}}}$')"
    return f"IF({has_none}, {whole}, {number})"


def sql_name(column: str) -> str:
    """A column name as an SQL identifier."""
    return '"' + column.replace('"', '""') + '"'
