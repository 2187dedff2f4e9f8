"""The tests of a shared ledger notice what they are for: each mutated statement is found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
import test_ledger_claims as claims
from support.claims import end_all, new_ledger
from support.postgres import Server

from rdimport.ledger.postgres import statements
from rdimport.ledger.postgres.session import Session
from rdimport.ledger.postgres.writes import Writes
from rdimport.ledger.records import SendAttempt

SWAP = "c.state = 9 OR (c.attempt = excluded.attempt - 1 AND c.state = excluded.was)"
TURN = "JOIN rdimport.lease l ON l.quota = %(quota)s AND l.epoch = %(epoch)s"
ATTEMPT = (
    "AND c.attempt = (%(attempts)s::int[])[width_bucket(c.identity, %(identities)b::bytea[])]\n"
    "    AND c.run = %(run)s"
)


class Mutant(NamedTuple):
    """A text in some statements that is replaced, and the test that must then fail."""

    statements: str
    text: str
    instead: str
    proof: Callable[[str], None]


MUTANTS = {
    "claim without the attempt": Mutant(
        "CLAIM",
        SWAP,
        "c.state <> 0",
        claims.test_a_row_that_changed_since_the_plan_looked_is_not_sent,
    ),
    "claim of what is on its way": Mutant(
        "CLAIM",
        SWAP,
        "true",
        claims.test_of_four_that_want_the_same_rows_again_at_once_one_gets_each,
    ),
    "claim without the turn": Mutant(
        "CLAIM",
        TURN,
        "CROSS JOIN (SELECT %(epoch)s::bigint AS epoch) l",
        claims.test_a_run_that_was_taken_over_claims_nothing_and_its_late_answers_settle_doubt,
    ),
    "an end that revives another attempt": Mutant(
        "WRITE REVERT",
        ATTEMPT,
        "",
        claims.test_evidence_of_an_earlier_attempt_says_nothing_of_a_later_one,
    ),
    "a take-over that ignores the epoch": Mutant(
        "RECOVER",
        "AND c.epoch < %(epoch)s",
        "AND %(epoch)s > 0",
        claims.test_another_run_of_the_same_lease_leaves_alone_what_is_in_flight,
    ),
    "rows in flight that are not noted": Mutant(
        "WRITE",
        "flying = %(flying)s,",
        "flying = '',",
        claims.test_a_run_that_was_taken_over_claims_nothing_and_its_late_answers_settle_doubt,
    ),
    "late claims that stay unseen": Mutant(
        "DOUBT_LATE",
        "AND c.epoch < %(epoch)s",
        "AND c.epoch > %(epoch)s",
        claims.test_a_claim_that_was_committed_after_the_take_over_is_in_doubt_for_the_next,
    ),
    "a refusal that undoes an arrival": Mutant(
        "REFUSE",
        "THEN c.was ELSE 3 END",
        "THEN 3 ELSE 3 END",
        claims.test_a_refusal_does_not_undo_that_a_conversion_arrived,
    ),
}


@pytest.fixture
def url(postgres: Server) -> Iterator[str]:
    yield new_ledger(postgres)
    end_all()


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_a_spoilt_statement_is_found_out(
    url: str, mutant: Mutant, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in mutant.statements.split():
        whole = getattr(statements, name)
        assert mutant.text in whole
        monkeypatch.setattr(statements, name, whole.replace(mutant.text, mutant.instead))
    with pytest.raises(AssertionError):
        mutant.proof(url)


def test_rows_that_leave_before_their_claim_is_known_are_found_out(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled = Writes._settled

    def hasty(self: Writes, write: Any, claimed: dict[bytes, int]) -> list[SendAttempt]:
        settled(self, write, claimed)
        return list(write.begun)

    monkeypatch.setattr(Writes, "_settled", hasty)
    with pytest.raises(AssertionError):
        claims.test_of_four_that_want_the_same_rows_again_at_once_one_gets_each(url)


def test_a_warning_at_a_commit_that_is_ignored_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Session, "committed", lambda _self: None)
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        claims.test_a_commit_that_a_standby_did_not_confirm_lets_no_row_leave()
