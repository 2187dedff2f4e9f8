"""`rdimport ledger`: look whether it is whole, copy it, and decide what to do about a lost one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rdimport.cli import resolve
from rdimport.cli.arguments import (
    LedgerArguments,
    LedgerCheckArguments,
    LedgerCopyArguments,
    LedgerNewArguments,
)
from rdimport.cli.streams import ask, print_error, say
from rdimport.core.errors import ExitCode, LedgerBusyError, LedgerLostError, UsageError
from rdimport.core.messages import _, ngettext
from rdimport.ledger import Ledger
from rdimport.ledger.sqlite.files import (
    FILE_NAME,
    copy,
    ledger_of,
    put_aside,
    put_witnesses_aside,
)
from rdimport.ledger.sqlite.lock import nobody_at_work
from rdimport.ledger.sqlite.schema import damaged
from rdimport.ledger.sqlite.wholeness import Found, last_run, looked_through


def execute(args: LedgerArguments) -> int:
    """Do what the action says."""
    if isinstance(args, LedgerCopyArguments):
        return _copy(args.source, args.target)
    state_dir = resolve.state_dir(args)
    if isinstance(args, LedgerCheckArguments):
        return _check(state_dir)
    with _alone(state_dir):
        begin = _new if isinstance(args, LedgerNewArguments) else _accept
        return begin(state_dir, yes=args.yes)


def _check(state_dir: Path) -> int:
    """Tell whether the ledger is whole."""
    ledger = Ledger.if_there(state_dir)
    if ledger is None:
        say([_("There is no ledger in {state_dir}, and no trace of one.", state_dir=state_dir)])
        return ExitCode.DONE
    with ledger:
        found = _whole(ledger)
    say(_described(ledger.path, found))
    return ExitCode.DONE


def _whole(ledger: Ledger) -> Found:
    """What the ledger holds. Raises LedgerDamagedError with all that is wrong."""
    found = looked_through(ledger)
    if found.wrong:
        raise damaged(ledger.path, "; ".join(found.wrong))
    return found


def _described(path: Path, found: Found) -> Iterator[str]:
    yield _("The ledger {path} is whole.", path=path)
    rows = ", ".join(f"{n} {state}" for state, n in found.conversions.items()) or _("none")
    runs = ngettext("{number} run", "{number} runs", found.runs)
    yield _("{runs}, the last one {run}.", runs=runs, run=found.last) if found.last else f"{runs}."
    yield _("Conversions by their state: {rows}.", rows=rows)


def _copy(source: Path, target: Path) -> int:
    """Make a copy, and look whether it is whole."""
    path, to = ledger_of(source), ledger_of(target)
    if not path.is_file():
        raise UsageError(
            _("There is no ledger in {source}.", source=source),
            _("Name the state directory of the runs, or the file."),
        )
    copy(path, to)
    say(
        [
            _(
                "Copied: {path} to {to}. It is whole, and holds all up to this moment.",
                path=path,
                to=to,
            )
        ]
    )
    return ExitCode.DONE


@contextmanager
def _alone(state_dir: Path) -> Iterator[None]:
    """Let no run begin meanwhile. Raises LedgerBusyError."""
    with nobody_at_work(state_dir) as free:
        if not free:
            raise LedgerBusyError(
                _("A run is at work with the ledger in {state_dir}.", state_dir=state_dir),
                _("Wait for its end."),
            )
        yield


def _accept(state_dir: Path, *, yes: bool) -> int:
    """Take the ledger as it is, after telling what it does not know."""
    path = state_dir / FILE_NAME
    if not path.is_file():
        raise UsageError(
            _("There is no ledger in {state_dir} to go on with.", state_dir=state_dir),
            _(
                "Put a copy there (rdimport ledger copy COPY DIRECTORY), or begin anew with: "
                "rdimport ledger new"
            ),
        )
    try:
        with Ledger.open(state_dir):
            say(
                [
                    _(
                        "The ledger {path} knows all that was sent from it; there is nothing to "
                        "accept.",
                        path=path,
                    )
                ]
            )
            return ExitCode.DONE
    except LedgerLostError as lost:
        _agreed(lost.message, _("Go on with this ledger?"), yes=yes)
    with Ledger.open(state_dir, trusting=True) as ledger:
        _whole(ledger)
        aside = put_witnesses_aside(state_dir)
        run = last_run(ledger)
    say(
        [
            _(
                "From now on the ledger {path} counts as it is; what was known beside it is "
                "in {aside}.",
                path=path,
                aside=aside,
            )
        ]
    )
    say([_("The last run that it knows is {run}.", run=run) if run else _("It knows no run.")])
    return ExitCode.DONE


def _new(state_dir: Path, *, yes: bool) -> int:
    """Move what is left aside, and begin anew."""
    place = state_dir / FILE_NAME
    _agreed(
        _(
            "Without the ledger {place} nobody knows who was sent already, and everybody "
            "on a list is sent again. What is left of it is moved aside, not deleted.",
            place=place,
        ),
        _("Begin anew?"),
        yes=yes,
    )
    aside = put_aside(state_dir)
    with Ledger.open(state_dir):
        pass
    moved = _("There was none before.")
    if aside:
        moved = _("What was left of the old one is in {aside}.", aside=aside)
    say([_("A new ledger is in {state_dir}. {moved}", state_dir=state_dir, moved=moved)])
    return ExitCode.DONE


def _agreed(danger: str, question: str, *, yes: bool) -> None:
    """Ask a person. Raises UsageError where nobody can be asked, or the answer is no."""
    print_error(danger)
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            _("This is for a person to decide."), _("Type it in a terminal, or add --yes.")
        )
    if not ask(question):
        raise UsageError(_("Nothing was changed."))
