"""Which keys of an endpoint go with which account: one key used under two names sends everybody
twice, and two clients' keys under one name send the second client nobody.

Only keyed hashes are kept. A key is bound once a row arrived with it, or may have; until then the
run that first uses it has a claim, so that two that start at once cannot both have it.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from rdimport.core.errors import UsageError
from rdimport.core.messages import _
from rdimport.core.names import fold, is_slip
from rdimport.destination import address
from rdimport.ledger.hashes import Keyed


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


class Owner(NamedTuple):
    """Whose a key is; `run` is the one that claims it as long as nothing arrived with it."""

    destination: int
    account: str
    run: int | None


class AccountBooks(Protocol):
    """What a ledger knows of accounts, within one transaction."""

    def whose(self, destination: int) -> tuple[str, str]:
        """Endpoint (empty: without keys) and account of a destination."""

    def everybody(self) -> list[tuple[int, str, str]]:
        """Number, endpoint and account of all destinations that have an endpoint."""

    def owner(self, endpoint: str, key: bytes) -> Owner | None:
        """Whose a key is."""

    def has_keys(self, destination: int) -> bool:
        """Has an account keys?"""

    def has_sent(self, destination: int) -> bool:
        """Did anything arrive there, or may it have?"""

    def arrived(self, destination: int, run: int) -> bool:
        """Was a row accepted in a run, or may one have arrived?"""

    def claimed_by(self, run: int) -> int | None:
        """The destination of the key that a run claims, None for a run without one."""

    def bind(self, endpoint: str, key: bytes, destination: int, run: int | None, at: str) -> None:
        """Give a key that is nobody's, or this account's already, to an account; with a `run` it is
        that one's claim.
        """

    def let_go(self, run: int) -> None:
        """Take the key that a run claims from its account."""

    def bind_for_good(self, run: int) -> None:
        """The key that a run claims is its account's."""

    def take(self, other: int, number: int) -> None:
        """Let one destination take the place of another, under which nothing was ever sent."""

    def call(self, number: int, identity: str, account: str) -> None:
        """Give a destination another name, and in the facts of its runs (`renamed`)."""


def claim(books: AccountBooks, destination: int, run: int, at: datetime, wish: Wish) -> None:
    """Let a run use its key, within the transaction that begins it. Raises UsageError where the key
    is another account's, or the account has other keys.
    """
    endpoint, account = books.whose(destination)
    if not endpoint:
        return  # a sandbox of the run's own, or a destination that was named by hand
    owner = books.owner(endpoint, wish.key)
    if owner is not None and owner.destination == destination:
        if owner.run is not None:
            books.bind(endpoint, wish.key, destination, run, at.isoformat())
        return
    if owner is not None:
        if (
            owner.run is None
            or books.arrived(owner.destination, owner.run)
            or wish.at_work(owner.account)
        ):
            raise _of_another(account, owner.account, endpoint)
        books.let_go(owner.run)
    if books.has_keys(destination):
        raise _new_key(account, endpoint)
    if not wish.sure:
        _see_that_it_is_no_slip(books, destination, endpoint, account)
    books.bind(endpoint, wish.key, destination, run, at.isoformat())


def settle(books: AccountBooks, runs: Sequence[int]) -> None:
    """Bind the keys of runs that ended, or were killed, if a row arrived with them or may have."""
    for run in runs:
        destination = books.claimed_by(run)
        if destination is None:
            continue
        if books.arrived(destination, run):
            books.bind_for_good(run)
        else:
            books.let_go(run)


def hash_of(ledger: Keyed, credentials: Sequence[tuple[str, str]]) -> bytes:
    """The keyed hash of a key."""
    return ledger.digests([f"key {json.dumps(sorted(credentials))}"])[0]


def add_key(
    books: AccountBooks, place: str, *, endpoint: str, account: str, key: bytes, at: datetime
) -> str:
    """Bind one more key to an account of the ledger at `place`; returns the account's name. Raises
    UsageError.
    """
    known = [(number, name) for number, where, name in books.everybody() if where == endpoint]
    same = [(number, name) for number, name in known if fold(name) == fold(account)]
    if not same:
        raise _unknown(place, account, [name for _number, name in known])
    ((destination, name),) = same
    owner = books.owner(endpoint, key)
    if owner is not None and owner.destination != destination:
        raise _of_another(account, owner.account, endpoint)
    books.bind(endpoint, key, destination, None, at.isoformat())
    return name


def rename(books: AccountBooks, place: str, old: str, new: str) -> int:
    """Give an account another name at all endpoints; returns at how many. Raises UsageError."""
    known = books.everybody()
    mine = {where: n for n, where, name in known if fold(name) == fold(old)}
    taken = {where: n for n, where, name in known if fold(name) == fold(new)}
    if not mine:
        raise _unknown(place, old, [name for _number, _where, name in known])
    for where, number in mine.items():
        other = taken.get(where, number)
        if other != number:
            if books.has_sent(other) or books.has_keys(other):
                raise _taken(new, where)
            books.take(other, number)
        books.call(number, address.identity(where, new), new)
    return len(mine)


def renamed(facts: str, new: str) -> str:
    """What is kept of a run whose account is called otherwise now: runs tell their account, and the
    command that does the same again.
    """
    kept = json.loads(facts)
    again = list(kept.get("again") or ())
    if "--account" in again[:-1]:
        again[again.index("--account") + 1] = new
    elif "again" in kept:
        again += ["--account", new]
    return json.dumps({**kept, "account": new} | ({"again": again} if "again" in kept else {}))


def spelt(named: str, base_url: str, account: str) -> str:
    """The endpoint of a destination, empty for one that was named by hand: that has no keys."""
    ours = base_url and address.identity(base_url, account) == named
    return address.endpoint(base_url) if ours else ""


def _see_that_it_is_no_slip(
    books: AccountBooks, destination: int, endpoint: str, account: str
) -> None:
    """A new name that differs little from one that has conversions was probably mistyped."""
    if books.has_sent(destination):
        return
    there = [(n, name) for n, where, name in books.everybody() if where == endpoint]
    meant = next((name for n, name in there if is_slip(account, name) and books.has_sent(n)), None)
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


def _taken(new: str, where: str) -> UsageError:
    return UsageError(
        _(
            "There is an account “{new}” at {where} already; two cannot be put together.",
            new=new,
            where=where,
        ),
        _("Choose another name. Type: rdimport accounts list"),
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


def _unknown(place: str, account: str, known: Sequence[str]) -> UsageError:
    from rdimport.core.names import did_you_mean  # noqa: PLC0415  with rapidfuzz

    meant = did_you_mean(account, known)
    message = _("The ledger {path} has no account “{account}” there.", path=place, account=account)
    if meant:
        message += " " + _("Did you mean {name}?", name=f"“{meant}”")
    return UsageError(
        message,
        _("Type: rdimport accounts list"),
    )
