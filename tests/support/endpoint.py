"""The sandbox's endpoint in memory, on a clock moved by the test."""

from __future__ import annotations

import json
import weakref
from datetime import UTC, datetime, timedelta

from rdimport.destination.rdstation.endpoint import RDStation
from rdimport.destination.verdict import Evidence
from rdimport.sandbox import SandboxOptions
from rdimport.sandbox.endpoint import CONVERSIONS, Call, Endpoint
from rdimport.sandbox.replies import Reply
from rdimport.sandbox.store import Store

JSON_HEADERS = [(b"content-type", b"application/json"), (b"accept", b"application/json")]


class SetClock:
    """A clock that stands still until moved."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 2, 12, 0, 30, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.at.timestamp()

    def now(self) -> datetime:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.move(seconds)

    def move(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class EndpointInMemory:
    """An endpoint in memory with one account and one key, and a short way to call it."""

    def __init__(self, options: SandboxOptions | None = None) -> None:
        self.clock = SetClock()
        self.options = options or SandboxOptions()
        self.store = Store(self.options.data, self.options.keep)
        weakref.finalize(self, self.store.close)
        self.account = self.store.account("default")
        self.key = self.store.create_key(self.account, "import", 0.0)
        self.endpoint = Endpoint(self.options, self.store, self.clock)

    def post(self, email: str = "ana@exemplo.com.br", **changes: object) -> Reply:
        payload = {"conversion_identifier": "Feira", "email": email}
        envelope = {"event_type": "CONVERSION", "event_family": "CDP", "payload": payload}
        call = {
            "method": "POST",
            "path": CONVERSIONS,
            "query": f"api_key={self.key.secret}",
            "headers": JSON_HEADERS,
            "body": json.dumps(envelope).encode(),
            **changes,
        }
        return self.endpoint.answer(Call(**call))  # type: ignore[arg-type]

    def evidence(self, reply: Reply) -> Evidence:
        """What our own reader concludes from the answer."""
        headers = {name.decode(): value.decode() for name, value in reply.headers}
        return RDStation(self.key.secret).read(reply.status, headers, reply.body).evidence
