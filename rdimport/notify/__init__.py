"""Who is told how a job ended: people by apprise, and a dead man's switch by HTTP.

In: how a job ended, and how it had ended before. Out: messages. Whatever goes wrong here is a
sentence for the person who looks after the server, and changes nothing about a run.
"""

from __future__ import annotations

from rdimport.notify.rules import Ending, Rule, applying, text
from rdimport.notify.send import ping, send

__all__ = ["Ending", "Rule", "applying", "ping", "send", "text"]
