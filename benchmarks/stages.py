"""Where the CPU time of a run and of a check goes, stage by stage.

    python benchmarks/stages.py [ROWS] [ROWS-TO-CHECK]

The run is that of bench.py, and its stages are the own time of each module's functions. cProfile
slows down everything, small functions most, so the shares are a guide and bench.py has the figures.
A check is a few large steps: they are run one after the other, each measured by CPU time, without a
profiler. Then the real check, which reads the next batch while this one is planned: the CPU of each
thread; the same rows as a workbook; and the cost of a list whose rows are known.
"""

from __future__ import annotations

import asyncio
import cProfile
import csv
import pstats
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fastexcel
import lists
import polars as pl
import xlsxwriter
from receiver import receiving

from rdimport import api
from rdimport.core.row import State
from rdimport.destination.rdstation.endpoint import RDStation
from rdimport.ledger.sqlite.run import SqliteRun
from rdimport.mapping import Mapping
from rdimport.plan.duplicates import UNCHANGED, Index
from rdimport.plan.history import EmptyHistory
from rdimport.plan.known_rows import LONG, KnownRows
from rdimport.plan.planner import Planner
from rdimport.prepare import bind, cells, prepare
from rdimport.prepare.preview import Preview
from rdimport.prepare.validate import failures
from rdimport.source import Hints, open_tables
from rdimport.source.files import InputFile
from rdimport.source.sheets.xlsx_flags import xlsx_marks
from rdimport.source.sheets.xlsx_package import texts_of_plain
from rdimport.source.text import table

STAGES = {
    "rdimport/source": "read",
    "rdimport/prepare/encode": "encode",
    "rdimport/prepare": "clean and validate",
    "pandera": "clean and validate",
    "polars": "clean and validate",
    "rdimport/plan": "plan",
    "rdimport/ledger": "ledger and journal",
    "sqlite3": "ledger and journal",
    "blake2": "ledger and journal",
    "rdimport/delivery/transport": "transport",
    "rdimport/delivery/pacing": "pace",
    "rdimport/delivery": "delivery and verdict",
    "rdimport/destination/verdict": "delivery and verdict",
    "rdimport/destination": "build and read a request",
    "json": "build and read a request",
    "httptools": "transport",
    "httpx": "transport",
    "httpcore": "transport",
    "anyio": "transport",
    "_socket": "transport",
    "poll": "event loop",
    "asyncio": "event loop",
    "selectors": "event loop",
    "concurrent": "hand-over between threads",
    "_queue": "hand-over between threads",
    "rdimport/report": "report",
    "importlib": "imports",
    "builtins.compile": "imports",
    "builtins.exec": "imports",
    "build_class": "imports",
    "_imp.": "imports",
    "re/_": "imports",
}


def stage(where: tuple[str, int, str]) -> str:
    name = f"{where[0]}:{where[2]}".replace("\\", "/").rpartition("site-packages/")[2]
    found = (stage for part, stage in STAGES.items() if part in name)
    return next(found, "built-in functions and the rest")


def check_stages(file: str, mapping: Mapping) -> Iterator[tuple[str, float]]:
    """Each stage of a check and its seconds of CPU, as the planner goes through them."""
    spent: Counter[str] = Counter()
    preview, memory, index = (
        Preview(),
        EmptyHistory(lambda *_: [], lambda _: pl.DataFrame()),
        Index(),
    )
    (list_,) = open_tables([file], Hints(columns=mapping.columns()))
    bound = bind(mapping, list_.columns, list_.name)
    batches = list_.batches()

    def timed(stage: str, work: Callable[[], Any]) -> Any:
        start = time.process_time()
        try:
            return work()
        finally:
            spent[stage] += time.process_time() - start

    # Reading has its own thread: read everything first, so that it does not count for other stages.
    for batch in timed("read: decode, cut into cells, mend", lambda: list(batches)):
        frame = timed("clean", lambda b=batch: cells(b, bound)[0].frame)
        timed("validate", lambda f=frame: failures(f, bound.schema))
        prepared = timed("all three", lambda b=batch: prepare(b, bound, payloads=False))
        timed("count for the screen", lambda p=prepared: preview.add(p))
        identity = memory.identities(prepared.rows["identity"])
        unchanged = pl.lit(value=False).alias(UNCHANGED)
        rows = prepared.rows.with_columns(identity, unchanged)
        timed("duplicates", lambda r=rows: index.add(r))
    timed("duplicates", lambda: list(index.choose("last")))
    parts = ("clean", "validate")
    whole = spent.pop("all three")
    spent["identify, and look for what is suspect"] = whole - sum(spent[part] for part in parts)
    yield from spent.items()


