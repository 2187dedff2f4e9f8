"""The data that a run's reports share, read once so that they agree; rows are read separately."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rdimport.ledger import Example, MappingRecord, Minute, Run
from rdimport.report.reread import Reread, reread
from rdimport.report.summary import RunSummary, summarise

EXAMPLES = 3
"""Number of example rows for each kind of problem."""


@dataclass(frozen=True, slots=True)
class ReportData:
    """Data for the reports of a run.

    `examples` has the first rows of each code, the most frequent code first. `filled` counts
    sendable rows by field. `per_minute` is the quota, None without one. `reread` has cells that the
    ledger lacks; for `unread` rows there are none. `warned`: a failed row also has suspect cells.
    """

    summary: RunSummary
    examples: dict[str, list[Example]]
    minutes: list[Minute]
    filled: dict[str, int]
    mapping: MappingRecord
    per_minute: float | None
    reread: Reread
    unread: int
    warned: bool


def load_report_data(run: Run, folder: Path) -> ReportData:
    """Read the data from the ledger; `folder` is the folder of the run's files."""
    record = run.facts().record
    per_second = record.quota_per_second
    found, unread = reread(run, run.inputs())
    return ReportData(
        summarise(run, folder),
        run.examples(EXAMPLES),
        run.minutes(),
        run.filled(),
        record.mapping_used,
        per_second * 60 if per_second else None,
        found,
        unread,
        run.warned(),
    )
