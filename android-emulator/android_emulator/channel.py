"""What carries frames between the emulated phone and its hub: a websocket, or the HTTP calls that stand in for one."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

OnText = Callable[[str | bytes], None]
"""Called with each frame that came."""


@dataclass(frozen=True, slots=True)
class Closed:
    """How a channel ended; without a code nobody said goodbye."""

    code: int | None = None
    reason: str = ""


class ConnectError(Exception):
    """There is no channel. `status` is the HTTP status of an answer that was no welcome, None when none came at all."""

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


class Channel(Protocol):
    closed: asyncio.Future[Closed]
    """Done once nothing more can be sent or will come."""

    def send(self, text: str) -> None:
        """Hand a frame to the network; thrown away once the channel is closed."""
        ...

    def send_octets(self, octets: bytes) -> None:
        """Send something that is no frame: a binary message, whose place the protocol does not know."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Say goodbye, then close."""
        ...

    def cut(self) -> None:
        """End at once, without a word."""
        ...

    def stop_reading(self) -> None:
        """Leave what comes in the network's buffers."""
        ...

    def resume_reading(self) -> None: ...

    def go_deaf(self) -> None:
        """Stay open and neither send nor hear anything: this end of a half-open connection."""
        ...
