"""Time as an argument: code that waits or dates takes a clock and never asks the system."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What time-dependent code needs."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never goes back."""

    def now(self) -> datetime:
        """The date and time in UTC."""

    async def sleep(self, seconds: float) -> None:
        """Sleep for `seconds`."""


class SystemClock:
    """The machine's own clock."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never goes back."""
        return time.monotonic()

    def now(self) -> datetime:
        """The date and time in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Sleep for `seconds`."""
        await asyncio.sleep(seconds)


def today(clock: Clock) -> str:
    """The day where this machine stands, as 2026-12-31."""
    return clock.now().astimezone().date().isoformat()
