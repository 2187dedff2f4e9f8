"""Compare what arrived with what ledger, summary and failure report say."""

from __future__ import annotations

import csv
import json
import signal
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from .books import Books, Start
from .corrected import broken
from .endpoint import NOT_NOW, Endpoint, Fault, Receipt
from .ledgers import Files, Keeper
from .losses import LOSSES
from .oracle import DOUBT, NEVER, Known, Past, Wanted, ends, wanted, wish
from .rows import COLUMNS, Key
from .scenario import Interruption, Scenario

STATES = "accepted already_imported duplicate invalid suppressed refused uncertain pending".split()
FAILED = ("invalid", "refused", "uncertain")


@dataclass(frozen=True)
class Ended:
    """How a command ended. `interrupted` is what interrupted it, if that came in time."""

    code: int
    summary: dict[str, Any] | None
    err: str
    hung: bool
    interrupted: Interruption | None

    @property
    def died(self) -> bool:
        """Whether it was killed, or told twice to stop: then there is no summary."""
        return self.interrupted is not None and self.summary is None


@dataclass(frozen=True)
class Run:
    """One finished run, with everything it is judged by."""

    start: Start
    ended: Ended
    before: dict[Key, Known]
    books: Books
    wanted: dict[Key, Wanted]
    got: dict[Key, list[Receipt]]
    machines: int = 1
    """How many were running."""

    @property
    def quiet(self) -> bool:
        """Whether nothing hindered it: all that must be sent is, and no answer gets lost."""
        calm = self.start.turn.calm and self.machines == 1
        return calm and self.ended.interrupted is None

    def was(self, key: Key) -> Known:
        return in_doubt(self.before.get(key, NEVER))

    def now(self, key: Key) -> Known:
        """What an earlier run left in flight is in doubt, whether or not a run has recorded that
        yet.
        """
        known = self.books.known.get(key, NEVER)
        return known if known.round == self.start.number else in_doubt(known)

    def touched(self, key: Key) -> bool:
        """Whether it was sent in this run, as far as endpoint or ledger know."""
        return bool(self.got.get(key)) or self.now(key).round == self.start.number


