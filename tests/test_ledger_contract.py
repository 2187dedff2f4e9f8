"""What every kind of ledger does (`ledger.port`): the same tests for each."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import polars as pl
import pytest
from support.ledgers import Place, SqlitePlace
from support.shared_ledgers import PostgresPlace
from support.waiting import until

from rdimport.core.errors import Bug, ExitCode, LedgerBusyError, UsageError
from rdimport.core.people import People
from rdimport.core.row import Problem, State
from rdimport.core.schemas import KNOWN
from rdimport.destination import address
from rdimport.ledger import (
    Attempt,
    ClockRange,
    Complete,
    Corrected,
    Correction,
    Counters,
    Doubt,
    Ending,
    Example,
    Input,
    KeyClaim,
    Ledger,
    LegalBases,
    Minute,
    Names,
    Outcome,
    RowResult,
    Run,
    RunRecord,
    SendAttempt,
    identifier_hash,
)

URL = "https://api.rd.services"
NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
TROUBLE = Problem("rd.invalid", "name", "Nome", "Ana Maria", "Não serve.")


KINDS = ("sqlite", "postgres")
"""Add a new kind of ledger here."""


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An unused place for a ledger, of each kind."""
    if request.param == "sqlite":
        return SqlitePlace(tmp_path)
    return PostgresPlace(request.getfixturevalue("postgres"))


@pytest.fixture(params=KINDS)
def bare_place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """The same without tables, which `place` copies."""
    if request.param == "sqlite":
        return SqlitePlace(tmp_path)
    return PostgresPlace(request.getfixturevalue("postgres"), made=False)


@pytest.fixture
def ledger(place: Place) -> Iterator[Ledger]:
    with place.store.open() as opened:
        yield opened


def row(ledger: Ledger, person: int, payload: str = "", version: int = 0) -> SendAttempt:
    (identity,) = ledger.digests([f"person {person}"])
    return SendAttempt(identity, 0, person, payload or f'{{"n":{person}}}', version=version)


def seen_now(ledger: Ledger, run: Run, person: int, payload: str = "") -> SendAttempt:
    """The row as a plan made now would send it."""
    known = ledger.known(
        run.destination, pl.Series([row(ledger, person).identity], dtype=pl.Binary)
    )
    return row(ledger, person, payload, known["version"][0] if known.height else 0)


def ended(outgoing: SendAttempt, state: State, *problems: Problem) -> RowResult:
    outcome = Outcome(outgoing.file, outgoing.row, state, problems, ("Ana Maria", "x"))
    return RowResult(outgoing, outcome, "uuid" if state is State.ACCEPTED else "")


@contextmanager
def begun(
    place: Place,
    ledger: Ledger,
    name: str = "20261128-120000-aaaa",
    *,
    account: str = "acme",
    key: bytes | None = None,
    sure: bool = False,
    rows: int = 10,
    **said: object,
) -> Iterator[Run]:
    """A run, whose account is held within the block."""
    record = RunRecord(account=account, base_url=URL, **said)  # type: ignore[arg-type]
    key_claim = None if key is None else KeyClaim(key, place.store.is_held, sure)
    with place.store.hold(account) as held:
        run = ledger.start_run(
            name, address.identity(URL, account), NOW, record, key_claim, held=held
        )
        run.record_rows(rows, 0, ())
        yield run


def send(run: Run, person: int, state: State, *problems: Problem, payload: str = "") -> SendAttempt:
    outgoing = seen_now(run.ledger, run, person, payload)
    assert list(run.apply([outgoing], [], Counters(1))) == [outgoing]
    assert not run.apply([], [ended(outgoing, state, *problems)], Counters(1))
    return outgoing


def states(ledger: Ledger, run: Run, people: Sequence[int]) -> dict[int, str]:
    by_identity = {row(ledger, person).identity: person for person in people}
    known = ledger.known(run.destination, pl.Series(list(by_identity), dtype=pl.Binary))
    assert known.schema == pl.Schema(KNOWN)
    return {by_identity[i]: s for i, s in known.select("identity", "state").iter_rows()}


def test_what_is_begun_and_ended_is_known_and_counted(place: Place, ledger: Ledger) -> None:
    with begun(place, ledger) as run:
        assert ledger.is_new(run.destination)
        for person, state in enumerate((State.ACCEPTED, State.REFUSED, State.UNCERTAIN)):
            send(run, person, state, *([] if state is State.ACCEPTED else [TROUBLE]))
        flying = row(ledger, 3)
        run.apply([flying], [], Counters(4))
        counts = run.counts()
        assert counts[State.PENDING] == 6
        assert [counts[s] for s in (State.ACCEPTED, State.REFUSED, State.UNCERTAIN)] == [1, 1, 2]
        assert states(ledger, run, range(5)) == {
            0: "accepted",
            1: "refused",
            2: "uncertain",
            3: "uncertain",
        }
        assert not ledger.is_new(run.destination)
        run.apply([], [flying], Counters(4))  # it did not arrive
        assert 3 not in states(ledger, run, range(5))
        assert list(run.apply([flying], [], Counters(5))) == [flying]


