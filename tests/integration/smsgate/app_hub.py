"""A hub's app side on a real port, and calls as the app makes them, written by hand from what the app is known to do."""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette

from hub.core.effects import ClosePhone, PhoneSettingsChanged, ToPhone, WakeDispatch
from hub.core.ids import IdSource, from_smsgate21
from hub.devices.enrol import create_enrolment
from hub.devices.registration import new_word
from hub.messages.dispatcher import Dispatcher, OfferLimits
from hub.phones.native.loops import PresenceLoop
from hub.phones.sessions import Sessions
from hub.phones.smsgate import PHONE_TRANSPORT
from hub.server import listening_socket, make_server
from hub.storage.database import Database
from hub.storage.smsgate_accounts import SettingsRow, write_settings
from hub.storage.transaction import Done, Tx
from tests.fakes import FakeClock
from tests.integration.api.hub_api import make_services
from tests.integration.messages.world import ACCOUNT, World

GIVE_UP_SECONDS = 15.0
VERSION = "1.68.0"
SIMS = [
    {"slotIndex": 0, "simNumber": 1, "phoneNumber": "*********0001", "carrierName": "EE", "iccid": "****1111"},
]


class AppHub:
    """The transport's routes with dispatch behind them, listening on loopback."""

    def __init__(self, db: Database, clock: FakeClock, ids: IdSource, folder: Path, world: World) -> None:
        self.clock, self.world = clock, world
        self.sessions = Sessions(clock)
        self.services = replace(make_services(db, clock, ids, folder), sessions=self.sessions)
        self.services.effects.on(ToPhone, self.sessions.to_phone)
        self.services.effects.on(ClosePhone, self.sessions.close_phone)
        self.dispatcher = Dispatcher(db, self.sessions, clock, OfferLimits())
        self.services.effects.on(WakeDispatch, self.dispatcher.wake)
        self.presence = PresenceLoop(self.services, self.sessions)
        self.port = 0
        self.http: httpx.AsyncClient

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[AppHub]:
        """Listen until the block ends."""
        app = Starlette(routes=list(PHONE_TRANSPORT.routes(self.services)))
        server = make_server(app, self._stop, shutdown_seconds=5, request_seconds=60)
        listener = listening_socket("127.0.0.1", 0)
        self.port = listener.getsockname()[1]
        tasks = [asyncio.create_task(server.serve(sockets=[listener])), asyncio.create_task(self.dispatcher.run())]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", trust_env=False) as self.http:
            await until(lambda: server.started)
            try:
                yield self
            finally:
                server.should_exit = True
                await tasks[0]
                tasks[1].cancel()
                with suppress(asyncio.CancelledError):
                    await tasks[1]
                listener.close()

    async def _stop(self) -> None:
        await self.sessions.say_goodbye("the test ends", 2)

    def word(self, **values: Any) -> str:
        """A word an operator gave out."""
        new = new_word(
            ACCOUNT, None, transport="smsgate", new_id=self.world.new_id, random=secrets.token_bytes, **values
        )
        self.world.db.write_now(create_enrolment, new.command)
        return new.token

    async def set_for_phones(self, groups: dict[str, Any]) -> None:
        """What the account's customers set for its phones."""

        def store(tx: Tx, commands: Sequence[dict[str, Any]]) -> list[Done[None]]:
            settings = json.dumps(commands[0])
            write_settings(tx, SettingsRow(ACCOUNT, settings, None, tx.now))
            return [Done(None, (PhoneSettingsChanged(ACCOUNT),))]

        await self.services.db.writer.submit(store, groups)

    async def register(self, word: str | None = None, **values: Any) -> App:
        """A phone that signed up with its private token."""
        app = App(self, **values)
        answer = await app.sign_up(self.word() if word is None else word)
        assert answer.status_code == 201, answer.text
        return app


