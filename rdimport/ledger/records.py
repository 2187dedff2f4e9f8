"""The data types of the ledger: rows in flight, results, inputs, facts of runs, corrections of
failed rows, and workers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from itertools import starmap
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Self

from rdimport.core.messages import _
from rdimport.core.quota import share_used
from rdimport.core.row import Problem, State


class SendAttempt(NamedTuple):
    """A row about to be sent: its identity, its place in the input, and its payload.

    `source` is the hash of its cells (`known_rows`), if any. `compared` is the part of the payload
    that decides whether it has changed, if that is not all of it. `version` is that of
    `schemas.KNOWN` when the row was planned, 0 if nothing was known: the row is claimed only if it
    has not changed.
    """

    identity: bytes
    file: int
    row: int
    payload: str
    source: int | None = None
    compared: str | None = None
    version: int = 0


class PendingRow(NamedTuple):
    """A row to send, with its original cells for the report in case it fails."""

    outgoing: SendAttempt
    cells: tuple[str | None, ...]
    warnings: str | None = None
    """Suspect cells, as written by `text_of`; most rows have none."""


class Outcome(NamedTuple):
    """The result of a row of this run, with its original cells where a report needs them.

    `instead` is the file and row sent in place of a duplicate. `warnings` are about suspect cells
    that are not the reason for a failure. `identity` is that of a conversion that an earlier run
    left uncertain, so that later evidence about it finds this row too.
    """

    file: int
    row: int
    state: State
    problems: tuple[Problem, ...] = ()
    cells: tuple[str | None, ...] = ()
    instead: tuple[int, int] | None = None
    warnings: tuple[Problem, ...] = ()
    identity: bytes | None = None


class RowResult(NamedTuple):
    """The result of a row that was sent. `receipt` is the endpoint's identifier."""

    outgoing: SendAttempt
    outcome: Outcome
    receipt: str = ""


class Counters(NamedTuple):
    """Counters of delivery besides rows; `seconds` is the time spent sending."""

    requests: int = 0
    retries: int = 0
    throttled: int = 0
    seconds: float = 0.0


class Input(NamedTuple):
    """One table of a run's input, as far as its report needs it.

    `header_row`, `repair` and `fingerprint` (empty: unknown) allow the same cells to be read again.
    """

    name: str
    columns: tuple[str, ...]
    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""
    header_row: int = 0
    repair: bool = True
    fingerprint: str = ""


class FieldRecord(NamedTuple):
    """The source of a field: `columns`, a `value` or an `expr`."""

    field: str
    columns: tuple[str, ...] = ()
    value: str | None = None
    expr: str | None = None


@dataclass(frozen=True, slots=True)
class MappingRecord:
    """The description of a mapping for reports. `fields` are in the order of the payload; `choices`
    are the allowed values of columns, by folded name; `identity` is how the identity fields get
    their values (`mapping.identity_rule`).
    """

    fields: tuple[FieldRecord, ...] = ()
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    identity: str = ""

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> Self:
        """Parse from JSON."""
        return cls(
            tuple(
                FieldRecord(one["field"], tuple(one["columns"]), one["value"], one["expr"])
                for one in kept.get("fields") or ()
            ),
            {column: tuple(cells) for column, cells in (kept.get("choices") or {}).items()},
            kept.get("identity") or "",
        )

    def kept(self) -> dict[str, Any]:
        """Convert to JSON."""
        fields = [one._asdict() for one in self.fields]
        return {"fields": fields, "choices": dict(self.choices), "identity": self.identity}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """The user's settings of a run, stored as one JSON object. `given` are the arguments that name
    the list, `again` the options for a command with the same endpoint, account and ledger.
    """

    account: str = ""
    base_url: str = ""
    mapping: str = ""
    mapping_used: MappingRecord = field(default_factory=MappingRecord)
    sandbox: bool = False
    job: str = ""
    batch: str = ""
    again: tuple[str, ...] = ()
    report_dir: str = ""
    given: tuple[str, ...] = ()
    started_in: str = ""
    resend: tuple[str, ...] = ()
    not_proved: bool = False
    new_identity: bool = False
    quota: str | None = None
    quota_per_second: float | None = None

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> Self:
        """Parse from JSON; earlier releases stored less. Raises LookupError without essentials."""
        if not {"account", "base_url"} <= kept.keys():
            raise LookupError(_("a run without account and endpoint"))
        known = {one.name: kept[one.name] for one in fields(cls) if kept.get(one.name) is not None}
        for name in known.keys() & {"again", "given", "resend"}:
            known[name] = tuple(known[name])
        known["mapping_used"] = MappingRecord.read(kept.get("mapping_used") or {})
        return cls(**known)

    def text(self) -> str:
        """Convert to JSON."""
        kept = {one.name: getattr(self, one.name) for one in fields(self)}
        return json.dumps({**kept, "mapping_used": self.mapping_used.kept()})


