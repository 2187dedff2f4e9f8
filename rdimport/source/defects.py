"""What can be wrong with a row as a record, and what its values are then worth."""

from __future__ import annotations

from typing import Final

from rdimport.core.messages import untranslated

TOO_LONG: Final = "row.too_long"
TOO_SHORT: Final = "row.too_short"
STRAY_QUOTE: Final = "row.stray_quote"

DEFECTS: Final = {
    TOO_LONG: untranslated(
        "The row has more cells than the table has columns; the last column holds the rest."
    ),
    TOO_SHORT: untranslated(
        "The row has fewer cells than the table has columns; which are missing is unknown."
    ),
    STRAY_QUOTE: untranslated(
        "A quotation mark opens and does not close, so the row's cells are a guess."
    ),
}
"""The codes that `row.DEFECT` may hold, each with its sentence. Codes are stable."""
