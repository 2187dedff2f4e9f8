"""Where the API key comes from; it goes to the destination and nowhere else."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from rdimport.errors import UsageError

VARIABLE: Final = "RDIMPORT_API_KEY"


def find(file: Path | None, environment: Mapping[str, str]) -> str | None:
    """The key from the file, else from the environment, else None.

    Raises UsageError for a file that cannot be read, or that others than its owner can read.
    """
    if file is None:
        return environment.get(VARIABLE, "").strip() or None
    try:
        with file.open(encoding="utf-8") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise UsageError(
                    f"Others on this machine can read the key in {file}.",
                    f"Type: chmod 600 {file}",
                )
            return opened.read(10_000).strip() or None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The key file {file} cannot be read: {error}.") from None
