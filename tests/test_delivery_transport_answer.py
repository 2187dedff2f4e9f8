"""Parsing an answer: no socket, only bytes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdimport.delivery.transport.response import MAX_ANSWER, Reply
from rdimport.delivery.transport.response_reader import AnswerReader, MalformedAnswer

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
SIZED = OK + b"Content-Length: 2\r\n\r\n{}"


def read(*pieces: bytes) -> AnswerReader:
    reader = AnswerReader()
    for piece in pieces:
        reader.feed(piece)
    return reader


GARBLED = {
    "bare line feeds": b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}",
    "two equal lengths": OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "two lengths": OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a list of lengths": OK + b"Content-Length: 2, 2\r\n\r\n{}",
    "a signed length": OK + b"Content-Length: +2\r\n\r\n{}",
    "a negative length": OK + b"Content-Length: -2\r\n\r\n{}",
    "a hexadecimal length": OK + b"Content-Length: 0x2\r\n\r\n{}",
    "an empty length": OK + b"Content-Length: \r\n\r\n{}",
    "a length beyond counting": OK + b"Content-Length: 99999999999999999999999\r\n\r\n{}",
    "length, then chunks": OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks, then length": OK + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
    "a space before the colon": OK + b"Content-Length : 2\r\n\r\n{}",
    "a folded line": OK + b"A: b\r\n folded\r\nContent-Length: 2\r\n\r\n{}",
    "a zero byte in a header": OK + b"A: b\0c\r\n\r\n",
    "a carriage return in a header": OK + b"A: b\rc\r\n\r\n",
    "a header without a name": OK + b": b\r\n\r\n",
    "a status of two digits": b"HTTP/1.1 20 OK\r\n\r\n",
    "a status of four digits": b"HTTP/1.1 2000 OK\r\n\r\n",
    "a version of its own": b"HTTP/9.9 200 OK\r\n\r\n",
    "a page without a head": b"<html>Bad gateway</html>",
    "another protocol": b"SSH-2.0-server\r\n",
    "a request": b"POST / HTTP/1.1\r\n\r\n",
    "a change of protocol": b"HTTP/1.1 101 Go\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nabc",
    "a chunk beyond counting": CHUNKED + b"FFFFFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n",
    "a negative chunk": CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n",
    "a chunk longer than it says": CHUNKED + b"2\r\n{}xx\r\n0\r\n\r\n",
    "chunks with bare line feeds": CHUNKED + b"2\n{}\n0\n\n",
}


@pytest.mark.parametrize("answer", GARBLED.values(), ids=GARBLED.keys())
def test_what_two_readers_could_understand_differently_is_no_answer(answer: bytes) -> None:
    with pytest.raises(MalformedAnswer):
        read(answer)


def test_a_sized_and_a_chunked_answer_are_whole_and_leave_the_connection_reusable() -> None:
    for answer in (SIZED, CHUNKED + b"1;x=y\r\n{\r\n1\r\n}\r\n0\r\nTrailer: z\r\n\r\n"):
        reader = read(answer)
        assert reader.complete
        assert reader.reusable
        assert reader.reply()[::2] == (200, b"{}")
        assert "trailer" not in reader.reply().headers


@pytest.mark.parametrize("rest", [b"HTTP/1.1 200 OK\r\n", b"x", SIZED])
def test_bytes_after_an_answer_leave_it_whole_and_end_its_connection(rest: bytes) -> None:
    reader = read(SIZED + rest)
    assert reader.complete
    assert not reader.reusable
    assert reader.reply().body == b"{}"


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.0 200 OK\r\n",
        OK + b"Connection: close\r\n",
        OK + b"Connection: keep-alive, close\r\n",
    ],
)
def test_a_server_that_closes_is_not_asked_again(head: bytes) -> None:
    reader = read(head + b"Content-Length: 2\r\n\r\n{}")
    assert reader.complete
    assert not reader.reusable


def test_interim_answers_are_not_the_answer() -> None:
    early = b"HTTP/1.1 103 Early\r\nLink: x\r\nContent-Length: 9\r\n\r\n"
    assert not read(b"HTTP/1.1 100 Continue\r\n\r\n").complete
    reader = read(b"HTTP/1.1 100 Continue\r\n\r\n", early + SIZED)
    assert reader.reusable
    assert reader.reply().status == 200
    assert "link" not in reader.reply().headers


def test_without_a_length_the_close_is_the_end_but_it_does_not_complete_a_cut_answer() -> None:
    free = read(OK + b"\r\n{}")
    assert not free.complete
    free.end()
    assert free.complete
    assert not free.reusable
    for cut in (OK, OK + b"Content-Length: 3\r\n\r\n{}", CHUNKED + b"2\r\n{}\r\n", b""):
        reader = read(cut) if cut else AnswerReader()
        reader.end()
        assert not reader.complete


def test_a_long_body_is_cut_and_an_endless_head_is_given_up() -> None:
    reader = read(OK + b"Content-Length: 10000000\r\n\r\n", b"x" * 40_000, b"x" * 40_000)
    assert reader.complete
    assert not reader.reusable
    assert len(reader.reply().body) == MAX_ANSWER
    with pytest.raises(MalformedAnswer, match="does not come to an end"):
        read(OK, *(b"A: " + b"b" * 1000 + b"\r\n" for _ in range(10_000)))


def test_the_time_a_server_keeps_an_idle_connection_is_read() -> None:
    assert read(OK + b"Keep-Alive: max=9, Timeout=3\r\nContent-Length: 0\r\n\r\n").idle == 3
    assert read(OK + b"Keep-Alive: timeout=soon\r\nContent-Length: 0\r\n\r\n").idle is None


@given(
    body=st.binary(max_size=300),
    sizes=st.lists(st.integers(1, 40), max_size=30),
    chunked=st.booleans(),
)
def test_it_does_not_matter_how_an_answer_is_cut_into_pieces(
    body: bytes, sizes: list[int], chunked: bool
) -> None:
    if chunked:
        pieces = [body[at : at + 7] for at in range(0, len(body), 7)]
        answer = CHUNKED + b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"
    else:
        answer = OK + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    reader = AnswerReader()
    for size in [*sizes, len(answer)]:
        piece, answer = answer[:size], answer[size:]
        if piece:
            assert not reader.complete
            reader.feed(piece)
    assert reader.complete
    assert reader.reusable
    assert reader.reply()[::2] == (200, body)


@given(
    answers=st.lists(
        st.sampled_from(
            [
                SIZED,
                CHUNKED + b"3\r\nabc\r\n0\r\nTrailer: x\r\n\r\n",
                OK + b"A: 1\r\nKeep-Alive: timeout=3\r\nContent-Length: 0\r\n\r\n",
                b"HTTP/1.1 100 Continue\r\nB: 2\r\n\r\n" + SIZED,
                b"HTTP/1.1 204 No\r\n\r\n",
                b"HTTP/1.1 422 No\r\nA: 2\r\nA: 3\r\nContent-Length: 3\r\n\r\n[1]",
                OK + b"Connection: close\r\nContent-Length: 1\r\n\r\nx",
                OK + b"\r\nuntil the end",
                *GARBLED.values(),
            ]
        ),
        min_size=1,
    ),
    size=st.integers(1, 60),
)
def test_a_reader_takes_the_next_answer_as_a_new_one_would(answers: list[bytes], size: int) -> None:
    reader = AnswerReader()
    for answer in answers:
        pieces = [answer[at : at + size] for at in range(0, len(answer), size)]
        assert not reader.begun
        assert seen_by(reader, pieces) == seen_by(AnswerReader(), pieces)
        if not reader.reusable:  # its connection is closed
            break
        reader.expect()


def seen_by(reader: AnswerReader, pieces: list[bytes]) -> object:
    """How a reader parses an answer after which the connection is closed or reused."""
    try:
        for piece in pieces:
            reader.feed(piece)
    except MalformedAnswer as error:
        return str(error)
    if not reader.complete:
        reader.end()
    return reader.complete, reader.reusable, reader.idle, reader.reply()


@given(st.lists(st.binary(max_size=200), max_size=5), st.sampled_from([b"", OK, CHUNKED, SIZED]))
def test_any_bytes_are_an_answer_or_garbled_and_nothing_else(
    pieces: list[bytes], start: bytes
) -> None:
    reader = AnswerReader()
    try:
        for piece in [start, *pieces]:
            if not reader.complete:
                reader.feed(piece)
        reader.end()
    except MalformedAnswer:
        return
    if reader.complete:
        reply = reader.reply()
        assert isinstance(reply, Reply)
        json.dumps([reply.status, dict(reply.headers)])
