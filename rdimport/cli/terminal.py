"""The output of a long-running command: progress, then the result."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rdimport.cli.arguments import OutputArguments
from rdimport.cli.screen import progress
from rdimport.cli.screen.layout import counts
from rdimport.cli.streams import say, say_json
from rdimport.core.clock import SystemClock
from rdimport.core.events import Observer, ignore_events
from rdimport.core.looking import is_file
from rdimport.core.visible import shown_lines
from rdimport.report.words import Words

if TYPE_CHECKING:
    from rdimport.api.results import RunResult
    from rdimport.cli.log import LogFile
    from rdimport.report.summary import RunSummary


def bars(args: OutputArguments) -> AbstractContextManager[Observer]:
    """The observer that shows progress on standard error; with `quiet`, it does nothing."""
    if args.quiet:
        return nullcontext(ignore_events)
    return progress.shown(sys.stderr, SystemClock(), args.lang)


def absolute(summary: RunSummary) -> RunSummary:
    """The summary with absolute paths, for a reader in another folder: of a mail or journal."""
    return replace(
        summary,
        mapping=_whole(summary.mapping),
        failures_xlsx=_whole(summary.failures_xlsx),
        report_html=_whole(summary.report_html),
        files=tuple(map(_whole, summary.files)),
    )


def _whole(name: str) -> str:
    """The absolute path of a file; other names, such as that of standard input, are unchanged."""
    path = Path(name).absolute()
    return str(path) if name and is_file(path) else name


class Terminal:
    """Progress on standard error, then the result as `--json` and `--quiet` require."""

    def __init__(self, args: OutputArguments, stack: ExitStack, log: LogFile | None = None) -> None:
        self._json: bool = args.json
        self._lang: str = args.lang
        self._quiet: bool = args.quiet
        self._stack = stack.enter_context(ExitStack())
        shown = self._stack.enter_context(bars(args))
        self.observer: Observer = shown if log is None else progress.both(shown, log)

    def close(self) -> None:
        """Leave the progress display as it is; results follow."""
        self._stack.close()

    def ending(self, done: RunResult) -> str:
        """The text at the end of a run, for this terminal's width and colours."""
        if done.summary.report_failed:  # do not mention files that do not exist
            words = Words(self._lang)
            title = words("run", run=done.summary.run_id)
            ending = [title, *counts(done.counts, 0, words)]
            return shown_lines([*ending, "", *done.summary.report_failed.split("\n")])
        from rdimport.cli.screen.run import lines  # noqa: PLC0415  a check has another screen

        out = sys.stderr if self._json or self._quiet else sys.stdout
        plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        colour = out.isatty() and not plain
        width = min(shutil.get_terminal_size((100, 24)).columns, 120)
        near = out.isatty() and not self._quiet
        summary = done.summary if near else absolute(done.summary)
        return lines(
            summary,
            done.examples,
            width,
            colour=colour,
            lang=self._lang,
            near=near,
            mail=self._quiet,
        )

    def show(self, summary: Mapping[str, Any], lines: Iterable[str], *, needed: bool) -> None:
        """Print the result as JSON or as lines; quiet mode prints only what is needed."""
        try:
            if self._json:
                say_json(summary)
        finally:  # if the object cannot be printed, the lines still are
            if needed or not self._quiet:
                say(lines, sys.stderr if self._json or self._quiet else sys.stdout)