def test_a_row_that_was_never_begun_cannot_end_and_nothing_of_that_write_stays(
    place: Place, ledger: Ledger
) -> None:
    with begun(place, ledger) as run:
        with pytest.raises(Bug, match="never begun"):
            run.apply([row(ledger, 1)], [ended(row(ledger, 2), State.ACCEPTED)], Counters())
        assert states(ledger, run, range(5)) == {}
        assert run.counts()[State.PENDING] == 10


def test_a_later_refusal_does_not_undo_that_a_conversion_arrived(
    place: Place, ledger: Ledger
) -> None:
    with begun(place, ledger) as run:
        send(run, 0, State.ACCEPTED)
        run.finish(NOW, 0, None)
    with begun(place, ledger, "20261128-120000-bbbb") as run:
        send(run, 0, State.REFUSED, TROUBLE, payload='{"n":"other"}')
        assert states(ledger, run, [0]) == {0: "accepted"}
        identities = pl.Series([row(ledger, 0).identity], dtype=pl.Binary)
        (known,) = ledger.known(run.destination, identities).iter_rows(named=True)
        assert known["payload"] == ledger.digests(['{"n":0}'], 8)[0]
        assert known["refused"] == ledger.digests(['{"n":"other"}'], 8)[0]
        assert run.counts()[State.REFUSED] == 1


def test_what_a_killed_run_left_on_its_way_is_in_doubt_for_the_next(
    place: Place, ledger: Ledger
) -> None:
    with begun(place, ledger) as run:
        send(run, 0, State.ACCEPTED)
        run.apply([row(ledger, 1), row(ledger, 2)], [], Counters(3))
        place.crash()
    with (
        place.store.open() as after,
        begun(place, after, "20261128-130000-bbbb") as later,
    ):
        killed = after.run(run.name)
        assert killed.counts()[State.UNCERTAIN] == 2
        assert killed.counts()[State.ACCEPTED] == 1
        assert [end.row for end in killed.failures()] == [1, 2]
        assert killed.problems() == {"uncertain.interrupted": 2}
        assert killed.without_cells() == {0: [1, 2]}
        assert killed.facts().stopped_because == "killed"
        assert states(after, later, range(4)) == {0: "accepted", 1: "uncertain", 2: "uncertain"}


def test_what_one_account_has_on_its_way_is_no_doubt_for_another(
    place: Place, ledger: Ledger
) -> None:
    with begun(place, ledger) as here:
        here.apply([row(ledger, 1)], [], Counters(1))
        with begun(place, ledger, "20261128-120000-bbbb", account="beta") as there:
            assert states(ledger, there, [1]) == {}
            assert list(there.apply([row(ledger, 1)], [], Counters(1)))
        assert here.counts()[State.UNCERTAIN] == 1
        assert not here.apply([], [ended(row(ledger, 1), State.ACCEPTED)], Counters(1))
        assert here.counts()[State.ACCEPTED] == 1


def test_an_account_is_held_by_one_process_and_the_others_are_told_which(place: Place) -> None:
    store = place.store
    with store.open() as ledger, begun(place, ledger):
        assert store.is_held("ACME ")
        assert not store.is_held("beta")
        with pytest.raises(LedgerBusyError, match="acme"), place.store.hold("acme"):
            pass
        with place.store.hold("beta") as other:
            assert other.is_held()
        with store.nobody_at_work() as free:
            assert not free
    assert not store.is_held("acme")
    with store.nobody_at_work() as free:
        assert free


@pytest.mark.parametrize("account", ["acme", "an account that nobody has seen before"])
def test_while_runs_are_blocked_none_begins_not_even_of_a_new_account(
    place: Place, account: str
) -> None:
    with place.store.open(), place.store.hold("acme"):
        pass
    with place.store.nobody_at_work() as free:
        assert free
        with pytest.raises(LedgerBusyError, match=account), place.store.hold(account):
            pass
        with place.store.nobody_at_work() as second:
            assert not second
    with place.store.hold(account), place.store.nobody_at_work() as free:
        assert not free


