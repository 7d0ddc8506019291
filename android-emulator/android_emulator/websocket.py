"""The phone's websocket: the sans-I/O client of the `websockets` library on an asyncio transport.

It has no task and no queue of its own: a frame that comes is handed on in the same turn of the loop. So thousands of phones fit into one
process, and a test can stop reading, cut, or write what no honest client would.
"""

import asyncio
import ssl
from typing import Final, cast

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus, ProtocolError
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from android_emulator.channel import Closed, ConnectError, OnText
from device_protocol.version import SUBPROTOCOL

SOCKET_PATH: Final = "/device/v1/socket"
MESSAGE_MAX_BYTES: Final = 1024 * 1024
OPEN_SECONDS: Final = 20
CLOSE_SECONDS: Final = 5
"""Time the hub has to end the TCP connection after a closing handshake."""


async def open_websocket(
    hub_url: str, access_token: str, trust: ssl.SSLContext | None, on_text: OnText, *, subprotocol: str = SUBPROTOCOL
) -> "WebSocketChannel":
    """Connect to the hub at `https://…` or `http://…`; ConnectError when it does not take the socket."""
    uri = parse_uri(hub_url.replace("http", "ws", 1).rstrip("/") + SOCKET_PATH)
    protocol = ClientProtocol(uri, subprotocols=[Subprotocol(subprotocol)], max_size=MESSAGE_MAX_BYTES)
    loop = asyncio.get_running_loop()
    channel = WebSocketChannel(protocol, access_token, on_text, loop)
    try:
        async with asyncio.timeout(OPEN_SECONDS):
            await loop.create_connection(lambda: channel, uri.host, uri.port, ssl=trust if uri.secure else None)
            await channel.opened
    except TimeoutError as error:
        raise ConnectError(f"no answer to the websocket request in {OPEN_SECONDS} s") from error
    except OSError as error:
        raise ConnectError(f"{uri.host}:{uri.port}: {error}") from error
    finally:
        if not channel.is_open:
            channel.cut()
    return channel


class WebSocketChannel(asyncio.Protocol):
    """One connection, from the upgrade request to its end."""

    def __init__(
        self, protocol: ClientProtocol, access_token: str, on_text: OnText, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.opened: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[Closed] = loop.create_future()
        self._protocol = protocol
        self._access_token = access_token
        self._on_text = on_text
        self._transport: asyncio.Transport | None = None
        self._fragments: list[bytes | bytearray | memoryview] = []
        self._is_text = True
        self._is_deaf = False
        self._cutting: asyncio.TimerHandle | None = None

    @property
    def is_open(self) -> bool:
        return self._protocol.state is State.OPEN

    # --- what a phone does

    def send(self, text: str) -> None:
        if self._protocol.state is State.OPEN and not self._is_deaf:
            self._protocol.send_text(text.encode(errors="surrogatepass"))
            self._flush()

    def send_octets(self, octets: bytes) -> None:
        if self._protocol.state is State.OPEN:
            self._protocol.send_binary(octets)
            self._flush()

    def close(self, code: int, reason: str) -> None:
        if self._is_deaf:
            self.cut()
        elif self._protocol.state is State.OPEN:
            self._protocol.send_close(code, reason)
            self._flush()
            self._cut_later()

    def cut(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def stop_reading(self) -> None:
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()

    def go_deaf(self) -> None:
        self._is_deaf = True

    # --- what the transport says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        request = self._protocol.connect()
        request.headers["Authorization"] = f"Bearer {self._access_token}"
        self._protocol.send_request(request)
        self._flush()

    def data_received(self, data: bytes) -> None:
        if self._is_deaf:
            return
        self._protocol.receive_data(data)
        self._digest()

    def eof_received(self) -> bool:
        self._protocol.receive_eof()
        self._digest()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        if self._protocol.state is not State.CLOSED:
            self._protocol.receive_eof()
        self._refuse(ConnectError(f"the connection ended before it was open: {error or 'no answer'}"))
        if self._cutting is not None:
            self._cutting.cancel()
        if not self.closed.done():
            self.closed.set_result(_how_it_closed(self._protocol))

    # --- frames

    def _digest(self) -> None:
        for event in self._protocol.events_received():
            if isinstance(event, Response):
                self._take_answer(event)
            elif isinstance(event, Frame):
                self._take_frame(event)
        self._flush()
        if self._protocol.close_expected():
            self._cut_later()

    def _take_answer(self, answer: Response) -> None:
        refused = self._protocol.handshake_exc
        if refused is None:
            if not self.opened.done():
                self.opened.set_result(None)
            return
        status = answer.status_code if isinstance(refused, InvalidStatus) else None
        said = bytes(answer.body or b"").decode(errors="replace")[:300]
        self._refuse(ConnectError(f"{refused} {said}".strip(), status))

    def _refuse(self, error: ConnectError) -> None:
        if not self.opened.done():
            self.opened.set_exception(error)
            # Nobody may be waiting any more: a phone that gave up while it connected.
            self.opened.exception()

    def _take_frame(self, frame: Frame) -> None:
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            self._fragments = [frame.data]
            self._is_text = frame.opcode is Opcode.TEXT
        elif frame.opcode is Opcode.CONT:
            self._fragments.append(frame.data)
        else:
            return
        if frame.fin:
            whole, self._fragments = b"".join(self._fragments), []
            self._on_text(whole.decode(errors="replace") if self._is_text else whole)

    def _cut_later(self) -> None:
        """The hub ends the TCP connection after the closing handshake; if it does not, the phone does."""
        if self._cutting is None:
            self._cutting = asyncio.get_running_loop().call_later(CLOSE_SECONDS, self.cut)

    def _flush(self) -> None:
        if self._transport is None:
            return
        for octets in self._protocol.data_to_send():
            if octets:
                self._transport.write(octets)
            elif self._transport.can_write_eof():
                self._transport.write_eof()
            else:
                self._transport.close()


def _how_it_closed(protocol: ClientProtocol) -> Closed:
    """The code the hub said, or the one the phone said when it closed first."""
    said = protocol.close_rcvd or protocol.close_sent
    if said is not None:
        return Closed(said.code, said.reason)
    broken = protocol.parser_exc
    return Closed(None, str(broken) if isinstance(broken, ProtocolError) else "")
