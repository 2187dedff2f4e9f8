"""summary.json: the numbers of a run for scripts, read from the ledger only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

from rdimport.core.errors import ReportError
from rdimport.core.row import State
from rdimport.core.visible import shown, shown_json
from rdimport.ledger import LegalBases, Run, WrongColumn, wrong_column
from rdimport.report import failures_csv
from rdimport.report.next_steps import written_by
from rdimport.report.private_files import private

FILE_NAME: Final = "summary.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """The numbers of a run; summary.json has the same fields (`as_json`).

    Times are ISO 8601 in UTC. `counts` add up to `rows`; if the input was not `read_to_end`, these
    are the rows that were read. `rows_per_second` counts rows, `quota_used` requests. `problems`
    counts rows by code. `suspect` counts cells of sendable rows, sent or not. `proved` counts rows
    accepted because `settle` found a proof, by its kind. `corrected` counts rows that are
    `already_imported` because they were corrected in a failure report, by the run that sent them.
    `rules` counts how often a rule of the endpoint's owner decided. `stopped_by` is the last
    trouble of the run, with its `Detail` key or the endpoint's message; None if there was none.
    `report_failed` says why the report's files could not be written, and which command writes them.
    """

    run_id: str
    started_at: str
    finished_at: str | None
    exit_code: int | None
    stopped_because: str | None
    stopped_by: str | None
    resume_at: str | None
    read_to_end: bool
    counts: Mapping[State, int]
    left_out: int
    requests: int
    retries: int
    throttled: int
    rows_per_second: float
    quota_used: float | None
    problems: Mapping[str, int]
    suspect: Mapping[str, int]
    legal_bases: LegalBases | None
    proved: Mapping[str, int]
    corrected: Mapping[str, int]
    wrong_column: WrongColumn | None
    rules: Mapping[str, int]
    mapping: str
    base_url: str
    sandbox: bool
    account: str
    quota: str | None
    again: tuple[str, ...]
    job: str
    started_in: str
    given: tuple[str, ...]
    resend: tuple[str, ...]
    files: tuple[str, ...]
    summary_json: str
    failures_csv: str
    failures_xlsx: str
    report_html: str
    report_failed: str | None = None

    @property
    def rows(self) -> int:
        """Number of data rows read, without those excluded by the mapping."""
        return sum(self.counts.values())

    def as_json(self) -> dict[str, Any]:
        """The JSON object printed by `--json`: one number for each state."""
        found: dict[str, Any] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name == "counts":
                found["rows"] = self.rows
                found |= {str(state): rows for state, rows in self.counts.items()}
            elif one.name in ("legal_bases", "wrong_column"):
                found[one.name] = value._asdict() if value else None
            elif value is not None or one.name != "report_failed":
                found[one.name] = list(value) if isinstance(value, tuple) else value
        return found


def summarise(run: Run, folder: Path) -> RunSummary:
    """The summary of a run from the ledger; `folder` is the folder of its files."""
    facts, counts, tables = run.facts(), run.counts(), run.inputs().values()
    record, columns = facts.record, [table.columns for table in tables]
    return RunSummary(
        run_id=facts.name,
        started_at=facts.started_at,
        finished_at=facts.finished_at,
        exit_code=facts.exit_code,
        stopped_because=facts.stopped_because,
        stopped_by=facts.trouble or None,
        resume_at=facts.resume_at,
        read_to_end=run.read_to_end(facts),
        counts=counts,
        left_out=facts.left_out,
        requests=facts.requests,
        retries=facts.retries,
        throttled=facts.throttled,
        rows_per_second=facts.rows_per_second,
        quota_used=facts.quota_used,
        problems=run.problems(),
        suspect=run.suspects(),
        legal_bases=run.legal_bases(),
        proved=run.proofs(),
        corrected=run.corrected(),
        wrong_column=wrong_column(run.invalid_by_column(), sum(counts.values()), columns),
        rules=facts.rules,
        mapping=record.mapping,
        base_url=record.base_url,
        sandbox=record.sandbox,
        account=record.account,
        quota=record.quota,
        again=record.again,
        job=record.job,
        started_in=record.started_in,
        given=record.given,
        resend=record.resend,
        files=tuple(table.name for table in tables),
        **_paths(folder),
    )


def _paths(folder: Path) -> dict[str, str]:
    """The files of the report, by the names of their fields."""
    return {
        "summary_json": str(folder / FILE_NAME),
        "failures_csv": str(folder / failures_csv.FILE_NAME),
        "failures_xlsx": str(folder / "failures.xlsx"),
        "report_html": str(folder / "report.html"),
    }


def summarise_alone(
    run: Run, report_dir: Path, location_options: tuple[str, ...], error: ReportError
) -> RunSummary:
    """The same if the files could not be written: `report_failed` says why, and which command
    writes them.
    """
    command = written_by(run.name, report_dir.absolute(), location_options)
    failed = f"{error}\n  {shown(command)}"
    return replace(summarise(run, report_dir / run.name), report_failed=failed)


def write(summary: RunSummary, path: Path) -> None:
    """Write summary.json. Raises ReportError if it cannot be written."""
    with private(path) as half:
        text = shown_json(summary.as_json(), indent=2)
        half.write_text(text + "\n", encoding="utf-8")
