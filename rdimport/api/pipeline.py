"""The stages of a run: plan, send, record the end, report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from rdimport.api.clock_note import clock_notes
from rdimport.api.ending import End, abandoned, finish
from rdimport.api.in_thread import entered, in_thread
from rdimport.api.results import RunResult
from rdimport.api.run_options import Opened, RunOptions
from rdimport.core.address import masked
from rdimport.core.ahead import ahead, let_go, load_ahead
from rdimport.core.arguments import see_utf8
from rdimport.core.clock import today
from rdimport.core.errors import LedgerBusyError, ReportError
from rdimport.core.events import (
    LastTrouble,
    PlanFinished,
    ReportFinished,
    ReportStage,
    SendingFinished,
    SendingStarted,
    StopRequested,
)
from rdimport.core.masking import refuse_key_in
from rdimport.core.messages import _, ngettext
from rdimport.core.names import run_name
from rdimport.core.row import State
from rdimport.core.shell import whole
from rdimport.delivery.pacing.pacer import EvenPacer, RateLimiter
from rdimport.delivery.sender_choice import libraries, refuse_unusable_proxy
from rdimport.delivery.settings import Settings
from rdimport.delivery.stopping import StopRequest, stop_on_signals, stop_with
from rdimport.destination.rdstation.endpoint import BASE_URL
from rdimport.ledger import (
    Example,
    Held,
    KeyClaim,
    Ledger,
    Run,
    RunRecord,
    alone_if_first,
    hash_of,
    note_key,
    note_which,
    refuse_elsewhere,
    refuse_unrecognised,
    see_which,
    wait_for,
)
from rdimport.mapping import Mapping
from rdimport.plan import mapping_record
from rdimport.plan.corrected import Corrections
from rdimport.plan.departure import set_out
from rdimport.plan.duplicates import Index
from rdimport.plan.history import history_of
from rdimport.plan.known_rows import LONG, KnownRows
from rdimport.plan.planner import Plan, Planner
from rdimport.plan.spool import Spool
from rdimport.plan.suppression import Suppression
from rdimport.prepare.preview import advice
from rdimport.prepare.validate import LIBRARIES
from rdimport.report import LIBRARIES as REPORT_LIBRARIES
from rdimport.report.private_files import clean, see_that_it_can_be_made

if TYPE_CHECKING:
    from rdimport.report.summary import RunSummary

Result = TypeVar("Result")

_SHORT: Final = 10 * LONG
"""Bytes of lists that are unlikely to have so many rows that known ones are not validated."""


async def carry_out(lists: Opened, mapping: Mapping, options: RunOptions) -> RunResult:
    """Import lists according to `options`; raises what `api.run_async` documents."""
    stop_request, started = StopRequest(), options.clock.monotonic()
    aside = partial(in_thread, stop_request=stop_request)
    await aside(partial(_check_early, lists, mapping, options))
    with ExitStack() as stack:
        _listen(options, stop_request, stack)
        store, clock = options.store, options.clock
        await aside(store.bring_up)
        hold = partial(store.hold, options.to.account, at_once=options.wait > 0)
        held = partial(entered, stack, hold, stop_request)
        lock = await wait_for(held, clock, options.wait, stop_request.is_set)
        # rows are read, and files hashed, while the ledger is opened and checked
        begun = lists.begun or stack.enter_context(let_go(lists.tables[0].batches()))
        hashes = ahead((table.fingerprint for table in lists.tables), "hash")
        stack.enter_context(let_go(hashes))
        ledger = await entered(stack, store.open, stop_request)
        if not options.sandbox:
            alone = partial(alone_if_first, ledger, store, options.own_store, options.to)
            held_too = partial(entered, stack, alone, stop_request)
            await wait_for(held_too, clock, options.wait, stop_request.is_set)
        # now, because waiting may have taken hours
        people = await aside(partial(Suppression.read, options.suppress))
        # preloaded only when needed: most nights nothing is sent
        per_second = options.quota.per_second if options.quota else None
        sender = partial(load_ahead, *libraries(options.transport, options.to.base_url, per_second))
        spool = stack.enter_context(Spool(options.state_dir, begins=sender))
        index = stack.enter_context(Index(options.state_dir))
        run = await aside(partial(_begin, ledger, lock, options, mapping, lists.names))
        corrections = Corrections(mapping, ledger, run.destination)
        planner = partial(_planner, run, options, mapping, people, corrections, spool=spool)
        planner = partial(planner, index=index, stop=stop_request)

        def plan() -> Plan:
            return planner().make(lists.tables, begun, hashes)

        end, summary, seen = await _import(plan, run, options, stop_request, started)
    notes = [note for table in lists.tables for note in table.notes]
    return RunResult(
        summary,
        seen,
        options.reports / summary.run_id,
        store,
        (*notes, *people.notes, *corrections.notes, *end.notes),
        tuple(mapping.fields),
        advice(mapping, options.lang),
    )


def _check_early(lists: Opened, mapping: Mapping, options: RunOptions) -> None:
    """Raise the errors that can be known before the ledger is opened."""
    refuse_unusable_proxy(options.to.base_url)
    see_that_it_can_be_made(options.report_dir)
    with suppress(ReportError):  # `purge` reports it
        clean(options.report_dir)
    if sum(map(_size, lists.names)) < _SHORT:
        load_ahead(*LIBRARIES)
    names = list(_recorded(lists, options))
    for key in options.to.credentials().values():  # raises without a key: nothing can be sent
        refuse_key_in((*names, mapping), key)
    if not options.sandbox:
        see_which(options.state_dir, options.store, options.own_store, options.to.identity)


def _recorded(lists: Opened, options: RunOptions) -> Iterator[object]:
    """The names that the ledger, the reports and messages have from the caller."""
    yield from (*lists.names, *(table.name for table in lists.tables))
    yield from (options.mapping_name, options.job, options.batch, options.to.account)
    yield from (options.state_dir.absolute(), options.report_dir.absolute(), Path.cwd())
    yield from (*options.store.location_options, *options.again, *options.suppress)


def _size(file: str) -> int:
    """Bytes of a file; those of a pattern or an address are not known."""
    try:
        return Path(file).stat().st_size
    except (OSError, ValueError):
        return _SHORT


def _listen(options: RunOptions, stop_request: StopRequest, stack: ExitStack) -> None:
    """Let signals or the caller stop the run."""
    if options.signals:
        stack.enter_context(stop_on_signals(stop_request))
    if options.stop is not None:
        stack.enter_context(stop_with(options.stop, stop_request))


@contextmanager
def _announced(
    options: RunOptions, stop_request: StopRequest, event: StopRequested
) -> Iterator[None]:
    """Report at once a stop that is requested within the block: what runs there takes time to end.

    One requested before was reported then.
    """
    if stop_request.is_set():
        yield
        return
    with stop_request.subscribed(lambda _reason: options.on_event(event)):
        yield


async def _import(
    make: Callable[[], Plan],
    run: Run,
    options: RunOptions,
    stop_request: StopRequest,
    started: float,
) -> tuple[End, RunSummary, dict[str, list[Example]]]:
    """Plan, send and report a run that has begun in the ledger; its end is recorded in any case."""
    try:
        with _announced(options, stop_request, StopRequested("reading")):
            plan = await in_thread(make, stop_request)
        end = End(stop_request.reason, read=not stop_request.is_set())
        if end.read:
            _confirm_sending(plan, run, options)
            spent = options.clock.monotonic() - started
            end = await _send(plan, run, options, stop_request, spent)
        with _announced(options, stop_request, StopRequested("report")):
            summary = await in_thread(partial(finish, run, options, end), stop_request)
        options.on_event(ReportStage("counting", 0))
        seen = run.examples(of_each=1)
        options.on_event(ReportFinished())
    except BaseException as error:
        instead = abandoned(run, options, error)
        if instead is None:
            raise
        raise instead from error
    return end, summary, seen


def _refuse_lost_run(ledger: Ledger, options: RunOptions) -> None:
    """Raise LedgerBusyError if a process that was lost recently may still send the uncertain rows
    that are to be resent.
    """
    if State.UNCERTAIN not in options.resend or options.resend_now:
        return
    lost = ledger.lost_lately(options.to.identity)
    if lost is not None:
        raise LedgerBusyError(
            _(
                "Run {run} was lost on {host} (process {process}) while rows were being "
                "sent. If that machine is only asleep, it may still send them, and nobody "
                "could tell.",
                run=lost.run,
                host=lost.host,
                process=lost.process,
            ),
            ngettext(
                "Nothing was sent. Type it again in {number} minute, or with --now once you "
                "are sure that the process has ended.",
                "Nothing was sent. Type it again in {number} minutes, or with --now once "
                "you are sure that the process has ended.",
                ceil(lost.seconds / 60),
            ),
        )


def _confirm_sending(plan: Plan, run: Run, options: RunOptions) -> None:
    """Raise UsageError if the user has to decide first."""
    refuse_unrecognised([] if options.new_identity else run.unrecognised())
    if not options.sandbox:
        options.on_event(PlanFinished())
        rows = plan.at_most(options.settings.limit)
        set_out(run, options.to, rows, options.quota, options.agreed)
        if rows or not run.ledger.is_new(run.destination):
            note_key(run.ledger, options.own_store, options.to)


def _begin(
    ledger: Ledger, lock: Held, options: RunOptions, mapping: Mapping, files: Sequence[str]
) -> Run:
    _refuse_lost_run(ledger, options)
    if not options.sandbox:
        refuse_elsewhere(ledger, options.store, options.own_store, options.to)
        note_which(options.state_dir, options.store, options.to.identity)
    now = options.clock.now()
    record = RunRecord(
        mapping=options.mapping_name,
        mapping_used=mapping_record.record(mapping, options.custom_fields),
        base_url=options.to.base_url,
        sandbox=options.sandbox,
        again=options.again or _same_place(options),
        account=options.to.account,
        job=options.job,
        batch=options.batch,
        report_dir=str(options.report_dir.absolute()),
        given=tuple(map(masked, files)),
        started_in=str(options.started_in),
        resend=tuple(sorted(options.resend)),
        not_proved=options.not_proved,
        new_identity=options.new_identity,
        quota=str(options.quota) if options.quota else None,
        quota_per_second=options.quota.per_second if options.quota else None,
    )
    # a report could not contain such a name, and a shared ledger not store it
    see_utf8((record.started_in, record.report_dir, record.mapping, *record.given, *record.again))
    name = run_name(now)
    key = hash_of(ledger, list(options.to.credentials().items()))
    key_claim = KeyClaim(key, options.store.is_held, options.yes)
    return ledger.start_run(name, options.to.identity, now, record, key_claim, held=lock)


def _planner(
    run: Run,
    options: RunOptions,
    mapping: Mapping,
    people: Suppression,
    corrections: Corrections,
    *,
    spool: Spool,
    index: Index,
    stop: StopRequest,
) -> Planner:
    resend_begun, not_proved = run.unfinished_resend(), options.not_proved
    history = history_of(
        run.ledger, run.destination, options.resend, mapping, resend_begun, not_proved=not_proved
    )
    # of rows that are known by their cells, nobody knows who sent them
    known_rows = None if resend_begun.begun else _known_rows(run, options, mapping)
    # Once rows are known, most nights nothing is validated, and the report comes next.
    load_ahead(*(LIBRARIES if known_rows is None or history.is_empty else REPORT_LIBRARIES))
    return Planner(
        mapping,
        history,
        run,
        spool,
        index,
        catalogue=options.custom_fields,
        today=today(options.clock),
        suppression=people,
        corrections=corrections,
        known_rows=known_rows,
        observer=options.on_event,
        interrupted=stop.is_set,
        directory=options.state_dir,
    )


def _same_place(options: RunOptions) -> tuple[str, ...]:
    """The options for a command with the same endpoint, account and ledger."""
    to = options.to
    address = () if to.base_url == BASE_URL else ("--base-url", to.base_url)
    account = () if to.account == "default" else ("--account", to.account)
    reports = str(options.report_dir.absolute())
    people = (word for name in options.suppress for word in ("--suppress", whole(name)))
    return (*address, *account, *options.store.location_options, "--report-dir", reports, *people)


async def _send(
    plan: Plan, run: Run, options: RunOptions, stop_request: StopRequest, spent: float
) -> End:
    """Send the rows of the plan; `spent` is the part of the run's time used so far, in seconds."""
    settings = options.settings.after(spent)
    rate = options.quota.per_second if options.quota else None
    options.on_event(SendingStarted(plan.at_most(settings.limit), rate))
    end = End(stop_request.reason)
    if plan.to_send:
        end = await _deliver(plan, run, options, settings, stop_request)
    options.on_event(SendingFinished())
    return end


