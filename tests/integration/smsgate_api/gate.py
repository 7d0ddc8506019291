"""The sms-gate.app API in process, on a real database."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette

from device_protocol.payloads import SmsReceived
from hub.core.clock import rfc3339
from hub.core.effects import Effect, ExportAsked, PhoneSettingsChanged
from hub.core.ids import IdSource, to_smsgate21
from hub.dialects.smsgate import DIALECT
from hub.messages.receive import Incoming, receive
from hub.storage.database import Database
from hub.storage.transaction import Done, Tx
from tests.fakes import FakeClock
from tests.integration.api.hub_api import make_services
from tests.integration.messages.world import ACCOUNT, STRANGER, Phones, World

PREFIX = "/3rdparty/v1"
NUMBER = "+491701234567"
OTHER = "+491701234568"


class Gate:
    """What the tests do: ask as the login of `ACCOUNT`."""

    def __init__(self, db: Database, clock: FakeClock, ids: IdSource, folder: Path, **settings: Any) -> None:
        self.db, self.clock, self.ids = db, clock, ids
        self.world = World(db, clock, ids)
        self.phones = Phones(self.world)
        self.services = make_services(db, clock, ids, folder, default_region="DE", **settings)
        self.told: list[Effect] = []
        self.services.effects.on(ExportAsked, self.told.append)
        self.services.effects.on(PhoneSettingsChanged, self.told.append)
        self.app = Starlette(routes=list(DIALECT.routes(self.services)))
        self.device = ""
        self.login = ("", "")

    async def opened(self) -> Gate:
        """With a phone and a login."""
        self.device = self.world.phone("Pixel", sims=2)
        made = await self.services.logins.create(ACCOUNT)
        self.login = (made.row.username, made.password)
        self.http = self.client(auth=self.login)
        return self

    def client(self, **values: Any) -> httpx.AsyncClient:
        """A client at the usual address."""
        transport = httpx.ASGITransport(self.app)
        return httpx.AsyncClient(transport=transport, base_url="http://hub.test" + PREFIX, **values)

    async def stranger(self) -> httpx.AsyncClient:
        """A client of another account, which may do everything there."""
        made = await self.services.logins.create(STRANGER)
        return self.client(auth=(made.row.username, made.password))

    @property
    def shown_device(self) -> str:
        """The phone's id as this API shows it."""
        return to_smsgate21(self.device)

    async def send(self, *numbers: str, status: int = 202, **body: Any) -> Any:
        """Send a message; its state."""
        content = {} if {"textMessage", "dataMessage", "message"} & set(body) else {"textMessage": {"text": "hello"}}
        answer = await self.http.post("/messages", json={"phoneNumbers": list(numbers or (NUMBER,)), **content, **body})
        assert answer.status_code == status, answer.text
        return answer.json()

    async def state(self, shown_id: str) -> Any:
        """A message's state now."""
        answer = await self.http.get(f"/messages/{shown_id}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def bind(self) -> None:
        """The phone takes what it is offered."""
        for job in self.phones.offers(self.device):
            self.phones.accept(self.device, job)

    def text_ids(self) -> list[str]:
        """Stored ids of all texts, oldest first."""
        return [row.id for row in self.world.messages()]

    async def receive(self, text: str = "hi", sender: str = NUMBER) -> str:
        """A text comes in; its stored id."""
        payload = SmsReceived(
            sender=sender, text=text, received_at=rfc3339(self.clock.now()), subscription_id=1, slot=0
        )
        command = Incoming(
            account_id=ACCOUNT,
            device_id=self.device,
            event_uuid=self.world.new_id(),
            at=self.clock.now(),
            payload=payload,
        )
        return await self.db.writer.submit(_receive, command, f"device:{self.device}")


def _receive(tx: Tx, commands: Sequence[Incoming]) -> list[Done[str]]:
    return [Done(one.message_id, one.effects) for one in receive(tx, commands)]


def message_of(answer: httpx.Response, status: int) -> str:
    """The sentence of an error, which has that API's shape."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/json")
    body = answer.json()
    assert set(body) == {"message"}
    assert isinstance(body["message"], str)
    assert body["message"]
    return str(body["message"])
