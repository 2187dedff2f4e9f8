"""When a run stops by itself, and when one row's trouble must not stop the others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdimport.core.stop import StopReason
from rdimport.delivery.circuit_breaker import (
    DOUBTS_IN_A_ROW,
    SAME_REFUSALS,
    TURNED_AWAY,
    CircuitBreaker,
)
from rdimport.destination.verdict import Action, Evidence, judge

NO_REASON: frozenset[tuple[str, str]] = frozenset()
BLANK = frozenset({("rd.cannot_be_blank", "cf_x")})
TAKEN = frozenset({("rd.taken", "email")})


def saw(
    circuit: CircuitBreaker, evidence: Evidence, times: int = 1, now: float = 0
) -> list[StopReason | None]:
    return [circuit.saw(evidence, NO_REASON, now) for _ in range(times)]


@pytest.mark.parametrize(
    ("evidence", "stop"),
    [
        (Evidence.KEY_REFUSED, StopReason.KEY_REFUSED),
        (Evidence.KEY_OF_CRM, StopReason.KEY_OF_CRM),
        (Evidence.WRONG_ENDPOINT, StopReason.WRONG_ENDPOINT),
    ],
)
def test_what_every_row_would_meet_stops_the_run_at_once(
    evidence: Evidence, stop: StopReason
) -> None:
    assert saw(CircuitBreaker(60), evidence) == [stop]


def test_all_evidence_whose_verdict_is_to_stop_has_a_reason() -> None:
    for evidence in Evidence:
        if judge(evidence).action is Action.STOP:
            assert saw(CircuitBreaker(60), evidence) != [None]


@pytest.mark.parametrize("evidence", [Evidence.NOT_CONNECTED, Evidence.UNAVAILABLE])
def test_an_endpoint_may_be_down_for_as_long_as_we_have_patience(evidence: Evidence) -> None:
    circuit = CircuitBreaker(patience=60)
    assert saw(circuit, evidence, now=100) == [None]
    assert saw(circuit, evidence, now=159.9) == [None]
    assert saw(circuit, evidence, now=160) == [StopReason.ENDPOINT_DOWN]


def test_an_answer_between_two_failures_begins_the_patience_anew() -> None:
    circuit = CircuitBreaker(patience=60)
    saw(circuit, Evidence.NOT_CONNECTED, now=0)
    saw(circuit, Evidence.ACCOUNT_QUOTA, now=59)
    assert saw(circuit, Evidence.NOT_CONNECTED, now=61) == [None]
    assert saw(circuit, Evidence.NOT_CONNECTED, now=121) == [StopReason.ENDPOINT_DOWN]


def test_several_doubts_in_a_row_stop_the_run_and_one_clear_answer_between_does_not() -> None:
    circuit = CircuitBreaker(60)
    assert saw(circuit, Evidence.SERVER_FAILED, DOUBTS_IN_A_ROW - 1) == [None] * 4
    assert saw(circuit, Evidence.ACCEPTED) == [None]
    assert saw(circuit, Evidence.NOT_ANSWERED, DOUBTS_IN_A_ROW)[-1] is StopReason.ENDPOINT_UNCLEAR


def test_the_first_fifty_rows_refused_for_the_same_reason_stop_the_run() -> None:
    circuit = CircuitBreaker(60)
    found = [circuit.saw(Evidence.ROW_REFUSED, BLANK, 0) for _ in range(SAME_REFUSALS)]
    assert found == [None] * (SAME_REFUSALS - 1) + [StopReason.ALL_REFUSED]


def test_two_different_reasons_are_the_rows_own_trouble() -> None:
    circuit = CircuitBreaker(60)
    circuit.saw(Evidence.ROW_REFUSED, TAKEN, 0)
    assert not any(circuit.saw(Evidence.ROW_REFUSED, BLANK, 0) for _ in range(200))


def test_refusals_never_stop_a_run_that_had_a_row_accepted() -> None:
    circuit = CircuitBreaker(60)
    saw(circuit, Evidence.ACCEPTED)
    assert not any(circuit.saw(Evidence.ROW_REFUSED, BLANK, 0) for _ in range(200))


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
    assert saw(circuit, evidence, TURNED_AWAY - 1) == [None] * (TURNED_AWAY - 1)
    assert saw(circuit, Evidence.ACCEPTED) == [None]
    assert saw(circuit, evidence, TURNED_AWAY) == [None] * (TURNED_AWAY - 1) + [stop]


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
    saw(circuit, Evidence.ACCEPTED)
    for now, (evidence, reasons) in enumerate(answers):
        assert circuit.saw(evidence, reasons, now) is None
