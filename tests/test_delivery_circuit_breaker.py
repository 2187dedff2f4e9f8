"""When a run stops by itself, and when one row's problem must not stop the others."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdimport.core.stop import StopReason
from rdimport.delivery.circuit_breaker import (
    DOUBTS_IN_A_ROW,
    SAME_REFUSALS,
    STRETCH,
    TURNED_AWAY,
    CircuitBreaker,
)
from rdimport.destination.verdict import Action, Evidence, decide

NO_REASON: frozenset[tuple[str, str]] = frozenset()
BLANK = frozenset({("rd.cannot_be_blank", "cf_x")})
TAKEN = frozenset({("rd.taken", "email")})


def record(
    circuit: CircuitBreaker, evidence: Evidence, times: int = 1, now: float = 0
) -> list[StopReason | None]:
    return [circuit.record(evidence, NO_REASON, now) for _ in range(times)]


@pytest.mark.parametrize(
    ("evidence", "stop"),
    [
        (Evidence.KEY_REFUSED, StopReason.KEY_REFUSED),
        (Evidence.KEY_OF_CRM, StopReason.KEY_OF_CRM),
        (Evidence.WRONG_ENDPOINT, StopReason.WRONG_ENDPOINT),
        (Evidence.REDIRECTED, StopReason.WRONG_ENDPOINT),
        (Evidence.NOT_TRUSTED, StopReason.CERTIFICATE),
    ],
)
def test_what_every_row_would_meet_stops_the_run_at_once(
    evidence: Evidence, stop: StopReason
) -> None:
    assert record(CircuitBreaker(60), evidence) == [stop]


def test_all_evidence_whose_verdict_is_to_stop_has_a_reason() -> None:
    for evidence in Evidence:
        if decide(evidence).action is Action.STOP or decide(evidence).stops:
            assert record(CircuitBreaker(60), evidence) != [None]


@pytest.mark.parametrize("evidence", [Evidence.NOT_CONNECTED, Evidence.UNAVAILABLE])
def test_an_endpoint_may_be_down_for_as_long_as_we_have_patience(evidence: Evidence) -> None:
    circuit = CircuitBreaker(patience=60)
    assert record(circuit, evidence, now=100) == [None]
    assert record(circuit, evidence, now=159.9) == [None]
    assert record(circuit, evidence, now=160) == [StopReason.ENDPOINT_DOWN]


def test_an_answer_between_two_failures_begins_the_patience_anew() -> None:
    circuit = CircuitBreaker(patience=60)
    record(circuit, Evidence.NOT_CONNECTED, now=0)
    record(circuit, Evidence.ACCOUNT_QUOTA, now=59)
    assert record(circuit, Evidence.NOT_CONNECTED, now=61) == [None]
    assert record(circuit, Evidence.NOT_CONNECTED, now=121) == [StopReason.ENDPOINT_DOWN]


@pytest.mark.parametrize("before", [0, 1, 200, 300_000])
def test_several_doubts_in_a_row_stop_a_run_that_was_clear_before(before: int) -> None:
    circuit = CircuitBreaker(60)
    record(circuit, Evidence.ACCEPTED, before)
    found = record(circuit, Evidence.SERVER_FAILED, DOUBTS_IN_A_ROW)
    assert found == [None] * (DOUBTS_IN_A_ROW - 1) + [StopReason.ENDPOINT_UNCLEAR]


def test_where_losses_were_scattered_before_half_of_a_stretch_has_to_be_in_doubt() -> None:
    circuit = CircuitBreaker(60)
    for _ in range(20):
        assert record(circuit, Evidence.NOT_ANSWERED) + record(circuit, Evidence.ACCEPTED, 19) == (
            [None] * 20
        )
    found = record(circuit, Evidence.NOT_ANSWERED, STRETCH)
    assert found.index(StopReason.ENDPOINT_UNCLEAR) in (STRETCH // 2 - 2, STRETCH // 2 - 1)


def test_every_second_row_in_doubt_stops_the_run() -> None:
    circuit = CircuitBreaker(60)
    found = [record(circuit, e)[0] for e in [Evidence.ACCEPTED, Evidence.SERVER_FAILED] * STRETCH]
    assert StopReason.ENDPOINT_UNCLEAR in found


@pytest.mark.parametrize("between", [Evidence.NOT_CONNECTED, Evidence.ACCOUNT_QUOTA])
def test_attempts_that_the_endpoint_did_not_read_do_not_separate_doubts(between: Evidence) -> None:
    circuit = CircuitBreaker(60)
    found = [
        record(circuit, e)[0] for e in [Evidence.SERVER_FAILED, *[between] * 9] * DOUBTS_IN_A_ROW
    ]
    assert StopReason.ENDPOINT_UNCLEAR in found


@pytest.mark.parametrize("share", [0.01, 0.03, 0.05])
@pytest.mark.parametrize("lost", ["noticed at once", "noticed together, late"])
@pytest.mark.parametrize("seed", range(3))
def test_scattered_losses_never_stop_a_run_whatever_the_order_in_which_they_are_noticed(
    share: float, lost: str, seed: int
) -> None:
    rng = random.Random(seed)  # noqa: S311
    rows = [(n, rng.random() < share) for n in range(5_000)]
    answers = {False: Evidence.ACCEPTED, True: Evidence.NOT_ANSWERED}
    circuit, late = CircuitBreaker(60), list[int]()
    for block in range(0, len(rows), 500):
        noticed = sorted(rows[block : block + 500], key=lambda row: not row[1])
        for number, doubt in noticed:
            if doubt and lost != "noticed at once":
                late.append(number)
            else:
                assert circuit.record(answers[doubt], NO_REASON, 0, number) is None
    assert not any(circuit.record(Evidence.NOT_ANSWERED, NO_REASON, 0, number) for number in late)


def test_rows_that_all_wait_in_vain_stop_the_run_as_soon_as_five_are_noticed() -> None:
    circuit = CircuitBreaker(60)
    for number in range(1_000):
        circuit.record(Evidence.ACCEPTED, NO_REASON, 0, number)
    found = [circuit.record(Evidence.NOT_ANSWERED, NO_REASON, 60, 1_000 + n) for n in range(5)]
    assert found[-1] is StopReason.ENDPOINT_UNCLEAR


def test_the_first_fifty_rows_refused_for_the_same_reason_stop_the_run() -> None:
    circuit = CircuitBreaker(60)
    found = [circuit.record(Evidence.ROW_REFUSED, BLANK, 0) for _ in range(SAME_REFUSALS)]
    assert found == [None] * (SAME_REFUSALS - 1) + [StopReason.ALL_REFUSED]


def test_two_different_reasons_are_the_rows_own_trouble() -> None:
    circuit = CircuitBreaker(60)
    circuit.record(Evidence.ROW_REFUSED, TAKEN, 0)
    assert not any(circuit.record(Evidence.ROW_REFUSED, BLANK, 0) for _ in range(200))


def test_refusals_never_stop_a_run_that_had_a_row_accepted() -> None:
    circuit = CircuitBreaker(60)
    record(circuit, Evidence.ACCEPTED)
    assert not any(circuit.record(Evidence.ROW_REFUSED, BLANK, 0) for _ in range(200))


@pytest.mark.parametrize(
    ("evidence", "stop"),
    [
        (Evidence.ACCOUNT_QUOTA, StopReason.ACCOUNT_QUOTA),
        (Evidence.LEAD_QUOTA, StopReason.LEAD_QUOTA),
    ],
)
def test_a_quota_that_stays_used_up_stops_the_run_unless_a_row_is_read_in_between(
    evidence: Evidence, stop: StopReason
) -> None:
    circuit = CircuitBreaker(60)
    assert record(circuit, evidence, TURNED_AWAY - 1) == [None] * (TURNED_AWAY - 1)
    assert record(circuit, Evidence.ACCEPTED) == [None]
    assert record(circuit, evidence, TURNED_AWAY) == [None] * (TURNED_AWAY - 1) + [stop]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([Evidence.ROW_REFUSED, Evidence.ROW_TOO_LARGE, Evidence.LEAD_QUOTA]),
            st.sampled_from([BLANK, TAKEN]),
        ),
        max_size=TURNED_AWAY - 1,
    )
)
def test_rows_with_trouble_of_their_own_stop_nothing_once_one_passed(
    answers: list[tuple[Evidence, frozenset[tuple[str, str]]]],
) -> None:
    circuit = CircuitBreaker(patience=1)
    record(circuit, Evidence.ACCEPTED)
    for now, (evidence, reasons) in enumerate(answers):
        assert circuit.record(evidence, reasons, now) is None