def test_runs_of_new_accounts_and_a_block_of_runs_exclude_each_other(
    place: Place,
) -> None:
    with place.store.open():
        pass
    at_work, rounds, seen = Counter[str](), 8, Counter[str]()
    together = Barrier(3)

    def take_turns(worker: int) -> None:
        for number in range(rounds):
            together.wait()
            try:
                if worker:
                    with place.store.hold(f"new {worker} {number}"):
                        at_work["runs"] += 1
                        seen["runs"] += 1
                        assert not at_work["alone"]
                        at_work["runs"] -= 1
                else:
                    with place.store.nobody_at_work() as free:
                        at_work["alone"] += free
                        seen["alone"] += free
                        assert not (free and at_work["runs"])
                        at_work["alone"] -= free
            except LedgerBusyError:
                seen["busy"] += 1

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(take_turns, range(3)))
    assert seen["runs"] + seen["busy"] == 2 * rounds


def test_a_ledger_that_is_not_there_is_not_made_by_a_look(bare_place: Place) -> None:
    assert not bare_place.store.is_there()
    assert bare_place.store.if_there() is None
    with bare_place.store.open():
        pass
    assert bare_place.store.is_there()
    with bare_place.store.if_there() or pytest.fail("it is there") as ledger:
        assert ledger.latest(3) == []
        assert ledger.destination("nowhere") is None


def test_runs_are_found_by_their_names(place: Place, ledger: Ledger) -> None:
    with pytest.raises(UsageError, match="contains no run"):
        ledger.run()
    names = [f"20261128-12000{n}-aaaa" for n in range(3)]
    for name in names:
        with begun(place, ledger, name, given=("list.csv",)) as run:
            if name != names[1]:
                found = Ending(read_to_end=True, trouble="net.refused", rules={"idempotent": 2})
                run.finish(NOW, ExitCode.DONE, None, NOW + timedelta(hours=1), found)
    assert ledger.latest(2) == [names[2], names[1]]
    assert ledger.knows_run(names[0])
    assert not ledger.knows_run("20261128-120009-aaaa")
    assert ledger.run().name == names[2]
    assert ledger.run(names[0]).later() == names[2]
    assert ledger.run(names[2]).later() is None
    facts = ledger.run(names[0]).facts()
    assert (facts.exit_code, facts.trouble, dict(facts.rules)) == (
        0,
        "net.refused",
        {"idempotent": 2},
    )
    assert facts.resume_at == (NOW + timedelta(hours=1)).isoformat()
    assert facts.record.given == ("list.csv",)
    assert ledger.run(names[0]).read_to_end(facts)
    with pytest.raises(UsageError, match="nosuch"):
        ledger.run("nosuch")


def test_a_run_that_is_at_work_has_no_end(place: Place, ledger: Ledger) -> None:
    with begun(place, ledger) as run:
        assert ledger.unfinished() == [(run.name, "acme")]
        assert not run.has_sent()
        run.apply([row(ledger, 1)], [], Counters(1))
        assert run.has_sent()
        assert run.has_begun
        assert not run.is_lost
        run.apply([], [ended(row(ledger, 1), State.ACCEPTED)], Counters(1))
        run.finish(NOW, 0, None)
    assert ledger.unfinished() == []


def test_the_figures_of_a_run_are_those_of_its_rows(place: Place, ledger: Ledger) -> None:
    invalid = Problem("email.invalid", "email", "E-mail", "ana@", "")
    suspect = Problem("suspect.name", "name", "Nome", "teste", "")
    with begun(place, ledger) as run:
        run.record_input(0, Input("list.csv", ("Nome", "E-mail"), "utf-8", ";", "", 1, True, "f1"))
        ends = [
            Outcome(0, n, State.INVALID, (invalid,), ("Ana", "ana@"), warnings=(suspect,))
            for n in (7, 8)
        ]
        run.record_rows(0, 3, [*ends, Outcome(0, 9, State.DUPLICATE, instead=(0, 1))], already=1)
        run.count_filled(
            {"email": 4, "name": 2, "legal_bases:granted": 1, "legal_bases:declined": 0}
        )
        run.count_filled({"name": 1})
        run.count_suspects({"suspect.name": 2, "suspect.city": 5})
        send(run, 1, State.ACCEPTED)
        warned = ended(seen_now(ledger, run, 2), State.ACCEPTED)
        run.apply([warned.outgoing], [], Counters(2, 0, 0, 65.0))
        sent_without = warned.outcome._replace(warnings=(suspect,))
        run.apply([], [warned._replace(outcome=sent_without)], Counters(3, 1, 2, 130.0))
        assert run.inputs()[0].columns == ("Nome", "E-mail")
        assert run.inputs()[0].repair
        counts = run.counts()
        assert (counts[State.INVALID], counts[State.DUPLICATE]) == (2, 1)
        assert (counts[State.ACCEPTED], counts[State.ALREADY_IMPORTED]) == (2, 1)
        assert counts[State.PENDING] == 4
        assert run.facts().left_out == 3
        assert run.problems() == {"email.invalid": 2}
        assert run.examples(1) == {"email.invalid": [Example(0, 7, invalid)]}
        assert run.invalid_by_column() == {("email", "E-mail"): 2}
        assert run.warned()
        assert list(run.suspects().items()) == [("suspect.city", 5), ("suspect.name", 2)]
        assert list(run.filled().items()) == [("name", 3), ("email", 4)]
        assert run.legal_bases() == LegalBases(1, 0, 3)
        assert [end.row for end in run.sent_without()] == [2]
        assert [(end.row, end.cells) for end in run.failures()] == [
            (7, ("Ana", "ana@")),
            (8, ("Ana", "ana@")),
        ]
        assert run.accepted(9) == [(0, 1), (0, 2)]
        facts = run.facts()
        assert (facts.requests, facts.retries, facts.throttled) == (3, 1, 2)
        assert run.minutes() == [Minute(0, 1, 0, 1), Minute(1, 1, 0, 0), Minute(2, 1, 2, 1)]
        with run.snapshot():
            assert run.counts() == counts


