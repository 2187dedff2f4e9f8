"""What a command that takes its time shows: its progress, then its result."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from rdimport.api.results import RunResult
from rdimport.cli.arguments import OutputArguments
from rdimport.cli.log import LogFile
from rdimport.cli.screen import progress
from rdimport.cli.screen.layout import counts
from rdimport.cli.screen.run import lines
from rdimport.cli.streams import say, say_json
from rdimport.core.clock import SystemClock
from rdimport.core.events import Observer, ignore_events
from rdimport.core.visible import shown_lines
from rdimport.report.summary import RunSummary
from rdimport.report.words import Words


def bars(args: OutputArguments) -> AbstractContextManager[Observer]:
    """What shows progress on standard error; nothing where it was not asked for."""
    if args.quiet:
        return nullcontext(ignore_events)
    return progress.shown(sys.stderr, SystemClock(), args.lang)


def absolute(summary: RunSummary) -> RunSummary:
    """The same with whole paths: who reads it in a mail or a journal does not know from where the
    command was started.
    """
    return replace(
        summary,
        mapping=_whole(summary.mapping),
        failures_xlsx=_whole(summary.failures_xlsx),
        report_html=_whole(summary.report_html),
        files=tuple(map(_whole, summary.files)),
    )


def _whole(name: str) -> str:
    """The whole path of a file; a name that is none, such as that of standard input, as it is."""
    path = Path(name).absolute()
    return str(path) if name and path.is_file() else name


class Terminal:
    """Progress on standard error; then the result, where `--json` and `--quiet` want it."""

    def __init__(self, args: OutputArguments, stack: ExitStack, log: LogFile | None = None) -> None:
        self._json: bool = args.json
        self._lang: str = args.lang
        self._quiet: bool = args.quiet
        self._stack = stack.enter_context(ExitStack())
        shown = self._stack.enter_context(bars(args))
        self.observer: Observer = shown if log is None else progress.both(shown, log)

    def close(self) -> None:
        """Leave the progress as it is; from now on there are results."""
        self._stack.close()

    def ending(self, done: RunResult) -> str:
        """What a person reads at the end of a run, as wide and as colourful as it may be."""
        if done.summary.report_failed:  # nothing may be said of files that are not there
            words = Words(self._lang)
            title = words("run", run=done.summary.run_id)
            ending = [title, *counts(done.counts, 0, words)]
            return shown_lines([*ending, "", *done.summary.report_failed.split("\n")])
        out = sys.stderr if self._json or self._quiet else sys.stdout
        colour = out.isatty() and not os.environ.get("NO_COLOR")
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
        """The result: one JSON object, or lines for a person; quiet speaks only when needed."""
        if self._json:
            say_json(summary)
        if self._quiet and not needed:
            return
        say(lines, sys.stderr if self._json or self._quiet else sys.stdout)
