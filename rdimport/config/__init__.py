"""`rdimport.toml`: the accounts, jobs and defaults that every line of a crontab would repeat.

Takes text and returns `Settings`. Nothing here reads a key or starts a job: `Settings` names the
location of each key and builds the command line of each job. Names are loaded on first use,
because the model takes as long to import as half a command, and without settings only `find` is
needed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from rdimport.config.place import find, usual, usual_folder

if TYPE_CHECKING:
    from rdimport.config.model import Account, Address, ApiKey, Defaults, Job, Notify, Settings
    from rdimport.config.new_job import NewJob, add_job
    from rdimport.config.reading import load

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
    "usual",
    "usual_folder",
]

_HOMES = {"NewJob": "new_job", "add_job": "new_job", "load": "reading"}
"""Modules of the names that are not in `model`. A module with a name's own name would hide it."""


def __getattr__(name: str) -> object:
    """Load a name of `__all__` (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_HOMES.get(name, 'model')}"), name)
    globals()[name] = found
    return found
