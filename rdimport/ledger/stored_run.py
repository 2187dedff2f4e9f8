"""The stored form of a run: the columns read and their decoding, in each kind of ledger."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import starmap
from typing import Any, ClassVar, Final, LiteralString

from rdimport.core.errors import Bug, ExitCode
from rdimport.core.row import Problem, State
from rdimport.ledger.evidence import PROVED
from rdimport.ledger.figures import Example, LegalBases, Minute, of_filled, without_gaps
from rdimport.ledger.naming import Names, Unrecognised, noted
from rdimport.ledger.records import Correction, Input, Outcome, RunFacts, RunRecord, problems_of
from rdimport.ledger.resends import Met, begun
from rdimport.ledger.stored_ledger import StoredLedger

_HAS_SENT: Final = """
SELECT 1 FROM rdimport.minute WHERE run = %(run)s AND requests > 0
UNION ALL SELECT 1 FROM rdimport.in_flight WHERE run = %(run)s LIMIT 1
"""
_COUNTS: Final = """
SELECT state, sum(rows) FROM (SELECT state, rows FROM rdimport.tally WHERE run = %(run)s
    UNION ALL SELECT 'accepted', accepted FROM rdimport.minute WHERE run = %(run)s
    UNION ALL SELECT 'uncertain', count(*) FROM rdimport.in_flight WHERE run = %(run)s) AS counted
GROUP BY state
"""
_FACTS: Final = """
SELECT name, started_at, finished_at, exit_code, stopped_because, resume_at, forgotten_at, left_out,
    coalesce(sum(requests), 0), coalesce(sum(retries), 0), coalesce(sum(throttled), 0),
    coalesce(sum(seconds), 0.0), facts
FROM rdimport.run r LEFT JOIN rdimport.minute m ON m.run = r.id WHERE r.id = %(run)s GROUP BY r.id
"""
"""The first fields of `RunFacts`, and the JSON with the others."""

_LATER: Final = """
SELECT later.name FROM rdimport.run later JOIN rdimport.run this
    ON later.destination = this.destination
    AND later.facts::json ->> 'given' = this.facts::json ->> 'given' AND later.id > this.id
WHERE this.id = %(run)s AND coalesce(later.exit_code, -1) <> %(nothing)s
ORDER BY later.id DESC LIMIT 1
"""
"""The latest run of the same list that did not end with the exit code `nothing`."""

_PROBLEMS: Final = """
SELECT p.value ->> 0, count(DISTINCT o.file || ' ' || o.row)
FROM rdimport.ends o, json_array_elements(o.problems::json) p
WHERE o.run = %(run)s AND o.state <> 'accepted' GROUP BY 1 ORDER BY 2 DESC, 1
"""
_SUSPECTS: Final = """
SELECT code, cells FROM rdimport.suspect WHERE run = %(run)s ORDER BY cells DESC, code
"""
_PROOFS: Final = """
SELECT substr(p.value ->> 0, %(start)s), count(*)
FROM rdimport.outcome o, json_array_elements(o.problems::json) p
WHERE o.run = %(run)s AND o.state = 'accepted' GROUP BY 1 ORDER BY 1
"""
_CORRECTED: Final = """
SELECT p.value ->> 4, count(*) FROM rdimport.outcome o, json_array_elements(o.warnings::json) p
WHERE o.run = %(run)s AND o.state = 'already_imported' GROUP BY 1 ORDER BY 1
"""
_EXAMPLES: Final = """
SELECT code, file, row, problem FROM (SELECT o.file, o.row, p.value::text AS problem,
    p.value ->> 0 AS code,
    row_number() OVER (PARTITION BY p.value ->> 0 ORDER BY o.file, o.row) AS place
    FROM rdimport.ends o, json_array_elements(o.problems::json) p
    WHERE o.run = %(run)s AND o.state <> 'accepted') AS found
WHERE place <= %(most)s ORDER BY code, file, row
"""
_WITHOUT_CELLS: Final = """
SELECT file, row FROM rdimport.ends
WHERE run = %(run)s AND state = 'uncertain' AND cells = '[]' ORDER BY file, row
"""
_INPUTS: Final = """
SELECT file, name, columns, encoding, delimiter, sheet, header_row, repair, fingerprint
FROM rdimport.input WHERE run = %(run)s ORDER BY file
"""
_MINUTES: Final = """
SELECT minute, requests, throttled, accepted FROM rdimport.minute WHERE run = %(run)s
"""
_WARNED: Final = """
SELECT 1 FROM rdimport.ends WHERE run = %(run)s AND warnings <> '[]'
    AND state IN ('invalid', 'refused', 'uncertain') LIMIT 1
