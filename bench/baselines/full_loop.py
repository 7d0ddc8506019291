"""The reference for the whole loop on one core: the least a hub could do and still store everything before it answers.

Accept a text over HTTP, commit it with others in one transaction, push it to its phone's websocket, store two events of the phone before
acknowledging them, send two signed webhooks, store their outcome. No authentication, no validation beyond decoding, no states, no retries,
no limits, no logs. `BASELINE_HOOK` names the receiver, `BASELINE_DB` the SQLite file.

`uvicorn bench.baselines.full_loop:app --loop uvloop --http httptools --ws websockets-sansio --ws-per-message-deflate false`
"""

from __future__ import annotations

import asyncio
import hmac
import os
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import aiohttp
import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

SCHEMA = """
create table message(seq integer primary key, id text not null unique, device text not null, peer text not null, body text not null,
                     state text not null, created_at real not null);
create index message_waiting on message(device, seq) where state = 'queued';
create table event(id text primary key, message_id text not null, kind text not null, at real not null) without rowid;
create table delivery(id integer primary key, url text not null, body blob not null, state int not null, due_at real not null,
                      status int);
create index delivery_due on delivery(due_at) where state = 0;
"""
STATEMENTS = {
    "message": "insert into message(id, device, peer, body, state, created_at) values (?, ?, ?, ?, 'queued', ?)",
    "event": "insert or ignore into event values (?, ?, ?, ?)",
    "state": "update message set state = ? where id = ?",
    "delivery": "insert into delivery(id, url, body, state, due_at) values (?, ?, ?, 0, ?)",
    "outcome": "update delivery set state = ?, status = ? where id = ?",
}
WINDOW_SECONDS = 0.001
SENDERS = 64


class NewMessage(msgspec.Struct):
    """The request."""

    to: str
    text: str
    device: str


class PhoneEvent(msgspec.Struct):
    """What a phone reports."""

    id: str
    message_id: str
    kind: str


decode_message = msgspec.json.Decoder(NewMessage).decode
decode_event = msgspec.json.Decoder(PhoneEvent).decode
Work = tuple[list[tuple[str, tuple[Any, ...]]], Callable[[], None]]


class Writer:
    """Group commit in a thread of its own."""

    def __init__(self, path: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: list[Work] = []
        self._woken = threading.Event()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=wal", "synchronous=full", "wal_autocheckpoint=4000"):
            self._connection.execute(f"pragma {pragma}")
        self._connection.executescript(SCHEMA)
        threading.Thread(target=self._run, daemon=True).start()

    def put(self, rows: list[tuple[str, tuple[Any, ...]]], then: Callable[[], None]) -> None:
        """Store the rows, then call back on the loop."""
        self._waiting.append((rows, then))
        self._woken.set()

    def _run(self) -> None:
        while True:
            self._woken.wait()
            self._woken.clear()
            time.sleep(WINDOW_SECONDS)
            work, self._waiting = self._waiting, []
            grouped: dict[str, list[tuple[Any, ...]]] = {}
            for rows, _ in work:
                for kind, row in rows:
                    grouped.setdefault(kind, []).append(row)
            self._connection.execute("begin immediate")
            for kind, statement in STATEMENTS.items():
                if kind in grouped:
                    self._connection.executemany(statement, grouped[kind])
            self._connection.execute("commit")
            self._loop.call_soon_threadsafe(self._tell, work)

    @staticmethod
    def _tell(work: list[Work]) -> None:
        for _, then in work:
            then()


class State:
    """Everything the reference remembers."""

    def __init__(self) -> None:
        self.phones: dict[str, asyncio.Queue[str]] = {}
        self.hooks: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue()
        self.delivery_id = 0
        self.hooks_done = 0
        self.writer = Writer(os.environ["BASELINE_DB"])
        self.url = os.environ["BASELINE_HOOK"]
        connector = aiohttp.TCPConnector(limit=SENDERS)
        self.client = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())


state: State


def _settle(stored: asyncio.Future[None]) -> None:
    if not stored.done():
        stored.set_result(None)


async def create(request: Request) -> Response:
    """Accept a text."""
    message = decode_message(await request.body())
    made = f"{int(time.time() * 1000):012x}{os.urandom(9).hex()}"
    stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    row = (made, message.device, message.to, message.text, time.time())
    state.writer.put([("message", row)], partial(_settle, stored))
    await stored
    phone = state.phones.get(message.device)
    if phone is not None:
        phone.put_nowait(f'{{"type":"job","id":"{made}","to":"{message.to}","text":"{message.text}"}}')
    return Response(b'{"id":"' + made.encode() + b'","state":"queued"}', 202, media_type="application/json")


async def phone_socket(scope: Any, receive: Any, send: Any) -> None:
    """One phone: jobs out, events in, each stored before its ack."""
    await receive()
    await send({"type": "websocket.accept"})
    device = scope["path"].rsplit("/", 1)[1]
    outbox: asyncio.Queue[str] = asyncio.Queue()
    state.phones[device] = outbox

    async def write() -> None:
        while True:
            await send({"type": "websocket.send", "text": await outbox.get()})

    writing = asyncio.create_task(write())
    try:
        while (message := await receive())["type"] != "websocket.disconnect":
            _store_event(decode_event(message["text"]), device, outbox)
    finally:
        writing.cancel()
        state.phones.pop(device, None)


def _store_event(event: PhoneEvent, device: str, outbox: asyncio.Queue[str]) -> None:
    state.delivery_id += 1
    number, now = state.delivery_id, time.time()
    data = {"messageId": event.message_id, "at": now}
    body = msgspec.json.encode({"id": event.id, "event": event.kind, "deviceId": device, "payload": data})

    def stored() -> None:
        outbox.put_nowait(f'{{"type":"ack","id":"{event.id}"}}')
        state.hooks.put_nowait((number, body))

    state.writer.put(
        [
            ("event", (event.id, event.message_id, event.kind, now)),
            ("state", (event.kind[4:], event.message_id)),
            ("delivery", (number, state.url, body, now + 60)),
        ],
        stored,
    )


async def send_hooks() -> None:
    """One of 64 senders: sign, post, store the outcome."""

    def done() -> None:
        state.hooks_done += 1

    while True:
        number, body = await state.hooks.get()
        stamp = str(int(time.time()))
        signature = hmac.digest(b"secret", body + stamp.encode(), "sha256").hex()
        headers = {"Content-Type": "application/json", "X-Timestamp": stamp, "X-Signature": signature}
        async with state.client.post(state.url, data=body, headers=headers) as answer:
            await answer.read()
        state.writer.put([("outcome", (1 if answer.status < 300 else 0, answer.status, number))], done)


async def progress(_request: Request) -> Response:
    """How many webhooks are done and stored."""
    return Response(msgspec.json.encode({"hooks": state.hooks_done}))


@asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[None]:
    """Open and start."""
    global state
    state = State()
    senders = [asyncio.create_task(send_hooks()) for _ in range(SENDERS)]
    yield
    for sender in senders:
        sender.cancel()
    await state.client.close()


http = Starlette(routes=[Route("/m", create, methods=["POST"]), Route("/progress", progress)], lifespan=lifespan)


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Phones by websocket, the rest by HTTP."""
    await (phone_socket if scope["type"] == "websocket" else http)(scope, receive, send)
