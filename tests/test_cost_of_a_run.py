"""The marginal cost of a row in a whole run, in counts: no clock, so any machine can check it."""

from __future__ import annotations

import asyncio
import csv
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest
from support.lists import MAPPING, people
from support.waiting import TIMEOUT
from test_cost_of_a_request import serving
from xlsxwriter import Workbook

from rdimport.api import check, run, run_async
from rdimport.delivery import concurrency_limit, dispatcher
from rdimport.delivery.transport.reuse import Reuse
from rdimport.destination.rdstation.endpoint import RDStation
from rdimport.ledger import group_commit, store_of
from rdimport.mapping import Mapping
from rdimport.report import write_report
from rdimport.report.failures_xlsx import sheets
from rdimport.source import BATCH_ROWS

ROWS = 1_000
"""More than the reader examines to detect the kind of file."""

CALLS = 265
"""Function calls, ours and the libraries', allowed per additional row in all threads: reading,
cleaning, planning, ledger, sending. Recorded with Python 3.11: 177 to 216. Raise it only with a
reason.
"""

PLACES = 64
"""The default maximum number of requests in flight."""

FIRST_COMMITS = 10
"""Durable writes until that many requests may be in flight, and the last one: each of the first six
raises the number by half.
"""

PACE = "3000/min"
"""More than ten a second, so that the direct sender is used, which makes few calls."""

PACED_CALLS = 900
"""The same for a row that waits for its slot in a quota, and has durable writes of its own.
Recorded: 675 to 800.
"""

PACED_POLLS = 7.5
"""How often the event loop may poll per such row. Recorded: 4.7 to 6.7."""

CONNECTION_TASKS = 8
"""Tasks allowed per new connection; a row costs none. Recorded with Python 3.11: 5."""

WOKEN = 1.7
"""How often the ledger's thread may wake the event loop per such row: when it may be sent, and if
something arrives while a result is being written. Recorded: 1.0, on a busy machine 1.2.
"""

PACED_STATEMENTS = 12
"""SQLite statements of the ledger's thread allowed per such row. Recorded on a busy machine: 7.4 to
7.8.
"""

PACED_WRITES = 24
"""File writes per such row, as counted by the system: two for each page of the ledger's log, and
the witnesses. Recorded: 11.
"""

CHECK_CALLS = 1.4
"""Function calls per row when checking a long list. Recorded: 0.84."""

CHECK_READS = 30
"""File reads of such a check, as counted by the system. Recorded: 10."""

CHECK_WRITES = 20
"""Writes: a check stores nothing. Recorded: 3, by which polars' threads wake each other."""

WORKBOOK = 5_000
"""Rows: more than are examined to find the start of the table."""

WORKBOOK_CALLS = 0.2
"""Function calls per additional row of a workbook. Recorded: less than 0.01."""

WORKBOOK_READS = 0.02
"""Reads per additional row of a workbook: it is read twice. Recorded: 0.002."""

REPORT_CALLS = 400
"""Function calls per additional failed row in a report, with ten columns of its own. Recorded with
Python 3.11: 304.
"""


class Counted:
    """Calls by function name: in the event loop's thread, in the ledger's, in all."""

    def __init__(self) -> None:
        self.loop, self.ledger, self.all = Counter[str](), Counter[str](), Counter[str]()
        self.system = Counter[str]()
        """`syscr` and `syscw`: file reads and writes; empty if the system does not count them."""

    @property
    def writes(self) -> int:
        """Durable writes: each is applied by the run, and within it by its `Writes`."""
        return self.ledger["apply"] // 2

    def __call__(self, frame: FrameType, event: str, function: object) -> None:
        if event == "call":
            name = frame.f_code.co_name
            if name == "prepare" and frame.f_globals["__name__"] != "rdimport.prepare":
                name = frame.f_code.co_qualname  # from 3.14 on, thread pools have one too
        elif event == "c_call":
            name = f"{getattr(function, '__name__', '?')}()"
        else:
            return
        self.all[name] += 1
        thread = threading.current_thread()
        if thread is threading.main_thread():
            self.loop[name] += 1
        elif thread.name == "ledger":
            self.ledger[name] += 1


