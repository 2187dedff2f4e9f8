"""The queue: Procrastinate on the ledger's database, in a schema of its own."""

from __future__ import annotations

import re
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

_SCHEMA: Final = "rdimport_queue"
_JOBS: Final = "jobs"
_SCHEDULE: Final = "schedule"
"""What is due is put in by a worker whose slots are all taken, too."""

_JOB: Final = "rdimport.job"
_FUNCTION: Final = re.compile(r"CREATE FUNCTION (\w+)")
"""Their names end with a number that changes with what they do."""

_LATER: Final = -1
"""The priority of what waits for its time: until then it keeps no other job of its account waiting.
"""

BEAT: Final = 3.0
"""Seconds between two signs of life of a worker."""

SILENT: Final = 15.0
"""Seconds after which the jobs of a worker that says nothing go to another one."""

_FORGOTTEN: Final = 24 * 60 * 60.0
"""The same for its number: one that lives, and could not say so, keeps it."""


class Due(NamedTuple):
    """A job, and the moment at which it was due."""

    job: str
    account: str
    at: datetime


class Taken(NamedTuple):
    """A job that a worker has taken, and its number in the queue."""

    number: int
    account: str
    job: str


class Queue:
    """Jobs that wait for a worker. `due` puts in what is due."""

    def __init__(self, url: str, due: Callable[[datetime], Awaitable[None]] | None = None) -> None:
        self._pool = fleet_of(url).pool(_SCHEMA)
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
        """Connect as needed until the end."""
        async with self._pool, self.app.open_async(self._pool):
            yield

    async def make(self) -> bool:
        """Make its tables, unless those of this release are there; tells whether it did. What
        waited in those of another one still waits.
        """
        if await self.fits():
            return False
        waiting = []
        if await self.app.check_connection_async():
            waiting = await self._move(sql.WAITING)
            await self.app.connector.execute_query_async(f"DROP SCHEMA {_SCHEMA} CASCADE")
        try:
            schema = f"CREATE SCHEMA IF NOT EXISTS {_SCHEMA}"
            await self.app.connector.execute_query_async(schema)
            await self.app.schema_manager.apply_schema_async()
        except ConnectorException:  # another one made them in the same moment
            if not await self.app.check_connection_async():
                raise
        for one in waiting:
            await self.put(one["account"], one["job"], one["at"])
        return True

    async def fits(self) -> bool:
        """Whether it has its tables, and what this release of the library wants to call in them."""
        needed = set(_FUNCTION.findall(self.app.schema_manager.get_schema()))
        found = await self._move(sql.FUNCTIONS, schema=_SCHEMA)
        return needed <= {one["name"] for one in found}

    async def put(
        self, account: str, job: str, at: datetime | None = None, to: str | None = None
    ) -> bool:
        """Put a job in, to be run at once or `at` a time, by anybody or by the worker that it goes
        `to`; False if it waits there already.
        """
        place = self._job.configure(
            queue=_place(to),
            lock=fold(account),
            queueing_lock=job,
            schedule_at=at,
            priority=0 if at is None else _LATER,
        )
        try:
            await place.defer_async(account=account, job=job)
        except AlreadyEnqueued:
            return False
        return True

    async def put_due(self, due: Sequence[Due]) -> None:
        """Put jobs in that were due, unless that was done for the same moment."""
        await self._move(
            sql.PUT_DUE,
            jobs=[one.job for one in due],
            accounts=[one.account for one in due],
            locks=[fold(one.account) for one in due],
            ticks=[one.at for one in due],
        )

    async def put_now(self, account: str) -> int:
        """Let the jobs of an account that wait for a time wait no longer; returns how many."""
        return len(await self._move(sql.WAIT_NO_LONGER, lock=fold(account)))

    async def loads(self, names: Sequence[str]) -> list[Load]:
        """How many jobs these workers are at, or wait for them."""
        return [Load(**one) for one in await self._move(sql.LOADS, names=names)]

    async def sweep(self, to: Sequence[str]) -> None:
        """Give the jobs of workers that are dead `to` others, to each of these names one; what is
        left to anybody.
        """
        await self._move(sql.SWEEP, silent=SILENT, places=[_place(name) for name in to])

    async def free(self, living: Collection[str]) -> None:
        """Let anybody take what waits for a worker that is none of these, or has waited for its
        time.
        """
        await self._move(sql.RIPE)
        await self._move(sql.FREE, known=[_place(name) for name in (None, *living)])

    async def _move(self, statement: LiteralString, **values: object) -> list[dict[str, Any]]:
        values |= {"task": _JOB, "place": _JOBS}
        return await self.app.connector.execute_query_all_async(statement, **values)

    async def content(self) -> list[Queued]:
        """What waits and what is at work."""
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
        """A number for a worker."""
        return await self.app.job_manager.register_worker()

    async def unregister(self, number: int) -> None:
        """That worker has ended."""
        await self.app.job_manager.unregister_worker(number)

    async def beat(self, number: int) -> None:
        """That worker lives."""
        await self.app.connector.execute_query_async(sql.BEAT, number=number)

    async def take(self, name: str, number: int) -> Taken | None:
        """Take the next job for a worker; None if none waits."""
        job = await self.app.job_manager.fetch_job([_JOBS, _place(name)], number)
        if job is None or job.id is None:
            return None
        return Taken(job.id, str(job.task_kwargs["account"]), str(job.task_kwargs["job"]))

    async def end(self, job: int) -> None:
        """A job that was taken has ended."""
        await self.app.connector.execute_query_async(sql.END, job=job)

    async def put_forgotten(self, number: int, at_work: Sequence[int]) -> None:
        """Put in anew what a worker has taken, and is not at work on."""
        await self._move(sql.FORGOTTEN, number=number, at_work=list(at_work))

    async def listen(self, name: str, told: Callable[[], None]) -> None:
        """Call `told` when a job is put in for a worker, until cancelled."""

        async def on_notification(*, channel: str, notification: Notification) -> None:
            told()

        await self.app.job_manager.listen_for_jobs(
            on_notification=on_notification, queues=[_JOBS, _place(name)]
        )

    async def keep_time(self, name: str) -> None:
        """Put in what is due, each minute, until it is cancelled."""
        await self.app.run_worker_async(
            name=f"{name} schedule",
            queues=[_SCHEDULE],
            fetch_job_polling_interval=2.0,
            delete_jobs="always",
            install_signal_handlers=False,
            update_heartbeat_interval=BEAT,
            stalled_worker_timeout=_FORGOTTEN,
        )


def _place(worker: str | None) -> str:
    """The queue of a worker, or of all."""
    return _JOBS if worker is None else f"{_JOBS} {worker}"
