"""The stages in their order: `check` makes the plan, `run` makes it and carries it out."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from rdimport.core.clock import Clock, SystemClock
from rdimport.core.errors import (
    Bug,
    ExitCode,
    LedgerError,
    RdimportError,
    ReportError,
)
from rdimport.core.events import (
    Heard,
    Observer,
    ReportFinished,
    ReportStage,
    RowsReported,
    SendingFinished,
    SendingStarted,
    forgiving,
    silent,
)
from rdimport.core.quota import Quota
from rdimport.core.row import FAILED, State
from rdimport.core.stop import Stop
from rdimport.delivery.pacing.pacer import Pace, Turns
from rdimport.delivery.pacing.shared import shared
from rdimport.delivery.stopping import Stopper, on_signals
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
from rdimport.plan.duplicates import Index
from rdimport.plan.history import forgetful, known_before, remembered
from rdimport.plan.known_rows import Recall
from rdimport.plan.planner import Plan, Planner
from rdimport.plan.spool import Spool
from rdimport.prepare.preview import Preview, advice
from rdimport.report import write_all
from rdimport.report.summary import summarise_alone
from rdimport.results import Checked, Imported, Notes
from rdimport.source import Hints, open_tables

if TYPE_CHECKING:
    from rdimport.delivery.dispatcher import Chance, Settings
    from rdimport.delivery.transport import Kind

Result = TypeVar("Result")

REPORT_DIR: Final = Path("rdimport-reports")
"""Where reports go unless told otherwise, below the current directory."""


def _usual_settings() -> Settings:
    from rdimport.delivery.dispatcher import Settings  # noqa: PLC0415  with httpx: only who sends pays for it

    return Settings()


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to import. `state_dir` holds the ledger, `report_dir` gets a folder for each run.

    `quota` None means as fast as the endpoint answers. Runs that name the same `quota_dir`, a
    directory of this machine, share the quota of an endpoint and key; None: this run alone. With
    `signals`, SIGINT and SIGTERM stop the run in an orderly way. `catalogue` lists the account's
    custom fields. `lang` is the language of the report; `full_report` shows personal data in
    report.html as it is. `mapping_name` and `sandbox` (the endpoint lives for this run only) are
    only shown, and so are `again`, the options of a command that does the same. `yes`: an account's
    name that resembles another one's is meant so. `new_identity`: rows are new although the mapping
    tells conversions apart in another way than that of earlier runs.
    """

    to: Destination
    state_dir: Path
    report_dir: Path = REPORT_DIR
    quota: Quota | None = None
    quota_dir: Path | None = None
    settings: Settings = field(default_factory=_usual_settings)
    hints: Hints = field(default_factory=Hints)
    resend: frozenset[State] = frozenset()
    catalogue: CustomFields | None = None
    on_event: Observer = silent
    clock: Clock = field(default_factory=SystemClock)
    chance: Chance = field(default_factory=SystemRandom)
    signals: bool = False
    mapping_name: str = ""
    sandbox: bool = False
    again: tuple[str, ...] = ()
    yes: bool = False
    new_identity: bool = False
    transport: Kind = "lean"
    lang: str = "en"
    full_report: bool = False


def check(
    files: Sequence[str],
    mapping: Mapping,
    *,
    to: Destination | None = None,
    quota: Quota | None = None,
    state_dir: Path | None = None,
    hints: Hints | None = None,
    limit: int | None = None,
    resend: frozenset[State] = frozenset(),
    catalogue: CustomFields | None = None,
    on_event: Observer = silent,
    keep: bool = True,
    new_identity: bool = False,
) -> Checked:
    """Read, clean, validate and plan; send nothing and write nothing.

    With `to` and `state_dir`, what earlier runs know of the rows counts too. Unless told to `keep`
    them there are no `Checked.payloads`, which takes less time. Raises MappingError, SourceError.
    """
    tables = open_tables(files, _told(hints or Hints(), mapping))
    book, preview = Notes(), Preview()
    with ExitStack() as stack:
        known = known_before(to, state_dir, resend, mapping, stack)
        memory = known.memory if known else forgetful(resend, mapping)
        spool = Spool() if keep or mapping.on_duplicate == "merge" else None
        index = stack.enter_context(Index(digests=known is not None))
        new = partial(Planner, mapping, memory, book, spool, index)
        plan = new(catalogue=catalogue, observer=forgiving(on_event), look=preview.add).make(tables)
        missed = known.unrecognised(book.names, tables) if known and not new_identity else ()
    to_send = plan.to_send if limit is None else min(limit, plan.to_send)
    return Checked(
        counts=book.counts(),
        left_out=book.left_out,
        book=book,
        tables=tables,
        to_send=to_send,
        seconds=to_send * quota.interval if quota else None,
        plan=plan,
        preview=preview,
        advice=advice(mapping),
        unrecognised=missed,
    )


def run(files: Sequence[str], mapping: Mapping, **options: Any) -> Imported:
    """`run_async` for who has no event loop; takes and raises the same."""
    return asyncio.run(run_async(files, mapping, **options))


