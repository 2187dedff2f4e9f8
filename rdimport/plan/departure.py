"""Confirmation before the first row of a real run is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from rdimport.core.errors import UsageError
from rdimport.core.messages import _
from rdimport.core.quota import Quota
from rdimport.core.shell import joined
from rdimport.destination import Destination
from rdimport.destination.address import is_loopback

if TYPE_CHECKING:
    from rdimport.ledger import Run


class Departure(NamedTuple):
    """The run to be confirmed. `seconds`: its duration at `quota`, None without a quota. `first`:
    the ledger has no rows of this account yet.
    """

    endpoint: str
    account: str
    rows: int
    quota: Quota | None
    seconds: float | None
    first: bool
    ledger: str


def go(_departure: Departure) -> bool:
    """Agree without asking."""
    return True


def set_out(
    run: Run, to: Destination, rows: int, quota: Quota | None, agreed: Callable[[Departure], bool]
) -> None:
    """Ask for confirmation before a run sends its first row. Raises UsageError if it is refused.

    A run against an endpoint on this machine needs no confirmation.
    """
    if is_loopback(urlsplit(to.base_url).hostname):
        return
    seconds = rows * quota.interval if quota else None
    first = run.ledger.is_new(run.destination)
    departure = Departure(to.base_url, to.account, rows, quota, seconds, first, run.ledger.place)
    if not agreed(departure):
        account = ""
        if to.account != "default":
            account = _(" for account {account}", account=joined([to.account]))
        raise UsageError(
            _("The first run{account} was not confirmed, so nothing was sent.", account=account),
            _("Type the same command again when it is right; --yes asks no questions."),
        )
