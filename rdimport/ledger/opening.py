"""Selects the kind of ledger for a location."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from rdimport.core.errors import UsageError
from rdimport.core.messages import _
from rdimport.core.shell import installing
from rdimport.ledger.port import Store
from rdimport.ledger.postgres.address import is_address, is_specified, key_of, new_key
from rdimport.ledger.sqlite.store import SqliteStore

if TYPE_CHECKING:
    from rdimport.ledger.postgres.fleet import PostgresFleet
    from rdimport.ledger.postgres.store import PostgresStore

_ANY_ADDRESS: Final = re.compile(r"\s*[a-z][a-z0-9+.-]+:/", re.IGNORECASE)
"""The start of an address, even if a path has collapsed its `//` to `/`; not a Windows drive."""


def store_of(place: str | Path, key: str | None = None) -> Store:
    """The store at a location: a state directory or a database address.

    Raises UsageError for an address of anything else.
    """
    if is_shared(place):
        return _shared(str(place), key)
    refuse_address(place)
    return SqliteStore(Path(place), partial(key_of, key), partial(_apart, key))


def refuse_address(folder: str | Path, remedy: str = "") -> None:
    """Raise UsageError for an address of any kind: a folder of that name would be a new ledger,
    which sends everybody again.

    It is not repeated, as it may contain a password.
    """
    if _ANY_ADDRESS.match(str(folder)):
        raise UsageError(
            _(
                "The location of the ledger is neither a folder nor the address of a PostgreSQL "
                "database."
            ),
            remedy
            or _(
                "Name a folder with --state-dir, or postgresql://USER@HOST/DATABASE with --ledger."
            ),
        )


def store_of_run(ledger: str | None, state_dir: str | Path, key: str | None = None) -> Store:
    """The shared ledger, if one is named, otherwise that of the state directory.

    Raises UsageError if `ledger` is not an address of a database.
    """
    if ledger is not None:
        _refuse_no_database(ledger)
    return store_of(ledger or state_dir, key)


def _apart(hex_key: str | None) -> bytes | None:
    """The key of a new ledger that keeps it apart, made if necessary; None if it is to hold its
    own.
    """
    if not is_specified(hex_key):
        return None
    return key_of(hex_key) or new_key()[0]


def is_shared(place: str | Path) -> bool:
    """Whether it names a database, not a directory."""
    return isinstance(place, str) and is_address(place)


def _refuse_no_database(url: str) -> None:
    if not is_address(url):
        raise UsageError(
            _("A shared ledger is in PostgreSQL: postgresql://USER@HOST/DATABASE"),
            _("Name it so with --ledger or in RDIMPORT_LEDGER, and a folder with --state-dir."),
        )


def _shared(url: str, key: str | None) -> PostgresStore:
    try:
        from rdimport.ledger.postgres.store import PostgresStore  # noqa: PLC0415  it is an extra
    except ImportError as error:
        raise missing_library(error) from error
    return PostgresStore(url, key)


def missing_library(error: ImportError) -> UsageError:
    """The error for an installation without the libraries of a shared ledger."""
    return UsageError(
        _("A ledger in PostgreSQL needs a library that is not installed: {error}.", error=error),
        _("Install it with: {command}", command=installing("rdimport[fleet]")),
    )


def fleet_of(url: str) -> PostgresFleet:
    """The workers of a shared ledger. Raises UsageError if it is not an address."""
    _refuse_no_database(url)
    _shared(url, None)
    from rdimport.ledger.postgres.fleet import PostgresFleet  # noqa: PLC0415  it is an extra

    return PostgresFleet(url)


class Made(NamedTuple):
    """The result of `make_shared`: the location, whether it is new, and the key file, if it was
    made.
    """

    place: str
    new: bool
    key_file: Path | None


def make_shared(url: str, key: str | None = None) -> Made:
    """Create the tables of a shared ledger and its key, unless they exist.

    Raises UsageError if it is not an address or the ledger has another key; LedgerError for a
    database that may lose acknowledged writes.
    """
    _refuse_no_database(url)
    store = _shared(url, key)
    key_file = None
    if key_of(key) is None and not store.is_there():
        _key, key_file = new_key()
    try:
        new = store.make()
    except BaseException:
        if key_file is not None:  # nothing is keyed with it
            key_file.unlink(missing_ok=True)
        raise
    return Made(str(store), new, key_file)
