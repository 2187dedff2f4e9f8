"""`rdimport.toml`: the accounts, jobs and defaults that every line of a crontab would repeat.

Text in, `Settings` out. Nothing here reads a key or starts a job: `Settings` says where the key is
and what the job's command line would be.
"""

from __future__ import annotations

from rdimport.config.add_job import NewJob, add_job
from rdimport.config.load import find, load
from rdimport.config.model import Account, Address, ApiKey, Defaults, Job, Notify, Settings

__all__ = [
    "Account",
    "Address",
    "ApiKey",
    "Defaults",
    "Job",
    "NewJob",
    "Notify",
    "Settings",
    "add_job",
    "find",
    "load",
]
