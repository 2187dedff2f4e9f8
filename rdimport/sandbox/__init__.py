"""A local RD Station Marketing, as strict as RD's documentation, with a page that shows what
arrives.

The server behind it (uvicorn, starlette) is only imported when one starts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rdimport.sandbox.faults import Faults
from rdimport.sandbox.options import SandboxOptions

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from rdimport.sandbox.embedded import RunningSandbox

__all__ = ["Faults", "SandboxOptions", "running", "serve"]


def serve(options: SandboxOptions, greet: Callable[[str], None] | None = None) -> None:
    """Serve until Ctrl+C; see `server.serve`."""
    from rdimport.sandbox import server  # noqa: PLC0415  only the server needs it

    server.serve(options, greet)


def running(options: SandboxOptions | None = None) -> AbstractContextManager[RunningSandbox]:
    """Start a sandbox as a child process and stop it at the end; see `embedded.running`."""
    from rdimport.sandbox import embedded  # noqa: PLC0415  only starting one needs it

    return embedded.running(options)