def system_calls() -> Counter[str]:
    """Linux's counters for this process."""
    file = Path("/proc/self/io")
    lines = file.read_text(encoding="ascii").splitlines() if file.exists() else []
    return Counter({name: int(count) for name, count in (line.split(": ") for line in lines)})


def received(counted: Counted) -> int:
    """Reads of answers: a byte wakes the event loop, which reads twice for it."""
    return counted.loop["recv()"] - 2 * counted.loop["_read_from_self"]


@contextmanager
def counting() -> Iterator[Counted]:
    """Count from here on, also in threads that start later."""
    counted, before = Counted(), system_calls()
    threading.setprofile(counted)
    sys.setprofile(counted)
    try:
        yield counted
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
        counted.system = system_calls() - before


def counts_of_a_run(rows: int, folder: Path, base_url: str, quota: str | None = None) -> Counted:
    folder.mkdir()
    (folder / "list.csv").write_text(people(rows), encoding="utf-8")
    run = run_async(
        [str(folder / "list.csv")],
        Mapping.parse(MAPPING),
        to=RDStation(folder.name, base_url=base_url),  # the other runs have ledgers of their own
        state_dir=folder / "state",
        report_dir=folder / "reports",
        quota=quota,
        share_quota=False,
    )
    with counting() as counted:
        done = asyncio.run(run)
    assert done.counts["accepted"] == rows
    return counted


@pytest.fixture
def company_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Independently of the machine's load: rows and results wait as long as it takes to form a
    group, and the number of requests in flight neither waits for quick answers to grow nor shrinks
    because of slow ones.
    """
    monkeypatch.setattr(dispatcher, "BATCH_WAIT", TIMEOUT)
    monkeypatch.setattr(group_commit, "OUTCOMES_WAIT", TIMEOUT)
    monkeypatch.setattr(concurrency_limit, "_SLACK", TIMEOUT)
    monkeypatch.setattr(concurrency_limit, "_START", PLACES)


@pytest.mark.usefixtures("company_comes")
def test_one_more_row_costs_few_calls_two_system_calls_and_a_small_part_of_a_durable_write(
    tmp_path: Path,
) -> None:
    with serving() as base_url:
        counts_of_a_run(10, tmp_path / "imports", base_url)  # do one-off work first
        once = counts_of_a_run(ROWS, tmp_path / "once", base_url)
        twice = counts_of_a_run(2 * ROWS, tmp_path / "twice", base_url)
    # the loop sometimes wakes itself with a byte
    assert abs(twice.loop["send()"] - once.loop["send()"] - ROWS) <= 0.01 * ROWS
    assert received(twice) - received(once) <= 1.05 * ROWS
    # a durable write serves half of all requests in flight: with its rows come all results so far
    assert twice.writes <= 2 * ROWS / (PLACES // 2) + FIRST_COMMITS
    assert twice.ledger["execute()"] <= 7 * twice.ledger["apply"]
    more = twice.all - once.all
    assert more.total() / ROWS <= CALLS, more.most_common(60)


@pytest.fixture
def connections_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection is reused however long it was idle: on a busy machine, rows come at any
    interval, and one longer than all before would open a new connection.
    """
    monkeypatch.setattr(Reuse, "allows", lambda *_: True)


