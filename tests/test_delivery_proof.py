"""A few seeds of the proof, and the proof of the checker: it finds each lie that is told to it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from proof.__main__ import play_all
from proof.checker import Checker, Ended
from proof.endpoint import AMBIGUOUS, NOT_NOW, Endpoint, Fault, Receipt
from proof.scenario import Round, Scenario, scenario

from rdimport.ledger import Counters, Ledger, Outcome, Outgoing, Settled
from rdimport.row import State

SEEDS = range(1_000, 1_006)
ANA, BIA = "p1@exemplo.com.br", "p2@exemplo.com.br"


def test_no_row_is_lost_none_sent_twice_and_nothing_told_untruly() -> None:
    verdicts = asyncio.run(play_all(SEEDS, jobs=2))
    assert [untruth for verdict in verdicts for untruth in verdict.untruths] == []
    assert sum(verdict.counts["runs"] for verdict in verdicts) >= 2 * len(SEEDS)
    assert sum(verdict.counts["kill"] for verdict in verdicts) >= 1


def test_a_seed_always_makes_the_same_scenario() -> None:
    for seed in SEEDS:
        assert scenario(seed) == scenario(seed)


def test_the_seeds_of_the_full_proof_try_every_fault_and_every_interruption() -> None:
    rounds = [turn for seed in range(300) for turn in scenario(seed).rounds]
    assert {fault for turn in rounds for fault, rate in turn.rates.items() if rate} >= (
        AMBIGUOUS | NOT_NOW | {Fault.REFUSE}
    )
    signals = {turn.interruption.kind for turn in rounds if turn.interruption is not None}
    assert signals == {"kill", "stop", "stop twice"}


def receipt(email: str, fault: Fault, *, stored: bool = False, token: str = "u") -> Receipt:  # noqa: S107
    return Receipt(email, "x", 0, fault, stored, token, answered=True)


def found(folder: Path, receipts: list[Receipt], ends: dict[str, State]) -> list[str]:
    """What the checker says of a ledger with these ends, and an endpoint that saw these."""
    plan = Scenario(0, [(ANA, "x"), (BIA, "x")], ["--concurrency", "2"], [Round({})], 0, [ANA, BIA])
    with Ledger.open(folder / "state") as ledger:
        run = ledger.start_run("r", "there", datetime.now(UTC), {"account": "a"})
        run.record_rows(2, 0, ())
        for number, email in enumerate((ANA, BIA)):
            if email in ends:
                row = Outgoing(bytes([number] * 16), 0, number + 2, "{}")
                run.apply([row], [], Counters())
                end = Settled(row, Outcome(0, row.row, ends[email]), "u")
                run.apply([], [end], Counters())
    endpoint = Endpoint(Random(0), "key", receipts=receipts)  # noqa: S311
    checker = Checker(plan, endpoint, folder, "key")
    killed = scenario(next(s for s in range(99) if scenario(s).rounds[0].interruption))
    ended = Ended(-9, None, "", hung=False, interrupted=killed.rounds[0].interruption)
    checker.after_round(0, Round({}), ended)
    return checker.untruths


def test_the_checker_has_nothing_to_say_of_the_truth(tmp_path: Path) -> None:
    receipts = [
        receipt(ANA, Fault.ACCOUNT),
        receipt(ANA, Fault.ACCEPT, stored=True),
        receipt(BIA, Fault.CUT_STORED, stored=True),
    ]
    assert found(tmp_path, receipts, {ANA: State.ACCEPTED, BIA: State.UNCERTAIN}) == []


LIES: dict[str, tuple[list[Receipt], dict[str, State], str]] = {
    "arrived twice": (
        [receipt(ANA, Fault.ACCEPT, stored=True)] * 2,
        {ANA: State.ACCEPTED},
        "arrived 2 times",
    ),
    "sent again after doubt": (
        [receipt(ANA, Fault.FAIL_UNSTORED), receipt(ANA, Fault.ACCEPT, stored=True)],
        {ANA: State.ACCEPTED},
        "sent again after",
    ),
    "accepted, never arrived": ([], {ANA: State.ACCEPTED}, "did not arrive"),
    "accepted, another's receipt": (
        [receipt(ANA, Fault.ACCEPT, stored=True, token="v")],
        {ANA: State.ACCEPTED},
        "did not arrive",
    ),
    "refused, but arrived": (
        [receipt(ANA, Fault.CUT_STORED, stored=True)],
        {ANA: State.REFUSED},
        "called refused, but arrived",
    ),
    "arrived, and forgotten": (
        [receipt(ANA, Fault.ACCEPT, stored=True)],
        {},
        "called unsent",
    ),
    "sent, and forgotten": ([receipt(ANA, Fault.HANG_UNSTORED)], {}, "called unsent"),
}


@pytest.mark.parametrize("lie", LIES)
def test_the_checker_finds_the_lie(lie: str, tmp_path: Path) -> None:
    receipts, ends, told = LIES[lie]
    untruths = found(tmp_path, receipts, ends)
    assert any(told in untruth for untruth in untruths), untruths