def test_a_row_is_recognised_by_the_hash_of_its_cells(place: Place, ledger: Ledger) -> None:
    with begun(place, ledger) as run:
        noted = seen_now(ledger, run, 1)._replace(source=-5)
        run.apply([noted], [], Counters(1))
        run.apply([], [ended(noted, State.ACCEPTED)], Counters(1))
        send(run, 2, State.UNCERTAIN, TROUBLE)
        assert run.sources().to_list() == [-5]
        run.finish(NOW, 0, None)
    with begun(place, ledger, "20261128-120000-bbbb") as run:
        run.note_sources([row(ledger, 1).identity], [77])
        assert run.sources().to_list() == [77]
        byte = row(ledger, 1).identity[0]
        assert run.sources(byte + 1).to_list() == [77]
        assert run.sources(byte).to_list() == []


def test_a_key_belongs_to_one_account(place: Place, ledger: Ledger) -> None:
    mine, theirs = ledger.digests(["key 1", "key 2"])
    with begun(place, ledger, key=mine) as run:
        send(run, 0, State.ACCEPTED)
        run.finish(NOW, 0, None)
    names = iter(f"20261128-12000{n}-bbbb" for n in range(9))
    for account, key, said in (("beta", mine, "belongs to"), ("acme", theirs, "another API key")):
        with (
            pytest.raises(UsageError, match=said),
            begun(place, ledger, next(names), account=account, key=key),
        ):
            pass
    with (
        pytest.raises(UsageError, match="did you mean"),
        begun(place, ledger, next(names), account="acmee", key=theirs),
    ):
        pass
    endpoint = address.endpoint(URL)
    with pytest.raises(UsageError, match="no account"):
        ledger.accounts.add_key(endpoint, "nobody", theirs, NOW)
    assert ledger.accounts.add_key(endpoint, "ACME", theirs, NOW) == "acme"
    with begun(place, ledger, next(names), key=theirs):
        pass
    (account,) = ledger.accounts.all()
    assert (account.account, account.endpoint, account.keys) == ("acme", endpoint, 2)
    assert account.conversions == 1


def test_a_key_with_which_nothing_arrived_is_free_again(place: Place, ledger: Ledger) -> None:
    (key,) = ledger.digests(["key 1"])
    with begun(place, ledger, key=key) as run:
        with (
            pytest.raises(UsageError, match="belongs to"),
            begun(place, ledger, "20261128-120000-bbbb", account="beta", key=key),
        ):
            pass
        run.finish(NOW, 0, None)
    with begun(place, ledger, "20261128-120000-cccc", account="beta", key=key) as run:
        send(run, 1, State.ACCEPTED)
        run.finish(NOW, 0, None)
    assert {a.account: a.keys for a in ledger.accounts.all()}["beta"] == 1


def test_an_account_with_another_name_knows_its_conversions(place: Place, ledger: Ledger) -> None:
    with begun(place, ledger, again=("--account", "acme", "--json")) as run:
        send(run, 0, State.ACCEPTED)
        run.finish(NOW, 0, None)
    with begun(place, ledger, "20261128-120000-bbbb", account="beta") as run:
        send(run, 5, State.ACCEPTED)
        run.finish(NOW, 0, None)
    with pytest.raises(UsageError, match="already"):
        ledger.accounts.rename("acme", "beta")
    with pytest.raises(UsageError, match="no account"):
        ledger.accounts.rename("nobody", "beta")
    assert ledger.accounts.rename("acme", "Acme Ltda") == 1
    record = ledger.run("20261128-120000-aaaa").facts().record
    assert (record.account, record.again) == ("Acme Ltda", ("--account", "Acme Ltda", "--json"))
    with begun(place, ledger, "20261128-120000-cccc", account="Acme Ltda") as run:
        assert states(ledger, run, [0, 5]) == {0: "accepted"}
    (key,) = ledger.digests(["another key"])
    with (
        pytest.raises(UsageError, match="is now called “Acme Ltda”"),
        begun(place, ledger, "20261128-120000-dddd", key=key),
    ):
        pass
    assert {one.account for one in ledger.accounts.all()} == {"Acme Ltda", "beta"}


