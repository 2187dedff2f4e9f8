"""The first run of an RD Station account with a ledger. Two at once, with two ledgers, would both
send everybody: neither is known yet to have sent rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from rdimport.core.errors import LedgerBusyError
from rdimport.core.messages import _
from rdimport.destination import Destination
from rdimport.ledger.accounts import KeyClaim, hash_of
from rdimport.ledger.elsewhere import refuse_elsewhere
from rdimport.ledger.key_marks import mark_of
from rdimport.ledger.port import Ledger, Store
from rdimport.ledger.sqlite.account_locks import folder_of_locks, lock_of

_FOLDER: Final = "first-runs"
"""The folder of the locks, which nobody else may list: a short key can be guessed from its hash."""


@contextmanager
def alone_if_first(ledger: Ledger, store: Store, own: Store, to: Destination) -> Iterator[None]:
    """Hold the API key among all ledgers of this user, if nothing was sent to its account with this
    one. Raises LedgerBusyError.
    """
    number = ledger.destination(to.identity)
    with ExitStack() as held:
        if number is None or ledger.is_new(number):
            _hold(held, ledger, store, own, to)
        yield


def _hold(held: ExitStack, ledger: Ledger, store: Store, own: Store, to: Destination) -> None:
    from filelock import Timeout  # noqa: PLC0415  asyncio comes with it

    folder = folder_of_locks(Path(str(own)))
    if folder is None:
        return
    try:
        locks = folder.parent / _FOLDER
        locks.mkdir(mode=0o700, parents=True, exist_ok=True)
        held.enter_context(lock_of(locks / f"{mark_of(to)}.lock", 0))
    except Timeout:
        refuse_elsewhere(ledger, store, own, to)  # the other run may have sent rows already
        claim = KeyClaim(hash_of(ledger, list(to.credentials().items())), store.is_held)
        ledger.accounts.see_claim(to.identity, to.base_url, to.account, claim)
        ledger.rest()
        raise _busy(store) from None
    except (OSError, NotImplementedError):  # the home directory is read-only or missing
        return


def _busy(store: Store) -> LedgerBusyError:
    return LedgerBusyError(
        _(
            "The first run of this RD Station account is in progress, with another ledger or as "
            "another account. {place} does not know whom it sends, and they would be sent twice.",
            place=store,
        ),
        _("Nothing was sent. Wait for it, or try again later: exit code 75 tells cron so."),
    )
