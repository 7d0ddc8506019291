"""The websocket side of the listening socket: an upgrade is read once.

uvicorn reads the head of a request, sees that it asks for a websocket, writes the head down again and gives it to the websockets library,
which reads it a second time, line by line: a fifth of what the hub spends on a phone that connects. Here the library is given what was
read. What it checks of an upgrade (RFC 6455 §4.2.1) it still checks, and an upgrade that is in any way unusual takes uvicorn's way.
"""

from __future__ import annotations

from collections.abc import Sequence

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.datastructures import Headers
from websockets.http11 import Request
from websockets.protocol import State

_MOST_HEADERS = 64
_MOST_BYTES = 8 * 1024
_OF_A_BODY = frozenset({b"content-length", b"transfer-encoding"})


def is_usual(method: str, url: bytes, headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Whether the library would take this request, as far as its form goes: short, and without a body."""
    return (
        method == "GET"
        and len(headers) <= _MOST_HEADERS
        and sum([len(name) + len(value) for name, value in headers], len(url)) <= _MOST_BYTES
        and _OF_A_BODY.isdisjoint([name for name, _ in headers])
    )


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol, which may be given an upgrade that was read already."""

    def begin(self, url: bytes, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Take an upgrade for which `is_usual` holds; `connection_made` was called before. Nothing else of the connection was read."""
        given = Headers()
        for name, value in headers:
            given[name.decode("ascii")] = value.decode("latin-1").strip(" \t")
        # The library's reader looks at the state when it starts: a request comes first while connecting, frames come once open.
        self.conn.state = State.OPEN
        self.conn.parser = self.conn.parse()
        next(self.conn.parser)
        self.conn.state = State.CONNECTING
        self.handle_connect(Request(url.decode("ascii"), given))
