"""What `rdimport fleet status` prints."""

from __future__ import annotations

from collections.abc import Iterator

from rdimport.cli.screen import job_table
from rdimport.core.messages import _
from rdimport.report.fleet_status import FleetStatus, tables


def lines(found: FleetStatus) -> Iterator[str]:
    """Workers, accounts that rest, the queue; then each account and job."""
    if not found.workers:
        yield _("There is no worker. Type on each machine: rdimport worker")
        yield ""
    for table in tables(found):
        yield f"{table.title}:"
        rows = [table.headings, *table.rows]
        sizes = [max(len(row[column]) for row in rows) for column in range(len(table.headings))]
        for row in rows:
            cells = (f"{cell:<{size}}" for cell, size in zip(row, sizes, strict=True))
            yield f"  {'  '.join(cells)}".rstrip()
        yield ""
    if found.jobs:
        yield from job_table.lines(found.jobs)