async def run_async(files: Sequence[str], mapping: Mapping, **options: Any) -> Imported:
    """Import: read, clean, validate, send, report. A bad row never raises.

    The keyword arguments are the fields of `Options`. Raises MappingError, SourceError and
    UsageError when nothing was sent, LedgerError when something could not be recorded,
    LedgerBusyError when another run is at work.
    """
    how = Options(**options)
    how = replace(how, on_event=forgiving(how.on_event))
    how.to.credentials()  # without a key there is nothing to plan
    tables = open_tables(files, _told(how.hints, mapping))
    stopper = Stopper()
    started = how.clock.monotonic()
    with ExitStack() as stack:
        Ledger.bring_up(how.state_dir)
        lock = stack.enter_context(locked(how.state_dir, how.to.account))
        ledger = stack.enter_context(Ledger.open(how.state_dir))
        spool = stack.enter_context(Spool(how.state_dir))
        index = stack.enter_context(Index(how.state_dir))
        if how.signals:
            stack.enter_context(on_signals(stopper))
        run = _begin(ledger, lock, how, mapping, files)
        planner = _planner(run, how, mapping, spool=spool, index=index, stopper=stopper)
        try:
            plan = await _in_thread(partial(planner.make, tables), stopper)
            end = _End(stopper.reason, read=not stopper.is_set())
            if end.read:
                refuse_unrecognised([] if how.new_identity else run.unrecognised())
                spent = how.clock.monotonic() - started
                end = await _carry_out(plan, run, how, stopper, spent)
            told = await _in_thread(partial(_finish, run, how, end), stopper)
        except BaseException as error:
            _abandon(run, how, error)
            raise
        how.on_event(ReportStage("counting", 0))
        seen = examples(run, of_each=1)
        how.on_event(ReportFinished())
    notes = tuple(note for table in tables for note in table.notes)
    where = how.report_dir / told["run_id"]
    return Imported(told, seen, where, how.state_dir, notes + end.notes)


def _begin(ledger: Ledger, lock: Held, how: Options, mapping: Mapping, files: Sequence[str]) -> Run:
    now = how.clock.now()
    facts = {
        "mapping": how.mapping_name,
        "mapping_used": mapping_record.told(mapping, how.catalogue),
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
    run: Run, how: Options, mapping: Mapping, *, spool: Spool, index: Index, stopper: Stopper
) -> Planner:
    return Planner(
        mapping,
        remembered(run.ledger, run.destination, how.resend, mapping, run.wish()),
        run,
        spool,
        index,
        catalogue=how.catalogue,
        recall=_recall(run, how, mapping),
        observer=how.on_event,
        interrupted=stopper.is_set,
    )


def _reach(how: Options) -> tuple[str, ...]:
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

    stopped: Stop | None
    read: bool = True
    resume_in: float | None = None
    notes: tuple[str, ...] = ()
    trouble: str = ""


async def _in_thread(work: Callable[[], Result], stopper: Stopper) -> Result:
    """Work beside the event loop. Who is cancelled waits for it: it uses the ledger."""
    working = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        stopper.stop(Stop.SIGNAL)
        await asyncio.wait([working])
        raise


async def _carry_out(plan: Plan, run: Run, how: Options, stopper: Stopper, spent: float) -> _End:
    """Send the plan's rows; `spent` seconds of the time that the run has are gone."""
    from rdimport.delivery.dispatcher import Delivery  # noqa: PLC0415
    from rdimport.delivery.transport import Patience, connected  # noqa: PLC0415

    settings = how.settings
    if settings.max_seconds is not None:
        settings = replace(settings, max_seconds=max(0.0, settings.max_seconds - spent))
    rows = plan.to_send if settings.limit is None else min(settings.limit, plan.to_send)
    how.on_event(SendingStarted(rows, how.quota.per_second if how.quota else None))
    places = how.settings.concurrency
    address, key = how.to.base_url, how.to.credentials()
    patience = Patience.within(how.settings.timeout)
    notes: list[str] = []
    heard = Heard(how.on_event)
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
            stopper.tell(delivery.stop)
            await delivery.deliver(plan.parcels())
    how.on_event(SendingFinished())
    resume_in, trouble = delivery.parked_for, heard.trouble
    return _End(delivery.stopped, True, resume_in, tuple(notes), trouble)


def _pace(how: Options, notes: list[str]) -> AbstractContextManager[Turns]:
    """The run's own pace, or the one that it has in common with others; notes why not."""
    if how.quota is None or how.quota_dir is None:
        return nullcontext(Pace(how.quota))
    return shared(how.quota, how.to, how.quota_dir, how.clock.monotonic(), notes.append)


def _finish(run: Run, how: Options, end: _End) -> dict[str, Any]:
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
    if end.stopped is Stop.LEAD_QUOTA and end.resume_in is not None:
        resume_at = now + timedelta(seconds=end.resume_in)
    run.finish(now, code, end.stopped, resume_at, {"read_to_end": end.read, "trouble": end.trouble})
    return _report(run, how)


def _report(run: Run, how: Options) -> dict[str, Any]:
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
    on_event: Observer = silent,
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


def _abandon(run: Run, how: Options, error: BaseException) -> None:
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


def _told(hints: Hints, mapping: Mapping) -> Hints:
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


def _recall(run: Run, how: Options, mapping: Mapping) -> Recall | None:
    if not Recall.is_safe(mapping, how.resend):
        return None
    return Recall(run.ledger.key, mapping, how.catalogue, run.sources, run.note_sources)
