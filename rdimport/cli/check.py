"""`rdimport check`: a run without sending; without a mapping, a description of the files."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from pathlib import Path

from rdimport import api
from rdimport.cli import keys, one_run, payloads, resolve
from rdimport.cli.arguments import CheckArguments
from rdimport.cli.screen import check
from rdimport.cli.streams import say, say_json
from rdimport.cli.terminal import Terminal
from rdimport.core.errors import ExitCode
from rdimport.core.shell import STDIN, joined, whole


def execute(args: CheckArguments) -> int:
    """Check with a mapping, or describe the files."""
    resolve.refuse_contradictions(args)
    return _survey(args) if args.mapping is None else _check(args, args.mapping)


def _check(args: CheckArguments, mapping: Path) -> int:
    if args.payloads is not None:
        payloads.refuse_to_overwrite(args.payloads)
    to = None
    if args.sandbox:
        resolve.refuse_key_at_hand(args)
    else:
        to = resolve.station(args, keys.at_hand(args.api_key_file, os.environ))
    with ExitStack() as stack:
        log = resolve.log_file(args, stack)
        terminal = Terminal(args, stack, log)
        quota = resolve.quota(args)
        keep = args.payloads is not None
        done = one_run.check(args, mapping, to, on_event=terminal.observer, keep=keep)
        terminal.close()
        if args.payloads is not None:
            payloads.write(done, args.payloads)
        named = str(quota) if quota else None
        summary = check.summary(done, named)
        if log:
            log.write("check_finished", **summary)
        lines = check.lines(done, named, args.lang)
        terminal.show(summary, lines, needed=done.exit_code != ExitCode.DONE)
        return done.exit_code


def _survey(args: CheckArguments) -> int:
    found = api.survey(args.files, hints=resolve.hints(args), lang=args.lang)
    if args.json:
        say_json({"tables": [check.survey_summary(table, seen) for table, seen in found]})
    else:
        for table, seen in found:
            say(check.surveyed(table, seen, _proposing(args, table.name)))
    return ExitCode.DONE


def _proposing(args: CheckArguments, name: str) -> str:
    """The command that proposes a mapping for that table."""
    name = STDIN if STDIN in args.files and name not in args.files else name
    shown = name if sys.stdout.isatty() else whole(name)
    words = ["rdimport", "init", shown, "-o", "mapping.yaml"]
    for option in ("member", "sheet", "delimiter", "encoding", "header_row"):
        if getattr(args, option) is not None:
            words += [f"--{option.replace('_', '-')}", str(getattr(args, option))]
    return joined(words)
