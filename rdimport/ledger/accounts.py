"""The keys of each account. One key under two names would send everything twice, and two clients'
keys under one name would send nothing to the second client.

Only keyed hashes are stored. A key is bound to an account once a row has arrived, or may have.
Until then the run that uses it first holds a claim, so that two concurrent runs cannot both use it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import ClassVar, Final, LiteralString, NamedTuple

from rdimport.core.errors import UsageError
from rdimport.core.messages import _
from rdimport.core.names import fold, is_slip
from rdimport.core.shell import joined
from rdimport.destination import address
from rdimport.ledger.hashes import hashed
from rdimport.ledger.sql import Ask, Asked

_OWNER: Final = """
SELECT k.destination, d.account, k.run FROM rdimport.account_key k
JOIN rdimport.destination d ON d.id = k.destination
WHERE k.endpoint = %(endpoint)s AND k.hash = %(key)s
"""
_BIND: Final = """
INSERT INTO rdimport.account_key VALUES (%(endpoint)s, %(key)s, %(destination)s, %(run)s, %(at)s)
ON CONFLICT (endpoint, hash) DO UPDATE SET run = excluded.run
"""
_RENAME: Final = """
UPDATE rdimport.destination SET account = %(account)s, identity = %(identity)s WHERE id = %(number)s
"""
_KEEP_NAME: Final = """
INSERT INTO rdimport.destination (identity, endpoint, account) VALUES (%(named)s, '', %(number)s)
ON CONFLICT (identity) DO UPDATE SET account = excluded.account
"""
"""A former name is a destination of its own, without an endpoint, so that nothing lists it; its
account is the number of the renamed one.
"""
_FORMERLY: Final = "formerly "
"""The identity of a former name begins with it."""

_NOW_CALLED: Final = """
SELECT d.id, d.account FROM rdimport.destination f
JOIN rdimport.destination d ON d.id = CAST(f.account AS integer) WHERE f.identity = %(named)s
"""


class Account(NamedTuple):
    """One account of one endpoint."""

    account: str
    endpoint: str
    keys: int
    conversions: int
    last_run: str | None


class KeyClaim(NamedTuple):
    """The key a run wants to use: its hash (None: not known), a test for active runs of an account,
    and whether the user confirmed that an account name similar to an existing one is intended.
    """

    key: bytes | None
    at_work: Callable[[str], bool]
    sure: bool = False


class Owner(NamedTuple):
    """The account that owns a key; `run` holds a claim to it while nothing has arrived."""

    destination: int
    account: str
    run: int | None


class AccountBooks:
    """The stored accounts. `ask` executes within the caller's transaction."""

    sent: ClassVar[LiteralString]
    """Whether a row of the destination has arrived or may have."""
    of_run: ClassVar[LiteralString]
    """Whether a row of the run was accepted or may have arrived."""
    emptied: ClassVar[LiteralString]
    """Deletes the conversions of a destination."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def whose(self, destination: int) -> tuple[str, str]:
        """Endpoint and account of a destination."""
        sql = "SELECT endpoint, account FROM rdimport.destination WHERE id = %(it)s"
        ((endpoint, account),) = self._ask(sql, {"it": destination})
        return endpoint, account

    def everybody(self) -> list[tuple[int, str, str]]:
        """Number, endpoint and account of all destinations with an endpoint."""
        sql = "SELECT id, endpoint, account FROM rdimport.destination"
        found = self._ask(sql + " WHERE endpoint <> '' ORDER BY id", {})
        return [(number, endpoint, account) for number, endpoint, account in found]

    def owner(self, endpoint: str, key: bytes) -> Owner | None:
        """The owner of a key."""
        found = self._ask(_OWNER, {"endpoint": endpoint, "key": key})
        return Owner(*found[0]) if found else None

    def has_keys(self, destination: int) -> bool:
        """Whether an account has keys."""
        sql = "SELECT 1 FROM rdimport.account_key WHERE destination = %(it)s LIMIT 1"
        return bool(self._ask(sql, {"it": destination}))

    def has_sent(self, destination: int) -> bool:
        """Whether a row of the destination has arrived or may have."""
        return bool(self._ask(self.sent, {"destination": destination})[0][0])

    def arrived(self, destination: int, run: int) -> bool:
        """Whether a row of a run was accepted or may have arrived."""
        return bool(self._ask(self.of_run, {"destination": destination, "run": run})[0][0])

    def claims(self, destination: int) -> list[int]:
        """The runs of a destination that claim a key."""
        sql = "SELECT run FROM rdimport.account_key WHERE destination = %(it)s"
        return [run for (run,) in self._ask(sql + " AND run IS NOT NULL", {"it": destination})]

    def claimed_by(self, run: int) -> int | None:
        """The destination of the key claimed by a run; None without a claim."""
        sql = "SELECT destination FROM rdimport.account_key WHERE run = %(run)s"
        found = self._ask(sql, {"run": run})
        return found[0][0] if found else None

    def bind(self, endpoint: str, key: bytes, destination: int, run: int | None, at: str) -> None:
        """Bind a key to an account; with `run`, as its claim."""
        values = {"endpoint": endpoint, "key": key, "destination": destination, "run": run}
        self._ask(_BIND, {**values, "at": at})

    def let_go(self, run: int) -> None:
        """Release the key claimed by a run."""
        self._ask("DELETE FROM rdimport.account_key WHERE run = %(run)s", {"run": run})

    def bind_for_good(self, run: int) -> None:
        """Turn the claim of a run into a binding."""
        self._ask("UPDATE rdimport.account_key SET run = NULL WHERE run = %(run)s", {"run": run})

    def take(self, other: int, number: int) -> None:
        """Replace a destination without conversions by another one."""
        move = "UPDATE rdimport.run SET destination = %(it)s"
        self._ask(self.emptied, {"destination": other})
        self._ask(move + " WHERE destination = %(other)s", {"it": number, "other": other})
        self._ask("DELETE FROM rdimport.destination WHERE id = %(other)s", {"other": other})

    def now_called(self, endpoint: str, account: str) -> tuple[int, str] | None:
        """Number and account of the destination that had this name before it was renamed."""
        found = self._ask(_NOW_CALLED, {"named": _formerly(endpoint, account)})
        return found[0] if found else None

    def call(self, number: int, identity: str, account: str) -> None:
        """Rename a destination, also in the records of its runs; its former name is kept."""
        if self.has_sent(number):
            named = _formerly(*self.whose(number))
            self._ask(_KEEP_NAME, {"named": named, "number": str(number)})
        self._ask(_RENAME, {"number": number, "identity": identity, "account": account})
        runs = "SELECT id, facts FROM rdimport.run WHERE destination = %(it)s"
        change = "UPDATE rdimport.run SET facts = %(facts)s WHERE id = %(run)s"
        for run, facts in self._ask(runs, {"it": number}):
            self._ask(change, {"facts": renamed(facts, account), "run": run})


def claim(
    books: AccountBooks, destination: int, run: int, at: datetime, key_claim: KeyClaim
) -> None:
    """Claim the key of a run, within the transaction that begins the run.

    Raises UsageError if the key belongs to another account, or the account has other keys.
    """
    endpoint, account = books.whose(destination)
    if not endpoint or key_claim.key is None:
        return  # a sandbox of the run's own, or a manually named destination
    owner = see_claim(books, destination, endpoint, account, key_claim)
    if owner is not None and owner.destination == destination and owner.run is None:
        return
    if owner is not None and owner.run is not None and owner.destination != destination:
        books.let_go(owner.run)
    books.bind(endpoint, key_claim.key, destination, run, at.isoformat())


def see_claim(
    books: AccountBooks, destination: int, endpoint: str, account: str, key_claim: KeyClaim
) -> Owner | None:
    """The owner of the key, if it has one. Raises UsageError if a run may not claim it."""
    owner = books.owner(endpoint, key_claim.key) if key_claim.key is not None else None
    if owner is not None and owner.destination == destination:
        return owner
    if owner is not None and (
        owner.run is None
        or books.arrived(owner.destination, owner.run)
        or key_claim.at_work(owner.account)
    ):
        raise of_another(account, owner.account, endpoint)
    if books.has_keys(destination):
        if key_claim.key is not None:
            raise _new_key(account, endpoint)
    elif not key_claim.sure:
        see_that_it_is_no_slip(books, destination, endpoint, account)
    return owner


def resolve_claims(books: AccountBooks, runs: Sequence[int]) -> None:
    """Bind or release the keys of runs that ended or were killed."""
    for run in runs:
        destination = books.claimed_by(run)
        if destination is None:
            continue
        if books.arrived(destination, run):
            books.bind_for_good(run)
        else:
            books.let_go(run)


def hash_of(ledger: Asked, credentials: Sequence[tuple[str, str]]) -> bytes:
    """The keyed hash of a key."""
    return hashed(ledger.key, [f"key {json.dumps(sorted(credentials))}"], 16)[0]


def renamed(facts: str, new: str) -> str:
    """The record of a run after its account was renamed, including its command line."""
    kept = json.loads(facts)
    again = list(kept.get("again") or ())
    if "--account" in again[:-1]:
        again[again.index("--account") + 1] = new
    elif "again" in kept:
        again += ["--account", new]
    return json.dumps({**kept, "account": new} | ({"again": again} if "again" in kept else {}))


def spelt(named: str, base_url: str, account: str) -> str:
    """The endpoint of a destination; empty for a manually named one, which has no keys."""
    derived = base_url and address.identity(base_url, account) == named
    return address.endpoint(base_url) if derived else ""


def see_that_it_is_no_slip(
    books: AccountBooks, destination: int, endpoint: str, account: str
) -> None:
    """Raise if a new name is the former one of an account with conversions, or differs little from
    that of one: somebody has not heard of the new name, or mistyped it.
    """
    if books.has_sent(destination):
        return
    number, now = books.now_called(endpoint, account) or (destination, "")
    if number != destination and books.has_sent(number):
        raise UsageError(
            _(
                "Account “{account}” at {endpoint} is now called “{now}”: what was sent to it "
                "would be sent again.",
                account=account,
                endpoint=endpoint,
                now=now,
            ),
            _meant(now, account),
        )
    everybody = books.everybody()
    there = [(n, name) for n, where, name in everybody if where == endpoint and n != destination]
    meant = next((name for n, name in there if is_slip(account, name) and books.has_sent(n)), None)
    if meant is not None:
        raise UsageError(
            _(
                "This ledger has no account “{account}” at {endpoint}; did you mean “{meant}”?",
                account=account,
                endpoint=endpoint,
                meant=meant,
            ),
            _meant(meant, account),
        )


def _meant(meant: str, account: str) -> str:
    return _(
        "Nothing was sent. Type --account {meant} or, if “{account}” is another RD "
        "Station account, the same command with --yes.",
        meant=joined([meant]),
        account=account,
    )


def _formerly(endpoint: str, account: str) -> str:
    return f"{_FORMERLY}{address.identity(endpoint, account)}"


def had_name(identity: str, folded: str) -> bool:
    """Whether the identity of a destination is that of a former name, at whatever endpoint."""
    _endpoint, _, name = identity.removeprefix(_FORMERLY).partition(" ")
    return identity.startswith(_FORMERLY) and name == folded


def taken(new: str, where: str) -> UsageError:
    """The error for an account that has keys or conversions already."""
    return UsageError(
        _(
            "There already is an account “{new}” at {where}; two accounts cannot be merged.",
            new=new,
            where=where,
        ),
        _("Choose another name. Type: rdimport accounts list"),
    )


def of_another(account: str, owner: str, endpoint: str) -> UsageError:
    """The error for a key that belongs to another account."""
    return UsageError(
        _(
            "The API key belongs to account “{owner}” of this ledger ({endpoint}), not to "
            "“{account}”: the rows that were sent as “{owner}” would be sent again.",
            owner=owner,
            endpoint=endpoint,
            account=account,
        ),
        _(
            "Nothing was sent. Type --account {owner}, or give the key of “{account}” if "
            "that is another RD Station account. To rename an account, type: rdimport "
            "accounts rename OLD NEW",
            owner=joined([owner]),
            account=account,
        ),
    )


def _new_key(account: str, endpoint: str) -> UsageError:
    of = "" if fold(account) == "default" else f" --account {joined([account])}"
    return UsageError(
        _(
            "Account “{account}” ({endpoint}) has another API key in this ledger: what was "
            "sent with that key would count as imported for this one too.",
            account=account,
            endpoint=endpoint,
        ),
        _(
            "Nothing was sent. If this key belongs to another RD Station account, give that "
            "account a name of its own: --account NAME. If it is one more key of the same "
            "account, type: rdimport accounts add-key{of}",
            of=of,
        ),
    )


def unknown(place: str, account: str, known: Sequence[str]) -> UsageError:
    """The error for an account that is not among the known ones."""
    from rdimport.core.names import did_you_mean  # noqa: PLC0415  with rapidfuzz

    meant = did_you_mean(account, known)
    message = _("The ledger {path} has no account “{account}” there.", path=place, account=account)
    if meant:
        message += " " + _("Did you mean {name}?", name=f"“{meant}”")
    return UsageError(
        message,
        _("Type: rdimport accounts list"),
    )
