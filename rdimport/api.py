"""The stages in their order: `check` makes the plan, `run` makes it and carries it out."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Collection, Coroutine, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial, wraps
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING, Any, Final, NamedTuple, ParamSpec, TypeVar

from rdimport.core.clock import Clock, SystemClock
from rdimport.core.errors import (
    Bug,
    ExitCode,
    LedgerError,
    RdimportError,
    ReportError,
    SourceError,
    UsageError,
)
from rdimport.core.events import (
    LastTrouble,
    Observer,
    PlanFinished,
    ReportFinished,
    ReportStage,
    RowsReported,
    SendingFinished,
    SendingStarted,
    best_effort,
    ignore_events,
)
from rdimport.core.quota import Quota
from rdimport.core.row import FAILED, State
from rdimport.core.stop import StopReason
from rdimport.delivery.pacing.pacer import EvenPacer, RateLimiter
from rdimport.delivery.pacing.shared import shared
from rdimport.delivery.stopping import StopRequest, stop_on_signals
from rdimport.destination import Destination
from rdimport.destination.rdstation.custom_fields import CustomFields
from rdimport.destination.rdstation.endpoint import BASE_URL
from rdimport.ledger import Ledger, Run
from rdimport.ledger.accounts import Wish, hash_of
from rdimport.ledger.figures import examples
from rdimport.ledger.lock import Held, is_locked, locked
from rdimport.ledger.naming import refuse_unrecognised
from rdimport.mapping import Mapping
from rdimport.plan import mapping_record
from rdimport.plan.departure import Departure, go, set_out
from rdimport.plan.duplicates import Index
from rdimport.plan.history import history_of, known_before, no_history
from rdimport.plan.known_rows import KnownRows
from rdimport.plan.planner import Plan, Planner
from rdimport.plan.spool import Spool
from rdimport.prepare.preview import Preview, advice
from rdimport.proposal import SAMPLE_ROWS, Proposal
from rdimport.proposal import propose as propose_for
from rdimport.report import write_all
from rdimport.report.summary import summarise_alone
from rdimport.results import CheckResult, Notes, RunResult
from rdimport.source import Hints, open_tables

if TYPE_CHECKING:
    from rdimport.delivery.dispatcher import Chance, Settings
    from rdimport.delivery.transport import Kind

Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")

REPORT_DIR: Final = Path("rdimport-reports")
"""Where reports go unless told otherwise, below the current directory."""

Files = str | Path | Sequence[str | Path]


def default_state_dir() -> Path:
    """Where this system keeps programs' state: the ledger's place unless told otherwise."""
    from platformdirs import user_state_path  # noqa: PLC0415

    return user_state_path("rdimport", appauthor=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What `run` was asked to do, complete. `quota_dir` is the folder of the quotas that runs on
    this machine share, None for a run that shares with nobody.
    """

    to: Destination
    state_dir: Path
    report_dir: Path
    quota: Quota | None
    quota_dir: Path | None
    settings: Settings
    hints: Hints
    resend: frozenset[State]
    custom_fields: CustomFields | None
    on_event: Observer
    clock: Clock
    chance: Chance
    signals: bool
    mapping_name: str
    sandbox: bool
    again: tuple[str, ...]
    yes: bool
    new_identity: bool
    agreed: Callable[[Departure], bool]
    transport: Kind
    lang: str
    full_report: bool


