"""The types that a cast may name, and dates as an expression writes them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final

from rdimport.core.messages import _
from rdimport.mapping.sql.parts import Form, Part
from rdimport.mapping.sql.tokens import Token, beginning

_TYPES: Final = {
    **dict.fromkeys(("INT", "INTEGER"), "INT"),
    **dict.fromkeys(("VARCHAR", "TEXT", "STRING", "CHAR"), "VARCHAR"),
    **dict.fromkeys(("DOUBLE", "FLOAT"), "DOUBLE"),
    **dict.fromkeys(("DECIMAL", "NUMERIC"), "DECIMAL"),
    **dict.fromkeys(("BOOLEAN", "BOOL"), "BOOLEAN"),
    **dict.fromkeys(("TIMESTAMP", "DATETIME"), "TIMESTAMP"),
    **{name: name for name in ("SMALLINT", "BIGINT", "REAL", "DATE")},
}
DATES: Final = ("DATE", "TIMESTAMP")
FORMS: Final = {
    "VARCHAR": Form.TEXT,
    "BOOLEAN": Form.TRUTH,
    **dict.fromkeys(DATES, Form.DATE),
}
"""Result types of casts other than numbers."""


def type_called(word: Token) -> str:
    """The polars type of that name. Raises ValueError if there is none."""
    kind = _TYPES.get(word.keyword)
    if kind is None:
        known = ", ".join(dict.fromkeys(_TYPES.values()))
        raise ValueError(
            _("“{word}” is not a type; it may be {known}", word=beginning(word.value), known=known)
        )
    return kind


def date_literal(kind: str, written: str) -> Part:
    """A date literal of the mapping. Raises ValueError."""
    read = date if kind == "DATE" else datetime
    try:
        value = read.fromisoformat(written)
    except ValueError:
        raise ValueError(
            _(
                "{kind} is followed by a date such as '2026-12-31', not '{written}'",
                kind=kind,
                written=beginning(written),
            )
        ) from None
    if isinstance(value, datetime):
        written = value.replace(tzinfo=None, microsecond=0).isoformat(" ")
    else:
        written = value.isoformat()
    return Part(f"{kind} '{written}'", Form.DATE, bare=True)
