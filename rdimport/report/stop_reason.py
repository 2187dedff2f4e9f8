"""Why a run stopped before its end, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdimport.core.messages.codes import Code
from rdimport.core.messages.reasons import Reason, detail, explain, reason
from rdimport.core.row import Problem
from rdimport.core.stop import StopReason

if TYPE_CHECKING:
    from rdimport.report.summary import RunSummary

_SAID: Final = (StopReason.ENDPOINT_DOWN, StopReason.WRONG_ENDPOINT, StopReason.CERTIFICATE)
"""Stop reasons whose sentence ends with the detail that was met."""


def why(summary: RunSummary, lang: str) -> Reason | None:
    """Why that run stopped, and what to do; None if it did not."""
    return in_words(summary.stopped_because, summary.base_url, summary.stopped_by, lang)


def in_words(
    stopped_because: str | None, base_url: str, stopped_by: str | None, lang: str
) -> Reason | None:
    """The sentence for a stop reason; an unknown one is shown as it is."""
    if stopped_because is None:
        return None
    code, named = f"stop.{stopped_because}", base_url
    if reason(code, lang) is None:
        code, named = Code.STOP_ERROR, stopped_because
    found = reason(code, lang)
    if found is None:
        return None
    sentence = explain(Problem(code, detail=named), lang)
    if stopped_because in _SAID and stopped_by:
        sentence += f": {detail(stopped_by, lang)}"
    return found._replace(sentence=sentence)


def in_short(stopped_because: str | None, lang: str) -> str:
    """The sentence for a stop reason, where it needs no detail of the run; else empty."""
    if stopped_because in _SAID or reason(f"stop.{stopped_because}", lang) is None:
        return ""
    found = in_words(stopped_because, "", None, lang)
    return found.sentence if found else ""
