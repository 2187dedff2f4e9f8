"""What a shared ledger stores about its workers and accounts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

_SILENT: Final = 20
"""Seconds without a sign of life after which a worker counts as dead."""


class WorkerState(NamedTuple):
    """The last state that a worker stored. `jobs` are the ones it runs, `seconds` is the time since
    then.
    """

    name: str
    slots: int
    since: datetime
    seconds: float
    jobs: Sequence[str]
    drains: bool
    gone: bool

    @property
    def is_silent(self) -> bool:
        """Whether the worker counts as dead."""
        return self.gone or self.seconds > _SILENT


class Pause(NamedTuple):
    """A paused account: since when, and why."""

    account: str
    since: datetime
    why: str
