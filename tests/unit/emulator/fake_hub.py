"""A hub of a hundred lines around `device_protocol.hub_side`, on a real socket: in memory, one account, no database.

It does what the protocol demands and remembers what it heard, so that the phone is tested before and without the real hub.
"""

import asyncio
import base64
import itertools
import secrets
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from device_protocol.codec import decode_from_phone, encode
from device_protocol.enrolment import (
    EnrolRequest,
    EnrolResponse,
    NonceMemory,
    QrInvitation,
    TokenRequest,
    TokenResponse,
    build_qr_text,
    rotate_nonce,
    secret_hash,
)
from device_protocol.errors import SUPERSEDED, ProtocolError
from device_protocol.fallback import decode_body_from_phone, encode_body
from device_protocol.frames import (
    Accepted,
    Bye,
    Event,
    Gone,
    Hello,
    HubFrame,
    Job,
    JobRef,
    Line,
    PhoneFrame,
    Ping,
    Pong,
    Recalled,
    Refused,
    Sim,
    TooLate,
)
from device_protocol.handover import (
    Adopt,
    Bind,
    Conclude,
    Decision,
    Doubt,
    HubJob,
    Release,
    ReportFate,
    ReportKind,
    Verdict,
)
from device_protocol.hub_side import DeviceMemory, HubMemory, HubRules, Welcomed
from device_protocol.numbering import Gap
from device_protocol.payloads import SmsCancelled, SmsExpired, SmsFailed, SmsSent, SmsUncertain, decode_payload
from device_protocol.states import HubJobState
from device_protocol.version import SUBPROTOCOL
from device_protocol.wire_types import write_utc

_REPORTS: dict[type, tuple[ReportKind, HubJobState]] = {
    SmsSent: (ReportKind.SENT, HubJobState.SETTLED),
    SmsFailed: (ReportKind.FAILED, HubJobState.SETTLED),
    SmsExpired: (ReportKind.EXPIRED, HubJobState.SETTLED),
    SmsCancelled: (ReportKind.CANCELLED, HubJobState.SETTLED),
    SmsUncertain: (ReportKind.UNCERTAIN, HubJobState.UNCERTAIN),
}
_STATES = {Release: HubJobState.QUEUED, Doubt: HubJobState.UNCERTAIN, Conclude: HubJobState.SETTLED}


@dataclass
class FakeDevice:
    """One enrolled phone as the hub knows it."""

    memory: DeviceMemory
    secret_sha256: str
    nonce: NonceMemory = field(default_factory=NonceMemory)
    jobs: dict[str, HubJob] = field(default_factory=dict)
    offers: dict[str, Job] = field(default_factory=dict)
    events: dict[str, Event] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)
    heard: list[PhoneFrame] = field(default_factory=list)
    outbox: "asyncio.Queue[HubFrame] | None" = None
    sims: tuple[Sim, ...] = ()

    def frames(self, kind: type) -> list[PhoneFrame]:
        return [frame for frame in self.heard if isinstance(frame, kind)]

    def reports(self, event_type: str) -> list[Event]:
        return [event for event in self.events.values() if event.event_type == event_type]


