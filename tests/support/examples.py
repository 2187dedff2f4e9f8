"""How many examples a property is tested with."""

from __future__ import annotations

import os
from typing import Final

from hypothesis import HealthCheck, settings

_USUAL: Final = 50
_THOROUGH: Final = 300


def register() -> None:
    """Register the profiles: the suite's own, and `thorough` (`make proof`) with six times as many.

    No test's result depends on how busy the machine is; in CI the examples are the same each time.
    """
    for name, examples in (("thorough", _THOROUGH), ("usual", _USUAL)):
        settings.register_profile(
            name,
            max_examples=examples,
            deadline=None,
            derandomize=bool(os.environ.get("CI")) and name == "usual",
            suppress_health_check=[HealthCheck.too_slow],
        )
    settings.load_profile("usual")


def costly(thorough: int) -> int:
    """How many examples to run where each is slow; `thorough` is the number for that profile."""
    return max(1, thorough * settings().max_examples // _THOROUGH)
