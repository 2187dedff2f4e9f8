"""Refuses to work in a process that was forked from one in which polars was at work: none of its
threads are there, and it would wait for them forever.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import Final

from rdimport.core.errors import UsageError
from rdimport.core.messages import _
from rdimport.core.within import within

_PATIENCE: Final = 20.0
"""Seconds for what takes a millisecond."""

_TRIED: Final[set[int]] = set()
"""The processes, by number, in which polars is known to work."""


def refuse_fork_without_threads() -> None:
    """Raise UsageError where polars was loaded before this process began, and does not work."""
    process = os.getpid()
    if process in _TRIED or "polars" not in sys.modules:
        return
    import polars as pl  # noqa: PLC0415  it is loaded

    try:
        within(_PATIENCE, partial(pl.read_csv, b"a\n1\n"))
    except TimeoutError:
        raise UsageError(
            _(
                "This process was forked from one that had used polars, whose threads a fork does "
                "not have: no list can be read in it."
            ),
            _(
                "Start processes anew, as with multiprocessing.get_context('spawn'), or use "
                "threads: rdimport.run can be called in several at a time."
            ),
        ) from None
    _TRIED.add(process)
