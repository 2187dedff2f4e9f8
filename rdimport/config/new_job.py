"""Adds a job to a settings file: appends tables, and leaves the existing text unchanged."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rdimport.config.model import Settings
from rdimport.config.reading import parse, read
from rdimport.core.errors import UsageError
from rdimport.core.looking import exists, is_missing
from rdimport.core.messages import _
from rdimport.core.names import fold
from rdimport.core.shell import at_home

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class NewJob:
    """The job to add. `account` may be None if the settings have only one; `key_file` is the path
    of the key of a new account.
    """

    name: str
    files: tuple[str, ...]
    mapping: Path
    account: str | None = None
    key_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Added:
    """The new text of the settings. `new_key_file` is the path at which the key of a new account is
    expected; None if the account existed.
    """

    path: Path
    text: str
    account: str
    new_key_file: Path | None

    def write(self) -> None:
        """Replace the file atomically. Raises UsageError if it cannot be written."""
        target = self.path.resolve()
        half = target.with_name(f".{target.name}.{os.getpid()}.half")
        try:
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            mode = target.stat().st_mode & 0o777 if exists(target) else 0o600
            with os.fdopen(os.open(half, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode), "wb") as file:
                file.write(self.text.encode())
                file.flush()
                os.fsync(file.fileno())
            half.replace(target)
        except OSError as error:
            half.unlink(missing_ok=True)
            raise UsageError(
                _("{path} cannot be written: {error}.", path=self.path, error=error),
                _("Correct the permissions, then type the same command again."),
            ) from None


def add_job(path: Path, job: NewJob) -> Added:
    """The validated settings of `path` with the job added; nothing is written yet.

    A missing file counts as empty. Raises UsageError if the job exists, its account is ambiguous,
    or the settings are invalid before or after the addition.
    """
    text = "" if is_missing(path) else read(path)
    known = parse(path, text).beside(path.absolute().parent)
    if any(fold(job.name) == fold(name) for name in known.jobs):
        raise UsageError(
            _("{path} already has a job {name}.", path=path, name=job.name),
            _("Choose another name with --job."),
        )
    account, is_new = _account(path, known, job)
    key_file = (job.key_file or _usual_key_file(path, account)) if is_new else None
    added = "".join(_tables(path, job, account, key_file))
    gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
    whole = text + _with_ends_of(text, gap + added)
    parse(path, whole)
    return Added(path, whole, account, key_file)


def _account(path: Path, known: Settings, job: NewJob) -> tuple[str, bool]:
    """The name of the job's account as the settings write it, and whether it is new."""
    if job.account is not None:
        same = next((name for name in known.accounts if fold(name) == fold(job.account)), None)
        return same or job.account, same is None
    if len(known.accounts) == 1:
        return next(iter(known.accounts)), False
    whose = {"name": job.name, "path": path}
    number = len(known.accounts)
    raise UsageError(
        _(
            "Which account does {name} belong to? {path} has {number} accounts.",
            **whose,
            number=number,
        )
        if number
        else _("Which account does {name} belong to? {path} has none yet.", **whose),
        _("Name the account with --account; a new one is added."),
    )


def _usual_key_file(path: Path, account: str) -> Path:
    name = re.sub(r"[^\w.-]+", "-", account).strip(".-") or "key"
    return path.absolute().parent / "keys" / name


def _tables(path: Path, job: NewJob, account: str, key_file: Path | None) -> Iterator[str]:
    folder = path.absolute().parent
    if key_file is not None:
        yield f"[accounts.{_key(account)}]\n"
        yield f"api_key = {{file = {_near(key_file, folder)}}}\n\n"
    yield f"[jobs.{_key(job.name)}]\n"
    yield f"account = {_quoted(account)}\n"
    files = ", ".join(_near(file, folder) for file in job.files)
    yield f"files = [{files}]\n"
    yield f"mapping = {_near(job.mapping, folder)}\n"


def _near(name: str | Path, folder: Path) -> str:
    """A path relative to the folder of the settings, if it is inside; an address is unchanged."""
    if "://" in str(name):
        return _quoted(str(name))
    whole = Path(os.path.abspath(at_home(name)))  # noqa: PTH100  a pattern stays one
    inside = whole.relative_to(folder) if whole.is_relative_to(folder) else whole
    return _quoted(str(inside))


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _quoted(name)


def _quoted(text: str) -> str:
    """A basic string of TOML, whose escapes are those of JSON and one more."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _with_ends_of(text: str, added: str) -> str:
    """The text with the line ends of the file."""
    return added.replace("\n", "\r\n") if "\r\n" in text else added
