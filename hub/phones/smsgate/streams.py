"""`/events`: the streams of a phone (server-sent events), and when it is told that texts wait.

The app opens a new stream with each registration and forgets to close the old one, so a phone may have several: what it is told goes to
all of them, and one that takes nothing any more is cut. Each wake-up starts the app's fetch anew and throws away the one that runs, so
there is one at most every few seconds, none while a list is being made for it, and none before its pace lets it have more.

    event: MessageEnqueued          texts wait                       data: null
    event: MessageCancelled         from 1.67 on                     data: {"messageId": …}
    event: WebhooksUpdated          fetch the webhooks               data: null
    event: SettingsUpdated          fetch the settings               data: null
    event: MessagesExportRequested  read the inbox again             data: {"since": …, "until": …, …}
    :keepalive                      every 15 seconds
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from device_protocol.frames import Cancel
from hub.core.clock import Clock
from hub.devices.listing import Listing
from hub.log import get_logger
from hub.phones.sessions import Session
from hub.phones.smsgate.versions import CANCELS, Version
from hub.phones.smsgate.wire import phone_id
from hub.storage.devices import Sighting

log = get_logger("phones.smsgate")

KEEPALIVE_SECONDS: Final = 15.0
SEND_SECONDS: Final = 20.0
GATHER_SECONDS: Final = 0.3
"""How long a first wake-up waits for others."""
APART_SECONDS: Final = 2.0
"""Between two wake-ups of a phone."""
UNANSWERED_SECONDS: Final = 10.0
"""A phone that was woken and did not ask for its texts is woken again after so long."""
HOLDING_SECONDS: Final = 30.0
"""A phone that holds as much as its pace allows, and says nothing of it, is woken again after so long."""
MOST_STREAMS: Final = 8
MOST_WAITING: Final = 64

_encoder = msgspec.json.Encoder()
ENQUEUED: Final = "MessageEnqueued"


def event(name: str, data: Any = None) -> bytes:
    """A frame of the stream; there is always a data line."""
    return b"event: " + name.encode() + b"\ndata: " + _encoder.encode(data) + b"\n\n"


class LiveStream(Response):
    """One open stream; as a response it runs until it is cut, or the phone is gone."""

    def __init__(self, phone: PhoneStreams) -> None:
        super().__init__()
        self._phone = phone
        self._waiting: deque[bytes] = deque()
        self._woken = asyncio.Event()
        self.is_over = False

    def put(self, frame: bytes) -> None:
        """Send it; the same one twice in the queue is one."""
        if frame in self._waiting:
            return
        if len(self._waiting) >= MOST_WAITING:
            self.cut()
            return
        self._waiting.append(frame)
        self._woken.set()

    def cut(self) -> None:
        """End it."""
        self.is_over = True
        self._woken.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Write what comes, and a comment when nothing does, until one side ends it. Never raises for a phone that is gone."""
        gone = asyncio.create_task(self._until_gone(receive))
        try:
            await self._run(send)
        except (TimeoutError, OSError, RuntimeError) as error:
            log.info("cut a stream that took nothing", device=self._phone.device_id, why=type(error).__name__)
        finally:
            self.is_over = True
            gone.cancel()
            with suppress(asyncio.CancelledError):
                await gone
            self._phone.leave(self)

    async def _run(self, send: Send) -> None:
        headers = [
            (b"content-type", b"text/event-stream"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        # Headers leave with the first piece of the body: the app fetches its texts when they come.
        await self._write(send, b":open\n\n")
        while not self.is_over:
            with suppress(TimeoutError):
                async with asyncio.timeout(KEEPALIVE_SECONDS):
                    await self._woken.wait()
            self._woken.clear()
            frames, self._waiting = b"".join(self._waiting), deque()
            if not self.is_over:
                await self._write(send, frames or b":keepalive\n\n")
        async with asyncio.timeout(SEND_SECONDS):
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _write(self, send: Send, piece: bytes) -> None:
        async with asyncio.timeout(SEND_SECONDS):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        self._phone.took()

    async def _until_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.cut()


class PhoneStreams(Session):
    """All streams of one phone on this process: its session."""

    __slots__ = (
        "_answers_wake_up",
        "_asked_at",
        "_clock",
        "_empty_in_a_row",
        "_holds_all_until",
        "_is_fetching",
        "_nudged_at",
        "_streams",
        "_timer",
        "_wants",
        "on_end",
        "told",
        "version",
    )

    def __init__(self, clock: Clock, version: Version) -> None:
        super().__init__(clock.monotonic())
        self._clock = clock
        self.version = version
        self._streams: list[LiveStream] = []
        self._timer: asyncio.TimerHandle | None = None
        self._wants = False
        self._is_fetching = False
        loop_time = asyncio.get_running_loop().time()
        self._nudged_at = loop_time - UNANSWERED_SECONDS
        self._asked_at = loop_time
        self._holds_all_until = 0.0
        self._empty_in_a_row = 0
        """Wake-ups after which there was nothing to list."""
        self._answers_wake_up = False
        self.on_end: Callable[[Session], None] | None = None
        """Called once, when the last stream has ended."""
        self.told: dict[str, str] = {}
        """Which version of a document the phone was asked to fetch last."""

    # --- streams

    def open(self) -> LiveStream:
        """One more stream; the oldest goes when there are too many."""
        stream = LiveStream(self)
        self._streams.append(stream)
        if len(self._streams) > MOST_STREAMS:
            self._streams[0].cut()
        return stream

    @property
    def count(self) -> int:
        """Streams that are open."""
        return len(self._streams)

    def leave(self, stream: LiveStream) -> None:
        """A stream has ended; with the last one the phone's session is over."""
        if stream in self._streams:
            self._streams.remove(stream)
        if not self._streams:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            on_end, self.on_end = self.on_end, None
            if on_end is not None:
                on_end(self)

    def took(self) -> None:
        """A stream took what was written."""
        self.last_heard = self._clock.monotonic()

    def tell(self, name: str, data: Any = None) -> None:
        """An event, to every stream."""
        frame = event(name, data)
        for stream in tuple(self._streams):
            stream.put(frame)

    # --- texts wait

    @property
    def is_offered_to(self) -> bool:
        """It fetches its texts."""
        return False

    def nudge(self) -> bool:
        """Texts wait for its lines."""
        self._wants = True
        self._schedule()
        return True

    def is_fetching(self) -> None:
        """It asks for its texts: what waits now will be in the list."""
        self._answers_wake_up = self._nudged_at > self._asked_at
        self._asked_at = asyncio.get_running_loop().time()
        self._is_fetching = True
        self._wants = False

    def has_fetched(self, listing: Listing) -> None:
        """It was given a list. With more waiting it is woken when its pace has room, or when it has spoken of what it got."""
        loop = asyncio.get_running_loop()
        self._is_fetching = False
        self._holds_all_until = 0.0
        # What waits for a line that may not send wakes nobody up every two seconds.
        if listing.texts:
            self._empty_in_a_row = 0
        elif self._answers_wake_up:
            self._empty_in_a_row += 1
            self._holds_all_until = loop.time() + min(2.0**self._empty_in_a_row, HOLDING_SECONDS)
        if listing.has_more:
            wait = HOLDING_SECONDS
            if listing.more_at is not None:
                wait = min(wait, max(0.0, (listing.more_at - self._clock.now()) / 1000))
            if len(listing.texts) == 0 or listing.more_at is not None:
                self._holds_all_until = loop.time() + wait
            self._wants = True
        self._schedule()

    def has_spoken(self) -> None:
        """It told how a text stands, so there may be room for more."""
        self._holds_all_until = 0.0
        if self._wants:
            self._schedule()

    def _schedule(self) -> None:
        if not self._wants or self._is_fetching or not self._streams:
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        was_answered = self._asked_at >= self._nudged_at
        apart = APART_SECONDS if was_answered else UNANSWERED_SECONDS
        at = max(now + GATHER_SECONDS, self._nudged_at + apart, self._holds_all_until)
        if self._timer is not None:
            if self._timer.when() <= at:
                return
            self._timer.cancel()
        self._timer = loop.call_at(at, self._wake_up)

    @property
    def wakes_in(self) -> float | None:
        """Seconds until the phone is woken; None when it will not be."""
        return None if self._timer is None else max(0.0, self._timer.when() - asyncio.get_running_loop().time())

    def _wake_up(self) -> None:
        self._timer = None
        if self._wants and not self._is_fetching:
            self._wants = False
            self._nudged_at = asyncio.get_running_loop().time()
            self.tell(ENQUEUED)

    # --- a session's words

    def sighting(self) -> Sighting:
        """When a stream last took something, or a call came."""
        self.noted_at = self.last_heard
        silent = self._clock.monotonic() - self.last_heard
        return Sighting(self.device_id, self.session_no, self._clock.now() - round(silent * 1000))

    def _wake(self) -> None:
        while self.outbox:
            frame = self.outbox.popleft()
            if isinstance(frame, Cancel) and self.version >= CANCELS:
                self.tell("MessageCancelled", {"messageId": phone_id(frame.id, frame.submission)})

    def _end(self) -> None:
        for stream in tuple(self._streams):
            stream.cut()
