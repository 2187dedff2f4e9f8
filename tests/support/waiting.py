"""Waiting for something to become true, instead of for a time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Final

PATIENCE: Final = 120 * float(os.environ.get("TEST_PATIENCE", "1"))
"""Seconds within which anything that a test waits for has to happen. It only says how late a test
that fails does so: `TEST_PATIENCE=5 make test` multiplies it for a very slow machine."""


def until(true: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Return as soon as `true()` is; fail when that takes too long. A question that costs much is
    asked less often, so that who is waited for gets most of the time.
    """
    asked = time.monotonic()
    end = asked + seconds
    while not true():
        answered = time.monotonic()
        assert answered < end, "it never came true"
        time.sleep(min(max(0.005, 4 * (answered - asked)), 0.3))
        asked = time.monotonic()
