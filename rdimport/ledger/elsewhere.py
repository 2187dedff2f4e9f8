"""Other ledgers with which this user has sent rows to the same RD Station account: a ledger that is
new to it does not know whom, and would send them again.

They are known from what the user's own folders record of all state directories.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple

from rdimport.core.errors import LedgerError, LedgerLostError, UsageError
from rdimport.core.messages import _
from rdimport.core.names import fold
from rdimport.destination import Destination
from rdimport.ledger import twins
from rdimport.ledger.accounts import hash_of
from rdimport.ledger.hashes import ledger_id
from rdimport.ledger.key_marks import has_used
from rdimport.ledger.notes import note, noted
from rdimport.ledger.one_ledger import shared_elsewhere
from rdimport.ledger.opening import is_shared
from rdimport.ledger.port import Elsewhere, Ledger, Store
from rdimport.ledger.sqlite.witness import outside

_ASKED: Final = "asked"
"""The file in the user's folder for a state directory with a line for each other ledger that ended
a run: the shared ledger that the run used, or a dot, and the name of the other one.
"""

_AGREED: Final = "SELECT value FROM rdimport.setting WHERE name = 'others'"
_AGREE: Final = """
INSERT INTO rdimport.setting (name, value) VALUES ('others', %(others)s)
ON CONFLICT (name) DO UPDATE SET value = excluded.value
"""
_LAST: Final = """
SELECT started_at FROM rdimport.run WHERE destination = %(destination)s ORDER BY id DESC LIMIT 1
"""


class Sender(NamedTuple):
    """Another ledger with which rows were sent: its name among those of which something was agreed,
    the options by which it is used instead, and whether it is sure.
    """

    name: str
    options: tuple[str, ...]
    sure: bool = True


def refuse_elsewhere(ledger: Ledger | None, store: Store, own: Store, to: Destination) -> None:
    """Raise LedgerLostError if rows were sent to an account with another ledger, of which nothing
    was agreed, since this one was last used for it. `own` is the ledger of the state directory, and
    `ledger` that of `store`, if there is one.
    """
    others, uses = own.elsewhere(), shared_elsewhere(own)
    if not others and not uses:
        return
    last, agreed = (_last(ledger, to), _agreed(ledger)) if ledger else (None, frozenset[str]())
    unknown = _unknown(ledger, others) if ledger else others
    later = (one for one in unknown if last is None or datetime.fromisoformat(one.until) >= last)
    senders = _senders(later, to, is_new=last is None)
    shared = {one.address for one in uses if one.is_of(to.identity)} - {str(store), *agreed}
    databases = (Sender(one, ("--ledger", one)) for one in sorted(shared) if last is None)
    found = list(chain(senders, databases))
    if found:
        for one in found:
            _note_asked(store, own, one.name)
        first = found[0]
        directory = () if store == own else own.location_options  # `accept` asks about others
        this = (*store.location_options, *directory)
        sent = _sent(first.options[1], store, sure=first.sure)
        raise LedgerLostError(sent, twins.remedy(first.options, this))


def _sent(other: str, store: Store, *, sure: bool) -> str:
    if sure:
        return _(
            "Rows were sent to this RD Station account with another ledger: {other}. {place} "
            "does not know whom, and they would be sent again.",
            other=other,
            place=str(store),
        )
    return _(
        "Rows were sent to an account of this name with another ledger: {other}. Without the key "
        "of its hashes it cannot be seen whether that is the same RD Station account. {place} does "
        "not know whom, and they would be sent again if it is.",
        other=other,
        place=str(store),
    )


def unknown_elsewhere(ledger: Ledger, own: Store) -> set[tuple[str, str]]:
    """The names and places of other ledgers of which nothing was agreed: of those that have ended
    runs or checks, or of all if none has.
    """
    shared = {one.address for one in shared_elsewhere(own)} - {ledger.place, *_agreed(ledger)}
    unknown = {(one.ledger, str(one.store)) for one in _unknown(ledger, own.elsewhere())}
    unknown |= {(address, address) for address in shared}
    asked = _asked(ledger.place, own)
    return {(name, place) for name, place in unknown if name in asked} if asked else unknown


def has_others(own: Store) -> bool:
    """Whether rows were sent with other ledgers."""
    return bool(own.elsewhere() or shared_elsewhere(own))


def agree(ledger: Ledger, own: Store, others: Iterable[str] | None = None) -> None:
    """Record that whoever other ledgers know, all or those named, may be sent again with this
    one.
    """
    if others is None:
        shared = {one.address for one in shared_elsewhere(own)}
        others = shared | {one.ledger for one in own.elsewhere()}
    names = _agreed(ledger) | set(others)
    with ledger.writing() as ask:
        ask(_AGREE, {"others": "\n".join(sorted(names))})


def _note_asked(store: Store, own: Store, other: str) -> None:
    """Record of which other ledger a person was told: `accept` may not know the API key."""
    folder = outside(Path(str(own)))
    if folder is not None:
        note(folder / _ASKED, f"{store if is_shared(str(store)) else '.'}\t{other}")


def _asked(place: str, own: Store) -> set[str]:
    folder = outside(Path(str(own)))
    lines = [line.split("\t") for line in noted(folder / _ASKED)] if folder is not None else []
    this = place if is_shared(place) else "."
    return {line[1] for line in lines if len(line) == 2 and line[0] == this}


def _agreed(ledger: Ledger) -> frozenset[str]:
    """The other ledgers of which it was agreed."""
    found = ledger.ask(_AGREED, {})
    return frozenset(str(found[0][0]).splitlines() if found else [])


def _unknown(ledger: Ledger, others: Iterable[Elsewhere]) -> list[Elsewhere]:
    """Those of which nothing was agreed, and of which this ledger is no copy. One with the same key
    need not be one: a user may have one key for all. Of directories, `refuse_behind` sees it.
    """
    agreed, mine = _agreed(ledger), ledger_id(ledger.key)
    return [
        one
        for one in others
        if one.ledger not in agreed
        and (one.ledger != mine or (is_shared(ledger.place) and not ledger.knows_run(one.run)))
    ]


def _last(ledger: Ledger, to: Destination) -> datetime | None:
    """The second in which the last run of an account began; None if nothing was ever sent to it."""
    number = ledger.destination(to.identity)
    if number is None or ledger.is_new(number):
        return None
    ((began,),) = ledger.ask(_LAST, {"destination": number})
    return datetime.fromisoformat(began).replace(microsecond=0)


def _senders(others: Iterable[Elsewhere], to: Destination, *, is_new: bool) -> Iterator[Sender]:
    """The ledgers with which rows were sent with the API key, or may have been."""
    for one in others:
        with suppress(LedgerError, UsageError):  # one that cannot be read may have any key
            try:
                ledger = one.store.if_there()
            except UsageError:  # the key of its hashes is not at hand
                used = has_used(one, to)
                # nobody is asked for a namesake whose ledger is in use already
                if used or (used is None and is_new and one.has_sent(to.identity)):
                    yield Sender(one.ledger, one.store.location_options, bool(used))
                continue
            if ledger is None:
                continue
            with ledger:
                key = hash_of(ledger, list(to.credentials().items()))
                account = ledger.accounts.sent_with(to.identity, to.base_url, to.account, key)
            if account is not None:
                same = fold(account) == fold(to.account)
                more = () if same else ("--account", account)
                yield Sender(one.ledger, (*one.store.location_options, *more))
