"""`rdimport ledger`: check a ledger, copy it, take its key out, or decide about a lost one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from rdimport.cli import keys, resolve
from rdimport.cli.arguments import (
    LedgerArguments,
    LedgerCheckArguments,
    LedgerCopyArguments,
    LedgerKeyArguments,
    LedgerNewArguments,
    StateArguments,
)
from rdimport.cli.streams import ask, print_error, say
from rdimport.core.errors import ExitCode, LedgerLostError, UsageError
from rdimport.core.messages import _, language, ngettext
from rdimport.core.row import State
from rdimport.core.shell import joined
from rdimport.ledger import (
    Found,
    Ledger,
    Store,
    agree,
    alone,
    copy_ledger,
    has_others,
    is_shared,
    move_key,
    store_of,
    unknown_elsewhere,
)
from rdimport.report.words import Words


def execute(args: LedgerArguments) -> int:
    """Run the given action."""
    if isinstance(args, LedgerCopyArguments):
        return _copy(args.source, args.target)
    store = _store(args)
    if isinstance(args, LedgerKeyArguments):
        return _move_key(store, args.move_to)
    if isinstance(args, LedgerCheckArguments):
        return _check(store)
    with alone(store):
        begin = _new if isinstance(args, LedgerNewArguments) else _accept
        return begin(store, _own(args, store), yes=args.yes)


def _own(args: StateArguments, store: Store) -> Store:
    """The ledger of the state directory, also if a shared one is meant."""
    if is_shared(str(store)):
        return store_of(resolve.state_dir(args), keys.of_ledger())
    return store


def _store(args: StateArguments) -> Store:
    """The ledger that is meant: with --state-dir the directory's own, whatever the environment."""
    if args.state_dir and not args.ledger:
        return store_of(resolve.state_dir(args), keys.of_ledger())
    return resolve.store(args)


def _check(store: Store) -> int:
    """Report whether the ledger is consistent."""
    ledger = store.if_there()
    if ledger is None:
        say([_("There is no ledger in {state_dir}, and no trace of one.", state_dir=store)])
        return ExitCode.DONE
    with ledger:
        found = _whole(ledger)
    say(_described(ledger.place, found))
    return ExitCode.DONE


def _whole(ledger: Ledger) -> Found:
    """The contents of the ledger. Raises LedgerDamagedError listing all errors."""
    found = ledger.looked_through()
    if found.wrong:
        raise ledger.damaged("; ".join(found.wrong))
    return found


def _described(path: str, found: Found) -> Iterator[str]:
    yield _("The ledger {path} is sound.", path=path)
    words = Words(language())
    counts = ((n, words.state(State(state))) for state, n in found.conversions.items())
    rows = ", ".join(f"{n} {state}" for n, state in counts) or _("none")
    runs = ngettext("{number} run", "{number} runs", found.runs)
    yield _("{runs}, the last one {run}.", runs=runs, run=found.last) if found.last else f"{runs}."
    yield _("Conversions by their state: {rows}.", rows=rows)


def _copy(source: str, target: str) -> int:
    """Make a copy and check it."""
    path, to = copy_ledger(source, target, keys.of_ledger())
    sentence = _(
        "Copied: {path} to {to}. The copy is complete up to this moment.",
        path=path,
        to=to,
    )
    say([sentence])
    if is_shared(target):
        moved = _(
            "Use one of the two from now on: neither knows whom the other one sends. Every "
            "machine needs a copy of the key of its hashes: docs/ledger.md."
        )
        say([moved])
    return ExitCode.DONE


def _move_key(store: Store, to: Path) -> int:
    """Move the key of the hashes out of the ledger."""
    holding = move_key(store, to)
    file = to.absolute()
    say(
        [
            _("The key of the ledger in {state_dir} is now in {file}.", state_dir=store, file=file),
            _(
                "Every command needs it from now on: set RDIMPORT_LEDGER_KEY_FILE={quoted} "
                "wherever they run, including cron and systemd. Without it they end with "
                "exit code 2 and send nothing.",
                quoted=joined([str(file)]),
            ),
            _("A lost key is a lost ledger: keep a copy of it, apart from copies of the ledger."),
        ]
    )
    if holding:
        listed = ", ".join(map(str, holding))
        print_error(_("Older copies still contain the key; delete them: {files}", files=listed))
    return ExitCode.DONE


def _accept(store: Store, own: Store, *, yes: bool) -> int:
    """Accept the ledger as it is, after showing what it lacks."""
    if not _is_left(store, own):
        raise UsageError(
            _("There is no ledger in {state_dir} to continue with.", state_dir=store),
            _(
                "Put a copy there (rdimport ledger copy COPY DIRECTORY), or start over "
                "with: rdimport ledger new"
            ),
        )
    try:
        with store.open() as ledger:
            ledger.refuse_behind()
            others = unknown_elsewhere(ledger, own)
            if others:
                return _accept_others(ledger, own, others, yes=yes)
            known = _(
                "The ledger {path} knows everything that was sent from it; there is nothing "
                "to accept.",
                path=ledger.place,
            )
            say([known])
            return ExitCode.DONE
    except LedgerLostError as lost:
        _agreed(lost.message, _("Continue with this ledger?"), yes=yes)
    with store.open(trusting=True) as ledger:
        found = _whole(ledger)
        aside = store.accept()
        path = ledger.place
    say([_("From now on the ledger {path} counts as it is.", path=path)])
    if aside:
        say([_("The previous records about it are in {aside}.", aside=aside)])
    last = found.last
    say([_("The last run that it knows is {run}.", run=last) if last else _("It contains no run.")])
    return ExitCode.DONE


def _accept_others(ledger: Ledger, own: Store, others: set[tuple[str, str]], *, yes: bool) -> int:
    """Accept that there are other ledgers, after naming them."""
    _agreed(
        _(
            "Rows were also sent with {others}. The ledger {path} does not know whom, and would "
            "send them again if it is to the same RD Station account.",
            others=", ".join(sorted(place for _name, place in others)),
            path=ledger.place,
        ),
        _("Continue with this ledger?"),
        yes=yes,
    )
    agree(ledger, own, {name for name, _place in others})
    say([_("From now on the ledger {path} counts as it is.", path=ledger.place)])
    return ExitCode.DONE


def _is_left(store: Store, own: Store) -> bool:
    """Whether anything is left to continue with: also a new ledger, if there are others."""
    try:
        return store.is_there() or has_others(own)
    except LedgerLostError:
        return False


def _new(store: Store, own: Store, *, yes: bool) -> int:
    """Move the remains aside, and start with an empty ledger."""
    _agreed(
        _(
            "Without the ledger {place} there is no record of who was already sent, and "
            "everyone on a list is sent again. What is left of it is moved aside, not "
            "deleted.",
            place=store,
        ),
        _("Start over?"),
        yes=yes,
    )
    aside = store.begin_anew()
    with store.open() as ledger:
        agree(ledger, own)
    moved = _("There was none before.")
    if aside:
        moved = _("What was left of the old one is in {aside}.", aside=aside)
    say([_("A new ledger is in {state_dir}. {moved}", state_dir=store, moved=moved)])
    return ExitCode.DONE


def _agreed(danger: str, question: str, *, yes: bool) -> None:
    """Ask for confirmation. Raises UsageError if it is refused, or without a terminal to ask on."""
    print_error(danger)
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(_("A person must decide this."), _("Type it in a terminal, or add --yes."))
    if not ask(question):
        raise UsageError(_("Nothing was changed."))
