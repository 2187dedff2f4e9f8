"""The pace of a run that shares its quota with other runs, of this machine or of others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

from rdimport.api.in_thread import entered
from rdimport.core.clock import Clock
from rdimport.core.quota import Quota
from rdimport.core.stop import StopReason
from rdimport.delivery.pacing.pacer import RateLimiter
from rdimport.delivery.pacing.shared import shared
from rdimport.delivery.stopping import StopRequest
from rdimport.destination import Destination
from rdimport.destination.address import endpoint
from rdimport.ledger import Store, wait_for


async def shared_pace(
    stack: ExitStack,
    quota: Quota,
    to: Destination,
    store: Store,
    clock: Clock,
    *,
    stop_request: StopRequest,
    place: Path,
    wait: float,
    tell: Callable[[str], None],
) -> RateLimiter:
    """The pacer of a run, until `stack` is closed. With a ledger in a database, the run holds the
    quota of its key exclusively, and LedgerBusyError is raised after `wait` seconds. With one in a
    state directory, runs of this machine share a file at `place`; `tell` is called with the reason
    if they cannot.
    """
    name = json.dumps([endpoint(to.base_url), sorted(to.credentials().items())])
    hold = store.hold_of_quota(name, to.account, to.identity)
    if hold is None:
        return stack.enter_context(shared(quota, to, place, clock.monotonic(), tell))
    entering = partial(entered, stack, hold, stop_request)
    from rdimport.delivery.pacing.leased import LeasedPacer  # noqa: PLC0415  few ledgers are shared

    held = await wait_for(entering, clock, wait, stop_request.is_set)
    loop = asyncio.get_running_loop()

    def lost() -> None:
        with suppress(RuntimeError):  # the run has ended
            loop.call_soon_threadsafe(stop_request.stop, StopReason.LEASE)

    return LeasedPacer(quota, held, clock.monotonic, lost)
