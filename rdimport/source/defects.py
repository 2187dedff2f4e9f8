"""Defects of a row as a record: too many cells, too few, or a stray quotation mark."""

from __future__ import annotations

from typing import Final

from rdimport.core.messages import untranslated
from rdimport.core.messages.codes import Code

TOO_LONG: Final = Code.ROW_TOO_LONG
TOO_SHORT: Final = Code.ROW_TOO_SHORT
STRAY_QUOTE: Final = Code.ROW_STRAY_QUOTE

DEFECTS: Final[dict[str, str]] = {
    TOO_LONG: untranslated(
        "The row has more cells than the table has columns; the last column contains the rest."
    ),
    TOO_SHORT: untranslated(
        "The row has fewer cells than the table has columns; it is not known which are missing."
    ),
    STRAY_QUOTE: untranslated(
        "A quotation mark is opened and never closed, so the row's cells are a guess."
    ),
}
"""The possible values of `row.DEFECT`, each with its sentence. The codes are stable."""