def test_doubt_is_settled_by_evidence(place: Place, ledger: Ledger) -> None:
    proof = Problem("proved.webhook", detail="2026-11-28T12:00:01+00:00 webhook")
    with begun(place, ledger) as run:
        run.note_names(Names(("email",), "Feira", {"Feira": 2}, {}))
        run.count_filled({"email": 2, "name": 1, "city": 0})
        send(run, 0, State.ACCEPTED)
        send(run, 1, State.UNCERTAIN, TROUBLE)
        run.finish(NOW, 1, None)
    where = address.identity(URL, "acme")
    books = ledger.evidence
    assert books.destination_at_rest("nowhere") is None
    with place.store.hold("acme"):
        number = books.destination_at_rest(where)
        assert number == run.destination
        identities = [row(ledger, n).identity for n in range(3)]
        (doubt,) = books.doubts(number, identities)
        assert doubt == Doubt(identities[1], run.number, run.name, 0, 1, doubt.left_at)
        assert books.runs_of(number, identities) == dict.fromkeys(identities[:2], run.number)
        assert books.identity_fields(number, "Feira") == {("email",)}
        assert books.identity_fields(number, "Other") == set()
        assert books.filled_in(run.number) == {"email": 2, "name": 1}
        assert books.accept(number, [(doubt, proof)]) == (1, {run.name})
        assert books.accept(number, [(doubt, proof)]) == (0, set())
        told = Complete(1, 9, frozenset([identifier_hash(ledger, "Feira")]))
        books.note_complete(number, told, "export.csv")
        books.note_complete(number, told, "export.csv")
        assert books.complete(number) == {identifier_hash(ledger, "Feira"): [(1, 9)]}
    counts = run.counts()
    assert (counts[State.ACCEPTED], counts[State.UNCERTAIN]) == (2, 0)
    assert run.proofs() == {"webhook": 1}
    assert run.facts().exit_code == ExitCode.DONE
    assert list(run.failures()) == []


@pytest.mark.parametrize("is_killed", [False, True])
def test_doubt_about_a_row_that_was_sent_again_is_as_old_as_its_first_request(
    place: Place, ledger: Ledger, is_killed: bool
) -> None:
    wanted = [row(ledger, 1).identity]
    with begun(place, ledger) as run:
        send(run, 1, State.UNCERTAIN, TROUBLE)
        (first,) = ledger.evidence.doubts(run.destination, wanted)
        run.finish(NOW, 1, None)
    until(lambda: time.time() * 1000 >= first.left_at + 2)
    with begun(place, ledger, "20261128-130000-bbbb") as again:
        if is_killed:
            again.apply([seen_now(ledger, again, 1)], [], Counters(1))
            place.crash()
        else:
            send(again, 1, State.UNCERTAIN, TROUBLE)
            again.finish(NOW, 1, None)
    with place.store.open() as after, begun(place, after, "20261128-140000-cccc") as later:
        (doubt,) = after.evidence.doubts(later.destination, wanted)
        assert (doubt.name, doubt.left_at) == (again.name, first.left_at)


def test_doubt_is_as_old_as_by_the_endpoints_clock(place: Place, ledger: Ledger) -> None:
    with begun(place, ledger, given=("a b.csv", "São.csv")) as run:
        given = run.facts().record.given
        for clock in (ClockRange(3600.0, 3600.0), ClockRange(0.0, 7200.0)):
            run.note_clock(clock)
            send(run, len(run.accepted(9)), State.ACCEPTED)
            assert ledger.evidence.clocks(run.destination) == {run.number: clock}
        before = int(datetime.now(UTC).timestamp() * 1000)
        send(run, 2, State.UNCERTAIN, TROUBLE)
        after = int(datetime.now(UTC).timestamp() * 1000)
        (doubt,) = ledger.evidence.doubts(run.destination, [row(ledger, 2).identity])
        assert before - 1 <= doubt.left_at - 7_200_000 <= after
        assert run.facts().record.given == given
        run.finish(NOW, 1, None)
    assert ledger.evidence.clocks(run.destination) == {run.number: clock}


