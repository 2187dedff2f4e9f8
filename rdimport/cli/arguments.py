"""From options to what the API takes: where to, by which mapping, how fast, until when."""

from __future__ import annotations

import argparse
import os
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rdimport.cli import keys
from rdimport.cli.options import parser
from rdimport.core.errors import UsageError

if TYPE_CHECKING:
    from rdimport.cli.log import LogFile
    from rdimport.core.quota import Quota
    from rdimport.core.row import State
    from rdimport.destination.rdstation.custom_fields import CustomFields
    from rdimport.destination.rdstation.endpoint import RDStation
    from rdimport.mapping import Mapping
    from rdimport.source import Hints

# Imports stand where they are used: a mistake in one option needs none of what the others need.

_SANDBOX_ACCOUNT: Final = "sandbox"


def destination(told: argparse.Namespace, stack: ExitStack) -> RDStation:
    """Where the rows go: a sandbox that is started for them, or the endpoint that was named."""
    if not told.sandbox:
        key = keys.find(told.api_key_file, os.environ, told.account or "default")
        return station(told, key)
    if told.base_url:
        raise UsageError("--sandbox and --base-url name two endpoints.", "Leave one of them out.")
    from rdimport import sandbox  # noqa: PLC0415
    from rdimport.destination.rdstation.endpoint import RDStation  # noqa: PLC0415

    wanted = sandbox.SandboxOptions(port=0, plan=told.plan or "none", custom_fields="any")
    box = stack.enter_context(sandbox.running(wanted))
    # a sandbox begins empty each time, so what an earlier one accepted says nothing about it
    return RDStation(
        box.api_key,
        base_url=box.base_url,
        account=told.account or _SANDBOX_ACCOUNT,
        identity=f"sandbox {os.urandom(8).hex()}",
    )


def station(told: argparse.Namespace, key: str | None) -> RDStation:
    """The endpoint that was named, else RD's. Raises UsageError for what cannot be right."""
    from rdimport.destination.rdstation.endpoint import BASE_URL, RDStation  # noqa: PLC0415

    base_url = told.base_url or os.environ.get("RDIMPORT_BASE_URL") or BASE_URL
    return RDStation(
        key,
        base_url=base_url,
        account=told.account or "default",
        insecure_http=told.insecure_http,
    )


def mapping(told: argparse.Namespace) -> Mapping:
    """The mapping. Raises MappingError."""
    from rdimport.mapping import Mapping  # noqa: PLC0415

    return Mapping.load(told.mapping)


def custom_fields(told: argparse.Namespace, mapping: Mapping) -> CustomFields | None:
    """The list of the account's custom fields that the mapping names, beside it."""
    if mapping.catalogue is None:
        return None
    from rdimport.destination.rdstation.custom_fields import CustomFields  # noqa: PLC0415

    return CustomFields.load(told.mapping.parent / mapping.catalogue)


def quota(told: argparse.Namespace) -> Quota | None:
    """What was asked for, else the plan's, else RD's lowest; a sandbox of our own has none."""
    from rdimport.core.quota import Quota  # noqa: PLC0415
    from rdimport.destination.rdstation.fields import PLANS  # noqa: PLC0415

    if told.quota and told.plan:
        raise UsageError("--quota and --plan both set the quota.", "Leave one of them out.")
    default = "none" if told.sandbox else PLANS["light"]
    try:
        return Quota.parse(told.quota or PLANS.get(told.plan or "") or default)
    except ValueError as error:
        raise UsageError(f"--quota: {error}.") from None


def again(told: argparse.Namespace) -> tuple[str, ...]:
    """The options that another command needs in order to do the same; never the key itself."""
    names = "base_url account plan quota api_key_file state_dir report_dir timeout patience"
    names += " concurrency transport lang delimiter encoding header_row sheet member"
    from rdimport.api import REPORT_DIR  # noqa: PLC0415

    usual = parser().parse_args(["run", "FILE", "-m", "MAPPING"])
    words = ["--sandbox"] if told.sandbox else []
    words += ["--insecure-http"] if told.insecure_http else []
    for name in names.split():
        value = getattr(told, name)
        if name in ("base_url", "state_dir"):  # who types it may not have our environment
            value = value or os.environ.get(f"RDIMPORT_{name.upper()}")
        if name == "report_dir":
            value = value or REPORT_DIR
        if value and name in ("api_key_file", "state_dir", "report_dir"):
            value = Path(value).absolute()
        if value == "\t":
            value = "tab"
        if value != getattr(usual, name):
            words += [f"--{name.replace('_', '-')}", str(value)]
    return tuple(words)


def refuse_two_limits(told: argparse.Namespace) -> None:
    """Raises UsageError where two options set how many rows are sent."""
    if told.canary and told.limit:
        raise UsageError(
            "--canary and --limit both say how many rows are sent.", "Leave one of them out."
        )


def time_to_spend(told: argparse.Namespace) -> float | None:
    """Seconds until the run has to stop; None when it may take as long as it takes."""
    if told.until is None:
        return told.max_duration  # type: ignore[no-any-return]
    if told.max_duration is not None:
        raise UsageError("--until and --max-duration both end the run.", "Leave one of them out.")
    from rdimport.core.clock import SystemClock  # noqa: PLC0415

    now = SystemClock().now().astimezone()
    hour, minute = told.until
    end = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return (end - now).total_seconds() % timedelta(days=1).total_seconds()


def log_file(told: argparse.Namespace, stack: ExitStack) -> LogFile | None:
    """The log that was asked for, open until the stack closes."""
    if told.log_file is None:
        return None
    from rdimport.cli import log  # noqa: PLC0415
    from rdimport.core.clock import SystemClock  # noqa: PLC0415

    as_json = told.log_format == "json"
    return stack.enter_context(log.opened(told.log_file, SystemClock(), keys.MASK, as_json=as_json))


def hints(told: argparse.Namespace) -> Hints:
    """What the person knows of the files."""
    from rdimport.source import Hints  # noqa: PLC0415

    delimiter = {"tab": "\t", "\\t": "\t"}.get(told.delimiter, told.delimiter)
    return Hints(told.sheet, told.header_row, delimiter, told.encoding, member=told.member)


def resend(told: argparse.Namespace) -> frozenset[State]:
    """The states whose rows are sent again."""
    from rdimport.core.row import State  # noqa: PLC0415

    return frozenset(State(name) for name in told.resend)


def state_dir(told: argparse.Namespace) -> Path:
    """Where the ledger is: as told, else where this system keeps programs' state. Raises UsageError
    for a file.
    """
    named = told.state_dir or os.environ.get("RDIMPORT_STATE_DIR")
    if named:
        for place in (Path(named), *Path(named).absolute().parents):
            if os.path.isfile(place):  # noqa: PTH113  says no where it may not look
                raise UsageError(
                    f"{named} cannot hold the ledger: {place} is a file.",
                    "Name a directory with --state-dir.",
                )
        return Path(named)
    from rdimport.api import default_state_dir  # noqa: PLC0415

    return default_state_dir()


def reach(told: argparse.Namespace) -> tuple[str, ...]:
    """The options by which another command finds the same ledger, whoever types it and where."""
    named = told.state_dir or os.environ.get("RDIMPORT_STATE_DIR")
    return ("--state-dir", str(Path(named).absolute())) if named else ()
