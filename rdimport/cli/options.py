"""The commands and options of the command line, with their help texts."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from itertools import zip_longest
from pathlib import Path
from typing import TypeAlias

from rdimport.cli.evidence_options import evidence
from rdimport.cli.fleet_options import fleet_actions, worker
from rdimport.cli.grammar import Grammar
from rdimport.cli.option_types import age, positive, seconds, some_seconds, spoken, time_of_day
from rdimport.core.messages import Language, _, language_of

_Commands: TypeAlias = "argparse._SubParsersAction[Grammar]"  # noqa: SLF001  it has no public name


def _exit_codes() -> str:
    return _(
        "exit codes:\n  0   every row was accepted now or earlier, is a duplicate of such "
        "a row, or suppressed\n  1   finished; some rows are invalid, refused or uncertain: "
        "see the failure report\n  2   nothing was sent: wrong usage, mapping, file "
        "or directory, or no key\n  3   stopped before the end; the same command "
        "again goes on\n  70  a bug in rdimport; the ledger is right\n  75  another "
        "run holds this ledger; try later\n\nThe API key comes from --api-key-file, "
        "the environment variable RDIMPORT_API_KEY, or the\nsystem's keyring "
        "(rdimport key set NAME)."
    )


def parser() -> argparse.ArgumentParser:
    """The parser for all commands."""
    top = Grammar(
        prog="rdimport",
        description=_(
            "Imports contact spreadsheets into RD Station Marketing: every row accounted "
            "for, none sent twice unasked."
        ),
        epilog=_exit_codes(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _language(top, default=language_here())
    top.add_argument("--version", action=_Version, nargs=0, help=_("show the version and exit"))
    commands = top.add_subparsers(dest="command", metavar="COMMAND", parser_class=Grammar)
    _run(commands)
    _check(commands)
    _init(commands)
    _status(commands)
    _report(commands)
    _settle(commands)
    _command(commands, "sandbox", _("a local RD Station Marketing to send to")).fill = _sandbox
    _key(commands)
    _accounts(commands)
    _jobs(commands)
    _purge(commands)
    _forget(commands)
    _ledger(commands)
    _fleet(commands)
    _schema(commands)
    return top


def _command(commands: _Commands, name: str, text: str, epilog: str = "") -> Grammar:
    added = commands.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:] + ".",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if name not in ("jobs", "ledger", "fleet"):  # their actions are subcommands
        _language(added, default=argparse.SUPPRESS)  # default: the value given earlier
    return added


def _run(commands: _Commands) -> None:
    to = _command(
        commands, "run", _("import files; running it again resumes"), epilog=_exit_codes()
    )
    _input(to, needed=True)
    _everything(to)


def _everything(to: argparse.ArgumentParser) -> None:
    """All options common to `run` and `check`."""
    _target(to)
    _sending(to)
    _output(to)
    _log(to)


def _check(commands: _Commands) -> None:
    to = _command(commands, "check", _("all of it but the sending: what would happen"))
    _input(to, needed=False)
    _everything(to)
    to.add_argument(
        "--payloads",
        type=Path,
        metavar="FILE",
        help=_("write every payload that would be sent to FILE, as JSON lines with its row"),
    )


def _init(commands: _Commands) -> None:
    to = _command(commands, "init", _("propose a mapping from a file's headers and values"))
    _files(to.add_argument_group(_("input")))
    to.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help=_("write it here (default: standard output)"),
    )
    job = to.add_argument_group(_("a job in rdimport.toml"))
    job.add_argument("--job", metavar="NAME", help=_("add a job of these files to the settings"))
    job.add_argument("--account", metavar="NAME", help=_("the job's account, added if it is new"))
    job.add_argument(
        "--api-key-file", type=Path, metavar="FILE", help=_("where a new account's key is")
    )
    job.add_argument(
        "--config", type=Path, metavar="FILE", help=_("the settings (env RDIMPORT_CONFIG)")
    )


def _status(commands: _Commands) -> None:
    to = _command(commands, "status", _("did last night's jobs work, and what is next?"))
    to.add_argument("run", nargs="?", metavar="RUN", help=_("one run in full"))
    to.add_argument("--account", metavar="NAME", help=_("only this account"))
    to.add_argument("--job", metavar="NAME", help=_("only this job, or jobs of this pattern"))
    since = _("only what ran in the last 24h or 7d")
    to.add_argument("--since", type=age, metavar="TIME", help=since)
    to.add_argument(
        "--check",
        action="store_true",
        help=_("exit code for monitoring: 0 fine, 1 rows need a person, 2 failed, 3 unknown"),
    )
    late = _("with --check: 26h without a run is a failure")
    to.add_argument("--max-age", type=age, metavar="TIME", help=late)
    whose = _("the settings, whose jobs count")
    to.add_argument("--config", type=Path, metavar="FILE", help=whose)
    page = _("write it as a page with each account's last 30 nights")
    to.add_argument("--html", type=Path, metavar="FILE", help=page)
    _places(to, _("where the reports are (where each run put its own)"))
    to.add_argument("--json", action="store_true", help=_("print it as JSON"))


def _report(commands: _Commands) -> None:
    to = _command(commands, "report", _("write a run's report again"))
    to.add_argument("run", nargs="?", metavar="RUN", help=_("the run's name; default: the latest"))
    _places(to)
    _full_report(to)
    to.add_argument("--json", action="store_true", help=_("print the summary as JSON"))
    to.add_argument("--quiet", action="store_true", help=_("print nothing, show no progress"))


def _settle(commands: _Commands) -> None:
    to = _command(commands, "settle", _("find out which uncertain rows did arrive"))
    evidence(to)
    to.add_argument("--account", metavar="NAME", help=_("whose rows (default)"))
    _address(to)
    _state_dir(to)
    to.add_argument("--json", action="store_true", help=_("print the result as JSON"))
    to.add_argument("--quiet", action="store_true", help=_("print nothing"))


def _key(commands: _Commands) -> None:
    to = _command(commands, "key", _("API keys in the system's keyring"))
    to.add_argument("action", choices=("set", "list", "remove"), help=_("what to do"))
    to.add_argument("name", nargs="?", metavar="NAME", help=_("account, as in run --account NAME"))


def _accounts(commands: _Commands) -> None:
    to = _command(commands, "accounts", _("which account of the ledger goes with which keys"))
    to.add_argument("action", choices=("list", "add-key", "rename"), help=_("what to do"))
    to.add_argument(
        "names", nargs="*", metavar="NAME", help=_("for rename: the old and the new name")
    )
    to.add_argument("--account", metavar="NAME", help=_("for add-key: whose key it is (default)"))
    _key_file(to)
    _address(to)
    _state_dir(to)
    to.add_argument("--json", action="store_true", help=_("print the list as JSON"))


def _jobs(commands: _Commands) -> None:
    to = _command(commands, "jobs", _("the jobs of rdimport.toml: list, check, run"))
    actions = to.add_subparsers(
        dest="action", required=True, metavar="ACTION", parser_class=Grammar
    )
    for name, text in (
        ("list", _("the jobs and their accounts")),
        ("check", _("are keys, files and mappings there, and how long will it take?")),
        ("run", _("run them: those of different accounts at the same time")),
    ):
        action = actions.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        _language(action, default=argparse.SUPPRESS)
        action.add_argument("names", nargs="*", metavar="NAME", help=_("jobs or patterns (all)"))
        action.add_argument(
            "--config", type=Path, metavar="FILE", help=_("the settings (env RDIMPORT_CONFIG)")
        )
        action.add_argument("--json", action="store_true", help=_("print one JSON object"))
        if name == "run":
            action.add_argument("--quiet", action="store_true", help=_("only what needs a person"))
            metrics = _("write the metrics of all jobs here, for Prometheus")
            action.add_argument("--metrics-file", type=Path, metavar="FILE", help=metrics)


def _schema(commands: _Commands) -> None:
    to = _command(
        commands, "schema", _("print the JSON schema of mapping files or of rdimport.toml")
    )
    to.add_argument("what", nargs="?", choices=("mapping", "config"), default="mapping")


def _purge(commands: _Commands) -> None:
    to = _command(commands, "purge", _("forget what old runs knew of people"))
    to.add_argument(
        "--older-than", type=age, required=True, metavar="TIME", help=_("such as 90d or 12h")
    )
    _places(to, _("delete the reports of forgotten runs there (none)"))


def _forget(commands: _Commands) -> None:
    to = _command(commands, "forget", _("erase people from ledger, reports and logs"))
    to.add_argument("emails", nargs="+", metavar="E-MAIL", help=_("addresses; - is standard input"))
    to.add_argument(
        "--also-hash",
        action="store_true",
        help=_("forget too that they were sent: who is in a list again is sent again"),
    )
    _places(to, _("where the reports are (where each run put its own)"))
    _full_report(to)


def _ledger(commands: _Commands) -> None:
    to = _command(commands, "ledger", _("look after the ledger: check, copy, accept, new"))
    actions = to.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, text in (
        ("check", _("look whether the ledger is whole")),
        ("copy", _("make a copy that is whole, also while a run is at work")),
        ("accept", _("go on with an older or another ledger, knowing what it does not know")),
        ("new", _("move what is left of a ledger aside and begin anew: everybody is sent again")),
    ):
        action = actions.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        _language(action, default=argparse.SUPPRESS)
        if name == "copy":
            action.add_argument(
                "source", metavar="FROM", help=_("state directory, file or URL of a shared ledger")
            )
            action.add_argument("target", metavar="TO", help=_("the same, not there yet, or empty"))
            continue
        _state_dir(action)
        if name != "check":
            action.add_argument("--yes", action="store_true", help=_("do not ask"))


def _fleet(commands: _Commands) -> None:
    to = _command(commands, "fleet", _("one ledger for many machines, in PostgreSQL"))
    for action in fleet_actions(to):
        _language(action, default=argparse.SUPPRESS)
        _shared(action)
    to = _command(commands, "worker", _("run the jobs of rdimport.toml as they become due"))
    _shared(to)
    worker(to)


def _input(to: argparse.ArgumentParser, *, needed: bool) -> None:
    without = "" if needed else _("; without it: what is in the files")
    group = to.add_argument_group(_("input"))
    _files(group)
    group.add_argument(
        "-m",
        "--mapping",
        required=needed,
        type=Path,
        metavar="FILE",
        help=_("the mapping (YAML)") + without,
    )
    group.add_argument(
        "--resend",
        action="append",
        default=[],
        choices=("uncertain", "refused", "accepted"),
        help=_("send again what earlier runs left so (repeatable)"),
    )
    group.add_argument(
        "--not-proved",
        action="store_true",
        help=_("of the uncertain rows only those that a complete export has not (see settle)"),
    )
    group.add_argument(
        "--suppress",
        action="append",
        default=[],
        metavar="FILE",
        help=_("list of people who must not be sent: e-mails or their SHA-256 (repeatable)"),
    )


def _files(to: argparse._ActionsContainer) -> None:
    to.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help=_("spreadsheets, or https:// and s3:// addresses of some; - is standard input"),
    )
    to.add_argument("--member", metavar="PATTERN", help=_("list in an archive with several lists"))
    to.add_argument("--sheet", metavar="NAME", help=_("sheet of a workbook"))
    to.add_argument("--delimiter", metavar="CHAR", help=_("of a text file; `tab` for a tab"))
    to.add_argument("--encoding", metavar="NAME", help=_("of a text file, such as cp1252"))
    to.add_argument(
        "--header-row", type=positive, metavar="N", help=_("row that holds the column names")
    )


def _target(to: argparse.ArgumentParser) -> None:
    group = to.add_argument_group(_("where to"))
    _address(group)
    group.add_argument(
        "--sandbox",
        action="store_true",
        help=_("start a local sandbox for this run and send there"),
    )
    group.add_argument("--account", metavar="NAME", help=_("whose ledger and quota (default)"))
    group.add_argument(
        "--plan",
        choices=("light", "basic", "pro", "advanced"),
        help=_("RD plan, which tells the quota: 120 a minute, advanced 500"),
    )
    group.add_argument("--quota", metavar="N/min", help=_("or N/s, N/h, none (default: 120/min)"))
    group.add_argument(
        "--reserve",
        metavar="SHARE",
        help=_("of the quota, left to other integrations (such as 20%%)"),
    )
    group.add_argument(
        "--yes",
        action="store_true",
        help=_("ask nothing; an account's name that resembles another one's is meant so"),
    )
    group.add_argument(
        "--new-identity",
        action="store_true",
        help=_("send although the mapping now tells conversions apart in another way than before"),
    )


def _address(to: argparse._ActionsContainer) -> None:
    to.add_argument("--base-url", metavar="URL", help=_("endpoint (env RDIMPORT_BASE_URL)"))
    to.add_argument(
        "--insecure-http",
        action="store_true",
        help=_("let key and leads travel in clear to a --base-url with http:// on another machine"),
    )


def _key_file(to: argparse._ActionsContainer) -> None:
    to.add_argument(
        "--api-key-file",
        type=Path,
        metavar="FILE",
        help=_("file with the key, readable by you only"),
    )


def _sending(to: argparse.ArgumentParser) -> None:
    group = to.add_argument_group(_("sending"))
    _key_file(group)
    group.add_argument(
        "--concurrency",
        type=positive,
        default=64,
        metavar="N",
        help=_("requests open at most (64)"),
    )
    group.add_argument(
        "--limit",
        type=positive,
        metavar="N",
        help=_("send at most N rows; the others stay pending"),
    )
    _ending(group)
    group.add_argument(
        "--timeout",
        type=some_seconds,
        default=60.0,
        metavar="TIME",
        help=_("how long an answer may take before its row is uncertain (1m)"),
    )
    group.add_argument(
        "--transport",
        choices=("auto", "lean", "httpx"),
        default="auto",
        help=_(
            "what sends: httpx over a new connection for each request, our own lean code over"
            " connections that are used again, or httpx up to ten requests a second (auto)"
        ),
    )
    group.add_argument("--dry-run", action="store_true", help=_("the same as check"))


def _ending(to: argparse._ActionsContainer) -> None:
    """Options that limit a run."""
    to.add_argument(
        "--max-duration", type=seconds, metavar="TIME", help=_("stop after 2h, 45m or 30s")
    )
    to.add_argument(
        "--patience",
        type=seconds,
        default=120.0,
        metavar="TIME",
        help=_("how long an endpoint may be down before the run stops (2m)"),
    )
    to.add_argument(
        "--wait",
        type=seconds,
        default=0.0,
        metavar="TIME",
        help=_("how long to wait for an account that another run is at work on (0s)"),
    )
    to.add_argument(
        "--until", type=time_of_day, metavar="HH:MM", help=_("stop at this time of the day")
    )
    to.add_argument(
        "--canary",
        type=positive,
        metavar="N",
        help=_("send N rows, stop, and say what to look for in RD Station"),
    )


def _output(to: argparse.ArgumentParser) -> None:
    group = to.add_argument_group(_("output"))
    _places(group)
    group.add_argument(
        "--json",
        action="store_true",
        help=_("one JSON object on standard output, nothing else there"),
    )
    _full_report(group)
    group.add_argument("--quiet", action="store_true", help=_("speak only when a person is needed"))


def _full_report(to: argparse._ActionsContainer) -> None:
    to.add_argument(
        "--full-report",
        action="store_true",
        help=_("show personal data in report.html as it is"),
    )


def _language(to: argparse._ActionsContainer, default: str) -> None:
    to.add_argument(
        "--lang",
        type=spoken,
        metavar="en|pt-BR",
        default=default,
        help=_("language of all that is said and written (from the environment)"),
    )


def language_here() -> Language:
    """The language according to the environment."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if os.environ.get(name):
            return language_of(os.environ[name])
    return "en"