def test_a_proof_is_one_for_later_runs_that_listed_the_row_and_for_no_other(
    place: Place, ledger: Ledger
) -> None:
    """Not for another account, nor for a run before the row was sent again."""
    runs: dict[str, Run] = {}
    for name, account in (
        ("a", "acme"), ("b", "acme"), ("sent", "acme"), ("later", "acme"), ("other", "rui"),
    ):  # fmt: skip
        full = f"20261128-120000-{name}"
        sends = name in ("a", "sent")
        with begun(place, ledger, full, account=account, rows=1 if sends else 2) as runs[name]:
            if sends:
                send(runs[name], 1, State.UNCERTAIN, TROUBLE)
            else:
                known = row(ledger, 1).identity
                ends = [Outcome(0, n, State.UNCERTAIN, (TROUBLE,), ("Ana",), None, (), known)
                        for n in (1, 2)]  # fmt: skip
                runs[name].record_rows(0, 0, ends)
            runs[name].finish(NOW, 1, None)
    number = runs["sent"].destination
    with place.store.hold("acme"):
        (doubt,) = ledger.evidence.doubts(number, [row(ledger, 1).identity])
        proof = Problem("proved.export", detail="2026-11-28T12:00:01+00:00 export.csv")
        found = ledger.evidence.accept(number, [(doubt, proof)])
    assert found == (1, {runs["sent"].name, runs["later"].name})
    for name, accepted, uncertain in (
        ("a", 0, 1), ("b", 0, 2), ("sent", 1, 0), ("later", 2, 0), ("other", 0, 2),
    ):  # fmt: skip
        counts = runs[name].counts()
        assert (counts[State.ACCEPTED], counts[State.UNCERTAIN]) == (accepted, uncertain), name
        assert len(list(runs[name].failures())) == uncertain
        assert runs[name].proofs() == ({"export": accepted} if accepted else {})
        assert runs[name].facts().exit_code == int(bool(uncertain)), "nothing else failed"
    assert ledger.looked_through().wrong == []


def test_a_change_of_how_conversions_are_told_apart_is_reported(
    place: Place, ledger: Ledger
) -> None:
    with begun(place, ledger) as run:
        run.note_names(Names(("email",), "Feira", {"Feira": 1}, {}))
        assert run.unrecognised() == []
        send(run, 0, State.ACCEPTED)
        run.finish(NOW, 0, None)
    with begun(place, ledger, "20261128-120000-bbbb") as run:
        run.note_names(Names(("email", "name"), "FEIRA", {"FEIRA": 1}, {}))
        (found,) = run.unrecognised()
        assert (found.text, found.fields, found.conversions) == ("Feira", ("email",), 1)
        assert (found.now, found.now_fields) == ("FEIRA", ("email", "name"))


def test_a_resend_request_that_was_interrupted_continues(place: Place, ledger: Ledger) -> None:
    said = {"resend": ("accepted",), "given": ("list.csv",)}
    with begun(place, ledger, **said) as run:
        first = run.number
        run.finish(NOW, ExitCode.STOPPED, "signal")
    with begun(place, ledger, "20261128-120000-bbbb", **said) as run:
        assert run.unfinished_resend().begun == {first}
        run.finish(NOW, ExitCode.DONE, None)
    with begun(place, ledger, "20261128-120000-cccc", **said) as run:
        assert run.unfinished_resend().begun == frozenset()


def test_a_request_to_resend_that_was_completed_is_over_for_every_other_list(
    place: Place, ledger: Ledger
) -> None:
    asked = {"resend": ("uncertain",)}
    with begun(place, ledger, **asked, given=("a.csv",)) as run:
        number = run.number
        run.finish(NOW, ExitCode.STOPPED, "signal")
    with begun(place, ledger, "20261128-120000-bbbb", **asked, given=("b.csv",)) as run:
        assert run.unfinished_resend().begun == {number}, "it may go on under another name"
        run.finish(NOW, ExitCode.DONE, None)
    with begun(place, ledger, "20261128-120000-cccc", **asked, given=("a.csv", "c.csv")) as run:
        run.finish(NOW, ExitCode.FAILED_ROWS, None)
    with begun(place, ledger, "20261128-120000-dddd", **asked, given=("d.csv",)) as run:
        assert run.unfinished_resend().begun == frozenset()


def test_a_list_of_the_same_name_in_another_folder_completes_no_request(
    place: Place, ledger: Ledger
) -> None:
    asked = {"resend": ("uncertain",), "given": ("list.csv", "https://exemplo.com.br/a.csv")}
    with begun(place, ledger, **asked, started_in="/may") as run:
        number = run.number
        run.finish(NOW, ExitCode.STOPPED, "signal")
    with begun(place, ledger, "20261128-120000-bbbb", **asked, started_in="/june") as run:
        run.finish(NOW, ExitCode.DONE, None)
    with begun(place, ledger, "20261128-120000-cccc", **asked, started_in="/may") as run:
        assert run.unfinished_resend().begun == {number}
        run.finish(NOW, ExitCode.DONE, None)
    with begun(place, ledger, "20261128-120000-dddd", **asked, started_in="/may") as run:
        assert run.unfinished_resend().begun == frozenset()


