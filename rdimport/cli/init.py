"""`rdimport init`: propose a mapping from a file's headers and values."""

from __future__ import annotations

import argparse
import os
import shlex
from pathlib import Path

from rdimport.cli import arguments
from rdimport.cli.streams import complain, say
from rdimport.core.errors import ExitCode, SourceError, UsageError
from rdimport.proposal import SAMPLE_ROWS, propose
from rdimport.source import open_tables


def execute(told: argparse.Namespace) -> int:
    """Propose a mapping; a file that is there is never written over."""
    table = open_tables(told.files, arguments.hints(told))[0]
    sample = next(table.batches(SAMPLE_ROWS), None)
    if sample is None:
        raise SourceError(f"{table.name} has no rows to judge its columns by.")
    hints = {"member": told.member, "sheet": told.sheet, "header_row": told.header_row}
    found = propose(table.columns, sample, table.name, hints)
    if told.output is None:
        say([found.text.rstrip()])
    else:
        _write(told.output, found.text)
        complain(
            f"wrote {told.output}. Read it, correct it, then type:\n"
            f"  rdimport check {shlex.join(told.files)} -m {shlex.quote(str(told.output))}"
        )
    if found.missing:
        complain(f"{found.missing}\nName the column yourself: RD needs an e-mail for each row.")
        return ExitCode.FAILED_ROWS
    return ExitCode.DONE


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
