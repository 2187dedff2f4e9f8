"""`rdimport init`: propose a mapping from a file's headers and values."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from rdimport import api
from rdimport.cli import resolve
from rdimport.cli.arguments import InitArguments
from rdimport.cli.streams import print_error, say
from rdimport.core.errors import ExitCode, UsageError
from rdimport.core.messages import _
from rdimport.core.shell import joined, whole


def execute(args: InitArguments) -> int:
    """Propose a mapping; a file that is there is never written over."""
    found = api.propose(
        args.files[0], hints=resolve.hints(args), command=_look(args), lang=args.lang
    )
    if args.output is None:
        say(found.text.rstrip().split("\n"))
    else:
        _write(args.output, found.text)
        print_error(
            _(
                "wrote {output}. Read it, correct it, then type:\n  {look}",
                output=args.output,
                look=_look(args, near=sys.stderr.isatty()),
            )
        )
    if found.missing:
        print_error(
            _(
                "{missing}\nName the column yourself: RD needs an e-mail for each row.",
                missing=found.missing,
            )
        )
        return ExitCode.FAILED_ROWS
    return ExitCode.DONE


def _look(args: InitArguments, *, near: bool = False) -> str:
    """The command that shows what the mapping does; `near`: to who is in this folder."""
    mapping = str(args.output) if args.output else _("THIS-FILE")
    if args.output and not near:
        mapping = whole(mapping)
    files = args.files if near else [whole(name) for name in args.files]
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
            _("{path} is there already, and is not written over.", path=path),
            _("Name another file with -o."),
        ) from None
    except OSError as error:
        raise UsageError(_("{path} cannot be written: {error}.", path=path, error=error)) from None
