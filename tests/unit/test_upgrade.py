"""An upgrade that is read once is answered, seen and gone on with as one that uvicorn reads twice."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from hub.answers_at_once import HttpProtocol
from hub.upgrade import WebSocketProtocol

pytestmark = pytest.mark.anyio

KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
VERSION = b"Sec-WebSocket-Version: 13"
ASKS = (b"Upgrade: websocket", b"Connection: Upgrade")
HELLO = b"\x81\x85\0\0\0\0hello"
"""A text frame (RFC 6455 §5.2) with a mask of zeros."""


def request(*headers: bytes, line: bytes = b"GET /socket?a=%20b HTTP/1.1") -> bytes:
    return b"\r\n".join([line, b"Host: hub.test", *headers, b"", b""])


REQUESTS = {
    "usual": request(*ASKS, KEY, VERSION),
    "with a subprotocol and a token": request(
        *ASKS, KEY, VERSION, b"Sec-WebSocket-Protocol: handset.v2, handset.v1", b"Authorization: Bearer abc"
    ),
    "several headers of one name": request(
        *ASKS, KEY, VERSION, b"Sec-WebSocket-Protocol: a", b"sec-websocket-protocol: handset.v1", b"X-A: 1", b"X-A: 2"
    ),
    "spaces around values": request(
        b"Upgrade:   WebSocket", b"Connection: keep-alive, Upgrade\t", KEY + b" ", VERSION + b" \t"
    ),
    "a value that is not ASCII": request(*ASKS, KEY, VERSION, b"X-Name: M\xfcller"),
    "no key": request(*ASKS, VERSION),
    "two keys": request(*ASKS, KEY, KEY, VERSION),
    "a short key": request(*ASKS, b"Sec-WebSocket-Key: AAAA", VERSION),
    "another version": request(*ASKS, KEY, b"Sec-WebSocket-Version: 8"),
    "another method": request(*ASKS, KEY, VERSION, line=b"POST /socket HTTP/1.1"),
    "an older HTTP": request(*ASKS, KEY, VERSION, line=b"GET /socket HTTP/1.0"),
    "no body, as it says": request(*ASKS, KEY, VERSION, b"Content-Length: 0"),
    "a body": request(*ASKS, KEY, VERSION, b"Content-Length: 3") + b"abc",
    "a transfer coding": request(*ASKS, KEY, VERSION, b"Transfer-Encoding: chunked"),
    "many headers": request(*ASKS, KEY, VERSION, *(b"X-%d: 1" % number for number in range(200))),
    "a long header": request(*ASKS, KEY, VERSION, b"X-Long: " + b"x" * 9000),
    "a long path": request(*ASKS, KEY, VERSION, line=b"GET /" + b"x" * 9000 + b" HTTP/1.1"),
    "a path that is not ASCII": request(*ASKS, KEY, VERSION, line=b"GET /\xc3\xbc HTTP/1.1"),
    "another upgrade": request(b"Upgrade: h2c", b"Connection: Upgrade"),
}


class Wire(asyncio.Transport):
    """Keeps what is written, and gives what comes to whoever listens now."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.is_closed = False
        self.listener: Any = None

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def set_protocol(self, protocol: Any) -> None:
        self.listener = protocol

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


async def outcome(protocol: type[HttpToolsProtocol], ws: Any, *pieces: bytes) -> tuple[Any, ...]:
    """What was written, whether it was closed, and what the application saw of the request and heard after it."""
    seen: list[Any] = []

    async def echo(scope: Any, receive: Any, send: Any) -> None:
        seen.append({**scope})
        if scope["type"] != "websocket":
            await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})
            return
        await receive()
        await send({"type": "websocket.accept", "subprotocol": (scope["subprotocols"] or [None])[-1]})
        while (message := await receive())["type"] == "websocket.receive":
            seen.append(message)
            await send({"type": "websocket.send", "text": message["text"]})

    config = Config(
        echo, http=protocol, ws=ws, lifespan="off", log_config=None, ws_per_message_deflate=False, ws_ping_interval=None
    )
    config.load()
    state = ServerState()
    wire = Wire()
    wire.listener = protocol(config=config, server_state=state, app_state={})
    wire.listener.connection_made(wire)
    for piece in pieces:
        if not wire.is_closed:
            wire.listener.data_received(piece)
        for _ in range(10):
            await asyncio.sleep(0)
    wire.listener.connection_lost(None)
    if state.tasks:
        await asyncio.wait(state.tasks)
    return re.sub(rb"(?i)date: [^\r]*", b"", wire.written), wire.is_closed, seen


@pytest.mark.parametrize("name", REQUESTS)
async def test_it_ends_as_when_uvicorn_reads_it(name: str) -> None:
    ours = await outcome(HttpProtocol, WebSocketProtocol, REQUESTS[name], HELLO, HELLO)
    assert ours == await outcome(HttpToolsProtocol, "websockets-sansio", REQUESTS[name], HELLO, HELLO)


async def test_a_head_in_pieces_and_frames_in_pieces_are_read() -> None:
    head = REQUESTS["with a subprotocol and a token"]
    written, _, seen = await outcome(
        HttpProtocol, WebSocketProtocol, head[:40], head[40:], HELLO[:3], HELLO[3:] + HELLO
    )
    assert written.startswith(b"HTTP/1.1 101 ")
    assert written.endswith(b"\x81\x05hello\x81\x05hello")
    assert [message["text"] for message in seen[1:]] == ["hello", "hello"]


async def test_a_usual_upgrade_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[bytes] = []
    begin = WebSocketProtocol.begin

    def note(self: WebSocketProtocol, url: bytes, headers: Any) -> None:
        begun.append(url)
        begin(self, url, headers)

    monkeypatch.setattr(WebSocketProtocol, "begin", note)
    await outcome(HttpProtocol, WebSocketProtocol, REQUESTS["usual"])
    await outcome(HttpProtocol, WebSocketProtocol, REQUESTS["a long header"])
    assert begun == [b"/socket?a=%20b"]
