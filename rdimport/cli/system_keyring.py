"""API keys in the system's keyring, by account."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeVar

from rdimport.core.errors import UsageError
from rdimport.core.key_file import VARIABLE
from rdimport.core.messages import _
from rdimport.core.names import fold
from rdimport.core.visible import shown_lines
from rdimport.core.within import said_by, within

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

_T = TypeVar("_T")

_SERVICE: Final = "rdimport"
_ANSWER_TAKES: Final = 60
"""Seconds; it may ask a person to unlock it."""

_NAMES: Final = "rdimport account names"
"""A keyring cannot list its entries, so their names are stored in an entry of their own."""


class NoKeyringError(UsageError):
    """There is no keyring on this machine. Not an error if a key may be elsewhere."""


def key_of(account: str) -> str | None:
    """The key in the keyring, if it has one. Raises UsageError."""

    def found(keyring: KeyringBackend) -> str | None:
        key = keyring.get_password(_SERVICE, account)
        if key is None:  # the keyring is case-sensitive; account names are not
            names = _names(keyring)
            same = next((name for name in names if fold(name) == fold(account)), account)
            key = keyring.get_password(_SERVICE, same)
        return key

    return _asked(found)


def store(account: str, key: str) -> None:
    """Store a key in the system's keyring. Raises UsageError if there is no keyring."""

    def stored(keyring: KeyringBackend) -> None:
        keyring.set_password(_SERVICE, account, key)
        _list(keyring, {*_names(keyring), account})

    _asked(stored)


def accounts() -> list[str]:
    """The accounts with keys in the keyring. Raises UsageError if there is no keyring."""
    return _asked(_names)


def remove(account: str) -> None:
    """Remove a key from the keyring. Raises UsageError if it is not there."""

    def removed(keyring: KeyringBackend) -> bool:
        names = _names(keyring)
        if account not in names:
            return False
        if keyring.get_password(_SERVICE, account) is not None:  # else it was removed elsewhere
            keyring.delete_password(_SERVICE, account)
        _list(keyring, set(names) - {account})
        return True

    if not _asked(removed):
        raise UsageError(
            _("The keyring contains no key for account “{account}”.", account=account),
            _("Type: rdimport key list"),
        )


def _names(keyring: KeyringBackend) -> list[str]:
    """The names of the accounts. Raises ValueError if something else is stored in their place."""
    stored = keyring.get_password(_NAMES, "all") or "[]"
    with suppress(ValueError):
        names = json.loads(stored)
        if isinstance(names, list) and all(isinstance(name, str) for name in names):
            return names
    raise ValueError(_("its entry “{entry}” is not a list of names", entry=_NAMES))


def _list(keyring: KeyringBackend, names: set[str]) -> None:
    keyring.set_password(_NAMES, "all", json.dumps(sorted(names)))


def _asked(question: Callable[[KeyringBackend], _T]) -> _T:
    """Query the system's keyring. Raises UsageError if there is none."""
    import logging  # noqa: PLC0415  most commands never ask a keyring

    import keyring  # noqa: PLC0415  slow to import
    from keyring import errors  # noqa: PLC0415

    logging.getLogger("keyring").setLevel(logging.CRITICAL)  # it would log tracebacks
    instead = _(
        "Put the key into the environment variable {variable}, or into a file that only you can "
        "read and that --api-key-file names; for an account in rdimport.toml, its api_key names "
        "the variable or file.",
        variable=VARIABLE,
    )
    try:
        return within(_ANSWER_TAKES, lambda: question(keyring.get_keyring()))
    except errors.NoKeyringError:
        raise NoKeyringError(_("This machine has no keyring that can be used."), instead) from None
    except TimeoutError as error:
        late = _("there was no answer within {seconds} s", seconds=_ANSWER_TAKES)
        why = said_by(error) if str(error) else late
    except Exception as error:  # noqa: BLE001  each kind of keyring raises errors of its own
        why = said_by(error)
    unlock = _("Unlock it, or repair it: rdimport key list shows whether it answers.")
    raise UsageError(
        _("This system's keyring cannot be used: {why}.", why=why), shown_lines([unlock, instead])
    )
