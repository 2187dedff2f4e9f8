"""The pacer on a simulated clock: never more than the quota, and nearly all of it."""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.windows import Windows

from rdimport.core.quota import Limits, Quota, share_used
from rdimport.delivery.pacing.pacer import EvenPacer
from rdimport.destination.rdstation.fields import PLANS

QUOTAS = st.builds(Quota, st.integers(1, 1_000), st.sampled_from([1.0, 60.0, 3600.0]))
DELAYS = st.lists(st.floats(0, 1), min_size=1, max_size=50)
"""How late a slot is used, in intervals: due to a busy event loop or a slow commit."""


def departures(quota: Quota, delays: list[float], windows: int) -> list[float]:
    """When requests are sent over some windows, by a clock that only moves when waited on."""
    pace, now, times = EvenPacer(quota), 0.0, list[float]()
    while now < windows * quota.seconds and len(times) < 5_000:
        now += pace.wait(now) + delays[len(times) % len(delays)] * quota.interval
        pace.acquire(now)
        times.append(now)
    return times


@given(QUOTAS, DELAYS, st.floats(0, 1))
@example(Quota(120, 60.0), [0.0], 0.0)
@example(Quota(120, 60.0), [1.0, 0.0], 0.5)
def test_no_window_of_the_quotas_length_sees_more_than_the_quota_and_two(
    quota: Quota, delays: list[float], offset: float
) -> None:
    times = departures(quota, delays, windows=4)
    for start in [offset * quota.seconds, *times[:200]]:
        end = start + quota.seconds
        inside = bisect_left(times, end) - bisect_left(times, start)
        assert inside <= quota.requests + 2  # one at each edge, and one slot caught up


@given(QUOTAS, DELAYS.map(lambda delays: [delay * 0.49 for delay in delays]))
@example(Quota(500, 60.0), [0.49])
@example(Quota(120, 60.0), [0.0])
def test_small_delays_cost_no_quota(quota: Quota, delays: list[float]) -> None:
    times = departures(quota, delays, windows=3)
    used = len(times) / (times[-1] - times[0]) / quota.per_second if len(times) > 400 else 1
    assert used >= 0.99


def test_requests_leave_evenly() -> None:
    times = departures(Quota(120, 60.0), [0.0], windows=2)
    apart = [b - a for a, b in pairwise(times)]
    assert apart[1:] == pytest.approx([0.5] * len(apart[1:]), rel=0.01)
    assert max(apart[0], *apart) == pytest.approx(0.5, rel=0.01)


def test_a_long_silence_is_not_made_up_by_a_burst() -> None:
    pace = EvenPacer(Quota(60, 60.0))
    pace.acquire(0)
    left = [now for now in (600 + step / 10 for step in range(100)) if _take(pace, now)]
    assert len([now for now in left if now < 601]) <= 2


def _take(pace: EvenPacer, now: float) -> bool:
    free = pace.wait(now) == 0
    if free:
        pace.acquire(now)
    return free


@given(QUOTAS | st.none(), st.floats(0, 100), st.floats(0, 3600))
def test_no_row_is_sent_before_a_hold_ends(quota: Quota | None, now: float, seconds: float) -> None:
    pace = EvenPacer(quota)
    pace.hold(now, seconds)
    assert pace.wait(now) >= seconds - 1e-6
    assert pace.held(now + seconds + 1e-6) == 0


def test_a_shorter_hold_does_not_end_a_longer_one() -> None:
    pace = EvenPacer(None)
    pace.hold(0, 30)
    pace.hold(1, 2)
    assert pace.wait(10) == 20


def test_without_a_quota_nobody_waits() -> None:
    pace = EvenPacer(None)
    assert [_take(pace, 0) for _ in range(1_000)] == [True] * 1_000


@pytest.mark.parametrize(
    ("text", "quota"),
    [
        ("120/min", Quota(120, 60)),
        (" 2 / S ", Quota(2, 1)),
        ("500/h", Quota(500, 3600)),
        ("none", None),
    ],
)
def test_a_quota_is_read_as_it_is_written(text: str, quota: Quota | None) -> None:
    assert Quota.parse(text) == quota


@given(QUOTAS)
def test_a_quota_is_written_as_it_is_read(quota: Quota) -> None:
    assert Quota.parse(str(quota)) == quota


@pytest.mark.parametrize("text", ["", "120", "0/min", "-1/s", "1.5/s", "9/day", "min/120", "1/s x"])
def test_what_is_no_quota_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="quota"):
        Quota.parse(text)


@pytest.mark.parametrize(
    ("requests", "seconds", "share"), [(40, 19.5, 1.0), (20, 19.5, 0.5), (120, 59.5, 1.0)]
)
def test_a_run_at_its_full_pace_uses_all_of_the_quota_and_no_more(
    requests: int, seconds: float, share: float
) -> None:
    """From the first to the last of 40 requests there are 39 pauses."""
    assert share_used(requests, seconds, 2.0) == share


def test_every_plan_has_a_quota() -> None:
    assert {Quota.parse(text) for text in PLANS.values()} == {Quota(120, 60), Quota(500, 60)}


