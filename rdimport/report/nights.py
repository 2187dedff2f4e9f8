"""The last nights of each account: how its jobs ended, night by night."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

from rdimport.core.errors import ExitCode
from rdimport.core.names import fold
from rdimport.ledger import Latest, Ledger

NIGHTS: Final = 30

_HALF_A_DAY: Final = timedelta(hours=12)


class Night(NamedTuple):
    """How many jobs of an account ended how, of those that began in the night that ends on the
    morning of that day. `rows`: some rows need a person.
    """

    ends: date
    worked: int = 0
    rows: int = 0
    failed: int = 0


def nights(
    ledgers: Sequence[Ledger],
    now: datetime,
    at_work: Iterable[str],
    wanted: Callable[[str, str], bool],
) -> dict[str, list[Night]]:
    """The nights of each account, by its folded name, the oldest first; the last is that of `now`.

    Runs `at_work` count as neither; `wanted` tells which accounts and jobs count.
    """
    days = [night(now) - timedelta(days=ago) for ago in reversed(range(NIGHTS))]
    running = frozenset(at_work)
    counts: dict[str, dict[date, list[int]]] = {}
    for ledger in ledgers:
        for day, ended in ledger.latest_by(night).items():
            for one in ended:
                if one.run in running or not wanted(one.account, one.job):
                    continue
                of_account = counts.setdefault(fold(one.account), {})
                of_account.setdefault(day, [0, 0, 0])[_kind(one)] += 1
    return {
        account: [Night(day, *by_day.get(day, ())) for day in days]
        for account, by_day in counts.items()
    }


def night(moment: datetime) -> date:
    """The day on whose morning a night ends: from noon to noon, by this machine's clock."""
    return (moment.astimezone().replace(tzinfo=None) + _HALF_A_DAY).date()


_KINDS: Final = {ExitCode.DONE: 0, ExitCode.FAILED_ROWS: 1}


def _kind(ended: Latest) -> int:
    """0 worked, 1 rows need a person, 2 failed: stopped, killed, in another's way to the end."""
    return 2 if ended.exit_code is None else _KINDS.get(ExitCode(ended.exit_code), 2)