def test_an_attempt_that_did_not_begin_is_noted(place: Place, ledger: Ledger) -> None:
    with begun(place, ledger, job="feira", mapping="list.yaml") as run:
        run.finish(NOW, ExitCode.DONE, None)
    at = NOW + timedelta(days=1)
    attempt = Attempt(at, "acme", "feira", "list.yaml", ("list.csv",), ExitCode.NOTHING_SENT, "No.")
    ledger.note_attempt(attempt)
    (latest,) = ledger.latest_of_jobs()
    assert (latest.account, latest.job, latest.attempt) == ("acme", "feira", attempt)
    assert latest.last_success == NOW.isoformat()
    assert ledger.latest_of_jobs(since=at + timedelta(days=1)) == []
    assert ledger.latest_of_jobs(job="feira") == [latest]
    assert ledger.latest_of_jobs(job="outra") == []
    assert set(ledger.latest_by(lambda moment: moment.date())) == {NOW.date(), at.date()}


def test_a_run_that_ended_in_the_future_is_as_old_as_a_later_one(
    place: Place, ledger: Ledger
) -> None:
    before, now, wrong = (NOW + timedelta(days=days) for days in (1, 2, 365))
    with begun(place, ledger) as run:
        run.finish(wrong, ExitCode.DONE, None)
    assert ledger.people.forget(before, now) == 0, "it may be of today"
    with begun(place, ledger, "20261128-120000-bbbb") as later:
        later.finish(NOW, ExitCode.DONE, None)
    assert ledger.people.forget(before, now) == 2
    assert ledger.people.forgotten() == [run.name, later.name]


def test_what_is_forgotten_is_gone_and_who_was_sent_stays_known(
    place: Place, ledger: Ledger
) -> None:
    with begun(place, ledger, report_dir="/reports") as run:
        run.record_input(0, Input("list.csv", ("Nome", "x")))
        send(run, 0, State.ACCEPTED)
        for person in (1, 2):
            send(run, person, State.REFUSED, TROUBLE)
        run.finish(NOW, 1, None)
    counts = run.counts()
    people = ledger.people
    place.analyze()
    assert people.remembered() == {run.name}
    assert [str(folder) for folder in people.report_dirs()] == ["/reports"]
    assert people.forget(NOW + timedelta(days=1), NOW, at_work=[run.name]) == 0
    assert people.forget(NOW + timedelta(days=1), NOW) == 1
    people.shrink()
    assert people.empty_log()
    assert people.forgotten() == [run.name]
    assert people.remembered() == frozenset()
    assert run.counts() == counts
    assert list(run.failures()) == []
    place.analyze()
    assert not place.holds(b"Ana Maria")
    assert not place.holds(TROUBLE.detail.encode())
    assert states(ledger, run, [0, 1]) == {0: "accepted", 1: "refused"}


@pytest.mark.parametrize("state", [State.REFUSED, State.UNCERTAIN])
@pytest.mark.parametrize("ended", [False, True])
def test_what_was_known_of_a_row_before_its_last_request_is_gone_too(
    place: Place, ledger: Ledger, state: State, *, ended: bool
) -> None:
    trouble = TROUBLE._replace(value="ana@exemplo.com.br")
    with begun(place, ledger) as run:
        send(run, 1, state, trouble)
        run.finish(NOW, 1, None)
    with begun(place, ledger, "20261128-130000-bbbb") as killed:
        flying = seen_now(ledger, killed, 1)
        assert list(killed.apply([flying], [], Counters(1))) == [flying]
    if ended:
        with begun(place, ledger, "20261128-140000-cccc") as last:
            last.finish(NOW, 0, None)
    erased = ledger.people.erase(People(["ana@exemplo.com.br"]), also_hash=False)
    assert run.name in erased.runs
    assert ledger.people.empty_log()
    assert not place.holds(b"ana@exemplo.com.br")
    ledger.people.forget(NOW + timedelta(days=1), NOW)
    ledger.people.shrink()
    assert ledger.people.empty_log()
    assert not place.holds(TROUBLE.detail.encode())
    assert states(ledger, run, [1]) == {1: "uncertain"}


@pytest.mark.parametrize("state", [State.REFUSED, State.UNCERTAIN])
def test_what_was_known_of_a_row_before_its_last_request_is_forgotten_with_its_run(
    place: Place, ledger: Ledger, state: State
) -> None:
    with begun(place, ledger) as run:
        send(run, 1, state, TROUBLE)
        run.finish(NOW, 1, None)
    with begun(place, ledger, "20261128-130000-bbbb") as killed:
        flying = seen_now(ledger, killed, 1)
        assert list(killed.apply([flying], [], Counters(1))) == [flying]
    ledger.people.forget(NOW + timedelta(days=1), NOW)
    ledger.people.shrink()
    assert ledger.people.empty_log()
    assert not place.holds(b"Ana Maria")
    assert not place.holds(TROUBLE.detail.encode())


