"""Workers on any number of machines that take jobs from a queue in the ledger's database.

In comes a function that runs one job; out goes what became of it. The queue is only a trigger: it
may fire twice, late or never, and the ledger bears it. Other rooms import from here.
"""

from rdimport.fleet.following import After, JobEnd, Next, following
from rdimport.fleet.queue import Queue, Queued
from rdimport.fleet.schedule import is_time, last_tick, next_tick
from rdimport.fleet.worker import Plan, Worker

__all__ = [
    "After",
    "JobEnd",
    "Next",
    "Plan",
    "Queue",
    "Queued",
    "Worker",
    "following",
    "is_time",
    "last_tick",
    "next_tick",
]
