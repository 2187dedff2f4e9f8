"""The output of `rdimport jobs`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from rdimport.cli.screen import layout
from rdimport.core.errors import ExitCode
from rdimport.core.messages import _, language, ngettext, untranslated
from rdimport.report.words import Words

if TYPE_CHECKING:
    from rdimport.config import Settings
    from rdimport.core.row import State

_ENDED = {
    ExitCode.DONE: untranslated("done"),
    ExitCode.FAILED_ROWS: untranslated("done; some rows need attention"),
    ExitCode.NOTHING_SENT: untranslated("nothing was sent"),
    ExitCode.STOPPED: untranslated("stopped before the end"),
    ExitCode.BUG: untranslated("a bug in rdimport"),
    ExitCode.BUSY: untranslated("another run of this account is in progress"),
}


@dataclass(frozen=True, slots=True)
class Look:
    """The check of one job: its result, or the error.

    `values` are the effective settings, each with its table; `seconds` is the duration at the
    quota. `ends` are the rows that would not be sent, by state, `problems` their codes.
    """

    job: str
    account: str
    values: tuple[tuple[str, Any, str], ...]
    code: ExitCode
    trouble: str = ""
    rows: int = 0
    to_send: int = 0
    seconds: float | None = None
    ends: Mapping[State, int] = field(default_factory=dict)
    problems: Mapping[str, int] = field(default_factory=dict)
    left_out: int = 0

    def as_json(self) -> dict[str, Any]:
        """A JSON object for scripts."""
        return {
            "exit_code": int(self.code),
            "error": self.trouble or None,
            "rows": self.rows,
            "to_send": self.to_send,
            "seconds": self.seconds,
            **{str(state): rows for state, rows in self.ends.items()},
            "left_out": self.left_out,
            "problems": dict(self.problems),
            "settings": {key: {"value": value, "from": place} for key, value, place in self.values},
        }


def heading(job: str, account: str, code: ExitCode, file: str = "") -> str:
    """The line above the output of a job, or of one list of its inbox."""
    ended = _("{ended} (exit code {code})", ended=_(_ENDED[code]), code=int(code))
    name = f", {PurePath(file).name}" if file else ""
    return f"{_title(job, account)}{name}: {ended}"


def _title(job: str, account: str) -> str:
    return _("== {job} (account {account})", job=job, account=account)


def table(settings: Settings, jobs: Sequence[str]) -> Iterator[str]:
    """One line for each job."""
    rows = [(_("job"), _("account"), _("files"), _("mapping"))]
    for job in jobs:
        entry = settings.jobs[job]
        rows.append((job, settings.account_of(job)[0], ", ".join(entry.files), entry.mapping))
    yield from layout.table(rows)


def checked(settings: Settings, looks: Sequence[Look]) -> Iterator[str]:
    """The results of checking each job, and the expected duration for each account."""
    words = Words(language())
    for look in looks:
        yield _title(look.job, look.account)
        yield from (f"  {line}" for line in look.trouble.splitlines())
        if look.rows or not look.trouble:
            shown = ngettext(
                "{part} of {number} row to send",
                "{part} of {number} rows to send",
                look.rows,
                part=words.number(look.to_send),
            )
            yield f"  {shown}{_about(look.seconds, words)}"
            yield from (f"  {line}" for line in _not_sent(look, words))
        for key, value, place in look.values:
            shown = ", ".join(value) if isinstance(value, tuple) else value
            yield f"  {key} = {shown}  [{place}]"
        key = _("key: {place}", place=key_place(settings, look.job))
        yield f"  {key}  [accounts.{look.account}]"
    accounts = dict.fromkeys(look.account for look in looks)
    for account in accounts:
        seconds = sum(look.seconds or 0.0 for look in looks if look.account == account)
        rows = sum(look.to_send for look in looks if look.account == account)
        if not rows and any(look.trouble for look in looks if look.account == account):
            continue  # the number is unknown
        sent = words.counted("rows_to_send", rows) + _about(seconds, words)
        yield _("Account {account}: {rows}.", account=account, rows=sent)


def _not_sent(look: Look, words: Words) -> Iterator[str]:
    """The rows that would not be sent, and why."""
    ends = [words.rows_in(state, rows) for state, rows in look.ends.items() if rows]
    if ends:
        yield ", ".join(ends)
    if look.left_out:
        yield words.counted("left_out", look.left_out)
    if look.problems:
        yield ", ".join(f"{code}: {words.number(rows)}" for code, rows in look.problems.items())


def _about(seconds: float | None, words: Words) -> str:
    return ", " + words("about", time=words.duration(seconds)) if seconds else ""


def key_place(settings: Settings, job: str) -> str:
    """The place of the account's key; the key itself is never shown."""
    where = settings.account_of(job)[1].api_key
    if where.env:
        return _("environment variable {name}", name=where.env)
    if where.file:
        return _("file {file}", file=settings.path(where.file))
    if where.keyring:
        return _("keyring")
    return _("printed by {program}", program=where.command[0] if where.command else "")
