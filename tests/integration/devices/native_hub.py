"""A hub's phone side on a real port, and a phone that speaks JSON by hand, so that the protocol package checks nothing for it."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from device_protocol.enrolment import secret_hash
from device_protocol.wire_types import write_utc
from hub.core.effects import ClosePhone, ToPhone
from hub.core.ids import IdSource
from hub.phones.native import PHONE_TRANSPORT
from hub.phones.native.loops import PresenceLoop
from hub.phones.sessions import Sessions
from hub.server import Server, listening_socket, make_server
from hub.storage.database import Database
from tests.fakes import FakeClock
from tests.integration.api.hub_api import make_services
from tests.integration.devices.handsets import SECRET, make_code
from tests.integration.messages.world import World

GIVE_UP_SECONDS = 15.0
"""How long a test waits for something that must happen; reached only when it fails."""


class NativeHub:
    """The phone side of a hub, listening on loopback."""

    def __init__(self, db: Database, clock: FakeClock, ids: IdSource, folder: Path, world: World) -> None:
        self.clock, self.world = clock, world
        self.sessions = Sessions(clock)
        self.services = dataclasses.replace(make_services(db, clock, ids, folder), sessions=self.sessions)
        self.services.effects.on(ToPhone, self.sessions.to_phone)
        self.services.effects.on(ClosePhone, self.sessions.close_phone)
        self.loop = PresenceLoop(self.services, self.sessions)
        self.port = 0
        self.http: httpx.AsyncClient
        self.server: Server

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[NativeHub]:
        """Listen until the block ends."""
        sockets = PHONE_TRANSPORT.sockets(self.services)
        starlette = Starlette(routes=list(PHONE_TRANSPORT.routes(self.services)))

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await (sockets[scope["path"]] if scope["type"] == "websocket" else starlette)(scope, receive, send)

        self.server = server = make_server(app, self._stop, shutdown_seconds=5, request_seconds=60)
        listener = listening_socket("127.0.0.1", 0)
        self.port = listener.getsockname()[1]
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", trust_env=False) as self.http:
            await until(lambda: server.started)
            try:
                yield self
            finally:
                server.should_exit = True
                await serving
                listener.close()

    async def _stop(self) -> None:
        await self.sessions.say_goodbye("the test ends", 2)

    # --- coming in

    async def enrol(self, secret: str = SECRET, token: str | None = None, **values: Any) -> httpx.Response:
        body = {
            "token": token or make_code(self.world),
            "secret_sha256": secret_hash(secret),
            "device": {"app_version": "1.0", "manufacturer": "Google", "model": "Pixel 9"},
            **values,
        }
        return await self.http.post("/device/v1/enroll", json=body)

    async def token(self, device_id: str, nonce: str | None = None, secret: str = SECRET) -> httpx.Response:
        body = {"device_id": device_id, "secret": secret, **({} if nonce is None else {"nonce": nonce})}
        return await self.http.post("/device/v1/token", json=body)

    async def phone(self, secret: str = SECRET) -> WirePhone:
        """A phone that has enrolled and holds a token."""
        device_id = (await self.enrol(secret)).json()["device_id"]
        answer = (await self.token(device_id, secret=secret)).json()
        return WirePhone(self, device_id, answer["access_token"], answer["next_nonce"])


class WirePhone:
    """One phone: what it sends, and what it is told."""

    def __init__(self, hub: NativeHub, device_id: str, access_token: str, nonce: str) -> None:
        self.hub = hub
        self.device_id = device_id
        self.access_token = access_token
        self.nonce = nonce
        self.connect_counter = 0
        self.next = 1
        self.session_no = 0

    @asynccontextmanager
    async def socket(self, subprotocol: str | None = "handset.v1", **options: Any) -> AsyncIterator[Wire]:
        """An open socket, before hello."""
        given: dict[str, Any] = {
            "subprotocols": [subprotocol] if subprotocol else None,
            "additional_headers": {"Authorization": f"Bearer {self.access_token}"},
            "compression": None,
            "ping_interval": None,
            "proxy": None,
            "close_timeout": 1,
        }
        url = f"ws://127.0.0.1:{self.hub.port}/device/v1/socket"
        async with connect(url, **{**given, **options}) as connection:
            yield Wire(connection)

    @asynccontextmanager
    async def online(self, **values: Any) -> AsyncIterator[Wire]:
        """A socket that was welcomed."""
        async with self.socket() as wire:
            await wire.send(self.hello(**values))
            welcome = await wire.frame()
            assert welcome["type"] == "welcome", welcome
            self.session_no = welcome["session_no"]
            yield wire

    def hello(self, **values: Any) -> dict[str, Any]:
        self.connect_counter += 1
        return {
            "type": "hello",
            "connect": self.connect_counter,
            "app": {"version": "1.0"},
            "stream": "stream-a",
            "oldest_held": 1,
            "next": self.next,
            "sims": [
                {"slot": 0, "subscription_id": 1, "fingerprint": "ee/0001", "carrier": "EE", "number": "+447700900001"}
            ],
            "permissions": {"read_phone_state": True},
            **values,
        }

    def text(self, text: str = "hi", n: int | None = None, **values: Any) -> dict[str, Any]:
        number = self.next if n is None else n
        self.next = max(self.next, number + 1)
        now = write_utc(self.hub.clock.now())
        payload = {"from": "+447700900123", "received_at": now, "subscription_id": 1, "slot": 0, "text": text}
        return {
            "type": "event",
            "stream": "stream-a",
            "n": number,
            "uuid": f"uuid-{number}",
            "event": "sms:received",
            "at": now,
            "payload": payload,
            **values,
        }


class Wire:
    """An open socket."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, *frames: dict[str, Any] | str | bytes) -> None:
        for frame in frames:
            await self.connection.send(json.dumps(frame) if isinstance(frame, dict) else frame)

    async def frame(self, kind: str | None = None) -> dict[str, Any]:
        """The next frame, or the next one of a kind."""
        while True:
            async with asyncio.timeout(GIVE_UP_SECONDS):
                frame: dict[str, Any] = json.loads(await self.connection.recv())
            if kind in (None, frame["type"]):
                return frame

    async def ack(self, n: int) -> dict[str, Any]:
        """The acknowledgement of number `n`, past earlier ones."""
        while True:
            frame = await self.frame("ack")
            if frame["n"] >= n:
                return frame

    async def end(self) -> tuple[dict[str, Any] | None, int | None]:
        """The hub's `bye`, if it said one, and the code it closed with."""
        bye = None
        with suppress(ConnectionClosed):
            async with asyncio.timeout(GIVE_UP_SECONDS):
                while True:
                    frame = json.loads(await self.connection.recv())
                    bye = frame if frame["type"] == "bye" else bye
        return bye, self.connection.close_code


async def until(condition: Callable[[], Any]) -> None:
    """Let the loop run until something is so."""
    async with asyncio.timeout(GIVE_UP_SECONDS):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.002)
