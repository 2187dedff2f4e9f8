"""The queue: Procrastinate on the ledger's database, in a schema of its own."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final, LiteralString, NamedTuple

from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.jobs import Notification, Status

from rdimport.core.errors import Bug
from rdimport.core.names import fold
from rdimport.fleet import queue_statements as sql
from rdimport.fleet.sharing import Load
from rdimport.ledger import fleet_of
from rdimport.report.fleet_status import Queued

EVENT_LOOP: Final = asyncio.SelectorEventLoop if sys.platform == "win32" else None
"""For `asyncio.Runner`: psycopg does not work with the default event loop of Windows."""

_SCHEMA: Final = "rdimport_queue"
_JOBS: Final = "jobs"
_SCHEDULE: Final = "schedule"
"""A worker enqueues due jobs even when all its slots are taken."""

_JOB: Final = "rdimport.job"
_FUNCTION: Final = re.compile(r"CREATE FUNCTION (\w+)")
"""The names end with a number that changes with the function's behaviour."""

_SCHEDULED_PRIORITY: Final = -1
"""Priority of a scheduled job: until it is due, it does not block other jobs of its account."""

HEARTBEAT_INTERVAL: Final = 3.0
"""Seconds between two heartbeats of a worker."""

HEARTBEAT_TIMEOUT: Final = 15.0
"""Seconds without a heartbeat after which another worker gets a worker's jobs."""

_UNREGISTER_AFTER: Final = 24 * 60 * 60.0
"""Seconds without a heartbeat after which a worker loses its number. Long, so that a worker
that was cut off from the database keeps it.
"""


class Due(NamedTuple):
    """A job, and when it was due."""

    job: str
    account: str
    at: datetime


class Taken(NamedTuple):
    """A job that a worker has claimed, and its number in the queue."""

    number: int
    account: str
    job: str


