"""What follows the end of a job, when one is due, and which accounts go to another worker."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from rdimport.core.errors import (
    ExitCode,
    LedgerDamagedError,
    LedgerError,
    LedgerLostError,
    UsageError,
)
from rdimport.core.stop import StopReason
from rdimport.fleet import JobEnd, Next, following, is_time, last_tick
from rdimport.fleet.sharing import Load, free_slots, to_give, to_move

NOW = datetime(2026, 11, 28, 22, 40, tzinfo=UTC)
LATER = NOW + timedelta(hours=3)
MINUTE = NOW + timedelta(minutes=1)
STOPPED = ExitCode.STOPPED


@pytest.mark.parametrize(
    ("end", "next_", "at"),
    [
        (JobEnd(ExitCode.DONE), Next.NOBODY, None),
        (JobEnd(ExitCode.FAILED_ROWS), Next.NOBODY, None),
        (JobEnd(ExitCode.NOTHING_SENT, error=UsageError("no key")), Next.PERSON, None),
        (JobEnd(ExitCode.BUG), Next.PERSON, None),
        (JobEnd(ExitCode.BUSY), Next.AGAIN, MINUTE),
        (JobEnd(STOPPED, StopReason.ACCOUNT_QUOTA, LATER), Next.AGAIN, LATER),
        (JobEnd(STOPPED, StopReason.ACCOUNT_QUOTA), Next.AGAIN, NOW + timedelta(minutes=5)),
        (JobEnd(STOPPED, StopReason.LEASE), Next.AGAIN, MINUTE),
        (JobEnd(STOPPED, StopReason.ENDPOINT_DOWN), Next.AGAIN, NOW + timedelta(minutes=5)),
        (JobEnd(STOPPED, StopReason.KEY_REFUSED), Next.PERSON, None),
        (JobEnd(STOPPED, StopReason.MAX_DURATION), Next.NOBODY, None),
        (JobEnd(ExitCode.NOTHING_SENT, error=LedgerError("cut off")), Next.AGAIN, MINUTE),
        (JobEnd(STOPPED, error=LedgerLostError("gone")), Next.REST, None),
        (JobEnd(ExitCode.NOTHING_SENT, error=LedgerDamagedError("bad")), Next.REST, None),
    ],
)
def test_how_a_job_ended_decides_what_follows(
    end: JobEnd, next_: Next, at: datetime | None
) -> None:
    assert following(end, NOW) == (next_, at)


def test_a_job_taken_from_a_worker_continues_at_once_on_another() -> None:
    stopped = JobEnd(STOPPED, StopReason.SIGNAL)
    assert following(stopped, NOW, taken_away=True) == (Next.AGAIN, NOW)
    assert following(JobEnd(ExitCode.DONE), NOW, taken_away=True).next is Next.NOBODY


def test_a_tick_that_no_worker_saw_counts_for_an_hour() -> None:
    here = NOW.astimezone()
    every = f"{(here - timedelta(minutes=10)).minute} {(here - timedelta(minutes=10)).hour} * * *"
    assert last_tick(every, NOW) == NOW - timedelta(minutes=10)
    assert last_tick(every, NOW + timedelta(minutes=51)) is None


@pytest.mark.parametrize(
    ("every", "can_be"),
    [
        ("30 22 * * 1-5", True),
        ("*/15 8-18 * jan,jul mon-fri", True),
        ("0 0 L * *", True),
        ("0 0 29 2 *", True),
        ("99 22 * * *", False),
        ("@daily", False),
        ("R 22 * * *", False),
        ("0 22 * * R(1-5)", False),
        ("0 0 22 * * *", False),
        ("0 24 * * *", False),
        ("*/0 * * * *", False),
        ("0 0 31 2 *", False),
        ("0 0 31 4,6,9,11 *", False),
    ],
)
def test_a_schedule_can_be_read_and_comes_some_day(every: str, *, can_be: bool) -> None:
    assert is_time(every) is can_be


@pytest.fixture
def new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose clock is put back on 1 November 2026, at 2:00, and forward on 8 March."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the time zone cannot be chosen")
@pytest.mark.usefixtures("new_york")
@pytest.mark.parametrize(
    ("every", "begin", "ticks"),
    [
        ("30 1 * * *", datetime(2026, 11, 1, 5, tzinfo=UTC), 1),
        ("30 1,4 * * *", datetime(2026, 11, 1, 5, tzinfo=UTC), 2),
        ("30 * * * *", datetime(2026, 11, 1, 5, tzinfo=UTC), 5),
        ("30 1 * * *", datetime(2026, 3, 8, 5, tzinfo=UTC), 1),
        ("30 2 * * *", datetime(2026, 3, 8, 5, tzinfo=UTC), 1),
        ("30 3 * * *", datetime(2026, 3, 8, 5, tzinfo=UTC), 1),
    ],
)
def test_a_job_of_the_night_is_due_once_also_as_clocks_are_changed(
    every: str, begin: datetime, ticks: int
) -> None:
    """A fixed hour that comes twice, or not at all, counts once; an hourly job runs every hour."""
    found = (last_tick(every, begin + timedelta(minutes=n)) for n in range(5 * 60))
    latest: list[datetime] = []
    for tick in found:
        if tick is not None and begin <= tick and (not latest or tick > latest[-1]):
            latest.append(tick)
    assert len(latest) == ticks


@pytest.mark.parametrize(
    ("mine", "others", "given"),
    [
        ((2, 20), [(0, 20)], "a"),
        ((1, 20), [(0, 20)], ""),
        ((12, 20), [(0, 20), (0, 20)], "aaaabbbb"),
        ((10, 20), [(10, 20), (0, 20)], "bbb"),
        ((10, 10), [(0, 30)], "aaaaaaa"),
        ((5, 20), [(6, 20)], ""),
        ((20, 20), [], ""),
        ((8, 20), [(0, 2)], ""),
        ((22, 40), [(0, 4)], "aa"),
    ],
)
def test_a_worker_gives_what_it_has_beyond_its_share(
    mine: tuple[int, int], others: list[tuple[int, int]], given: str
) -> None:
    loads = [Load(name, *load) for name, load in zip("abc", others, strict=False)]
    assert to_give(Load("me", *mine), loads) == list(given)


@pytest.mark.parametrize(
    ("workers", "seats"),
    [
        ([(0, 3), (0, 3)], "ababab"),
        ([(2, 4), (2, 4), (0, 4)], "ccabcabc"),
        ([(3, 3), (0, 2)], "bb"),
        ([(5, 3), (1, 2)], "b"),
        ([(0, 2), (0, 4)], "abbabb"),
        ([], ""),
    ],
)
def test_jobs_without_a_worker_go_to_those_who_have_least(
    workers: list[tuple[int, int]], seats: str
) -> None:
    loads = [Load(name, *load) for name, load in zip("abc", workers, strict=False)]
    assert free_slots(loads) == list(seats)


def test_runs_that_wait_to_begin_move_at_once_and_those_that_send_two_at_a_time() -> None:
    assert to_move(["v", "w"], ["x", "y", "z"], "aaabb") == {"v": "a", "w": "a", "x": "a", "y": "b"}
    assert to_move([], ["x", "y", "z"], "a") == {"x": "a"}
    assert not to_move(["v"], ["x"], "")
