"""Detects whether a file has changed since it was read."""

from __future__ import annotations

import hashlib

from rdimport.core.looking import is_file
from rdimport.core.shell import at_home


def fingerprint(name: str) -> str:
    """A hash of a file's bytes; empty for anything but a regular file."""
    path = at_home(name)
    try:
        if not is_file(path):
            return ""
        with path.open("rb") as file:
            return hashlib.file_digest(file, hashlib.blake2b).hexdigest()
    except OSError:
        return ""
