"""The options of `settle` that say what the evidence is."""

from __future__ import annotations

import argparse
from pathlib import Path

from rdimport.cli.option_types import listen_address, point_in_time, utc_offset
from rdimport.core.messages import _


def evidence(to: argparse.ArgumentParser) -> None:
    """The evidence options: files of calls, a listener, or an export with its mapping."""
    to.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help=_("calls of RD's webhook (JSON lines), or with -m an export of conversions"),
    )
    to.add_argument(
        "--listen",
        type=listen_address,
        metavar="HOST:PORT",
        help=_("receive the webhook's calls there instead, until Ctrl+C"),
    )
    group = to.add_argument_group(_("an export"))
    group.add_argument(
        "-m", "--mapping", type=Path, metavar="FILE", help=_("what is in its columns")
    )
    group.add_argument(
        "--moment", metavar="COLUMN", help=_("the column that says when each conversion was made")
    )
    group.add_argument(
        "--utc-offset",
        type=utc_offset,
        metavar="-03:00",
        help=_("for times that do not state it (default: this machine's)"),
    )
    for name, text in (
        (
            "from",
            _("start of the period in which the export has all conversions with its identifiers"),
        ),
        ("until", _("end of that period")),
    ):
        group.add_argument(f"--complete-{name}", type=point_in_time, metavar="TIME", help=text)
