"""The webhook with the trigger “Nova conversão”: a call for each conversion, as RD makes it.

RD waits 5 seconds for a 2xx, tries three times more, and then drops the call.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from queue import SimpleQueue
from threading import Thread
from typing import Final
from urllib.error import URLError
from urllib.request import Request, urlopen

ANSWER_WITHIN: Final = 5.0
"""Seconds that RD waits for an answer."""

TRIES: Final = 4


def body(email: str, identifier: str, at: float, fields: Mapping[str, object]) -> bytes:
    """What RD sends of one conversion: the event, and all fields of the contact that are filled."""
    contact = {name: value for name, value in fields.items() if name != "company_name"}
    if company := fields.get("company_name"):
        contact["company"] = {"name": company}
    call = {
        "event_type": "WEBHOOK.CONVERTED",
        "entity_type": "CONTACT",
        "event_identifier": identifier,
        "event_timestamp": datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds"),
        "contact": {"uuid": str(uuid.uuid4()), "email": email, **contact},
    }
    return json.dumps(call, ensure_ascii=False).encode()


def export(rows: Iterator[tuple[str, str, float]]) -> Iterator[str]:
    """The lines of an export: e-mail, conversion and moment of each."""
    yield "Email,Evento de conversão,Data da conversão"
    for email, identifier, at in rows:
        moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
        quoted = (f'"{text.replace(chr(34), chr(34) * 2)}"' for text in (email, identifier))
        yield ",".join((*quoted, moment))


class Webhook:
    """Calls an address from a thread of its own; nothing waits for it. Without an `url` it calls
    nobody.
    """

    def __init__(self) -> None:
        self.url = ""
        self.delivered = self.dropped = 0
        self._calls: SimpleQueue[bytes] = SimpleQueue()
        self._thread: Thread | None = None

    def tell(self, call: bytes) -> None:
        """Let a call be made."""
        if self._thread is None:
            self._thread = Thread(target=self._work, name="webhook", daemon=True)
            self._thread.start()
        self._calls.put(call)

    def _work(self) -> None:
        while True:
            call = self._calls.get()
            if any(self._call(call) for _ in range(TRIES)):
                self.delivered += 1
            else:
                self.dropped += 1

    def _call(self, call: bytes) -> bool:
        headers = {"content-type": "application/json"}
        with suppress(URLError, OSError, ValueError):
            request = Request(self.url, call, headers, method="POST")  # noqa: S310  it is told where
            with urlopen(request, timeout=ANSWER_WITHIN) as answer:  # noqa: S310
                return 200 <= int(answer.status) < 300
        return False
