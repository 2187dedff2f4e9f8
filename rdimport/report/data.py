"""Everything but the rows that the reports of a run show: read once, so that they agree."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rdimport.core.messages.codes import Code
from rdimport.core.messages.reasons import Reason, detail, explain, reason
from rdimport.core.row import Problem
from rdimport.core.stop import StopReason
from rdimport.ledger import Example, MappingRecord, Minute, Run
from rdimport.report.reread import Reread, reread
from rdimport.report.summary import RunSummary, summarise

EXAMPLES = 3
"""Rows that are shown of each kind of problem."""


@dataclass(frozen=True, slots=True)
class ReportData:
    """`examples` has the first rows of each code, the most frequent code first. `filled` counts
    rows that can be sent by field. `per_minute` is what the quota allows, None without one.
    `reread` has cells that the ledger has not, and `unread` rows stay without; `warned` says
    whether any row that failed also has suspect cells.
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

    def stopped(self, lang: str) -> Reason | None:
        """Why the run stopped before its end, and what to do about it."""
        return why(self.summary, lang)


def load_report_data(run: Run, folder: Path) -> ReportData:
    """Read it from the ledger; `folder` holds the run's files."""
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


_SAID: Final = (StopReason.ENDPOINT_DOWN, StopReason.WRONG_ENDPOINT, StopReason.CERTIFICATE)
"""Stops whose sentence goes on with what was met."""


def why(summary: RunSummary, lang: str) -> Reason | None:
    """The catalogue's words for why a run stopped; what is not in it is named as it is."""
    stopped_because = summary.stopped_because
    if stopped_because is None:
        return None
    code, named = f"stop.{stopped_because}", summary.base_url
    if reason(code, lang) is None:
        code, named = Code.STOP_ERROR, stopped_because
    found = reason(code, lang)
    if found is None:
        return None
    sentence = explain(Problem(code, detail=named), lang)
    if stopped_because in _SAID and summary.stopped_by:
        sentence += f": {detail(summary.stopped_by, lang)}"
    return found._replace(sentence=sentence)
