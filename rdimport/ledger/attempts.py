"""Runs that ended before they began: without a key, a file or a place to write to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from rdimport.core.errors import ExitCode
from rdimport.core.names import fold
from rdimport.ledger import Ledger


class Attempt(NamedTuple):
    """A run that did not begin: whose, of what, and what was said. `given` are the words that named
    the files.
    """

    at: datetime
    account: str
    job: str
    mapping: str
    given: tuple[str, ...]
    exit_code: ExitCode
    message: str


class Latest(NamedTuple):
    """The latest of an account and job: a run by its name, or an attempt. `mapping` stands for the
    job where a run had none.
    """

    account: str
    job: str
    mapping: str
    run: str | None
    attempt: Attempt | None
    last_success: str | None
    """When a run of it last ended with every row where it should be."""


class _Line(NamedTuple):
    account: str
    job: str
    mapping: str
    begun: str
    ended: str | None
    code: int | None
    run: str | None
    attempt: Attempt | None


def note(state_dir: Path, attempt: Attempt) -> None:
    """Note an attempt, in a ledger that is made for it if need be. Raises LedgerError."""
    with Ledger.open(state_dir) as ledger, ledger.transaction() as db:
        said = {"message": attempt.message, "given": attempt.given, "mapping": attempt.mapping}
        db.execute(
            "INSERT INTO attempt (at, account, job, exit_code, facts) VALUES (?, ?, ?, ?, ?)",
            (
                attempt.at.isoformat(),
                attempt.account,
                attempt.job,
                int(attempt.exit_code),
                json.dumps(said, ensure_ascii=False),
            ),
        )


def latest(ledger: Ledger, since: datetime | None = None) -> list[Latest]:
    """The latest run or attempt of each account and job, the newest first; those that nothing
    happened to `since` that moment are left out.
    """
    found: dict[tuple[str, str], _Line] = {}
    fine: dict[tuple[str, str], str] = {}
    begun: set[str] = set()
    for line in sorted(_lines(ledger), key=lambda line: line.begun, reverse=True):
        owner = fold(line.account)
        known = (owner, line.job or Path(line.mapping).name)
        if line.code == ExitCode.DONE and line.ended:
            fine.setdefault(known, line.ended)
        if line.attempt is not None and not line.job and owner in begun:
            continue  # what was mistyped, before a command that was not
        if line.run is not None:
            begun.add(owner)
        if known not in found or _was_in_the_way(line, found[known]):
            found[known] = line
    return [
        Latest(line.account, line.job, line.mapping, line.run, line.attempt, fine.get(known))
        for known, line in found.items()
        if since is None or datetime.fromisoformat(line.ended or line.begun) >= since
    ]


def _was_in_the_way(older: _Line, newer: _Line) -> bool:
    """Is the newer one an attempt that found the older one at work?"""
    if newer.code != ExitCode.BUSY or older.run is None:
        return False
    return older.ended is None or older.ended >= newer.begun


def _lines(ledger: Ledger) -> Iterator[_Line]:
    for account, job, mapping, begun, ended, code, run in ledger.query(
        "SELECT facts ->> '$.account', coalesce(facts ->> '$.job', ''),"
        " coalesce(facts ->> '$.mapping', ''), started_at, finished_at, exit_code, name FROM run"
        " WHERE NOT coalesce(facts ->> '$.sandbox', 0)"
    ):
        yield _Line(account, job, mapping, begun, ended, code, run, None)
    for at, account, job, code, said in ledger.query(
        "SELECT at, account, job, exit_code, facts FROM attempt"
    ):
        facts: Mapping[str, Any] = json.loads(said)
        attempt = Attempt(
            datetime.fromisoformat(at),
            account,
            job,
            facts["mapping"],
            tuple(facts["given"]),
            ExitCode(code),
            facts["message"],
        )
        yield _Line(account, job, attempt.mapping, at, at, code, None, attempt)
