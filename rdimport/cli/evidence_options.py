"""The options of `settle` that say what the evidence is."""

from __future__ import annotations

import argparse
from pathlib import Path

from rdimport.cli.option_groups import value
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