class FakeHub:
    """`async with fake_hub() as hub`."""

    def __init__(self) -> None:
        self.rules = HubRules()
        self.epoch = "epoch1"
        self.url = ""
        self.pins: tuple[str, ...] = ()
        self.ahead_ms = 0
        """How far this hub's clock is ahead of the machine's."""
        self.devices: dict[str, FakeDevice] = {}
        self.tokens: dict[str, str] = {}
        self.codes: dict[str, tuple[str, str] | None] = {}
        self.refuses_sockets = False
        self.loses_enrol_answers = 0
        self.is_deaf = False
        """Reads frames and does nothing with them."""
        self.changed = asyncio.Condition()
        self._numbers = itertools.count(1)

    # --- what tests do

    def qr_text(self) -> str:
        code = secrets.token_urlsafe(24)
        self.codes[code] = None
        return build_qr_text(QrInvitation(self.url, code, self.pins))

    @property
    def device(self) -> FakeDevice:
        (only,) = self.devices.values()
        return only

    async def offer(self, device_id: str, to: str, text: str, line: Line, *, ttl_seconds: int = 300) -> str:
        """Offer a text to a phone; sent now when it is connected."""
        id = f"msg{next(self._numbers)}"
        issued = write_utc(self.now())
        job = Job(id, 1, issued, ttl_seconds, line, to, text=text)
        device = self.devices[device_id]
        device.jobs[id] = HubJob(id, HubJobState.OFFERED, 1, device_id)
        device.offers[id] = job
        self.say(device, job)
        return id

    def say(self, device: FakeDevice, *frames: HubFrame) -> None:
        for frame in frames:
            if device.outbox is not None:
                device.outbox.put_nowait(frame)

    async def until(self, holds: Callable[[], bool], seconds: float = 20) -> None:
        """Until `holds()`, looked at after each frame."""
        async with asyncio.timeout(seconds), self.changed:
            await self.changed.wait_for(holds)

    def line(self, slot: int = 0) -> Line:
        """The line of the only phone's card in a slot, as it told it in its last hello."""
        return self.line_of(self.device.memory.device, slot)

    def line_of(self, device_id: str, slot: int = 0) -> Line:
        (sim,) = (sim for sim in self.devices[device_id].sims if sim.slot == slot)
        return Line(sim.subscription_id, sim.slot, sim.fingerprint)

    async def text(self, to: str, text: str, *, slot: int = 0, ttl_seconds: int = 300) -> str:
        """Offer a text to the only phone."""
        return await self.offer(self.device.memory.device, to, text, self.line(slot), ttl_seconds=ttl_seconds)

    def now(self) -> int:
        return time.time_ns() // 1_000_000 + self.ahead_ms

    # --- enrolment

    async def enrol(self, request: Request) -> Response:
        wanted = msgspec.json.decode(await request.body(), type=EnrolRequest)
        if wanted.token not in self.codes:
            return _problem(404, "token_unknown")
        used = self.codes[wanted.token]
        if used is not None and used[0] != wanted.secret_sha256:
            return _problem(409, "token_used")
        device_id = used[1] if used is not None else self._let_in(wanted)
        self.codes[wanted.token] = (wanted.secret_sha256, device_id)
        if self.loses_enrol_answers:
            self.loses_enrol_answers -= 1
            return _problem(502, "lost")
        return _json(EnrolResponse(device_id, self.epoch, write_utc(self.now())))

    def _let_in(self, wanted: EnrolRequest) -> str:
        for id, device in self.devices.items():
            if wanted.previous_secret and secret_hash(wanted.previous_secret) == device.secret_sha256:
                device.secret_sha256, device.nonce = wanted.secret_sha256, NonceMemory()
                return id
        id = f"dev{len(self.devices) + 1}"
        self.devices[id] = FakeDevice(DeviceMemory(id, recalled_epoch=self.epoch), wanted.secret_sha256)
        return id

    async def token(self, request: Request) -> Response:
        wanted = msgspec.json.decode(await request.body(), type=TokenRequest)
        device = self.devices.get(wanted.device_id)
        if device is None or device.secret_sha256 != secret_hash(wanted.secret):
            return _problem(401, "unauthenticated")
        fresh = secrets.token_urlsafe(16)
        rotated = rotate_nonce(device.nonce, wanted.nonce, fresh, self.epoch)
        if rotated is None:
            return _problem(403, "nonce_reused")
        device.nonce = rotated
        access = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode()
        self.tokens[access] = wanted.device_id
        return _json(TokenResponse(access, 900, fresh))

    def _who(self, authorization: str | None) -> FakeDevice | None:
        return self.devices.get(self.tokens.get((authorization or "").removeprefix("Bearer "), ""))

    # --- conversations

    async def socket(self, socket: WebSocket) -> None:
        device = self._who(socket.headers.get("authorization"))
        if device is None or self.refuses_sockets or SUBPROTOCOL not in socket.scope["subprotocols"]:
            status = 401 if device is None else 426
            await socket.send_denial_response(Response(status_code=status))
            return
        await socket.accept(subprotocol=SUBPROTOCOL)
        session = _Session(self, device)
        writing = asyncio.create_task(_write(socket, session.outbox))
        try:
            while session.is_open:
                await session.take(_text(await socket.receive()))
        except WebSocketDisconnect:
            pass
        finally:
            session.end()
            await writing

    async def events(self, request: Request) -> Response:
        device = self._who(request.headers.get("authorization"))
        if device is None:
            return _problem(401, "unauthenticated")
        session_no, frames = decode_body_from_phone(await request.body())
        if session_no is not None and session_no != device.memory.session_no:
            return Response(encode_body(None, [Bye(SUPERSEDED.code, SUPERSEDED.word)]), 409)
        session = _Session(self, device, session_no)
        for frame in frames:
            if not isinstance(frame, ProtocolError):
                await session.take_frame(frame)
        if session_no is None:
            device.outbox = asyncio.Queue()
        answers = [session.outbox.get_nowait() for _ in range(session.outbox.qsize())]
        return Response(encode_body(session.session_no, answers))

    async def wait_jobs(self, request: Request) -> Response:
        device = self._who(request.headers.get("authorization"))
        if device is None or device.outbox is None:
            return _problem(401, "unauthenticated")
        frames: list[HubFrame] = []
        try:
            async with asyncio.timeout(float(request.query_params["wait"])):
                frames.append(await device.outbox.get())
        except TimeoutError:
            pass
        return Response(encode_body(None, frames))

    async def heard(self) -> None:
        async with self.changed:
            self.changed.notify_all()


