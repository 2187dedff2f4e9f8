"""The clock as a parameter: code that waits or dates takes one, so tests supply their own."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """The clock that time-dependent code needs."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never goes back."""

    def now(self) -> datetime:
        """The current date and time in UTC."""

    async def sleep(self, seconds: float) -> None:
        """Sleep for `seconds`."""


class SystemClock:
    """The system's clock."""

    monotonic = staticmethod(time.monotonic)

    def now(self) -> datetime:
        """The current date and time in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Sleep for `seconds`."""
        import asyncio  # noqa: PLC0415  a check does not wait

        await asyncio.sleep(seconds)


def today(clock: Clock) -> str:
    """Today's date in this machine's time zone, as 2026-12-31."""
    return clock.now().astimezone().date().isoformat()
