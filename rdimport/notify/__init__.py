"""Notifications of how a job ended: to people by apprise, to a dead man's switch by HTTP.

In: how a job ended, and how it ended before. Out: messages. Errors are returned as sentences for
the administrator, and never affect a run.
"""

from __future__ import annotations

from rdimport.notify.rules import JobEnding, Rule, applying, text
from rdimport.notify.send import ping, send

__all__ = ["JobEnding", "Rule", "applying", "ping", "send", "text"]
