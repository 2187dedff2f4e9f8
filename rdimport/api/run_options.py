"""The arguments of a run, as one value for its stages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rdimport.core.clock import Clock
from rdimport.core.events import Observer
from rdimport.core.quota import Quota
from rdimport.core.row import State
from rdimport.delivery.stopping import StopRequest
from rdimport.destination import Destination
from rdimport.destination.rdstation.custom_fields import CustomFields
from rdimport.ledger import Store
from rdimport.plan.departure import Departure
from rdimport.source import Table

if TYPE_CHECKING:
    import polars as pl

    from rdimport.delivery.settings import RandomSource, Settings
    from rdimport.delivery.transport import Kind


class Opened(NamedTuple):
    """The lists of a run: their names, their tables, and the batches of the first one if a thread
    has begun to read it.
    """

    names: Sequence[str]
    tables: Sequence[Table]
    begun: Iterator[pl.DataFrame] | None


class RunOptions(NamedTuple):
    """All arguments of `run`. `quota_dir` is the folder for quotas shared by runs on this machine,
    None if the quota is not shared. `own_store` is that of the state directory, also if `store` is
    a shared one.
    """

    to: Destination
    state_dir: Path
    store: Store
    own_store: Store
    report_dir: Path
    started_in: Path
    quota: Quota | None
    quota_dir: Path | None
    wait: float
    settings: Settings
    resend: frozenset[State]
    resend_now: bool
    not_proved: bool
    suppress: tuple[str, ...]
    custom_fields: CustomFields | None
    on_event: Observer
    clock: Clock
    chance: RandomSource
    signals: bool
    stop: StopRequest | None
    job: str
    batch: str
    mapping_name: str
    sandbox: bool
    again: tuple[str, ...]
    yes: bool
    new_identity: bool
    agreed: Callable[[Departure], bool]
    transport: Kind
    lang: str
    full_report: bool

    @property
    def reports(self) -> Path:
        """The folder of reports as it was named; absolute if the program has changed its current
        folder since.
        """
        there = self.started_in / self.report_dir
        return self.report_dir if self.report_dir.absolute() == there else there