def check(
    files: Files,
    mapping: Mapping | str | Path,
    *,
    to: Destination | None = None,
    quota: Quota | str | None = "120/min",
    state_dir: str | Path | None = None,
    limit: int | None = None,
    resend: Collection[State] = (),
    hints: Hints | None = None,
    custom_fields: CustomFields | None = None,
    on_event: Observer = ignore_events,
    keep: bool = True,
    new_identity: bool = False,
) -> CheckResult:
    """Read, clean, validate and plan; send nothing and write nothing.

    The arguments mean what they mean for `run`. With `to` and `state_dir`, what earlier runs know
    of the rows counts too. Unless told to `keep` them there are no `CheckResult.payloads`, which
    takes less time. Raises MappingError, SourceError, UsageError.
    """
    mapping, custom_fields, _ = _loaded(mapping, custom_fields)
    allowed = _quota(quota)
    tables = open_tables(_names(files), _source_hints(hints or Hints(), mapping))
    book, preview = Notes(), Preview()
    with ExitStack() as stack:
        folder = None if state_dir is None else Path(state_dir)
        known = known_before(to, folder, frozenset(resend), mapping, stack)
        memory = known.memory if known else no_history(frozenset(resend), mapping)
        spool = Spool() if keep or mapping.on_duplicate == "merge" else None
        index = stack.enter_context(Index(digests=known is not None))
        new = partial(Planner, mapping, memory, book, spool, index)
        observer = best_effort(on_event)
        plan = new(catalogue=custom_fields, observer=observer, look=preview.add).make(tables)
        missed = known.unrecognised(book.names, tables) if known and not new_identity else ()
    to_send = plan.at_most(limit)
    return CheckResult(
        counts=book.counts(),
        left_out=book.left_out,
        book=book,
        tables=tables,
        to_send=to_send,
        seconds=to_send * allowed.interval if allowed else None,
        plan=plan,
        preview=preview,
        advice=advice(mapping),
        unrecognised=missed,
    )


def propose(file: str | Path, *, hints: Hints | None = None, command: str = "") -> Proposal:
    """A first mapping for a list, guessed from its headings and values; a person confirms it.

    `Proposal.text` is a mapping file with the reason for each guess, and `command` as the one that
    shows what it does. `hints` are written into it. Raises SourceError for a file that cannot be
    read or has no rows.
    """
    given = hints or Hints()
    table = open_tables([str(file)], given)[0]
    sample = next(table.batches(SAMPLE_ROWS), None)
    if sample is None:
        raise SourceError(f"{table.name} has no rows to judge its columns by.")
    names = ("member", "sheet", "header_row", "delimiter", "encoding")
    named = {name: getattr(given, name) for name in names}
    return propose_for(table.columns, sample, table.name, named, command)


async def run_async(
    files: Files,
    mapping: Mapping | str | Path,
    *,
    to: Destination,
    quota: Quota | str | None = "120/min",
    state_dir: str | Path | None = None,
    report_dir: str | Path = REPORT_DIR,
    resend: Collection[State] = (),
    limit: int | None = None,
    canary: bool = False,
    concurrency: int = 64,
    max_seconds: float | None = None,
    timeout: float = 60.0,  # noqa: ASYNC109  for each answer, not for the run
    patience: float = 120.0,
    hints: Hints | None = None,
    custom_fields: CustomFields | None = None,
    on_event: Observer = ignore_events,
    lang: str = "en",
    full_report: bool = False,
    share_quota: bool = True,
    signals: bool = False,
    transport: Kind = "lean",
    sandbox: bool = False,
    again: Sequence[str] = (),
    yes: bool = False,
    new_identity: bool = False,
    agreed: Callable[[Departure], bool] = go,
    mapping_name: str = "",
    clock: Clock | None = None,
    chance: Chance | None = None,
) -> RunResult:
    """Import files: read, clean, validate, send, report. Running it again resumes.

    A bad row never raises: the result has its state and what is wrong with it.

    files: paths, patterns, or `-` for standard input; one or several.
    mapping: a `Mapping`, or the path of a mapping file.
    to: endpoint, account and key, such as `RDStation(api_key)`.
    quota: requests allowed, a `Quota` or text such as "120/min"; None: as fast as it answers.
    state_dir: folder of the ledger; all runs of an account must use the same one. None: where the
        command keeps it for this user.
    report_dir: gets a folder for each run.
    resend: states (uncertain, refused, accepted) whose rows are sent again.
    limit, canary: rows to send at most; whether they are a trial, which the report then says.
    concurrency: requests open at once.
    max_seconds, timeout, patience: seconds to spend, for one answer, for an endpoint that is down.
    hints: sheet, header row, delimiter or encoding, where they are not found out right.
    custom_fields: those of the account. None: from the file that the mapping names, if it does.
    on_event: called with each `Event`; the final numbers never come from events.
    lang, full_report: language of the report, `en` or `pt-BR`; whether it shows personal data.
    share_quota: runs of this user and machine with the same key share the quota.
    signals: SIGINT and SIGTERM stop the run in an orderly way (main thread only).
    transport: who sends the bytes.
    sandbox: the endpoint lives for this run only.
    again, mapping_name: how the report names the command's options and the mapping.
    yes: an account's name that resembles another one's is meant so.
    new_identity: rows are new although the mapping tells conversions apart in another way now.
    agreed: hears of a run that leaves this machine before its first row does, and may refuse it.
    clock, chance: time and randomness, for tests.

    Raises MappingError, SourceError and UsageError when nothing was sent, LedgerBusyError when
    another run of the account is at work, LedgerError when something could not be recorded.
    """
    from rdimport.delivery.dispatcher import Settings  # noqa: PLC0415  with it comes the transport

    read_mapping, custom_fields, name = _loaded(mapping, custom_fields)
    options = RunOptions(
        to=to,
        state_dir=default_state_dir() if state_dir is None else Path(state_dir),
        report_dir=Path(report_dir),
        quota=_quota(quota),
        quota_dir=_quota_dir() if share_quota else None,
        settings=Settings(concurrency, patience, limit, max_seconds, timeout, canary=canary),
        hints=hints or Hints(),
        resend=frozenset(resend),
        custom_fields=custom_fields,
        on_event=best_effort(on_event),
        clock=clock or SystemClock(),
        chance=chance or SystemRandom(),
        signals=signals,
        mapping_name=mapping_name or name,
        sandbox=sandbox,
        again=tuple(again),
        yes=yes,
        new_identity=new_identity,
        agreed=agreed,
        transport=transport,
        lang=lang,
        full_report=full_report,
    )
    return await _run(_names(files), read_mapping, options)


