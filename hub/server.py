"""Listening: our own socket, uvicorn with the settings phones need, and an orderly stop.

Why each setting is what it is:

- The socket is opened here because of TCP_USER_TIMEOUT (Linux, RFC 5482): a phone that dropped off the network is noticed after 30 s of
  unacknowledged data instead of the kernel's 15 minutes.
- `WebSocketProtocol` is made of uvicorn's `websockets-sansio`, which costs half the memory per idle phone of uvicorn's older layer, and
  compression off saves 35 KiB more.
- uvicorn sends no pings: the phone app never sees protocol pings, and a busy healthy phone was closed by them. Phone and hub have
  their own.
- A frame above 64 KiB closes the phone's connection (code 1009): no frame of the protocol is larger.
- uvloop closes a TLS connection when its other end has said that it closes too, and waits 30 s for that. A phone that is gone never says
  so, nor does a customer's idle connection that nobody reads, and a stop would wait for them until its limit: they are cut.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from hub.answers_at_once import HttpProtocol
from hub.certificates import Certificate
from hub.upgrade import WebSocketProtocol

LONGEST_FRAME_BYTES = 64 * 1024
UNACKNOWLEDGED_SECONDS = 30
BACKLOG = 4096
TICKS_BETWEEN_LOOKS = 50
"""uvicorn ticks ten times a second; connections that are late, and a renewed certificate, are looked for every five seconds."""
CLOSING_LOOK_SECONDS = 1.0
"""While the server stops, TLS connections that are still closing at a second look, with nothing left to send, are cut."""


def listening_socket(host: str, port: int) -> socket.socket:
    """A bound TCP socket; what it accepts inherits its timeouts. OSError when the address is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_SECONDS * 1000)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


class Server(uvicorn.Server):
    """uvicorn's server that tells the application first, so that streams and long polls end before it waits for them.

    It also cuts off requests that take longer than `request_seconds` to arrive.
    """

    def __init__(
        self, config: uvicorn.Config, before_stop: Callable[[], Awaitable[None]], request_seconds: float
    ) -> None:
        super().__init__(config)
        self._before_stop = before_stop
        self.request_seconds = request_seconds
        self._certificate: Certificate | None = None

    async def on_tick(self, counter: int) -> bool:
        """What uvicorn does ten times a second."""
        if counter % TICKS_BETWEEN_LOOKS == 0:
            now = asyncio.get_running_loop().time()
            for connection in [one for one in self.server_state.connections if isinstance(one, HttpProtocol)]:
                connection.cut_if_late(now, self.request_seconds)
            self._read_certificate()
        return await super().on_tick(counter)

    def _read_certificate(self) -> None:
        config = self.config
        if config.ssl is None or config.ssl_certfile is None or config.ssl_keyfile is None:
            return
        if self._certificate is None:
            self._certificate = Certificate(config.ssl, Path(config.ssl_certfile), Path(config.ssl_keyfile))
        else:
            self._certificate.read_if_changed()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, end what is open, wait for what is under way."""
        await self._before_stop()
        cutting = asyncio.create_task(self._cut_unanswered()) if self.config.ssl is not None else None
        try:
            await super().shutdown(sockets)
        finally:
            if cutting is not None:
                cutting.cancel()

    async def _cut_unanswered(self) -> None:
        before: set[asyncio.Transport] = set()
        while True:
            await asyncio.sleep(CLOSING_LOOK_SECONDS)
            open_ones = [connection.transport for connection in self.server_state.connections]
            closing = {one for one in open_ones if one.is_closing() and not one.get_write_buffer_size()}
            for transport in closing & before:
                transport.abort()
            before = closing


def make_server(
    app: ASGIApp,
    before_stop: Callable[[], Awaitable[None]],
    *,
    shutdown_seconds: float,
    request_seconds: float,
    certificate: Path | None = None,
    key: Path | None = None,
) -> Server:
    """A server for the application; run it with `await server.serve(sockets=[listening_socket(…)])`."""
    config = uvicorn.Config(
        app,
        interface="asgi3",
        loop="uvloop",
        http=HttpProtocol,
        ws=WebSocketProtocol,
        ws_max_size=LONGEST_FRAME_BYTES,
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=int(shutdown_seconds),
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    return Server(config, before_stop, request_seconds)
