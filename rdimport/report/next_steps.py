"""What to type after a run: read from its summary, ready to be pasted into a shell."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any, NamedTuple

from rdimport.report.words import Words


class Step(NamedTuple):
    """A sentence, and the command that does what it says; empty when there is nothing to do."""

    sentence: str
    command: str


def steps(summary: dict[str, Any], words: Words) -> Iterator[Step]:
    """The next commands, the most useful one first."""
    if not summary["read_to_end"]:
        unread = words.counted("next.unread", summary["rows"])
        yield Step(unread, "" if summary["sandbox"] else command(summary, summary["files"]))
    elif summary["pending"] and summary["sandbox"]:
        yield Step(words("next.sandbox"), "rdimport sandbox --new-key test")
    elif summary["pending"]:
        yield Step(words("next.pending"), command(summary, summary["files"]))
    if summary["invalid"] or summary["refused"]:
        yield Step(words("next.failures"), command(summary, [summary["failures_xlsx"]]))
    if summary["uncertain"]:
        again = command(summary, summary["files"], "--resend", "uncertain")
        yield Step(words("next.uncertain"), again)
    left = any(summary[s] for s in ("invalid", "refused", "pending", "uncertain"))
    if summary["read_to_end"] and not left:
        yield Step(words("next.done"), "")


def command(summary: dict[str, Any], files: list[str], *more: str) -> str:
    """The command that imports these files as the run did; the key is in none of its options."""
    named = ["-m", summary["mapping"]] if summary["mapping"] else []
    options = [*named, *summary["again"], *more]
    return shlex.join(["rdimport", "run", *dict.fromkeys(files), *options])
