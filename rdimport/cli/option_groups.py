"""Groups of options that several commands have."""

from __future__ import annotations

import argparse
from pathlib import Path

from rdimport.cli.option_types import positive, seconds, some_seconds, time_of_day
from rdimport.core.messages import _


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
    group.add_argument(
        "--now",
        action="store_true",
        help=_("include uncertain rows of a machine that was lost less than 15 minutes ago"),
    )
    group.add_argument(
        "--not-proved",
        action="store_true",
        help=_("of the uncertain rows, only those missing from a complete export (see settle)"),
    )
    group.add_argument(
        "--suppress",
        action="append",
        default=[],
        metavar="FILE",
        help=_(
            "list of people who must not be sent: e-mail addresses or their SHA-256 (repeatable)"
        ),
    )


def file_options(to: argparse._ActionsContainer) -> None:
    """The lists, and how they are read."""
    to.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help=_("spreadsheets, or https:// and s3:// addresses of them; - is standard input"),
    )
    to.add_argument(
        "--member", metavar="PATTERN", help=_("the list to read, if an archive contains several")
    )
    to.add_argument("--sheet", metavar="NAME", help=_("sheet of a workbook"))
    to.add_argument(
        "--delimiter", metavar="CHAR", help=_("delimiter of a text file; `tab` for a tab")
    )
    to.add_argument("--encoding", metavar="NAME", help=_("encoding of a text file, such as cp1252"))
    to.add_argument("--header-row", type=positive, metavar="N", help=_("row with the column names"))


def target_options(to: argparse.ArgumentParser) -> None:
    """Which endpoint, account and quota."""
    group = to.add_argument_group(_("where to"))
    address_options(group)
    group.add_argument(
        "--sandbox",
        action="store_true",
        help=_("start a local sandbox for this run and send there"),
    )
    group.add_argument(
        "--account",
        metavar="NAME",
        help=_("RD account, which has its own ledger and quota (default)"),
    )
    group.add_argument(
        "--plan",
        choices=("light", "basic", "pro", "advanced"),
        help=_("RD plan, which sets the quota: 120 a minute, advanced 500"),
    )
    group.add_argument(
        "--quota", metavar="N/min", help=_("quota: N/min, N/s, N/h or none (default: 120/min)")
    )
    group.add_argument(
        "--reserve",
        metavar="SHARE",
        help=_("share of the quota left to other integrations (such as 20%%)"),
    )
    group.add_argument(
        "--yes",
        action="store_true",
        help=_("ask no questions; use the account name even if it resembles another one"),
    )
    group.add_argument(
        "--new-identity",
        action="store_true",
        help=_("send even though the mapping now identifies conversions in another way"),
    )


def address_options(to: argparse._ActionsContainer) -> None:
    """The address of the endpoint."""
    to.add_argument("--base-url", metavar="URL", help=_("endpoint (env RDIMPORT_BASE_URL)"))
    to.add_argument(
        "--insecure-http",
        action="store_true",
        help=_("send key and leads unencrypted to an http:// --base-url on another machine"),
    )


def key_file_option(to: argparse._ActionsContainer) -> None:
    """Where the API key is."""
    to.add_argument(
        "--api-key-file",
        type=Path,
        metavar="FILE",
        help=_("file with the key, readable by you only"),
    )


def sending_options(to: argparse.ArgumentParser) -> None:
    """How many requests at once, and for how long."""
    group = to.add_argument_group(_("sending"))
    key_file_option(group)
    group.add_argument(
        "--concurrency",
        type=positive,
        default=64,
        metavar="N",
        help=_("maximum number of open requests (64)"),
    )
    group.add_argument(
        "--limit",
        type=positive,
        metavar="N",
        help=_("send at most N rows; the others stay pending"),
    )
    ending_options(group)
    group.add_argument(
        "--timeout",
        type=some_seconds,
        default=60.0,
        metavar="TIME",
        help=_("how long a response may take before its row is uncertain (1m)"),
    )
    group.add_argument(
        "--transport",
        choices=("auto", "lean", "httpx"),
        default="auto",
        help=_(
            "how to send: httpx with a new connection for each request, our own lean code "
            "with connections that are reused, or httpx up to ten requests per second (auto)"
        ),
    )
    group.add_argument("--dry-run", action="store_true", help=_("the same as check"))


def ending_options(to: argparse._ActionsContainer) -> None:
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
        help=_("how long to wait for an account that another run is using (0s)"),
    )
    to.add_argument(
        "--until", type=time_of_day, metavar="HH:MM", help=_("stop at this time of day")
    )
    to.add_argument(
        "--canary",
        type=positive,
        metavar="N",
        help=_("send N rows, stop, and say what to look for in RD Station"),
    )


def output_options(to: argparse.ArgumentParser) -> None:
    """What is printed, and where."""
    group = to.add_argument_group(_("output"))
    place_options(group)
    group.add_argument(
        "--json",
        action="store_true",
        help=_("print only one JSON object on standard output"),
    )
    full_report_option(group)
    group.add_argument("--quiet", action="store_true", help=_("print only what needs attention"))


def full_report_option(to: argparse._ActionsContainer) -> None:
    """Whether the report has every row."""
    to.add_argument(
        "--full-report",
        action="store_true",
        help=_("show personal data in report.html unmasked"),
    )


def log_options(to: argparse.ArgumentParser) -> None:
    """The log file."""
    group = to.add_argument_group(_("log"))
    group.add_argument(
        "--log-file", type=Path, metavar="FILE", help=_("also write a log to this file")
    )
    group.add_argument(
        "--log-format", choices=("text", "json"), default="text", help=_("format of the log (text)")
    )
    metrics = _("write the metrics of all jobs to this file, for Prometheus")
    group.add_argument("--metrics-file", type=Path, metavar="FILE", help=metrics)


def place_options(to: argparse._ActionsContainer, reports: str = "") -> None:
    """Where state and reports are."""
    state_dir_option(to)
    what = reports or _("folder for the reports (rdimport-reports)")
    to.add_argument("--report-dir", type=Path, metavar="DIR", help=what)


def state_dir_option(to: argparse._ActionsContainer) -> None:
    """Where the ledger is."""
    to.add_argument(
        "--state-dir",
        type=Path,
        metavar="DIR",
        help=_("folder of the ledger (env RDIMPORT_STATE_DIR)"),
    )
    shared_ledger_option(to)


def shared_ledger_option(to: argparse._ActionsContainer) -> None:
    """The ledger of a team."""
    to.add_argument(
        "--ledger",
        metavar="URL",
        help=_("ledger shared by several machines, in PostgreSQL (env RDIMPORT_LEDGER)"),
    )