RD = Quota(120, 60.0)


def test_alone_a_run_uses_the_quota_and_is_never_turned_away() -> None:
    seen = Windows(30).play([EvenPacer(RD)])
    assert seen.used >= 0.99
    assert seen.turned_away == 0


@pytest.mark.parametrize("steady", [True, False])
@pytest.mark.parametrize("share", [0.03, 0.1, 0.3, 0.5, 0.7])
def test_headers_let_it_fill_what_another_client_leaves_and_leave_it_that(
    share: float, steady: bool
) -> None:
    found = [Windows(40, others=share, steady=steady, seed=seed, missed=3) for seed in range(3)]
    seen = [windows.play([EvenPacer(RD)]) for windows in found]
    assert sum(w.used for w in seen) / 3 >= 0.98
    assert sum(w.turned_away for w in seen) / 3 <= 0.008
    assert sum(w.others_turned_away for w in seen) / 3 <= (0.004 if steady else 0.025)


def test_the_others_use_is_left_to_them_in_the_second_window_already() -> None:
    seen = Windows(3, others=0.7, steady=True, missed=2).play([EvenPacer(RD)])
    assert seen.others_turned_away <= 0.02


def test_with_headers_the_pace_comes_back_when_the_other_client_has_gone() -> None:
    assert Windows(20, others=0.7, gone=5, missed=14).play([EvenPacer(RD)]).used >= 0.98


@pytest.mark.parametrize("headers", [True, False])
@pytest.mark.parametrize("steady", [True, False])
def test_what_is_reserved_is_left_to_others(headers: bool, steady: bool) -> None:
    pace = EvenPacer(RD.leaving("40%"))
    seen = Windows(40, others=0.3, steady=steady, headers=headers).play([pace])
    assert max(seen.others_turned_away, seen.turned_away) <= 0.001
    assert 0.93 <= seen.of(0) / (0.6 * 120 * len(seen.counted)) <= 1.01


def test_a_reserve_is_left_although_nobody_uses_it() -> None:
    seen = Windows(20).play([EvenPacer(RD.leaving("0.25"))])
    assert seen.used == pytest.approx(0.75, rel=0.01)


@pytest.mark.parametrize("text", ["", "x", "100%", "1", "-5%", "20 %%", "1e-3", "nan"])
def test_what_is_no_reserve_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="share"):
        RD.leaving(text)


@pytest.mark.parametrize(
    ("limit", "length", "quota"),
    [
        (1_000, 10.0, Quota(6_000, 60.0)),
        (20, 10.0, Quota(120, 60.0)),
        (5_000, 3600.0, Quota(120, 60.0)),
        (120, 60.0, Quota(500, 60.0)),
    ],
)
def test_windows_of_any_length_are_learnt_and_used(limit: int, length: float, quota: Quota) -> None:
    windows = 4 if length > 60 else 30
    seen = Windows(windows, limit=limit, length=length).play([EvenPacer(quota)])
    assert seen.used >= 0.985  # headers in whole seconds are imprecise for windows of 10 s
    assert seen.turned_away <= 0.001


def test_answers_that_overtake_each_other_at_a_windows_end_tell_of_no_other_client() -> None:
    pace, now = EvenPacer(RD), 0.0
    for _ in range(8):
        for used, reset in ((1, 60), (120, 1), (2, 60), (119, 1), *((n, 60) for n in range(3, 40))):
            pace.learn(now, Limits(120, 120 - used, reset), 1, counted=True)
        now += 60
    assert pace.interval == EvenPacer(RD).interval


@pytest.mark.parametrize("steady", [True, False])
@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7])
def test_without_headers_few_requests_are_turned_away_after_the_first_minute(
    share: float, steady: bool
) -> None:
    refused = sent = 0
    for seed in range(24):
        windows = Windows(8, others=share, steady=steady, headers=False, seed=seed, missed=2)
        seen = windows.play([EvenPacer(RD)])
        refused += sum(seen.refused[w] for w in seen.counted)
        sent += seen.of(0)
    assert refused / (refused + sent) <= 0.01


@pytest.mark.parametrize("seed", range(3))
def test_without_headers_a_steady_client_is_learnt_from_429s(seed: int) -> None:
    windows = Windows(300, others=0.3, steady=True, headers=False, seed=seed, missed=20)
    seen = windows.play([EvenPacer(RD)])
    assert seen.used >= 0.985
    assert seen.turned_away <= 0.002


@pytest.mark.parametrize("seed", range(3))
def test_without_headers_a_random_client_costs_quota_rather_than_429s(seed: int) -> None:
    seen = Windows(300, others=0.3, headers=False, seed=seed, missed=20).play([EvenPacer(RD)])
    assert seen.used >= 0.915
    assert seen.turned_away <= 0.002


def test_without_headers_the_pace_comes_back_when_the_other_client_has_gone() -> None:
    windows = Windows(80, others=0.3, headers=False, gone=15, missed=55)
    assert windows.play([EvenPacer(RD)]).used >= 0.98


