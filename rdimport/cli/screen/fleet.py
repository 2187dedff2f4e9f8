"""The output of `rdimport fleet status`."""

from __future__ import annotations

from collections.abc import Iterator

from rdimport.cli.screen import job_table
from rdimport.cli.screen.layout import table
from rdimport.core.messages import _
from rdimport.report.fleet_status import FleetStatus, tables


def lines(found: FleetStatus) -> Iterator[str]:
    """Workers, paused accounts, the queue; then each account and job."""
    if not found.workers:
        yield _("There is no worker. Type on each machine: rdimport worker")
        yield ""
    for one in tables(found):
        yield f"{one.title}:"
        yield from (f"  {line}" for line in table([one.headings, *one.rows]))
        yield ""
    if found.jobs:
        yield from job_table.lines(found.jobs)
