"""A hub's webhook part for tests: real database, real delivery loop, real sockets; only the events are made by hand."""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection, text

from hub.accounts.secretbox import SecretBox
from hub.clock import SystemClock
from hub.core.commands import CallbackTarget
from hub.core.effects import Effect, WakeDelivery
from hub.core.events import EventType, MessageData
from hub.core.ids import IdSource, render
from hub.core.ports import WebhookFormat
from hub.storage.database import Database
from hub.storage.schema.accounts import Account
from hub.storage.transaction import Done, Tx
from hub.storage.types import table_of
from hub.webhooks.client import HttpClient
from hub.webhooks.deliver import Deliverer
from hub.webhooks.formats import formats_with
from hub.webhooks.front import Webhooks
from hub.webhooks.mail import MailIdentity
from hub.webhooks.mailer import Mailer, MailServer
from hub.webhooks.outbox import NewEvent, publish
from hub.webhooks.records import CreatedEndpoint, Delivery, DeliveryFilter, NewEndpoint
from hub.webhooks.resolver import Resolver, system_lookup
from hub.webhooks.settings import DeliverySettings
from hub.webhooks.targets import Guard
from hub.webhooks.transports import Transports
from tests.integration.webhooks.receiver import QUIET_SECONDS

LOCAL = ("127.0.0.0/8", "::1/128")
AT = "2026-01-31T09:00:00.000Z"
BOX = SecretBox([bytes(32)])


def publish_events(tx: Tx, commands: Sequence[Sequence[NewEvent]]) -> list[Done[None]]:
    """Use case: what messages and devices do inside their own transactions."""
    effects = publish(tx, [event for events in commands for event in events])
    return [Done(None, effects if index == 0 else ()) for index in range(len(commands))]


def add_account(tx: Tx, commands: Sequence[str]) -> list[Done[None]]:
    """Use case."""
    for account_id in commands:
        row = {"id": account_id, "name": "test", "created_at": tx.now, "settings": "{}"}
        tx.conn.execute(table_of(Account).insert(), row)
    return [Done(None) for _ in commands]


@dataclass
class World:
    """One hub process's worth of webhooks."""

    db: Database
    clock: SystemClock
    ids: IdSource
    webhooks: Webhooks
    deliverer: Deliverer
    account_id: str
    events: list[NewEvent] = field(default_factory=list)

    def new_id(self) -> str:
        return self.ids.next(self.clock.now())

    async def endpoint(self, url: str, **settings: object) -> CreatedEndpoint:
        return await self.webhooks.create(self.account_id, NewEndpoint(url=url, **settings))  # type: ignore[arg-type]

    def event(
        self,
        type: EventType = EventType.SMS_SENT,
        *,
        message_id: str | None = None,
        conversation_id: str | None = None,
        account_id: str | None = None,
        callback: CallbackTarget | None = None,
        device_id: str | None = None,
        peer: str = "+15550123",
        text: str = "Hello",
    ) -> NewEvent:
        """An event of an invented message."""
        message_id = message_id or self.new_id()
        status = type.value.partition(":")[2]
        data = MessageData(
            id=render("message", message_id), status=status, to=peer, text=text, encoding="gsm7", segments=1,
            created_at=AT, changed_at=AT,
        )  # fmt: skip
        return NewEvent(
            self.new_id(), account_id or self.account_id, type, self.clock.now(), data,
            device_id=device_id, peer=peer, message_id=message_id, conversation_id=conversation_id, callback=callback,
        )  # fmt: skip

    async def publish(self, events: Iterable[NewEvent], *, batch: int = 256) -> list[NewEvent]:
        """Store events as use cases do; returns once they are committed."""
        told = list(events)
        await asyncio.gather(
            *(self.db.writer.submit(publish_events, told[at : at + batch]) for at in range(0, len(told), batch))
        )
        self.events += told
        return told

    async def happen(self, count: int = 1, **fields: object) -> list[NewEvent]:
        """Publish `count` events."""
        return await self.publish(self.event(**fields) for _ in range(count))  # type: ignore[arg-type]

    async def deliveries(self, limit: int = 100_000, **asked: object) -> list[Delivery]:
        return await self.webhooks.deliveries(self.account_id, DeliveryFilter(**asked), limit=limit)  # type: ignore[arg-type]

    async def until_settled(self, **asked: object) -> list[Delivery]:
        """Wait until nothing is pending, for as long as something moves."""

        async def is_settled() -> object:
            waiting, happened = await self.db.read(_waiting_and_happened, self.account_id)
            if asked:
                waiting = sum(row.state in ("pending", "held") for row in await self.deliveries(**asked))
            return True if happened and not waiting else (waiting, happened)

        await eventually(is_settled)
        return await self.deliveries(**asked)


