"""Finds the API key, which is passed to the destination and to nothing else."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlsplit

from rdimport.cli import system_keyring
from rdimport.core.address import WITH_HOST
from rdimport.core.child import output_of
from rdimport.core.errors import UsageError
from rdimport.core.key_file import VARIABLE, read_key
from rdimport.core.masking import Mask
from rdimport.core.messages import _
from rdimport.core.names import fold
from rdimport.core.shell import joined
from rdimport.core.visible import shown_lines

if TYPE_CHECKING:
    from rdimport.config import Address, ApiKey

MASK: Final = Mask()
"""Masks every key that this command has read in all of its output."""

_SECRET: Final = re.compile(r"RDIMPORT_\w*KEY")
_withheld: Final[dict[str, str]] = {}
"""The keys that `withheld` removed from the environment."""

_used: Final[dict[tuple[str, str], str]] = {}
"""The latest key of each account at each endpoint, in this command."""

_comparing: Final = Lock()

_PROGRAM_TAKES: Final = 60
_KEY_TAKES: Final = 10_000


@contextmanager
def withheld() -> Iterator[None]:
    """Remove the keys from the environment while a command runs, so that child processes do not
    inherit them; `find` and `MASK` still know them.
    """
    _withheld.update({n: os.environ.pop(n) for n in list(os.environ) if _SECRET.fullmatch(n)})
    for key in _withheld.values():
        MASK.learn(key.strip())
    try:
        yield
    finally:
        os.environ.update(_withheld)
        _withheld.clear()
        _used.clear()
        MASK.forget()


def find(file: Path | None, environment: Mapping[str, str], account: str) -> str | None:
    """The key from the file, the environment or the keyring, in this order; None if there is none.

    Raises UsageError for a file that cannot be read, or that others can read, and for a keyring
    that is there and cannot be used.
    """
    key = _read(file) if file is not None else _of(environment) or None
    if key is None:
        with suppress(system_keyring.NoKeyringError):
            key = system_keyring.key_of(account)
    MASK.learn(key or "")
    return key


def at_hand(file: Path | None, environment: Mapping[str, str]) -> str | None:
    """The key from the file or the environment, never from the keyring, which may ask a person.
    None if it cannot be read: a check needs no key.
    """
    try:
        key = _read(file) if file is not None else _of(environment)
    except UsageError:
        return None
    MASK.learn(key)
    return key or None


def of_ledger() -> str | None:
    """The key of a shared ledger's hashes, if the environment has it."""
    return _withheld.get("RDIMPORT_LEDGER_KEY")


def of_account(name: str, where: ApiKey, path: Callable[[str], Path]) -> str:
    """The key of an account of `rdimport.toml`; `path` resolves the path of a key file.

    Raises UsageError if the place named in the settings has no key.
    """
    key = _found(name, where, path)
    MASK.learn(key)
    return key


def refuse_shared(account: str, endpoint: str, key: str) -> None:
    """Raise UsageError for a key that another account had in this command: each of the two would
    use all of its quota, and people on both lists would be sent twice.
    """
    with _comparing:
        others = (name for (name, where), used in _used.items() if (where, used) == (endpoint, key))
        other = next((name for name in others if fold(name) != fold(account)), None)
        if other is None:
            _used[account, endpoint] = key
            return
    raise UsageError(
        _(
            "Accounts “{other}” and “{account}” have the same API key ({endpoint}), so they are "
            "one RD Station account.",
            other=other,
            account=account,
            endpoint=endpoint,
        ),
        _(
            "Name one account in all of these jobs, or give “{account}” the key of its own RD "
            "Station account.",
            account=account,
        ),
    )


def _found(name: str, where: ApiKey, path: Callable[[str], Path]) -> str:
    """The key at a location named in the settings."""
    if where.env is not None:
        if where.env in os.environ:
            _withheld[where.env] = os.environ.pop(where.env)
        key = _withheld.get(where.env, "").strip()
        if not key:
            raise UsageError(
                _(
                    "The environment variable {env}, which should contain the key of "
                    "account “{name}”, is empty or not set.",
                    env=where.env,
                    name=name,
                ),
                _whom_to_ask(
                    _("Set it where the command runs; cron starts with hardly any variables.")
                ),
            )
    elif where.file is not None:
        there = _(
            "Put it there, alone and readable by you only, or set another location in the settings."
        )
        key = _read(path(where.file), there)
    elif where.command is not None:
        key = _printed_by(where.command, name)
    else:
        key = system_keyring.key_of(name) or ""
        if not key:
            raise UsageError(
                _("The keyring contains no key for account “{account}”.", account=name),
                _whom_to_ask(
                    _("Type: {command}", command=joined(["rdimport", "key", "set", name]))
                ),
            )
    return key


