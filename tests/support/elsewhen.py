"""A clock that is set wrongly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from rdimport.core.clock import SystemClock


class Elsewhen(SystemClock):
    """The system's clock, put `off` this much."""

    def __init__(self, off: timedelta) -> None:
        self.off = off

    def now(self) -> datetime:
        return datetime.now(UTC) + self.off
