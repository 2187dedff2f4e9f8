"""How fast the sandbox starts and answers: `python benchmarks/sandbox.py [CONVERSIONS]`.

The client writes prepared bytes on 32 connections, so that only the sandbox is measured. If the
system allows it, sandbox and client are pinned to one core each.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import resource
import sys
import time
from urllib.parse import urlsplit

from rdimport.sandbox import SandboxOptions, running

CONNECTIONS = 32


class Client(asyncio.Protocol):
    """One connection: it sends the next request when the answer to the last one is complete."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.transport: asyncio.Transport
        self.answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.send()

    def send(self) -> None:
        request = self.work.next()
        if request is None:
            self.transport.close()
        else:
            self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.answer += data
        if not self.answer.endswith(b'"}'):
            return
        if not self.answer.startswith(b"HTTP/1.1 200"):
            raise SystemExit(self.answer.decode())
        self.answer = b""
        self.work.answered += 1
        self.send()

    def connection_lost(self, exc: Exception | None) -> None:
        self.work.open -= 1
        if not self.work.open:
            self.work.done.set()


class Work:
    """The requests to send, each with an e-mail of its own."""

    def __init__(self, path: str, count: int) -> None:
        self.path, self.count = path, count
        self.number = self.answered = 0
        self.open = CONNECTIONS
        self.done = asyncio.Event()
        self.body = payload()

    def next(self) -> bytes | None:
        if self.number == self.count:
            return None
        self.number += 1
        body = self.body.replace("NUMBER", str(self.number)).encode()
        return (
            f"POST {self.path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            f"accept: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        ).encode() + body


def payload() -> str:
    fields = {
        "conversion_identifier": "Feira ABF 2026",
        "email": "pNUMBER@exemplo.com.br",
        "name": "Pessoa de Exemplo",
        "mobile_phone": "+5511900000000",
        "state": "SP",
        "city": "São Paulo",
        "company_name": "Padaria Exemplo",
        "tags": ["feira-2026", "franquia"],
        "cf_interesse": "Franquia",
        "traffic_source": "feira",
        "legal_bases": [
            {"category": "communications", "type": "consent", "status": "granted"},
        ],
    }
    envelope = {"event_type": "CONVERSION", "event_family": "CDP", "payload": fields}
    return json.dumps(envelope, ensure_ascii=False)


async def load(base_url: str, key: str, count: int) -> float:
    """Seconds for `count` conversions."""
    where = urlsplit(base_url)
    work = Work(f"/platform/conversions?api_key={key}", count)
    loop = asyncio.get_running_loop()
    begin = time.perf_counter()
    for _ in range(CONNECTIONS):
        await loop.create_connection(lambda: Client(work), where.hostname, where.port)
    await work.done.wait()
    assert work.answered == count
    return time.perf_counter() - begin


def pin(core: int) -> None:
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {core})


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}")
    for fields in ("any", "none"):
        pin(0)
        begin = time.perf_counter()
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        with running(SandboxOptions(plan="none", custom_fields=fields)) as sandbox:
            started = time.perf_counter() - begin
            pin(1)
            seconds = asyncio.run(load(sandbox.base_url, sandbox.api_key, count))
            assert sandbox.counts()["accepted"] == count
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
        print(
            f"custom fields {fields}: start {started:.2f} s, {count / seconds:,.0f} conversions/s,"
            f" {cpu / count * 1e6:.0f} µs of CPU each (start included),"
            f" {after.ru_maxrss / 1024:.0f} MiB at most"
        )


if __name__ == "__main__":
    main()
