"""Holds what arrived against what ledger, summary and failure report say."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from .endpoint import NOT_NOW, Endpoint, Fault, Receipt
from .scenario import Interruption, Round, Scenario

STATES = "accepted already_imported duplicate invalid refused uncertain pending".split()
FAILED = ("invalid", "refused", "uncertain")
_DOUBT = ("uncertain", "sending")


@dataclass(frozen=True)
class Ended:
    """How a command ended. `interrupted` by what, where that came in time."""

    code: int
    summary: dict[str, Any] | None
    err: str
    hung: bool
    interrupted: Interruption | None

    @property
    def died(self) -> bool:
        """Killed, or told twice to stop: nobody wrote a summary."""
        return self.interrupted is not None and self.summary is None


class Known(NamedTuple):
    """What the ledger says of a conversion; `sending` is on its way in a run that died."""

    state: str
    receipt: str


class Checker:
    """Collects `untruths`: sentences that would each break the promise."""

    def __init__(self, plan: Scenario, endpoint: Endpoint, home: Path, key: str) -> None:
        self.plan = plan
        self.endpoint = endpoint
        self.home = home
        self.key = key
        self.untruths: list[str] = []
        self.counts: Counter[str] = Counter()
        self.before: dict[str, Known] = {}
        self._asked: set[str] = set()
        """Whose row was sent again because somebody asked for it."""
        self._where = ""

    def after_round(self, number: int, turn: Round, ended: Ended) -> None:
        """Check all that can be known after one run."""
        self._where = f"seed {self.plan.seed}, run {number}"
        self._must(not ended.hung, "the client hung")
        self._must("Traceback" not in ended.err, f"a traceback: {ended.err[-900:]}")
        self._must("never retrieved" not in ended.err, f"a lost error: {ended.err[-900:]}")
        if ended.interrupted is not None:
            self.counts[ended.interrupted.kind] += 1
        known = self._ledger()
        if turn.resend:
            self._asked |= {email for email, was in self.before.items() if was.state in _DOUBT}
        self._never_twice()
        self._ledger_is_true(known)
        if ended.summary is not None:
            self._summary_is_true(number, turn, ended, known)
        elif not ended.died:
            self._must(False, f"no summary, code {ended.code}: {ended.err[-900:]}")
        self._in_doubt_by_death(known)
        self.before = known

    def after_death(self, told: Ended) -> None:
        """`rdimport report` about a run that died must not call pending what may have arrived."""
        if told.code == 2 and "no run" in told.err:
            return
        self._where = f"seed {self.plan.seed}, report after a death"
        self._must(told.summary is not None, f"no report: {told.err[-900:]}")
        summary = told.summary or {}
        stored = {r.email for r in self.endpoint.receipts if r.stored}
        rows = sum(summary.get(state, 0) for state in STATES)
        self._must(rows == summary.get("rows"), f"{summary} does not add up")
        if rows == len(self.plan.lines):
            free = rows - sum(summary[s] for s in ("pending", "invalid", "refused", "duplicate"))
            self._must(free >= len(stored), f"{len(stored)} arrived, but the report says {summary}")

    def at_the_end(self) -> None:
        """After the last, calm run: nothing pending, the key nowhere, RD's call and no other."""
        self._where = f"seed {self.plan.seed}, at the end"
        for wrong in self.endpoint.wrong[:3]:
            self._must(False, wrong)
        for path in self.home.rglob("*"):
            if path.is_file():
                self._must(self.key.encode() not in path.read_bytes(), f"the key is in {path.name}")
        states = Counter(known.state for known in self.before.values())
        lost = [email for email in self.plan.unique if email not in self.before]
        self._must(not lost, f"never sent, never explained: {lost}")
        stored = {receipt.email for receipt in self.endpoint.receipts if receipt.stored}
        doubt = {email for email, known in self.before.items() if known.state == "uncertain"}
        self.counts.update(
            rows=len(self.plan.lines),
            requests=len(self.endpoint.receipts) + self.endpoint.unread,
            stored=len(stored),
            **{f"ended {state}": rows for state, rows in states.items()},
        )
        self.counts["uncertain that had arrived"] += len(doubt & stored)

    def _must(self, true: bool, otherwise: str) -> None:
        if not true:
            self.untruths.append(f"{self._where}: {otherwise}")

    def _ledger(self) -> dict[str, Known]:
        """What the ledger says of each e-mail, by the row that was sent for it."""
        path = self.home / "state" / "ledger.sqlite3"
        if not path.exists():
            return {}
        emails = [email.lower() for email, _ in self.plan.lines]
        with sqlite3.connect(path) as db:
            ends = db.execute("SELECT row, state, receipt FROM conversion").fetchall()
            gone = db.execute("SELECT row, 'sending', '' FROM sending").fetchall()
        db.close()
        return {emails[row - 2]: Known(state, receipt) for row, state, receipt in ends + gone}

    def _refused_last(self) -> set[str]:
        """E-mails that the latest run was refused. One that was uncertain before stays so for later
        runs, because the first attempt may have arrived.
        """
        emails = [email.lower() for email, _ in self.plan.lines]
        with sqlite3.connect(self.home / "state" / "ledger.sqlite3") as db:
            rows = db.execute(
                "SELECT row FROM outcome WHERE state = 'refused' AND run ="
                " (SELECT max(id) FROM run)"
            ).fetchall()
        db.close()
        return {emails[row - 2] for (row,) in rows}

    def _by_email(self) -> dict[str, list[Receipt]]:
        found: dict[str, list[Receipt]] = defaultdict(list)
        for receipt in self.endpoint.receipts:
            found[receipt.email].append(receipt)
        return found

    def _never_twice(self) -> None:
        """A row comes again only where the answer before proved that it had not arrived; one that
        was refused only with other values, as its double in the list may have.
        """
        for email, receipts in self._by_email().items():
            if email in self._asked:
                continue
            stored = sum(receipt.stored for receipt in receipts)
            self._must(stored <= 1, f"{email} arrived {stored} times")
            for earlier, later in pairwise(receipts):
                other = earlier.fault is Fault.REFUSE and earlier.name != later.name
                proof = earlier.answered and (earlier.fault in NOT_NOW or other)
                self._must(proof, f"{email} was sent again after: {earlier.fault}")

    def _ledger_is_true(self, known: dict[str, Known]) -> None:
        received = self._by_email()
        for email in {*self.plan.unique, *known, *received}:
            state, receipt = known.get(email, Known("", ""))
            got = received.get(email, [])
            uuids = {r.uuid for r in got if r.stored}
            met = {r.fault for r in got}
            if state == "accepted":
                self._must(receipt in uuids, f"{email} is called accepted, but did not arrive")
            elif state == "refused":
                asked = email in self._asked
                self._must(asked or not uuids, f"{email} is called refused, but arrived")
                self._must(Fault.REFUSE in met, f"{email} is called refused after: {met}")
            elif state == "":
                told = f"{email} is called unsent, but: {[str(r.fault) for r in got]}"
                self._must(all(r.fault in NOT_NOW and r.answered for r in got), told)
            else:
                self._must(state in ("uncertain", "sending"), f"{email} is {state}")
            was = self.before.get(email)
            if was is not None and was.state == "accepted":
                self._must(known.get(email) == was, f"{email} was {was}, is {known.get(email)}")
            if was is not None and was.state in _DOUBT and email not in self._asked:
                self._must(state in _DOUBT, f"{email} was uncertain, is {state}")

    def _in_doubt_by_death(self, known: dict[str, Known]) -> None:
        on_its_way = sum(k.state == "sending" for k in known.values())
        most = self.plan.concurrency
        self._must(on_its_way <= most, f"{on_its_way} rows in doubt, {most} could be in flight")

    def _summary_is_true(
        self, number: int, turn: Round, ended: Ended, known: dict[str, Known]
    ) -> None:
        told = ended.summary or {}
        written = json.loads((self.home / told["summary_json"]).read_text(encoding="utf-8"))
        self._must(written == told, "summary.json is not what was printed")
        counts = {state: told[state] for state in STATES}
        self._must(sum(counts.values()) == told["rows"], f"{counts} do not add up")
        code = 3 if counts["pending"] else 1 if any(counts[s] for s in FAILED) else 0
        partial = told["rows"] < len(self.plan.lines)
        if partial:  # it was stopped while it read
            self._must(told["stopped_because"] == "signal", f"only {told['rows']} rows were read")
            self._must(told["requests"] == 0, "it sent rows of an input that it did not know")
            return
        after = ended.interrupted is not None and told["stopped_because"] != "signal"
        if not after:  # a signal to a run that had closed its books leaves its own code
            self._must(ended.code == code, f"exit code {ended.code} for {counts}")
        self._must(told["exit_code"] == code, f"exit code {told['exit_code']} for {counts}")
        if not turn.rates and ended.interrupted is None:
            self._must(counts["pending"] == 0, f"calm, and yet {counts}: {told['stopped_because']}")
        self._requests_are_true(number, told)
        self._counts_are_true(turn, counts, known)
        self._failures_are_true(told, counts)

    def _requests_are_true(self, number: int, told: dict[str, Any]) -> None:
        mine = [r for r in self.endpoint.receipts if r.round == number]
        self._must(told["requests"] >= len(mine), f"{told['requests']} requests, not {len(mine)}")
        slow = sum(r.fault in (Fault.ACCOUNT, Fault.LEAD) and r.answered for r in mine)
        self._must(told["throttled"] <= slow, f"{told['throttled']} throttled, not {slow}")
        self._must(told["retries"] <= told["requests"], f"{told['retries']} retries")

    def _counts_are_true(
        self, turn: Round, counts: dict[str, int], known: dict[str, Known]
    ) -> None:
        """The counts are those of the ledger's states, plus the rows that are said twice."""
        expected: Counter[str] = Counter()
        refused = self._refused_last()
        for email in self.plan.unique:
            state = known[email].state if email in known else "pending"
            state = "refused" if state == "uncertain" and email in refused else state
            was = self.before.get(email, Known("", "")).state
            expected["already_imported" if state == was == "accepted" else state] += 1
        expected["invalid"] = sum("@" not in email for email, _ in self.plan.lines)
        more = {s: counts[s] - expected[s] for s in STATES}
        twice = len(self.plan.lines) - expected.total()
        fits = min(more.values()) >= 0 and sum(more.values()) == twice
        emails = [email.lower() for email, _ in self.plan.lines]
        tried = sum(emails.count(e) - 1 for e, k in known.items() if k.state == "refused")
        # the double of a refused row has other values, so it may be about to be tried
        fits = fits and more["accepted"] == more["invalid"] == 0 and more["pending"] <= tried
        self._must(fits, f"the summary says {counts}, the ledger {dict(expected)}")

    def _failures_are_true(self, told: dict[str, Any], counts: dict[str, int]) -> None:
        with (self.home / told["failures_csv"]).open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, delimiter=",", strict=True))
        states = Counter(row["rdimport_state"] for row in rows)
        expected = {state: counts[state] for state in FAILED if counts[state]}
        self._must(states == expected, f"failures.csv holds {dict(states)}, not {expected}")
        for row in rows:
            original = self.plan.lines[int(row["rdimport_row"]) - 2]
            self._must((row["E-mail"], row["Nome"]) == original, f"{row} was {original}")
            self._must(bool(row["rdimport_reason"]), f"{row} gives no reason")