"""
_INVALID_BY_COLUMN: Final = """
SELECT p.value ->> 1, p.value ->> 2, count(DISTINCT o.file || ' ' || o.row)
FROM rdimport.ends o, json_array_elements(o.problems::json) p
WHERE o.run = %(run)s AND o.state = 'invalid' AND p.value ->> 1 <> '' GROUP BY 1, 2
"""
_FILLED: Final = """
SELECT field, rows FROM rdimport.filled WHERE run = %(run)s ORDER BY rows, field
"""
_NOTE_INPUT: Final = """
INSERT INTO rdimport.input VALUES (%(run)s, %(file)s, %(name)s, %(columns)s, %(encoding)s,
    %(delimiter)s, %(sheet)s, %(header_row)s, %(repair)s, %(fingerprint)s)
"""
# without "WHERE true", SQLite parses ON as part of a join
_COUNT_FILLED: Final = """
INSERT INTO rdimport.filled AS f
SELECT %(run)s, p.key, p.value::text::int FROM json_each(%(counted)s::json) p WHERE true
ON CONFLICT (run, field) DO UPDATE SET rows = f.rows + excluded.rows
"""
_COUNT_SUSPECTS: Final = """
INSERT INTO rdimport.suspect AS s
SELECT %(run)s, p.key, p.value::text::int FROM json_each(%(counted)s::json) p WHERE true
ON CONFLICT (run, code) DO UPDATE SET cells = s.cells + excluded.cells
"""
_NOTE_NAMES: Final = """
INSERT INTO rdimport.named AS n
VALUES (%(folded)s, %(run)s, %(exact)s, %(fields)s, %(text)s, %(new)s, %(known)s)
ON CONFLICT (folded, run, exact, fields)
DO UPDATE SET new = n.new + excluded.new, known = n.known + excluded.known
"""


class StoredRun(ABC):
    """Queries about a run common to all kinds of ledgers."""

    first_accepted: ClassVar[LiteralString]
    """File and row of the first `most` accepted rows."""

    def __init__(self, ledger: StoredLedger, number: int, destination: int, name: str) -> None:
        self.ledger = ledger
        self.name = ledger.see_name(name)
        self.number = number
        self.destination = destination
        self.has_begun = False
        """Whether this process has sent a row."""
        self._met = Met()
        self._names: Names | None = None
        """Those noted so far, for `unrecognised`."""

    @abstractmethod
    def _listed(self, *states: str) -> Iterator[tuple[Any, ...]]:
        """File, row, state, cells, problems and warnings of rows, in the order of the input."""

    @abstractmethod
    def _note(self, sql: LiteralString, lines: Sequence[Mapping[str, object]]) -> None:
        """Record facts about the plan, at the latest before the next query: one line or several,
        with named parameters; `run` is added.
        """

    def _ask(self, sql: LiteralString, **values: object) -> list[tuple[Any, ...]]:
        return self.ledger.ask(sql, {"run": self.number, "destination": self.destination, **values})

    def has_sent(self) -> bool:
        """Whether a request of this run may have been sent."""
        return self.has_begun or bool(self._ask(_HAS_SENT))

    def read_to_end(self, facts: RunFacts) -> bool:
        """Whether all of the input was read. `facts` is the result of `facts`. A run without a
        recorded end had read everything if it sent anything: sending begins after the last row is
        read.
        """
        if facts.read_to_end is not None:
            return facts.read_to_end
        return facts.exit_code in (ExitCode.DONE, ExitCode.FAILED_ROWS) or self.has_sent()

    def counts(self) -> dict[State, int]:
        """Rows in each state; rows without a result are pending, rows in flight uncertain."""
        by_state = dict(self._ask(_COUNTS))
        ((rows,),) = self._ask("SELECT row_count FROM rdimport.run WHERE id = %(run)s")
        counts = {state: int(by_state.get(state, 0)) for state in State}
        counts[State.PENDING] = rows - sum(counts.values())
        if counts[State.PENDING] < 0:
            raise Bug(f"{self.ledger.place} counts more outcomes than rows")
        return counts

    def facts(self) -> RunFacts:
        """Everything about the run except its rows: its settings, its end, its counters."""
        ((*known, text),) = self._ask(_FACTS)
        kept = json.loads(text)
        texts = (kept.get(name) or "" for name in ("trouble", "error"))
        ending = kept.get("read_to_end"), *texts, kept.get("rules") or {}
        return RunFacts._make([*known, RunRecord.read(kept), *ending])

    def later(self) -> str | None:
        """The latest run of the same list and account, if it is another one that could begin."""
        rows = self._ask(_LATER, nothing=int(ExitCode.NOTHING_SENT))
        return rows[0][0] if rows else None

    def problems(self) -> dict[str, int]:
        """Number of the run's rows with each code, the most frequent first."""
        return dict(self._ask(_PROBLEMS))

    def suspects(self) -> dict[str, int]:
        """Number of suspect cells in sendable rows by code, the most frequent first."""
        return dict(self._ask(_SUSPECTS))

    def proofs(self) -> dict[str, int]:
        """Number of rows proved later, by kind of proof."""
        return dict(self._ask(_PROOFS, start=len(PROVED) + 1))

    def corrected(self) -> dict[str, int]:
        """Number of rows that count as imported because a person corrected them in a failure
        report, by the run that sent them.
        """
        return dict(self._ask(_CORRECTED))

    def failures(self) -> Iterator[Outcome]:
        """The rows of the failure report, in the order of the input."""
        return starmap(_outcome, self._listed("invalid", "refused", "uncertain"))

    def sent_without(self) -> Iterator[Outcome]:
        """Rows accepted without an invalid cell, in the order of the input; see their warnings."""
        return starmap(_outcome, self._listed("accepted"))

    def without_cells(self) -> dict[int, list[int]]:
        """Rows, by file, that were in flight when the run was killed: they have no stored cells."""
        by_file: dict[int, list[int]] = {}
        for file, row in self._ask(_WITHOUT_CELLS):
            by_file.setdefault(file, []).append(row)
        return by_file

    def accepted(self, most: int) -> list[tuple[int, int]]:
        """File and row of the first rows that this run delivered, in the order of the input."""
        return [(file, row) for file, row in self._ask(self.first_accepted, most=most)]

    def inputs(self) -> dict[int, Input]:
        """The tables of the input by their number."""
        return {
            file: Input(name, tuple(json.loads(columns)), *shape)
            for file, name, columns, *shape in self._ask(_INPUTS)
        }

    def examples(self, of_each: int) -> dict[str, list[Example]]:
        """The first rows with a problem of each code, the most frequent code first."""
        examples: dict[str, list[Example]] = {code: [] for code in self.problems()}
        for code, file, row, problem in self._ask(_EXAMPLES, most=of_each):
            examples[code].append(Example(file, row, Problem(*json.loads(problem))))
        return examples

    def minutes(self) -> list[Minute]:
        """The counts of each minute of sending, including those without activity."""
        return without_gaps(starmap(Minute, self._ask(_MINUTES)))

    def warned(self) -> bool:
        """Whether a failed row has suspect cells that are not the reason for its failure."""
        return bool(self._ask(_WARNED))

    def filled(self) -> dict[str, int]:
        """Number of sendable rows with a value in each field, the fewest first."""
        counted = self._ask(_FILLED)
        return {field: rows for field, rows in counted if ":" not in field}

    def legal_bases(self) -> LegalBases | None:
        """Number of sendable rows by legal basis; None if not counted."""
        return of_filled(dict(self._ask(_FILLED)))

    def invalid_by_column(self) -> dict[tuple[str, str], int]:
        """Number of rows invalid in each field, with its source column."""
        counted = self._ask(_INVALID_BY_COLUMN)
        return {(field, column): rows for field, column, rows in counted}

    def unfinished_resend(self) -> Met:
        """The runs that began the same `--resend` and did not finish it: what they have sent is not
        sent again. Those rows are noted in it as they are met.
        """
        self._met = Met(begun(self._ask, self.number, self.facts().record))
        return self._met

    def completed_resends(self) -> tuple[int, ...]:
        """The numbers of those runs whose `--resend` this one completes, if it is completed."""
        sent = self._ask(self.ledger.conversions) if self._met.begun else ()
        return self._met.completed(dict(sent))

    def unrecognised(self) -> list[Unrecognised]:
        """The conversions of earlier runs that the new rows of this one may be."""
        if self._names is None:
            return []

        def fingerprints() -> list[str]:
            return [table.fingerprint for table in self.inputs().values()]

        return self.ledger.unrecognised(self.destination, self._names, self.number, fingerprints)

    def record_input(self, file: int, table: Input) -> None:
        """See `port.RowLog`."""
        columns = json.dumps(table.columns, ensure_ascii=False)
        self._note(_NOTE_INPUT, [{**table._asdict(), "columns": columns, "file": file}])

    def count_filled(self, rows_by_field: Mapping[str, int]) -> None:
        """See `port.RowLog`."""
        self._note(_COUNT_FILLED, [{"counted": json.dumps(dict(rows_by_field))}])

    def count_suspects(self, cells_by_code: Mapping[str, int]) -> None:
        """See `port.RowLog`."""
        if cells_by_code:
            self._note(_COUNT_SUSPECTS, [{"counted": json.dumps(dict(cells_by_code))}])

    def note_names(self, names: Names) -> None:
        """See `port.RowLog`."""
        self._note(_NOTE_NAMES, noted(self.ledger.key, names))
        new, known = Counter(names.new), Counter(names.known)
        if self._names is not None:
            new, known = new + Counter(self._names.new), known + Counter(self._names.known)
        self._names = names._replace(new=new, known=known)

    def note_corrections(self, corrections: Sequence[Correction]) -> None:
        """Record which failed rows of earlier runs are corrected by rows of a failure report."""
        self.ledger.corrections.note(self.destination, corrections)


def _outcome(file: int, row: int, state: str, *texts: str) -> Outcome:
    cells, problems, warnings = texts
    return Outcome(
        file,
        row,
        State(state),
        problems_of(problems),
        tuple(json.loads(cells)),
        warnings=problems_of(warnings),
    )
