"""Which keys of an endpoint go with which account: one key used under two names sends everybody
twice, and two clients' keys under one name send the second client nobody.

Only keyed hashes are kept. A key is bound once a row arrived with it, or may have; until then the
run that first uses it has a claim, so that two that start at once cannot both have it.
"""

from __future__ import annotations

import json
import shlex
import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from rdimport.core.errors import UsageError
from rdimport.core.messages import _
from rdimport.core.names import fold, is_slip
from rdimport.destination import address
from rdimport.ledger.records import RunRecord

if TYPE_CHECKING:
    from rdimport.ledger.sqlite.ledger import Ledger

_HAS_SENT: Final = (
    "EXISTS (SELECT 1 FROM posted WHERE posted.destination = d.id AND state <> 'refused')"
    " OR EXISTS (SELECT 1 FROM daybook WHERE daybook.destination = d.id)"
    " OR EXISTS (SELECT 1 FROM sending WHERE sending.destination = d.id)"
)


class Account(NamedTuple):
    """One account of one endpoint, as the ledger knows it."""

    account: str
    endpoint: str
    keys: int
    conversions: int
    last_run: str | None


class Wish(NamedTuple):
    """What a run wants to send with: the hash of its key, whether a run of an account is at work,
    and whether a person says that a name much like another one is meant.
    """

    key: bytes
    at_work: Callable[[str], bool]
    sure: bool = False


class _Owner(NamedTuple):
    destination: int
    account: str
    run: int | None


def destination_of(db: sqlite3.Connection, named: str, record: RunRecord) -> tuple[int, str]:
    """The number of a destination, made where it is new, and its account's name."""
    base_url, account = record.base_url, record.account
    ours = base_url and address.identity(base_url, account) == named
    where = address.endpoint(base_url) if ours else ""  # one that is named by hand has no keys
    db.execute(
        "INSERT OR IGNORE INTO destination (identity, endpoint, account) VALUES (?, ?, ?)",
        (named, where, account),
    )
    found: tuple[int, str] = db.execute(
        "SELECT id, account FROM destination WHERE identity = ?", (named,)
    ).fetchone()
    return found


def claim(db: sqlite3.Connection, destination: int, run: int, at: datetime, wish: Wish) -> None:
    """Let a run use its key, within the transaction that begins it. Raises UsageError where the key
    is another account's, or the account has other keys.
    """
    endpoint, account = db.execute(
        "SELECT endpoint, account FROM destination WHERE id = ?", (destination,)
    ).fetchone()
    if not endpoint:
        return  # a sandbox of the run's own, or a destination that was named by hand
    owner = _owner(db, endpoint, wish.key)
    if owner is not None and owner.destination == destination:
        db.execute(
            "UPDATE account_key SET run = ? WHERE endpoint = ? AND hash = ? AND run IS NOT NULL",
            (run, endpoint, wish.key),
        )
        return
    if owner is not None:
        if _holds(db, owner) or wish.at_work(owner.account):
            raise _of_another(account, owner.account, endpoint)
        db.execute("DELETE FROM account_key WHERE endpoint = ? AND hash = ?", (endpoint, wish.key))
    if _has_keys(db, destination):
        raise _new_key(account, endpoint)
    if not wish.sure:
        _see_that_it_is_no_slip(db, destination, endpoint, account)
    values = (endpoint, wish.key, destination, run, at.isoformat())
    db.execute("INSERT INTO account_key VALUES (?, ?, ?, ?, ?)", values)


def settle(db: sqlite3.Connection, runs: Sequence[int]) -> None:
    """Bind the keys of runs that ended, or were killed, if a row arrived with them or may have."""
    for run in runs:
        found = db.execute("SELECT destination FROM account_key WHERE run = ?", (run,)).fetchone()
        if found is None:
            continue
        if _arrived(db, found[0], run):
            db.execute("UPDATE account_key SET run = NULL WHERE run = ?", (run,))
        else:
            db.execute("DELETE FROM account_key WHERE run = ?", (run,))


def claims(db: sqlite3.Connection, destination: int) -> list[int]:
    """The runs of a destination that have a claim to a key."""
    found = db.execute(
        "SELECT run FROM account_key WHERE destination = ? AND run IS NOT NULL", (destination,)
    )
    return [run for (run,) in found]


