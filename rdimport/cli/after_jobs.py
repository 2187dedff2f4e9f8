"""After a job: notifications, the dead man's switch, metrics.

Nothing here changes the job's result: errors are printed to standard error.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rdimport.cli import keys, resolve
from rdimport.cli.arguments import RunArguments
from rdimport.cli.streams import print_error
from rdimport.core.clock import SystemClock
from rdimport.core.errors import ExitCode, RdimportError, UsageError
from rdimport.core.names import fold
from rdimport.core.row import State
from rdimport.core.shell import joined
from rdimport.report.words import Words

if TYPE_CHECKING:
    from rdimport import RunResult
    from rdimport.config import Settings
    from rdimport.ledger import Store
    from rdimport.notify import JobEnding
    from rdimport.report.job_status import JobStatus


def known(store: Store, job: str | None = None) -> list[JobStatus]:
    """The accounts and jobs in a ledger, or those of one job; none if it cannot be read."""
    from rdimport.report.job_status import jobs  # noqa: PLC0415

    with suppress(RdimportError):
        ledger = store.if_there()
        if ledger is not None:
            with ledger:
                now = SystemClock().now()
                return list(jobs(ledger, store.is_held, now=now, job=job))
    return []


def ended_before(args: RunArguments, job: str) -> JobEnding | None:
    """How the job ended last time, if it ever ran."""
    from rdimport.notify import JobEnding  # noqa: PLC0415

    with suppress(RdimportError, ValueError):
        store = resolve.store(args)
        same = [one for one in known(store, job) if _is_of(one, args)]
        run = same[0].run if same else None
        if run is None or run.exit_code is None:
            return None
        problems: tuple[tuple[str, int], ...] = ()
        ledger = store.if_there() if run.run_id else None
        if ledger is not None:
            with ledger:
                problems = tuple(ledger.run(run.run_id).problems().items())
        why = _first(run.error) or run.stopped_because or ""
        return JobEnding(ExitCode(run.exit_code), (), problems, 0, why)
    return None


def _is_of(status: JobStatus, args: RunArguments) -> bool:
    return fold(status.account) == fold(args.account or "default")


def ending(code: ExitCode, result: RunResult | None, trouble: str, lang: str) -> JobEnding:
    """How a job ended, without personal data."""
    from rdimport.notify import JobEnding  # noqa: PLC0415

    if result is None:
        return JobEnding(code, why=_first(trouble))
    words, counts = Words(lang), result.counts
    rows = tuple((words.state(state), number) for state, number in counts.items() if number)
    problems = tuple(result.summary.problems.items())
    why = result.summary.stopped_because or ""
    return JobEnding(code, rows, problems, counts[State.UNCERTAIN], why)


def _first(text: str) -> str:
    """The first line. A bug's traceback may contain any data, its first line does not."""
    return text.partition("\n")[0]


def tell(
    settings: Settings, job: str, args: RunArguments, now: JobEnding, before: JobEnding | None
) -> None:
    """Send the notifications in the settings, and notify the dead man's switch."""
    from rdimport.notify import applying, ping, send, text  # noqa: PLC0415

    command = joined(["rdimport", "status", "--job", job, *resolve.store(args).location_options])
    for name in settings.value(job, "notify")[0] or ():
        whom = settings.notify[name]
        if applying(whom.on, now, before):
            message = text(job, args.account or "default", now, command)
            try:
                _say(send(name, keys.of_address(name, whom.url, settings.path), message))
            except UsageError as error:
                _say(str(error))
    where = settings.value(job, "ping")[0]
    if where is not None:
        fine = now.code in (ExitCode.DONE, ExitCode.FAILED_ROWS)
        try:
            _say(ping(keys.of_address(job, where, settings.path), fine=fine))
        except UsageError as error:
            _say(str(error))


def write_metrics(path: Path, stores: list[Store]) -> None:
    """Write the metrics of all jobs in these ledgers."""
    from rdimport.report import metrics  # noqa: PLC0415

    found = [status for store in dict.fromkeys(stores) for status in known(store)]
    try:
        metrics.write(path, found)
    except RdimportError as error:
        _say(str(error))


def _say(sentence: str) -> None:
    if sentence:
        print_error(sentence)
