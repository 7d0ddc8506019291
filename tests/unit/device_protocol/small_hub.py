"""A hub just big enough to speak to a real phone over real sockets: the real codec and rules, storage as in world.py.

Everything a phone sends is decoded strictly, so a phone written from the page alone is held to the frames as well.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from device_protocol.codec import decode_from_phone, encode
from device_protocol.enrolment import (
    EnrolRequest,
    EnrolResponse,
    NonceMemory,
    TokenRequest,
    TokenResponse,
    is_secret_of,
    rotate_nonce,
)
from device_protocol.errors import STALE_HELLO
from device_protocol.frames import Job, JobRef, Ping, Pong
from device_protocol.handover import HubJob
from device_protocol.hub_side import DeviceMemory, HubRules
from device_protocol.states import HubJobState, SessionState, check_phone_frame
from device_protocol.version import SUBPROTOCOL
from device_protocol.wire_types import write_utc
from tests.unit.device_protocol.world import LINE, HubHands, HubMove, HubPart, Message

TOKEN = "tinyPhoneEnrolmentToken"
NOW = 1_795_271_465_120
PATIENCE_SECONDS = 20


class SmallHub:
    """One device, messages `m0` and up. `heard` are the phone's frames by type, `hub` is what is stored."""

    def __init__(self) -> None:
        self.hands = HubHands(HubRules(), self._job_frame)
        self.hub = HubPart((DeviceMemory("d0", recalled_epoch="epoch0"),), ())
        self.heard: list[str] = []
        self.secret_sha256 = ""
        self.nonce = NonceMemory()
        self.url = ""
        self._nonces = 0
        self._texts: dict[str, str] = {}
        self._socket: WebSocket | None = None
        self._changed = asyncio.Condition()

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/device/v1/enroll", self._enrol, methods=["POST"]),
                Route("/device/v1/token", self._token, methods=["POST"]),
                WebSocketRoute("/device/v1/socket", self._serve),
            ]
        )

    async def _enrol(self, request: Request) -> Response:
        body = msgspec.json.decode(await request.body(), type=EnrolRequest)
        if body.token != TOKEN:
            return JSONResponse({"code": "token_unknown"}, 401)
        self.secret_sha256 = body.secret_sha256
        return _json(EnrolResponse("d0", "epoch0", write_utc(NOW)))

    async def _token(self, request: Request) -> Response:
        body = msgspec.json.decode(await request.body(), type=TokenRequest)
        self._nonces += 1
        fresh = f"nonce-{self._nonces:010d}"
        rotated = rotate_nonce(self.nonce, body.nonce, fresh, "epoch0")
        if rotated is None or not is_secret_of(body.secret, self.secret_sha256):
            return JSONResponse({"code": "nonce_reused"}, 403)
        self.nonce = rotated
        return _json(TokenResponse("access", 900, fresh))

    async def _serve(self, connection: WebSocket) -> None:
        assert connection.headers["authorization"] == "Bearer access"
        assert connection.scope["subprotocols"] == [SUBPROTOCOL]
        await connection.accept(subprotocol=SUBPROTOCOL)
        self._socket = connection
        session_no: int | None = None
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            while True:
                session_no = await self._take(connection, session_no, await connection.receive_text())

    async def _take(self, connection: WebSocket, session_no: int | None, text: str) -> int | None:
        frame = decode_from_phone(text)
        check_phone_frame(SessionState.GREETING if session_no is None else SessionState.LIVE, frame)
        if isinstance(frame, Ping):
            await connection.send_text(encode(Pong(frame.n, write_utc(NOW))))
        move = next(self.hands.receive(self.hub, 0, session_no, text, NOW), None)
        if move is not None:
            await self._carry_out(move)
            session_no = move.session_no or session_no
        await self._note(type(frame).__name__.lower())
        return session_no

    async def _carry_out(self, move: HubMove) -> None:
        self.hub = move.hub
        if self._socket is not None:
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):
                for effect in move.effects:
                    await self._socket.send_text(effect.text)
                if move.is_turned_away:
                    await self._socket.close(STALE_HELLO.code)

    async def _note(self, heard: str) -> None:
        async with self._changed:
            self.heard.append(heard)
            self._changed.notify_all()

    # --- what a test does

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until a frame made it so."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._changed:
            await self._changed.wait_for(is_so)

    async def offer(self, id: str, text: str = "x") -> None:
        """Accept a message and offer it to the phone."""
        ref = JobRef(id, self.hub.next_submission)
        job = HubJob(id, HubJobState.OFFERED, ref.submission, "d0")
        self.hub = replace(self.hub, messages=(*self.hub.messages, Message(job)), next_submission=ref.submission + 1)
        assert self._socket is not None
        self._texts[id] = text
        await self._socket.send_text(encode(self._job_frame(ref)))

    def _job_frame(self, ref: JobRef) -> Job:
        return Job(ref.id, ref.submission, write_utc(NOW), 3600, LINE, "+1", text=self._texts[ref.id])

    async def cancel(self, id: str) -> None:
        move = self.hands.cancel(self.hub, id)
        assert move is not None
        await self._carry_out(move)

    async def cut(self) -> None:
        """The line breaks."""
        assert self._socket is not None
        await self._socket.close(1011)

    def outcome(self, id: str) -> str:
        message = self.hub.message(id)
        return "" if message is None else message.outcome or message.job.state.value


def _json(body: msgspec.Struct) -> Response:
    return Response(msgspec.json.encode(body), media_type="application/json")


@contextlib.asynccontextmanager
async def running() -> AsyncIterator[SmallHub]:
    """A small hub on a free port of this machine."""
    hub = SmallHub()
    listener = socket.create_server(("127.0.0.1", 0))
    hub.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(
        hub.app(), log_level="warning", lifespan="off", ws="websockets-sansio", ws_ping_interval=None
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(server.serve([listener]))
    try:
        yield hub
    finally:
        server.should_exit = True
        await task
