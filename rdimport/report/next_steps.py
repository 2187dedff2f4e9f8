"""Commands to run next, derived from a run's summary and ready to paste into a shell.

Someone who reads a mail or a file may be in any folder, so paths are absolute. Each command sends
exactly what its sentence says. So uncertain rows are given by the failure report, from which a
person may have deleted those that did arrive, and never by the list.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from rdimport.core.row import FAILED, State
from rdimport.core.shell import STDIN, joined, whole
from rdimport.report.words import Words

if TYPE_CHECKING:
    from rdimport.report.summary import RunSummary

_PLACES: Final = frozenset({"--state-dir", "--report-dir", "--api-key-file", "--suppress"})
_ARRIVED: Final = (State.ACCEPTED, State.ALREADY_IMPORTED, State.DUPLICATE)
_OF_THE_LIST: Final = frozenset(
    {"--member", "--sheet", "--delimiter", "--encoding", "--header-row"}
)
"""Options that describe the list; they are not used for a failure report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """The part of a run's summary needed here, if there is no complete one."""

    counts: Mapping[State, int]
    read_to_end: bool
    sandbox: bool
    mapping: str
    given: tuple[str, ...]
    started_in: str
    resend: tuple[str, ...]
    again: tuple[str, ...]
    failures_xlsx: str


class Step(NamedTuple):
    """A sentence, and the command for it; empty if there is nothing to do."""

    sentence: str
    command: str


def steps(summary: RunEnd | RunSummary, words: Words, *, near: bool = False) -> Iterator[Step]:
    """The next commands, the most useful first. `near`: the reader is in this folder."""
    typed = _Typed(summary, near=near)
    if not summary.read_to_end:
        unread = words.counted("next.unread", sum(summary.counts.values()))
        yield _continue(unread, typed, words)
    elif summary.counts[State.PENDING]:
        yield _continue(words("next.pending"), typed, words)
    if summary.counts[State.INVALID] or summary.counts[State.REFUSED]:
        yield Step(words("next.failures"), typed.failures())
    if summary.counts[State.UNCERTAIN] and summary.sandbox:
        yield Step(words("next.sandbox_uncertain"), "")
    elif summary.counts[State.UNCERTAIN]:
        yield Step(words("next.uncertain"), typed.failures("--resend", "uncertain"))
    left = any(summary.counts[state] for state in (*FAILED, State.PENDING))
    if summary.read_to_end and not left:
        yield Step(words(_done(summary)), "")


def written_by(run: str, report_dir: Path, location_options: Sequence[str]) -> str:
    """The command that writes a run's report again."""
    words = ["rdimport", "report", run, *location_options, "--report-dir", str(report_dir)]
    return joined(words)


def _done(summary: RunEnd | RunSummary) -> str:
    """The sentence after a run with no row left to do."""
    if not any(summary.counts[state] for state in _ARRIVED):
        return "next.none_sent"
    return "next.sandbox_done" if summary.sandbox else "next.done"


def _continue(sentence: str, typed: _Typed, words: Words) -> Step:
    """Import the rest of the same list."""
    if typed.summary.sandbox:
        return Step(words("next.sandbox"), joined(["rdimport", "sandbox", "--new-key", "test"]))
    if STDIN in typed.given:
        sentence = f"{words('next.stdin')} {sentence}"
    return Step(sentence, typed.the_same())


class _Typed:
    """The commands of a run, as typed in this folder (`near`) or anywhere."""

    def __init__(self, summary: RunEnd | RunSummary, *, near: bool) -> None:
        self.summary = summary
        self.given = summary.given
        self._near = near

    def the_same(self) -> str:
        """The command that continues the list, including what was to be resent."""
        files = [self._given(name) for name in self.given]
        resend = [word for state in self.summary.resend for word in ("--resend", state)]
        return self._run(files, [*self._options(), *resend])

    def failures(self, *more: str) -> str:
        """The command that sends the rows of the failure report."""
        report = self._place(self.summary.failures_xlsx, os.getcwd())  # noqa: PTH109  as text
        return self._run([report], [*self._options(but=_OF_THE_LIST), *more])

    def _run(self, files: Sequence[str], options: Sequence[str]) -> str:
        named = self.summary.mapping
        mapping = ["-m", self._place(named, self.summary.started_in)] if named else []
        return joined(["rdimport", "run", *dict.fromkeys(files), *mapping, *options])

    def _options(self, but: frozenset[str] = frozenset()) -> Iterator[str]:
        """The run's options, without the default report folder for a reader in this folder."""
        words = iter(self.summary.again)
        for word in words:
            if word in _FLAGS:
                yield word
                continue
            value = next(words, "")
            if word in _PLACES:
                value = self._place(value, self.summary.started_in)
            usual = self._near and (word, value) == ("--report-dir", "rdimport-reports")
            if word not in but and not usual:
                yield from (word, value)

    def _given(self, name: str) -> str:
        """An argument that names the list; `-` and addresses are not paths."""
        there = whole(name, self.summary.started_in)
        return self._place(there, "") if Path(there).is_absolute() else there

    def _place(self, name: str, base: str) -> str:
        """A path: absolute, or as short as possible from here."""
        path = Path(base, name)
        if self._near and path.is_relative_to(Path.cwd()):
            path = path.relative_to(Path.cwd())
            return f"./{path}" if str(path).startswith("-") else str(path)
        return str(path)


_FLAGS: Final = frozenset({"--sandbox", "--insecure-http"})
