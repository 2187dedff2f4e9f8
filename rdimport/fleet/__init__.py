"""Workers on any number of machines that take jobs from a queue in the ledger's database.

The caller supplies the function that runs one job. The queue only says when: it may deliver a job
twice, late or never, because the ledger decides which rows are sent. Other packages import from
here.
"""

from rdimport.fleet.following import After, JobEnd, Next, following
from rdimport.fleet.queue import EVENT_LOOP, Queue
from rdimport.fleet.schedule import is_time, last_tick
from rdimport.fleet.starting import Place
from rdimport.fleet.worker import ScheduledJob, Worker

__all__ = [
    "EVENT_LOOP",
    "After",
    "JobEnd",
    "Next",
    "Place",
    "Queue",
    "ScheduledJob",
    "Worker",
    "following",
    "is_time",
    "last_tick",
]
