"""Which version both sides speak: the websocket subprotocol (RFC 6455 §1.9)."""

from collections.abc import Iterable
from typing import Final

from device_protocol.errors import UNSUPPORTED_VERSION, ProtocolError

SUBPROTOCOL: Final = "handset.v1"
SUPPORTED: Final = (SUBPROTOCOL,)
"""Best first."""


def choose_subprotocol(offered: Iterable[str]) -> str:
    """The best version both sides know; ProtocolError `unsupported_version`, naming both lists, when there is none.

    `offered` are the entries of `Sec-WebSocket-Protocol`, each stripped of spaces. An empty offer is refused too: a
    client that names no version would read frames of whichever version the hub speaks next year.
    """
    theirs = list(offered)
    for version in SUPPORTED:
        if version in theirs:
            return version
    named = ", ".join(theirs)[:100] or "nothing"
    raise ProtocolError(UNSUPPORTED_VERSION, f"offered {named}; this hub speaks {', '.join(SUPPORTED)}")
