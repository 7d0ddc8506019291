"""What the server writes to a connection, piece by piece, for answers with and without a length."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from hub.answers_at_once import HttpProtocol

pytestmark = pytest.mark.anyio

GET = b"GET /x HTTP/1.1\r\nHost: hub.test\r\n\r\n"
DATE = (b"date", b"Sat, 21 Nov 2026 10:00:00 GMT")


class Wire(asyncio.Transport):
    """Keeps each write apart."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.is_closed = False

    def write(self, data: Any) -> None:
        self.writes.append(bytes(data))

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


def start(*headers: tuple[bytes, bytes], status: int = 200) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def body(data: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


def length(count: int) -> tuple[bytes, bytes]:
    return (b"content-length", str(count).encode())


def sends(*messages: dict[str, Any]) -> Any:
    """An application that answers every request with these messages."""

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)

    return app


def connected(app: Any, *, access_log: bool = False) -> tuple[HttpProtocol, Wire, ServerState]:
    """A fresh connection to a server of this application."""
    state = ServerState()
    state.default_headers = [DATE]
    protocol = HttpProtocol(Config(app, log_config=None, access_log=access_log, ws="none", lifespan="off"), state, {})
    wire = Wire()
    protocol.connection_made(wire)
    return protocol, wire, state


async def ended(state: ServerState) -> None:
    """Every application has come to its end."""
    async with asyncio.timeout(60):
        while state.tasks:
            await asyncio.wait(set(state.tasks))
            await asyncio.sleep(0)


async def answered(messages: list[dict[str, Any]], request: bytes = GET, *pieces: bytes) -> Wire:
    """What a connection carries when the application sends these messages."""

    protocol, wire, state = connected(sends(*messages))
    for piece in (request, *pieces):
        protocol.data_received(piece)
    await ended(state)
    protocol._unset_keepalive_if_required()
    return wire


async def test_an_answer_with_a_length_leaves_in_one_piece() -> None:
    wire = await answered([start((b"x-trace-id", b"abc"), length(2), status=202), body(b"{}")])
    assert wire.writes == [
        b"HTTP/1.1 202 Accepted\r\ndate: Sat, 21 Nov 2026 10:00:00 GMT\r\nx-trace-id: abc\r\ncontent-length: 2\r\n\r\n{}"
    ]
    assert not wire.is_closed


async def test_a_stream_starts_before_its_first_piece() -> None:
    wire = await answered([start((b"content-type", b"text/event-stream")), body(b": hi\n", more=True), body(b"")])
    assert wire.writes[0].endswith(b"\r\n\r\n")
    assert wire.writes[1:] == [b"5\r\n: hi\n\r\n", b"0\r\n\r\n"]


async def test_a_long_answer_in_pieces_is_whole() -> None:
    wire = await answered([start(length(4)), body(b"ab", more=True), body(b"cd")])
    assert b"".join(wire.writes).endswith(b"content-length: 4\r\n\r\nabcd")


async def test_an_answer_is_not_over_while_more_may_come() -> None:
    wire = await answered([start(length(2)), body(b"ok", more=True), body(b"")], GET + GET)
    assert b"".join(wire.writes).count(b"\r\n\r\nok") == 2
    assert not wire.is_closed


@pytest.mark.parametrize("given", [b"", b"abcd"], ids=["without", "with"])
async def test_a_head_request_gets_the_head_alone(given: bytes) -> None:
    """Most applications leave it to their server to drop the body."""
    wire = await answered([start(length(4)), body(given)], GET.replace(b"GET", b"HEAD"))
    assert b"".join(wire.writes).endswith(b"content-length: 4\r\n\r\n")
    assert not wire.is_closed


async def test_an_answer_waits_while_its_client_does_not_read() -> None:
    protocol, wire, state = connected(sends(start(length(2)), body(b"ok")))
    protocol.pause_writing()
    protocol.data_received(GET)
    for _ in range(9):
        await asyncio.sleep(0)
    assert state.tasks
    assert not any(b"ok" in one for one in wire.writes)
    protocol.resume_writing()
    await ended(state)
    protocol._unset_keepalive_if_required()
    assert b"".join(wire.writes).endswith(b"\r\n\r\nok")


async def test_nothing_is_written_for_a_client_that_left_in_the_middle_of_its_answer() -> None:
    heard: list[str] = []
    has_started, has_left = asyncio.Event(), asyncio.Event()

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await send(start(length(2)))
        has_started.set()
        await has_left.wait()
        await send(body(b"ok"))
        heard.append((await receive())["type"])

    protocol, wire, state = connected(app)
    protocol.data_received(GET)
    await has_started.wait()
    protocol.connection_lost(None)
    has_left.set()
    await ended(state)
    assert wire.writes == []
    assert heard == ["http.disconnect"]


