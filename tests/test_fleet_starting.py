"""A worker starts a few runs at a time; a run that is to stop does not wait for its place."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from rdimport.core.stop import StopReason
from rdimport.delivery.stopping import StopRequest
from rdimport.fleet.starting import Place, Starts

TIMEOUT = 20.0


class Run:
    """A run that holds a place until it is told to begin sending."""

    def __init__(self, starts: Starts) -> None:
        self.stop = StopRequest()
        self.has_place: asyncio.Future[Place | None] = asyncio.get_running_loop().create_future()
        self.over = asyncio.Event()
        self.task = asyncio.ensure_future(self._begin(starts))

    async def _begin(self, starts: Starts) -> None:
        async with starts.one(self.stop) as place:
            self.has_place.set_result(place)
            await self.over.wait()

    async def place(self) -> Place:
        found = await asyncio.wait_for(self.has_place, TIMEOUT)
        assert found is not None
        return found

    async def end(self) -> None:
        self.over.set()
        await self.task


def test_a_few_runs_begin_at_a_time_in_the_order_in_which_they_came() -> None:
    async def story() -> None:
        starts = Starts(2)
        one, two, three, four = runs = [Run(starts) for _ in range(4)]
        await two.place()
        assert [run.has_place.done() for run in runs] == [True, True, False, False]
        (await one.place()).left()  # it sends
        await three.place()
        assert not four.has_place.done()
        await two.end()
        await four.place()
        for run in (one, three, four):
            await run.end()

    asyncio.run(story())


def test_a_run_that_sends_takes_its_place_once_more_to_end() -> None:
    async def story() -> None:
        starts = Starts(1)
        one, two = Run(starts), Run(starts)
        place = await one.place()
        await asyncio.to_thread(place.leave)
        await two.place()
        ending = asyncio.ensure_future(asyncio.to_thread(place.take))
        await asyncio.sleep(0)
        assert not ending.done()
        await two.end()
        await asyncio.wait_for(ending, TIMEOUT)
        three = Run(starts)
        await asyncio.sleep(0)
        assert not three.has_place.done()
        await one.end()
        await three.place()
        await three.end()

    asyncio.run(story())


def test_a_run_that_waits_for_an_account_keeps_no_other_waiting() -> None:
    async def story() -> None:
        starts = Starts(1, lasts=0.01)
        async with AsyncExitStack() as stack:
            for _ in range(3):
                run = Run(starts)
                stack.push_async_callback(run.end)
                await run.place()

    asyncio.run(story())


def test_a_place_that_lapsed_is_not_given_twice() -> None:
    async def story() -> None:
        free = asyncio.Semaphore(1)
        place = Place(free, 0.01)
        await place.taken()
        await asyncio.wait_for(free.acquire(), TIMEOUT)
        place.left()
        assert free.locked()

    asyncio.run(story())


def test_a_run_that_is_to_stop_before_it_has_a_place_gets_none_at_once() -> None:
    async def story() -> None:
        starts = Starts(1)
        one, two, three = (Run(starts) for _ in range(3))
        await one.place()
        two.stop.stop(StopReason.SIGNAL)
        assert await asyncio.wait_for(two.has_place, TIMEOUT) is None
        await two.end()
        await one.end()
        await three.place()
        await three.end()

    asyncio.run(story())
