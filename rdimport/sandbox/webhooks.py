"""The webhook for the trigger “Nova conversão”: one call per conversion, as made by RD.

RD waits 5 seconds for a 2xx response, retries three times, and then drops the call.
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
"""Seconds for which RD waits for a response."""

TRIES: Final = 4


def body(email: str, identifier: str, at: float, fields: Mapping[str, object]) -> bytes:
    """The body of a call: the event, and all non-empty fields of the contact."""
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
    """The lines of an export: e-mail address, conversion and time of each."""
    yield "Email,Evento de conversão,Data da conversão"
    for email, identifier, at in rows:
        moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
        quoted = (f'"{text.replace(chr(34), chr(34) * 2)}"' for text in (email, identifier))
        yield ",".join((*quoted, moment))


class Webhook:
    """Calls a URL from its own thread, without delaying responses; none if it is empty."""

    def __init__(self) -> None:
        self.url = ""
        self.delivered = self.dropped = 0
        self._calls: SimpleQueue[bytes] = SimpleQueue()
        self._thread: Thread | None = None

    def tell(self, call: bytes) -> None:
        """Queue a call."""
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
            request = Request(self.url, call, headers, method="POST")  # noqa: S310  the user names the address
            with urlopen(request, timeout=ANSWER_WITHIN) as answer:  # noqa: S310
                return 200 <= int(answer.status) < 300
        return False
