"""Reports: reads the ledger and writes a run's files to `REPORT-DIR/RUN-ID/`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdimport.core.errors import InstallationError, ReportError
from rdimport.core.events import Observer, ReportFinished, ReportStage, RowsReported, ignore_events
from rdimport.core.installation import installation_explained

if TYPE_CHECKING:
    from pathlib import Path

    from rdimport.ledger import Run
    from rdimport.report.summary import RunSummary

LIBRARIES: Final = ("rdimport.report.everything", "xlsxwriter")
"""The modules that the first report loads; a caller that expects one may load them earlier."""


def write_report(
    run: Run,
    report_dir: Path,
    *,
    lang: str = "en",
    full: bool = False,
    on_event: Observer = ignore_events,
) -> RunSummary:
    """Write all files of a run's report to its folder, and return the contents of summary.json.

    All files describe the same moment of the ledger, even while the run continues. `full` shows
    personal data in report.html unshortened. Raises ReportError if a file cannot be written, or a
    library not be loaded, and LedgerError if the ledger cannot be read.
    """
    try:
        with installation_explained():
            from rdimport.report import everything  # noqa: PLC0415  its libraries take time to load

            return everything.write(
                run,
                report_dir / run.name,
                lang,
                full=full,
                begin=lambda name, rows: on_event(ReportStage(name, rows)),
                advance=lambda rows: on_event(RowsReported(rows)),
            )
    except InstallationError as error:
        raise ReportError(error.message, error.remedy) from error
    finally:
        on_event(ReportFinished())
