"""`rdimport sandbox`: a local RD Station Marketing to send to."""

from __future__ import annotations

import argparse

from rdimport import sandbox
from rdimport.cli.streams import say_openly
from rdimport.core.errors import ExitCode
from rdimport.sandbox.arguments import options_from


def execute(told: argparse.Namespace) -> int:
    """Serve until somebody stops it."""
    sandbox.serve(options_from(told), say_openly)
    return ExitCode.DONE
