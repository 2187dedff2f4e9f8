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
    hold: Callable[[], AbstractContextManager[T]],
    clock: Clock,
    seconds: float,
    given_up: Callable[[], bool],
) -> AbstractContextManager[T]:
    """Hold an account, or a quota, as soon as its holder releases it.

    Raises LedgerBusyError after the given time, or when waiting was `given_up`.
    """
    end = clock.monotonic() + seconds
    while True:
        with ExitStack() as stack:
            try:
                held = stack.enter_context(hold())
            except LedgerBusyError:
                if given_up() or clock.monotonic() >= end:
                    raise
            else:
                return _Holding(held, stack.pop_all())
        await clock.sleep(_POLL_INTERVAL)


class _Holding(AbstractContextManager[T]):
    def __init__(self, held: T, stack: ExitStack) -> None:
        self._held, self._stack = held, stack

    def __enter__(self) -> T:
        return self._held

    def __exit__(self, *_: object) -> None:
        self._stack.close()
