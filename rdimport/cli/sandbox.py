"""`rdimport sandbox`: a local RD Station Marketing to send to."""

from __future__ import annotations

from rdimport import sandbox
from rdimport.cli.arguments import SandboxArguments
from rdimport.cli.streams import say_openly
from rdimport.core.errors import ExitCode


def execute(args: SandboxArguments) -> int:
    """Serve until stopped."""
    sandbox.serve(args.options, say_openly)
    return ExitCode.DONE