@pytest.mark.parametrize(
    "messages",
    [[start(length(0)), start(length(0))], [start((b"x-trace-id", b"abc")), start(length(2)), body(b"ok")]],
    ids=["length", "stream"],
)
async def test_an_answer_that_starts_twice_ends_the_connection(messages: list[dict[str, Any]]) -> None:
    wire = await answered(messages)
    assert wire.is_closed
    assert len(wire.writes) == 1


@pytest.mark.parametrize("name", [b"connection", b"Connection"])
async def test_an_answer_may_end_its_connection_by_a_header(name: bytes) -> None:
    wire = await answered([start((name, b"close"), length(2)), body(b"ok")])
    assert b"".join(wire.writes).count(b"connection: close\r\n") == 1
    assert wire.is_closed


async def test_a_chunked_answer_is_sent_in_chunks_whatever_length_it_says() -> None:
    wire = await answered([start((b"transfer-encoding", b"chunked"), length(2)), body(b"ok")])
    assert b"".join(wire.writes).endswith(b"2\r\nok\r\n0\r\n\r\n")


async def test_a_client_that_waits_to_be_asked_is_not_asked_behind_its_answer() -> None:
    """https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1"""

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await send(start(length(2), status=401))
        await receive()
        await send(body(b"no"))

    protocol, wire, state = connected(app)
    protocol.data_received(POST.replace(b"Host", b"Expect: 100-continue\r\nHost"))
    await asyncio.sleep(0)
    protocol.data_received(b"0123456789")
    await ended(state)
    protocol._unset_keepalive_if_required()
    (sent,) = wire.writes
    assert sent.startswith(b"HTTP/1.1 401 ")


async def test_who_listens_for_the_end_hears_of_a_whole_answer() -> None:
    heard: list[str] = []

    async def listen(receive: Any) -> None:
        while not heard or heard[-1] != "http.disconnect":
            heard.append((await receive())["type"])

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        listening = asyncio.create_task(listen(receive))
        await asyncio.sleep(0)
        await send(start(length(2)))
        await send(body(b"ok"))
        await listening

    protocol, _, state = connected(app)
    protocol.data_received(GET)
    await ended(state)
    protocol._unset_keepalive_if_required()
    assert heard == ["http.request", "http.disconnect"]


async def test_with_an_access_log_each_answer_is_in_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "uvicorn.access")
    protocol, _, state = connected(sends(start(length(2), status=202), body(b"ok")), access_log=True)
    protocol.data_received(GET)
    await ended(state)
    protocol._unset_keepalive_if_required()
    assert [record.getMessage().rpartition(" - ")[2] for record in caplog.records] == ['"GET /x HTTP/1.1" 202']


async def test_a_connection_that_is_not_kept_is_told_and_closed() -> None:
    wire = await answered([start(length(2)), body(b"ok")], GET.replace(b"Host", b"Connection: close\r\nHost"))
    assert len(wire.writes) == 1
    assert b"connection: close\r\n" in wire.writes[0]
    assert wire.is_closed


async def test_two_requests_in_one_packet_are_both_answered() -> None:
    wire = await answered([start(length(2)), body(b"ok")], GET + GET)
    assert len(wire.writes) == 2


@pytest.mark.parametrize("header", [(b"x-bad", b"a\r\nset-cookie: b"), (b"x bad", b"a")])
async def test_a_header_that_would_break_out_is_not_sent(header: tuple[bytes, bytes]) -> None:
    wire = await answered([start(header, length(2)), body(b"ok")])
    assert b"500 Internal Server Error" in b"".join(wire.writes) or wire.writes == []
    assert b"set-cookie" not in b"".join(wire.writes)


@pytest.mark.parametrize("given", [b"short", b"much too long"])
async def test_a_body_of_another_length_than_it_said_ends_the_connection(given: bytes) -> None:
    wire = await answered([start(length(8)), body(given)])
    assert wire.is_closed


@pytest.mark.parametrize("piece", [b"a" * 16_384, b"B: c\r\n" * 2_700], ids=["one-header", "many-headers"])
async def test_a_head_without_end_is_cut_off(piece: bytes) -> None:
    wire = await answered([start((b"content-length", b"0")), body(b"")], b"GET / HTTP/1.1\r\nA: ", *[piece] * 8)
    (refused,) = wire.writes
    assert refused.startswith(b"HTTP/1.1 431 ")
    assert wire.is_closed