class RunFacts(NamedTuple):
    """Everything about a run except its rows: its end, its counters, and the user's settings.

    `read_to_end` is None if the run did not record its end. `trouble` is the last trouble, as a
    detail; `error` is the sentence that ended the run; `rules` counts how often a rule of the
    endpoint's owner decided.
    """

    name: str
    started_at: str
    finished_at: str | None
    exit_code: int | None
    stopped_because: str | None
    resume_at: str | None
    forgotten_at: str | None
    left_out: int
    requests: int
    retries: int
    throttled: int
    sending_seconds: float
    record: RunRecord
    read_to_end: bool | None
    trouble: str
    error: str
    rules: Mapping[str, int]

    @property
    def rows_per_second(self) -> float:
        """Rows sent per second, on average."""
        seconds = self.sending_seconds
        return round((self.requests - self.retries) / seconds, 2) if seconds else 0.0

    @property
    def quota_used(self) -> float | None:
        """See `share_used`."""
        return share_used(self.requests, self.sending_seconds, self.record.quota_per_second)


class Ending(NamedTuple):
    """What is known only at the end of a run."""

    read_to_end: bool | None = None
    trouble: str = ""
    error: str = ""
    rules: Mapping[str, int] = MappingProxyType({})
    completed: tuple[int, ...] | None = None
    """The runs whose `--resend` this one completed."""

    def kept(self) -> dict[str, Any]:
        """Convert to JSON."""
        known = {name: value for name, value in self._asdict().items() if value is not None}
        return {**known, "rules": dict(self.rules)}


class Erased(NamedTuple):
    """What was removed from a ledger: rows with their cells, hashes of conversions, the runs of the
    rows, copies of the ledger; and what could not be searched.
    """

    rows: int = 0
    hashes: int = 0
    runs: tuple[str, ...] = ()
    copies: tuple[Path, ...] = ()
    left: tuple[Path, ...] = ()


class Lost(NamedTuple):
    """A run whose process was lost with rows in flight, and may come back: on which host, and for
    how many seconds its rows are not to be sent again.
    """

    run: str
    host: str
    process: int
    seconds: float


class Found(NamedTuple):
    """The contents of a ledger in numbers, and its errors: none if it is consistent."""

    runs: int
    conversions: dict[str, int]
    last: str
    wrong: list[str]


class FailedRow(NamedTuple):
    """A row of an earlier run that failed, with its problems and its cells by column: none where
    the ledger no longer has them.
    """

    row: int
    cells: dict[str, str]
    problems: tuple[Problem, ...]


class Correction(NamedTuple):
    """A failed row, by its number and the keyed hash of its cells (`origin`), and the identity of
    the conversion of its corrected row.
    """

    origin: bytes
    row: int
    identity: bytes


class Corrected(NamedTuple):
    """A failed row whose correction was accepted, in a run."""

    origin: bytes
    row: int
    run: str


_DEAD_AFTER: Final = 20
"""Seconds without a heartbeat after which a worker counts as dead."""


class WorkerState(NamedTuple):
    """The last state that a worker stored, `seconds` ago. `jobs` are the ones it runs."""

    name: str
    slots: int
    seconds: float
    jobs: Sequence[str]
    drains: bool
    gone: bool

    @property
    def is_silent(self) -> bool:
        """Whether the worker counts as dead."""
        return self.gone or self.seconds > _DEAD_AFTER


class Pause(NamedTuple):
    """A paused account: since when, and why."""

    account: str
    since: datetime
    why: str


def problems_of(text: str) -> tuple[Problem, ...]:
    """Problems in the form stored in the ledger."""
    return () if text == "[]" else tuple(starmap(Problem, json.loads(text)))


def text_of(problems: Sequence[Problem]) -> str:
    """Problems as text, in the form stored in the ledger."""
    return json.dumps(problems, ensure_ascii=False)
