"""Reads the ledger and writes one file each: `REPORT-DIR/RUN-ID/`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from rdimport.ledger import Run
    from rdimport.report.rows import Advance, Begin


def write_all(
    run: Run,
    folder: Path,
    *,
    lang: str = "en",
    full: bool = False,
    begin: Begin | None = None,
    advance: Advance | None = None,
) -> dict[str, Any]:
    """Write every file of a run's report into its folder, and return the object of summary.json.

    All files tell of one moment of the ledger, also while the run goes on. `full` shows personal
    data in report.html as it is; `begin` hears of each stage, `advance` of each row that a file
    takes. Raises ReportError when the disk does not take them, LedgerError when the ledger cannot
    be read.
    """
    from rdimport.report import everything  # noqa: PLC0415  only who writes reports pays for it

    return everything.write(run, folder, lang, full=full, begin=begin, advance=advance)
