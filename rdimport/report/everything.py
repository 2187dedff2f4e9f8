"""Writes all files of a run's report from one snapshot of the ledger."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from rdimport.core.errors import Bug, ReportError, UsageError
from rdimport.core.looking import is_file
from rdimport.core.messages import _
from rdimport.core.row import FAILED
from rdimport.ledger import Run
from rdimport.report import failures_csv, summary
from rdimport.report.data import load_report_data
from rdimport.report.failures_xlsx import sheets
from rdimport.report.html import page
from rdimport.report.rows import Advance, Begin

_AFTER: Final = 2.0
"""A file that is newer by this many seconds than the summary, which is written last, was changed by
a person. The files of a copied folder have any order.
"""


def write(
    run: Run,
    folder: Path,
    lang: str,
    *,
    full: bool,
    begin: Begin,
    advance: Advance,
) -> summary.RunSummary:
    """Write the files. `begin` is called for each stage, `advance` for each row written."""
    _refuse_forgotten(run)
    _refuse_corrected(folder)
    with run.snapshot():
        begin("counting", 0)
        data = load_report_data(run, folder)
        failed = sum(data.summary.counts[state] for state in FAILED)
        begin(failures_csv.FILE_NAME, failed)
        written = [
            failures_csv.write(run, folder / failures_csv.FILE_NAME, lang, advance, data.reread)
        ]
        _touch_summary(folder)
        begin(sheets.FILE_NAME, failed)
        book = folder / sheets.FILE_NAME
        written += [sheets.write(run, book, data, lang, begin=begin, advance=advance)]
        _touch_summary(folder)
    if any(rows != failed for rows in written):
        raise Bug(f"run {run.name}: {failed} failed rows counted, but {written} written")
    begin(page.FILE_NAME, 0)
    page.write(data, folder / page.FILE_NAME, lang, full=full)
    summary.write(data.summary, folder / summary.FILE_NAME)
    return data.summary


def _touch_summary(folder: Path) -> None:
    """Date an earlier summary like the file of failures that was just replaced: if this process is
    killed now, the file does not look corrected.
    """
    with suppress(OSError):
        os.utime(folder / summary.FILE_NAME)


def _refuse_forgotten(run: Run) -> None:
    """Raise UsageError if `purge` deleted what the run had recorded about people."""
    forgotten = run.facts().forgotten_at
    if forgotten:
        raise UsageError(
            _(
                "What run {name} recorded about people was deleted on {forgotten} by "
                "`rdimport purge`, so its report cannot be written again.",
                name=run.name,
                forgotten=forgotten[:10],
            ),
            _("Report files written before stay as they are."),
        )


def _refuse_corrected(folder: Path) -> None:
    """Raise ReportError if a file of failures was changed after the report was written."""
    try:
        written = (folder / summary.FILE_NAME).stat().st_mtime
    except OSError:
        return
    for name in (failures_csv.FILE_NAME, sheets.FILE_NAME):
        path = folder / name
        if is_file(path) and path.stat().st_mtime > written + _AFTER:
            raise ReportError(
                _(
                    "{path} was changed after the report was written, and what was corrected in it "
                    "would be lost.",
                    path=path,
                ),
                _("Rename it or delete it, then type the same command again."),
            )