def language_in(words: Sequence[str]) -> Language:
    """The language given on a command line; needed before the line is parsed."""
    for word, following in zip_longest(words, words[1:], fillvalue=""):
        name, _mark, value = word.partition("=")
        if name == "--lang":
            with suppress(argparse.ArgumentTypeError):
                return spoken(value or following)
    return language_here()


def _log(to: argparse.ArgumentParser) -> None:
    group = to.add_argument_group(_("log"))
    group.add_argument(
        "--log-file", type=Path, metavar="FILE", help=_("write what happens here too")
    )
    group.add_argument("--log-format", choices=("text", "json"), default="text", help=_("(text)"))
    metrics = _("write the metrics of all jobs here, for Prometheus")
    group.add_argument("--metrics-file", type=Path, metavar="FILE", help=metrics)


def _places(to: argparse._ActionsContainer, reports: str = "") -> None:
    _state_dir(to)
    what = reports or _("gets the reports (rdimport-reports)")
    to.add_argument("--report-dir", type=Path, metavar="DIR", help=what)


def _state_dir(to: argparse._ActionsContainer) -> None:
    to.add_argument(
        "--state-dir", type=Path, metavar="DIR", help=_("holds the ledger (env RDIMPORT_STATE_DIR)")
    )
    _shared(to)


def _shared(to: argparse._ActionsContainer) -> None:
    to.add_argument(
        "--ledger",
        metavar="URL",
        help=_("ledger that machines share, in PostgreSQL (env RDIMPORT_LEDGER)"),
    )


def _sandbox(to: argparse.ArgumentParser) -> None:
    from rdimport.sandbox.arguments import add_arguments  # noqa: PLC0415

    add_arguments(to)


class _Version(argparse.Action):
    """Looks up the version only when needed: that takes a tenth of a second."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version  # noqa: PLC0415

        sys.stdout.write(f"rdimport {version('rdimport')}\n")  # exit() prints to standard error
        parser.exit()
