"""Two schedulers: each job's night begins once, or twice without harm, whatever their clocks say
and whenever they were started; nobody is sent twice.
"""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import Popen

import pytest
from support.claims import KEY
from support.fleet import CLIENTS, FleetWorkspace
from support.postgres import Server
from support.waiting import until

from rdimport.cli import main
from rdimport.fleet import EVENT_LOOP, Queue
from rdimport.fleet.queue import Due
from rdimport.fleet.sharing import Load
from rdimport.fleet.taking import Taker
from rdimport.ledger import store_of
from rdimport.sandbox.embedded import RunningSandbox

TICK = datetime(2026, 11, 28, 22, 30, tzinfo=UTC)
JOBS = [Due(f"job-{number}", f"client-{number}", TICK) for number in range(200)]


_WORKER = """
INSERT INTO rdimport.worker (name, slots, since, seen, jobs, queue)
VALUES ('w', 20, now(), now(), '{}', %(number)s)
"""


class Schedulers:
    """Several schedulers of one ledger, and which of their jobs were begun."""

    def __init__(self, url: str) -> None:
        self.begun: Counter[str] = Counter()
        self.queues = [Queue(url) for _ in range(4)]

    async def _begin(self, _account: str, job: str) -> None:
        self.begun[job] += 1

    async def until_done(self) -> None:
        """Let two workers run what waits."""
        two = [Taker(q, f"w{n}", 5, self._begin) for n, q in enumerate(self.queues[:2])]
        await asyncio.gather(*(one.take(once=True) for one in two))


@pytest.fixture
def play(postgres: Server) -> Iterator[Callable[[Callable[[Schedulers], Awaitable[None]]], None]]:
    url = postgres.new_database()
    store_of(url, KEY.hex()).make()  # type: ignore[attr-defined]

    async def played(story: Callable[[Schedulers], Awaitable[None]]) -> None:
        some = Schedulers(url)
        async with AsyncExitStack() as stack:
            for queue in some.queues:
                await stack.enter_async_context(queue.opened())
            await some.queues[0].make()
            await story(some)

    with asyncio.Runner(loop_factory=EVENT_LOOP) as runner:
        yield lambda story: runner.run(played(story))


def test_commands_use_an_event_loop_that_psycopg_works_with(
    postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default one of Windows it refuses."""
    url = postgres.new_database()
    made = []

    def loop() -> asyncio.AbstractEventLoop:
        made.append(asyncio.SelectorEventLoop())
        return made[-1]

    monkeypatch.setattr("rdimport.fleet.EVENT_LOOP", loop)
    monkeypatch.setenv("RDIMPORT_STATE_DIR", "unused")
    for action in ("init", "status"):
        assert main(["fleet", action, "--ledger", url]) == 0
        assert made.pop().is_closed()


def test_schedulers_that_see_one_moment_together_put_each_job_in_once(
    play: Callable[[Callable[[Schedulers], Awaitable[None]]], None],
) -> None:
    async def story(some: Schedulers) -> None:
        orders = (JOBS, JOBS[::-1], JOBS[100:] + JOBS[:100], JOBS[::2] + JOBS[1::2])
        for days in range(5):  # one whose settings list the jobs in another order does not deadlock
            at = TICK + timedelta(days=days)
            those = [[due._replace(at=at) for due in order] for order in orders]
            puts = (q.put_due(order) for q, order in zip(some.queues, those, strict=True))
            await asyncio.gather(*puts)
        content = await some.queues[0].content()
        assert Counter(one.job for one in content) == Counter(due.job for due in JOBS)
        await some.until_done()
        assert some.begun == Counter(due.job for due in JOBS)

    play(story)


def test_a_scheduled_job_comes_before_jobs_enqueued_later(
    play: Callable[[Callable[[Schedulers], Awaitable[None]]], None],
) -> None:
    """A job that is always passed over would never begin if others are always waiting."""

    async def story(some: Schedulers) -> None:
        one, order = some.queues[0], list[str]()

        async def begin(_account: str, job: str) -> None:
            order.append(job)

        await one.put("late", "late", datetime.now(UTC) - timedelta(minutes=1))
        await one.put("later", "later", datetime.now(UTC) + timedelta(hours=1))
        await one.put_due(JOBS[:5])
        await one.free([])
        await Taker(one, "w", 1, begin).take(once=True)
        assert order == ["late", *(due.job for due in JOBS[:5])]

    play(story)


def test_a_job_that_continues_counts_among_those_of_its_worker(
    play: Callable[[Callable[[Schedulers], Awaitable[None]]], None],
) -> None:
    """Otherwise the worker would get more jobs than slots, and keep them waiting."""

    async def story(some: Schedulers) -> None:
        one = some.queues[0]
        number = await one.register()
        await one.app.connector.execute_query_async(_WORKER, number=number)
        await one.put("acme", "acme", datetime.now(UTC) - timedelta(minutes=1))
        assert await one.take("w", number)
        assert await one.loads(["w"]) == [Load("w", 1, 20)]

    play(story)


@pytest.mark.parametrize("behind", [timedelta(0), timedelta(minutes=3), timedelta(days=1)])
def test_a_scheduler_that_comes_late_begins_no_job_of_that_night_again(
    play: Callable[[Callable[[Schedulers], Awaitable[None]]], None], behind: timedelta
) -> None:
    """Its clock is behind, or it was started after the night's jobs had ended."""

    async def story(some: Schedulers) -> None:
        one, two = some.queues[:2]
        some_jobs = JOBS[:10]
        await one.put_due(some_jobs)
        await some.until_done()
        await two.put_due([due._replace(at=due.at - behind) for due in some_jobs])
        await one.put_due(some_jobs)
        assert await two.content() == []
        await two.put_due([due._replace(at=due.at + timedelta(days=1)) for due in some_jobs])
        await some.until_done()
        assert some.begun == Counter({due.job: 2 for due in some_jobs})

    play(story)


@pytest.mark.waits
def test_workers_with_clocks_apart_that_are_killed_and_begin_again_send_nobody_twice(
    tmp_path: Path, box: RunningSandbox, postgres: Server, key_of: Callable[[str], str]
) -> None:
    at = FleetWorkspace.new(tmp_path, box, postgres, {client: key_of(client) for client in CLIENTS})
    at.write_lists(60)
    at.due(timedelta(minutes=10), quota="10/s")

    def started(minutes_ahead: int) -> Popen[str]:
        """A worker whose clock is ahead, as far as the schedule is concerned."""
        at.environment["TZ"] = f"XXX-0:{minutes_ahead:02}"
        worker = at.start("worker")
        del at.environment["TZ"]
        return worker

    killed = started(4)
    until(at.all_begun)
    right = started(0)  # sees a later moment, and enqueues both jobs once more
    until(lambda: len(at.status()["workers"]) == 2)
    killed.kill()
    at.wait(killed)
    at.lapse()
    again = started(7)
    at.until_done()
    for worker in (right, again):
        worker.send_signal(signal.SIGTERM)
        assert at.wait(worker).code == 0
    at.see_all_accounted_for(most_in_doubt=64)
