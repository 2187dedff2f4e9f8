"""What to type after a run: read from its summary, ready to be pasted into a shell."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from rdimport.report.words import Words

_RD: Final = "https://api.rd.services"


class Step(NamedTuple):
    """A sentence, and the command that does what it says; empty when there is nothing to do."""

    sentence: str
    command: str


def steps(summary: dict[str, Any], words: Words) -> Iterator[Step]:
    """The next commands, the most useful one first."""
    if summary["pending"]:
        yield Step(words("next.pending"), command(summary, summary["files"]))
    if summary["invalid"] or summary["refused"]:
        yield Step(words("next.failures"), command(summary, [summary["failures_xlsx"]]))
    if summary["uncertain"]:
        again = command(summary, summary["files"], "--resend", "uncertain")
        yield Step(words("next.uncertain"), again)
    if not any(summary[s] for s in ("invalid", "refused", "pending", "uncertain")):
        yield Step(words("next.done"), "")


def command(summary: dict[str, Any], files: list[str], *more: str) -> str:
    """The command that imports these files as the run did."""
    named = ["-m", summary["mapping"]] if summary["mapping"] else []
    if summary["sandbox"]:
        named += ["--sandbox"]
    elif summary["base_url"] != _RD:
        named += ["--base-url", summary["base_url"]]
    if summary["account"] != "default" and not summary["sandbox"]:
        named += ["--account", summary["account"]]
    return shlex.join(["rdimport", "run", *dict.fromkeys(files), *named, *more])
