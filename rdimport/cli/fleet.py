"""`rdimport fleet`: the ledger that many machines share, its workers and its accounts."""

from __future__ import annotations

import asyncio

from rdimport.cli import fleet_needs, keys, resolve
from rdimport.cli.arguments import FleetInitArguments, FleetOrderArguments, FleetStatusArguments
from rdimport.cli.screen import fleet as screen
from rdimport.cli.streams import say, say_json
from rdimport.core.clock import SystemClock
from rdimport.core.errors import ExitCode, UsageError
from rdimport.core.messages import _
from rdimport.ledger import fleet_of, make_shared
from rdimport.report import fleet_status, job_status


def execute(args: FleetInitArguments | FleetStatusArguments | FleetOrderArguments) -> int:
    """Run the given action."""
    fleet_needs.library()
    if isinstance(args, FleetInitArguments):
        _init(args)
    elif isinstance(args, FleetStatusArguments):
        _status(args)
    else:
        _order(args)
    return ExitCode.DONE


def _init(args: FleetInitArguments) -> None:
    """Create the tables of a shared ledger."""
    url = fleet_needs.needed_ledger(args)
    made = make_shared(url, keys.of_ledger())
    _asked(url, "make")
    if made.key_file is not None:
        say(
            [
                _(
                    "The key of its hashes is new, and is in {path}. Every machine that "
                    "uses this ledger needs a copy of it; if you lose it, you lose the "
                    "ledger.",
                    path=made.key_file,
                )
            ]
        )
    sentence = _("The database {where} now holds a ledger.", where=made.place)
    if not made.new:
        sentence = _(
            "The database {where} already holds a ledger, and it is compatible.", where=made.place
        )
    say([sentence])


def _asked(url: str, what: str, *names: str) -> list[fleet_status.Queued]:
    """Query the queue. Raises LedgerError if it is unavailable."""
    from rdimport.fleet import EVENT_LOOP, Queue  # noqa: PLC0415

    fleet_needs.refuse_pooler(url)

    async def ask() -> list[fleet_status.Queued]:
        queue = Queue(url, reading=what == "content")
        async with queue.opened():
            if what == "make":
                if not await queue.fits():
                    with fleet_of(url) as fleet:
                        fleet.forget_ticks()  # first, so that a killed command repeats it
                    await queue.make()
                return []
            for name in names:
                await queue.put_now(name)
            return await queue.content()

    with fleet_needs.queue_explained(url), asyncio.Runner(loop_factory=EVENT_LOOP) as runner:
        return runner.run(ask())


def _order(args: FleetOrderArguments) -> None:
    url = fleet_needs.needed_ledger(args)
    if args.action == "drain":
        _drain(url, args.names)
        return
    if args.action == "resume":
        fleet_needs.refuse_pooler(url)
    with fleet_of(url) as fleet:
        for name in args.names:
            if args.action == "pause":
                fleet.pause(name, _("on request"))
                say([_("The jobs of account {account} are paused.", account=name)])
            elif fleet.resume(name):
                say([_("The jobs of account {account} run again.", account=name)])
            else:
                say([_("The jobs of account {account} were not paused.", account=name)])
    if args.action == "resume":
        _asked(url, "put now", *args.names)


def _drain(url: str, names: tuple[str, ...]) -> None:
    """Order these workers, or all, to drain. An unresponsive one may only be cut off."""
    with fleet_of(url) as fleet:
        silent = {one.name: one.is_silent for one in fleet.workers()}
        _refuse_unknown(names, list(silent))
        if not silent:
            say([_("There is no worker.")])
        for name in names or silent:
            fleet.drain(name)
            text = (
                _(
                    "Worker {name} is silent. If it comes back, it takes no jobs, and ends.",
                    name=name,
                )
                if silent[name]
                else _("Worker {name} takes no more jobs, and ends.", name=name)
            )
            say([text])


def _refuse_unknown(names: tuple[str, ...], known: list[str]) -> None:
    for name in names:
        if name not in known:
            raise UsageError(
                _("No worker is called {name}.", name=name),
                _("There are: {jobs}.", jobs=", ".join(known)),
            )


def _status(args: FleetStatusArguments) -> None:
    settings = resolve.settings(args.config)
    url = fleet_needs.needed_ledger(args, settings)
    now, store = SystemClock().now(), fleet_needs.store(url)
    with fleet_of(url) as fleet:
        workers, paused = fleet.workers(), fleet.paused()
    ledger = store.if_there()
    if ledger is None:
        raise UsageError(
            _("The database {where} holds no ledger.", where=store),
            _("Type: rdimport fleet init --ledger {where}", where=store),
        )
    with ledger:
        queued = _asked(url, "content")
        jobs = list(
            job_status.jobs(ledger, store.is_held, now=now, location_options=store.location_options)
        )
        for job, entry in (settings.jobs if settings else {}).items():
            account = settings.account_of(job)[0] if settings else ""
            if not any(one.job == job for one in jobs):
                jobs.append(job_status.never_run(account, job, entry.mapping, max_age=None))
        found = fleet_status.FleetStatus(workers, paused, queued, jobs)
        if args.html:
            from rdimport.report.html import status_page  # noqa: PLC0415

            tables = fleet_status.tables(found)
            status_page.write(args.html, found.jobs, [ledger], now, beside=tables)
    if args.json:
        say_json(found.as_json())
    elif args.html:
        say([_("The page is in {path}.", path=args.html)])
    else:
        say(screen.lines(found))
