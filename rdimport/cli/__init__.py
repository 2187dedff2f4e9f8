"""Words in, one call of the API, words out and an exit code; it decides nothing.

Each command is the module of its name, imported when it is the one that was typed, so that
`--help` and mistakes answer at once.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Final

from rdimport.cli.options import parser
from rdimport.cli.streams import all_said, complain, speaking
from rdimport.core.errors import ExitCode, RdimportError

_POOL: Final = "narenas:1,dirty_decay_ms:1000,muzzy_decay_ms:0"
"""How polars' allocator (jemalloc, where it is) holds memory: one pool, given back after a second.

Batch after batch of the same size goes through; a pool for each thread only kept what is free.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code (see `errors.ExitCode`)."""
    with speaking():
        return _main(arguments)


def _main(arguments: Sequence[str] | None) -> int:
    os.environ.setdefault("_RJEM_MALLOC_CONF", _POOL)
    try:
        told = parser().parse_args(arguments)
        code: int = import_module(f"rdimport.cli.{told.command}").execute(told)
        all_said()
    except RdimportError as error:
        complain(str(error))
        return int(error.exit_code)
    except KeyboardInterrupt:
        complain("Interrupted. The same command goes on where it was: no row is sent twice.")
        return ExitCode.STOPPED
    except Exception:  # noqa: BLE001  a bug: its stack helps whoever mends it
        with suppress(OSError):
            traceback.print_exc()
        complain("this is a bug in rdimport. The ledger is right: the same command goes on.")
        return ExitCode.BUG
    return int(code)