def test_a_quota_that_is_smaller_than_we_were_told_is_found() -> None:
    seen = Windows(80, headers=False, missed=40).play([EvenPacer(Quota(500, 60.0))])
    assert seen.used >= 0.98
    assert seen.turned_away <= 0.002


def test_a_run_that_begins_in_a_window_that_is_used_up_keeps_its_pace() -> None:
    pace = EvenPacer(RD)
    pace.acquire(0)
    pace.acquire(0.5)
    pace.on_quota_exceeded(0.6, 10, blind=True)
    assert pace.interval == EvenPacer(RD).interval


@pytest.mark.parametrize("wait", [0.5, 1.0, 20.0, 59.0])
def test_429s_without_sense_do_not_bring_the_pace_down_to_nothing(wait: float) -> None:
    pace, now = EvenPacer(RD), 0.0
    for number in range(600):
        now += pace.wait(now)
        pace.acquire(now)
        if number % 3 == 0:
            pace.on_quota_exceeded(now, wait, blind=True)
    assert pace.interval <= 20 * RD.interval * 1.01


def test_an_unexplained_429_only_makes_the_run_wait() -> None:
    pace = EvenPacer(RD)
    pace.acquire(0)
    pace.on_quota_exceeded(0, 30, blind=False)
    pace.on_quota_exceeded(1, 50, blind=False)  # sent before the first was answered: the same news
    assert pace.wait(1) == 29
    assert pace.interval == EvenPacer(RD).interval


@pytest.mark.parametrize("reset", [86_400.0, 1e9])
def test_headers_of_an_implausible_window_change_nothing(reset: float) -> None:
    pace = EvenPacer(RD)
    pace.learn(0, Limits(10, 0, reset), 0, counted=True)
    assert (pace.wait(0), pace.interval) == (0, EvenPacer(RD).interval)


def test_no_header_makes_the_pace_faster_than_the_quota() -> None:
    pace = EvenPacer(RD)
    pace.learn(0, Limits(100_000, 100_000, 60), 0, counted=True)
    assert pace.interval >= RD.interval


def test_a_limit_below_the_quota_slows_the_pace_down() -> None:
    pace = EvenPacer(RD)
    pace.learn(0, Limits(60, 59, 60), 0, counted=True)
    assert pace.interval >= 1


@given(
    st.lists(
        st.tuples(
            st.floats(0, 100),
            st.builds(Limits, st.integers(0, 200), st.integers(0, 200), st.floats(0, 1e6)),
            st.integers(0, 64),
            st.booleans(),
            st.floats(0, 4000),
        ),
        max_size=30,
    )
)
def test_no_answer_stops_the_run_for_longer_than_it_says(
    answers: list[tuple[float, Limits, int, bool, float]],
) -> None:
    pace, now, longest = EvenPacer(RD), 0.0, 0.0
    for later, limits, in_flight, refused, seconds in answers:
        now += later + pace.wait(now + later)
        pace.acquire(now)
        pace.learn(now, limits, in_flight, counted=not refused)
        if refused:
            pace.on_quota_exceeded(now, seconds, blind=limits.limit % 2 == 0)
        longest = max(longest, seconds, 120.0)
        assert 0 <= pace.wait(now) <= longest + pace.interval
        assert RD.interval <= pace.interval <= RD.seconds * 1.01


def learnt(*answers: tuple[float, int, float], reserve: float = 0.0) -> EvenPacer:
    """A pacer at 120 a minute that has seen these headers: when, requests left, seconds to the
    reset.
    """
    pace = EvenPacer(Quota(120, 60.0, reserve))
    for now, left, reset in answers:
        pace.learn(now, Limits(120, left, reset), 0, counted=True)
    return pace


def test_a_window_that_is_used_up_is_waited_for_but_no_longer_than_two_of_them() -> None:
    assert learnt((0.0, 0, 30.0)).held(0.0) == 30
    assert learnt((0.0, 0, 600.0)).held(0.0) == 120
    assert learnt((0.0, 0, 0.0)).held(0.0) == 1  # whole seconds: it ends soon, not yet


def test_an_answer_may_correct_the_windows_end_but_not_by_more_than_half_of_it() -> None:
    assert learnt((0.0, 119, 60.0), (10.0, 0, 40.0)).held(10.0) == 40
    assert learnt((0.0, 119, 60.0), (10.0, 0, 5.0)).held(10.0) == 0  # from the previous window


@pytest.mark.parametrize(("others", "slower"), [(4, False), (12, True)])
def test_a_few_requests_that_are_not_ours_are_no_other_client(others: int, slower: bool) -> None:
    used = [(i / 2, 120 - i - (others if i > 20 else 0), 60 - i / 2) for i in range(1, 60)]
    assert (learnt(*used).interval > 0.51) is slower


def test_what_others_use_counts_into_the_reserve_and_not_beside_it() -> None:
    used = [(i / 2, 120 - i - (12 if i > 20 else 0), 60 - i / 2) for i in range(1, 60)]
    part = 30.5 / 59.5  # of the window, by its headers
    left = 120 - 59 - 12 - 3 * part
    assert learnt(*used, reserve=0.5).interval == pytest.approx(30.5 / (left - 60 * part))
