"""Reads the records of a run, for reports and status."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from rdimport.core.errors import Bug, ExitCode
from rdimport.core.row import Problem, State
from rdimport.ledger.evidence import PROVED
from rdimport.ledger.figures import Example, LegalBases, Minute, of_filled, without_gaps
from rdimport.ledger.records import Input, Outcome, RunFacts, RunRecord, problems_of
from rdimport.ledger.sqlite.database import LedgerFile
from rdimport.ledger.sqlite.refusals import see_name


class RunReader:
    """A run as recorded in the ledger."""

    def __init__(self, ledger: LedgerFile, number: int, destination: int, name: str) -> None:
        self.ledger = ledger
        self.name = see_name(ledger.path, name)
        self.number = number
        self.destination = destination
        self.has_begun = False
        """Whether this process has sent a row."""

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """A consistent snapshot, so that all files describe the same moment."""
        self.ledger.query("BEGIN")
        try:
            yield
        finally:
            self.ledger.query("ROLLBACK")

    def suspects(self) -> dict[str, int]:
        """Number of suspect cells in sendable rows by code, the most frequent first."""
        return dict(
            self.ledger.query(
                "SELECT code, cells FROM suspect WHERE run = ? ORDER BY cells DESC, code",
                self.number,
            )
        )

    def has_sent(self) -> bool:
        """Whether a request of this run may have been sent."""
        if self.has_begun:
            return True
        noted = self.ledger.query(
            "SELECT 1 FROM minute WHERE run = ? AND requests > 0 UNION ALL SELECT 1 FROM sending"
            " WHERE run = ? LIMIT 1",
            self.number,
            self.number,
        )
        return bool(noted)

    def read_to_end(self, facts: RunFacts) -> bool:
        """Whether all of the input was read. `facts` is the result of `facts`.

        A run that did not record its end shows it by what it sent: nothing is sent before the last
        row is read.
        """
        if facts.read_to_end is not None:
            return facts.read_to_end
        return facts.exit_code in (ExitCode.DONE, ExitCode.FAILED_ROWS) or self.has_sent()

    def counts(self) -> dict[State, int]:
        """Rows in each state; rows without a result are pending, rows in flight uncertain."""
        tallies = self.ledger.query(
            "SELECT state, sum(rows) FROM (SELECT state, rows FROM tally WHERE run = ?"
            " UNION ALL SELECT 'accepted', accepted FROM minute WHERE run = ?"
            " UNION ALL SELECT 'uncertain', count(*) FROM sending WHERE run = ?) GROUP BY state",
            self.number,
            self.number,
            self.number,
        )
        found = dict(tallies)
        ((rows,),) = self.ledger.query("SELECT row_count FROM run WHERE id = ?", self.number)
        counts = {state: int(found.get(state, 0)) for state in State}
        counts[State.PENDING] = rows - sum(counts.values())
        if counts[State.PENDING] < 0:
            raise Bug(f"{self.ledger.path} counts more outcomes than rows")
        return counts

    def facts(self) -> RunFacts:
        """Everything about the run except its rows: its settings, its end, its counters."""
        ((*known, text),) = self.ledger.query(
            "SELECT name, started_at, finished_at, exit_code, stopped_because, resume_at,"
            " forgotten_at, left_out, coalesce(sum(requests), 0), coalesce(sum(retries), 0),"
            " coalesce(sum(throttled), 0), coalesce(sum(seconds), 0.0), facts"
            " FROM run LEFT JOIN minute ON minute.run = run.id WHERE run.id = ?",
            self.number,
        )
        kept = json.loads(text)
        record = RunRecord.read(kept)
        said = (kept.get(name) or "" for name in ("trouble", "error"))
        ending = kept.get("read_to_end"), *said, kept.get("rules") or {}
        return RunFacts._make([*known, record, *ending])

    def later(self) -> str | None:
        """The latest run of the same list and account, if it is another one that could begin."""
        found = self.ledger.query(
            "SELECT later.name FROM run later JOIN run this ON later.destination ="
            " this.destination AND later.facts ->> '$.given' = this.facts ->> '$.given'"
            " AND later.id > this.id WHERE this.id = ? AND later.exit_code IS NOT ?"
            " ORDER BY later.id DESC LIMIT 1",
            self.number,
            int(ExitCode.NOTHING_SENT),
        )
        return found[0][0] if found else None

    def problems(self) -> dict[str, int]:
        """Number of the run's rows with each code, the most frequent first."""
        return dict(
            self.ledger.query(
                "SELECT json_extract(p.value, '$[0]') AS code, count(DISTINCT o.file || ' ' ||"
                " o.row) AS rows FROM ends o, json_each(o.problems) p WHERE o.run = ?"
                " AND o.state <> 'accepted'"
                " GROUP BY code ORDER BY rows DESC, code",
                self.number,
            )
        )

    def failures(self) -> Iterator[Outcome]:
        """The rows of the failure report, in the order of the input."""
        yield from self._listed("'invalid', 'refused', 'uncertain'")

    def sent_without(self) -> Iterator[Outcome]:
        """Rows accepted without an invalid cell, in the order of the input; see their warnings."""
        yield from self._listed("'accepted'")

    def _listed(self, states: str) -> Iterator[Outcome]:
        for file, row, state, cells, problems, warnings in self.ledger.stream(
            "SELECT file, row, state, cells, problems, warnings FROM ends WHERE run = ?"  # noqa: S608
            f" AND state IN ({states}) ORDER BY file, row",
            self.number,
        ):
            yield Outcome(
                file,
                row,
                State(state),
                problems_of(problems),
                tuple(json.loads(cells)),
                warnings=problems_of(warnings),
            )

    def without_cells(self) -> dict[int, list[int]]:
        """Rows, by file, that were in flight when the run was killed: their cells are not
        stored.
        """
        found: dict[int, list[int]] = {}
        for file, row in self.ledger.query(
            "SELECT file, row FROM ends WHERE run = ? AND state = 'uncertain' AND cells = '[]'"
            " ORDER BY file, row",
            self.number,
        ):
            found.setdefault(file, []).append(row)
        return found

    def accepted(self, most: int) -> list[tuple[int, int]]:
        """File and row of the first rows that this run delivered, in the order of the input."""
        return self.ledger.query(
            "SELECT file, row FROM conversion WHERE destination = ? AND run = ?"
            " AND state = 'accepted' ORDER BY file, row LIMIT ?",
            self.destination,
            self.number,
            most,
        )

    def inputs(self) -> dict[int, Input]:
        """The tables of the input by their number."""
        return {
            file: Input(name, tuple(json.loads(columns)), *shape)
            for file, name, columns, *shape in self.ledger.query(
                "SELECT file, name, columns, encoding, delimiter, sheet, header_row, repair,"
                " fingerprint FROM input WHERE run = ? ORDER BY file",
                self.number,
            )
        }

    def proofs(self) -> dict[str, int]:
        """Number of rows proved later, by kind of proof."""
        found = self.ledger.query(
            "SELECT substr(p.value ->> '$[0]', ?), count(*) FROM outcome o, json_each(o.problems) p"
            " WHERE o.run = ? AND o.state = 'accepted' GROUP BY 1 ORDER BY 1",
            len(PROVED) + 1,
            self.number,
        )
        return dict(found)

    def corrected(self) -> dict[str, int]:
        """Number of rows that count as imported because a person corrected them in a failure
        report, by the run that sent them.
        """
        found = self.ledger.query(
            "SELECT p.value ->> '$[4]', count(*) FROM outcome o, json_each(o.warnings) p"
            " WHERE o.run = ? AND o.state = 'already_imported' GROUP BY 1 ORDER BY 1",
            self.number,
        )
        return dict(found)

    def examples(self, of_each: int) -> dict[str, list[Example]]:
        """The first rows with a problem of each code, the most frequent code first."""
        found: dict[str, list[Example]] = {code: [] for code in self.problems()}
        for code, file, row, problem in self.ledger.stream(
            "SELECT code, file, row, problem FROM (SELECT o.file, o.row, p.value AS problem,"
            " json_extract(p.value, '$[0]') AS code, row_number() OVER (PARTITION BY"
            " json_extract(p.value, '$[0]') ORDER BY o.file, o.row) AS place"
            " FROM ends o, json_each(o.problems) p WHERE o.run = ? AND o.state <> 'accepted')"
            " WHERE place <= ?"
            " ORDER BY code, file, row",
            self.number,
            of_each,
        ):
            found[code].append(Example(file, row, Problem(*json.loads(problem))))
        return found

    def minutes(self) -> list[Minute]:
        """The counts of each minute of sending, including those without activity."""
        noted = self.ledger.query(
            "SELECT minute, requests, throttled, accepted FROM minute WHERE run = ?", self.number
        )
        return without_gaps(Minute(*values) for values in noted)

    def warned(self) -> bool:
        """Whether a failed row has suspect cells that are not the reason for its failure."""
        found = self.ledger.query(
            "SELECT 1 FROM ends WHERE run = ? AND warnings <> '[]' AND state IN"
            " ('invalid', 'refused', 'uncertain') LIMIT 1",
            self.number,
        )
        return bool(found)

    def filled(self) -> dict[str, int]:
        """Number of sendable rows with a value in each field, the fewest first."""
        return {field: rows for field, rows in self._filled().items() if ":" not in field}

    def invalid_by_column(self) -> dict[tuple[str, str], int]:
        """Number of rows invalid in each field, with its source column."""
        return {
            (field, column): rows
            for field, column, rows in self.ledger.query(
                "SELECT json_extract(p.value, '$[1]') AS field, json_extract(p.value, '$[2]'),"
                " count(DISTINCT o.file || ' ' || o.row) FROM ends o, json_each(o.problems) p"
                " WHERE o.run = ? AND o.state = 'invalid' AND field <> '' GROUP BY 1, 2",
                self.number,
            )
        }

    def legal_bases(self) -> LegalBases | None:
        """Number of sendable rows by legal basis; None if not counted."""
        return of_filled(self._filled())

    def _filled(self) -> dict[str, int]:
        return dict(
            self.ledger.query(
                "SELECT field, rows FROM filled WHERE run = ? ORDER BY rows, field", self.number
            )
        )