def test_a_correction_counts_while_its_conversion_is_accepted(place: Place, ledger: Ledger) -> None:
    origins = ledger.digests(["failed row 1", "failed row 2"])
    with begun(place, ledger) as run:
        run.record_input(0, Input("list.csv", ("E-mail", "Nome"), sheet="Leads"))
        failed = Outcome(0, 7, State.INVALID, (TROUBLE,), ("sem arroba", "Ana"))
        run.record_rows(0, 0, [failed, Outcome(0, 8, State.UNCERTAIN, (TROUBLE,), ())])
        for file in ("list.csv", "list.csv [Leads]"):
            (found, lost) = ledger.corrections.failed(file, [7, 8, 9], run.name)
            assert (found.row, found.problems) == (7, (TROUBLE,))
            assert found.cells == {"E-mail": "sem arroba", "Nome": "Ana"}
            assert lost.cells == {}
        assert ledger.corrections.failed("list.csv", [7], None) == [found]
        assert ledger.corrections.failed("other.csv", [7], None) == []
        assert ledger.corrections.failed("list.csv", [7], "20261128-120000-none") == [found]
        people = [row(ledger, person).identity for person in (1, 2)]
        run.note_corrections(
            [Correction(o, 7, who) for o, who in zip(origins, people, strict=True)]
        )
        assert ledger.corrections.accepted(run.destination) == []
        send(run, 1, State.ACCEPTED)
        send(run, 2, State.UNCERTAIN, TROUBLE)
        accepted = [Corrected(origins[0], 7, run.name)]
        assert ledger.corrections.accepted(run.destination) == accepted
        run.finish(NOW, 0, None)
    assert ledger.corrections.accepted(run.destination) == accepted
    with begun(place, ledger, "20261128-120000-bbbb") as later:
        told = Problem("row.corrected", detail=run.name)
        later.record_rows(0, 0, [Outcome(0, 7, State.ALREADY_IMPORTED, warnings=(told,))])
        assert later.corrected() == {run.name: 1}
        assert later.problems() == {}
        assert later.counts()[State.ALREADY_IMPORTED] == 1
        later.note_corrections([Correction(origins[0], 7, people[1])])  # corrected once more
        assert ledger.corrections.accepted(run.destination) == []


@pytest.mark.parametrize("also_hash", [False, True])
def test_a_person_is_erased(place: Place, ledger: Ledger, *, also_hash: bool) -> None:
    email = "ana@exemplo.com.br"
    with begun(place, ledger) as run:
        for person, cell in ((1, email), (2, "rui@exemplo.com.br")):
            outgoing = row(ledger, person)
            run.apply([outgoing], [], Counters(person))
            problem = TROUBLE._replace(value=cell)
            end = Outcome(0, person, State.REFUSED, (problem,), (cell, "x"))
            run.apply([], [RowResult(outgoing, end)], Counters(person))
        run.finish(NOW, 1, None)
    erased = ledger.people.erase(People([email]), also_hash=also_hash)
    assert (erased.rows, erased.runs, erased.hashes) == (1, (run.name,), int(also_hash))
    assert [(end.row, end.cells) for end in run.failures()] == [
        (1, ("", "")),
        (2, ("rui@exemplo.com.br", "x")),
    ]
    assert run.problems() == {"rd.invalid": 2}
    assert states(ledger, run, [1, 2]) == ({} if also_hash else {1: "refused"}) | {2: "refused"}


def test_a_ledger_that_is_whole_says_what_it_holds(place: Place, ledger: Ledger) -> None:
    with begun(place, ledger) as run:
        send(run, 0, State.ACCEPTED)
        send(run, 1, State.REFUSED, TROUBLE)
    found = ledger.looked_through()
    assert found.wrong == []
    assert (found.runs, found.conversions, found.last) == (
        1,
        {"accepted": 1, "refused": 1},
        run.name,
    )
    assert "spoilt" in str(ledger.damaged("spoilt"))


def test_hashes_are_keyed_and_stay_the_same(place: Place, ledger: Ledger) -> None:
    assert len(ledger.key) == 32
    one, two = ledger.digests(["ana@exemplo.com.br", "rui@exemplo.com.br"])
    assert len(one) == 16
    assert one != two
    with place.store.open() as again:
        assert again.digests(["ana@exemplo.com.br"]) == [one]
    assert [len(short) for short in ledger.digests(["x"], 8)] == [8]
