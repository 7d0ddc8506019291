"""Answers whole, in pieces, broken and endless, fed to one connection without a socket."""

import asyncio
import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.webhooks.http1 import HEADER_BYTES, READ_BYTES, BadAnswer, Connection, HeadersTooLarge, NoAnswer

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nok"
CHUNKED = b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"


class Wire(asyncio.Transport):
    """A transport that keeps what was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: Any) -> None:
        self.written += data

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


def opened() -> tuple[Connection, Wire]:
    connection, wire = Connection(), Wire()
    connection.connection_made(wire)
    return connection, wire


def fed(*pieces: bytes, eof: bool = False) -> tuple[Connection, Wire, BaseException | None]:
    """What came of one request that was answered so; the error, or None."""

    async def run() -> tuple[Connection, Wire, BaseException | None]:
        connection, wire = opened()
        waiter = connection.send(b"POST / HTTP/1.1\r\n\r\n")
        for piece in pieces:
            if not waiter.done():
                connection.data_received(piece)
        if eof and not waiter.done():
            connection.connection_lost(None)
        if not waiter.done():
            connection.cut()
        return connection, wire, waiter.exception()

    return asyncio.run(run())


def test_answer_is_read_and_the_connection_kept() -> None:
    connection, wire, error = fed(OK)
    assert error is None
    assert (connection.exchange.status, connection.exchange.body) == (200, b"ok")
    assert connection.exchange.headers[1] == (b"Content-Type", b"text/plain")
    assert connection.is_reusable
    assert not wire.closed


@pytest.mark.parametrize("whole", [OK, CHUNKED])
def test_answer_byte_by_byte_is_the_same(whole: bytes) -> None:
    at_once, _, _ = fed(whole)
    in_bytes, _, error = fed(*(whole[i : i + 1] for i in range(len(whole))))
    assert error is None
    assert at_once.exchange.status == in_bytes.exchange.status
    assert (at_once.exchange.body, at_once.exchange.headers) == (in_bytes.exchange.body, in_bytes.exchange.headers)
    assert in_bytes.is_reusable


def test_answers_before_the_answer_are_skipped() -> None:
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    connection, _, error = fed(early + OK)
    assert error is None
    assert (connection.exchange.status, connection.exchange.body) == (200, b"ok")
    assert (b"Link", b"</x>") not in connection.exchange.headers


def test_body_without_length_ends_with_the_connection() -> None:
    connection, wire, error = fed(b"HTTP/1.1 200 OK\r\n\r\nhel", b"lo", eof=True)
    assert error is None
    assert connection.exchange.body == b"hello"
    assert not connection.is_reusable
    del wire


def test_close_is_obeyed() -> None:
    connection, wire, _ = fed(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    assert connection.exchange.status == 200
    assert wire.closed


def test_status_counts_when_the_body_is_cut_broken_or_late() -> None:
    for pieces, eof in (
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nab",), True),
        ((b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",), False),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nab",), False),
    ):
        connection, wire, error = fed(*pieces, eof=eof)
        assert error is None
        assert connection.exchange.status == 200
        assert wire.closed or eof


def test_no_answer_is_told_apart() -> None:
    assert isinstance(fed(eof=True)[2], NoAnswer)
    assert isinstance(fed(b"HTTP/1.1 200 OK\r\nContent-Le", eof=True)[2], NoAnswer)
    assert isinstance(fed(b"SSH-2.0-OpenSSH_9.6\r\n")[2], BadAnswer)
    assert isinstance(fed(b"HTTP/1.1 200 OK\r\n")[2], TimeoutError)


def test_headers_are_bounded() -> None:
    many = b"".join(b"X-%d: %s\r\n" % (i, b"a" * 100) for i in range(200))
    assert isinstance(fed(b"HTTP/1.1 200 OK\r\n", many)[2], HeadersTooLarge)
    one = [b"HTTP/1.1 200 OK\r\nX: "] + [b"a" * 1000] * 20
    assert isinstance(fed(*one)[2], HeadersTooLarge)
    early = [b"HTTP/1.1 103 Early Hints\r\nX: %s\r\n\r\n" % (b"a" * 1000)] * 20
    assert isinstance(fed(*early)[2], HeadersTooLarge)


def test_endless_body_is_read_to_the_limit_and_no_further() -> None:
    connection, wire, error = fed(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", *([b"400\r\n" + b"a" * 1024 + b"\r\n"] * 50)
    )
    assert error is None
    assert len(connection.exchange.body) == READ_BYTES
    assert wire.closed
    trailers = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"] + [b"X-T: %s\r\n" % (b"a" * 1000)] * 40
    connection, wire, error = fed(*trailers)
    assert error is None
    assert wire.closed
    assert connection.exchange.bytes_in < HEADER_BYTES + READ_BYTES + 2000


def test_second_answer_to_one_request_closes_the_connection() -> None:
    connection, wire, error = fed(OK + OK)
    assert error is None
    assert connection.exchange.body == b"ok"
    assert wire.closed


def test_bytes_nobody_asked_for_close_the_connection() -> None:
    async def run() -> bool:
        connection, wire = opened()
        await asyncio.sleep(0)
        connection.data_received(b"HTTP/1.1 408 Timeout\r\n\r\n")
        return wire.closed

    assert asyncio.run(run())


def test_switching_protocols_is_an_answer_and_the_end() -> None:
    connection, wire, error = fed(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nxyz")
    assert error is None
    assert connection.exchange.status == 101
    assert wire.closed


@settings(deadline=None, max_examples=200)
@given(st.lists(st.binary(max_size=40), max_size=20), st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", OK, CHUNKED]))
def test_noise_never_escapes_as_another_error(pieces: list[bytes], start: bytes) -> None:
    connection, _, error = fed(start, *pieces, eof=True)
    assert error is None or isinstance(error, OSError)
    assert (connection.exchange.status is not None) == (error is None)
    assert len(connection.exchange.body) <= READ_BYTES


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_cuts_anywhere_change_nothing(data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from([OK, CHUNKED]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    places = [0, *cuts, len(whole)]
    connection, _, error = fed(*(whole[a:b] for a, b in itertools.pairwise(places)))
    assert error is None
    assert connection.exchange.body in (b"ok", b"abcdefg")
    assert connection.is_reusable