def hash_of(ledger: Ledger, credentials: Sequence[tuple[str, str]]) -> bytes:
    """The keyed hash of a key."""
    return ledger.digests([f"key {json.dumps(sorted(credentials))}"])[0]


def accounts(ledger: Ledger) -> list[Account]:
    """All accounts that something was sent for, or that have a key; no sandboxes."""
    found = ledger.query(
        "SELECT d.account, d.endpoint,"
        " (SELECT count(*) FROM account_key k WHERE k.destination = d.id),"
        " (SELECT count(*) FROM conversion c WHERE c.destination = d.id"
        "  AND c.state IN ('accepted', 'uncertain')),"
        " (SELECT max(started_at) FROM run WHERE run.destination = d.id)"
        " FROM destination d WHERE d.endpoint <> '' ORDER BY d.endpoint, d.account"
    )
    return [Account(*values) for values in found]


def add_key(ledger: Ledger, endpoint: str, account: str, key: bytes, at: datetime) -> str:
    """Bind one more key to an account; returns the account's name. Raises UsageError."""
    with ledger.transaction() as db:
        known = db.execute(
            "SELECT id, account FROM destination WHERE endpoint = ?", (endpoint,)
        ).fetchall()
        same = [(number, name) for number, name in known if fold(name) == fold(account)]
        if not same:
            raise _unknown(ledger, account, [name for _id, name in known])
        ((destination, name),) = same
        owner = _owner(db, endpoint, key)
        if owner is not None and owner.destination != destination:
            raise _of_another(account, owner.account, endpoint)
        db.execute(
            "INSERT INTO account_key VALUES (?, ?, ?, NULL, ?)"
            " ON CONFLICT (endpoint, hash) DO UPDATE SET run = NULL",
            (endpoint, key, destination, at.isoformat()),
        )
    return str(name)


def rename(ledger: Ledger, old: str, new: str) -> int:
    """Give an account another name at all endpoints; returns at how many. Only who holds the locks
    of both names may call this. Raises UsageError.
    """
    with ledger.transaction() as db:
        known = db.execute(
            "SELECT id, endpoint, account FROM destination WHERE endpoint <> ''"
        ).fetchall()
        mine = {where: n for n, where, name in known if fold(name) == fold(old)}
        taken = {where: n for n, where, name in known if fold(name) == fold(new)}
        if not mine:
            raise _unknown(ledger, old, [name for _id, _where, name in known])
        for where, number in mine.items():
            other = taken.get(where, number)
            if other != number:
                _make_room(db, other, number, new, where)
            db.execute(
                "UPDATE destination SET account = ?, identity = ? WHERE id = ?",
                (new, address.identity(where, new), number),
            )
            _rename_in_runs(db, number, new)
    return len(mine)


def _make_room(db: sqlite3.Connection, other: int, number: int, new: str, where: str) -> None:
    """A name under which nothing was ever sent can be had."""
    ((used,),) = db.execute(
        f"SELECT {_HAS_SENT} OR EXISTS (SELECT 1 FROM account_key k WHERE k.destination = d.id)"  # noqa: S608  a constant
        " FROM destination d WHERE id = ?",
        (other,),
    ).fetchall()
    if used:
        raise UsageError(
            _(
                "There is an account “{new}” at {where} already; two cannot be put together.",
                new=new,
                where=where,
            ),
            _("Choose another name. Type: rdimport accounts list"),
        )
    db.execute("DELETE FROM posted WHERE destination = ?", (other,))
    db.execute("UPDATE run SET destination = ? WHERE destination = ?", (number, other))
    db.execute("DELETE FROM destination WHERE id = ?", (other,))


def _rename_in_runs(db: sqlite3.Connection, destination: int, new: str) -> None:
    """Runs tell their account, and the command that does the same again."""
    found = db.execute("SELECT id, facts FROM run WHERE destination = ?", (destination,)).fetchall()
    for run, text in found:
        facts = json.loads(text)
        again = list(facts.get("again") or ())
        if "--account" in again[:-1]:
            again[again.index("--account") + 1] = new
        elif "again" in facts:
            again += ["--account", new]
        renamed = {**facts, "account": new} | ({"again": again} if "again" in facts else {})
        db.execute("UPDATE run SET facts = ? WHERE id = ?", (json.dumps(renamed), run))


