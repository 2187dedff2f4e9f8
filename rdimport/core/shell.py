"""Quotes commands for pasting into a shell."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rdimport.core.address import is_address, masked

STDIN: Final = "-"


def joined(words: Sequence[str]) -> str:
    """The command line for these words, quoted for this system's shell."""
    if os.name == "nt":
        from subprocess import list2cmdline  # noqa: PLC0415  costs its import

        return list2cmdline(words)
    return shlex.join(words)


def with_key(key: str, words: Sequence[str]) -> str:
    """The same command with a sandbox key set as an environment variable."""
    if os.name == "nt":  # PowerShell syntax
        return f'$env:RDIMPORT_API_KEY="{key}"; {joined(words)}'
    return f"RDIMPORT_API_KEY={shlex.quote(key)} {joined(words)}"


def whole(name: str, base: str = "") -> str:
    """The absolute path of a file named relative to `base` (default: this folder), because the
    reader may be elsewhere. Standard input is unchanged, and so is an address, except for its
    credentials.
    """
    if name == STDIN or is_address(name):
        return masked(name)
    path = Path(name).expanduser() if name.startswith("~/") else Path(name)
    return str(Path(base, path).absolute())
