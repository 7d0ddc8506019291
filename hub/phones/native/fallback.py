"""The same frames over plain HTTP calls, for networks that let no websocket through.

    POST /device/v1/events           {"frames": [hello]}                      -> {"session_no": 7, "frames": [welcome, …]}
    POST /device/v1/events           {"session_no": 7, "frames": [event, …]}  -> what the hub has to say, the acknowledgements among it
    GET  /device/v1/jobs?session_no=7&wait=25                                 -> the hub's frames as soon as there are any

A call is answered after the commits of its frames. A session that is over, here or because a newer one counts, is answered 409 with `bye`;
an answer that got lost is made good by the next hello, as after a lost socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from device_protocol.codec import encode, sanitise_json
from device_protocol.errors import SUPERSEDED, UNKNOWN_FRAME, CloseReason, ProtocolError
from device_protocol.fallback import decode_body_from_phone, encode_body
from device_protocol.frames import Bye, HubFrame, PhoneFrame
from device_protocol.limits import HTTP_BODY_MAX_BYTES, HTTP_FRAMES_MAX, HTTP_WAIT_MAX_SECONDS
from hub.core.errors import Code, HubError, invalid
from hub.devices.tokens import DeviceTokens, PhoneIdentity
from hub.http import read_body
from hub.phones.native.live import UNKNOWN_FRAMES, NativeSession, as_hello, raw_if_changed
from hub.phones.requests import bearer_of
from hub.phones.sessions import Sessions
from hub.services import Services

ANSWER_BYTES = HTTP_BODY_MAX_BYTES // 2
"""An answer takes no more frames once it holds this much."""


class PullSession(NativeSession):
    """A phone that fetches what the hub has to say."""

    __slots__ = ("_mail", "_sessions")

    def __init__(self, services: Services, sessions: Sessions) -> None:
        super().__init__(services)
        self._sessions = sessions
        self._mail = asyncio.Event()

    async def wait_for_mail(self, seconds: float) -> None:
        """Return when there is something to fetch, or the session ended, or time is up."""
        try:
            async with asyncio.timeout(seconds):
                await self._mail.wait()
        except TimeoutError:
            return

    async def settle(self) -> None:
        """Return when everything the phone said so far is committed or refused."""
        while self.in_flight and self.ending is None:
            await self.wait_for_less()

    def fetch(self) -> list[HubFrame]:
        """Frames for one answer, taken out of the outbox."""
        frames: list[HubFrame] = []
        octets = 0
        while self.outbox and len(frames) < HTTP_FRAMES_MAX and octets < ANSWER_BYTES:
            frames.append(self.outbox.popleft())
            octets += len(encode(frames[-1]))
        if not self.outbox:
            self._mail.clear()
        return frames

    def _wake(self) -> None:
        self._mail.set()

    def _end(self) -> None:
        self._sessions.unregister(self)
        self._mail.set()
        if self.session_no:
            self.say_goodbye()


class Fallback:
    """The two routes."""

    def __init__(self, services: Services, sessions: Sessions, tokens: DeviceTokens) -> None:
        self._services = services
        self._sessions = sessions
        self._tokens = tokens
        self._node = services.config.node_name

    async def events(self, request: Request) -> Response:
        """`POST /device/v1/events`."""
        identity = self._identity(request)
        body = await read_body(request.scope, request.receive, HTTP_BODY_MAX_BYTES)
        try:
            session_no, frames = decode_body_from_phone(body)
            told = list(zip(frames, raws_of(body, len(frames)), strict=True))
            if session_no is None:
                return await self._greet(identity, told)
        except ProtocolError as error:
            raise HubError(Code.BAD_FRAME, f"{error.reason.word}: {error.detail}") from error
        session = self._find(identity, session_no)
        if session is None:
            return goodbye_answer(SUPERSEDED, "this session is over")
        return await self._take(session, told)

    async def jobs(self, request: Request) -> Response:
        """`GET /device/v1/jobs`."""
        if request.method != "GET":
            raise HubError(Code.METHOD_NOT_ALLOWED)  # HEAD would fetch frames and throw them away
        identity = self._identity(request)
        session_no = _number(request, "session_no", 1, 2**53)
        wait = _number(request, "wait", 0, HTTP_WAIT_MAX_SECONDS, default=0)
        session = self._find(identity, session_no)
        if session is None:
            return goodbye_answer(SUPERSEDED, "this session is over")
        session.last_heard = self._services.clock.monotonic()
        if not session.outbox and wait:
            await session.wait_for_mail(wait)
        return self._answer(session)

    def _identity(self, request: Request) -> PhoneIdentity:
        return self._tokens.read(bearer_of(request.scope), self._services.clock.now())

    def _find(self, identity: PhoneIdentity, session_no: int) -> PullSession | None:
        session = self._sessions.find(identity.device_id, session_no)
        return session if isinstance(session, PullSession) else None

    async def _greet(
        self, identity: PhoneIdentity, told: Sequence[tuple[PhoneFrame | ProtocolError, str | None]]
    ) -> Response:
        if not told:
            raise HubError(Code.BAD_FRAME, "The first call of a session brings hello.")
        first = told[0][0]
        if isinstance(first, ProtocolError):
            raise first
        session = PullSession(self._services, self._sessions)
        with self._sessions.greeting(identity.device_id) as greeting:
            greeted = await session.hello(identity, as_hello(first), self._node)
            if not greeted.is_welcome:
                return Response(encode_body(None, greeted.frames), 409, media_type="application/json")
            session.session_no = greeted.session_no
            self._sessions.register(session, greeted.frames, greeting)
        return await self._take(session, told[1:])

    async def _take(
        self, session: PullSession, told: Sequence[tuple[PhoneFrame | ProtocolError, str | None]]
    ) -> Response:
        session.last_heard = self._services.clock.monotonic()
        for frame, raw in told:
            try:
                if not isinstance(frame, ProtocolError):
                    session.take(frame, raw)
                elif frame.reason is UNKNOWN_FRAME:
                    UNKNOWN_FRAMES.inc()
                else:
                    raise frame
            except ProtocolError as error:
                # Told in its place; the other frames of the call count.
                session.queue((_bye(error.reason, error.detail),))
        await session.settle()
        return self._answer(session)

    def _answer(self, session: PullSession) -> Response:
        if session.ending is not None:
            return goodbye_answer(*session.ending)
        body = encode_body(session.session_no, session.fetch())
        return Response(body, media_type="application/json", headers={"Cache-Control": "no-store"})


def goodbye_answer(reason: CloseReason, detail: str) -> Response:
    """409 with `bye`: the session is over."""
    return Response(encode_body(None, (_bye(reason, detail),)), 409, media_type="application/json")


def _bye(reason: CloseReason, detail: str) -> Bye:
    return Bye(reason.code, reason.word, detail[:200])


class _RawBody(msgspec.Struct):
    frames: list[msgspec.Raw]


_raw_decoder = msgspec.json.Decoder(_RawBody)


def raws_of(body: bytes, count: int) -> list[str | None]:
    """For each of the `count` frames of a body that was read: its text as it came, where storing it would change it."""
    text = body.decode(errors="replace")
    if raw_if_changed(text) is None:
        return [None] * count
    # What is replaced keeps its length, so a frame of the clean text stands at the same place in the one that came.
    clean = sanitise_json(text)
    raws: list[str | None] = []
    end = 0
    for frame in _raw_decoder.decode(clean).frames:
        frame_text = bytes(frame).decode()
        start = clean.index(frame_text, end)
        end = start + len(frame_text)
        raws.append(raw_if_changed(text[start:end]))
    return raws


def _number(request: Request, name: str, least: int, most: int, default: int | None = None) -> int:
    text = request.query_params.get(name)
    if text is None and default is not None:
        return default
    if text is None or not text.isascii() or not text.isdigit() or not least <= int(text[:20]) <= most:
        raise invalid(name, "range", f"{name} is a number from {least} to {most}.")
    return int(text)
