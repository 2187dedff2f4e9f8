"""The stored form of a run: which columns are read and how they are decoded, in every kind of
ledger. Each kind has its own queries.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import starmap
from typing import Any, ClassVar, Generic, LiteralString, NamedTuple, Protocol, TypeVar

from rdimport.core.errors import Bug, ExitCode, UsageError
from rdimport.core.messages import _
from rdimport.core.row import Problem, State
from rdimport.ledger.corrections import Correction
from rdimport.ledger.evidence import PROVED
from rdimport.ledger.figures import Example, LegalBases, Minute, of_filled, without_gaps
from rdimport.ledger.naming import Names, Unrecognised
from rdimport.ledger.port import Ledger
from rdimport.ledger.records import Input, Outcome, RunFacts, RunRecord, problems_of


class Queries(NamedTuple):
    """What is asked of a run. Each query gets `run` and `destination` as named parameters."""

    has_sent: LiteralString
    """A row if a request was recorded, or a row is in flight."""
    counts: LiteralString
    """Rows by state, those in flight as uncertain."""
    rows: LiteralString
    """The number of rows that were read."""
    facts: LiteralString
    """The first fields of `RunFacts`, and the JSON with the others."""
    later: LiteralString
    """Latest run of the same list that did not end with the exit code `nothing`."""
    problems: LiteralString
    """Rows by code, the most frequent first."""
    suspects: LiteralString
    """Cells by code, the most frequent first."""
    proofs: LiteralString
    """Accepted rows by the part of their code that begins at `start`."""
    corrected: LiteralString
    """Corrected rows by the run that sent their corrections."""
    examples: LiteralString
    """Code, file, row and problem (JSON) of the first `most` rows of each code."""
    without_cells: LiteralString
    """File and row of uncertain rows without cells."""
    accepted: LiteralString
    """File and row of the first `most` accepted rows."""
    inputs: LiteralString
    """Number and fields of each `Input`."""
    minutes: LiteralString
    """The fields of `Minute`."""
    warned: LiteralString
    """A row if a failed row has warnings."""
    invalid_by_column: LiteralString
    """Field, column and number of invalid rows."""
    filled: LiteralString
    """Rows by what is counted of them, the fewest first."""


class Asked(Ledger, Protocol):
    """A ledger that answers queries."""

    def ask(self, sql: LiteralString, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        """All rows of a query with named parameters."""


L = TypeVar("L", bound=Asked)


class StoredRun(ABC, Generic[L]):
    """Base of the classes that implement `port.Run`; see there."""

    queries: ClassVar[Queries]

    def __init__(self, ledger: L, number: int, destination: int, name: str) -> None:
        self.ledger: L = ledger
        self.name = name
        self.number = number
        self.destination = destination
        self.has_begun = False
        """Whether this process has sent a row."""
        self._names: Names | None = None

    @abstractmethod
    def _listed(self, *states: str) -> Iterator[tuple[Any, ...]]:
        """File, row, state, cells, problems and warnings of rows, in the order of the input."""

    def _ask(self, sql: LiteralString, **values: object) -> list[tuple[Any, ...]]:
        return self.ledger.ask(sql, {"run": self.number, "destination": self.destination, **values})

    def has_sent(self) -> bool:
        """Whether a request of this run may have been sent."""
        return self.has_begun or bool(self._ask(self.queries.has_sent))

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
        found = dict(self._ask(self.queries.counts))
        ((rows,),) = self._ask(self.queries.rows)
        counts = {state: int(found.get(state, 0)) for state in State}
        counts[State.PENDING] = rows - sum(counts.values())
        if counts[State.PENDING] < 0:
            raise Bug(f"{self.ledger.place} counts more outcomes than rows")
        return counts

    def facts(self) -> RunFacts:
        """Everything about the run except its rows: its settings, its end, its counters."""
        ((*known, text),) = self._ask(self.queries.facts)
        kept = json.loads(text)
        said = (kept.get(name) or "" for name in ("trouble", "error"))
        ending = kept.get("read_to_end"), *said, kept.get("rules") or {}
        return RunFacts._make([*known, RunRecord.read(kept), *ending])

    def later(self) -> str | None:
        """The latest run of the same list and account, if it is another one that could begin."""
        found = self._ask(self.queries.later, nothing=int(ExitCode.NOTHING_SENT))
        return found[0][0] if found else None

    def problems(self) -> dict[str, int]:
        """Number of the run's rows with each code, the most frequent first."""
        return dict(self._ask(self.queries.problems))

    def suspects(self) -> dict[str, int]:
        """Number of suspect cells in sendable rows by code, the most frequent first."""
        return dict(self._ask(self.queries.suspects))

    def proofs(self) -> dict[str, int]:
        """Number of rows proved later, by kind of proof."""
        return dict(self._ask(self.queries.proofs, start=len(PROVED) + 1))

    def corrected(self) -> dict[str, int]:
        """Number of rows that count as imported because a person corrected them in a failure
        report, by the run that sent them.
        """
        return dict(self._ask(self.queries.corrected))

    def failures(self) -> Iterator[Outcome]:
        """The rows of the failure report, in the order of the input."""
        return starmap(_outcome, self._listed("invalid", "refused", "uncertain"))

    def sent_without(self) -> Iterator[Outcome]:
        """Rows accepted without an invalid cell, in the order of the input; see their warnings."""
        return starmap(_outcome, self._listed("accepted"))

    def without_cells(self) -> dict[int, list[int]]:
        """Rows, by file, that were in flight when the run was killed: their cells are not
        stored.
        """
        found: dict[int, list[int]] = {}
        for file, row in self._ask(self.queries.without_cells):
            found.setdefault(file, []).append(row)
        return found

    def accepted(self, most: int) -> list[tuple[int, int]]:
        """File and row of the first rows that this run delivered, in the order of the input."""
        return [(file, row) for file, row in self._ask(self.queries.accepted, most=most)]

    def inputs(self) -> dict[int, Input]:
        """The tables of the input by their number."""
        return {
            file: Input(name, tuple(json.loads(columns)), *shape)
            for file, name, columns, *shape in self._ask(self.queries.inputs)
        }

    def examples(self, of_each: int) -> dict[str, list[Example]]:
        """The first rows with a problem of each code, the most frequent code first."""
        found: dict[str, list[Example]] = {code: [] for code in self.problems()}
        for code, file, row, problem in self._ask(self.queries.examples, most=of_each):
            found[code].append(Example(file, row, Problem(*json.loads(problem))))
        return found

    def minutes(self) -> list[Minute]:
        """The counts of each minute of sending, including those without activity."""
        return without_gaps(starmap(Minute, self._ask(self.queries.minutes)))

    def warned(self) -> bool:
        """Whether a failed row has suspect cells that are not the reason for its failure."""
        return bool(self._ask(self.queries.warned))

    def filled(self) -> dict[str, int]:
        """Number of sendable rows with a value in each field, the fewest first."""
        found = self._ask(self.queries.filled)
        return {field: rows for field, rows in found if ":" not in field}

    def legal_bases(self) -> LegalBases | None:
        """Number of sendable rows by legal basis; None if not counted."""
        return of_filled(dict(self._ask(self.queries.filled)))

    def invalid_by_column(self) -> dict[tuple[str, str], int]:
        """Number of rows invalid in each field, with its source column."""
        found = self._ask(self.queries.invalid_by_column)
        return {(field, column): rows for field, column, rows in found}

    def unrecognised(self) -> list[Unrecognised]:
        """The conversions of earlier runs that the new rows of this one may be."""
        if self._names is None:
            return []

        def fingerprints() -> list[str]:
            return [table.fingerprint for table in self.inputs().values()]

        return self.ledger.unrecognised(self.destination, self._names, self.number, fingerprints)

    def note_corrections(self, corrections: Sequence[Correction]) -> None:
        """Record which failed rows of earlier runs are corrected by rows of a failure report."""
        self.ledger.corrections.note(self.destination, corrections)

    def _keep_names(self, names: Names) -> None:
        """Keep them for `unrecognised`, with those noted before."""
        new, known = Counter(names.new), Counter(names.known)
        if self._names is not None:
            new, known = new + Counter(self._names.new), known + Counter(self._names.known)
        self._names = names._replace(new=new, known=known)


def _outcome(file: int, row: int, state: str, *texts: str) -> Outcome:
    cells, problems, warnings = texts
    listed = Outcome(file, row, State(state), problems_of(problems), tuple(json.loads(cells)))
    return listed._replace(warnings=problems_of(warnings))


def input_line(table: Input) -> tuple[object, ...]:
    """A table of an input as it is stored, without its run and number."""
    name, columns, *shape = table
    return name, json.dumps(columns, ensure_ascii=False), *shape


def no_run(place: str, name: str | None) -> UsageError:
    """The error for a ledger without a run of that name; None: without any."""
    return UsageError(
        _("The ledger {path} contains no run {name}.", path=place, name=name)
        if name
        else _("The ledger {path} contains no run.", path=place),
        _("Type: rdimport status"),
    )
