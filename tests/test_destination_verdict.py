"""The decision table: complete, and only what proves that nothing arrived is ever sent again."""

from __future__ import annotations

import pytest

from rdimport.destination.verdict import VERDICTS, Action, Arrived, Evidence, decide

EXPECTED = {
    Evidence.NOT_CONNECTED: (Arrived.NO, Action.RETRY),
    Evidence.NOT_TRUSTED: (Arrived.NO, Action.STOP),
    Evidence.NOT_ANSWERED: (Arrived.UNKNOWN, Action.DOUBT),
    Evidence.ACCEPTED: (Arrived.YES, Action.ACCEPT),
    Evidence.SUCCESS_NOT_UNDERSTOOD: (Arrived.UNKNOWN, Action.DOUBT),
    Evidence.ROW_REFUSED: (Arrived.NO, Action.REFUSE),
    Evidence.ROW_TOO_LARGE: (Arrived.NO, Action.REFUSE),
    Evidence.KEY_REFUSED: (Arrived.NO, Action.STOP),
    Evidence.KEY_OF_CRM: (Arrived.NO, Action.STOP),
    Evidence.WRONG_ENDPOINT: (Arrived.NO, Action.STOP),
    Evidence.REDIRECTED: (Arrived.UNKNOWN, Action.DOUBT),
    Evidence.ACCOUNT_QUOTA: (Arrived.NO, Action.RETRY),
    Evidence.LEAD_QUOTA: (Arrived.NO, Action.PARK),
    Evidence.UNAVAILABLE: (Arrived.NO, Action.RETRY),
    Evidence.SERVER_FAILED: (Arrived.UNKNOWN, Action.DOUBT),
    Evidence.UNKNOWN_ANSWER: (Arrived.UNKNOWN, Action.DOUBT),
}
"""The contract of design.md, written out again by hand."""


@pytest.mark.parametrize("evidence", Evidence)
def test_each_piece_of_evidence_means_what_the_contract_says(evidence: Evidence) -> None:
    line = decide(evidence)
    assert (line.arrived, line.action) == EXPECTED[evidence]


def test_the_table_has_a_line_for_all_evidence_and_no_other() -> None:
    assert set(VERDICTS) == set(Evidence)


@pytest.mark.parametrize("evidence", Evidence)
def test_only_what_proves_that_nothing_arrived_may_be_sent_again(evidence: Evidence) -> None:
    line = decide(evidence)
    if line.action in {Action.RETRY, Action.PARK, Action.STOP, Action.REFUSE}:
        assert line.arrived is Arrived.NO
    if line.arrived is Arrived.UNKNOWN:
        assert line.action is Action.DOUBT


def test_each_line_says_what_was_seen_and_why_that_follows() -> None:
    seen = [line.seen for line in VERDICTS.values()]
    assert len(set(seen)) == len(seen)
    assert all(line.seen and len(line.because) > 10 for line in VERDICTS.values())


@pytest.mark.parametrize("evidence", Evidence)
def test_only_a_redirect_ends_the_run_with_its_row_in_doubt(evidence: Evidence) -> None:
    line = decide(evidence)
    assert line.stops is (evidence is Evidence.REDIRECTED)
    assert line.then == line.action.value + (", and stop" if line.stops else "")
