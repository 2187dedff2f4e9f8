"""summary.json: what a run did, in numbers, for scripts; read from the ledger and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from rdimport.core.errors import ReportError
from rdimport.core.quota import share_used
from rdimport.core.shell import joined
from rdimport.core.visible import shown
from rdimport.ledger import Run, figures
from rdimport.ledger.proofs import proofs
from rdimport.report import failures_csv
from rdimport.report.private_files import private

FILE_NAME: Final = "summary.json"

_COPIED: Final = ("mapping", "base_url", "sandbox", "account", "quota", "again")
"""What the person said of the run."""

_ELSE: Final = {"job": "", "started_in": "", "given": [], "resend": []}
"""What the person said too, and what stands for it in runs of earlier releases."""


def summarise(run: Run, folder: Path) -> dict[str, Any]:
    """The object that `--json` prints; `folder` holds the run's files.

    Seconds and rows are numbers, times ISO 8601 in UTC. Where the input was not `read_to_end`,
    `rows` are those that were read. `suspect` counts cells of rows that can be sent, whether they
    were sent already or are still to be. `stopped_by` is the trouble that the run met last, with
    the key of `reasons.TRANSPORT` or the endpoint's own words; None where it met none. `proved`
    counts rows that are accepted because `settle` found a proof, by its kind;
    `rules` how often a rule of the endpoint's owner decided.
    """
    facts = run.facts()
    recorded = json.loads(facts["facts"])
    counts = run.counts()
    seconds = facts["sending_seconds"]
    allowed = recorded.get("quota_per_second")
    bases = figures.legal_bases(run)
    wrong = figures.wrong_column(figures.invalid_by_column(run), sum(counts.values()))
    return {
        "run_id": facts["name"],
        "started_at": facts["started_at"],
        "finished_at": facts["finished_at"],
        "exit_code": facts["exit_code"],
        "stopped_because": facts["stopped_because"],
        "stopped_by": recorded.get("trouble") or None,
        "resume_at": facts["resume_at"],
        "read_to_end": run.read_to_end(facts),
        "rows": sum(counts.values()),
        **{str(state): rows for state, rows in counts.items()},
        "left_out": facts["left_out"],
        "requests": facts["requests"],
        "retries": facts["retries"],
        "throttled": facts["throttled"],
        "rows_per_second": round(facts["requests"] / seconds, 2) if seconds else 0.0,
        "quota_used": share_used(facts["requests"], seconds, allowed),
        "problems": run.problems(),
        "suspect": run.suspects(),
        "legal_bases": bases._asdict() if bases else None,
        "rules": recorded.get("rules", {}),
        "proved": proofs(run.ledger, run.number),
        "wrong_column": wrong._asdict() if wrong else None,
        **{name: recorded[name] for name in _COPIED},
        **{name: recorded.get(name, usual) for name, usual in _ELSE.items()},
        "files": [table.name for table in run.inputs().values()],
        "summary_json": str(folder / FILE_NAME),
        "failures_csv": str(folder / failures_csv.FILE_NAME),
        "failures_xlsx": str(folder / "failures.xlsx"),
        "report_html": str(folder / "report.html"),
    }


def summarise_alone(
    run: Run, report_dir: Path, state_dir: Path, error: ReportError
) -> dict[str, Any]:
    """The same where the files could not be written: `report_failed` says why, and which command
    writes them.
    """
    state, reports = str(state_dir.absolute()), str(report_dir.absolute())
    words = ["rdimport", "report", run.name, "--state-dir", state, "--report-dir", reports]
    again = joined(words)
    summary = summarise(run, report_dir / run.name)
    return {**summary, "report_failed": f"{error}\n  {shown(again)}"}


def write(summary: dict[str, Any], path: Path) -> None:
    """Write it. Raises ReportError when the disk does not take it."""
    with private(path) as half:
        text = json.dumps(summary, ensure_ascii=False, indent=2)
        half.write_text(text + "\n", encoding="utf-8")
