"""Waits for an account that another run holds."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Final, TypeVar

from rdimport.core.clock import Clock
from rdimport.core.errors import LedgerBusyError

T = TypeVar("T")

_POLL_INTERVAL: Final = 0.5
"""Seconds between two attempts."""


async def wait_for(
    stack: ExitStack,
    hold: Callable[[], AbstractContextManager[T]],
    clock: Clock,
    seconds: float,
    given_up: Callable[[], bool],
) -> T:
    """Hold an account, or a quota, until `stack` is closed, as soon as its holder releases it.

    Raises LedgerBusyError after the given time, or when waiting was `given_up`.
    """
    end = clock.monotonic() + seconds
    while True:
        try:
            return stack.enter_context(hold())
        except LedgerBusyError:
            if given_up() or clock.monotonic() >= end:
                raise
        await clock.sleep(_POLL_INTERVAL)
