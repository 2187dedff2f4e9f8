"""Operations on a ledger that no run uses: copying it, or moving the key of its hashes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rdimport.core.errors import Bug, LedgerBusyError, UsageError
from rdimport.core.looking import in_words, is_missing
from rdimport.core.messages import _, untranslated
from rdimport.core.own_folders import refuse_no_folder
from rdimport.ledger import twins
from rdimport.ledger.opening import is_shared, refuse_address, store_of
from rdimport.ledger.port import Ledger, Store
from rdimport.ledger.sqlite import files
from rdimport.ledger.sqlite.store import SqliteStore

_PLACES: Final = untranslated(
    "Name a folder, the file of a ledger, or postgresql://USER@HOST/DATABASE."
)


def copy_ledger(source: str, target: str, key: str | None = None) -> tuple[str, str]:
    """Copy a ledger; returns source and target. Each is a state directory, a ledger's file or a
    database address. `key` is that of a ledger that keeps it apart.

    The copy is consistent. Between state directories, a run may be active; otherwise none may be,
    and none can begin before the copy is done. Raises UsageError if the source is not a ledger or
    the target is not empty, LedgerBusyError if a run is active that may not be, and LedgerLostError
    for a source that is known to lack rows that were sent.

    Between a directory and a shared ledger, runs stop using the directory until a person accepts it
    (`SqliteStore.accept`); between two shared ledgers, they stop using the source.
    """
    if not is_shared(source) and not is_shared(target):
        path, to = _file(source), _file(target)
        if is_missing(path):
            raise _none(source)
        if path.name != files.FILE_NAME and not files.is_database(path):
            raise _none(source)
        files.copy(path, to)
        return str(path), str(to)
    origin, end = _store(source, key), _store(target, key)
    if not origin.is_there():
        raise _none(str(origin))
    origin.bring_up()
    why = _("Wait until it ends: what it sends meanwhile would be missing from the copy.")
    with alone(origin, why), origin.open() as ledger:
        if not is_shared(target):
            return _carried(ledger, end)
        before = twins.of(ledger)
        if before != str(end):  # a copy that was interrupted is made again
            ledger.refuse_behind()
        twins.note(ledger, str(end))
        try:
            return _carried(ledger, end)
        except BaseException:
            if not before:
                twins.forget(ledger)
            raise


def move_key(store: Store, to: Path) -> list[Path]:
    """Move the key of a SQLite ledger's hashes into the file `to`; see `SqliteStore.move_key`.

    Raises UsageError for a shared ledger, and LedgerBusyError if a run is active.
    """
    if not isinstance(store, SqliteStore):
        raise UsageError(
            _("The key of the ledger {path} has never been inside it.", path=store),
            _("See docs/ledger.md for where it is: in a file, or in RDIMPORT_LEDGER_KEY."),
        )
    with alone(store):
        return store.move_key(to)


@contextmanager
def alone(store: Store, remedy: str = "") -> Iterator[None]:
    """Prevent runs from beginning. Raises LedgerBusyError if one is active."""
    with store.nobody_at_work() as free:
        if not free:
            raise LedgerBusyError(
                _("A run is using the ledger in {state_dir}.", state_dir=store),
                remedy or _("Wait until it ends."),
            )
        yield


def _carried(ledger: Ledger, end: Store) -> tuple[str, str]:
    """Copy the contents of a ledger, and verify the result."""
    with ledger.content() as content:
        known = [str(line[1]) for line in content.lines("destination")]
    for identity in known:
        ledger.evidence.destination_at_rest(identity)
    with ledger.content() as content:
        end.take(content)
    was = ledger.looked_through()
    with end.open() as copy:
        now = copy.looked_through()
        if now.wrong:
            raise copy.damaged("; ".join(now.wrong))
        if now != was:
            raise Bug(f"{copy.place} holds {now}, and {ledger.place} {was}")
        return ledger.place, copy.place


def _store(place: str, key: str | None) -> Store:
    """The store at a place given by the user, which may be the ledger's file."""
    if is_shared(place):
        return store_of(place, key)
    path = _file(place)
    if path.name != files.FILE_NAME:
        raise UsageError(
            _("{path} is not called {name}.", path=path, name=files.FILE_NAME),
            _("Copy it into a directory first: rdimport ledger copy {path} DIRECTORY", path=path),
        )
    return store_of(path.parent, key)


def _file(place: str) -> Path:
    refuse_address(place, _(_PLACES))
    path = files.ledger_of(Path(place))
    if is_missing(path):
        refuse_no_folder(Path(place), _(_PLACES))
    return path


def _none(source: str) -> UsageError:
    return UsageError(
        _(
            "There is no ledger in {source}.",
            source=source if is_shared(source) else in_words(Path(source)),
        ),
        _("Name the state directory of the runs, or the file."),
    )