def _blocking(
    work: Callable[Arguments, Coroutine[None, None, Result]],
) -> Callable[Arguments, Result]:
    @wraps(work)
    def blocking(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        return asyncio.run(work(*args, **kwargs))

    return blocking


run = _blocking(run_async)
"""`run_async` for code without an event loop: the same arguments, result and errors."""


def _names(files: Files) -> list[str]:
    if isinstance(files, str | Path):
        return [str(files)]
    return [str(file) for file in files]


def _loaded(
    mapping: Mapping | str | Path, custom_fields: CustomFields | None
) -> tuple[Mapping, CustomFields | None, str]:
    """The mapping, the account's custom fields as far as they are known, and the file's name."""
    if isinstance(mapping, Mapping):
        return mapping, custom_fields, ""
    loaded = Mapping.load(mapping)
    if custom_fields is None and loaded.catalogue is not None:
        from rdimport.destination.rdstation import custom_fields as listed  # noqa: PLC0415

        custom_fields = listed.CustomFields.load(Path(mapping).parent / loaded.catalogue)
    return loaded, custom_fields, str(mapping)


def _quota(quota: Quota | str | None) -> Quota | None:
    if not isinstance(quota, str):
        return quota
    try:
        return Quota.parse(quota)
    except ValueError as error:
        raise UsageError(f"quota: {error}.") from None


def _quota_dir() -> Path:
    from platformdirs import user_cache_path  # noqa: PLC0415

    return user_cache_path("rdimport", appauthor=False)


async def _run(files: Sequence[str], mapping: Mapping, how: RunOptions) -> RunResult:
    how.to.credentials()  # without a key there is nothing to plan
    tables = open_tables(files, _source_hints(how.hints, mapping))
    stop_request = StopRequest()
    started = how.clock.monotonic()
    with ExitStack() as stack:
        Ledger.bring_up(how.state_dir)
        lock = stack.enter_context(locked(how.state_dir, how.to.account))
        ledger = stack.enter_context(Ledger.open(how.state_dir))
        spool = stack.enter_context(Spool(how.state_dir))
        index = stack.enter_context(Index(how.state_dir))
        if how.signals:
            stack.enter_context(stop_on_signals(stop_request))
        run = _begin(ledger, lock, how, mapping, files)
        planner = _planner(run, how, mapping, spool=spool, index=index, stop_request=stop_request)
        try:
            plan = await _in_thread(partial(planner.make, tables), stop_request)
            end = _End(stop_request.reason, read=not stop_request.is_set())
            if end.read:
                _see_that_it_may_send(plan, run, how)
                spent = how.clock.monotonic() - started
                end = await _carry_out(plan, run, how, stop_request, spent)
            told = await _in_thread(partial(_finish, run, how, end), stop_request)
        except BaseException as error:
            _abandon(run, how, error)
            raise
        how.on_event(ReportStage("counting", 0))
        seen = examples(run, of_each=1)
        how.on_event(ReportFinished())
    notes = tuple(note for table in tables for note in table.notes)
    where = how.report_dir / told["run_id"]
    return RunResult(told, seen, where, how.state_dir, notes + end.notes)


def _see_that_it_may_send(plan: Plan, run: Run, how: RunOptions) -> None:
    """Raises UsageError where a person has to decide first."""
    refuse_unrecognised([] if how.new_identity else run.unrecognised())
    if not how.sandbox:
        how.on_event(PlanFinished())
        set_out(run, how.to, plan.at_most(how.settings.limit), how.quota, how.agreed)


def _begin(
    ledger: Ledger, lock: Held, how: RunOptions, mapping: Mapping, files: Sequence[str]
) -> Run:
    now = how.clock.now()
    facts = {
        "mapping": how.mapping_name,
        "mapping_used": mapping_record.record(mapping, how.custom_fields),
        "base_url": how.to.base_url,
        "sandbox": how.sandbox,
        "again": how.again or _reach(how),
        "account": how.to.account,
        "report_dir": str(how.report_dir.absolute()),
        "given": list(files),
        "started_in": str(Path.cwd()),
        "resend": sorted(how.resend),
        "new_identity": how.new_identity,
        "quota": str(how.quota) if how.quota else None,
        "quota_per_second": how.quota.per_second if how.quota else None,
    }
    name = f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    key = hash_of(ledger, list(how.to.credentials().items()))
    wish = Wish(key, partial(is_locked, how.state_dir), how.yes)
    return ledger.start_run(name, how.to.identity, now, facts, wish, held=lock.is_held)


def _planner(
    run: Run,
    how: RunOptions,
    mapping: Mapping,
    *,
    spool: Spool,
    index: Index,
    stop_request: StopRequest,
) -> Planner:
    return Planner(
        mapping,
        history_of(run.ledger, run.destination, how.resend, mapping, run.wish()),
        run,
        spool,
        index,
        catalogue=how.custom_fields,
        recall=_recall(run, how, mapping),
        observer=how.on_event,
        interrupted=stop_request.is_set,
    )


def _reach(how: RunOptions) -> tuple[str, ...]:
    """The options of a command that reaches the same endpoint, account and ledger."""
    to = how.to
    address = () if to.base_url == BASE_URL else ("--base-url", to.base_url)
    account = () if to.account == "default" else ("--account", to.account)
    state, reports = how.state_dir.absolute(), how.report_dir.absolute()
    return (*address, *account, "--state-dir", str(state), "--report-dir", str(reports))


class _End(NamedTuple):
    """How a run ended: why before its rows did, whether all of the input was read, in how many
    seconds it makes sense to go on, what else a person should know, and the last trouble met, as
    a detail.
    """

    stopped: StopReason | None
    read: bool = True
    resume_in: float | None = None
    notes: tuple[str, ...] = ()
    trouble: str = ""


async def _in_thread(work: Callable[[], Result], stop_request: StopRequest) -> Result:
    """Work beside the event loop. Who is cancelled waits for it: it uses the ledger."""
    working = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        stop_request.stop(StopReason.SIGNAL)
        await asyncio.wait([working])
        raise


async def _carry_out(
    plan: Plan, run: Run, how: RunOptions, stop_request: StopRequest, spent: float
) -> _End:
    """Send the plan's rows; `spent` seconds of the time that the run has are gone."""
    from rdimport.delivery.dispatcher import Delivery  # noqa: PLC0415
    from rdimport.delivery.transport import Patience, connected  # noqa: PLC0415

    settings = how.settings
    if settings.max_seconds is not None:
        settings = replace(settings, max_seconds=max(0.0, settings.max_seconds - spent))
    how.on_event(
        SendingStarted(plan.at_most(settings.limit), how.quota.per_second if how.quota else None)
    )
    places = how.settings.concurrency
    address, key = how.to.base_url, how.to.credentials()
    patience = Patience.within(how.settings.timeout)
    notes: list[str] = []
    heard = LastTrouble(how.on_event)
    with _pace(how, notes) as pace:
        async with connected(address, key, places, patience, how.transport) as transport:
            delivery = Delivery(
                destination=how.to,
                transport=transport,
                run=run,
                trace=plan.trace,
                pace=pace,
                settings=settings,
                clock=how.clock,
                chance=how.chance,
                observer=heard,
            )
            stop_request.tell(delivery.stop)
            await delivery.deliver(plan.pending_rows())
    how.on_event(SendingFinished())
    resume_in, trouble = delivery.parked_for, heard.trouble
    return _End(delivery.stopped, True, resume_in, tuple(notes), trouble)


def _pace(how: RunOptions, notes: list[str]) -> AbstractContextManager[RateLimiter]:
    """The run's own pace, or the one that it has in common with others; notes why not."""
    if how.quota is None or how.quota_dir is None:
        return nullcontext(EvenPacer(how.quota))
    return shared(how.quota, how.to, how.quota_dir, how.clock.monotonic(), notes.append)


def _finish(run: Run, how: RunOptions, end: _End) -> dict[str, Any]:
    """Close the books and write the report."""
    counts = run.counts()
    if counts[State.PENDING] or not end.read:
        code = ExitCode.STOPPED
    elif any(counts[state] for state in FAILED):
        code = ExitCode.FAILED_ROWS
    else:
        code = ExitCode.DONE
    now = how.clock.now()
    resume_at = None
    if end.stopped is StopReason.LEAD_QUOTA and end.resume_in is not None:
        resume_at = now + timedelta(seconds=end.resume_in)
    run.finish(now, code, end.stopped, resume_at, {"read_to_end": end.read, "trouble": end.trouble})
    return _report(run, how)


def _report(run: Run, how: RunOptions) -> dict[str, Any]:
    """Write it. Where the disk does not take it, the summary says so: the rows are done."""
    try:
        return write_report(
            run, how.report_dir, lang=how.lang, full=how.full_report, on_event=how.on_event
        )
    except ReportError as error:
        return summarise_alone(run, how.report_dir, how.state_dir, error)


def write_report(
    run: Run,
    report_dir: Path,
    *,
    lang: str = "en",
    full: bool = False,
    on_event: Observer = ignore_events,
) -> dict[str, Any]:
    """Write all files of a run's report. Raises ReportError when the disk does not take them."""
    try:
        return write_all(
            run,
            report_dir / run.name,
            lang=lang,
            full=full,
            begin=lambda name, rows: on_event(ReportStage(name, rows)),
            advance=lambda rows: on_event(RowsReported(rows)),
        )
    finally:
        on_event(ReportFinished())


def _abandon(run: Run, how: RunOptions, error: BaseException) -> None:
    """Note why a run could not go on, where the ledger still takes it."""
    sent = run.has_begun
    with suppress(LedgerError):
        sent = run.has_sent()
        code = ExitCode.STOPPED if sent else getattr(error, "exit_code", ExitCode.NOTHING_SENT)
        run.finish(how.clock.now(), code, type(error).__name__)
    if sent:
        with suppress(RdimportError, Bug):  # the error that ended the run is the one to tell
            told = _report(run, how)
            if isinstance(error, LedgerError):
                error.remedy += f"\nThe report of this run: {how.report_dir / told['run_id']}"
    if isinstance(error, Exception) and sent:
        vars(error)["exit_code"] = ExitCode.STOPPED  # of whatever it is: rows have left


def _source_hints(hints: Hints, mapping: Mapping) -> Hints:
    """What the person said, else what the mapping says of its source."""
    return replace(
        hints,
        sheet=hints.sheet or mapping.source.sheet,
        header_row=hints.header_row or mapping.source.header_row,
        delimiter=hints.delimiter or mapping.source.delimiter,
        encoding=hints.encoding or mapping.source.encoding,
        member=hints.member or mapping.source.member,
        repair=mapping.source.repair,
        columns=mapping.columns(),
    )


def _recall(run: Run, how: RunOptions, mapping: Mapping) -> KnownRows | None:
    if not KnownRows.is_safe(mapping, how.resend):
        return None
    return KnownRows(run.ledger.key, mapping, how.custom_fields, run.sources, run.note_sources)
