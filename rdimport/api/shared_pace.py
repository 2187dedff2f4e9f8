"""The pace of a run that shares its quota with other runs, of this machine or of others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from rdimport.core.clock import Clock
from rdimport.core.quota import Quota
from rdimport.core.stop import StopReason
from rdimport.delivery.pacing.leased import LeasedPacer
from rdimport.delivery.pacing.pacer import RateLimiter
from rdimport.delivery.pacing.shared import shared
from rdimport.delivery.stopping import StopRequest
from rdimport.destination import Destination
from rdimport.destination.address import endpoint
from rdimport.ledger import HeldQuota, Store, wait_for


async def shared_pace(
    quota: Quota,
    to: Destination,
    store: Store,
    clock: Clock,
    stop_request: StopRequest,
    *,
    place: Path,
    wait: float,
    tell: Callable[[str], None],
) -> AbstractContextManager[RateLimiter]:
    """The pacer of a run. With a ledger in a database, the run holds the quota of its key
    exclusively, and LedgerBusyError is raised after `wait` seconds. With one in a state directory,
    runs of this machine share a file at `place`; `tell` is called with the reason if they cannot.
    """
    name = json.dumps([endpoint(to.base_url), sorted(to.credentials().items())])
    hold = store.hold_of_quota(name, to.account, to.identity)
    if hold is None:
        return shared(quota, to, place, clock.monotonic(), tell)
    held = await wait_for(hold, clock, wait, stop_request.is_set)
    loop = asyncio.get_running_loop()

    def lost() -> None:
        with suppress(RuntimeError):  # the run has ended
            loop.call_soon_threadsafe(stop_request.stop, StopReason.LEASE)

    return _leased(quota, held, clock, lost)


@contextmanager
def _leased(
    quota: Quota,
    holding: AbstractContextManager[HeldQuota],
    clock: Clock,
    lost: Callable[[], object],
) -> Iterator[RateLimiter]:
    with holding as held:
        yield LeasedPacer(quota, held, clock.monotonic, lost)
