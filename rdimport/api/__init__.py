"""The public functions: `check` makes the plan of an import, `run` makes and executes it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, ParamSpec, TypeVar

from rdimport.api.arguments import KINDS
from rdimport.core import arguments
from rdimport.core.ahead import let_go
from rdimport.core.clock import Clock, SystemClock
from rdimport.core.errors import MappingError, SourceError, UsageError
from rdimport.core.events import Observer, best_effort, ignore_events
from rdimport.core.looking import is_folder
from rdimport.core.messages import _, language_of, speaking
from rdimport.core.own_folders import NoHomeError, default_state_dir, own_folder
from rdimport.core.quota import Quota
from rdimport.core.row import State
from rdimport.core.visible import shown_lines
from rdimport.destination import Destination
from rdimport.destination.rdstation.custom_fields import CustomFields
from rdimport.mapping import Mapping, loaded_once
from rdimport.plan.departure import Departure, go
from rdimport.source import Files, Hints, Table, names_of, open_tables

if TYPE_CHECKING:
    from datetime import datetime

    from rdimport.api.results import CheckResult, RunResult
    from rdimport.delivery.settings import RandomSource
    from rdimport.delivery.stopping import StopRequest
    from rdimport.proposal import Proposal
    from rdimport.proposal.survey import Survey

# Modules not needed to open a list are imported once it is open, while a thread reads it.

Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")

REPORT_DIR: Final = Path("rdimport-reports")
"""The default folder for reports, relative to the current directory."""


@contextmanager
def _begun(
    work: Callable[Arguments, object], args: Sequence[object], named: dict[str, object]
) -> Iterator[None]:
    """Use the language of the argument `lang` for all messages; refuse arguments of wrong types."""
    with speaking(language_of(str(named.get("lang", "en")))):
        first = dict(zip(work.__annotations__, args, strict=False))
        arguments.see(work.__annotations__, {**first, **named}, KINDS)
        yield


def _public(work: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    @wraps(work)
    def begun(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        with _begun(work, args, kwargs):
            return work(*args, **kwargs)

    return begun


def _public_async(
    work: Callable[Arguments, Coroutine[None, None, Result]],
) -> Callable[Arguments, Coroutine[None, None, Result]]:
    @wraps(work)
    async def begun(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        with _begun(work, args, kwargs):
            return await work(*args, **kwargs)

    return begun


@_public
def check(
    files: Files,
    mapping: Mapping | str | Path,
    *,
    to: Destination | None = None,
    quota: Quota | str | None = "120/min",
    state_dir: str | Path | None = None,
    ledger: str | None = None,
    ledger_key: str | None = None,
    limit: int | None = None,
    resend: Collection[State] = (),
    not_proved: bool = False,
    hints: Hints | None = None,
    custom_fields: CustomFields | None = None,
    on_event: Observer = ignore_events,
    lang: str = "en",
    keep: bool = True,
    suppress: Files = (),
    yes: bool = False,
    new_identity: bool = False,
) -> CheckResult:
    """Read, clean, validate and plan, without sending or writing anything.

    The arguments are those of `run`. With `to` and `state_dir` or `ledger`, the results of earlier
    runs are taken into account. With `keep=False` there are no `CheckResult.payloads`, which is
    faster.

    Raises MappingError, SourceError, UsageError.
    """
    mapping, custom_fields, _name = _loaded(mapping, custom_fields)
    allowed = _quota(quota)
    hints = replace(hints or Hints(), downloads=_there(state_dir))
    tables = open_tables(files, _source_hints(hints, mapping))
    with let_go(tables[0].batches()) as begun:
        from rdimport.api.checking import CheckOptions, checked  # noqa: PLC0415
        from rdimport.ledger import see_moved, store_of_run  # noqa: PLC0415

        named = ledger is not None or state_dir is not None
        store = store_of_run(ledger, state_dir or "", ledger_key) if named else None
        own = store_of_run(None, state_dir, ledger_key) if state_dir is not None else None
        if store and own and to and ledger is not None:
            see_moved(Path(str(own)), store, own, to.identity)
        options = CheckOptions(
            to=to,
            quota=allowed,
            store=store,
            own_store=own,
            limit=limit,
            resend=frozenset(resend),
            not_proved=not_proved,
            custom_fields=custom_fields,
            on_event=best_effort(on_event),
            lang=lang,
            keep=keep,
            suppress=tuple(names_of(suppress)),
            sure=yes,
            new_identity=new_identity,
        )
        return checked(tables, begun, mapping, options)


@_public
def survey(
    files: Files, *, hints: Hints | None = None, lang: str = "en"
) -> list[tuple[Table, Survey]]:
    """Describe files without a mapping: each table, and what its columns seem to contain.

    Raises SourceError.
    """
    from rdimport.proposal.survey import survey as surveyed  # noqa: PLC0415

    tables = open_tables(files, hints or Hints())
    return [(table, surveyed(table)) for table in tables]


@_public
def propose(
    file: str | Path, *, hints: Hints | None = None, command: str = "", lang: str = "en"
) -> Proposal:
    """Propose a first mapping for a list, guessed from its headings and values.

    `Proposal.text` is a mapping file with the reason for each guess, to be confirmed by the user;
    it names `command` as the command that shows its effect. `hints` are included in it. Raises
    SourceError for a file that cannot be read or has no rows.
    """
    from rdimport.proposal import SAMPLE_ROWS  # noqa: PLC0415
    from rdimport.proposal import propose as propose_for  # noqa: PLC0415

    given = hints or Hints()
    table = open_tables([str(file)], given)[0]
    sample = next(table.batches(SAMPLE_ROWS), None)
    if sample is None:
        raise SourceError(
            _("{name} has no rows from which to recognise its columns.", name=table.name)
        )
    names = ("member", "sheet", "header_row", "delimiter", "encoding")
    named = {name: getattr(given, name) for name in names}
    return propose_for(table.columns, sample, table.name, named, command)


@_public_async
async def run_async(
    files: Files,
    mapping: Mapping | str | Path,
    *,
    to: Destination,
    quota: Quota | str | None = "120/min",
    state_dir: str | Path | None = None,
    ledger: str | None = None,
    ledger_key: str | None = None,
    report_dir: str | Path = REPORT_DIR,
    resend: Collection[State] = (),
    resend_now: bool = False,
    not_proved: bool = False,
    suppress: Files = (),
    limit: int | None = None,
    canary: bool = False,
    concurrency: int = 64,
    max_seconds: float | None = None,
    until: datetime | None = None,
    wait: float = 0.0,
    timeout: float = 60.0,  # noqa: ASYNC109  for each answer, not for the run
    patience: float = 120.0,
    hints: Hints | None = None,
    custom_fields: CustomFields | None = None,
    on_event: Observer = ignore_events,
    lang: str = "en",
    full_report: bool = False,
    share_quota: bool = True,
    signals: bool = False,
    stop: StopRequest | None = None,
    transport: Literal["auto", "lean", "httpx"] = "auto",
    sandbox: bool = False,
    again: Sequence[str] = (),
    yes: bool = False,
    new_identity: bool = False,
    agreed: Callable[[Departure], bool] = go,
    mapping_name: str = "",
    job: str = "",
    batch: str = "",
    clock: Clock | None = None,
    chance: RandomSource | None = None,
) -> RunResult:
    """Import files: read, clean, validate, send, report. Running it again resumes.

    A bad row never raises: the result contains its state and what is wrong with it.

    files: paths, patterns, or `-` for standard input; one or several.
    mapping: a `Mapping`, or the path of a mapping file.
    to: endpoint, account and key, such as `RDStation(api_key)`.
    quota: requests allowed, a `Quota` or text such as "120/min"; None: as fast as the endpoint
        responds. Its `reserve` is the share left to other integrations.
    state_dir: folder of the ledger; all runs of an account must use the same one.
    ledger: address of a ledger in PostgreSQL that machines share; the state directory then only
        keeps what a run works with. If neither is given, they are those of the command: from
        RDIMPORT_LEDGER and RDIMPORT_STATE_DIR, otherwise its default for this user.
    ledger_key: of its hashes, 64 hexadecimal digits. None: from RDIMPORT_LEDGER_KEY, else a file.
    report_dir: gets a folder for each run.
    resend: states (uncertain, refused, accepted) whose rows are sent again.
    resend_now: uncertain rows also of a machine that was lost less than 15 minutes ago.
    not_proved: uncertain rows only if a complete export, read by `settle`, does not contain them.
    suppress: lists of people who must not be sent: their addresses, or the SHA-256 of these.
    limit, canary: maximum number of rows to send; whether they are a trial, as the report says.
    concurrency: maximum number of open requests.
    max_seconds, timeout, patience: seconds for the run, for a response, for an endpoint that is
        down.
    until: when to stop by the clock, even if that is set meanwhile, or the machine sleeps.
    wait: seconds to wait for an account that another run is using.
    hints: sheet, header row, delimiter or encoding, if they are not detected correctly.
    custom_fields: those of the account. None: from the file that the mapping names, if any.
    on_event: called with each `Event`; the final numbers never come from events.
    lang, full_report: language of the report, `en` or `pt-BR`; whether it shows personal data.
    share_quota: runs of this user and machine with the same key share the quota.
    signals: SIGINT and SIGTERM stop the run in an orderly way (main thread only).
    stop: stops the run in an orderly way once it is asked to, from whatever thread.
    transport: how to send: `lean`, the direct sender, which reuses connections; `httpx`, with a
        new connection each time; `auto`, httpx up to ten requests per second.
    sandbox: the endpoint exists for this run only.
    again, mapping_name, job: how the report names the command's options, the mapping and the job.
    batch: the common mark of the runs that one start of a job made.
    yes: use the account's name even if it resembles another one.
    new_identity: send even though the mapping now identifies conversions in another way.
    agreed: called before the first row of a run leaves this machine; it may refuse the run.
    clock, chance: time and randomness, for tests.

    Raises MappingError, SourceError and UsageError when nothing was sent, LedgerBusyError when
    another run of the account is in progress, LedgerError when something could not be recorded.
    """
    read_mapping, custom_fields, name = _loaded(mapping, custom_fields)
    allowed = _quota(quota)
    if state_dir is None and ledger is None:
        from rdimport.api.usual_place import usual_place  # noqa: PLC0415

        ledger, state_dir = usual_place(to.identity, ledger_key)
    state_dir = default_state_dir() if state_dir is None else Path(state_dir)
    hints = replace(hints or Hints(), downloads=_there(state_dir))
    given = names_of(files)
    tables = open_tables(given, _source_hints(hints, read_mapping))
    # a run that may wait for hours keeps no file open in that time
    with let_go(None if wait else tables[0].batches()) as begun:
        from random import SystemRandom  # noqa: PLC0415

        from rdimport.api.pipeline import carry_out  # noqa: PLC0415
        from rdimport.api.run_options import Opened, RunOptions  # noqa: PLC0415
        from rdimport.delivery.settings import Settings  # noqa: PLC0415
        from rdimport.ledger import store_of_run  # noqa: PLC0415

        options = RunOptions(
            to=to,
            state_dir=state_dir,
            store=store_of_run(ledger, state_dir, ledger_key),
            own_store=store_of_run(None, state_dir, ledger_key),
            report_dir=Path(report_dir),
            started_in=Path.cwd(),
            quota=allowed,
            quota_dir=_quota_dir(state_dir) if share_quota else None,
            wait=wait,
            settings=Settings(
                concurrency=concurrency,
                patience=patience,
                limit=limit,
                max_seconds=max_seconds,
                until=until and until.astimezone(),
                timeout=timeout,
                canary=canary,
            ),
            resend=frozenset(resend),
            resend_now=resend_now,
            not_proved=not_proved,
            suppress=tuple(names_of(suppress)),
            custom_fields=custom_fields,
            on_event=best_effort(on_event),
            clock=clock or SystemClock(),
            chance=chance or SystemRandom(),
            signals=signals,
            stop=stop,
            job=job,
            batch=batch,
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
        return await carry_out(Opened(given, tables, begun), read_mapping, options)


def _blocking(
    work: Callable[Arguments, Coroutine[None, None, Result]],
) -> Callable[Arguments, Result]:
    @wraps(work)
    def blocking(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        import asyncio  # noqa: PLC0415

        with suppress(RuntimeError):  # there is none, as it should be
            asyncio.get_running_loop()
            with speaking(language_of(str(kwargs.get("lang", "en")))):
                raise UsageError(
                    _("rdimport.run cannot wait here: an event loop is running, as in Jupyter."),
                    _("Write `await rdimport.run_async(...)`; it takes the same arguments."),
                )
        return asyncio.run(work(*args, **kwargs))

    blocking.__name__ = blocking.__qualname__ = "run"  # what help() shows and pickle looks up
    return blocking


run = _blocking(run_async)
"""`run_async` for code without an event loop: the same arguments, result and errors."""


def _source_hints(hints: Hints, mapping: Mapping) -> Hints:
    """Hints of the caller, completed by those in the mapping's `source`."""
    return replace(
        hints,
        sheet=hints.sheet or mapping.source.sheet,
        sheets=hints.sheets or (None if hints.sheet else mapping.source.sheets),
        header_row=hints.header_row or mapping.source.header_row,
        delimiter=hints.delimiter or mapping.source.delimiter,
        encoding=hints.encoding or mapping.source.encoding,
        member=hints.member or mapping.source.member,
        repair=mapping.source.repair,
        columns=mapping.columns(),
    )


