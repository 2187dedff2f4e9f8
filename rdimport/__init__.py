"""Imports contact spreadsheets into RD Station Marketing, one conversion per row.

    result = rdimport.run("leads.xlsx", "leads.yaml", to=rdimport.RDStation(api_key))
    result.counts, result.problems, result.exit_code

Every row is accounted for, and none is sent twice unasked. The names below are the whole public
interface; each is loaded when it is first used, so that importing the package takes no time.
"""

from __future__ import annotations

from importlib import import_module

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