def print_check(rows: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        file, mapping = lists.write(Path(name), rows, 0.01)
        found = dict(check_stages(str(file), Mapping.load(mapping)))
    total = sum(found.values())
    print(f"| a check of {rows:,} rows | share | µs per row |\n|---|---:|---:|")
    for stage_, seconds in found.items():
        print(f"| {stage_} | {seconds / total:.0%} | {1e6 * seconds / rows:.2f} |")
    print(f"| together | | {1e6 * total / rows:.2f} |\n")


def print_overlap(rows: int) -> None:
    """The CPU time of a check's threads, and its share of two cores."""
    reading = [0.0]
    kept = table.ahead

    def timed(items: Iterator[Any]) -> Iterator[Any]:
        while True:
            start = time.thread_time()
            item = next(items, None)
            reading[0] += time.thread_time() - start
            if item is None:
                return
            yield item

    table.ahead = lambda items, name: kept(timed(items), name)
    with tempfile.TemporaryDirectory() as name:
        file, mapping = lists.write(Path(name), rows, 0.01)
        wall, cpu, own = time.monotonic(), time.process_time(), time.thread_time()
        api.check(str(file), Mapping.load(mapping), keep=False)
        own = time.thread_time() - own
        cpu, wall = time.process_time() - cpu, time.monotonic() - wall
    table.ahead = kept
    print(f"| the same check, {wall:.2f} s | CPU, s | of that time |\n|---|---:|---:|")
    parts = {"read ahead": reading[0], "prepare and plan": own, "polars": cpu - own - reading[0]}
    for part, seconds in {**parts, "together": cpu}.items():
        print(f"| {part} | {seconds:.2f} | {seconds / wall:.0%} |")
    print()


def print_workbook(rows: int) -> None:
    """The CPU time of checking a workbook and of its parts, and that of fastexcel alone."""
    with tempfile.TemporaryDirectory() as name:
        file, mapping = lists.write(Path(name), rows)
        book = file.with_suffix(".xlsx")
        with (
            file.open(newline="", encoding="utf-8") as lines,
            xlsxwriter.Workbook(book, {"strings_to_numbers": False}) as written,
        ):
            sheet = written.add_worksheet("Leads")
            for number, row in enumerate(csv.reader(lines)):
                sheet.write_row(number, 0, row)
        read = InputFile(book.name, book)
        how = {"header_row": None, "skip_rows": 0, "dtypes": "string"}
        few = str(lists.write(Path(name), 10)[0])
        api.check(few, Mapping.load(mapping), keep=False)  # load what is loaded once
        parts = {
            "fastexcel alone": lambda: fastexcel.read_excel(book).load_sheet(0, **how).to_polars(),
            "measure its shared texts": lambda: texts_of_plain(read),
            "unpack the sheet, count its cells": lambda: xlsx_marks(read, "Leads"),
            "a check": lambda: api.check(str(book), Mapping.load(mapping), keep=False),
        }
        print(f"| a workbook of {rows:,} rows | CPU, s |\n|---|---:|")
        for part, work in parts.items():
            start = time.process_time()
            work()
            print(f"| {part} | {time.process_time() - start:.2f} |")
        print()


def print_known(rows: int) -> None:
    """The stages of a run over rows that an earlier one has sent. Concurrent reading counts for the
    stage it overlaps.
    """
    spent: Counter[str] = Counter()

    def timed(owner: type, name: str, stage: str) -> None:
        work = getattr(owner, name)

        def measured(*args: Any) -> Any:
            start, inside = time.process_time(), spent.total()
            try:
                return work(*args)
            finally:
                spent[stage] += time.process_time() - start - (spent.total() - inside)

        setattr(owner, name, measured)

    with tempfile.TemporaryDirectory() as name, receiving() as receiver:
        to = RDStation("benchmark", base_url=receiver.base_url)
        carry_out(Path(name), to, rows, None)
        timed(SqliteRun, "sources", "load what is known")
        timed(KnownRows, "_sources", "hash cells")
        timed(KnownRows, "part", "look up")
        timed(Planner, "make", "read, and what is done beside it")
        start = time.process_time()
        carry_out(Path(name), to, rows, None)
        whole = time.process_time() - start
    spent["begin, record the end, report"] = whole - spent.total()
    print(f"| a run of {rows:,} known rows | share | µs per row |\n|---|---:|---:|")
    for part, seconds in spent.items():
        print(f"| {part} | {seconds / whole:.0%} | {1e6 * seconds / rows:.2f} |")
    print()


def carry_out(folder: Path, to: RDStation, rows: int, quota: str | None) -> int:
    """Run in a folder; return how many rows were accepted."""
    folder.mkdir(exist_ok=True)
    file, mapping = lists.write(folder, rows)
    done = asyncio.run(
        api.run_async(
            [str(file)],
            Mapping.load(mapping),
            to=to,
            state_dir=folder / "state",
            report_dir=folder / "reports",
            quota=quota,
        )
    )
    return done.counts[State.ACCEPTED]


def print_run(rows: int, quota: str | None) -> None:
    """The stages of a run, at full speed or at the pace of a quota."""
    profiles = []

    def profiled() -> None:
        """Profile a thread from its first function on."""
        own = cProfile.Profile(time.thread_time)
        profiles.append(own)
        own.enable()

    with tempfile.TemporaryDirectory() as name, receiving() as receiver:
        to = RDStation("benchmark", base_url=receiver.base_url)
        carry_out(Path(name) / "first", to, 10, quota)  # load what is loaded once
        threading.setprofile(lambda *_: (sys.setprofile(None), profiled()))
        main_thread = cProfile.Profile(time.thread_time)
        profiles.append(main_thread)
        main_thread.enable()
        accepted = carry_out(Path(name) / "run", to, rows, quota)
        main_thread.disable()
    threading.setprofile(None)  # type: ignore[arg-type]
    if accepted != rows:
        raise RuntimeError("not every row was accepted")
    stats = pstats.Stats(*profiles)
    own: Counter[str] = Counter()
    for where, (_, _, seconds, _, _) in stats.stats.items():  # type: ignore[attr-defined]
        own[stage(where)] += seconds
    pace = f"at {quota}" if quota else "without a quota"
    print(f"| a run of {rows:,} rows {pace} | share | µs per row, under the profiler |")
    print("|---|---:|---:|")
    for name, seconds in own.most_common():
        print(f"| {name} | {seconds / own.total():.0%} | {1e6 * seconds / rows:.1f} |")
    stats.sort_stats("tottime").print_stats(25)


def main() -> None:
    to_check = int(sys.argv[2]) if len(sys.argv) > 2 else 200_000
    print_check(to_check)
    print_overlap(to_check)
    print_workbook(to_check)
    print_run(int(sys.argv[1]) if len(sys.argv) > 1 else 5_000, None)
    print_run(100, "500/min")
    print_known(max(LONG, to_check // 4))


if __name__ == "__main__":
    main()