async def test_a_large_head_and_a_large_body_in_pieces_are_taken() -> None:
    head = [b"POST / HTTP/1.1\r\nHost: hub.test\r\nContent-Length: 800000\r\nA: ", *[b"a" * 10_000] * 5, b"\r\n\r\n"]
    wire = await answered([start((b"content-length", b"2")), body(b"ok")], *head, *[b"x" * 100_000] * 8)
    (sent,) = wire.writes
    assert sent.startswith(b"HTTP/1.1 200 ")
    assert not wire.is_closed


POST = b"POST /x HTTP/1.1\r\nHost: hub.test\r\nContent-Length: 10\r\n\r\n"
BODY_SECONDS = 300.0


@pytest.mark.parametrize(
    ("pieces", "in_time", "late", "status"),
    [
        ((POST, b"abc"), 299.0, 301.0, b"408 "),
        ((POST,), 299.0, 301.0, b"408 "),
        ((POST[:30],), 29.0, 31.0, b"408 "),
        ((), 29.0, 31.0, None),
    ],
    ids=["body", "no-body", "head", "nothing"],
)
async def test_a_request_that_does_not_come_to_its_end_is_cut_off(
    pieces: tuple[bytes, ...], in_time: float, late: float, status: bytes | None
) -> None:
    heard: list[str] = []

    async def app(_scope: Any, receive: Any, _send: Any) -> None:
        message = {"more_body": True}
        while message.get("more_body"):
            message = await receive()
        heard.append(message["type"])

    protocol, wire, state = connected(app)
    for piece in pieces:
        protocol.data_received(piece)
    now = protocol.loop.time()
    protocol.cut_if_late(now + in_time, BODY_SECONDS)
    assert not wire.writes
    assert not wire.is_closed
    protocol.cut_if_late(now + late, BODY_SECONDS)
    assert wire.is_closed
    assert [one.split(b" ", 1)[1][:4] for one in wire.writes] == ([status] if status else [])
    protocol.connection_lost(None)
    await ended(state)
    assert heard == (["http.disconnect"] if protocol.cycle else [])


async def test_a_whole_request_may_take_as_long_as_its_answer_needs() -> None:
    go_on = asyncio.Event()

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await go_on.wait()
        await send(start(length(2)))
        await send(body(b"ok"))

    protocol, wire, state = connected(app)
    protocol.data_received(POST + b"0123456789")
    protocol.cut_if_late(protocol.loop.time() + 100_000, BODY_SECONDS)
    assert not wire.is_closed
    go_on.set()
    await ended(state)
    assert [one.split(b" ", 1)[1][:3] for one in wire.writes] == [b"200"]


async def test_an_idle_connection_is_ended_and_one_that_is_used_again_is_not() -> None:
    protocol, wire, state = connected(sends(start(length(2)), body(b"ok")))
    protocol.data_received(GET)
    await ended(state)
    idle = protocol.timeout_keep_alive
    protocol.cut_if_late(protocol.loop.time() + idle - 1, BODY_SECONDS)
    assert not wire.is_closed
    protocol.data_received(GET[:8])
    protocol.cut_if_late(protocol.loop.time() + idle + 1, BODY_SECONDS)
    assert not wire.is_closed
    protocol.data_received(GET[8:])
    await ended(state)
    assert len(wire.writes) == 2
    protocol.cut_if_late(protocol.loop.time() + idle + 1, BODY_SECONDS)
    assert wire.is_closed


async def test_requests_sent_without_waiting_are_answered_one_after_the_other() -> None:
    begun, go_on = asyncio.Queue[int](), asyncio.Queue[None]()

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        begun.put_nowait(len(wire.writes))
        await go_on.get()
        await send(start(length(2)))
        await send(body(b"ok"))

    protocol, wire, state = connected(app)
    protocol.data_received(GET * 3)
    for answered in (0, 1, 2):
        assert await begun.get() == answered
        protocol.cut_if_late(protocol.loop.time() + 100_000, BODY_SECONDS)
        assert not wire.is_closed
        go_on.put_nowait(None)
    await ended(state)
    assert (len(wire.writes), state.total_requests) == (3, 3)


async def test_a_body_that_goes_on_behind_its_answer_is_not_read_for_ever() -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send(start(length(2), status=401))
        await send(body(b"no"))

    protocol, wire, state = connected(app)
    protocol.data_received(POST + b"a")
    await ended(state)
    protocol.data_received(b"b")
    protocol.cut_if_late(protocol.loop.time() + 301, BODY_SECONDS)
    (sent,) = wire.writes
    assert sent.startswith(b"HTTP/1.1 401 ")
    assert wire.is_closed
