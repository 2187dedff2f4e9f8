"""A clock set to the wrong time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from rdimport import api
from rdimport.core.clock import SystemClock
from rdimport.destination.rdstation import RDStation
from rdimport.sandbox.embedded import RunningSandbox
from support.command import Desk


class Elsewhen(SystemClock):
    """The system clock, wrong by `off`."""

    def __init__(self, off: timedelta) -> None:
        self.off = off

    def now(self) -> datetime:
        return datetime.now(UTC) + self.off


def run_by(
    clock: Elsewhen, desk: Desk, box: RunningSandbox, mapping: str, **options: Any
) -> api.RunResult:
    """Import the desk's list.csv by this clock; the times of its requests are still right."""
    return api.run(
        [desk.home / "list.csv"],
        desk.home / mapping,
        to=RDStation(box.api_key, base_url=box.base_url),
        state_dir=desk.state,
        report_dir=desk.reports,
        quota=None,
        clock=clock,
        **options,
    )
