"""The pace of a run whose quota belongs to one machine at a time. It is stored in the ledger with
the lease, so that the next holder continues at the same pace, in the same window.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import fields
from hashlib import blake2b
from operator import attrgetter
from typing import Final

from rdimport.core.quota import Quota
from rdimport.delivery.pacing.pacer import EvenPacer, QuotaState
from rdimport.ledger import HeldQuota, LeftPace

_WORTH_KEEPING: Final = 1.0
"""Seconds of a pause from which it is stored at once for the next holder."""

_TIMES: Final = frozenset({"next", "held_until", "ends", "since", "last", "turn"})
_NAMES: Final = tuple(field.name for field in fields(QuotaState))
_VALUES: Final = attrgetter(*_NAMES)
_FORM: Final = struct.Struct(f"<8s{len(_NAMES)}d")
_KIND: Final = blake2b(" ".join(_NAMES).encode(), digest_size=8).digest()
"""Distinguishes states stored by releases with other fields."""


class LeasedPacer(EvenPacer):
    """An `EvenPacer` that continues where the previous holder of the quota stopped."""

    def __init__(
        self, quota: Quota, held: HeldQuota, clock: Callable[[], float], lost: Callable[[], object]
    ) -> None:
        super().__init__(quota)
        self._held = held
        if held.left is not None:
            self._continue(quota, held.left, clock())
        held.keep(lambda: _packed(self.state, clock()), lost)

    def hold(self, now: float, seconds: float) -> None:
        """Pause for `seconds`; the pause also binds the next holder."""
        super().hold(now, seconds)
        if seconds >= _WORTH_KEEPING:
            self._held.keep_now()

    def _continue(self, quota: Quota, left: LeftPace, now: float) -> None:
        """Continue a stored pace, `left`. Unknown use counts as used; of an old pace, only the next
        slot counts.
        """
        state = _unpacked(left.kept, now - left.ago)
        if left.ago > 2 * quota.seconds:
            ends = state.held_until if state else now
            self.state = QuotaState(held_until=min(ends, now + quota.seconds))
        elif state is None:
            super().hold(now, quota.seconds)
        else:
            self.state = state
            state.held_until = min(state.held_until, now + quota.seconds)
            if left.claimed is not None:  # no request was sent after the last claim
                state.next = max(state.next, now - left.claimed + self.interval)
            elif state.next <= now:  # a past slot may have been used since
                state.next = now + self.interval
            state.next = min(state.next, now + quota.seconds)


def _packed(state: QuotaState, now: float) -> bytes:
    """The state as bytes, with times relative to now."""
    values = zip(_NAMES, _VALUES(state), strict=True)
    return _FORM.pack(_KIND, *(value - now if name in _TIMES else value for name, value in values))


def _unpacked(kept: bytes, then: float) -> QuotaState | None:
    """The stored state; None if another release stored it."""
    if len(kept) != _FORM.size or not kept.startswith(_KIND):
        return None
    values = zip(_NAMES, _FORM.unpack(kept)[1:], strict=True)
    return QuotaState(**{name: then + v if name in _TIMES else v for name, v in values})
