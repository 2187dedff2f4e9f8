"""`rdimport schema`: print the JSON schema of mapping files."""

from __future__ import annotations

import argparse

from rdimport.cli.streams import say_json
from rdimport.core.errors import ExitCode
from rdimport.mapping import Mapping


def execute(_: argparse.Namespace) -> int:
    """Print it."""
    say_json(Mapping.schema(), indent=2)
    return ExitCode.DONE
