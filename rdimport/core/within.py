"""Limits the wait for a library that has no timeout of its own."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from threading import Thread
from typing import TypeVar

_T = TypeVar("_T")


def within(seconds: float, work: Callable[[], _T]) -> _T:
    """The result of `work`, or its exception. Raises TimeoutError if it takes longer; the work is
    then abandoned, in a thread that does not keep the process alive.
    """
    done: list[_T] = []
    failed: list[BaseException] = []

    def finish() -> None:
        try:
            done.append(work())
        except BaseException as error:  # noqa: BLE001  raised in the waiting thread
            failed.append(error)

    context = copy_context()  # such as the current language
    thread = Thread(target=lambda: context.run(finish), daemon=True)
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    if not done:
        raise TimeoutError
    return done[0]


def said_by(error: BaseException) -> str:
    """The message of a library's exception, in one line, after the name of its class."""
    message = " ".join(str(error).split())[:200].rstrip(" .!")
    name = type(error).__name__
    return f"{name}: {message}" if message else name
