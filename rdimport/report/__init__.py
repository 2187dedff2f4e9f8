"""Reads the ledger and writes one file each: `REPORT-DIR/RUN-ID/`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rdimport.core.events import Observer, ReportFinished, ReportStage, RowsReported, ignore_events

if TYPE_CHECKING:
    from pathlib import Path

    from rdimport.ledger import Run
    from rdimport.report.summary import RunSummary


def write_report(
    run: Run,
    report_dir: Path,
    *,
    lang: str = "en",
    full: bool = False,
    on_event: Observer = ignore_events,
) -> RunSummary:
    """Write every file of a run's report into its folder, and return what summary.json tells.

    All files describe one moment of the ledger, also while the run goes on. `full` shows personal
    data in report.html as it is. Raises ReportError when the disk does not take them, LedgerError
    when the ledger cannot be read.
    """
    from rdimport.report import everything  # noqa: PLC0415  its libraries take time to load

    try:
        return everything.write(
            run,
            report_dir / run.name,
            lang,
            full=full,
            begin=lambda name, rows: on_event(ReportStage(name, rows)),
            advance=lambda rows: on_event(RowsReported(rows)),
        )
    finally:
        on_event(ReportFinished())