def _waiting_and_happened(conn: Connection, account_id: str) -> tuple[int, int]:
    """How many of an account's deliveries have not ended, and a number that grows with all that happens to them."""
    statement = """select count(*) filter (where state < 2), coalesce(sum(1 + attempts + state), 0)
from wh_delivery where account_id = :account_id"""
    waiting, happened = conn.execute(text(statement), {"account_id": account_id}).one()
    return int(waiting), int(happened)


async def eventually(holds: Callable[[], Awaitable[object]], quiet_seconds: float = QUIET_SECONDS) -> None:
    """Wait until something that has to be asked for answers True; gives up only when its answer has not changed for a while."""
    before, since = None, time.monotonic()
    while (now := await holds()) is not True:
        if now != before:
            before, since = now, time.monotonic()
        elif time.monotonic() - since > quiet_seconds:
            raise AssertionError(f"nothing has moved for {quiet_seconds:g} s: {now}")
        await asyncio.sleep(0.03)


def webhook_ids(events: Iterable[NewEvent]) -> list[str]:
    return [render("event", event.id) for event in events]


@asynccontextmanager
async def world(
    url: str,
    *,
    factor: float = 1.0,
    clock: SystemClock | None = None,
    node: str = "test",
    account_id: str | None = None,
    allow: Iterable[str] = LOCAL,
    lookup: object = system_lookup,
    keep_names_seconds: float = 30.0,
    max_in_flight: int = 1024,
    running: bool = True,
    formats: Sequence[WebhookFormat] = (),
    reader_threads: int = 2,
    lease_seconds: float = 15.0,
    keep_events_days: float = 30.0,
    mail_server: MailServer | None = None,
    identity: MailIdentity | None = None,
) -> AsyncIterator[World]:
    """Open a database and run the delivery loop over it. With `account_id` given, the account is there already."""
    clock = clock or SystemClock(factor)
    ids = IdSource(0, random.Random(os.urandom(8)).randbytes)
    db = Database.open(url, clock=clock, ids=ids, reader_threads=reader_threads, writer_window_ms=0.5)
    guard = Guard(allow)
    http = HttpClient(guard, Resolver(guard, lookup, keep_seconds=keep_names_seconds))  # type: ignore[arg-type]
    client = Transports(http, None if mail_server is None else Mailer(mail_server))
    known = formats_with(*formats)
    front = Webhooks(db, clock, ids, BOX, known, client, node, identity)
    settings = DeliverySettings(
        node=f"{node}-{os.urandom(3).hex()}",
        max_in_flight=max_in_flight,
        stop_seconds=1.0,
        lease_seconds=lease_seconds,
        keep_events_days=keep_events_days,
    )
    deliverer = Deliverer(db, clock, BOX, known, settings, client, identity=identity)

    def run_effects(effects: Sequence[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, WakeDelivery):
                deliverer.wake(effect.endpoint_ids)

    db.writer.on_effects = run_effects
    made = World(db, clock, ids, front, deliverer, account_id or ids.next(clock.now()))
    if account_id is None:
        await db.writer.submit(add_account, made.account_id)
    task = asyncio.create_task(deliverer.run()) if running else None
    try:
        yield made
    finally:
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        client.close()
        await asyncio.to_thread(db.close)
        if task is not None and not task.cancelled() and task.exception() is not None:
            raise task.exception()  # type: ignore[misc]
