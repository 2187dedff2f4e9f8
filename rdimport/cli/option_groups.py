"""Groups of options that several commands have."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from rdimport.cli.option_types import new_file, positive, seconds, some_seconds, time_of_day
from rdimport.core.messages import _

Options: TypeAlias = "argparse._ActionsContainer"  # noqa: SLF001  it has no public name


def flag(to: Options, name: str, text: str) -> None:
    """An option without a value."""
    to.add_argument(name, action="store_true", help=text)


def value(
    to: Options,
    name: str,
    metavar: str,
    text: str,
    kind: Callable[[str], Any] = str,
    *,
    default: object = None,
    needed: bool = False,
) -> None:
    """An option with a value."""
    to.add_argument(name, metavar=metavar, help=text, type=kind, default=default, required=needed)


def choice(
    to: Options, name: str, choices: tuple[str, ...], text: str, default: str | None = None
) -> None:
    """An option with one of these values."""
    to.add_argument(name, choices=choices, default=default, help=text)


def input_options(to: argparse.ArgumentParser, *, needed: bool) -> None:
    """Which lists, which mapping, and who is left out."""
    without = "" if needed else _("; without it: what is in the files")
    group = to.add_argument_group(_("input"))
    file_options(group)
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
        help=_("rows in this state after earlier runs are sent again (repeatable)"),
    )
    late = _("include uncertain rows of a machine that was lost less than 15 minutes ago")
    flag(group, "--now", late)
    proved = _("of the uncertain rows, only those missing from a complete export (see settle)")
    flag(group, "--not-proved", proved)
    group.add_argument(
        "--suppress",
        action="append",
        default=[],
        metavar="FILE",
        help=_(
            "list of people who must not be sent: e-mail addresses or their SHA-256 (repeatable)"
        ),
    )


def file_options(to: Options) -> None:
    """The lists, and how they are read."""
    to.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help=_("spreadsheets, or https:// and s3:// addresses of them; - is standard input"),
    )
    value(to, "--member", "PATTERN", _("the list to read, if an archive contains several"))
    value(to, "--sheet", "NAME", _("sheet of a workbook"))
    value(to, "--delimiter", "CHAR", _("delimiter of a text file; `tab` for a tab"))
    value(to, "--encoding", "NAME", _("encoding of a text file, such as cp1252"))
    value(to, "--header-row", "N", _("row with the column names"), positive)


def target_options(to: argparse.ArgumentParser) -> None:
    """Which endpoint, account and quota."""
    group = to.add_argument_group(_("where to"))
    address_options(group)
    flag(group, "--sandbox", _("start a local sandbox for this run and send there"))
    account_option(group, _("RD account, which has its own ledger and quota (default)"))
    plans = ("light", "basic", "pro", "advanced")
    choice(group, "--plan", plans, _("RD plan, which sets the quota: 120 a minute, advanced 500"))
    value(group, "--quota", "N/min", _("quota: N/min, N/s, N/h or none (default: 120/min)"))
    left = _("share of the quota left to other integrations (such as 20%%)")
    value(group, "--reserve", "SHARE", left)
    sure = _("ask no questions; use the account name even if it resembles another one")
    flag(group, "--yes", sure)
    new = _("send even though the mapping now identifies conversions in another way")
    flag(group, "--new-identity", new)


def address_options(to: Options) -> None:
    """The address of the endpoint."""
    value(to, "--base-url", "URL", _("endpoint (env RDIMPORT_BASE_URL)"))
    plain = _("send key and leads unencrypted to an http:// --base-url on another machine")
    flag(to, "--insecure-http", plain)


def account_option(to: Options, text: str) -> None:
    """Which account."""
    value(to, "--account", "NAME", text)


def key_file_option(to: Options) -> None:
    """Where the API key is."""
    value(to, "--api-key-file", "FILE", _("file with the key, readable by you only"), Path)


def settings_option(to: Options) -> None:
    """Where the settings are."""
    value(to, "--config", "FILE", _("the settings file (env RDIMPORT_CONFIG)"), Path)


def metrics_option(to: Options) -> None:
    """Where metrics are written to."""
    text = _("write the metrics of all jobs to this file, for Prometheus")
    value(to, "--metrics-file", "FILE", text, new_file)


def sending_options(to: argparse.ArgumentParser) -> None:
    """How many requests at once, and for how long."""
    group = to.add_argument_group(_("sending"))
    key_file_option(group)
    value(
        group, "--concurrency", "N", _("maximum number of open requests (64)"), positive, default=64
    )
    value(group, "--limit", "N", _("send at most N rows; the others stay pending"), positive)
    ending_options(group)
    late = _("how long a response may take before its row is uncertain (1m)")
    value(group, "--timeout", "TIME", late, some_seconds, default=60.0)
    how = _(
        "how to send: httpx with a new connection for each request, our own lean code "
        "with connections that are reused, or httpx up to ten requests per second (auto)"
    )
    choice(group, "--transport", ("auto", "lean", "httpx"), how, "auto")
    flag(group, "--dry-run", _("the same as check"))


def ending_options(to: Options) -> None:
    """Options that limit a run."""
    long = _("stop after 1d, 2h, 45m or 30s (a number alone means seconds)")
    value(to, "--max-duration", "TIME", long, seconds)
    down = _("how long an endpoint may be down before the run stops (2m)")
    value(to, "--patience", "TIME", down, seconds, default=120.0)
    busy = _("how long to wait for an account that another run is using (0s)")
    value(to, "--wait", "TIME", busy, seconds, default=0.0)
    value(to, "--until", "HH:MM", _("stop at this time of day"), time_of_day)
    trial = _("send N rows, stop, and say what to look for in RD Station")
    value(to, "--canary", "N", trial, positive)


def output_options(to: argparse.ArgumentParser) -> None:
    """What is printed, and where."""
    group = to.add_argument_group(_("output"))
    place_options(group)
    flag(group, "--json", _("print only one JSON object on standard output"))
    full_report_option(group)
    flag(group, "--quiet", _("print only what needs attention"))


def full_report_option(to: Options) -> None:
    """Whether the report has every row."""
    flag(to, "--full-report", _("show personal data in report.html unmasked"))


def log_options(to: argparse.ArgumentParser) -> None:
    """The log file."""
    group = to.add_argument_group(_("log"))
    value(group, "--log-file", "FILE", _("also write a log to this file"), new_file)
    choice(group, "--log-format", ("text", "json"), _("format of the log (text)"), "text")
    metrics_option(group)


def place_options(to: Options, reports: str = "") -> None:
    """Where state and reports are."""
    state_dir_option(to)
    what = reports or _("folder for the reports (rdimport-reports)")
    value(to, "--report-dir", "DIR", what, Path)


def state_dir_option(to: Options) -> None:
    """Where the ledger is."""
    value(to, "--state-dir", "DIR", _("folder of the ledger (env RDIMPORT_STATE_DIR)"), Path)
    shared_ledger_option(to)


def shared_ledger_option(to: Options) -> None:
    """The ledger of a team."""
    where = _("ledger shared by several machines, in PostgreSQL (env RDIMPORT_LEDGER)")
    value(to, "--ledger", "URL", where)
