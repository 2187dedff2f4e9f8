"""The command line's words: every command and option with its sentence."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

_EXIT_CODES: Final = """\
exit codes:
  0   every row was accepted now or earlier, or is a duplicate of such a row
  1   finished; some rows are invalid, refused or uncertain: see the failure report
  2   nothing was sent: wrong usage, mapping, file, or no key
  3   stopped before the end; the same command again goes on
  70  a bug in rdimport; the ledger is right
  75  another run holds this ledger; try later

The API key comes from --api-key-file, the environment variable RDIMPORT_API_KEY, or the
system's keyring (rdimport key set NAME)."""


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    top = argparse.ArgumentParser(
        prog="rdimport",
        description="Imports contact spreadsheets into RD Station Marketing: every row accounted "
        "for, none sent twice unasked.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = top.add_subparsers(
        dest="command", required=True, metavar="COMMAND", parser_class=_Parser
    )
    run = _command(commands, "run", "import files; running it again resumes", epilog=_EXIT_CODES)
    _input(run, needed=True)
    _target(run)
    _sending(run)
    _output(run)
    _log(run)
    check = _command(commands, "check", "all of it but the sending: what would happen")
    _input(check, needed=False)
    _target(check)
    _output(check)
    check.add_argument("--limit", type=_positive, metavar="N", help=_LIMIT)
    init = _command(commands, "init", "propose a mapping from a file's headers and values")
    _files(init.add_argument_group("input"))
    init.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="write it here (default: standard output)"
    )
    status = _command(commands, "status", "the runs so far and where each stands")
    status.add_argument("run", nargs="?", metavar="RUN", help="one run in full")
    _places(status)
    status.add_argument("--json", action="store_true", help="print it as JSON")
    report = _command(commands, "report", "write a run's report again")
    report.add_argument("run", nargs="?", metavar="RUN", help="the run's name; default: the latest")
    _places(report)
    _language(report)
    report.add_argument("--json", action="store_true", help="print the summary as JSON")
    sandbox = _command(commands, "sandbox", "a local RD Station Marketing to send to")
    sandbox.fill = _sandbox
    key = _command(commands, "key", "API keys in the system's keyring")
    key.add_argument("action", choices=("set", "list", "remove"), help="what to do")
    key.add_argument("name", nargs="?", metavar="NAME", help="account, as in run --account NAME")
    key.set_defaults(base_url=None, account=None)
    purge = _command(commands, "purge", "forget what old runs knew of people")
    purge.add_argument(
        "--older-than", type=_age, required=True, metavar="TIME", help="such as 90d or 12h"
    )
    _places(purge)
    _command(commands, "schema", "print the JSON schema of mapping files")
    return top


_LIMIT: Final = "send at most N rows; the others stay pending"


def _command(
    commands: argparse._SubParsersAction[_Parser], name: str, text: str, epilog: str = ""
) -> _Parser:
    return commands.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:] + ".",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _input(to: argparse.ArgumentParser, *, needed: bool) -> None:
    without = "" if needed else "; without it: what is in the files"
    group = to.add_argument_group("input")
    _files(group)
    group.add_argument(
        "-m",
        "--mapping",
        required=needed,
        type=Path,
        metavar="FILE",
        help=f"the mapping (YAML){without}",
    )
    group.add_argument(
        "--resend",
        action="append",
        default=[],
        choices=("uncertain", "refused", "accepted"),
        help="send again what earlier runs left so (repeatable)",
    )


def _files(to: argparse._ActionsContainer) -> None:
    to.add_argument("files", nargs="+", metavar="FILE", help="spreadsheets; - is standard input")
    to.add_argument("--sheet", metavar="NAME", help="sheet of a workbook")
    to.add_argument("--delimiter", metavar="CHAR", help="of a text file; `tab` for a tab")
    to.add_argument("--encoding", metavar="NAME", help="of a text file, such as cp1252")
    to.add_argument(
        "--header-row", type=_positive, metavar="N", help="row that holds the column names"
    )


def _target(to: argparse.ArgumentParser) -> None:
    group = to.add_argument_group("where to")
    group.add_argument("--base-url", metavar="URL", help="endpoint (env RDIMPORT_BASE_URL)")
    group.add_argument(
        "--sandbox", action="store_true", help="start a local sandbox for this run and send there"
    )
    group.add_argument("--account", metavar="NAME", help="whose ledger and quota (default)")
    group.add_argument(
        "--plan",
        choices=("light", "basic", "pro", "advanced"),
        help="RD plan, which tells the quota: 120 a minute, advanced 500",
    )
    group.add_argument("--quota", metavar="N/min", help="or N/s, N/h, none (default: 120/min)")


