"""Compare the HTTP clients that could send: cost per row, and how many rows end in doubt.

    python benchmarks/transports.py [ROWS]

The second part counts rows over connections that the server closes at random moments: how many end
in doubt, and whether a row that the server has read is ever called "not connected", which would
send it twice. Whole runs of the two senders that are used: whole_runs.py.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from statistics import median

import httpx
import httpx2
from httpx_aiohttp import AiohttpTransport
from pyreqwest.client import ClientBuilder
from pyreqwest.compatibility.httpx import HttpxTransport
from receiver import receiving

from rdimport.delivery.transport import (
    NotAnswered,
    NotConnected,
    Reply,
    Timeouts,
    Transport,
    TransportError,
    classify_error,
    connected,
)
from rdimport.delivery.transport.httpx_sender import HttpxSender
from rdimport.destination import Request
from rdimport.destination.rdstation.endpoint import RDStation

PAYLOAD = '{"conversion_identifier":"x","email":"a@exemplo.com.br","name":"' + "y" * 360 + '"}'
PLACES = 16
LOOPS: list[asyncio.AbstractEventLoop] = []  # kept, or closing them would cause warnings
LIMITS = {"max_connections": PLACES, "max_keepalive_connections": PLACES, "keepalive_expiry": 4.0}
Way = Callable[[str], object]


def over(client: Callable[[], object]) -> Way:
    @asynccontextmanager
    async def way(base_url: str) -> AsyncIterator[Transport]:
        async with client() as ready:  # type: ignore[attr-defined]
            yield HttpxSender(ready, {"api_key": "k"}, 90.0)

    return way


async def exchange(transport: Transport, request: Request) -> Reply:
    """Send once and wait. Raises NotConnected or NotAnswered."""
    ended: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

    def done(end: Reply | Exception) -> None:
        if ended.done():
            return
        if isinstance(end, Reply):
            ended.set_result(end)
        else:
            ended.set_exception(end)

    transport.start(request, done)
    try:
        return await ended
    except asyncio.CancelledError:
        transport.abandon(done)
        raise
    except TransportError as error:
        raise classify_error(error) from None


class Httpx2(httpx2.AsyncClient):
    """Takes the URLs of httpx."""

    def build_request(self, method: str, url: object, **more: object) -> httpx2.Request:
        return super().build_request(method, str(url), **more)  # type: ignore[arg-type]


WAYS: dict[str, Way] = {
    "the direct sender": lambda url: connected(url, {"api_key": "k"}, PLACES, Timeouts()),
    "httpx, a new connection each time": lambda url: connected(
        url, {"api_key": "k"}, PLACES, Timeouts(), "httpx"
    ),
    "httpx": over(lambda: httpx.AsyncClient(limits=httpx.Limits(**LIMITS), trust_env=False)),
    "httpx2": over(lambda: Httpx2(limits=httpx2.Limits(**LIMITS), trust_env=False)),
    "httpx over httpx-aiohttp": over(
        lambda: httpx.AsyncClient(
            transport=AiohttpTransport(limits=httpx.Limits(**LIMITS), verify=False)
        )
    ),
    "httpx over pyreqwest": over(
        lambda: httpx.AsyncClient(transport=HttpxTransport(ClientBuilder().build()))
    ),
}


async def drive(rows: int, post: Callable[[int], Awaitable[object]], places: int) -> None:
    numbers = iter(range(rows))

    async def one() -> None:
        for number in numbers:
            await post(number)

    await asyncio.gather(*(one() for _ in range(places)))


async def cost(way: Way, base_url: str, rows: int, places: int) -> float:
    """CPU seconds per row."""
    to = RDStation("k", base_url=base_url)
    async with way(base_url) as transport:  # type: ignore[attr-defined]

        async def post(_: int) -> None:
            if (await exchange(transport, to.build(PAYLOAD))).status != 200:
                raise RuntimeError("not accepted")

        await drive(100, post, places)
        start = time.process_time()
        await drive(rows, post, places)
        return (time.process_time() - start) / rows


async def closing(
    way: Way, rows: int, after_body: float, idle: tuple[float, float], gap: tuple[float, float]
) -> dict[str, int]:
    """Results of rows if the server closes connections after `idle` seconds (minimum, maximum), and
    with probability `after_body` also instead of an answer; `gap` is the pause in seconds between
    two rows.
    """
    rng = random.Random(8)
    read: set[int] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                next_head = reader.readuntil(b"\r\n\r\n")
                head = await asyncio.wait_for(next_head, rng.uniform(*idle))
                size = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                body = await reader.readexactly(size)
                read.add(int(body.partition(b'"n":')[2].rstrip(b"}")))
                if rng.random() < after_body:
                    return
                writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{"event_uuid":"u"}')
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    loop = asyncio.new_event_loop()  # a separate loop: a server does not wait for its clients
    LOOPS.append(loop)
    threading.Thread(target=loop.run_forever, daemon=True).start()
    starting = asyncio.start_server(serve, "127.0.0.1", 0)
    server = await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(starting, loop))
    base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    to = RDStation("k", base_url=base_url)
    counts = {"answered": 0, "doubt": 0, "called unsent": 0, "of these read by the server": 0}
    async with way(base_url) as transport:  # type: ignore[attr-defined]

        async def post(number: int) -> None:
            await asyncio.sleep(rng.uniform(*gap))
            try:
                await exchange(transport, to.build(f'{{"n":{number}}}'))
                counts["answered"] += 1
            except NotAnswered:
                counts["doubt"] += 1
            except NotConnected:
                counts["called unsent"] += 1
                counts["of these read by the server"] += number in read

        await drive(rows, post, 8)
    loop.call_soon_threadsafe(loop.stop)
    return counts


async def main() -> None:
    await compare(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000)
    sys.stdout.flush()
    os._exit(0)  # pyreqwest 0.15.1 sometimes aborts at interpreter exit


async def compare(rows: int) -> None:
    with receiving() as receiver:
        print("| transport | CPU per row, µs: 16 open | 64 open |\n|---|---:|---:|")
        found: dict[tuple[str, int], list[float]] = {}
        for _ in range(3):
            for name, way in WAYS.items():
                for places in (16, 64):
                    size = rows // 10 if name.startswith("httpx") and "over" not in name else rows
                    used = await cost(way, receiver.base_url, size, places)
                    found.setdefault((name, places), []).append(1e6 * used)
        for name in WAYS:
            few, many = (median(found[name, places]) for places in (16, 64))
            print(f"| {name} | {few:.0f} | {many:.0f} |")
    print("\n| transport | closes | answered | doubt | called unsent | … but read |")
    print("|---|---|---:|---:|---:|---:|")
    for name, way in WAYS.items():
        if name == "httpx2":
            continue  # it has its own exceptions; the code below it is httpx's
        for share, when in ((0.0, "when idle"), (0.05, "also 5 % instead of an answer")):
            counts = await closing(way, rows // 2, share, (0.001, 0.02), (0.0, 0.02))
            print(f"| {name} | {when} | {' | '.join(map(str, counts.values()))} |")


asyncio.run(main())
