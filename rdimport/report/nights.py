"""The last nights of each account: how its jobs ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

from rdimport.core.errors import ExitCode
from rdimport.core.names import fold
from rdimport.core.stop import AS_ASKED
from rdimport.ledger import Latest, Ledger

NIGHTS: Final = 30

_HALF_A_DAY: Final = timedelta(hours=12)


class Night(NamedTuple):
    """The jobs of an account in the night before the morning of `day`, by how they ended. `rows`:
    jobs with rows that need attention.
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
    """The nights of each account, by its folded name, oldest first; the last one contains `now`.

    Active runs (`at_work`) are not counted; `wanted` selects accounts and jobs.
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
    """The day on whose morning a night ends; a night lasts from noon to noon, local time."""
    return (moment.astimezone().replace(tzinfo=None) + _HALF_A_DAY).date()


_KINDS: Final = {ExitCode.DONE: 0, ExitCode.FAILED_ROWS: 1}


def _kind(ended: Latest) -> int:
    """0 worked, 1 rows need attention, 2 failed: stopped, killed, or never got the ledger."""
    if ended.stopped_because in AS_ASKED:
        return 1
    return 2 if ended.exit_code is None else _KINDS.get(ExitCode(ended.exit_code), 2)
