"""A clock set to the wrong time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from rdimport import api
from rdimport.core.clock import SystemClock
from rdimport.destination.rdstation import RDStation
from rdimport.sandbox.embedded import RunningSandbox
from support.command import Workspace


class Elsewhen(SystemClock):
    """The system clock, wrong by `off`."""

    def __init__(self, off: timedelta) -> None:
        self.off = off

    def now(self) -> datetime:
        return datetime.now(UTC) + self.off


def run_by(
    clock: Elsewhen, workspace: Workspace, box: RunningSandbox, mapping: str, **options: Any
) -> api.RunResult:
    """Import the list.csv there by this clock; the times of its requests are still right."""
    return api.run(
        [workspace.home / "list.csv"],
        workspace.home / mapping,
        to=RDStation(box.api_key, base_url=box.base_url),
        state_dir=workspace.state,
        report_dir=workspace.reports,
        quota=None,
        clock=clock,
        **options,
    )
