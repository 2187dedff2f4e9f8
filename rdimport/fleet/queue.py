"""The queue: Procrastinate on the ledger's database, in a schema of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Any, Final, LiteralString, NamedTuple

from procrastinate import App, JobContext, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.jobs import Status

from rdimport.core.names import fold
from rdimport.fleet import queue_statements as sql
from rdimport.fleet.sharing import Load
from rdimport.report.fleet_status import Queued

_SCHEMA: Final = "rdimport_queue"
_JOBS: Final = "jobs"
_SCHEDULE: Final = "schedule"
"""What is due is put in by a worker whose slots are all taken, too."""

_JOB: Final = "rdimport.job"
_LATER: Final = -1
"""The priority of what waits for its time: it keeps no other job of its account waiting."""

_BEAT: Final = 3.0
_SILENT: Final = 15.0
"""Seconds after which the jobs of a worker that says nothing go to another one."""


class Due(NamedTuple):
    """A job, and the moment at which it was due."""

    job: str
    account: str
    at: datetime


class Queue:
    """Jobs that wait for a worker. `run` does one of them, `due` puts in what is due."""

    def __init__(
        self,
        url: str,
        run: Callable[[str, str], Awaitable[None]] | None = None,
        due: Callable[[datetime], Awaitable[None]] | None = None,
    ) -> None:
        connector = PsycopgConnector(
            conninfo=url,
            min_size=1,
            max_size=6,
            kwargs={
                "options": f"-c search_path={_SCHEMA},pg_catalog",
                "connect_timeout": 10,
                "application_name": "rdimport queue",
            },
        )
        self.app = App(connector=connector)
        self.number: int | None = None
        """The queue's number for this worker, once it has taken a job."""

        async def one_job(context: JobContext, account: str, job: str) -> None:
            self.number = context.job.worker_id
            if run is not None:
                await run(account, job)

        async def put_in_due(timestamp: int) -> None:
            if due is not None:
                await due(datetime.fromtimestamp(timestamp, UTC))

        self._job = self.app.task(name=_JOB, queue=_JOBS, pass_context=True)(one_job)
        each_minute = self.app.periodic(cron="* * * * *")
        each_minute(self.app.task(name="rdimport.due", queue=_SCHEDULE)(put_in_due))

    async def make(self) -> bool:
        """Make its tables where there are none; tells whether it did."""
        if await self.app.check_connection_async():
            return False
        try:
            schema = f"CREATE SCHEMA IF NOT EXISTS {_SCHEMA}"
            await self.app.connector.execute_query_async(schema)
            await self.app.schema_manager.apply_schema_async()
        except ConnectorException:  # another one made them in the same moment
            if not await self.app.check_connection_async():
                raise
        return True

    async def is_there(self) -> bool:
        """Whether it has its tables."""
        return await self.app.check_connection_async()

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
        await self._move(sql.SWEEP, silent=_SILENT, places=[_place(name) for name in to])

    async def free(self, living: Collection[str]) -> None:
        """Let anybody take what waits for a worker that is none of these."""
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

    async def work(self, name: str, slots: int, *, once: bool) -> None:
        """Run jobs, some at the same time, until it is cancelled; `once`: until none waits."""
        await self._work(name, [_JOBS, _place(name)], slots, once=once)

    async def keep_time(self, name: str) -> None:
        """Put in what is due, each minute, until it is cancelled."""
        await self._work(f"{name} schedule", [_SCHEDULE], 1, once=False)

    async def _work(self, name: str, queues: Sequence[str], slots: int, *, once: bool) -> None:
        await self.app.run_worker_async(
            name=name,
            queues=queues,
            concurrency=slots,
            wait=not once,
            fetch_job_polling_interval=2.0,
            delete_jobs="always",
            install_signal_handlers=False,
            update_heartbeat_interval=_BEAT,
            stalled_worker_timeout=_SILENT,
            listen_notify=not once,
        )


def _place(worker: str | None) -> str:
    """The queue of a worker, or of all."""
    return _JOBS if worker is None else f"{_JOBS} {worker}"
