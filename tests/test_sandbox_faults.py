"""The faults that a sandbox is asked to make."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.endpoint import JSON_HEADERS, EndpointInMemory

from rdimport.core.errors import UsageError
from rdimport.destination.verdict import Evidence
from rdimport.sandbox import Faults
from rdimport.sandbox.endpoint import CONVERSIONS, Call
from rdimport.sandbox.faults import FAULT_TEXTS, Fault, FaultInjector


def test_a_fault_is_written_as_a_share_a_time_or_a_number() -> None:
    faults = Faults.parse(["reset-after=5%", "latency=200ms", "slow=0.5s", "cut=.1", "skip=3"])
    assert faults == Faults(reset_after=0.05, latency=0.2, slow=0.5, cut=0.1, skip=3)
    assert Faults.of(faults.as_dict()) == faults


@pytest.mark.parametrize(
    "text", ["boom=1", "cut", "cut=x", "cut=-1", "cut=2", "cut=5s", "skip=1.5", "latency=5%"]
)
def test_a_fault_that_cannot_be_understood_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        Faults.parse([text])


@given(st.integers(0, 1_000), st.floats(0.1, 0.5), st.floats(0.1, 0.5))
def test_the_same_seed_draws_the_same_faults(seed: int, cut: float, odd: float) -> None:
    faults = Faults(cut=cut, odd=odd)
    one, two = FaultInjector(faults, seed), FaultInjector(faults, seed)
    assert [one.draw() for _ in range(50)] == [two.draw() for _ in range(50)]


@pytest.mark.parametrize("fault", list(Fault))
def test_a_share_of_one_is_every_request_and_has_its_sentence(fault: Fault) -> None:
    injector = FaultInjector(Faults(**{fault.value: 1.0}))
    assert {injector.draw() for _ in range(100)} == {fault}
    assert FAULT_TEXTS[fault]


def test_faults_begin_after_those_that_are_skipped_and_end_at_their_number() -> None:
    injector = FaultInjector(Faults(cut=1.0, skip=2, at_most=3))
    assert [injector.draw() for _ in range(7)] == [None, None, *[Fault.CUT] * 3, None, None]


@pytest.mark.parametrize(
    ("fault", "evidence"),
    [
        (Fault.THROTTLE, Evidence.ACCOUNT_QUOTA),
        (Fault.THROTTLE_LEAD, Evidence.LEAD_QUOTA),
        (Fault.UNAVAILABLE, Evidence.UNAVAILABLE),
        (Fault.FAIL_BEFORE, Evidence.SERVER_FAILED),
        (Fault.ODD, Evidence.UNKNOWN_ANSWER),
        (Fault.CRM, Evidence.KEY_OF_CRM),
    ],
)
def test_a_forged_answer_is_what_our_reader_would_get_from_rd_and_stores_nothing(
    fault: Fault, evidence: Evidence
) -> None:
    workspace = EndpointInMemory()
    call = Call("POST", CONVERSIONS, f"api_key={workspace.key.secret}", JSON_HEADERS, b"{}")
    assert workspace.evidence(workspace.endpoint.answer(call, fault)) is evidence
    assert workspace.endpoint.counts.accepted == 0
    assert tuple(workspace.store.rows("SELECT reason, detail FROM refusal")[0]) == ("fault", fault)
