"""`rdimport check`: all of a run but the sending; without a mapping, what is in the files."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack

from rdimport import api
from rdimport.cli import arguments
from rdimport.cli.screen import check
from rdimport.cli.streams import say, say_json
from rdimport.cli.terminal import Terminal
from rdimport.core.errors import ExitCode
from rdimport.core.shell import STDIN, joined, whole
from rdimport.prepare.preview import advice
from rdimport.proposal.survey import survey
from rdimport.report.words import Words
from rdimport.source import open_tables


def execute(told: argparse.Namespace) -> int:
    """Check by a mapping, or look at the files."""
    return _survey(told) if told.mapping is None else _check(told)


def _check(told: argparse.Namespace) -> int:
    mapping = arguments.mapping(told)
    with ExitStack() as stack:
        terminal = Terminal(told, stack)
        quota = arguments.quota(told)
        sandbox = told.sandbox
        done = api.check(
            told.files,
            mapping,
            to=None if sandbox else arguments.station(told, None),
            quota=quota,
            state_dir=None if sandbox else arguments.state_dir(told),
            hints=arguments.hints(told),
            limit=getattr(told, "canary", None) or told.limit,
            resend=arguments.resend(told),
            custom_fields=arguments.custom_fields(told, mapping),
            on_event=terminal.observer,
            keep=False,
            new_identity=told.new_identity,
        )
        terminal.close()
        named = str(quota) if quota else None
        summary = check.summary(done, named)
        lines = check.lines(done, named, Words(told.lang), advice(mapping, told.lang))
        terminal.show(summary, lines, needed=done.exit_code != ExitCode.DONE)
        return done.exit_code


def _survey(told: argparse.Namespace) -> int:
    found = [(table, survey(table)) for table in open_tables(told.files, arguments.hints(told))]
    if told.json:
        say_json({"tables": [check.survey_summary(table, seen) for table, seen in found]})
    else:
        for table, seen in found:
            say(check.surveyed(table, seen, _proposing(told, table.name)))
    return ExitCode.DONE


def _proposing(told: argparse.Namespace, name: str) -> str:
    """The command that proposes a mapping for that table."""
    name = STDIN if STDIN in told.files and name not in told.files else name
    shown = name if sys.stdout.isatty() else whole(name)
    words = ["rdimport", "init", shown, "-o", "mapping.yaml"]
    for option in ("member", "sheet", "delimiter", "encoding", "header_row"):
        if getattr(told, option) is not None:
            words += [f"--{option.replace('_', '-')}", str(getattr(told, option))]
    return joined(words)