def _owner(db: sqlite3.Connection, endpoint: str, key: bytes) -> _Owner | None:
    found = db.execute(
        "SELECT k.destination, d.account, k.run FROM account_key k JOIN destination d"
        " ON d.id = k.destination WHERE k.endpoint = ? AND k.hash = ?",
        (endpoint, key),
    ).fetchone()
    return _Owner(*found) if found else None


def _holds(db: sqlite3.Connection, owner: _Owner) -> bool:
    return owner.run is None or _arrived(db, owner.destination, owner.run)


def _arrived(db: sqlite3.Connection, destination: int, run: int) -> bool:
    """Was a row accepted in a run, or may one have arrived?"""
    found = db.execute(
        "SELECT EXISTS (SELECT 1 FROM minute WHERE run = :run AND accepted > 0)"
        " OR EXISTS (SELECT 1 FROM sending WHERE run = :run)"
        " OR EXISTS (SELECT 1 FROM posted WHERE destination = :destination AND run = :run"
        " AND state = 'uncertain')",
        {"run": run, "destination": destination},
    ).fetchone()
    return bool(found[0])


def _has_keys(db: sqlite3.Connection, destination: int) -> bool:
    found = db.execute("SELECT 1 FROM account_key WHERE destination = ?", (destination,))
    return found.fetchone() is not None


def _see_that_it_is_no_slip(
    db: sqlite3.Connection, destination: int, endpoint: str, account: str
) -> None:
    """A new name that differs little from one that has conversions was probably mistyped."""
    known = db.execute(
        f"SELECT d.id, d.account FROM destination d WHERE endpoint = ? AND ({_HAS_SENT})",  # noqa: S608  a constant
        (endpoint,),
    ).fetchall()
    if any(number == destination for number, _name in known):
        return
    meant = next((name for _id, name in known if is_slip(account, name)), None)
    if meant is not None:
        raise UsageError(
            _(
                "This ledger has no account “{account}” at {endpoint}; did you mean “{meant}”?",
                account=account,
                endpoint=endpoint,
                meant=meant,
            ),
            _(
                "Nothing was sent. Type --account {meant}, or, if “{account}” is another RD "
                "Station account, the same command with --yes.",
                meant=shlex.quote(meant),
                account=account,
            ),
        )


def _of_another(account: str, owner: str, endpoint: str) -> UsageError:
    return UsageError(
        _(
            "The API key belongs to account “{owner}” of this ledger ({endpoint}), not "
            "to “{account}”: the rows that went out as “{owner}” would be sent once more.",
            owner=owner,
            endpoint=endpoint,
            account=account,
        ),
        _(
            "Nothing was sent. Type --account {owner}, or give the key of “{account}” if "
            "that is another RD Station account. To call an account by another name, "
            "type: rdimport accounts rename OLD NEW",
            owner=shlex.quote(owner),
            account=account,
        ),
    )


def _new_key(account: str, endpoint: str) -> UsageError:
    of = "" if fold(account) == "default" else f" --account {shlex.quote(account)}"
    return UsageError(
        _(
            "Account “{account}” ({endpoint}) has another API key in this ledger: what "
            "was sent with that one would count as imported for this one too.",
            account=account,
            endpoint=endpoint,
        ),
        _(
            "Nothing was sent. If this key is of another RD Station account, give that a "
            "name of its own: --account NAME. If it is one more key of the same account, "
            "type: rdimport accounts add-key{of}",
            of=of,
        ),
    )


def _unknown(ledger: Ledger, account: str, known: Sequence[str]) -> UsageError:
    from rdimport.core.names import did_you_mean  # noqa: PLC0415  with rapidfuzz

    meant = did_you_mean(account, known)
    message = _(
        "The ledger {path} has no account “{account}” there.", path=ledger.path, account=account
    )
    if meant:
        message += " " + _("Did you mean {name}?", name=f"“{meant}”")
    return UsageError(
        message,
        _("Type: rdimport accounts list"),
    )
