"""The status of workers: the jobs they run, the jobs that wait, and paused accounts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from rdimport.core.messages import _
from rdimport.core.messages.written import second
from rdimport.ledger import Pause, WorkerState
from rdimport.report.job_status import JobStatus


class Queued(NamedTuple):
    """A job in the queue: running, or waiting, perhaps until a time."""

    job: str
    account: str
    at_work: bool
    at: datetime | None


class Table(NamedTuple):
    """A table of a screen or a page."""

    title: str
    headings: tuple[str, ...]
    rows: list[tuple[str, ...]]


class FleetStatus(NamedTuple):
    """The state of all workers, accounts and jobs of a shared ledger."""

    workers: Sequence[WorkerState]
    paused: Sequence[Pause]
    queue: Sequence[Queued]
    jobs: Sequence[JobStatus]

    def as_json(self) -> dict[str, Any]:
        """A JSON object for scripts."""
        return {
            "workers": [
                {
                    "name": one.name,
                    "slots": one.slots,
                    "jobs": list(one.jobs),
                    "state": state(one),
                    "seen": one.seconds,
                }
                for one in self.workers
            ],
            "paused": [{**one._asdict(), "since": one.since.isoformat()} for one in self.paused],
            "queue": [
                {**one._asdict(), "at": one.at.isoformat() if one.at else None}
                for one in self.queue
            ],
            "jobs": [one.as_json() for one in self.jobs],
        }


def state(worker: WorkerState) -> str:
    """`silent`, `draining` or `working`."""
    if worker.is_silent:
        return "silent"
    return "draining" if worker.drains else "working"


def tables(found: FleetStatus) -> list[Table]:
    """Workers, paused accounts, and waiting jobs; empty tables are omitted."""
    known = [
        Table(
            _("Workers"),
            (_("worker"), _("what it does"), _("slots"), _("seen"), _("jobs")),
            list(map(_worker, found.workers)),
        ),
        Table(
            _("Paused accounts"),
            (_("account"), _("since"), _("why")),
            [
                (one.account, second(one.since.isoformat()), one.why.partition("\n")[0])
                for one in found.paused
            ],
        ),
        Table(_("Queue"), (_("job"), _("account"), _("waits for")), list(_waiting(found.queue))),
    ]
    return [table for table in known if table.rows]


def _worker(worker: WorkerState) -> tuple[str, ...]:
    states = {
        "silent": _("silent, presumed dead"),
        "draining": _("ends"),
        "working": _("takes jobs"),
    }
    seen = _("{number} s ago", number=round(worker.seconds))
    return worker.name, states[state(worker)], str(worker.slots), seen, ", ".join(worker.jobs)


def _waiting(queue: Sequence[Queued]) -> Iterator[tuple[str, ...]]:
    for one in queue:
        if not one.at_work:
            at = second(one.at.isoformat()) if one.at else _("a worker, or its account")
            yield one.job, one.account, at