@pytest.mark.usefixtures("connections_stay")
def test_one_more_row_at_a_pace_costs_two_durable_writes_and_a_bounded_number_of_calls(
    tmp_path: Path,
) -> None:
    few, many = 20, 60
    with serving() as base_url:
        counts_of_a_run(10, tmp_path / "imports", base_url, PACE)
        some = counts_of_a_run(few, tmp_path / "some", base_url, PACE)
        more = counts_of_a_run(many, tmp_path / "more", base_url, PACE)
    rows = many - few
    # the loop sometimes wakes itself with a byte
    assert abs(more.loop["send()"] - some.loop["send()"] - rows) <= 0.1 * rows
    # one before it is sent and one for its result
    assert more.writes <= 2 * (many + 1)
    connections = more.loop["connection_made"] - some.loop["connection_made"]
    tasks = more.loop["create_task"] - some.loop["create_task"]
    assert tasks <= 0.1 * rows + CONNECTION_TASKS * max(0, connections)
    assert more.loop["poll()"] - some.loop["poll()"] <= PACED_POLLS * rows
    assert more.loop["_read_from_self"] - some.loop["_read_from_self"] <= WOKEN * rows
    assert more.ledger["execute()"] - some.ledger["execute()"] <= PACED_STATEMENTS * rows
    assert more.system["syscw"] - some.system["syscw"] <= PACED_WRITES * rows
    extra = more.all - some.all
    assert extra.total() / rows <= PACED_CALLS, extra.most_common(60)


def test_a_check_reads_ahead_in_a_thread_and_prepares_each_batch_once(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text(people(2 * BATCH_ROWS + 1), encoding="utf-8")
    check(file, Mapping.parse(MAPPING), keep=False)  # do one-off work first
    with counting() as counted:
        done = check(file, Mapping.parse(MAPPING), keep=False)
    assert done.rows == 2 * BATCH_ROWS + 1
    assert counted.all["prepare"] == counted.all["_plan_batch"]
    assert counted.all["feed"] > counted.loop["feed"]
    assert counted.all.total() / done.rows <= CHECK_CALLS
    assert counted.system["syscr"] <= CHECK_READS
    assert counted.system["syscw"] <= CHECK_WRITES


def test_one_more_row_of_a_workbook_costs_next_to_no_calls(tmp_path: Path) -> None:
    counts_of_a_workbook(10, tmp_path)  # do one-off work first
    once, twice = (counts_of_a_workbook(rows, tmp_path) for rows in (WORKBOOK, 2 * WORKBOOK))
    assert twice.all["load_sheet"] == twice.all["prepare"] == 1
    assert twice.system["syscr"] - once.system["syscr"] <= WORKBOOK_READS * WORKBOOK
    assert twice.system["syscw"] <= CHECK_WRITES
    more = twice.all - once.all
    assert more.total() / WORKBOOK <= WORKBOOK_CALLS, more.most_common(60)


def counts_of_a_workbook(rows: int, folder: Path) -> Counted:
    file = folder / f"list-{rows}.xlsx"
    with Workbook(file) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate(csv.reader(people(rows).splitlines())):
            sheet.write_row(number, 0, row)
    with counting() as counted:
        done = check(file, Mapping.parse(MAPPING), keep=False)
    assert done.rows == rows
    return counted


def test_one_more_failed_row_costs_few_calls_of_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for few in ("COMMENTED", "_MEASURED"):
        monkeypatch.setattr(sheets, few, 10)
    names = ["E-mail", *(f"c{i}" for i in range(1, 10))]
    mapping = Mapping.parse("conversion_identifier: L\nfields: {email: E-mail}")
    calls = []
    for rows in (100, 100, 1_100):  # the first one loads what is loaded once
        path = tmp_path / f"{len(calls)}.csv"
        lines = (";".join((f"wrong {i}", *(f"{i:04}" for _ in names[1:]))) for i in range(rows))
        path.write_text("\n".join((";".join(names), *lines)), encoding="utf-8")
        to = RDStation("x", base_url="http://127.0.0.1:9", account=path.stem)
        done = run(
            path, mapping, to=to, state_dir=tmp_path / "state", report_dir=tmp_path / "first"
        )
        with store_of(tmp_path / "state").open() as ledger, counting() as counted:
            write_report(ledger.run(done.summary.run_id), tmp_path / "again")
        calls.append(counted.all.total())
    assert (calls[2] - calls[1]) / 1_000 <= REPORT_CALLS