class Queue:
    """Jobs that wait for a worker. `due` enqueues due jobs. With `reading`, nothing may be changed,
    and the database need not be writable.
    """

    def __init__(
        self,
        url: str,
        due: Callable[[datetime], Awaitable[None]] | None = None,
        *,
        reading: bool = False,
    ) -> None:
        self._pool = fleet_of(url).pool(_SCHEMA, reading=reading)
        self.app = App(connector=PsycopgConnector())

        async def one_job(account: str, job: str) -> None:
            raise Bug(f"{job} of {account} is not run by a worker of Procrastinate")

        async def put_in_due(timestamp: int) -> None:
            if due is not None:
                await due(datetime.fromtimestamp(timestamp, UTC))

        self._job = self.app.task(name=_JOB, queue=_JOBS)(one_job)
        each_minute = self.app.periodic(cron="* * * * *")
        each_minute(self.app.task(name="rdimport.due", queue=_SCHEDULE)(put_in_due))

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Connect on demand until the block ends."""
        async with self._pool, self.app.open_async(self._pool):
            yield

    async def make(self) -> bool:
        """Create the tables, unless those of this release exist; return whether it did. Jobs in the
        tables of another release are kept.
        """
        if await self.fits():
            return False
        tables = self.app.schema_manager.get_schema().replace("%", "%%")
        statements = sql.ANEW if await self.app.check_connection_async() else sql.IF_MISSING
        names = {"task": _JOB, "place": _JOBS, "later": _SCHEDULED_PRIORITY}
        try:
            await self.app.connector.execute_query_async(
                statements.format(_SCHEMA, tables, **names)
            )
        except ConnectorException:  # another process created them at the same moment
            if not await self.fits():
                raise
        return True

    async def fits(self) -> bool:
        """Whether the tables exist, with every function that this release of the library calls."""
        needed = set(_FUNCTION.findall(self.app.schema_manager.get_schema()))
        found = await self._query(sql.FUNCTIONS, schema=_SCHEMA)
        return needed <= {one["name"] for one in found}

    async def put(
        self, account: str, job: str, at: datetime | None = None, to: str | None = None
    ) -> bool:
        """Enqueue a job, to run at once or `at` a time, on any worker or on the worker `to`.
        Return False if the job is waiting there already.
        """
        place = self._job.configure(
            queue=_place(to),
            lock=fold(account),
            queueing_lock=_name(account, job),
            schedule_at=at,
            priority=0 if at is None else _SCHEDULED_PRIORITY,
        )
        try:
            await place.defer_async(account=account, job=job)
        except AlreadyEnqueued:
            return False
        return True

    async def put_due(self, due: Sequence[Due]) -> None:
        """Enqueue jobs that were due, unless that was done for the same moment."""
        await self._query(
            sql.PUT_DUE,
            names=[_name(one.account, one.job) for one in due],
            jobs=[one.job for one in due],
            accounts=[one.account for one in due],
            locks=[fold(one.account) for one in due],
            ticks=[one.at for one in due],
        )

    async def put_now(self, account: str) -> int:
        """Make the scheduled jobs of an account runnable now; return how many."""
        return len(await self._query(sql.WAIT_NO_LONGER, lock=fold(account)))

    async def loads(self, names: Sequence[str]) -> list[Load]:
        """How many jobs each of these workers runs, or has waiting for it alone."""
        return [Load(**one) for one in await self._query(sql.LOADS, names=names)]

    async def sweep(self, to: Sequence[str]) -> None:
        """Give the jobs of dead workers to others: one to each name in `to`, the rest to any."""
        await self._query(sql.SWEEP, silent=HEARTBEAT_TIMEOUT, places=[_place(name) for name in to])

    async def free(self, living: Collection[str]) -> None:
        """Let any worker claim jobs that waited for one not in `living`, or whose time has come."""
        await self._query(sql.RIPE)
        await self._query(sql.FREE, known=[_place(name) for name in (None, *living)])

    async def _query(self, statement: LiteralString, **values: object) -> list[dict[str, Any]]:
        values |= {"task": _JOB, "place": _JOBS}
        return await self.app.connector.execute_query_all_async(statement, **values)

    async def content(self) -> list[Queued]:
        """The jobs that are waiting or running."""
        found = []
        for status in (Status.DOING, Status.TODO):
            for one in await self.app.job_manager.list_jobs_async(task=_JOB, status=status.value):
                values = one.task_kwargs
                at_work = status is Status.DOING
                found.append(
                    Queued(str(values["job"]), str(values["account"]), at_work, one.scheduled_at)
                )
        return found

    async def register(self) -> int:
        """Register a worker; return its number."""
        return await self.app.job_manager.register_worker()

    async def unregister(self, number: int) -> None:
        """Remove a worker that has ended."""
        await self.app.job_manager.unregister_worker(number)

    async def beat(self, number: int) -> None:
        """Record a worker's heartbeat."""
        await self.app.connector.execute_query_async(sql.BEAT, number=number)

    async def take(self, name: str, number: int) -> Taken | None:
        """Claim the next job for a worker; None if none is waiting."""
        job = await self.app.job_manager.fetch_job([_JOBS, _place(name)], number)
        if job is None or job.id is None:
            return None
        return Taken(job.id, str(job.task_kwargs["account"]), str(job.task_kwargs["job"]))

    async def end(self, job: int) -> None:
        """Remove a claimed job that has ended."""
        await self.app.connector.execute_query_async(sql.END, job=job)

    async def put_forgotten(self, number: int, at_work: Sequence[int]) -> None:
        """Enqueue again the jobs that a worker has claimed but is not running."""
        await self._query(sql.FORGOTTEN, number=number, at_work=list(at_work))

    async def listen(self, name: str, notify: Callable[[], None]) -> None:
        """Call `notify` when a job is enqueued for a worker, until cancelled."""

        async def on_notification(*, channel: str, notification: Notification) -> None:
            notify()

        await self.app.job_manager.listen_for_jobs(
            on_notification=on_notification, queues=[_JOBS, _place(name)]
        )

    async def keep_time(self, name: str) -> None:
        """Enqueue due jobs each minute, until cancelled."""
        await self.app.run_worker_async(
            name=f"{name} schedule",
            queues=[_SCHEDULE],
            fetch_job_polling_interval=2.0,
            listen_notify=False,  # it would keep a connection
            delete_jobs="always",
            install_signal_handlers=False,
            update_heartbeat_interval=HEARTBEAT_INTERVAL,
            stalled_worker_timeout=_UNREGISTER_AFTER,
        )


def _name(account: str, job: str) -> str:
    """The name of a job among those of all settings: two clients' may have the same name."""
    return f"{fold(account)} {job}"


def _place(worker: str | None) -> str:
    """The name of one worker's queue, or of the common one."""
    return _JOBS if worker is None else f"{_JOBS} {worker}"
