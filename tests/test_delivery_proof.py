"""A few seeds of the proof, and a test of the checker: it finds each false statement."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from proof.__main__ import play_all
from proof.books import Start
from proof.checker import Checker, Ended
from proof.competition import ACTS, MOMENTS, TO_ALL
from proof.endpoint import AMBIGUOUS, NOT_NOW, Endpoint, Fault, Receipt
from proof.group import sent_over
from proof.losses import BETWEEN, LOSSES
from proof.oracle import NEVER, Known, Past, again, ends, wanted, wish
from proof.rows import Key, Row, Sheet, canonical, merged
from proof.scenario import (
    LISTS,
    RESENDS,
    SIGNALS,
    WRONG_KEYS,
    Interruption,
    Round,
    Rules,
    Scenario,
    scenario,
)
from proof.verdicts import Verdict, keep, kept, kind_of
from proof.whole import parts
from support.command import without_coverage

from rdimport.core.row import State
from rdimport.ledger import (
    Counters,
    Outcome,
    RowResult,
    RunRecord,
    SendAttempt,
    store_of,
)

IN_FULL = (1_038,)
"""Seeds whose commands are started as a user types them; the others are forked."""
QUICK = (1_053, 1_229, 1_285, 1_311)
AS_MAKE = 1_016
"""Played by the program that `make` starts."""
SHARED = (1_008,)
"""Played with a ledger in PostgreSQL."""
PEOPLE = (Row("p1@exemplo.com.br", "x"), Row("p2@exemplo.com.br", "x"))
ANA, BIA = (Key("a", "Prova", row.email) for row in PEOPLE)
SENT = {key: canonical(row.payload("Prova")) for key, row in zip((ANA, BIA), PEOPLE, strict=True)}
KILLED = Round({}, Interruption("kill", "", 1, 0.0))


@pytest.mark.long
@pytest.mark.parametrize("seeds", [IN_FULL, QUICK])
def test_no_row_is_lost_or_sent_twice_and_every_statement_is_true(seeds: tuple[int, ...]) -> None:
    verdicts = asyncio.run(play_all(seeds, jobs=2, quick=seeds == QUICK))
    assert [untruth for verdict in verdicts for untruth in verdict.untruths] == []
    assert sum(verdict.counts["runs"] for verdict in verdicts) >= 2 * len(seeds)


def test_no_row_is_sent_twice_by_machines_that_compete_for_one_ledger() -> None:
    (verdict,) = asyncio.run(play_all(SHARED, jobs=1, quick=True, shared=True))
    assert verdict.untruths == []
    assert verdict.counts["runs that competed"] >= 2


def test_a_proof_goes_on_after_the_seeds_whose_verdicts_were_kept(tmp_path: Path) -> None:
    log = tmp_path / "stories.jsonl"
    for seed, untruths in ((3, []), (4, ["run 1: p1, known as x, was not sent"])):
        keep(log, Verdict(seed, untruths, Counter(runs=2), Counter(accept=1)))
    with log.open("a", encoding="utf-8") as lines:
        lines.write('{"seed": 5, "untruths": [')  # the proof was killed here
    found = kept(log)
    assert [(one.seed, len(one.untruths), one.counts["runs"]) for one in found.values()] == [
        (3, 0, 2),
        (4, 1, 2),
    ]
    assert [kind_of(text) for text in (*found[4].untruths, "x was sent again after: reset")] == [
        "lost",
        "sent twice unasked",
    ]
    assert kept(tmp_path / "none") == {}


def test_the_whole_proof_has_each_part_of_the_promise() -> None:
    folder = Path(__file__).parents[1]
    words = [word for part in parts(7, 20).values() for word in part.args]
    files = [folder / word for word in words if word.endswith(".py")]
    assert len(files) >= 6
    assert all(file.exists() for file in files)
    assert {"tests.proof", "tests.proof.fleet", "postgres", "hypothesis"} <= set(words)


@pytest.mark.parametrize(
    "words",
    [
        ("tests.proof", "--quick", "--first", str(AS_MAKE), "--seeds", "1"),
        ("tests.proof.fleet", "--help"),
        ("tests.proof.whole", "--help"),
    ],
)
def test_each_part_of_the_proof_starts_as_make_starts_it(words: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=Path(__file__).parents[1],
        env=without_coverage(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_seed_always_makes_the_same_scenario() -> None:
    for seed in range(1_000, 1_010):
        assert scenario(seed) == scenario(seed)
        assert scenario(seed, shared=True) == scenario(seed, shared=True)


def test_the_seeds_of_the_full_proof_let_everything_befall_machines_that_compete() -> None:
    plans = [scenario(seed, shared=True) for seed in range(300)]
    found = [turn.competition for plan in plans for turn in plan.rounds if turn.competition]
    assert len(found) >= len(plans)
    assert {len(one.waits) for one in found} == {2, 3, 4}
    perils = {(peril.act, peril.moment) for one in found for peril in one.perils}
    assert perils == {(act, moment) for act in ACTS for moment in MOMENTS}
    assert {blow.kind for one in found for blow in one.blows} == set(TO_ALL)
    assert sum(one.fails_over for one in found) >= 20
    assert sum(plan.pooled for plan in plans) >= 60
    assert all(plan.rounds[-1].competition is None for plan in plans)


def test_the_seeds_of_the_full_proof_try_every_fault_and_every_wish() -> None:
    rounds = [turn for seed in range(300) for turn in scenario(seed).rounds]
    assert {fault for turn in rounds for fault, rate in turn.rates.items() if rate} >= (
        AMBIGUOUS | NOT_NOW | {Fault.REFUSE}
    )
    assert {turn.resend for turn in rounds} == {(), *RESENDS}
    assert {turn.files for turn in rounds} >= {LISTS, LISTS[::-1], LISTS[:1], LISTS[1:]}


@pytest.mark.parametrize("seeds", [(*IN_FULL, *QUICK, AS_MAKE), range(300)])
def test_the_seeds_try_all_that_a_story_can_have(seeds: Sequence[int]) -> None:
    rounds = [turn for seed in seeds for turn in scenario(seed).rounds]
    kinds = {turn.interruption.kind for turn in rounds if turn.interruption}
    assert set(SIGNALS) <= kinds
    assert kinds & set(LOSSES)
    assert {state for turn in rounds for state in turn.resend} == set(WAS)
    assert any(turn.resend and not turn.calm for turn in rounds)
    assert {turn.rules.on_duplicate for turn in rounds} == {"first", "last", "merge"}
    assert {turn.rules.on_change for turn in rounds} == {"skip", "send"}
    assert {turn.rules.identifier for turn in rounds} == {"Prova", "Prova dois"}
    kinds = {edit.kind for turn in rounds for edit in turn.edits}
    assert kinds == {"rename", "correct", "restore", "grow", "double", "drop"}
    assert any(scenario(seed).upgraded for seed in seeds)
    assert {turn.user for turn in rounds} == {"ana", "bia"}
    names = "second purge way_back again beside canary limit file_size max_duration"
    for name in f"{names} lost wrong_key second_key".split():
        assert any(getattr(turn, name) for turn in rounds), name
    assert any(len(turn.files) > 1 for turn in rounds)


def test_the_seeds_of_the_full_proof_lose_the_ledger_and_mistake_the_key_in_every_way() -> None:
    rounds = [turn for seed in range(300) for turn in scenario(seed).rounds]
    assert {turn.lost for turn in rounds} == {"", *BETWEEN}
    kinds = {turn.interruption.kind for turn in rounds if turn.interruption}
    assert kinds == {*SIGNALS, *LOSSES}
    assert {turn.wrong_key for turn in rounds} == {"", *WRONG_KEYS}
    assert {turn.ledger for turn in rounds} == {"state", "elsewhere"}


def receipt(
    key: Key, fault: Fault, *, stored: bool = False, uuid: str = "u", text: str = ""
) -> Receipt:
    return Receipt(key, text or SENT[key], 0, fault, stored, uuid, answered=True)


def found(
    folder: Path,
    receipts: list[Receipt],
    ends: dict[Key, State],
    turn: Round = KILLED,
    flying: tuple[Key, ...] = (),
    *,
    process: int = os.getpid(),
) -> list[str]:
    """What the checker finds for a ledger with these ends, and an endpoint with these receipts.
    `process` is that of the run in the ledger.
    """
    plan = Scenario(0, {"list.csv": PEOPLE}, ["--concurrency", "2"], [turn], 0)
    with store_of(folder / "state").open() as ledger:
        run = ledger.start_run("r", "there", datetime.now(UTC), RunRecord(account="a"))
        run.record_rows(2, 0, ())
        for number, key in enumerate((ANA, BIA)):
            row = SendAttempt(bytes([number] * 16), 0, number + 2, "{}")
            if key in ends or key in flying:
                run.apply([row], [], Counters())
            if key in ends:
                known = "u" if ends[key] is State.ACCEPTED else ""
                end = RowResult(row, Outcome(0, row.row, ends[key]), known)
                run.apply([], [end], Counters())
    endpoint = Endpoint(Random(0), {"key": "a"}, receipts=receipts)  # noqa: S311
    start = Start(0, turn, [Sheet("list.csv", PEOPLE)], os.getpid())
    checker = Checker(plan, endpoint, folder, {process: start})
    checker.after([(start, Ended(-9, None, "", hung=False, interrupted=turn.interruption))])
    return checker.untruths


def test_the_checker_has_nothing_to_say_of_the_truth(tmp_path: Path) -> None:
    receipts = [
        receipt(ANA, Fault.ACCOUNT),
        receipt(ANA, Fault.ACCEPT, stored=True),
        receipt(BIA, Fault.CUT_STORED, stored=True),
    ]
    assert found(tmp_path, receipts, {ANA: State.ACCEPTED, BIA: State.UNCERTAIN}) == []


OTHER = canonical(Row("p1@exemplo.com.br", "somebody else").payload("Prova"))
LIES: dict[str, tuple[list[Receipt], dict[Key, State], str]] = {
    "arrived twice": (
        [receipt(ANA, Fault.ACCEPT, stored=True)] * 2,
        {ANA: State.ACCEPTED},
        "sent again after: accept",
    ),
    "sent again after doubt": (
        [receipt(ANA, Fault.FAIL_UNSTORED), receipt(ANA, Fault.ACCEPT, stored=True)],
        {ANA: State.ACCEPTED},
        "sent again after",
    ),
    "sent, and not in the list": (
        [Receipt(Key("a", "Prova", "p3@exemplo.com.br"), "{}", 0, Fault.ACCOUNT, False, "", True)],
        {},
        "is not in the input",
    ),
    "sent with other values": (
        [receipt(ANA, Fault.ACCEPT, stored=True, text=OTHER)],
        {ANA: State.ACCEPTED},
        "was sent as",
    ),
    "accepted, never arrived": ([], {ANA: State.ACCEPTED}, "was never sent"),
    "accepted, another's receipt": (
        [receipt(ANA, Fault.ACCEPT, stored=True, uuid="v")],
        {ANA: State.ACCEPTED},
        "met ['accept']",
    ),
    "refused, but arrived": (
        [receipt(ANA, Fault.CUT_STORED, stored=True)],
        {ANA: State.REFUSED},
        "is Known(state='refused'",
    ),
    "arrived, and forgotten": (
        [receipt(ANA, Fault.ACCEPT, stored=True)],
        {},
        "is Known(state=''",
    ),
    "sent, and forgotten": ([receipt(ANA, Fault.HANG_UNSTORED)], {}, "is Known(state=''"),
}


@pytest.mark.parametrize("lie", LIES)
def test_the_checker_finds_the_lie(lie: str, tmp_path: Path) -> None:
    receipts, ends, expected = LIES[lie]
    untruths = found(tmp_path, receipts, ends)
    assert any(expected in untruth for untruth in untruths), untruths


def test_the_checker_says_after_which_run_it_found_one_that_it_does_not_know(
    tmp_path: Path,
) -> None:
    untruths = found(tmp_path, [], {}, process=0)
    assert "seed 0, run 0: run r was at work, though another one was" in untruths


def test_the_checker_misses_rows_that_went_beyond_the_limit_or_were_left_on_their_way(
    tmp_path: Path,
) -> None:
    met = [receipt(key, Fault.ACCEPT, stored=True) for key in (ANA, BIA)]
    ends = dict.fromkeys((ANA, BIA), State.ACCEPTED)
    untruths = found(tmp_path / "limit", met, ends, replace(KILLED, limit=1))
    assert any("2 rows were sent, not 1" in untruth for untruth in untruths)
    untruths = found(tmp_path / "left", met, {ANA: State.ACCEPTED}, Round({}), flying=(BIA,))
    assert any("1 rows are left on their way" in untruth for untruth in untruths)


WAS = {
    state: Known(state, "u" * (state == "accepted"), 0)
    for state in ("accepted", "refused", "uncertain")
}
MET = {"accepted": Fault.ACCEPT, "refused": Fault.REFUSE, "uncertain": Fault.RESET_STORED}


@pytest.mark.parametrize("state", WAS)
def test_the_oracle_lets_a_known_row_go_only_where_that_was_asked_for(state: str) -> None:
    row = PEOPLE[0].payload("Prova")
    history = [receipt(ANA, MET[state])]
    for asked in ("accepted", "refused", "uncertain"):
        want = wanted(Round({}, resend=(asked,)), WAS[state], history, [row], set())
        assert (bool(want.may), want.must) == (asked == state, asked == state)
        begun = wanted(Round({}, resend=(asked,)), WAS[state], history, [row], {0})
        assert not begun.may, "this wish has had its turn"


@pytest.mark.parametrize("state", WAS)
def test_the_oracle_lets_a_changed_row_go_where_it_was_refused_or_the_mapping_says_so(
    state: str,
) -> None:
    changed = PEOPLE[0]._replace(name="y").payload("Prova")
    for change in ("skip", "send"):
        turn = Round({}, rules=Rules(on_change=change))
        want = wanted(turn, WAS[state], [receipt(ANA, MET[state])], [changed], set())
        new = state == "refused" or (state == "accepted" and change == "send")
        assert (want.may, want.must) == ({canonical(changed)} if new else set(), new)


def test_the_oracle_lets_competitors_send_another_row_of_a_person_and_never_the_same_again() -> (
    None
):
    rows = [PEOPLE[0]._replace(name=name).payload("Prova") for name in ("a", "b")]
    a, b = map(canonical, rows)
    taken = receipt(ANA, Fault.ACCEPT, stored=True, text=a)
    denied = receipt(ANA, Fault.REFUSE, uuid="", text=b)
    lost = receipt(ANA, Fault.RESET_STORED, stored=True, text=a)
    lost.answered = False
    sends = Round({}, rules=Rules("last", "send"))
    assert again(sends, [taken], [], rows) == {b}
    assert again(sends, [taken, denied], [], rows) == set()
    assert again(sends, [denied], [], rows) == {a}
    assert again(Round({}), [taken], [], rows) == set()
    assert again(sends, [lost], [], rows) == set()
    assert again(sends, [receipt(ANA, Fault.ACCOUNT)], [], rows) is None
    refused = Known("refused", "", 0)
    assert ends(refused, [taken, denied], 0, strict=True) == {Known("accepted", "u", 0)}


def test_only_requests_after_an_accepted_one_may_take_a_conversion_from_its_run() -> None:
    a, b = (receipt(ANA, Fault.ACCEPT, stored=True, text=text) for text in "ab")
    denied = receipt(ANA, Fault.REFUSE, uuid="")
    assert sent_over({ANA: [a], BIA: [denied, a]}) == 0
    assert sent_over({ANA: [a, b], BIA: [denied, a, b]}) == 2
    assert sent_over({ANA: [denied, denied]}) == 0


def test_the_oracle_chooses_among_rows_of_one_conversion_as_the_mapping_says() -> None:
    rows = [PEOPLE[0]._replace(name=n, tags=t).payload("Prova") for n, t in (("a", "x"), ("b", ""))]
    both = {**rows[1], "tags": ["x"]}
    for rule, sent in (("first", rows[0]), ("last", rows[1]), ("merge", both)):
        want = wanted(Round({}, rules=Rules(rule)), NEVER, [], rows, set())
        assert want.may == {canonical(sent)}
    assert merged(rows) == both


def test_a_wish_ends_only_with_a_run_of_it_that_had_all_its_files() -> None:
    asked, a, b = ("accepted",), frozenset({"a.csv"}), frozenset({"b.csv"})
    past = [
        Past(0, asked, a | b, ended=True),
        Past(1, asked, a, ended=False),
        Past(2, (), a, ended=True),
        Past(3, asked, b, ended=True),
    ]
    assert wish(past, asked, a) == {1}
    assert wish(past, asked, b) == set()
    assert wish(past, ("refused",), a) == wish(past, (), a) == set()