async def _deliver(
    plan: Plan, run: Run, options: RunOptions, settings: Settings, stop_request: StopRequest
) -> End:
    from rdimport.delivery.dispatcher import Delivery  # noqa: PLC0415
    from rdimport.delivery.transport import Timeouts, connected  # noqa: PLC0415

    timeouts = Timeouts.within(options.settings.timeout)
    notes: list[str] = []
    last_trouble = LastTrouble(options.on_event)
    run.ledger.rest()
    with ExitStack() as stack:
        pace = await _pace(stack, options, stop_request, notes.append)
        async with connected(
            options.to.base_url,
            options.to.credentials(),
            settings.concurrency,
            timeouts,
            options.transport,
            per_second=options.quota.per_second if options.quota else None,
            may_send=run.may_send,
        ) as transport:
            delivery = Delivery(
                destination=options.to,
                transport=transport,
                run=run,
                pending_rows=plan.pending_rows(),
                trace=plan.trace,
                pace=pace,
                settings=settings,
                clock=options.clock,
                chance=options.chance,
                observer=last_trouble,
            )
            with stop_request.subscribed(delivery.stop):
                await delivery.deliver()
    notes += clock_notes(delivery.endpoint_clock.range, options.lang)
    resume_in, trouble = delivery.parked_for, delivery.stopped_by or last_trouble.trouble
    return End(delivery.stopped, True, resume_in, tuple(notes), trouble, dict(delivery.rules))


async def _pace(
    stack: ExitStack, options: RunOptions, stop_request: StopRequest, tell: Callable[[str], None]
) -> RateLimiter:
    """The pacer of the run until `stack` is closed, alone or sharing a quota; `tell` is called with
    the reason if it is not shared.
    """
    if options.quota is None or options.quota_dir is None:
        return EvenPacer(options.quota)
    from rdimport.api.shared_pace import shared_pace  # noqa: PLC0415  not without a quota

    return await shared_pace(
        stack,
        options.quota,
        options.to,
        options.store,
        options.clock,
        stop_request=stop_request,
        place=options.quota_dir,
        wait=options.wait,
        tell=tell,
    )


def _known_rows(run: Run, options: RunOptions, mapping: Mapping) -> KnownRows | None:
    if not KnownRows.is_safe(mapping, options.resend):
        return None
    return KnownRows(run.ledger.key, mapping, options.custom_fields, run.sources, run.note_sources)
