"""Compares evidence with the ledger: what it proves, and what it shows about fields."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from statistics import median
from typing import Final, NamedTuple

import polars as pl

from rdimport.core.messages import _, ngettext
from rdimport.core.messages.codes import Code
from rdimport.core.row import Problem
from rdimport.ledger import CLOCKS, Complete, Ledger, identifier_hash
from rdimport.settle.evidence import Evidence, Unread

_CODES: Final = {"webhook": Code.PROVED_WEBHOOK, "export": Code.PROVED_EXPORT}
_AT_ONCE: Final = 5_000
_ALWAYS: Final = frozenset(
    "email name job_title state city country personal_phone mobile_phone twitter facebook linkedin"
    " website company_name tags".split()
)
"""Fields, besides custom ones, that RD's webhook always contains if they have a value."""

_ZONES: Final = timedelta(hours=26)
"""The maximum difference between two time zones."""

_ENOUGH: Final = 3
"""Number of conversions without a field from which its absence is meaningful."""


class Declared(NamedTuple):
    """A declaration that the evidence of a source is complete for a period. `unread` counts the
    parts that could not be used as evidence; `zone_is_known` is whether the time zone was given.
    """

    since: datetime
    until: datetime
    source: str
    unread: Unread
    zone_is_known: bool


class Missing(NamedTuple):
    """A field sent in `rows` rows that none of their `seen` conversions has at RD.

    Its name is most likely misspelt.
    """

    field: str
    rows: int
    seen: int


@dataclass(slots=True)
class Settlement:
    """The effect of some evidence.

    Of `read` conversions, `known` are in this ledger, `settled` made an uncertain row accepted, and
    `too_old` match a row but predate its request, `near` of them by less than time zones differ.
    `nameless` counts conversions without a field that tells conversions apart, by that field.
    `incomplete` says why a list was not taken as complete that was declared so. `delays` are the
    seconds between a request and its conversion at RD.
    """

    read: int = 0
    known: int = 0
    settled: int = 0
    too_old: int = 0
    near: int = 0
    nameless: Counter[str] = field(default_factory=Counter)
    incomplete: str = ""
    runs: set[str] = field(default_factory=set)
    delays: list[float] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)

    @property
    def usual_delay(self) -> float | None:
        """The median of the delays, in seconds."""
        return median(self.delays) if self.delays else None


@dataclass(slots=True)
class _Seen:
    """What RD's conversions of a run contain."""

    conversions: int = 0
    fields: Counter[str] = field(default_factory=Counter)


def settle(
    ledger: Ledger,
    destination: int,
    evidence: Iterable[Evidence],
    declared: Declared | None = None,
) -> Settlement:
    """Compare evidence with the ledger, and record what it proves. If the evidence is `declared`
    complete for a period, uncertain rows missing from it are recorded as not arrived, unless an
    unreadable part of it may be theirs.
    """
    done = Settlement()
    seen: dict[int, _Seen] = defaultdict(_Seen)
    names: set[str] = set()
    remaining = iter(evidence)
    while some := list(islice(remaining, _AT_ONCE)):
        done.read += len(some)
        names |= {conversion.identifier for conversion in some}
        by_identity = _by_identity(ledger, destination, some, done.nameless)
        _prove(ledger, destination, by_identity, done)
        runs = ledger.evidence.runs_of(destination, by_identity)
        done.known += len(runs)
        for identity, run in runs.items():
            seen[run].conversions += 1
            seen[run].fields.update(
                {name for conversion in by_identity[identity] for name in conversion.fields}
            )
    if declared is not None and names:
        done.incomplete = _doubtful(declared, done)
        if not done.incomplete:
            since, until = (
                int(moment.timestamp() * 1000) for moment in (declared.since, declared.until)
            )
            hashes = frozenset(identifier_hash(ledger, name) for name in names)
            ledger.evidence.note_complete(
                destination, Complete(since, until, hashes), declared.source
            )
    done.missing = sorted(_missing(ledger, seen))
    return done


