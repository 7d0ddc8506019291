"""The native API in process, on a real database: the same routes the hub serves, every exchange held against its OpenAPI document."""

from __future__ import annotations

import random
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from device_protocol.payloads import SmsReceived
from hub.accounts.credentials import Credentials
from hub.accounts.front_desk import FrontDesk
from hub.accounts.keys import CreateKey, create_keys, new_secret
from hub.accounts.login_desk import LoginDesk
from hub.accounts.scopes import Scope
from hub.accounts.secretbox import SecretBox
from hub.accounts.signed_in import SignedIn
from hub.config import Config
from hub.core.clock import rfc3339
from hub.core.effects import CredentialsChanged, LiveHint, Publish
from hub.core.errors import Code, HubError
from hub.core.ids import IdSource, render
from hub.dialects.native_v1 import DIALECT
from hub.gateways.desk import open_gateways
from hub.http import problem_response
from hub.live import Hint, Live
from hub.media.links import MediaLinks
from hub.messages.receive import Incoming, receive
from hub.phones.sessions import Sessions
from hub.registry import dialects
from hub.services import EffectRunner, Services
from hub.storage.database import Database
from hub.storage.facts import put_facts
from hub.storage.transaction import Done, Tx
from hub.webhooks.client import HttpClient
from hub.webhooks.formats import formats_with
from hub.webhooks.front import Webhooks
from hub.webhooks.loops import mail_identity
from hub.webhooks.mailer import Mailer, MailServer
from hub.webhooks.resolver import Resolver
from hub.webhooks.targets import Guard
from hub.webhooks.transports import Transports
from tests.fakes import FakeClock
from tests.integration.messages.world import ACCOUNT, STRANGER, World
from tests.openapi_check import CheckedTransport

BASE = "http://hub.test"
ALL = frozenset(Scope)
LOOPBACK = ["127.0.0.0/8"]


def make_services(db: Database, clock: FakeClock, ids: IdSource, folder: Path, **settings: Any) -> Services:
    """The parts the API needs; no loop runs and no phone is connected."""
    config = Config(data_dir=folder, public_url="https://hub.example", **settings)
    box = SecretBox([b"k" * 32], random=random.Random(7).randbytes)
    hub_epoch = ids.next(clock.now())
    with db.write_engine.connect() as conn, conn.begin():
        put_facts(conn, {"hub_epoch": hub_epoch})
    effects, live, guard = EffectRunner(), Live(), Guard(LOOPBACK)
    db.writer.on_effects = effects
    credentials = Credentials(db, clock, requests_per_second=config.requests_per_second)
    signed_in = SignedIn(db, clock, box, credentials, idle_seconds=7 * 86_400, requests_per_second=2000)
    effects.on(CredentialsChanged, credentials.forget)
    effects.on(Publish, lambda effect: live.publish(effect.account_id, Hint("event", effect.event_ids[-1])))
    effects.on(LiveHint, lambda effect: live.publish(effect.account_id, Hint(effect.kind, effect.id)))
    forms = formats_with(*(form for dialect in dialects() for form in dialect.webhook_formats))
    http = HttpClient(guard, Resolver(guard, threads=1))
    client = Transports(http, Mailer(MailServer(config.smtp_host)) if config.smtp_host else None)
    links, identity = MediaLinks(box, config.base_url, config.media_link_hours * 3600), mail_identity(config, box)
    webhooks = Webhooks(db, clock, ids, box, forms, client, identity=identity, complete=links.complete)
    return Services(
        config=config,
        clock=clock,
        ids=ids,
        db=db,
        effects=effects,
        live=live,
        secrets=box,
        credentials=credentials,
        logins=LoginDesk(db, clock, ids, credentials, requests_per_second=config.requests_per_second),
        signed_in=signed_in,
        front_desk=FrontDesk(db, clock, ids, box, signed_in, lives_seconds=30 * 86_400),
        gateways=open_gateways(config, db, clock, ids, box, credentials, webhooks),
        sessions=Sessions(clock),
        webhooks=webhooks,
        media_links=links,
        hub_epoch=hub_epoch,
    )


