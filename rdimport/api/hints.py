"""Hints about the input files: from the caller and from the mapping."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rdimport.source import Hints

if TYPE_CHECKING:
    from rdimport.mapping import Mapping


def source_hints(hints: Hints, mapping: Mapping) -> Hints:
    """Hints of the caller, completed by those in the mapping's `source`."""
    return replace(
        hints,
        sheet=hints.sheet or mapping.source.sheet,
        sheets=hints.sheets or (None if hints.sheet else mapping.source.sheets),
        header_row=hints.header_row or mapping.source.header_row,
        delimiter=hints.delimiter or mapping.source.delimiter,
        encoding=hints.encoding or mapping.source.encoding,
        member=hints.member or mapping.source.member,
        repair=mapping.source.repair,
        columns=mapping.columns(),
    )
