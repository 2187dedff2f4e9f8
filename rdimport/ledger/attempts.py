"""Attempts: runs that ended before they began, for lack of a key, a file or a place to write to."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple

from rdimport.core.errors import ExitCode
from rdimport.core.names import fold, is_slip


class Attempt(NamedTuple):
    """A run that did not begin. `given` are the arguments that named the files."""

    at: datetime
    account: str
    job: str
    mapping: str
    given: tuple[str, ...]
    exit_code: ExitCode
    message: str
    batch: str = ""


class Latest(NamedTuple):
    """The latest run or attempt of an account and job. Without a job, `mapping` identifies it."""

    account: str
    job: str
    mapping: str
    run: str | None
    attempt: Attempt | None
    last_success: str | None
    """The time when a run last ended with no row left to do."""
    exit_code: int | None = None
    """The exit code; None if it has not ended."""
    stopped_because: str | None = None


class Line(NamedTuple):
    """A run or an attempt, with only the values needed for the comparison.

    `order` is its place among those recorded: the number of the run, or of the run before the
    attempt, and that of the attempt. The times are those of clocks that may have been wrong.
    """

    account: str
    job: str
    mapping: str
    begun: str
    ended: str | None
    code: int | None
    run: str | None
    attempt: Attempt | None
    batch: str
    stopped_because: str | None
    order: tuple[int, int]


def kept(attempt: Attempt, after: int) -> str:
    """The stored part of an attempt besides its time, account, job and exit code. `after` is the
    number of the latest run.
    """
    stored = {"message": attempt.message, "given": attempt.given, "mapping": attempt.mapping}
    return json.dumps({**stored, "batch": attempt.batch, "after": after}, ensure_ascii=False)


def line_of(stored: tuple[Any, ...], runs: Sequence[Line]) -> Line:
    """The line of an attempt, from its stored part. Earlier releases did not store which of the
    `runs` it followed: then the times decide.
    """
    number, at, account, job, code, kept = stored
    facts: Mapping[str, Any] = json.loads(kept)
    attempt = Attempt(
        datetime.fromisoformat(at),
        account,
        job,
        facts["mapping"],
        tuple(facts["given"]),
        ExitCode(code),
        facts["message"],
        facts.get("batch", ""),
    )
    after = facts.get("after")
    if after is None:
        after = max((run.order[0] for run in runs if run.begun <= at), default=0)
    order = after, number
    return Line(
        account, job, attempt.mapping, at, at, code, None, attempt, attempt.batch, None, order
    )


def latest(lines: Iterable[Line], since: datetime | None = None) -> list[Latest]:
    """See `StoredLedger.latest_of_jobs`."""
    return [
        found
        for line, found in _latest(lines)
        if since is None or datetime.fromisoformat(line.ended or line.begun) >= since
    ]


def latest_by(lines: Iterable[Line], part: Callable[[datetime], date]) -> dict[date, list[Latest]]:
    """See `StoredLedger.latest_by`."""
    parts: dict[date, list[Line]] = {}
    for line in lines:
        parts.setdefault(part(datetime.fromisoformat(line.begun)), []).append(line)
    return {key: [found for _line, found in _latest(some)] for key, some in parts.items()}


def _latest(lines: Iterable[Line]) -> Iterator[tuple[Line, Latest]]:
    found: dict[tuple[str, str], Line] = {}
    fine: dict[tuple[str, str], str] = {}
    begun: dict[str, set[str]] = {}
    lines = sorted(lines, key=lambda line: line.order, reverse=True)
    strangers = _strangers(lines)
    for line in lines:
        owner = fold(line.account)
        known = (owner, line.job or Path(line.mapping).name)
        if line.code == ExitCode.DONE and line.ended:
            fine.setdefault(known, line.ended)
        if line.attempt is not None and not line.job and _is_followed(line, begun, strangers):
            continue  # a typing error, followed by a correct command
        if line.run is not None:
            begun.setdefault(owner, set()).add(known[1])
        if known not in found or _counts_more(line, found[known]):
            found[known] = line
    for known, line in found.items():
        success = fine.get(known)
        yield (
            line,
            Latest(*line[:3], line.run, line.attempt, success, line.code, line.stopped_because),
        )


def _strangers(lines: Sequence[Line]) -> set[str]:
    """Accounts without a run that were tried on one day only, as a person does who mistypes a name;
    a line of a crontab would be tried again.
    """
    days: dict[str, set[str]] = {}
    for line in lines:
        days.setdefault(fold(line.account), set()).add("run" if line.run else line.begun[:10])
    return {owner for owner, of in days.items() if "run" not in of and len(of) == 1}


def _is_followed(line: Line, begun: Mapping[str, set[str]], strangers: Collection[str]) -> bool:
    """Whether an attempt was followed by a run of its account, or of the one that it misspelt with
    the same mapping.
    """
    owner, mapping = fold(line.account), Path(line.mapping).name
    if owner in begun or owner not in strangers:
        return owner in begun
    return any(mapping in of and is_slip(owner, other) for other, of in begun.items())


def _counts_more(older: Line, newer: Line) -> bool:
    """Whether the older line counts: the newer one is an attempt that found it active or that had
    nothing to do after its failure, or both belong to one start of a job and the older ended worse.
    """
    if older.batch and older.batch == newer.batch:
        return _badness(older.code) > _badness(newer.code)
    if newer.run is None and newer.code == ExitCode.DONE:  # there was nothing to do
        return older.code not in (None, ExitCode.DONE)
    if newer.code != ExitCode.BUSY or older.run is None:
        return False
    return older.ended is None or older.ended >= newer.begun


def _badness(code: int | None) -> int:
    order = (ExitCode.DONE, ExitCode.FAILED_ROWS, ExitCode.BUSY, ExitCode.STOPPED)
    worst = (*order, ExitCode.NOTHING_SENT, ExitCode.BUG)
    return worst.index(ExitCode(code)) if code is not None else 0
