"""What one process holds exclusively: an account, or the quota of a key; and waiting for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Final, NamedTuple, Protocol, TypeVar

from rdimport.core.clock import Clock
from rdimport.core.errors import LedgerBusyError

_T = TypeVar("_T")

_POLL_INTERVAL: Final = 0.5
"""Seconds between two attempts to hold what another run has."""


class Held(Protocol):
    """An account held exclusively by this process."""

    def is_held(self) -> bool:
        """Whether it is still held."""


class LeftPace(NamedTuple):
    """The pace stored by the previous holder of a quota, how many seconds ago, and how many seconds
    ago it claimed its last row (None: not known).
    """

    kept: bytes
    ago: float
    claimed: float | None


class HeldQuota(Held, Protocol):
    """The quota of a key, held exclusively among the machines that share a ledger."""

    @property
    def left(self) -> LeftPace | None:
        """The pace stored by the previous holder."""

    def keep(self, standing: Callable[[], bytes], lost: Callable[[], object]) -> None:
        """Store what `standing` returns for the next holder, from now on until the end.

        Both functions are called from another thread; `lost` once another process has the quota.
        """

    def keep_now(self) -> None:
        """Store it soon, without waiting."""


HoldQuota = Callable[[], AbstractContextManager[HeldQuota]]


async def wait_for(
    hold: Callable[[], Awaitable[_T]],
    clock: Clock,
    seconds: float,
    given_up: Callable[[], bool],
) -> _T:
    """Hold an account, or a quota, as soon as its holder releases it.

    Raises LedgerBusyError after the given time, or when waiting was `given_up`.
    """
    end = clock.monotonic() + seconds
    while True:
        try:
            return await hold()
        except LedgerBusyError:
            if given_up() or clock.monotonic() >= end:
                raise
        await clock.sleep(_POLL_INTERVAL)
