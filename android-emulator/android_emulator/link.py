"""A bad network link as a TCP proxy on loopback: put it before a hub or a webhook receiver, then break it on purpose.

`cut` ends connections at once, `freeze` leaves them open and silent (a half-open link: neither side is told), `delay_seconds` slows
every piece, `cut_after` ends a connection in the middle of a frame, `go_down` makes the address refuse.
"""

import asyncio
import socket
import struct
from contextlib import suppress
from enum import Enum
from types import TracebackType
from typing import Final, Self

_PIECE: Final = 16 * 1024


class Direction(Enum):
    UP = "up"
    """From whoever connects here towards the target."""
    DOWN = "down"


class BadLink:
    """`async with BadLink("127.0.0.1", 8080) as link:` then connect to `link.port`."""

    def __init__(self, host: str, port: int) -> None:
        self.target = (host, port)
        self.port = 0
        """Where this link listens on 127.0.0.1; stays the same when it goes down and comes back."""
        self.delay_seconds = 0.0
        """Added to every piece of data, each way."""
        self.new_connections_frozen = False
        """Whether connections made from now on are silent from their first byte."""
        self.accepted = 0
        """Connections made so far."""
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._accepting: set[asyncio.Task[None]] = set()
        self._cut_after: dict[Direction, int] = {}

    async def __aenter__(self) -> Self:
        await self.come_up()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.go_down()
        await asyncio.gather(*self._accepting, return_exceptions=True)

    @property
    def open_connections(self) -> int:
        return len(self._connections)

    async def come_up(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def go_down(self) -> None:
        """Refuse new connections and cut those there are."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.cut()

    def cut(self) -> None:
        """End every connection with a TCP reset; what was under way is lost."""
        for connection in list(self._connections):
            connection.cut()

    def cut_after(self, octets: int, direction: Direction) -> None:
        """Cut the connection over which this many more octets have passed in one direction; the rest of the piece is lost."""
        self._cut_after[direction] = octets

    def freeze(self) -> None:
        """Pass nothing more on the connections there are, and tell nobody; new ones work."""
        for connection in self._connections:
            connection.flowing.clear()

    def thaw(self) -> None:
        """Pass on again; what waited arrives late."""
        self.new_connections_frozen = False
        for connection in self._connections:
            connection.flowing.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        task = asyncio.current_task()
        assert task is not None
        self._accepting.add(task)
        task.add_done_callback(self._accepting.discard)
        try:
            far_reader, far_writer = await asyncio.open_connection(*self.target)
        except OSError:
            _reset(writer)
            return
        connection = _Connection(writer, far_writer)
        if self.new_connections_frozen:
            connection.flowing.clear()
        self._connections.add(connection)
        try:
            await self._pass_on(connection, reader, far_reader)
        finally:
            self._connections.discard(connection)
            await connection.aclose()

    async def _pass_on(self, connection: "_Connection", near: asyncio.StreamReader, far: asyncio.StreamReader) -> None:
        async with asyncio.TaskGroup() as pumps:
            connection.pumps = [
                pumps.create_task(self._pump(connection, near, connection.far, Direction.UP)),
                pumps.create_task(self._pump(connection, far, connection.near, Direction.DOWN)),
            ]

    async def _pump(
        self, connection: "_Connection", reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Direction
    ) -> None:
        try:
            while piece := await reader.read(_PIECE):
                if self.delay_seconds:
                    await asyncio.sleep(self.delay_seconds)
                await connection.flowing.wait()
                writer.write(self._before_cut(piece, way))
                await writer.drain()
                if self._cut_after.get(way) == 0:
                    del self._cut_after[way]
                    return connection.cut()
            writer.write_eof()
        except OSError:
            connection.cut()

    def _before_cut(self, piece: bytes, way: Direction) -> bytes:
        left = self._cut_after.get(way)
        if left is None:
            return piece
        self._cut_after[way] = max(0, left - len(piece))
        return piece[:left]


class _Connection:
    def __init__(self, near: asyncio.StreamWriter, far: asyncio.StreamWriter) -> None:
        self.near = near
        self.far = far
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.pumps: list[asyncio.Task[None]] = []

    def cut(self) -> None:
        for writer in (self.near, self.far):
            _reset(writer)
        for pump in self.pumps:
            pump.cancel()

    async def aclose(self) -> None:
        self.cut()
        for writer in (self.near, self.far):
            with suppress(OSError):
                await writer.wait_closed()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with a TCP reset: lingering for zero seconds throws away what was not sent (POSIX SO_LINGER)."""
    if not writer.is_closing():
        sock: socket.socket = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