class Checker:
    """Collects `untruths` about one ledger: sentences each of which breaks the promise."""

    def __init__(
        self,
        plan: Scenario,
        endpoint: Endpoint,
        home: Path,
        starts: dict[int, Start],
        *,
        ledger: str = "state",
        keeper: Keeper | None = None,
    ) -> None:
        self.plan = plan
        self.keeper = keeper or Files(home)
        self.ledger = ledger
        self.endpoint = endpoint
        self.home = home
        self.starts = starts
        self.others: frozenset[int] = frozenset()
        """Processes of runs in the ledger that are outside this scenario."""
        self.untruths: list[str] = []
        self.counts: Counter[str] = Counter()
        self.past: dict[str, list[Past]] = defaultdict(list)
        self.books = Books()
        self._where = ""

    def after(self, runs: Sequence[tuple[Start, Ended]]) -> list[Run]:
        """Check all that can be known after some concurrent runs."""
        self.at(f"run {' and '.join(str(start.number) for start, _ in runs)}")
        before, self.books = self.books.known, self.read()
        for key in self.books.twice:
            self.must(False, f"the ledger knows {key} twice")
        for name in self.books.strangers:
            self.must(False, f"run {name} was at work, though another one was")
        return [self._after(start, ended, before) for start, ended in runs]

    def read(self) -> Books:
        return self.keeper.read(self.ledger, self.starts, self.others)

    def _after(self, start: Start, ended: Ended, before: dict[Key, Known]) -> Run:
        turn = start.turn
        self.at(f"run {start.number}")
        self.well_behaved(ended)
        past = self.past[turn.account]
        sheets = frozenset(sheet.name for sheet in start.sheets)
        begun = wish(past, turn.resend, sheets)
        got = self.received(lambda receipt: receipt.round == start.number)
        earlier = self.received(lambda receipt: receipt.round < start.number)
        want = {
            key: wanted(
                turn, in_doubt(before.get(key, NEVER)), earlier.get(key, []), payloads, begun
            )
            for key, payloads in start.payloads().items()
        }
        run = Run(start, ended, before, self.books, want, got)
        if ended.code != 2 and start.number in self.books.runs:
            good = ended.summary is not None and ended.summary["exit_code"] in (0, 1)
            past.append(Past(start.number, turn.resend, sheets, good))
        self._sent_what_it_may(run)
        self.ledger_is_true(run)
        if ended.summary is not None:
            self.summary_is_true(run, ended.summary)
            self._code_is_true(run, ended.summary)
        elif ended.interrupted is not None and ended.interrupted.kind in LOSSES:
            self.must(ended.code == 3, f"code {ended.code} as {ended.interrupted.kind}")
        elif not ended.died and turn.file_size is None:
            self.must(False, f"no summary, code {ended.code}: {ended.err[-900:]}")
        elif not ended.died:
            self.must(ended.code in (2, 3), f"code {ended.code} on a full disk")
        if ended.code == 2:
            self.must(not got, f"it says that nothing was sent, and sent {len(got)} rows")
        self._counts(run)
        return run

    def well_behaved(self, ended: Ended) -> None:
        """No command hangs or shows what is only for developers."""
        self.must(not ended.hung, "the client hung")
        early = ended.code == -signal.SIGINT and ended.interrupted  # Python had not started yet
        self.must(bool(early) or "Traceback" not in ended.err, f"a traceback: {ended.err[-900:]}")
        self.must("never retrieved" not in ended.err, f"a lost error: {ended.err[-900:]}")

    def at_the_end(self) -> None:
        """After the last, calm run: the key is nowhere, and every request was RD's call."""
        self.at("at the end")
        for wrong in self.endpoint.wrong[:3]:
            self.must(False, wrong)
        for path in self.home.rglob("*"):
            for key in self.endpoint.accounts if path.is_file() else ():
                self.must(key.encode() not in path.read_bytes(), f"the key is in {path.name}")
        known = self.books.known
        stored = {receipt.key for receipt in self.endpoint.receipts if receipt.stored}
        doubt = {key for key, of in known.items() if of.state == "uncertain"}
        self.counts.update(
            requests=len(self.endpoint.receipts) + self.endpoint.unread.total(),
            stored=len(stored),
            **{f"ended {s}": n for s, n in Counter(k.state for k in known.values()).items()},
        )
        self.counts["uncertain that had arrived"] += len(doubt & stored)

    def at(self, where: str) -> None:
        """Name the place that all further findings are about."""
        self._where = f"seed {self.plan.seed}, {where}"

    def must(self, true: bool, otherwise: str) -> None:
        if not true:
            self.untruths.append(f"{self._where}: {otherwise}")

    def _counts(self, run: Run) -> None:
        turn = run.start.turn
        self.counts["runs"] += 1
        self.counts["rows"] += sum(len(sheet.rows) for sheet in run.start.sheets)
        traits = {
            "resend": bool(turn.resend),
            "on_change: send": turn.rules.on_change == "send",
            f"on_duplicate: {turn.rules.on_duplicate}": True,
            "limit or canary": turn.limit is not None,
            "max-duration": bool(turn.max_duration),
            "full disk": turn.file_size is not None,
            "several lists": len(run.start.sheets) > 1,
            "sent again, as asked": any(
                want.asked and k in run.got for k, want in run.wanted.items()
            ),
        }
        self.counts.update(f"with {name}" for name, true in traits.items() if true)
        if run.ended.interrupted is not None:
            self.counts[f"signal: {run.ended.interrupted.kind}"] += 1

    def received(self, which: Any) -> dict[Key, list[Receipt]]:
        """The requests for which `which` is true, by conversion."""
        found: dict[Key, list[Receipt]] = defaultdict(list)
        for receipt in filter(which, self.receipts()):
            found[receipt.key].append(receipt)
        return found

    def receipts(self) -> list[Receipt]:
        """The requests of the runs that had this ledger."""
        mine = {s.number for s in self.starts.values() if s.turn.ledger == self.ledger}
        return [receipt for receipt in self.endpoint.receipts if receipt.round in mine]

    def _sent_what_it_may(self, run: Run) -> None:
        """Each request was wanted; a row was sent again only if the answer proved that it had not
        arrived.
        """
        for key, receipts in run.got.items():
            want = run.wanted.get(key)
            known = f"{key.email}, known as {run.was(key)}"
            self.must(want is not None, f"{known}, is not in the input, and was sent")
            for receipt in receipts if want else ():
                assert want is not None
                self.must(receipt.payload in want.may, f"{known}, was sent as {receipt.payload}")
            for earlier, later in pairwise(receipts):
                proof = earlier.answered and earlier.fault in NOT_NOW
                same = earlier.payload == later.payload
                self.must(proof and same, f"{known}, was sent again after: {earlier.fault}")
        limit = run.start.turn.limit
        if limit is not None:
            self.must(len(run.got) <= limit, f"{len(run.got)} rows were sent, not {limit}")
        for key, want in run.wanted.items():
            missed = want.must and run.quiet and not run.touched(key)
            self.must(not missed, f"{key.email}, known as {run.was(key)}, was not sent")

    def ledger_is_true(self, run: Run) -> None:
        """Each line follows from what was known before and what the endpoint received."""
        number, blind, flying = run.start.number, 0, 0
        account = run.start.turn.account
        keys = {k for k in (*run.before, *run.books.known, *run.got) if k.account == account}
        for key in sorted(keys):
            was, now, got = run.was(key), run.now(key), run.got.get(key, [])
            flying += now.state == "sending"
            if now.round == number and not got:
                self.must(now.state in DOUBT, f"{key.email} was never sent, and is {now}")
                blind += 1
                may = {now}
            elif got:
                may = ends(was, got, number, strict=run.quiet)
            else:
                may = {was}
            met = [str(receipt.fault) for receipt in got]
            self.must(now in may, f"{key.email} was {was}, met {met}, is {now}")
        most = self.plan.concurrency * run.machines
        whole = run.machines == 1 and (
            run.ended.summary is not None or (not run.ended.died and not run.start.turn.file_size)
        )
        self.must(flying <= (0 if whole else most), f"{flying} rows are left on their way")
        most = self.endpoint.unread[number] + (0 if run.quiet else most)
        self.must(blind <= most, f"{blind} rows in doubt that nobody saw, {most} could be")

    def summary_is_true(self, run: Run, summary: dict[str, Any], *, dead: bool = False) -> None:
        """`dead`: it was written by another command, about a run that died."""
        written = json.loads((self.home / summary["summary_json"]).read_text(encoding="utf-8"))
        self.must(written == summary, "summary.json is not what was printed")
        counts = {state: summary[state] for state in STATES}
        self.must(sum(counts.values()) == summary["rows"], f"{counts} do not add up")
        if summary["rows"] < sum(len(sheet.rows) for sheet in run.start.sheets):
            stopped = summary["stopped_because"] == "signal" or dead
            self.must(stopped, f"only {summary['rows']} rows were read")
            self.must(summary["requests"] == 0, "it sent rows of an input that it did not know")
            return
        self._requests_are_true(run, summary, dead=dead)
        # a run stopped just after reading the last row has not looked for duplicates
        early = dead or summary["stopped_because"] == "signal"
        planned = not early or summary["requests"] > 0
        allowed = {key: self._allowed(run, key, planned=planned) for key in run.wanted}
        self._counts_are_true(run, counts, allowed)
        self.failures_are_true(run, summary, counts, allowed)
        self._duplicates_are_true(run)

    def _code_is_true(self, run: Run, summary: dict[str, Any]) -> None:
        whole = summary["rows"] == sum(len(sheet.rows) for sheet in run.start.sheets)
        failed = any(summary[state] for state in FAILED)
        code = 3 if summary["pending"] or not whole else 1 if failed else 0
        ended = run.ended
        recorded = summary["stopped_because"] != "signal" or ended.code == -signal.SIGKILL
        if ended.interrupted is None or not recorded:
            # a signal after the run was recorded changes only the code of the process
            self.must(ended.code == code, f"exit code {ended.code} for {summary}")
        self.must(summary["exit_code"] == code, f"exit code {summary['exit_code']} for {summary}")
        stopped = summary["pending"] and run.quiet
        self.must(not stopped, f"calm, and yet stopped because {summary['stopped_because']}")

    def _requests_are_true(self, run: Run, summary: dict[str, Any], *, dead: bool) -> None:
        number = run.start.number
        mine = [receipt for receipts in run.got.values() for receipt in receipts]
        most = len(mine) + self.endpoint.unread[number]
        if not run.quiet:
            most += summary["uncertain"] + summary["retries"]
        least = 0 if dead else len(mine)
        fits = least <= summary["requests"] <= most
        self.must(fits, f"{summary['requests']} requests, not {least} to {most}")
        slow = sum(r.fault in (Fault.ACCOUNT, Fault.LEAD) and r.answered for r in mine)
        self.must(summary["throttled"] <= slow, f"{summary['throttled']} throttled, not {slow}")
        again = sum(len(receipts) - 1 for receipts in run.got.values())
        self.must(summary["retries"] <= summary["requests"], f"{summary['retries']} retries")
        self.must(not run.quiet or summary["retries"] == again, f"{summary['retries']} retries")

    def _allowed(
        self, run: Run, key: Key, *, planned: bool
    ) -> tuple[frozenset[str], frozenset[str]]:
        """The states allowed for the row that stands for a conversion, and for its duplicates."""
        now, want = run.now(key), run.wanted[key]
        others = want.states | {"duplicate"} | (set() if planned else {"pending"})
        if not run.touched(key):
            own = (
                want.states
                if not want.may
                else {"pending"} | (want.states if not want.must else set())
            )
            rules = run.start.turn.rules
            late = rules.on_change == "send" or rules.on_duplicate == "merge"
            if late and not planned:  # new payloads were not determined yet
                own = own | {"pending"}
            return frozenset(own), frozenset(others)
        final = run.got[key][-1] if run.got.get(key) else None
        if now.state in DOUBT and now.round == run.start.number:
            return frozenset({"uncertain"}), frozenset(others)
        if now.state == "accepted" and now.round == run.start.number:
            return frozenset({"accepted"}), frozenset(others)
        if final is not None and final.fault is Fault.REFUSE:
            return frozenset({"refused"}), frozenset(others)
        return frozenset({"pending"}), frozenset(others)

    def _counts_are_true(
        self,
        run: Run,
        counts: dict[str, int],
        allowed: dict[Key, tuple[frozenset[str], frozenset[str]]],
    ) -> None:
        rows = Counter(run.start.keys())
        few, many = broken(self.starts.values(), run.start, run.before | run.books.known)
        least, most = Counter(invalid=few), Counter(invalid=many, already_imported=many - few)
        for key, (own, others) in allowed.items():
            for may, times in ((own, 1), (others, rows[key] - 1)):
                if len(may) == 1:
                    least[next(iter(may))] += times
                most.update(dict.fromkeys(may, times))
        for state in STATES:
            fits = least[state] <= counts[state] <= most[state]
            self.must(fits, f"{counts} rows, but {state} {least[state]} to {most[state]}")

    def failures_are_true(
        self,
        run: Run,
        summary: dict[str, Any],
        counts: dict[str, int],
        allowed: dict[Key, tuple[frozenset[str], frozenset[str]]] | None,
    ) -> None:
        """failures.csv has each row that failed, unchanged, and no other."""
        with (self.home / summary["failures_csv"]).open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.DictReader(file, delimiter=",", strict=True))
        states = Counter(line["rdimport_state"] for line in lines)
        expected = {state: counts[state] for state in FAILED if counts[state]}
        self.must(states == expected, f"failures.csv holds {dict(states)}, not {expected}")
        places = {
            place: (number, at + 2)
            for number, sheet in enumerate(run.start.sheets)
            for at, place in enumerate(sheet.places())
        }
        seen = set()
        for line in lines:
            file_number, row = places[line["rdimport_file"], int(line["rdimport_row"])]
            seen.add((file_number, row))
            original = run.start.sheets[file_number].rows[row - 2]
            cells = tuple(line[name] for name in COLUMNS)
            lost = not any(cells) and line["rdimport_code"] == "uncertain.interrupted"
            self.must(cells == original or lost, f"{line} was {original}")
            self.must(bool(line["rdimport_reason"]), f"{line} gives no reason")
            may = {"invalid"}
            if original.valid and allowed is None:
                may = {*FAILED}
            elif original.valid and allowed is not None:
                own, others = allowed[run.start.key(file_number, row)]
                may = {*own, *others}
            self.must(line["rdimport_state"] in may, f"{line} should be {may}")
        self.must(len(seen) == len(lines), "failures.csv holds a row twice")

    def _duplicates_are_true(self, run: Run) -> None:
        """A duplicate is replaced by another row of the same conversion that is no duplicate
        itself.
        """
        ends = run.books.ends.get(run.start.number, [])
        gone = {(end.file, end.row) for end in ends if end.instead is not None}
        for end in ends:
            if end.instead is not None:
                same = run.start.key(end.file, end.row) == run.start.key(*end.instead)
                self.must(same and end.instead not in gone, f"{end}: not the same conversion")


def in_doubt(known: Known) -> Known:
    """What is in flight may have arrived."""
    return known._replace(state="uncertain") if known.state == "sending" else known
