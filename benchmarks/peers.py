"""What a user would write instead of rdimport: no validation, no ledger, no report, no retry.

    python benchmarks/peers.py NAME URL FILE.csv

`bare` is not a peer but the limit: a socket client that only posts prepared bodies.
"""

from __future__ import annotations

import asyncio
import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

PLACES = 16
HEADERS = {"content-type": "application/json", "accept": "application/json"}
FIELDS = {
    "email": "E-mail",
    "name": "Nome",
    "mobile_phone": "Celular",
    "company_name": "Empresa",
    "job_title": "Cargo",
    "city": "Cidade",
    "state": "UF",
    "cf_interesse": "Interesse",
    "traffic_source": "Origem",
}


def bodies(file: str) -> Iterator[bytes]:
    with open(file, newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            payload = {field: row[column] for field, column in FIELDS.items()}
            payload |= {"conversion_identifier": "Benchmark", "tags": row["Tags"].split(";")}
            payload["legal_bases"] = [
                {"category": "communications", "type": "consent", "status": "granted"}
            ]
            event = {"event_type": "CONVERSION", "event_family": "CDP", "payload": payload}
            yield json.dumps(event, ensure_ascii=False).encode()


async def workers(post, all_bodies) -> None:
    async def one() -> None:
        for body in all_bodies:
            await post(body)

    await asyncio.gather(*(one() for _ in range(PLACES)))


async def bare(url: str, file: str) -> None:
    parts = urlsplit(url)
    head = (
        f"POST {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        "Content-Type: application/json\r\nContent-Length: "
    ).encode()
    ready = iter([head + str(len(b)).encode() + b"\r\n\r\n" + b for b in bodies(file)])
    loop = asyncio.get_running_loop()

    class Connection(asyncio.Protocol):
        def connection_made(self, transport) -> None:
            self.transport = transport
            self.done = loop.create_future()
            self.next()

        def next(self) -> None:
            message = next(ready, None)
            if message is None:
                self.transport.close()
                self.done.set_result(None)
            else:
                self.transport.write(message)

        def data_received(self, data: bytes) -> None:
            assert data.startswith(b"HTTP/1.1 200")
            self.next()

    pairs = [
        await loop.create_connection(Connection, parts.hostname, parts.port) for _ in range(PLACES)
    ]
    await asyncio.gather(*(connection.done for _, connection in pairs))


async def httpx_async(url: str, file: str) -> None:
    import httpx

    async with httpx.AsyncClient(trust_env=False) as client:

        async def post(body: bytes) -> None:
            answer = await client.post(url, content=body, headers=HEADERS)
            answer.raise_for_status().json()

        await workers(post, bodies(file))


async def httpx2_async(url: str, file: str) -> None:
    import httpx2

    async with httpx2.AsyncClient(trust_env=False) as client:

        async def post(body: bytes) -> None:
            answer = await client.post(url, content=body, headers=HEADERS)
            answer.raise_for_status().json()

        await workers(post, bodies(file))


async def aiohttp_semaphore(url: str, file: str) -> None:
    import aiohttp

    places = asyncio.Semaphore(PLACES)
    async with aiohttp.ClientSession() as session:

        async def post(body: bytes) -> None:
            async with places, session.post(url, data=body, headers=HEADERS) as answer:
                answer.raise_for_status()
                await answer.json()

        await asyncio.gather(*(post(body) for body in bodies(file)))


async def pyreqwest_client(url: str, file: str) -> None:
    from pyreqwest.client import ClientBuilder

    async with ClientBuilder().error_for_status(True).build() as client:

        async def post(body: bytes) -> None:
            request = client.post(url).headers(HEADERS).body_bytes(body).build()
            await (await request.send()).json()

        await workers(post, bodies(file))
    os._exit(0)  # version 0.15.1 sometimes aborts at interpreter exit


def requests_loop(url: str, file: str) -> None:
    import requests

    with requests.Session() as session:
        session.trust_env = False
        for body in bodies(file):
            answer = session.post(url, data=body, headers=HEADERS)
            answer.raise_for_status()
            answer.json()


def requests_threads(url: str, file: str) -> None:
    import threading
    from concurrent.futures import ThreadPoolExecutor

    import requests

    own = threading.local()

    def post(body: bytes) -> None:
        if not hasattr(own, "session"):
            own.session = requests.Session()
            own.session.trust_env = False
        answer = own.session.post(url, data=body, headers=HEADERS)
        answer.raise_for_status()
        answer.json()

    with ThreadPoolExecutor(PLACES) as pool:
        for _ in pool.map(post, bodies(file)):
            pass


def xargs_curl(url: str, file: str) -> None:
    lines = b"".join(body.replace(b"'", b"'\\''").join((b"'", b"'\n")) for body in bodies(file))
    command = ["xargs", "-P", str(PLACES), "-I{}", "curl", "-sf", "-o", "/dev/null"]
    command += ["-H", "content-type: application/json", "--data-binary", "{}", url]
    subprocess.run(command, input=lines.replace(b"'\\''", b" "), check=True)


PEERS = {
    "bare": bare,
    "pyreqwest": pyreqwest_client,
    "aiohttp": aiohttp_semaphore,
    "httpx": httpx_async,
    "httpx2": httpx2_async,
    "requests": requests_loop,
    "requests-threads": requests_threads,
    "xargs-curl": xargs_curl,
}

if __name__ == "__main__":
    call = PEERS[sys.argv[1]]
    if asyncio.iscoroutinefunction(call):
        asyncio.run(call(sys.argv[2], sys.argv[3]))
    else:
        call(sys.argv[2], sys.argv[3])
