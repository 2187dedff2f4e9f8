"""Quotes commands for pasting into a shell, and reads `~` as one does."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from rdimport.core.address import is_address, masked
from rdimport.core.looking import exists

STDIN: Final = "-"
_PLAIN: Final = re.compile(r"[\w./\\:=*?~+-]+")
_EXPANDED: Final = frozenset('$`"“”„')
"""Characters that PowerShell does not take literally between quotation marks."""


def joined(words: Sequence[str]) -> str:
    """The command line for these words, quoted for this system's shell."""
    return for_powershell(words) if os.name == "nt" else shlex.join(words)


def for_powershell(words: Sequence[str]) -> str:
    """The same for PowerShell, which would end a word at `&`, `(`, `,` or `;`. The Command Prompt
    accepts it too, unless a word contains `$`, a backtick or a quotation mark.
    """
    return " ".join(_for_powershell(word) for word in words)


def called_by_powershell(words: Sequence[str]) -> str:
    """The same for a program named by its path: PowerShell only shows a quoted word without `&`."""
    line = for_powershell(words)
    return f"& {line}" if line[0] in "\"'" else line


def _for_powershell(word: str) -> str:
    if _PLAIN.fullmatch(word):
        return word
    if _EXPANDED.isdisjoint(word):
        return re.sub(r"(\\+)$", r"\1\1", word).join('""')  # \" would be a part of the word
    return "'" + re.sub("(['‘’‚‛])", r"\1\1", word) + "'"


def with_key(key: str, words: Sequence[str]) -> str:
    """The same command with a sandbox key set as an environment variable."""
    if os.name == "nt":  # PowerShell syntax
        return f'$env:RDIMPORT_API_KEY="{key}"; {joined(words)}'
    return f"RDIMPORT_API_KEY={shlex.quote(key)} {joined(words)}"


def installing(*words: str) -> str:
    """The command that installs packages for this Python: `pip` may belong to another."""
    place = Path(sys.prefix)
    if exists(place / "uv-receipt.toml"):
        return joined(["uv", "pip", "install", "--python", sys.executable, *words])
    if exists(place / "pipx_metadata.json"):
        return joined(["pipx", "runpip", "rdimport", "install", *words])
    command = [sys.executable, "-m", "pip", "install", *words]
    return called_by_powershell(command) if os.name == "nt" else joined(command)


def whole(name: str, base: str = "") -> str:
    """The absolute path of a file named relative to `base` (default: this folder), because the
    reader may be elsewhere. Standard input is unchanged, and so is an address, except for its
    credentials.
    """
    if name == STDIN or is_address(name):
        return masked(name)
    return str(Path(base, at_home(name)).absolute())


def at_home(name: str | Path) -> Path:
    """The path, with a leading `~/` replaced by the user's folder. `~leads.csv` is an ordinary
    name, unless it is that of a user.
    """
    path = Path(name)
    if os.name == "nt" and path.parts[:1] != ("~",):  # on Windows any name would count as a user's
        return path
    with suppress(RuntimeError):  # no such user
        return path.expanduser()
    return path
