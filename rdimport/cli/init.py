"""`rdimport init`: propose a mapping from a file's headers and values."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from rdimport import api
from rdimport.cli import arguments
from rdimport.cli.streams import print_error, say
from rdimport.core.errors import ExitCode, UsageError
from rdimport.core.shell import joined, whole


def execute(told: argparse.Namespace) -> int:
    """Propose a mapping; a file that is there is never written over."""
    found = api.propose(told.files[0], hints=arguments.hints(told), command=_look(told))
    if told.output is None:
        say([found.text.rstrip()])
    else:
        _write(told.output, found.text)
        print_error(
            f"wrote {told.output}. Read it, correct it, then type:\n"
            f"  {_look(told, near=sys.stderr.isatty())}"
        )
    if found.missing:
        print_error(f"{found.missing}\nName the column yourself: RD needs an e-mail for each row.")
        return ExitCode.FAILED_ROWS
    return ExitCode.DONE


def _look(told: argparse.Namespace, *, near: bool = False) -> str:
    """The command that shows what the mapping does; `near`: to who is in this folder."""
    mapping = str(told.output) if told.output else "THIS-FILE"
    if told.output and not near:
        mapping = whole(mapping)
    files = told.files if near else [whole(name) for name in told.files]
    return joined(["rdimport", "check", *files, "-m", mapping])


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _write(path: Path, text: str) -> None:
    try:
        # for its owner only: the reasons for a guess quote cells
        with open(path, "x", encoding="utf-8", opener=_private) as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(
            f"{path} is there already, and is not written over.", "Name another file with -o."
        ) from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error}.") from None
