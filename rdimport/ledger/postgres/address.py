"""The address of a shared ledger, and the key of its hashes, which is not stored in it."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

from rdimport.core.errors import LedgerError, UsageError
from rdimport.core.key_file import read_key, write_key
from rdimport.core.messages import _
from rdimport.core.own_folders import own_folder

SCHEMES: Final = ("postgresql://", "postgres://")
KEY: Final = "RDIMPORT_LEDGER_KEY"
KEY_FILE: Final = "RDIMPORT_LEDGER_KEY_FILE"
_SIZE: Final = 32
_LAST_PORT: Final = 65_535


class Address(NamedTuple):
    """The address of a database. `shown` has no password, so it may appear in messages."""

    url: str
    shown: str


def is_address(text: str) -> bool:
    """Whether it names a database, not a directory."""
    return text.startswith(SCHEMES)


def parsed(url: str) -> Address:
    """Parse an address. Raises UsageError, without repeating it, as it may contain a password."""
    from psycopg import ProgrammingError  # noqa: PLC0415  it comes with an extra
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415

    try:
        parts = conninfo_to_dict(url)
    except ProgrammingError:
        raise UsageError(
            _("--ledger or RDIMPORT_LEDGER does not contain the address of a PostgreSQL database."),
            _("Write it as postgresql://USER@HOST/DATABASE; keep the password in PGPASSFILE."),
        ) from None
    for port in str(parts.get("port") or "").split(","):
        if port and not (port.isascii() and port.isdigit() and 0 < int(port[:6]) <= _LAST_PORT):
            raise UsageError(
                _("The address of the ledger has a port that is none: {port}.", port=port[:20]),
                _("A port is a number from 1 to {most}; PostgreSQL's is 5432.", most=_LAST_PORT),
            )
    host = parts.get("host") or parts.get("hostaddr") or "localhost"
    port = f":{parts['port']}" if parts.get("port") else ""
    user = f"{parts['user']}@" if parts.get("user") else ""
    database = str(parts.get("dbname") or "")
    return Address(url, f"postgresql://{user}{host}{port}/{quote(database)}")


def key_file() -> Path:
    """The file of the key, unless the environment contains it. Raises NoHomeError."""
    path = os.environ.get(KEY_FILE)
    return Path(path) if path else own_folder("config", KEY_FILE) / "ledger.key"


def is_specified(hex_key: str | None = None) -> bool:
    """Whether the user has specified a key or its file."""
    return bool(hex_key or os.environ.get(KEY) or os.environ.get(KEY_FILE))


def key_of(hex_key: str | None = None) -> bytes | None:
    """This machine's key for shared ledgers, 32 bytes; None if it has none. It is taken from
    `hex_key`, else from the environment, else from the file.

    Raises UsageError if what is found is not a key, and LedgerError for an unreadable file.
    """
    hex_key, place = hex_key or os.environ.get(KEY), KEY
    if not hex_key:
        path = key_file()
        place = str(path)
        try:
            hex_key = read_key(path)
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise LedgerError(
                _(
                    "The key of the ledger, {path}, cannot be read: {error}.",
                    path=path,
                    error=error,
                ),
                _("Name its file in the environment variable {variable}.", variable=KEY_FILE),
            ) from error
    try:
        key = bytes.fromhex(hex_key.strip())
    except ValueError:
        key = b""
    if len(key) != _SIZE:
        raise UsageError(
            _("{place} does not contain the key of a ledger: 64 hexadecimal digits.", place=place),
            _("Copy it from a machine that already uses the ledger."),
        )
    return key


def needed_key(hex_key: str | None = None) -> bytes:
    """The key. Raises UsageError if there is none."""
    key = key_of(hex_key)
    if key is None:
        raise UsageError(
            _(
                "A ledger in PostgreSQL needs the key of its hashes, which is not kept in "
                "the database: neither {variable} nor {path} exists.",
                variable=KEY,
                path=key_file(),
            ),
            _(
                "Copy it from a machine that already uses this ledger. For a new ledger, "
                "type: rdimport fleet init"
            ),
        )
    return key


def new_key() -> tuple[bytes, Path]:
    """Make a key, and write it to a file that only its owner may read. Raises LedgerError."""
    key = secrets.token_bytes(_SIZE)
    return key, _keep(key)


def give_key(key: bytes, hex_key: str | None = None) -> None:
    """Store the key of a ledger that is copied, so that `key_of` finds it.

    Raises UsageError if this machine has another key.
    """
    known = key_of(hex_key)
    if known is None:
        _keep(key)
    elif known != key:
        raise UsageError(
            _(
                "This machine has the key of another shared ledger, with which nobody of "
                "this ledger would be recognised."
            ),
            _(
                "Name another file for the key of this one, in the environment variable "
                "{variable}; every command that uses the copy needs it.",
                variable=KEY_FILE,
            ),
        )


def _keep(key: bytes) -> Path:
    path = key_file()
    try:
        write_key(path, key.hex())
    except OSError as error:
        raise LedgerError(
            _("The key of the ledger cannot be written to {path}: {error}.", path=path, error=error)
        ) from error
    return path
