"""The commands and options of the command line, with their help texts."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import TypeAlias

from rdimport.cli.grammar import Grammar, Help, as_sentence
from rdimport.cli.option_groups import (
    Options,
    account_option,
    address_options,
    file_options,
    flag,
    full_report_option,
    input_options,
    key_file_option,
    log_options,
    metrics_option,
    output_options,
    place_options,
    sending_options,
    settings_option,
    shared_ledger_option,
    state_dir_option,
    target_options,
    value,
)
from rdimport.cli.option_types import (
    age,
    listen_address,
    new_file,
    point_in_time,
    positive,
    spoken,
    utc_offset,
)
from rdimport.cli.streams import write_output
from rdimport.core.messages import Language, _, language_of

_Commands: TypeAlias = "argparse._SubParsersAction[Grammar]"  # noqa: SLF001  it has no public name


def _exit_codes() -> str:
    return _(
        "exit codes:\n"
        "  0   every row was accepted now or earlier, is a duplicate of such a row, or "
        "suppressed\n"
        "  1   finished; some rows are invalid, refused or uncertain: see the failure "
        "report\n"
        "  2   nothing was sent: wrong usage, mapping, file or directory, or no key\n"
        "  3   stopped before the end; the same command continues\n"
        "  70  a bug in rdimport; the ledger is correct\n"
        "  75  another run is using this ledger; try again later\n"
        "\n"
        "The API key comes from --api-key-file, the environment variable RDIMPORT_API_KEY, "
        "or the system's keyring (rdimport key set NAME)."
    )


def parser(*, whole: bool = False) -> argparse.ArgumentParser:
    """The parser for all commands; each gets its options when it is typed, or now if `whole`."""
    top = Grammar(
        prog="rdimport",
        description=_(
            "Imports contact spreadsheets into RD Station Marketing: every row accounted "
            "for, none sent twice unasked."
        ),
        epilog=_exit_codes(),
        formatter_class=Help,
    )
    _language(top, default=language_here())
    top.add_argument("--version", action=_Version, nargs=0, help=_("show the version and exit"))
    commands = top.add_subparsers(dest="command", metavar="COMMAND", parser_class=Grammar)
    _commands(commands)
    if whole:
        for one in commands.choices.values():
            one.complete()
    return top


def _commands(commands: _Commands) -> None:
    """Name all commands. The options of one are added when it is the one that is typed."""
    add = partial(_command, commands)
    needs = _(
        "{run} (the mapping says what each column is; {init} proposes it)",
        run="rdimport run leads.xlsx -m leads.yaml",
        init="rdimport init leads.xlsx -o leads.yaml",
    )
    add("run", _("import files; running it again resumes"), _run, needs, epilog=_exit_codes())
    example = "rdimport check leads.xlsx -m leads.yaml"
    add("check", _("everything except sending: what would happen"), _check, example)
    example = "rdimport init leads.xlsx -o leads.yaml"
    add("init", _("propose a mapping from a file's headers and values"), _init, example)
    add("status", _("did last night's jobs work, and what is next?"), _status)
    add("report", _("write a run's report again"), _report)
    add("settle", _("find out which uncertain rows arrived"), _settle)
    add("sandbox", _("a local RD Station Marketing to send to"), _sandbox)
    add("key", _("API keys in the system's keyring"), _key)
    add("accounts", _("which keys each account of the ledger uses"), _accounts)
    add("jobs", _("the jobs of rdimport.toml: list, check, run"), _jobs)
    example = "rdimport purge --older-than 90d"
    add("purge", _("delete what old runs recorded about people"), _purge, example)
    example = "rdimport forget ana@example.com"
    add("forget", _("erase people from ledger, reports and logs"), _forget, example)
    add("ledger", _("manage the ledger: check, copy, accept, new, key"), _ledger)
    add("fleet", _("one ledger for many machines, in PostgreSQL"), _fleet)
    add("worker", _("run the jobs of rdimport.toml when they are due"), _worker)
    add("schema", _("print the JSON schema of mapping files or of rdimport.toml"), _schema)


def _command(
    commands: _Commands,
    name: str,
    text: str,
    fill: Callable[[argparse.ArgumentParser], None],
    example: str = "",
    *,
    epilog: str = "",
) -> None:
    added = commands.add_parser(
        name,
        help=text,
        description=as_sentence(text),
        epilog=epilog,
        formatter_class=Help,
    )
    added.example = example

    def options(to: argparse.ArgumentParser) -> None:
        _language(to, default=argparse.SUPPRESS)  # default: the value given earlier
        fill(to)

    added.fill = options


def _run(to: argparse.ArgumentParser) -> None:
    input_options(to, needed=True)
    _everything(to)


def _everything(to: argparse.ArgumentParser) -> None:
    """All options common to `run` and `check`."""
    target_options(to)
    sending_options(to)
    output_options(to)
    log_options(to)


def _check(to: argparse.ArgumentParser) -> None:
    input_options(to, needed=False)
    _everything(to)
    all_of = _("write every payload that would be sent to FILE, as JSON lines with row numbers")
    value(to, "--payloads", "FILE", all_of, new_file)


def _init(to: argparse.ArgumentParser) -> None:
    file_options(to.add_argument_group(_("input")))
    where = _("write it here (default: standard output)")
    to.add_argument("-o", "--output", type=Path, metavar="FILE", help=where)
    job = to.add_argument_group(_("a job in rdimport.toml"))
    value(job, "--job", "NAME", _("add a job of these files to the settings"))
    account_option(job, _("the job's account, added if it is new"))
    value(job, "--api-key-file", "FILE", _("where a new account's key is"), Path)
    settings_option(job)


def _status(to: argparse.ArgumentParser) -> None:
    to.add_argument("run", nargs="?", metavar="RUN", help=_("show this run in full"))
    account_option(to, _("only this account"))
    value(to, "--job", "NAME", _("only this job, or jobs matching this pattern"))
    value(to, "--since", "TIME", _("only what ran in the last 24h or 7d"), age)
    code = _("exit code for monitoring: 0 fine, 1 rows need attention, 2 failed, 3 unknown")
    flag(to, "--check", code)
    value(to, "--max-age", "TIME", _("with --check: 26h without a run is a failure"), age)
    value(to, "--config", "FILE", _("the settings file with the jobs"), Path)
    page = _("write it as a page with each account's last 30 nights")
    value(to, "--html", "FILE", page, new_file)
    place_options(to, _("where the reports are (where each run wrote its own)"))
    flag(to, "--json", _("print it as JSON"))


def _report(to: argparse.ArgumentParser) -> None:
    to.add_argument("run", nargs="?", metavar="RUN", help=_("the run's name; default: the latest"))
    place_options(to)
    full_report_option(to)
    flag(to, "--json", _("print the summary as JSON"))
    flag(to, "--quiet", _("print nothing, show no progress"))


def _settle(to: argparse.ArgumentParser) -> None:
    to.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help=_("calls of RD's webhook (JSON lines), or with -m an export of conversions"),
    )
    here = _("receive the webhook's calls there instead, until Ctrl+C")
    value(to, "--listen", "HOST:PORT", here, listen_address)
    group = to.add_argument_group(_("an export"))
    columns = _("what is in its columns")
    group.add_argument("-m", "--mapping", type=Path, metavar="FILE", help=columns)
    moment = _("the column that says when each conversion was made")
    value(group, "--moment", "COLUMN", moment)
    offset = _("for times that do not state it (default: this machine's)")
    value(group, "--utc-offset", "-03:00", offset, utc_offset)
    start = _("start of the period in which the export has all conversions with its identifiers")
    value(group, "--complete-from", "TIME", start, point_in_time)
    value(group, "--complete-until", "TIME", _("end of that period"), point_in_time)
    account_option(to, _("whose rows (default)"))
    address_options(to)
    state_dir_option(to)
    flag(to, "--json", _("print the result as JSON"))
    flag(to, "--quiet", _("print nothing"))


def _key(to: argparse.ArgumentParser) -> None:
    to.add_argument("action", choices=("set", "list", "remove"), help=_("what to do"))
    to.add_argument("name", nargs="?", metavar="NAME", help=_("account, as in run --account NAME"))


def _accounts(to: argparse.ArgumentParser) -> None:
    to.add_argument("action", choices=("list", "add-key", "rename"), help=_("what to do"))
    names = _("for rename: the old and the new name")
    to.add_argument("names", nargs="*", metavar="NAME", help=names)
    account_option(to, _("for add-key: whose key it is (default)"))
    key_file_option(to)
    address_options(to)
    state_dir_option(to)
    flag(to, "--json", _("print the list as JSON"))


def _jobs(to: argparse.ArgumentParser) -> None:
    actions = _actions(to)
    for name, text in (
        ("list", _("the jobs and their accounts")),
        ("check", _("are keys, files and mappings there, and how long will it take?")),
        ("run", _("run them: different accounts at the same time")),
    ):
        action = _action(actions, name, text)
        action.add_argument("names", nargs="*", metavar="NAME", help=_("jobs or patterns (all)"))
        settings_option(action)
        flag(action, "--json", _("print one JSON object"))
        if name == "run":
            flag(action, "--quiet", _("only what needs attention"))
            metrics_option(action)


def _actions(to: argparse.ArgumentParser) -> _Commands:
    return to.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=Grammar)


def _action(actions: _Commands, name: str, text: str) -> Grammar:
    """One of the actions of a command, such as `jobs run`."""
    added = actions.add_parser(name, help=text, description=as_sentence(text))
    _language(added, default=argparse.SUPPRESS)
    return added


def _schema(to: argparse.ArgumentParser) -> None:
    kinds = ("mapping", "config")
    to.add_argument("what", nargs="?", choices=kinds, default=kinds[0], metavar="|".join(kinds))


def _purge(to: argparse.ArgumentParser) -> None:
    value(to, "--older-than", "TIME", _("such as 90d or 12h"), age, needed=True)
    place_options(to, _("delete the reports of forgotten runs there (none)"))


def _forget(to: argparse.ArgumentParser) -> None:
    to.add_argument("emails", nargs="+", metavar="E-MAIL", help=_("addresses; - is standard input"))
    gone = _("also forget that they were sent: anyone on a later list is sent again")
    flag(to, "--also-hash", gone)
    place_options(to, _("where the reports are (where each run wrote its own)"))
    full_report_option(to)


def _ledger(to: argparse.ArgumentParser) -> None:
    actions = _actions(to)
    for name, text in (
        ("check", _("check that the ledger is sound")),
        ("copy", _("make a consistent copy, even while a run is in progress")),
        ("accept", _("continue with an older or another ledger, knowing what it does not know")),
        ("new", _("move what is left of a ledger aside and start over: everyone is sent again")),
        (
            "key",
            _("move the key of the hashes out of the ledger, so that copies of it reveal nothing"),
        ),
    ):
        action = _action(actions, name, text)
        if name == "copy":
            source = _("state directory, file or URL of a shared ledger")
            action.add_argument("source", metavar="FROM", help=source)
            target = _("the same, not existing yet, or empty")
            action.add_argument("target", metavar="TO", help=target)
            continue
        state_dir_option(action)
        if name == "key":
            file = _("new file, readable by you only")
            value(action, "--move-to", "FILE", file, Path, needed=True)
        elif name != "check":
            flag(action, "--yes", _("do not ask"))


def _fleet(to: argparse.ArgumentParser) -> None:
    actions = _actions(to)
    make = _("create the tables of a shared ledger, if the database is safe for it")
    for name, text, whom, what in (
        ("init", make, "", ""),
        ("status", _("what workers and accounts are doing"), "", ""),
        ("pause", _("pause the jobs of an account"), "ACCOUNT", _("accounts")),
        ("resume", _("resume the jobs of an account"), "ACCOUNT", _("accounts")),
        ("drain", _("let workers finish and stop"), "WORKER", _("workers (all)")),
    ):
        action = _action(actions, name, text)
        if whom:
            number = "*" if name == "drain" else "+"
            action.add_argument("names", nargs=number, metavar=whom, help=what)
        if name == "status":
            settings_option(action)
            flag(action, "--json", _("print one JSON object"))
            value(action, "--html", "FILE", _("write a web page"), new_file)
        shared_ledger_option(action)


def _worker(to: argparse.ArgumentParser) -> None:
    shared_ledger_option(to)
    settings_option(to)
    accounts = _("accounts that run at the same time (%(default)s)")
    value(to, "--slots", "N", accounts, positive, default=20)
    flag(to, "--once", _("run what is due or waiting now, then stop; for cron"))
    flag(to, "--quiet", _("print only what needs attention"))


def _language(to: Options, default: str) -> None:
    to.add_argument(
        "--lang",
        type=spoken,
        metavar="en|pt-BR",
        default=default,
        help=_("language of all output (the environment's)"),
    )


def language_here() -> Language:
    """The language according to the environment."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if os.environ.get(name):
            return language_of(os.environ[name])
    return "en"


def language_in(words: Sequence[str]) -> Language | None:
    """The language named on a command line, if any; needed before the line is parsed."""
    for word, following in zip_longest(words, words[1:], fillvalue=""):
        name, _mark, value = word.partition("=")
        if name == "--lang":
            with suppress(argparse.ArgumentTypeError):
                return spoken(value or following)
    return None


def _sandbox(to: argparse.ArgumentParser) -> None:
    from rdimport.sandbox.arguments import add_arguments  # noqa: PLC0415

    add_arguments(to)


class _Version(argparse.Action):
    """Looks up the version only when needed: that takes a tenth of a second."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version  # noqa: PLC0415

        write_output(f"rdimport {version('rdimport')}\n")  # exit() prints to standard error
        parser.exit()