def of_address(name: str, where: Address | str, path: Callable[[str], Path]) -> str:
    """An address given or referred to by the settings. Raises UsageError."""
    if isinstance(where, str):
        address = where
    else:
        from rdimport.config import ApiKey  # noqa: PLC0415

        named = ApiKey(env=where.env, file=where.file, command=where.command)
        try:
            address = _found(name, named, path)
        except UsageError as error:
            raise (error if where.file is not None else _no_address(name, where)) from None
    for secret in _secrets_in(address):
        MASK.learn(secret)
    return address


def _no_address(name: str, where: Address) -> UsageError:
    """The error for an address that no variable or program has; without the advice about keys."""
    if where.env is not None:
        return UsageError(
            _(
                "The environment variable {env}, which should contain the address for "
                "“{name}”, is empty or not set.",
                env=where.env,
                name=name,
            ),
            _("Set it where the command runs; cron starts with hardly any variables."),
        )
    return UsageError(
        _(
            "The program {program}, which should print the address for “{name}”, could not "
            "be started, failed, printed nothing or too much, or took more than {seconds} s.",
            program=(where.command or ("",))[0],
            name=name,
            seconds=_PROGRAM_TAKES,
        ),
        _("Type it yourself to see what it says."),
    )


def _secrets_in(address: str) -> Iterator[str]:
    """The secret parts of an address. If it has a host, that is not secret: it may be part of the
    addresses that a command names.
    """
    scheme, _separator, rest = address.partition("://")
    scheme = scheme.lower()
    if scheme not in WITH_HOST:
        yield rest
        return
    host, slash, beyond = rest.partition("/")
    yield host.rpartition("@")[0].partition(":")[2]
    if scheme.startswith("mailto"):
        yield from (value for name, value in parse_qsl(urlsplit(address).query) if "pass" in name)
    else:
        yield slash + beyond


def _printed_by(command: Sequence[str], name: str) -> str:
    """The key printed by a program such as a password manager."""
    what = {"program": command[0], "account": name}
    look = _("Type it yourself to see what it says.")
    try:
        code, printed = output_of(command, _KEY_TAKES, _PROGRAM_TAKES)
    except subprocess.TimeoutExpired:
        message = _(
            "The program {program} that prints the key of account “{account}” took more than "
            "{seconds} s.",
            seconds=_PROGRAM_TAKES,
            **what,
        )
        raise UsageError(message, _("It must not wait for a person.")) from None
    except OSError as error:
        message = _(
            "The program {program} that prints the key of account “{account}” could not be "
            "started: {error}.",
            error=error.strerror,
            **what,
        )
        raise UsageError(message, _("Correct its name in the settings.")) from None
    if len(printed) > _KEY_TAKES:
        message = _(
            "The program {program} that should print the key of account “{account}” prints more "
            "than a key can be ({size}).",
            size=f"{_KEY_TAKES // 1000} kB",
            **what,
        )
        raise UsageError(message, look)
    key = printed.decode("utf-8", "replace").strip()
    if code or not key:
        message = _(
            "The program {program} that prints the key of account “{account}” ended with {code}, "
            "or printed nothing.",
            code=code,
            **what,
        )
        raise UsageError(message, look)
    return key


def _of(environment: Mapping[str, str]) -> str:
    return (environment.get(VARIABLE) or _withheld.get(VARIABLE, "")).strip()


def _read(file: Path, remedy: str = "") -> str:
    """The key in a file; `remedy` is for a file that no option names. Raises UsageError."""
    try:
        key = read_key(file)
    except (OSError, UnicodeDecodeError) as error:
        raise _no_key(_unreadable(file, error), remedy) from None
    if not key:
        raise _no_key(_("The key file {file} is empty.", file=file), remedy)
    return key


def _unreadable(file: Path, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        # the argument may be the key itself
        what = _("The key file {file} does not exist.", file=file)
        if not (file.suffix or len(file.parts) > 1):
            what = _("The key file that --api-key-file names does not exist.")
    elif isinstance(error, IsADirectoryError):
        what = _("The key file {file} is a folder.", file=file)
    elif isinstance(error, UnicodeDecodeError):
        what = _("The key file {file} contains no text, so no key.", file=file)
    else:
        reason = getattr(error, "strerror", error)
        what = _("The key file {file} cannot be read: {error}.", file=file, error=reason)
    return what


def _no_key(what: str, remedy: str) -> UsageError:
    if remedy:
        return UsageError(what, remedy)
    return UsageError(
        what,
        _whom_to_ask(
            _(
                "Use --api-key-file to name a text file that contains only the key and that "
                "only you can read, or omit the option and put the key into the environment "
                "variable {variable}.",
                variable=VARIABLE,
            )
        ),
    )


def _whom_to_ask(remedy: str) -> str:
    """The remedy, followed by a note on which user profiles can see API keys in RD."""
    profiles = _(
        "In RD Station Marketing only the profiles Dono and Gestor see keys (Integrações > Chave "
        "de API): with another profile, ask one of them."
    )
    return shown_lines([remedy, profiles])
