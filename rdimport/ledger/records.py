"""What goes into the ledger and comes out: rows on their way, their ends, what a run read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Self

import polars as pl

from rdimport.core.messages import _
from rdimport.core.row import Problem, State

KNOWN: Final = {
    "identity": pl.Binary,
    "state": pl.String,
    "payload": pl.Binary,
    "problems": pl.String,
    "refused": pl.Binary,
    "run": pl.Int64,
    "left_at": pl.Int64,
    "version": pl.Int64,
}
"""Schema of what is known of conversions: keyed hashes, the last state, what was wrong.

`refused` is the hash of a payload that was refused after another one may have arrived: that the
conversion may have arrived stays true. `run` is the number of the last run that sent it, `left_at`
when its request left, in milliseconds, where that was noted. `version` goes back to the ledger with
the `SendAttempt`: it tells whether anything has changed since.
"""


class SendAttempt(NamedTuple):
    """A row on its way: who it is, where it stands in the input, what it would send.

    `source` is the hash by which its cells can be recognised (`recall`), where there is one;
    `compared` is what of the payload tells whether it has changed, where that is not all of it.
    `version` is that of `KNOWN` when the row was planned, 0 for one that nothing was known of: the
    row is claimed only if that has not changed.
    """

    identity: bytes
    file: int
    row: int
    payload: str
    source: int | None = None
    compared: str | None = None
    version: int = 0


class PendingRow(NamedTuple):
    """A row to send, and its cells as they were for the report if it fails."""

    outgoing: SendAttempt
    cells: tuple[str | None, ...]
    warnings: str | None = None
    """What looks wrong in the row, as `text_of` writes it; most rows have nothing."""


class Outcome(NamedTuple):
    """What became of a row of this run, with its cells as they were where a report needs them.

    `instead` is the file and row that is sent instead of a duplicate. `warnings` tell of cells that
    look wrong, but are not why the row failed.
    """

    file: int
    row: int
    state: State
    problems: tuple[Problem, ...] = ()
    cells: tuple[str | None, ...] = ()
    instead: tuple[int, int] | None = None
    warnings: tuple[Problem, ...] = ()


class RowResult(NamedTuple):
    """An outgoing row and its end. `receipt` is the endpoint's own identifier."""

    outgoing: SendAttempt
    outcome: Outcome
    receipt: str = ""


class Counters(NamedTuple):
    """What delivery counts beside the rows; `seconds` it has been sending."""

    requests: int = 0
    retries: int = 0
    throttled: int = 0
    seconds: float = 0.0


class Input(NamedTuple):
    """One table of a run's input, as far as its report needs it.

    `header_row`, `repair` and `fingerprint` (empty: unknown) are for reading the same cells again.
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
    """Where a field of the payload came from: `columns`, a `value` or an `expr`."""

    field: str
    columns: tuple[str, ...] = ()
    value: str | None = None
    expr: str | None = None


@dataclass(frozen=True, slots=True)
class MappingRecord:
    """What a report says of the mapping. `fields` are in the payload's order; `choices` are what
    the cells of a column may hold, by the column's folded name.
    """

    fields: tuple[FieldRecord, ...] = ()
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> Self:
        """From JSON."""
        return cls(
            tuple(
                FieldRecord(one["field"], tuple(one["columns"]), one["value"], one["expr"])
                for one in kept.get("fields") or ()
            ),
            {column: tuple(cells) for column, cells in (kept.get("choices") or {}).items()},
        )

    def kept(self) -> dict[str, Any]:
        """For JSON."""
        return {"fields": [one._asdict() for one in self.fields], "choices": dict(self.choices)}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """What a person said of a run, kept with it as one JSON object. `given` are the words that name
    the list, `again` the options of a command that reaches the same endpoint, account and ledger.
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
        """From JSON; earlier releases kept less. Raises LookupError for what no release kept."""
        if not {"account", "base_url"} <= kept.keys():
            raise LookupError(_("a run without account and endpoint"))
        known = {one.name: kept[one.name] for one in fields(cls) if kept.get(one.name) is not None}
        for name in known.keys() & {"again", "given", "resend"}:
            known[name] = tuple(known[name])
        known["mapping_used"] = MappingRecord.read(kept.get("mapping_used") or {})
        return cls(**known)

    def text(self) -> str:
        """As JSON."""
        kept = {one.name: getattr(self, one.name) for one in fields(self)}
        return json.dumps({**kept, "mapping_used": self.mapping_used.kept()})


class RunFacts(NamedTuple):
    """Everything about a run but its rows: how it ended, what was counted, and what a person said
    of it. `read_to_end` is None where the run did not close its books; `trouble` is what it met
    last, as a detail, `error` the sentence that ended it; `rules`
    how often a rule of the endpoint's owner decided.
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


class Ending(NamedTuple):
    """What is known of a run only at its end."""

    read_to_end: bool | None = None
    trouble: str = ""
    error: str = ""
    rules: Mapping[str, int] = MappingProxyType({})

    def kept(self) -> dict[str, Any]:
        """For JSON."""
        return {**self._asdict(), "rules": dict(self.rules)}


class Erased(NamedTuple):
    """What was taken out of a ledger: rows with their cells, hashes of conversions, the runs that
    had the rows, copies of the ledger; and what could not be looked into.
    """

    rows: int = 0
    hashes: int = 0
    runs: tuple[str, ...] = ()
    copies: tuple[Path, ...] = ()
    left: tuple[Path, ...] = ()


class Found(NamedTuple):
    """What a ledger holds, and what is wrong with it: nothing when it is whole."""

    runs: int
    conversions: dict[str, int]
    last: str
    wrong: list[str]


def problems_of(text: str) -> tuple[Problem, ...]:
    """Problems as the ledger keeps them."""
    return tuple(Problem(*values) for values in json.loads(text))


def text_of(problems: Sequence[Problem]) -> str:
    """Problems in the form in which the ledger keeps them."""
    return json.dumps(problems, ensure_ascii=False)
