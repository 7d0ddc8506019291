"""What the air saw: every segment that left a radio, in order, by recipient and text and never by the hub's ids.

This is the witness that counts lost and doubled texts, so it is kept away from the phone: `radio_log` is a process of its own that
a phone writes to over a Unix socket. Load tests, which kill no process, use `MemoryAir`.
"""

import asyncio
import time
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import msgspec


class Attached(msgspec.Struct, frozen=True, kw_only=True):
    """What an MMS carries beside its words."""

    media: tuple[str, ...] = ()
    """Type and SHA-256 of each attachment: `image/png 9f86…`. None of an SMS."""


class Segment(Attached, frozen=True):
    """One segment on its way out."""

    sender: str
    """Number of the card it leaves from."""
    recipient: str
    text: str
    """The whole message's text: with `segment`, what a receiving phone would join."""
    segment: int
    """Counted from 0, as on the wire."""
    segments: int


class Aired(Segment, frozen=True):
    """A segment with the moment the air took it."""

    at: int
    """Milliseconds since the epoch, by the log's own clock: the phone's may be wrong."""


def aired(segment: Segment, at: int) -> Aired:
    """A segment that the air took at this time."""
    return Aired(
        sender=segment.sender,
        recipient=segment.recipient,
        text=segment.text,
        segment=segment.segment,
        segments=segment.segments,
        at=at,
        media=segment.media,
    )


class Air(Protocol):
    async def carry(self, segment: Segment) -> None:
        """Returns once the segment is on air, which nothing can take back. OSError: the air cannot be reached."""
        ...

    async def aclose(self) -> None: ...


class MemoryAir:
    """Remembers segments in this process."""

    def __init__(self) -> None:
        self.aired: list[Aired] = []

    async def carry(self, segment: Segment) -> None:
        at = time.time_ns() // 1_000_000
        self.aired.append(aired(segment, at))

    async def aclose(self) -> None:
        """Nothing to close."""


class SilentAir:
    """Forgets every segment: for fleets whose texts somebody else counts."""

    async def carry(self, segment: Segment) -> None:
        """The segment is gone."""

    async def aclose(self) -> None:
        """Nothing to close."""


class SocketAir:
    """Hands segments to a `radio_log` process; one connection, opened at the first segment."""

    def __init__(self, socket_path: Path) -> None:
        self._path = socket_path
        self._lock = asyncio.Lock()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def carry(self, segment: Segment) -> None:
        async with self._lock:
            if self._streams is None:
                self._streams = await asyncio.open_unix_connection(str(self._path))
            reader, writer = self._streams
            writer.write(msgspec.json.encode(segment) + b"\n")
            await writer.drain()
            if await reader.readline() != b"ok\n":
                raise ConnectionError("the radio log went away before it confirmed a segment")

    async def aclose(self) -> None:
        if self._streams is not None:
            writer, self._streams = self._streams[1], None
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


def read_log(path: Path) -> list[Aired]:
    """Every segment of a radio log file; a last line without its end was never confirmed and is left out."""
    if not path.exists():
        return []
    complete, _, _ = path.read_bytes().rpartition(b"\n")
    return [msgspec.json.decode(line, type=Aired) for line in complete.splitlines()]
