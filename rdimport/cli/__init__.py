"""The command line: parses arguments, calls the API once, prints the result, returns an exit code.

Each command is a module of its name, imported only when it is used, so that `--help` and errors are
immediate.
"""

from __future__ import annotations

import atexit
import faulthandler
import gc
import os
import re
import sys
import warnings
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from importlib import import_module
from pathlib import Path
from typing import Final

from rdimport.cli import keys
from rdimport.cli.arguments import Command, StateArguments, read
from rdimport.cli.grammar import is_file, translated
from rdimport.cli.interrupts import interruptible
from rdimport.cli.options import language_here, language_in, parser
from rdimport.cli.streams import flush_output, print_error, say, speaking
from rdimport.core import messages
from rdimport.core.arguments import see_utf8
from rdimport.core.bugs import stack
from rdimport.core.errors import ExitCode, RdimportError, UsageError, is_unexpected
from rdimport.core.installation import (
    installation_explained,
    refuse_few_files,
    refuse_unfit_processor,
)
from rdimport.core.masking import HIDDEN, Mask, may_be_key
from rdimport.core.messages import _

_POOL: Final = "narenas:1,dirty_decay_ms:1000,muzzy_decay_ms:0"
"""Settings of polars' allocator (jemalloc, where it is used): one arena, memory given back after a
second.

Batches of the same size follow each other; an arena for each thread only kept what is free.
"""


_NEW_OBJECTS: Final = 200_000
"""Objects after which Python collects garbage. The default of 700 means hundreds of collections
while modules are loaded, none of which finds anything: a seventh of the start-up time.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (see `errors.ExitCode`)."""
    if arguments is not None:
        return _spoken(list(arguments))
    atexit.register(gc.freeze)  # only this process: at its end, no garbage is collected
    os.umask(os.umask(0o077) | 0o022)  # else a service makes folders that all may write
    with suppress(OSError, RuntimeError, ValueError, AttributeError):  # no standard error
        faulthandler.enable()  # a library that crashes the process is named
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # those of libraries are for programmers
    with interruptible():
        return _spoken(sys.argv[1:])


def _spoken(words: list[str]) -> int:
    gc.set_threshold(_NEW_OBJECTS, *gc.get_threshold()[1:])
    try:
        named, here = language_in(words), language_here()
        with (
            keys.withheld(),
            speaking(keys.MASK),
            messages.program_speaking(named, here),
            translated(named or here),
        ):
            _complete()
            return _main(words)
    except KeyboardInterrupt:  # before or after the command itself
        return _interrupted()


def _complete() -> None:
    """Complete a word for the shell that asks for it, and exit; does nothing otherwise."""
    if "_ARGCOMPLETE" in os.environ:
        from argcomplete import autocomplete  # noqa: PLC0415  only a shell that completes needs it

        autocomplete(parser(whole=True))


def _main(words: Sequence[str]) -> int:
    os.environ.setdefault("_RJEM_MALLOC_CONF", _POOL)
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # no search of all packages
    refuse_unfit_processor()
    typed: object = None
    try:
        _refuse_unusable(words)
        command = _read(words)
        if command is None:
            say(parser().format_help().rstrip().split("\n"))
            return ExitCode.NOTHING_SENT
        typed = command.arguments
        with installation_explained():
            code: int = import_module(f"rdimport.cli.{command.name}").execute(typed)
        flush_output()
    except RdimportError as error:
        print_error(_without_typed_keys(str(error), words))
        return int(error.exit_code)
    except KeyboardInterrupt:
        return _interrupted()
    except BaseException as error:  # a bug: show its traceback
        if not is_unexpected(error):
            raise
        if not isinstance(error, ImportError) and (damage := _damage(typed)):
            print_error(str(damage))
            return int(damage.exit_code)
        with suppress(OSError):
            sys.stderr.write(_without_typed_keys(stack(keys.MASK), words))
        print_error(
            _("this is a bug in rdimport. The ledger is correct: the same command continues.")
        )
        return ExitCode.BUG
    return int(code)


def _read(words: Sequence[str]) -> Command | None:
    try:
        return read(words)
    except SystemExit as left:  # like argparse; for monitoring, 2 means a failed job
        if left.code == ExitCode.NOTHING_SENT and words[:1] == ["status"] and "--check" in words:
            raise SystemExit(3) from None
        raise


def _refuse_unusable(words: Sequence[str]) -> None:
    """Raise for conditions under which no command can work."""
    see_utf8(words)
    refuse_few_files()
    try:
        Path.cwd()
    except OSError:
        raise UsageError(
            _("The current folder no longer exists."), _("Go to another one: cd")
        ) from None


def _interrupted() -> ExitCode:
    print_error(
        _("Interrupted. The same command continues where it stopped: no row is sent twice.")
    )
    return ExitCode.STOPPED


def _without_typed_keys(text: str, words: Sequence[str]) -> str:
    """The error without arguments that may be keys typed in the wrong place."""
    typed = [part for word in words if not is_file(word) for part in re.split(r"[=\s?&]", word)]
    shown = Mask(filter(may_be_key, typed))(text)
    if shown == text:
        return text
    note = _("({hidden} stands for what may be a key.)", hidden=HIDDEN)
    return f"{shown}\n{note}"


def _damage(typed: object) -> RdimportError | None:
    """The error of a damaged ledger: its unexpected contents can look like a bug."""
    from rdimport.cli import resolve  # noqa: PLC0415
    from rdimport.ledger import damage_in  # noqa: PLC0415

    if not isinstance(typed, StateArguments):
        return None
    try:
        with resolve.store(typed).if_there() or nullcontext() as ledger:
            return damage_in(ledger) if ledger else None
    except RdimportError as error:
        return error
    except Exception:  # noqa: BLE001  the first error is the one to report
        return None
