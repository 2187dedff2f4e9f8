"""Blocking work beside the event loop, which may be the caller's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, suppress
from contextvars import copy_context
from typing import TypeVar

from rdimport.core.stop import StopReason
from rdimport.delivery.stopping import StopRequest

Result = TypeVar("Result")


async def in_thread(work: Callable[[], Result], stop_request: StopRequest) -> Result:
    """Run `work` in a thread that ends with it, as sending takes hours without it. On cancellation,
    however often, wait for it to finish, because it uses the list and the ledger.
    """
    loop, thread = asyncio.get_running_loop(), ThreadPoolExecutor(1, "step")
    working = loop.run_in_executor(thread, copy_context().run, work)
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        stop_request.stop(StopReason.SIGNAL)
        while not working.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([working])
        raise
    finally:
        thread.shutdown(wait=False)


async def entered(
    stack: ExitStack, make: Callable[[], AbstractContextManager[Result]], stop_request: StopRequest
) -> Result:
    """Make a context manager and enter it, until `stack` is closed."""
    return await in_thread(lambda: stack.enter_context(make()), stop_request)
