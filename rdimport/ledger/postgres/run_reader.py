"""What the ledger knows of a run, for reports and status."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rdimport.core.errors import Bug, ExitCode
from rdimport.core.row import Problem, State
from rdimport.ledger.evidence import PROVED
from rdimport.ledger.figures import Example, LegalBases, Minute, of_filled, without_gaps
from rdimport.ledger.postgres.database import Database
from rdimport.ledger.records import Input, Outcome, RunFacts, RunRecord, problems_of

_AT_ONCE: Final = 2_000
_LISTED: Final = """
SELECT file, row, state, cells, problems, warnings FROM rdimport.ends
WHERE run = %s AND state = ANY(%s::text[]) AND (file, row) > (%s, %s) ORDER BY file, row LIMIT %s
"""


class RunReader:
    """A run as it stands in the ledger."""

    def __init__(self, ledger: Database, number: int, destination: int, name: str) -> None:
        self.ledger = ledger
        self.name = ledger.see_name(name)
        self.number = number
        self.destination = destination
        self.has_begun = False
        """Has this process let a row leave?"""

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """The ledger as it is now, whoever goes on writing to it: all files tell of one moment."""
        with self.ledger.snapshot():
            yield

    def suspects(self) -> dict[str, int]:
        """How many cells look wrong although they can be sent, the most frequent code first."""
        return dict(
            self.ledger.query(
                "SELECT code, cells FROM rdimport.suspect WHERE run = %s ORDER BY cells DESC, code",
                self.number,
            )
        )

    def has_sent(self) -> bool:
        """May a request of this run have left?"""
        if self.has_begun:
            return True
        noted = self.ledger.query(
            "SELECT 1 FROM rdimport.minute WHERE run = %s AND requests > 0 UNION ALL SELECT 1"
            " FROM rdimport.conversion"
            " WHERE destination = %s AND run = %s AND state = 0 LIMIT 1",
            self.number,
            self.destination,
            self.number,
        )
        return bool(noted)

    def read_to_end(self, facts: RunFacts) -> bool:
        """Was all of the input read? `facts` are those of `facts`. A run that did not close its
        books tells it by what it sent: nothing leaves before the last row is read.
        """
        if facts.read_to_end is not None:
            return facts.read_to_end
        return facts.exit_code in (ExitCode.DONE, ExitCode.FAILED_ROWS) or self.has_sent()

    def counts(self) -> dict[State, int]:
        """Rows in each state; what came to no end is pending, what is on its way uncertain."""
        tallies = self.ledger.query(
            "SELECT state, sum(rows) FROM (SELECT state, rows FROM rdimport.tally WHERE run = %s"
            " UNION ALL SELECT 'accepted', accepted FROM rdimport.minute WHERE run = %s"
            " UNION ALL SELECT 'uncertain', count(*) FROM rdimport.conversion"
            " WHERE destination = %s AND run = %s AND state = 0) AS counted GROUP BY state",
            self.number,
            self.number,
            self.destination,
            self.number,
        )
        found = dict(tallies)
        ((rows,),) = self.ledger.query(
            "SELECT row_count FROM rdimport.run WHERE id = %s", self.number
        )
        counts = {state: int(found.get(state, 0)) for state in State}
        counts[State.PENDING] = rows - sum(counts.values())
        if counts[State.PENDING] < 0:
            raise Bug(f"{self.ledger.place} counts more outcomes than rows")
        return counts

    def facts(self) -> RunFacts:
        """Everything about the run but its rows: what it is, how it ended, what was counted."""
        ((*known, text),) = self.ledger.query(
            "SELECT name, started_at, finished_at, exit_code, stopped_because, resume_at,"
            " forgotten_at, left_out, coalesce(sum(requests), 0), coalesce(sum(retries), 0),"
            " coalesce(sum(throttled), 0), coalesce(sum(seconds), 0.0), facts"
            " FROM rdimport.run r LEFT JOIN rdimport.minute m ON m.run = r.id WHERE r.id = %s"
            " GROUP BY r.id",
            self.number,
        )
        kept = json.loads(text)
        record = RunRecord.read(kept)
        said = (kept.get(name) or "" for name in ("trouble", "error"))
        ending = kept.get("read_to_end"), *said, kept.get("rules") or {}
        return RunFacts._make([*known, record, *ending])

    def later(self) -> str | None:
        """The latest run of the same list and account, where it is another and could begin."""
        found = self.ledger.query(
            "SELECT later.name FROM rdimport.run later JOIN rdimport.run this ON"
            " later.destination ="
            " this.destination AND later.facts::json ->> 'given' = this.facts::json ->> 'given'"
            " AND later.id > this.id WHERE this.id = %s AND later.exit_code IS DISTINCT FROM %s"
            " ORDER BY later.id DESC LIMIT 1",
            self.number,
            int(ExitCode.NOTHING_SENT),
        )
        return found[0][0] if found else None

    def problems(self) -> dict[str, int]:
        """How many of the run's rows have a problem of each code, the most frequent first."""
        return dict(
            self.ledger.query(
                "SELECT p.value ->> 0 AS code, count(DISTINCT (o.file, o.row)) AS rows FROM"
                " rdimport.ends o,"
                " json_array_elements(o.problems::json) p WHERE o.run = %s"
                " AND o.state <> 'accepted' GROUP BY 1 ORDER BY 2 DESC, 1",
                self.number,
            )
        )

    def failures(self) -> Iterator[Outcome]:
        """The rows that the failure report lists, in the order of the input."""
        yield from self._listed("invalid", "refused", "uncertain")

    def sent_without(self) -> Iterator[Outcome]:
        """The rows that were accepted without a cell that was not valid, in the order of the input;
        their warnings tell which.
        """
        yield from self._listed("accepted")

    def _listed(self, *states: str) -> Iterator[Outcome]:
        after = (-1, -1)
        while found := self.ledger.query(_LISTED, self.number, list(states), *after, _AT_ONCE):
            for file, row, state, cells, problems, warnings in found:
                end = Outcome(file, row, State(state), problems_of(problems))
                told = tuple(json.loads(cells))
                yield end._replace(cells=told, warnings=problems_of(warnings))
            after = found[-1][:2]

    def without_cells(self) -> dict[int, list[int]]:
        """Rows by file that were on their way when the run was cut off: nobody kept their cells."""
        found: dict[int, list[int]] = {}
        for file, row in self.ledger.query(
            "SELECT file, row FROM rdimport.ends WHERE run = %s AND state = 'uncertain' AND"
            " cells = '[]'"
            " ORDER BY file, row",
            self.number,
        ):
            found.setdefault(file, []).append(row)
        return found

    def accepted(self, most: int) -> list[tuple[int, int]]:
        """File and row of the first rows that this run delivered, in the order of the input."""
        return self.ledger.query(
            "SELECT file, row FROM rdimport.conversion WHERE destination = %s AND run = %s"
            " AND state = 1 ORDER BY file, row LIMIT %s",
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
                " fingerprint FROM rdimport.input WHERE run = %s ORDER BY file",
                self.number,
            )
        }

    def proofs(self) -> dict[str, int]:
        """How many rows were proved later, by the kind of the proof."""
        found = self.ledger.query(
            "SELECT substr(p.value ->> 0, %s), count(*) FROM rdimport.outcome o,"
            " json_array_elements(o.problems::json) p"
            " WHERE o.run = %s AND o.state = 'accepted' GROUP BY 1 ORDER BY 1",
            len(PROVED) + 1,
            self.number,
        )
        return dict(found)

    def corrected(self) -> dict[str, int]:
        """Number of rows that count as imported because a person corrected them in a failure
        report, by the run that sent them.
        """
        found = self.ledger.query(
            "SELECT p.value ->> 4, count(*) FROM rdimport.outcome o,"
            " json_array_elements(o.warnings::json) p"
            " WHERE o.run = %s AND o.state = 'already_imported' GROUP BY 1 ORDER BY 1",
            self.number,
        )
        return dict(found)

    def examples(self, of_each: int) -> dict[str, list[Example]]:
        """The first rows with a problem of each code, the most frequent code first."""
        found: dict[str, list[Example]] = {code: [] for code in self.problems()}
        for code, file, row, problem in self.ledger.query(
            "SELECT code, file, row, problem FROM (SELECT o.file, o.row, p.value::text AS problem,"
            " p.value ->> 0 AS code, row_number() OVER (PARTITION BY p.value ->> 0"
            " ORDER BY o.file, o.row) AS place FROM rdimport.ends o,"
            " json_array_elements(o.problems::json) p WHERE o.run = %s AND o.state <> 'accepted')"
            " AS found WHERE place <= %s ORDER BY code, file, row",
            self.number,
            of_each,
        ):
            found[code].append(Example(file, row, Problem(*json.loads(problem))))
        return found

    def minutes(self) -> list[Minute]:
        """What happened in each minute of the sending, also in those in which nothing did."""
        noted = self.ledger.query(
            "SELECT minute, requests, throttled, accepted FROM rdimport.minute WHERE run = %s",
            self.number,
        )
        return without_gaps(Minute(*values) for values in noted)

    def warned(self) -> bool:
        """Has a row that failed cells that look wrong, but are not why it failed?"""
        found = self.ledger.query(
            "SELECT 1 FROM rdimport.ends WHERE run = %s AND warnings <> '[]' AND state IN"
            " ('invalid', 'refused', 'uncertain') LIMIT 1",
            self.number,
        )
        return bool(found)

    def filled(self) -> dict[str, int]:
        """How many of the rows that can be sent have a value in each field, the fewest first."""
        return {field: rows for field, rows in self._filled().items() if ":" not in field}

    def invalid_by_column(self) -> dict[tuple[str, str], int]:
        """How many rows are invalid in each field, with the column that it is filled from."""
        return {
            (field, column): rows
            for field, column, rows in self.ledger.query(
                "SELECT p.value ->> 1, p.value ->> 2, count(DISTINCT (o.file, o.row)) FROM"
                " rdimport.ends o,"
                " json_array_elements(o.problems::json) p"
                " WHERE o.run = %s AND o.state = 'invalid' AND p.value ->> 1 <> '' GROUP BY 1, 2",
                self.number,
            )
        }

    def legal_bases(self) -> LegalBases | None:
        """Of the rows that can be sent, how many have a legal basis; None where nobody counted."""
        return of_filled(self._filled())

    def _filled(self) -> dict[str, int]:
        return dict(
            self.ledger.query(
                "SELECT field, rows FROM rdimport.filled WHERE run = %s ORDER BY rows, field",
                self.number,
            )
        )