class App:
    """One phone's app: its calls, and what it remembers of the answers."""

    def __init__(self, hub: AppHub, base: str = "/mobile/v1", version: str = VERSION) -> None:
        self.hub, self.base, self.version = hub, base, version
        self.id = self.token = ""
        self.answers: dict[str, Any] = {}

    @property
    def device_id(self) -> str:
        """As the hub stores it."""
        return from_smsgate21(self.id)

    async def call(
        self, method: str, path: str, body: Any = None, authorization: str | None = None, **options: Any
    ) -> httpx.Response:
        """A call with the device token, or with another authorization ('' = none)."""
        headers = {"User-Agent": f"me.capcom.smsgateway/{self.version}"}
        told = f"Bearer {self.token}" if authorization is None else authorization
        if told:
            headers["Authorization"] = told
        return await self.hub.http.request(method, self.base + path, json=body, headers=headers, **options)

    async def sign_up(self, token: str = "", sims: Any = SIMS, scheme: str = "Bearer") -> httpx.Response:
        """`POST /device`."""
        body = {"name": "Google/shiba", **({} if sims is None else {"simCards": sims})}
        answer = await self.call("POST", "/device", body, f"{scheme} {token}" if token else "")
        if answer.status_code == 201:
            self.answers = answer.json()
            self.id, self.token = self.answers["id"], self.answers["token"]
        return answer

    async def texts(self, order: str = "lifo") -> list[dict[str, Any]]:
        """`GET /message`."""
        answer = await self.call("GET", f"/message?order={order}")
        assert answer.status_code == 200, answer.text
        listed: list[dict[str, Any]] = answer.json()
        return listed

    async def tell(
        self, id_: str, state: str, error: str | None = None, to: str = "+1", **times: str
    ) -> httpx.Response:
        """`PATCH /message`."""
        recipient = {"phoneNumber": to, "state": state, **({"error": error} if error else {})}
        body = [{"id": id_, "state": state, "recipients": [recipient], "states": times}]
        return await self.call("PATCH", "/message", body)

    async def hooks(self) -> dict[str, dict[str, str]]:
        """`GET /webhooks`, by event."""
        answer = await self.call("GET", "/webhooks")
        assert answer.status_code == 200, answer.text
        return {hook["event"]: hook for hook in answer.json()}

    async def settings(self) -> dict[str, Any]:
        """`GET /settings`."""
        answer = await self.call("GET", "/settings")
        assert answer.status_code == 200, answer.text
        groups: dict[str, Any] = answer.json()
        return groups

    async def post(
        self,
        event: str,
        payload: dict[str, Any],
        *,
        id_: str | None = None,
        key: str | None = None,
        raw: bytes | None = None,
        timestamp: int | None = None,
    ) -> httpx.Response:
        """A webhook of the phone: signed with `key`."""
        hook = (
            (await self.hooks())[event]
            if event
            else {"id": "x", "url": next(iter((await self.hooks()).values()))["url"]}
        )
        body = (
            raw
            or json.dumps(
                {
                    "id": id_ or secrets.token_urlsafe(16)[:21],
                    "webhookId": hook["id"],
                    "event": event,
                    "deviceId": self.id,
                    "payload": payload,
                }
            ).encode()
        )
        path = hook["url"].split("hub.example", 1)[1]
        stamp = str(self.hub.clock.now() // 1000 if timestamp is None else timestamp)
        signature = hmac.new((key or "phoneown").encode(), body + stamp.encode(), "sha256").hexdigest()
        headers = {"Content-Type": "application/json", "X-Timestamp": stamp, "X-Signature": signature}
        return await self.hub.http.post(path, content=body, headers=headers)

    @asynccontextmanager
    async def stream(self) -> AsyncIterator[Stream]:
        """`GET /events`, open until the block ends; plain okhttp says nothing of the app."""
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "text/event-stream", "User-Agent": "okhttp/4"}
        async with self.hub.http.stream("GET", self.base + "/events", headers=headers, timeout=None) as answer:
            assert answer.status_code == 200, answer.status_code
            yield Stream(answer)


class Stream:
    """What comes on one open stream."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()

    async def next(self) -> tuple[str, Any]:
        """The next event and its data; comments are passed over. Empty name: the stream has ended."""
        name, data = "", None
        async with asyncio.timeout(GIVE_UP_SECONDS):
            async for line in self._lines:
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    data = json.loads(line.removeprefix("data: "))
                elif not line and name:
                    return name, data
        return "", None

    async def expect(self, *names: str) -> list[Any]:
        """These events, in any order, others passed over; their data in the order of the names."""
        found: dict[str, Any] = {}
        while set(names) - set(found):
            name, data = await self.next()
            assert name, f"the stream ended before {set(names) - set(found)}"
            found[name] = data
        return [found[name] for name in names]


async def until(condition: Callable[[], Any]) -> None:
    """Let the loop run until something is so."""
    async with asyncio.timeout(GIVE_UP_SECONDS):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.002)
