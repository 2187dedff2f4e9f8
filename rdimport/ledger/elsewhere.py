"""Other ledgers with which this user has sent rows to the same RD Station account: a ledger that is
new to it does not know whom, and would send them again.

They are known from what the user's own folders record of all state directories.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from itertools import chain
from typing import Final

from rdimport.core.errors import LedgerError, LedgerLostError, UsageError
from rdimport.core.messages import _
from rdimport.core.names import fold
from rdimport.destination import Destination
from rdimport.ledger import twins
from rdimport.ledger.accounts import hash_of
from rdimport.ledger.hashes import ledger_id
from rdimport.ledger.key_marks import has_used
from rdimport.ledger.one_ledger import shared_elsewhere
from rdimport.ledger.opening import is_shared
from rdimport.ledger.port import Elsewhere, Ledger, Store

_AGREED: Final = "SELECT value FROM rdimport.setting WHERE name = 'others'"
_AGREE: Final = """
INSERT INTO rdimport.setting (name, value) VALUES ('others', %(others)s)
ON CONFLICT (name) DO UPDATE SET value = excluded.value
"""
_LAST: Final = """
SELECT started_at FROM rdimport.run WHERE destination = %(destination)s ORDER BY id DESC LIMIT 1
"""


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
    databases = ((True, ("--ledger", address)) for address in sorted(shared) if last is None)
    found = next(chain(senders, databases), None)
    directory = () if store == own else own.location_options  # `accept` asks about all others
    this = (*store.location_options, *directory)
    if found is not None:
        sure, options = found
        raise LedgerLostError(_sent(options[1], store, sure=sure), twins.remedy(options, this))


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


def unknown_elsewhere(ledger: Ledger, own: Store) -> list[str]:
    """The other ledgers of which nothing was agreed."""
    others = {str(one.store) for one in _unknown(ledger, own.elsewhere())}
    shared = {one.address for one in shared_elsewhere(own)}
    return sorted(others | shared - {ledger.place, *_agreed(ledger)})


def has_others(own: Store) -> bool:
    """Whether rows were sent with other ledgers."""
    return bool(own.elsewhere() or shared_elsewhere(own))


def agree(ledger: Ledger, own: Store) -> None:
    """Record that whoever the other ledgers know may be sent again with this one."""
    shared = {one.address for one in shared_elsewhere(own)}
    names = _agreed(ledger) | shared | {one.ledger for one in own.elsewhere()}
    with ledger.writing() as ask:
        ask(_AGREE, {"others": "\n".join(sorted(names))})


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


def _senders(
    others: Iterable[Elsewhere], to: Destination, *, is_new: bool
) -> Iterator[tuple[bool, tuple[str, ...]]]:
    """The options of those ledgers with which rows were sent with the API key, or may have been,
    and whether they were.
    """
    for one in others:
        with suppress(LedgerError, UsageError):  # one that cannot be read may have any key
            try:
                ledger = one.store.if_there()
            except UsageError:  # the key of its hashes is not at hand
                used = has_used(one, to)
                # nobody is asked for a namesake whose ledger is in use already
                if used or (used is None and is_new and one.has_sent(to.identity)):
                    yield bool(used), one.store.location_options
                continue
            if ledger is None:
                continue
            with ledger:
                key = hash_of(ledger, list(to.credentials().items()))
                account = ledger.accounts.sent_with(to.identity, to.base_url, to.account, key)
            if account is not None:
                same = fold(account) == fold(to.account)
                yield True, (*one.store.location_options, *(() if same else ("--account", account)))
