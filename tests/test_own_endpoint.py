"""A custom endpoint about which its owner knows more: `unclear` and `idempotent`."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from support.peer import ACCEPTED, KEY, Peer, Script, serving
from test_delivery_stops import Book, book

from rdimport.core.clock import SystemClock
from rdimport.core.errors import UsageError
from rdimport.core.events import ignore_events
from rdimport.core.row import State
from rdimport.core.stop import StopReason
from rdimport.delivery.dispatcher import REPEATS, Delivery, Settings
from rdimport.delivery.pacing.pacer import EvenPacer
from rdimport.delivery.transport import Timeouts, connected
from rdimport.destination.rdstation.endpoint import BASE_URL, RDStation

FAILED = b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n"


async def deliver(
    to: Book,
    script: Script,
    *,
    patience: float = 60.0,
    seconds: float | None = None,
    **known: object,
) -> Delivery:
    async with serving(script) as server:
        station = RDStation(KEY, base_url=server.base_url, **known)  # type: ignore[arg-type]
        key = station.credentials()
        async with connected(server.base_url, key, 8, Timeouts()) as transport:
            delivery = Delivery(
                destination=station,
                transport=transport,
                run=to.run,
                pending_rows=to.pending_rows(),
                trace=lambda problem, _file, _cells: problem,
                pace=EvenPacer(None),
                settings=Settings(concurrency=4, patience=patience, max_seconds=seconds),
                clock=SystemClock(),
                chance=random.Random(1),  # noqa: S311
                observer=ignore_events,
            )
            await delivery.deliver()
    return delivery


def scattered(answer: bytes, heard: Counter[bytes]) -> Script:
    """Gives this answer, or none if it is empty, to one request in eight; all of them arrive."""
    rng = random.Random(3)  # noqa: S311

    async def script(peer: Peer) -> None:
        while request := await peer.request():
            heard[request.partition(b'"payload":')[2]] += 1
            if rng.random() >= 1 / 8:
                await peer.say(ACCEPTED)
            elif answer:
                await peer.say(answer)
            else:
                peer.reset()
                return

    return script


def test_a_status_that_means_not_taken_is_sent_again_and_counted(tmp_path: Path) -> None:
    heard: Counter[bytes] = Counter()
    with book(tmp_path, 60) as to:
        done = asyncio.run(deliver(to, scattered(FAILED, heard), unclear={503: "not_taken"}))
        assert to.run.counts()[State.ACCEPTED] == len(heard) == 60
    assert done.rules["unclear 503"] == heard.total() - 60 > 0


def test_without_the_rule_the_same_rows_stay_in_doubt_and_go_once(tmp_path: Path) -> None:
    heard: Counter[bytes] = Counter()
    with book(tmp_path, 60) as to:
        done = asyncio.run(deliver(to, scattered(FAILED, heard), unclear={502: "not_taken"}))
        assert to.run.counts()[State.UNCERTAIN] > 0
    assert set(heard.values()) == {1}
    assert not done.rules


@pytest.mark.parametrize("answer", [FAILED, b""])
def test_where_repeats_do_no_harm_doubt_is_sent_again(tmp_path: Path, answer: bytes) -> None:
    heard: Counter[bytes] = Counter()
    with book(tmp_path, 60) as to:
        done = asyncio.run(deliver(to, scattered(answer, heard), idempotent=True))
        assert to.run.counts()[State.ACCEPTED] == len(heard) == 60
    assert done.rules["idempotent"] == heard.total() - 60 > 0


def test_a_row_that_never_gets_an_answer_is_in_doubt_after_some_repeats(tmp_path: Path) -> None:
    heard: Counter[bytes] = Counter()

    async def script(peer: Peer) -> None:
        while request := await peer.request():
            heard[request] += 1
            await peer.say(FAILED if b'"n":3}' in request else ACCEPTED)

    with book(tmp_path, 6) as to:
        asyncio.run(deliver(to, script, idempotent=True))
        counts = to.run.counts()
    assert (counts[State.UNCERTAIN], counts[State.ACCEPTED]) == (1, 5)
    assert max(heard.values()) == REPEATS + 1


def test_rows_that_wait_for_a_repeat_when_the_run_ends_may_have_arrived(tmp_path: Path) -> None:
    heard: Counter[bytes] = Counter()

    async def script(peer: Peer) -> None:
        while request := await peer.request():
            heard[request] += 1
            await peer.say(FAILED)

    with book(tmp_path, 40) as to:
        done = asyncio.run(deliver(to, script, patience=0.2, idempotent=True))
        counts = to.run.counts()
    assert done.stopped is StopReason.ENDPOINT_DOWN
    assert counts[State.UNCERTAIN] == len(heard)
    assert counts[State.PENDING] == 40 - len(heard)


def test_a_repeat_that_is_turned_away_leaves_its_row_in_doubt(tmp_path: Path) -> None:
    """The key was switched off after the first attempt, which may have arrived."""
    refused = b"HTTP/1.1 401 X\r\nContent-Length: 0\r\n\r\n"

    async def script(peer: Peer) -> None:
        answers = iter([FAILED, refused])
        while await peer.request():
            await peer.say(next(answers, refused))

    with book(tmp_path, 1) as to:
        done = asyncio.run(deliver(to, script, idempotent=True))
        assert to.run.counts()[State.UNCERTAIN] == 1
    assert done.stopped is StopReason.KEY_REFUSED


@pytest.mark.parametrize("known", [{"unclear": {503: "not_taken"}}, {"idempotent": True}])
@pytest.mark.parametrize(
    "address",
    [BASE_URL, "https://API.RD.services./", "https://rd.services", "https://x.rd.services"],
)
def test_rd_itself_takes_no_such_rules(address: str, known: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="endpoint of your own"):
        RDStation(KEY, base_url=address, **known)  # type: ignore[arg-type]
    with suppress(UsageError):
        RDStation(KEY, base_url="https://rd.services.example.com", **known)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "unclear", [{200: "not_taken"}, {404: "not_taken"}, {503: "taken"}, {600: "not_taken"}]
)
def test_a_rule_that_makes_no_sense_is_refused(unclear: dict[int, str]) -> None:
    with pytest.raises(UsageError, match="makes no sense"):
        RDStation(KEY, base_url="https://crm.example.com", unclear=unclear)