class _Session:
    """One connection of one phone."""

    def __init__(self, hub: FakeHub, device: FakeDevice, session_no: int | None = None) -> None:
        self.hub = hub
        self.device = device
        self.session_no = session_no
        self.outbox: asyncio.Queue[HubFrame] = asyncio.Queue()
        self.is_open = True

    def end(self) -> None:
        if self.device.outbox is self.outbox:
            self.device.outbox = None
        self.outbox.put_nowait(Bye(4014, "restarting"))

    async def take(self, text: str | bytes) -> None:
        try:
            frame = decode_from_phone(text)
        except ProtocolError as error:
            self.outbox.put_nowait(Bye(error.reason.code, error.reason.word, detail=error.detail[:200]))
            self.is_open = False
            return
        await self.take_frame(frame)

    async def take_frame(self, frame: PhoneFrame) -> None:
        self.device.heard.append(frame)
        if not self.hub.is_deaf and (isinstance(frame, Hello) or self.session_no == self.device.memory.session_no):
            for answer in self._answer(frame):
                self.outbox.put_nowait(answer)
        await self.hub.heard()

    def _answer(self, frame: PhoneFrame) -> Iterable[HubFrame]:
        rules, device, now = self.hub.rules, self.device, self.hub.now()
        memory = HubMemory(self.hub.epoch, False, now)
        phone = rules.phone_of(device.memory, memory)
        if isinstance(frame, Hello):
            return self._greet(frame, memory)
        if isinstance(frame, Accepted):
            ref = JobRef(frame.id, frame.submission)
            return self._decide(rules.accepted(phone, ref, device.jobs.get(frame.id)))
        if isinstance(frame, Refused):
            return self._decide(rules.refused(phone, frame, device.jobs.get(frame.id)))
        if isinstance(frame, TooLate):
            return self._decide(rules.too_late(phone, frame, device.jobs.get(frame.id)))
        if isinstance(frame, Event | Gone):
            return self._number(frame)
        if isinstance(frame, Recalled):
            step = rules.recall_page(device.memory, memory, frame, device.jobs)
            device.memory = step.memory
            return [*self._decide(step.decision), *([step.next_question] if step.next_question else [])]
        return [Pong(frame.n, write_utc(now))] if isinstance(frame, Ping) else []

    def _greet(self, hello: Hello, memory: HubMemory) -> Iterable[HubFrame]:
        answer = self.hub.rules.hello(self.device.memory, memory, hello, self.device.jobs, secrets.token_hex(8))
        if not isinstance(answer, Welcomed):
            self.is_open = False
            return [answer.bye]
        if self.device.outbox is not None:
            self.device.outbox.put_nowait(Bye(SUPERSEDED.code, SUPERSEDED.word))
        self.device.memory, self.device.outbox = answer.memory, self.outbox
        self.device.sims = hello.sims
        self.session_no = answer.memory.session_no
        self.device.gaps += answer.gaps
        self._write(answer.verdicts)
        return [*answer.frames, *(self.device.offers[ref.id] for ref in answer.offer_again)]

    def _number(self, frame: Event | Gone) -> Iterable[HubFrame]:
        streams = self.device.memory.streams
        if frame.stream != streams[-1].stream:
            return []
        if isinstance(frame, Event):
            self.device.events.setdefault(frame.uuid, frame)
            self._report(frame)
            numbered = self.hub.rules.take_event(streams[-1], frame.n, frame.uuid)
        else:
            numbered = self.hub.rules.take_gone(streams[-1], frame.first, frame.last, frame.reason)
        self.device.gaps += numbered.gaps
        self.device.memory = replace(self.device.memory, streams=(*streams[:-1], numbered.memory))
        return [numbered.ack, *([numbered.resend] if numbered.resend else [])]

    def _report(self, event: Event) -> None:
        payload = decode_payload(event.event_type, event.payload)
        kind, state = _REPORTS.get(type(payload), (None, None))
        job = self.device.jobs.get(getattr(payload, "id", ""))
        if kind is None or state is None or job is None:
            return
        ref = JobRef(job.id, getattr(payload, "submission", 0))
        phone = self.hub.rules.phone_of(self.device.memory, HubMemory(self.hub.epoch, False, self.hub.now()))
        if self.hub.rules.judge_report(phone, ref, kind, job) in (ReportFate.APPLY, ReportFate.ADOPT):
            self.device.jobs[job.id] = msgspec.structs.replace(job, state=state)

    def _decide(self, decision: Decision) -> Iterable[HubFrame]:
        self._write(decision.verdicts)
        return decision.frames

    def _write(self, verdicts: Iterable[Verdict]) -> None:
        for verdict in verdicts:
            job = self.device.jobs.get(verdict.ref.id)
            if job is None:
                continue
            if isinstance(verdict, Bind):
                self.device.jobs[job.id] = msgspec.structs.replace(job, state=HubJobState.BOUND)
            elif isinstance(verdict, Adopt):
                self.device.jobs[job.id] = msgspec.structs.replace(
                    job, state=HubJobState.UNCERTAIN, submission=verdict.ref.submission
                )
            elif state := _STATES.get(type(verdict)):
                self.device.jobs[job.id] = msgspec.structs.replace(job, state=state)


