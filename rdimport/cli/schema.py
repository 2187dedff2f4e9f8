"""`rdimport schema`: print the JSON schema of mapping files."""

from __future__ import annotations

from rdimport.cli.arguments import SchemaArguments
from rdimport.cli.streams import say_json
from rdimport.core.errors import ExitCode
from rdimport.mapping import Mapping


def execute(_: SchemaArguments) -> int:
    """Print it."""
    say_json(Mapping.schema(), indent=2)
    return ExitCode.DONE
