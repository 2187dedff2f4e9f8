"""Imports contact spreadsheets into RD Station Marketing, one conversion per row.

    result = rdimport.run("leads.xlsx", "leads.yaml", to=rdimport.RDStation(api_key))
    result.counts, result.problems, result.exit_code

Every row is accounted for, and none is sent twice unasked. The names below are the whole public
interface; each is loaded when it is first used, so that importing the package takes no time.
"""

from __future__ import annotations

import os  # of these two Python has its own copies already: pathlib might come from the folder
import sys


def _leave_the_current_folder() -> None:
    """Remove the current folder from Python's path before anything is imported from it.

    `python -m rdimport...` puts it first, and it may contain a `json.py` from a stranger's archive.
    """
    ours = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))  # noqa: PTH120
    words = sys.orig_argv[1:]
    module = words[words.index("-m") + 1] if "-m" in words[:-1] else ""
    # while the package of a module is looked for, the first word is `-m`
    is_started = sys.argv[:1] == ["-m"] and module.partition(".")[0] == "rdimport"
    if is_started and not sys.flags.safe_path and os.path.realpath(sys.path[0]) != ours:
        del sys.path[0]


_leave_the_current_folder()

from importlib import import_module  # noqa: E402

TYPE_CHECKING = False  # `typing` would cost more than all the rest of this module
if TYPE_CHECKING:
    from rdimport.api import check, propose, run, run_async
    from rdimport.api.results import CheckResult, RunResult
    from rdimport.core.errors import (
        ExitCode,
        LedgerBusyError,
        LedgerError,
        MappingError,
        RdimportError,
        ReportError,
        SourceError,
        UsageError,
    )
    from rdimport.core.events import Event, Observer
    from rdimport.core.quota import Quota
    from rdimport.core.row import Problem, State
    from rdimport.destination.rdstation import RDStation
    from rdimport.mapping import Mapping
    from rdimport.report.summary import RunSummary
    from rdimport.source import open_tables

__all__ = [
    "CheckResult",
    "Event",
    "ExitCode",
    "LedgerBusyError",
    "LedgerError",
    "Mapping",
    "MappingError",
    "Observer",
    "Problem",
    "Quota",
    "RDStation",
    "RdimportError",
    "ReportError",
    "RunResult",
    "RunSummary",
    "SourceError",
    "State",
    "UsageError",
    "check",
    "open_tables",
    "propose",
    "run",
    "run_async",
]

_ERRORS = [name for name in __all__ if name.endswith("Error")]
_HOMES = {
    **dict.fromkeys(("check", "propose", "run", "run_async"), "rdimport.api"),
    **dict.fromkeys(("ExitCode", *_ERRORS), "rdimport.core.errors"),
    **dict.fromkeys(("Event", "Observer"), "rdimport.core.events"),
    **dict.fromkeys(("Problem", "State"), "rdimport.core.row"),
    **dict.fromkeys(("CheckResult", "RunResult"), "rdimport.api.results"),
    "Mapping": "rdimport.mapping",
    "RunSummary": "rdimport.report.summary",
    "Quota": "rdimport.core.quota",
    "RDStation": "rdimport.destination.rdstation",
    "open_tables": "rdimport.source",
}


def __getattr__(name: str) -> object:
    """Load a public name (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
