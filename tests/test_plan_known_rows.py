"""Imported rows are recognized by their cells: this saves work, and changes nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.examples import costly
from test_cost_of_a_run import counting

from rdimport.core.row import DEFECT, FILE, ROW, State
from rdimport.ledger import Counters, Ledger, Outcome, RowResult, RunRecord, store_of
from rdimport.mapping import Mapping
from rdimport.plan.duplicates import Index
from rdimport.plan.history import SendHistory
from rdimport.plan.known_rows import LONG, SOURCE, KnownRows
from rdimport.plan.planner import PAYLOAD, Planner
from rdimport.plan.spool import Spool
from rdimport.prepare import bind
from rdimport.source import Facts, Hints, Table, open_tables

NOW = datetime(2026, 3, 2, tzinfo=UTC)
MAPPING = """\
version: 1
conversion_identifier: ERP
fields:
  email: E-mail
  name: Nome
"""
SALES = MAPPING.replace("ERP", "Sales")
WITH_CITY = MAPPING + "  city: Cidade\n"

ENOUGH = 4_000
"""Rows of a list long enough that a few calls more or less do not matter."""

KNOWN_CALLS = 0.1
"""Function calls per additional known row. Recorded with Python 3.11: 0.02."""


@dataclass(frozen=True)
class Narrow:
    """A table read a few rows at a time."""

    table: Table

    @property
    def name(self) -> str:
        return self.table.name

    @property
    def facts(self) -> Facts:
        return self.table.facts

    @property
    def columns(self) -> tuple[str, ...]:
        return self.table.columns

    @property
    def fingerprint(self) -> str:
        return self.table.fingerprint

    @property
    def notes(self) -> tuple[str, ...]:
        return self.table.notes

    def batches(self, rows: int = 3) -> Iterator[pl.DataFrame]:
        return self.table.batches(rows)


PEOPLE = st.tuples(
    st.sampled_from(["ana", "Ana", "bia", "caio", "davi", "no address"]),
    st.sampled_from(["A", "B", ""]),
    st.sampled_from(["Poá", "Itu"]),
)
NIGHT = st.tuples(
    st.lists(PEOPLE, max_size=9),
    st.sampled_from([MAPPING, MAPPING, MAPPING, SALES, WITH_CITY]),
    st.sampled_from([State.ACCEPTED, State.ACCEPTED, State.UNCERTAIN, State.REFUSED]),
    st.frozensets(st.sampled_from([State.ACCEPTED, State.UNCERTAIN, State.REFUSED]), max_size=1),
)
Night = tuple[list[tuple[str, str, str]], str, State, frozenset[State]]


@dataclass(frozen=True)
class Seen:
    """What a person can see of a run, and how many rows were cleaned and validated for it."""

    counts: dict[State, int]
    sent: list[tuple[object, ...]]
    failures: list[Outcome]
    worked_out: int = field(compare=False)


def one_night(
    ledger: Ledger, night: Night, number: int, *, recalls: bool, long: int | None = None
) -> Seen:
    """Plan a run, and let all that it sends end in one state. A list with `long` rows counts as
    long; by default a few rows do, and the list is read a few rows at a time.
    """
    people, yaml, fate, resend = night
    path = Path(ledger.place).parent / "list.csv"
    lines = [f"{who}@exemplo.com.br;{name};{city}" for who, name, city in people]
    path.write_text("\n".join(["E-mail;Nome;Cidade", *lines, "nobody;x;y"]), encoding="utf-8")
    opened = open_tables([str(path)], Hints(delimiter=";"))
    tables = opened if long else [Narrow(table) for table in opened]
    mapping = Mapping.parse(yaml)
    run = ledger.start_run(f"night-{number}", "https://api.example", NOW, RunRecord())
    known = partial(ledger.known, run.destination)
    memory = SendHistory(ledger.digests, known, resend)
    known_rows = None
    if recalls and KnownRows.is_safe(mapping, resend):
        some = {} if long else {"sample": 256}
        known_rows = KnownRows(
            ledger.key, mapping, None, run.sources, run.note_sources, long=long or 3, **some
        )
    with Spool() as spool, Index() as index:
        looked: list[int] = []
        planner = Planner(
            mapping,
            memory,
            run,
            spool,
            index,
            known_rows=known_rows,
            look=lambda prepared: looked.append(prepared.cells.frame.height),
        )
        plan = planner.make(tables, None, (table.fingerprint for table in tables))
        leaving = [pending.outgoing for pending in plan.pending_rows()]
        sent = [frame.select(FILE, ROW, PAYLOAD).rows() for frame in plan.frames()]
    run.apply(leaving, [], Counters())
    run.apply([], [RowResult(o, Outcome(o.file, o.row, fate)) for o in leaving], Counters())
    run.finish(NOW, 0, None)
    return Seen(run.counts(), list(chain(*sent)), list(run.failures()), sum(looked))


CROWD = [(f"pessoa{n}", "A", "Poá") for n in range(9)]
SENT_AGAIN: list[Night] = [
    (CROWD, MAPPING, State.ACCEPTED, frozenset()),
    (CROWD, MAPPING, State.ACCEPTED, frozenset()),
    (CROWD, MAPPING, State.UNCERTAIN, frozenset({State.ACCEPTED})),
    (CROWD, MAPPING, State.ACCEPTED, frozenset()),
]
"""Recorded as imported, then sent again on request, and now in doubt."""


@pytest.mark.long
@settings(max_examples=costly(20), deadline=None)
@example(nights=SENT_AGAIN)
@given(nights=st.lists(NIGHT, min_size=2, max_size=4))
def test_recalling_rows_changes_nothing_that_a_person_can_see(nights: list[Night]) -> None:
    with (
        TemporaryDirectory() as quick,
        TemporaryDirectory() as plain,
        store_of(Path(quick)).open() as one,
        store_of(Path(plain)).open() as other,
    ):
        for number, night in enumerate(nights):
            quickly = one_night(one, night, number, recalls=True)
            assert quickly == one_night(other, night, number, recalls=False)


def test_a_list_that_was_imported_is_not_worked_out_again(tmp_path: Path) -> None:
    people = [(f"pessoa{n}", "A", "Poá") for n in range(12)]
    night: Night = (people, MAPPING, State.ACCEPTED, frozenset())
    with store_of(tmp_path).open() as ledger:
        worked_out = [one_night(ledger, night, n, recalls=True).worked_out for n in range(2)]
        with counting() as counted:
            worked_out.append(one_night(ledger, night, 2, recalls=True).worked_out)
    assert worked_out == [13, 1, 1]  # of 12 people and an invalid row
    # for five batches: the wrong row, all that are known, and the choice among duplicates
    assert counted.all["record_rows"] == 3


def test_cells_that_changed_places_are_others(tmp_path: Path) -> None:
    before = [(f"pessoa{n}", f"A{n}", f"B{n}") for n in range(12)]
    after = [(who, city, name) for who, name, city in before]
    with store_of(tmp_path).open() as ledger:
        worked_out = [
            one_night(ledger, (people, WITH_CITY, State.ACCEPTED, frozenset()), n, recalls=True)
            for n, people in enumerate((before, before, after, before))
        ]
    assert [seen.worked_out for seen in worked_out] == [13, 1, 13, 13]


def test_all_that_is_known_is_loaded_only_if_a_sample_says_that_it_pays() -> None:
    people = [(f"{n}@exemplo.com.br", "A") for n in range(LONG)]
    batch = pl.DataFrame(people, schema=["E-mail", "Nome"], orient="row").select(
        pl.int_range(pl.len(), dtype=pl.UInt32).alias(ROW),
        pl.lit(None, pl.String).alias(DEFECT),
        pl.all(),
    )
    mapping = Mapping.parse(MAPPING)
    bound = bind(mapping, ("E-mail", "Nome"), "list.csv")
    first = KnownRows(b"k" * 32, mapping, None, lambda _: pl.Series([], dtype=pl.Int64), print)
    sources = first.part(batch, bound).sources[SOURCE]
    for share, pays in ((0.4, False), (0.6, True)):
        known, asked = sources[: int(share * LONG)].sort(), list[int]()

        def load(below: int, known: pl.Series = known, asked: list[int] = asked) -> pl.Series:
            asked.append(below)
            return known.gather_every(256 // below) if below else known[:0]

        left = KnownRows(b"k" * 32, mapping, None, load, print).part(batch, bound)
        assert (asked[-1], left.batch.height) == ((256, LONG - known.len()) if pays else (0, LONG))


def test_one_more_known_row_costs_next_to_no_function_calls(tmp_path: Path) -> None:
    once, twice = (calls_for_known(rows, tmp_path / str(rows)) for rows in (ENOUGH, 2 * ENOUGH))
    more = twice - once
    assert more.total() / ENOUGH <= KNOWN_CALLS, more.most_common(60)


def calls_for_known(rows: int, place: Path) -> Counter[str]:
    people = [(f"pessoa{n}", "A", "Poá") for n in range(rows)]
    night: Night = (people, MAPPING, State.ACCEPTED, frozenset())
    with store_of(place).open() as ledger:
        one_night(ledger, night, 0, recalls=True, long=ENOUGH)
        with counting() as counted:
            again = one_night(ledger, night, 1, recalls=True, long=ENOUGH)
    assert (again.counts[State.ALREADY_IMPORTED], again.worked_out) == (rows, 1)
    return counted.all