def _there(state_dir: str | Path | None) -> Path | None:
    """The folder, if it exists, for files needed while a command runs."""
    return Path(state_dir) if state_dir is not None and is_folder(Path(state_dir)) else None


def _loaded(
    mapping: Mapping | str | Path, custom_fields: CustomFields | None
) -> tuple[Mapping, CustomFields | None, str]:
    """The mapping, the account's custom fields if known, and the file's name."""
    if isinstance(mapping, Mapping):
        return mapping, custom_fields, ""
    loaded = loaded_once(mapping)
    if custom_fields is None and loaded.catalogue is not None:
        from rdimport.destination.rdstation import custom_fields as listed  # noqa: PLC0415

        try:
            custom_fields = listed.CustomFields.load(Path(mapping).parent / loaded.catalogue)
        except MappingError as error:
            where = shown_lines([f"{loaded.catalogue_place}: {error.message}"])
            raise MappingError(where, error.remedy) from None
    return loaded, custom_fields, str(mapping)


def _quota(quota: Quota | str | None) -> Quota | None:
    if not isinstance(quota, str):
        return quota
    try:
        return Quota.parse(quota)
    except ValueError as error:
        raise UsageError(_("quota: {error}.", error=error)) from None


def _quota_dir(state_dir: Path) -> Path:
    try:
        return own_folder("cache", "XDG_CACHE_HOME")
    except NoHomeError:  # those who have the ledger in common can at least share it there
        return state_dir / "quota"
