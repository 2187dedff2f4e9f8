"""When to notify people, and of what: a known problem only once, and never with personal data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

from rdimport.core.errors import ExitCode
from rdimport.core.messages import _, ngettext, untranslated

Rule: TypeAlias = Literal[
    "failed_rows", "stopped", "new_problem", "recovered", "uncertain", "always"
]

_MOST: Final = 5
"""Number of problem kinds in a message."""

_ANSWERS: Final = {
    ExitCode.DONE: untranslated("every row has arrived"),
    ExitCode.FAILED_ROWS: untranslated("some rows need attention"),
    ExitCode.NOTHING_SENT: untranslated("nothing was sent"),
    ExitCode.STOPPED: untranslated("stopped before the end"),
    ExitCode.BUG: untranslated("a bug in rdimport"),
    ExitCode.BUSY: untranslated("another run of this account is in progress"),
}


@dataclass(frozen=True, slots=True)
class JobEnding:
    """How a job ended: its rows by state in words, problems by code, reason to stop."""

    code: ExitCode
    rows: tuple[tuple[str, int], ...] = ()
    problems: tuple[tuple[str, int], ...] = ()
    uncertain: int = 0
    why: str = ""

    def kinds(self) -> frozenset[str]:
        """The codes of the rows' problems."""
        return frozenset(code for code, *__ in self.problems)


class Message(NamedTuple):
    """The text of a notification."""

    title: str
    body: str


def applying(on: Sequence[Rule], now: JobEnding, before: JobEnding | None) -> list[Rule]:
    """The rules that apply. A result that is the same as last time is not reported again."""
    return [rule for rule in on if _applies(rule, now, before)]


def _applies(rule: Rule, now: JobEnding, before: JobEnding | None) -> bool:
    new = now.kinds() - (before.kinds() if before else frozenset())
    if rule == "always":
        return True
    if rule == "recovered":
        return now.code == ExitCode.DONE and before is not None and before.code != ExitCode.DONE
    if rule == "uncertain":
        return now.uncertain > 0 and any(code.startswith("uncertain.") for code in new)
    if rule == "stopped":
        if now.code in (ExitCode.DONE, ExitCode.FAILED_ROWS):
            return False
        return before is None or (before.code, before.why) != (now.code, now.why)
    return bool(new)


def text(job: str, account: str, now: JobEnding, command: str) -> Message:
    """A short message in the current language; `command` shows more."""
    title = _(
        "rdimport: {job} (account {account}): {answer}",
        job=job,
        account=account,
        answer=_(_ANSWERS[now.code]),
    )
    return Message(title, "\n".join(_body(now, command)))


def _body(now: JobEnding, command: str) -> Iterator[str]:
    if now.why:
        yield now.why
    if now.rows:
        yield ", ".join(f"{name}: {number}" for name, number in now.rows)
    for code, rows in now.problems[:_MOST]:
        sentence = ngettext("{number} row: {code}", "{number} rows: {code}", rows, code=code)
        yield f"- {sentence}"
    if len(now.problems) > _MOST:
        more = len(now.problems) - _MOST
        yield ngettext("- and {number} more kind", "- and {number} more kinds", more)
    yield _("More: {command}", command=command)
