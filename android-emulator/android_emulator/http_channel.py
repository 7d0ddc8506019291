"""Frames over plain HTTP calls, for networks that let no websocket through: the same frames, in `POST events` and `GET jobs`.

One call sends what waits and brings answers; beside it one call waits for the hub to have something to say. Any failed call ends the
channel: what was under way is sorted out by the next hello, as after a lost socket.
"""

import asyncio
from collections import deque
from collections.abc import Coroutine
from http import HTTPStatus
from typing import Final

import msgspec

from android_emulator.channel import Closed, OnText
from android_emulator.hub_client import HubClient, HubError, HubUnreachableError
from device_protocol.errors import UNAUTHORIZED
from device_protocol.limits import HTTP_FRAMES_MAX

BODY_SOFT_MAX_BYTES: Final = 512 * 1024
"""A call is sent once it holds this much; half of what the protocol allows."""


class _Body(msgspec.Struct, omit_defaults=True):
    frames: list[msgspec.Raw] = []
    session_no: int | None = None


class _Bye(msgspec.Struct, tag_field="type", tag="bye"):
    code: int
    reason: str


class HttpChannel:
    """Stands in for a socket; `start` it once its owner can hear."""

    def __init__(self, client: HubClient, access_token: str, on_text: OnText, loop: asyncio.AbstractEventLoop) -> None:
        self.closed: asyncio.Future[Closed] = loop.create_future()
        self._client = client
        self._access_token = access_token
        self._on_text = on_text
        self._outbox: deque[str] = deque()
        self._has_mail = asyncio.Event()
        self._reads = asyncio.Event()
        self._reads.set()
        self._session_no: int | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._is_deaf = False

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._guard(self._post()))]

    def send(self, text: str) -> None:
        if not self.closed.done() and not self._is_deaf:
            self._outbox.append(text)
            self._has_mail.set()

    def send_octets(self, octets: bytes) -> None:
        """There are no binary frames in an HTTP call."""

    def close(self, code: int, reason: str) -> None:
        """Nothing more is sent or heard; the hub finds out by silence."""
        self._end(Closed(code, reason))

    def cut(self) -> None:
        self._end(Closed())

    def stop_reading(self) -> None:
        self._reads.clear()

    def resume_reading(self) -> None:
        self._reads.set()

    def go_deaf(self) -> None:
        self._is_deaf = True

    # --- calls

    async def _post(self) -> None:
        while True:
            await self._has_mail.wait()
            answer = await self._client.post_frames(self._access_token, self._take_mail())
            await self._take_answer(answer)

    async def _wait(self, session_no: int) -> None:
        while True:
            await self._take_answer(await self._client.wait_for_frames(self._access_token, session_no))

    def _take_mail(self) -> bytes:
        frames: list[msgspec.Raw] = []
        octets = 0
        while self._outbox and len(frames) < HTTP_FRAMES_MAX and octets < BODY_SOFT_MAX_BYTES:
            frame = self._outbox.popleft().encode()
            frames.append(msgspec.Raw(frame))
            octets += len(frame)
        if not self._outbox:
            self._has_mail.clear()
        return msgspec.json.encode(_Body(frames, self._session_no))

    async def _take_answer(self, answer: bytes) -> None:
        await self._reads.wait()
        body = msgspec.json.decode(answer, type=_Body)
        if self._session_no is None and body.session_no is not None:
            self._session_no = body.session_no
            self._tasks.append(asyncio.create_task(self._guard(self._wait(body.session_no))))
        for frame in body.frames:
            if self.closed.done() or self._is_deaf:
                return
            self._on_text(bytes(frame).decode())
            if (bye := _as_bye(frame)) is not None:
                self._end(Closed(bye.code, bye.reason))

    # --- the end

    async def _guard(self, calls: Coroutine[None, None, None]) -> None:
        try:
            await calls
        except HubError as error:
            self._end(Closed(UNAUTHORIZED.code if error.status == HTTPStatus.UNAUTHORIZED else None, str(error)))
        except (HubUnreachableError, msgspec.DecodeError) as error:
            self._end(Closed(None, str(error)))

    def _end(self, closed: Closed) -> None:
        if not self.closed.done():
            self.closed.set_result(closed)
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()


def _as_bye(frame: msgspec.Raw) -> _Bye | None:
    try:
        return msgspec.json.decode(frame, type=_Bye)
    except msgspec.DecodeError:
        return None