def _sending(to: argparse.ArgumentParser) -> None:
    group = to.add_argument_group("sending")
    group.add_argument(
        "--api-key-file", type=Path, metavar="FILE", help="file with the key, readable by you only"
    )
    group.add_argument(
        "--concurrency", type=_positive, default=64, metavar="N", help="requests open at most (64)"
    )
    group.add_argument("--limit", type=_positive, metavar="N", help=_LIMIT)
    group.add_argument(
        "--max-duration", type=_seconds, metavar="TIME", help="stop after 2h, 45m or 30s"
    )
    group.add_argument(
        "--patience",
        type=_seconds,
        default=120.0,
        metavar="TIME",
        help="how long an endpoint may be down before the run stops (2m)",
    )
    group.add_argument(
        "--until", type=_time_of_day, metavar="HH:MM", help="stop at this time of the day"
    )
    group.add_argument(
        "--canary",
        type=_positive,
        metavar="N",
        help="send N rows, stop, and say what to look for in RD Station",
    )
    group.add_argument(
        "--timeout",
        type=_some_seconds,
        default=60.0,
        metavar="TIME",
        help="how long an answer may take before its row is uncertain (1m)",
    )
    group.add_argument(
        "--transport",
        choices=("lean", "httpx"),
        default="lean",
        help="what sends: our own lean code, or httpx as it comes (proxies always use that)",
    )
    group.add_argument("--dry-run", action="store_true", help="the same as check")


def _output(to: argparse.ArgumentParser) -> None:
    group = to.add_argument_group("output")
    _places(group)
    group.add_argument(
        "--json", action="store_true", help="one JSON object on standard output, nothing else there"
    )
    _language(group)
    group.add_argument("--quiet", action="store_true", help="speak only when a person is needed")


def _language(to: argparse._ActionsContainer) -> None:
    to.add_argument(
        "--lang",
        choices=("en", "pt-BR"),
        default=_language_here(),
        help="language of reports (from the environment)",
    )
    to.add_argument(
        "--full-report", action="store_true", help="show personal data in report.html as it is"
    )


def _language_here() -> str:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if os.environ.get(name):
            return "pt-BR" if os.environ[name].lower().startswith("pt") else "en"
    return "en"


def _log(to: argparse.ArgumentParser) -> None:
    group = to.add_argument_group("log")
    group.add_argument("--log-file", type=Path, metavar="FILE", help="write what happens here too")
    group.add_argument("--log-format", choices=("text", "json"), default="text", help="(text)")


def _places(to: argparse._ActionsContainer) -> None:
    to.add_argument(
        "--state-dir", type=Path, metavar="DIR", help="holds the ledger (env RDIMPORT_STATE_DIR)"
    )
    to.add_argument(
        "--report-dir", type=Path, metavar="DIR", help="gets the reports (rdimport-reports)"
    )


def _sandbox(to: argparse.ArgumentParser) -> None:
    from rdimport.sandbox.arguments import add_arguments  # noqa: PLC0415

    add_arguments(to)


def _some_seconds(text: str) -> float:
    seconds = _seconds(text)
    if seconds == 0:
        raise argparse.ArgumentTypeError("no answer comes in no time")
    return seconds


class _Parser(argparse.ArgumentParser):
    """A parser that gets its arguments from `fill` when it is used, if that costs an import."""

    fill: Callable[[argparse.ArgumentParser], None] | None = None

    def parse_known_args(self, *args: Any, **named: Any) -> Any:
        """As the base class does, with all arguments."""
        if self.fill is not None:
            fill, self.fill = self.fill, None
            fill(self)
        return super().parse_known_args(*args, **named)


def _time_of_day(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", text.strip())
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time of the day: write it as 06:00")
    return int(match[1]), int(match[2])


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|d)?", text.strip().lower())
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: write 90d, 2h, 45m or 30s")
    return float(match[1]) * {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}[match[2] or "s"]


def _age(text: str) -> float:
    if not text.strip()[-1:].isalpha():  # 90 would be seconds, and what is forgotten is gone
        raise argparse.ArgumentTypeError(f"{text!r} has no unit: write 90d or 12h")
    return _seconds(text)


class _Version(argparse.Action):
    """Looks the version up only when asked: it costs a tenth of a second."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version  # noqa: PLC0415

        sys.stdout.write(f"rdimport {version('rdimport')}\n")  # exit() speaks on standard error
        parser.exit()