def _doubtful(declared: Declared, done: Settlement) -> str:
    """Why rows missing from the list may have arrived anyway; empty if they did not."""
    unread = declared.unread["invalid"] + declared.unread["no_moment"]
    if unread:
        return ngettext(
            "The list does not count as complete: {number} line of it could not be read, "
            "and may belong to an uncertain row.",
            "The list does not count as complete: {number} lines of it could not be read, "
            "and may belong to uncertain rows.",
            unread,
        )
    if lacking := sorted(name for name, lines in done.nameless.items() if lines):
        return _(
            "The list does not count as complete: conversions are also identified by "
            "{fields}, which some of its lines lack. Name the columns in its mapping.",
            fields=", ".join(lacking),
        )
    if done.near and not declared.zone_is_known:
        return ngettext(
            "The list does not count as complete: {number} uncertain row is in it with a "
            "time shortly before it was sent, which suggests another time zone. Give the "
            "time zone of the times with --utc-offset.",
            "The list does not count as complete: {number} uncertain rows are in it with "
            "times shortly before they were sent, which suggests another time zone. Give "
            "the time zone of the times with --utc-offset.",
            done.near,
        )
    return ""


def _by_identity(
    ledger: Ledger, destination: int, some: Sequence[Evidence], nameless: Counter[str]
) -> dict[bytes, list[Evidence]]:
    """The evidence by the identities under which the ledger may know it; evidence without a part of
    its identity is counted as `nameless`.
    """
    found: dict[bytes, list[Evidence]] = defaultdict(list)
    by_name: dict[str, list[Evidence]] = defaultdict(list)
    for conversion in some:
        by_name[conversion.identifier].append(conversion)
    for name, conversions in by_name.items():
        for fields in ledger.evidence.identity_fields(destination, name) or {("email",)}:
            for part in fields:
                nameless[part] += sum(
                    _value(part, conversion) is None for conversion in conversions
                )
            texts = _texts(fields, conversions)
            for identity, conversion in zip(ledger.digests(texts), conversions, strict=True):
                found[identity].append(conversion)
    return found


def _texts(fields: tuple[str, ...], conversions: Sequence[Evidence]) -> list[str]:
    """What identifies each conversion, in the form of `prepare.encode.identity`."""
    wanted = dict.fromkeys(("conversion_identifier", *fields))
    values = {name: [_value(name, conversion) for conversion in conversions] for name in wanted}
    frame = pl.DataFrame(values, strict=False)
    return frame.select(pl.struct(*wanted).struct.json_encode()).to_series().to_list()


def _value(name: str, conversion: Evidence) -> object:
    known = {"conversion_identifier": conversion.identifier, "email": conversion.email}
    return known.get(name) or conversion.fields.get(name)


def _prove(
    ledger: Ledger, destination: int, by_identity: dict[bytes, list[Evidence]], done: Settlement
) -> None:
    proved = []
    for doubt in ledger.evidence.doubts(destination, by_identity):
        conversions = by_identity[doubt.identity]
        left = datetime.fromtimestamp(doubt.left_at / 1000, UTC)
        after = [
            conversion
            for conversion in conversions
            if (conversion.at - left).total_seconds() >= -CLOCKS
        ]
        if not after:
            done.too_old += 1
            done.near += max(conversion.at for conversion in conversions) > left - _ZONES
            continue
        first = min(after, key=lambda conversion: conversion.at)
        proved.append((doubt, _problem(first)))
        done.delays.append(max(0.0, (first.at - left).total_seconds()))
    accepted = ledger.evidence.accept(destination, proved)
    done.settled += accepted.conversions
    done.runs |= accepted.runs


def _problem(conversion: Evidence) -> Problem:
    """The proof, as recorded in ledger and report."""
    at = conversion.at.astimezone(UTC).isoformat(timespec="seconds")
    return Problem(_CODES[conversion.kind], detail=f"{at} {conversion.source}")


def _missing(ledger: Ledger, seen: dict[int, _Seen]) -> Iterator[Missing]:
    for run, found in seen.items():
        filled = ledger.evidence.filled_in(run)
        rows = max(filled.get("email", 0), 1)
        for name, times in filled.items():
            is_expected = name in _ALWAYS or name.startswith("cf_")
            expected = found.conversions * times / rows
            if is_expected and not found.fields[name] and expected >= min(_ENOUGH, times):
                yield Missing(name, times, found.conversions)
