"""Following `/v1/stream` of a hub from elsewhere: read, and after every break go on where the last event ended.

    connect ──> ready (a cursor) ──> events, each with its cursor ──> break: wait 0.5 s doubling to 15 s, connect with the last cursor

Server-sent events as https://html.spec.whatwg.org/multipage/server-sent-events.html has them. The hub says something every 15 s, so
that a connection on which nothing comes for 45 s is dead.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from typing import NamedTuple

import httpx
import msgspec

QUIET_SECONDS = 45.0
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 15.0
LARGEST_EVENT = 1 << 20


class Message(NamedTuple):
    """One dispatched server-sent event."""

    event: str
    id: str
    data: str


class StreamRefused(Exception):
    """The hub will not stream to us, and asking again would not help; its text is for the person at the keyboard."""


class FeedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What a webhook is made of, as the stream tells it; the rest is left out."""

    id: str
    cursor: str
    seq: int
    type: str
    occurred_at: str
    device_id: str | None = None
    line_id: str | None = None
    message_id: str | None = None
    trace_id: str | None = None
    data: msgspec.Raw = msgspec.Raw()


class Ready(msgspec.Struct, frozen=True):
    """The first event of a stream."""

    cursor: str
    is_reset: bool


class Problem(msgspec.Struct, frozen=True):
    """An RFC 9457 answer, as far as it is shown."""

    detail: str = ""


class Parser:
    """Bytes in, messages out; pieces may break anywhere. Raises ValueError for an event without end."""

    def __init__(self) -> None:
        self._rest = b""
        self._event, self._id = "", ""
        self._data: list[str] = []

    def feed(self, piece: bytes) -> list[Message]:
        """The messages that are complete now."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        if len(self._rest) > LARGEST_EVENT:
            raise ValueError("a line of the stream is longer than 1 MiB")
        found = []
        for raw in lines:
            line = raw.rstrip(b"\r").decode("utf-8", "replace")
            if line:
                self._field(*line.partition(":")[::2])
                continue
            if self._data:
                found.append(Message(self._event or "message", self._id, "\n".join(self._data)))
            self._event, self._data = "", []
        return found

    def _field(self, name: str, value: str) -> None:
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name == "id":
            self._id = value


class Feed:
    """A hub's events, from a cursor on or from now."""

    def __init__(
        self,
        hub: str,
        key: str,
        say: Callable[[str], None],
        *,
        cursor: str | None,
        types: Sequence[str],
        ca: str | None,
    ) -> None:
        self._say = say
        self._cursor = cursor
        self._types = tuple(types)
        self._hub = hub.rstrip("/")
        self._was_up = False
        self._is_up = False
        verify = ssl.create_default_context(cafile=ca) if ca else True
        limits = httpx.Timeout(10.0, read=QUIET_SECONDS)
        headers = {"Authorization": f"Bearer {key}", "Accept": "text/event-stream"}
        self._client = httpx.AsyncClient(verify=verify, timeout=limits, headers=headers, trust_env=False)

    async def events(self) -> AsyncIterator[FeedEvent]:
        """For ever. Raises StreamRefused; also when the very first connection fails, which is likely a wrong address."""
        pause = FIRST_PAUSE_SECONDS
        async with self._client:
            while True:
                why = "the stream ended"
                try:
                    async for event in self._connection():
                        pause = FIRST_PAUSE_SECONDS
                        yield event
                except msgspec.MsgspecError as error:
                    raise StreamRefused(
                        f"{self._hub} tells events in a way this program does not know ({error}): is it of the same version?"
                    ) from None
                except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
                    why = str(error) or type(error).__name__
                if not self._was_up:
                    raise StreamRefused(
                        f"No hub answers at {self._hub}: {why}. Is it running, and is this its address?"
                    )
                if self._is_up:
                    self._say(f"   The connection to the hub ended ({why}); connecting again until it is back.")
                    self._is_up = False
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _connection(self) -> AsyncIterator[FeedEvent]:
        query: list[tuple[str, str | int | float | bool | None]] = [("changes", "false")]
        query += [("type", kind) for kind in self._types]
        headers = {"Last-Event-ID": self._cursor} if self._cursor else {}
        async with self._client.stream("GET", f"{self._hub}/v1/stream", params=query, headers=headers) as answer:
            await self._check(answer)
            parser = Parser()
            async for piece in answer.aiter_bytes():
                for message in parser.feed(piece):
                    if message.event == "ready":
                        self._ready(msgspec.json.decode(message.data, type=Ready))
                    elif message.event == "message":
                        event = msgspec.json.decode(message.data, type=FeedEvent)
                        self._cursor = event.cursor
                        yield event

    def _ready(self, ready: Ready) -> None:
        if not self._was_up:
            self._say("   Connected.\n")
        elif not self._is_up:
            self._say("   Connected again" + (".\n" if ready.is_reset else "; nothing was missed.\n"))
        if ready.is_reset:
            self._say("   The hub was restored from a backup since: events may be missing or come again.")
        self._was_up = self._is_up = True
        self._cursor = ready.cursor

    async def _check(self, answer: httpx.Response) -> None:
        """Raises StreamRefused, or HTTPStatusError for what may pass."""
        if answer.status_code == 200:
            if not answer.headers.get("content-type", "").startswith("text/event-stream"):
                raise StreamRefused(f"{self._hub} answers, but not as a Handset Hub does. Is this the hub's address?")
            return
        if answer.status_code in (408, 429) or answer.status_code >= 500:
            self._was_up = self._was_up or answer.status_code in (429, 503)
            answer.raise_for_status()
        raise StreamRefused(_refusal(answer.status_code, await answer.aread(), self._hub))


def _refusal(status: int, body: bytes, hub: str) -> str:
    if status == 401:
        return "The hub does not know this key (401). Make one with: hub key create laptop --scope events:read"
    if status == 403:
        return "This key may not read events (403). Make one with: hub key create laptop --scope events:read"
    if 300 <= status < 400:
        return f"{hub} answers with a redirect ({status}): give the hub's own address, with https:// if it has TLS."
    try:
        detail = msgspec.json.decode(body, type=Problem).detail
    except msgspec.DecodeError:
        detail = ""
    return f"{hub} answered {status}: {detail or 'no Handset Hub at this address?'}"
