"""Which files of a state directory are an account's: accounts such as `a b` and `a-b` would have
the same names.
"""

from __future__ import annotations

from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Final

from rdimport.core.key_file import owner_only
from rdimport.core.looking import exists
from rdimport.core.names import fold
from rdimport.settle.evidence import calls_of, file_name

TOKEN: Final = "webhook-token"  # noqa: S105  a file's name
_MARK: Final = "webhook-account-"
"""A file with the account's name. On a second line: how many bytes of calls an earlier release had
written, perhaps for several accounts.
"""


def token_file(name: str) -> str:
    """The file of the secret in the path of an account's calls, by its `own_name`."""
    return TOKEN if name == "default" else f"{TOKEN}-{name}"


def own_name(state_dir: Path, account: str) -> str:
    """The part of the files' names that stands for an account: the usual one, unless another
    account has taken it.
    """
    usual, whole = file_name(account), fold(account)
    with suppress(FileNotFoundError):
        if _owner(state_dir / f"{_MARK}{usual}")[0] not in (whole, ""):
            return f"{usual}-{blake2b(whole.encode(), digest_size=4).hexdigest()}"
    return usual


def take_name(state_dir: Path, account: str) -> str:
    """The same for an account that is to receive calls: it takes the usual name if it is free.

    An account whose files had that name too keeps copies of them. Raises OSError.
    """
    usual = file_name(account)
    mark, calls = state_dir / f"{_MARK}{usual}", state_dir / calls_of(usual)
    is_earlier = exists(state_dir / token_file(usual))
    earlier = f"\n{calls.stat().st_size if exists(calls) else 0}" if is_earlier else ""
    with open(mark, "a", encoding="utf-8", opener=owner_only) as file:
        if not file.tell():  # new, or left empty by a killed command
            file.write(fold(account) + earlier)
    name, size = own_name(state_dir, account), _owner(mark)[1]
    if name != usual and size:
        _copied(state_dir / token_file(usual), state_dir / token_file(name))
        _copied(calls, state_dir / calls_of(name), int(size))
    return name


def _owner(mark: Path) -> tuple[str, str]:
    whole, _line, size = mark.read_text("utf-8").partition("\n")
    return whole, size


def _copied(file: Path, own: Path, most: int = -1) -> None:
    with suppress(FileExistsError, FileNotFoundError):
        content = file.read_bytes()[: most if most >= 0 else None]
        with open(own, "xb", opener=owner_only) as copy:
            copy.write(content)