@asynccontextmanager
async def fake_hub(tls: tuple[ssl.SSLContext, str] | None = None, port: int = 0) -> AsyncIterator[FakeHub]:
    """A hub on loopback; `tls` is a server context and the pin that goes into QR codes."""
    hub = FakeHub()
    app = Starlette(
        routes=[
            Route("/device/v1/enroll", hub.enrol, methods=["POST"]),
            Route("/device/v1/token", hub.token, methods=["POST"]),
            Route("/device/v1/events", hub.events, methods=["POST"]),
            Route("/device/v1/jobs", hub.wait_jobs),
            WebSocketRoute("/device/v1/socket", hub.socket),
        ]
    )
    listening = socket.create_server(("127.0.0.1", port))
    config = uvicorn.Config(
        app,
        log_level="critical",
        lifespan="off",
        ws="websockets-sansio",
        ws_ping_interval=None,
        timeout_graceful_shutdown=1,
    )
    config.load()
    if tls is not None:
        config.ssl, hub.pins = tls[0], (tls[1],)
    hub.url = f"{'https' if tls else 'http'}://127.0.0.1:{listening.getsockname()[1]}"
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield hub
    finally:
        for device in hub.devices.values():
            hub.say(device, Bye(4014, "restarting"))
        server.should_exit = True
        await serving


async def _write(socket: WebSocket, outbox: "asyncio.Queue[HubFrame]") -> None:
    try:
        while True:
            frame = await outbox.get()
            await socket.send_text(encode(frame))
            if isinstance(frame, Bye):
                await socket.close(frame.code, frame.reason)
                return
    except (WebSocketDisconnect, RuntimeError):
        return


def _text(message: dict[str, object] | object) -> str | bytes:
    assert isinstance(message, dict)
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(int(message.get("code") or 1006))
    return message.get("text") or message.get("bytes") or ""


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")


def _problem(status: int, code: str) -> Response:
    body = msgspec.json.encode({"code": code, "title": code, "status": status})
    return Response(body, status, media_type="application/problem+json")
