"""`rdimport schema`: print the JSON schema of mapping files, or of `rdimport.toml`."""

from __future__ import annotations

from rdimport.cli.arguments import SchemaArguments
from rdimport.cli.streams import say_json
from rdimport.config import Settings
from rdimport.core.errors import ExitCode
from rdimport.mapping import Mapping


def execute(args: SchemaArguments) -> int:
    """Print it."""
    schema = Mapping.schema() if args.what == "mapping" else Settings.model_json_schema()
    say_json(schema, indent=2)
    return ExitCode.DONE