def make_app(services: Services) -> Starlette:
    """The routes of the dialect, and what the hub answers for paths nobody has."""

    async def not_found(request: Request, _error: Exception) -> Response:
        return problem_response(HubError(Code.NOT_FOUND), request.scope.get("trace_id"))

    return Starlette(routes=list(DIALECT.routes(services)), exception_handlers={404: not_found})


class Api:
    """What the tests do: ask as the account `ACCOUNT`, or as `STRANGER`."""

    def __init__(
        self, db: Database, clock: FakeClock, ids: IdSource, folder: Path, world: World | None = None, **settings: Any
    ) -> None:
        self.db, self.clock, self.ids = db, clock, ids
        self.world = world or World(db, clock, ids)
        self.services = make_services(db, clock, ids, folder, **settings)
        self.app = make_app(self.services)
        self.key = self.make_key(ACCOUNT)
        self.http = self.client(self.key)

    def make_key(self, account_id: str = ACCOUNT, scopes: frozenset[Scope] = ALL) -> str:
        made = new_secret(secrets.token_bytes)
        command = CreateKey(
            id=self.ids.next(self.clock.now()),
            account_id=account_id,
            name="test",
            scopes=scopes,
            sha256=made.sha256,
            hint=made.hint,
        )
        self.db.write_now(create_keys, command)
        return made.token

    def client(self, key: str | None = None, **headers: str) -> httpx.AsyncClient:
        """A client that checks every exchange."""
        own = {"Authorization": f"Bearer {key}"} if key else {}
        transport = CheckedTransport(httpx.ASGITransport(self.app))
        return httpx.AsyncClient(transport=transport, base_url=BASE, headers={**own, **headers})

    def stranger(self) -> httpx.AsyncClient:
        """A client of the other account, which may do everything there."""
        return self.client(self.make_key(STRANGER))

    async def get(self, path: str, **query: Any) -> Any:
        """A GET that has to succeed."""
        return _json(await self.http.get(path, params=query))

    async def post(self, path: str, body: Any = None, **headers: str) -> Any:
        """A POST that has to succeed."""
        return _json(
            await self.http.post(path, json=body, headers=headers)
            if body is not None
            else await self.http.post(path, headers=headers)
        )

    async def patch(self, path: str, body: Any) -> Any:
        """A PATCH that has to succeed."""
        return _json(await self.http.patch(path, json=body))

    async def receive(
        self, device_id: str, text: str = "hi", sender: str = "+447700900123", account: str = ACCOUNT
    ) -> str:
        """A text comes in by a phone; its id."""
        payload = SmsReceived(
            sender=sender, text=text, received_at=rfc3339(self.clock.now()), subscription_id=1, slot=0
        )
        command = Incoming(
            account_id=account,
            device_id=device_id,
            event_uuid=self.ids.next(self.clock.now()),
            at=self.clock.now(),
            payload=payload,
        )
        return await self.db.writer.submit(_receive, command, f"device:{device_id}")

    async def send(self, to: Any = "+491701234567", text: str = "hello", **fields: Any) -> Any:
        """Send a text."""
        return await self.post("/v1/messages", {"to": to, "text": text, **fields})


def _receive(tx: Tx, commands: Sequence[Incoming]) -> list[Done[str]]:
    return [Done(one.message_id, one.effects) for one in receive(tx, commands)]


def _json(response: httpx.Response) -> Any:
    assert response.is_success, f"{response.status_code} {response.text}"
    return response.json() if response.content else None


def problem(response: httpx.Response, code: Code | str) -> dict[str, Any]:
    """The problem document of a refusal, which has to be this one."""
    body: dict[str, Any] = response.json()
    assert body["code"] == code, body
    assert response.status_code == body["status"]
    assert body["detail"]
    return body


def shown(kind: Any, id_: str) -> str:
    """An id as the API writes it."""
    return render(kind, id_)
