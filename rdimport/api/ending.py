"""The end of a run: records it in the ledger, and writes the report."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from rdimport.api.run_options import RunOptions
from rdimport.core.errors import (
    Bug,
    ExitCode,
    LedgerError,
    RdimportError,
    ReportError,
    is_unexpected,
)
from rdimport.core.installation import installation_error
from rdimport.core.messages import _
from rdimport.core.row import FAILED, State
from rdimport.core.stop import StopReason
from rdimport.ledger import Ending, Run, damage_in
from rdimport.report import write_report

if TYPE_CHECKING:
    from rdimport.report.summary import RunSummary


class End(NamedTuple):
    """The end of a run: the reason if it stopped early, whether all of the input was read, the
    seconds until continuing makes sense, notes for the user, and the last trouble, as a detail.
    """

    stopped: StopReason | None
    read: bool = True
    resume_in: float | None = None
    notes: tuple[str, ...] = ()
    trouble: str = ""
    rules: Mapping[str, int] = MappingProxyType({})


def finish(run: Run, options: RunOptions, end: End) -> RunSummary:
    """Record the end of the run, and write the report."""
    counts = run.counts()
    if counts[State.PENDING] or not end.read:
        code = ExitCode.STOPPED
    elif any(counts[state] for state in FAILED):
        code = ExitCode.FAILED_ROWS
    else:
        code = ExitCode.DONE
    now = options.clock.now()
    resume_at = None
    if end.stopped is StopReason.LEAD_QUOTA and end.resume_in is not None:
        resume_at = now + timedelta(seconds=end.resume_in)
    completed = run.completed_resends() if options.resend else None
    found = Ending(end.read, end.trouble, rules=dict(end.rules), completed=completed)
    run.finish(now, code, end.stopped, resume_at, found)
    return _report(run, options)


def _report(run: Run, options: RunOptions) -> RunSummary:
    """Write the report. If that fails, the summary says so: the rows have been processed."""
    try:
        return write_report(
            run,
            options.reports,
            lang=options.lang,
            full=options.full_report,
            on_event=options.on_event,
        )
    except ReportError as error:
        from rdimport.report.summary import summarise_alone  # noqa: PLC0415  as with the report

        return summarise_alone(run, options.reports, options.store.location_options, error)


def abandoned(run: Run, options: RunOptions, error: BaseException) -> RdimportError | None:
    """Record why a run could not continue, if the ledger still allows that.

    Returns the exception to raise instead of the error, if any: once rows were sent, one with exit
    code 3 and the place of the report; for unexpected contents of the ledger, that it is damaged.
    """
    sent = run.has_begun
    with suppress(LedgerError):
        sent = run.has_sent()
    if not isinstance(error, RdimportError | Bug) and isinstance(error, Exception):
        error = damage_in(run.ledger) or installation_error(error) or error
    if isinstance(error, RdimportError):
        code = ExitCode.STOPPED if sent else error.exit_code
    else:
        code = ExitCode.BUG if is_unexpected(error) else ExitCode.STOPPED
    now, message = options.clock.now(), str(error) if isinstance(error, RdimportError) else ""
    with suppress(LedgerError):
        run.finish(now, code, type(error).__name__, found=Ending(error=message))
    known: dict[str, Any] = {
        "run_id": run.name,
        "finished_at": now.isoformat(),
        "exit_code": int(code),
        "stopped_because": type(error).__name__,
        "account": options.to.account,
        "job": options.job,
    }
    remedy = ""
    if sent:
        with suppress(Exception):  # the error that ended the run is the one to raise
            # the result is known here even if the ledger did not record it
            summary = _report(run, options)
            known = {**summary.as_json(), **known}
            where = _("The report of this run: {folder}", folder=options.reports / run.name)
            remedy = summary.report_failed or where
    return error.with_code(code, remedy, known) if isinstance(error, RdimportError) else None
