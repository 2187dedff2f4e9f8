"""Commands as they are pasted into a shell."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rdimport.core.address import is_address, masked

STDIN: Final = "-"


def joined(words: Sequence[str]) -> str:
    """The command of these words: each is one word to the shell of this system."""
    if os.name == "nt":
        from subprocess import list2cmdline  # noqa: PLC0415  costs its import

        return list2cmdline(words)
    return shlex.join(words)


def with_key(key: str, words: Sequence[str]) -> str:
    """The same command with a sandbox key, given as an environment variable."""
    if os.name == "nt":  # as PowerShell has it
        return f'$env:RDIMPORT_API_KEY="{key}"; {joined(words)}'
    return f"RDIMPORT_API_KEY={shlex.quote(key)} {joined(words)}"


def whole(name: str, base: str = "") -> str:
    """A file by its whole path, named in the folder `base` (this one): the reader may be in any
    other. Standard input is as it is, and so is an address but for its credentials.
    """
    if name == STDIN or is_address(name):
        return masked(name)
    path = Path(name).expanduser() if name.startswith("~/") else Path(name)
    return str(Path(base, path).absolute())
