"""The command's output while it serves: refusals, ignored fields, numbers of accepted requests.

It contains neither e-mail addresses nor keys: a terminal's scrollback outlives the sandbox. At
5,000 requests per second, a line for each would be the slowest part, so equal lines are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

from rdimport.core.messages import _, language, ngettext
from rdimport.core.messages.written import whole
from rdimport.core.visible import shown
from rdimport.sandbox.page import words
from rdimport.sandbox.store import Accepted, Refused

_TOTALS_EVERY = 10.0


class Log:
    """Collects what the store writes; `say` is called with one line at a time."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._accepted = 0
        self._refused = 0
        self._printed = (0, 0)
        self._printed_at = 0.0
        self._lines: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()
        self._due: set[str] = set()
        self._written_at = 0.0

    def note(self, accepted: Sequence[Accepted], refused: Sequence[Refused]) -> None:
        """Count requests written to the store."""
        self._accepted += len(accepted)
        self._refused += len(refused)
        for request in refused:
            why = words.reason(language(), request.reason, request.detail)
            self._lines[f"{request.status or _('no answer')}  {why}"] += 1
        for conversion in accepted:
            for name in conversion.dropped:
                self._dropped[name] += 1
                if _is_round(self._dropped[name]):
                    self._due.add(name)

    def write(self, now: datetime) -> bool:
        """Write what is new, at most once per second. Returns whether more is left to write."""
        if now.timestamp() - self._written_at >= 1:
            self._write(now)
        totals = (self._accepted, self._refused)
        return bool(self._lines or self._due) or totals != self._printed

    def _write(self, now: datetime) -> None:
        at = now.timestamp()
        self._written_at = at
        clock = f"{now.astimezone():%H:%M:%S}"
        for line, times in self._lines.items():
            again = ngettext("  ({number} time)", "  ({number} times)", times) if times > 1 else ""
            self._say(f"{clock}  {_plain(line)}{again}")
        for name in sorted(self._due):
            so_far = _(
                "silently dropped, as RD does: {name}  ({times} so far)",
                name=_plain(name),
                times=whole(self._dropped[name], language()),
            )
            self._say(f"{clock}  {so_far}")
        self._lines.clear()
        self._due.clear()
        totals = (self._accepted, self._refused)
        if totals != self._printed and at - self._printed_at >= _TOTALS_EVERY:
            self._printed, self._printed_at = totals, at
            so_far = ngettext(
                "{accepted}, {number} not accepted yet",
                "{accepted}, {number} not accepted yet",
                self._refused,
                accepted=ngettext("{number} accepted", "{number} accepted", self._accepted),
            )
            self._say(f"{clock}  {so_far}")


def _is_round(count: int) -> bool:
    """Whether the number is 1, 10, 100 …: a name that every conversion has is repeated rarely."""
    return str(count).rstrip("0") == "1"


def _plain(text: str) -> str:
    """Untrusted text without control characters, at most 300 characters."""
    return shown(text[:300])
