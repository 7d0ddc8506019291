"""Sending webhooks: with stored outcome, against a bare aiohttp loop that signs and posts the same bytes, in turns on the same core.

Also what one endpoint that never answers costs the others: their rate and CPU with and without it, in turns, as the median of the rounds'
own ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import hmac
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import aiohttp
import psycopg
import uvloop
from sqlalchemy import text

from bench.outcome import tell
from bench.processes import LOAD_CORE, SERVER_CORE, pinned, process, wait_until_listening
from hub.accounts.secretbox import SecretBox
from hub.clock import SystemClock
from hub.core.effects import Effect, WakeDelivery
from hub.core.events import EventType, MessageData
from hub.core.ids import IdSource, render
from hub.log import configure_logs
from hub.storage.database import Database
from hub.storage.migrate import migrate
from hub.storage.schema.accounts import Account
from hub.storage.transaction import Done, Tx
from hub.storage.types import table_of
from hub.webhooks.client import HttpClient
from hub.webhooks.deliver import Deliverer
from hub.webhooks.formats import BUILT_IN
from hub.webhooks.front import Webhooks
from hub.webhooks.outbox import NewEvent, publish
from hub.webhooks.records import NewEndpoint
from hub.webhooks.resolver import Resolver
from hub.webhooks.settings import DeliverySettings
from hub.webhooks.targets import Guard

PORT = 18731
BLACK_HOLE = 18732
ENDPOINTS, IN_FLIGHT = 8, 8
CONNECTIONS = ENDPOINTS * IN_FLIGHT
AT = "2026-01-31T09:00:00.000Z"


def event(ids: IdSource, clock: SystemClock, account_id: str, number: int, shard: int) -> NewEvent:
    """One text's `sms:delivered`; the peer's prefix decides which endpoint hears it."""
    message_id, peer = ids.next(clock.now()), f"+1555{shard}{number:06d}"
    data = MessageData(
        id=render("message", message_id), status="delivered", to=peer, text="Your code is 123456.", encoding="gsm7",
        segments=1, created_at=AT, changed_at=AT,
    )  # fmt: skip
    return NewEvent(
        ids.next(clock.now()), account_id, EventType.SMS_DELIVERED, clock.now(), data, peer=peer, message_id=message_id
    )


def store(tx: Tx, commands: Sequence[Sequence[NewEvent]]) -> list[Done[None]]:
    """Use case: what a text's own use case does."""
    effects = publish(tx, [event for events in commands for event in events])
    return [Done(None, effects)] + [Done(None)] * (len(commands) - 1)


def add_account(tx: Tx, commands: Sequence[str]) -> list[Done[None]]:
    """Use case."""
    for account_id in commands:
        tx.conn.execute(
            table_of(Account).insert(), {"id": account_id, "name": "bench", "created_at": tx.now, "settings": "{}"}
        )
    return [Done(None) for _ in commands]


class Hub:
    """The webhook part of a hub over one database."""

    def __init__(self, url: str) -> None:
        self.clock = SystemClock()
        self.ids = IdSource(0, random.Random(os.urandom(8)).randbytes)
        self.db = Database.open(url, clock=self.clock, ids=self.ids)
        guard = Guard(["127.0.0.0/8"])
        box = SecretBox([bytes(32)])
        client = HttpClient(guard, Resolver(guard))
        self.front = Webhooks(self.db, self.clock, self.ids, box, BUILT_IN, client)
        self.deliverer = Deliverer(
            self.db,
            self.clock,
            box,
            BUILT_IN,
            DeliverySettings(node=f"bench-{os.urandom(4).hex()}", stop_seconds=0.1),
            client,
        )
        self.account_id = self.ids.next(self.clock.now())
        self.db.writer.on_effects = self._effects

    def _effects(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, WakeDelivery):
                self.deliverer.wake(effect.endpoint_ids)

    async def prepare(self, count: int, *, black_hole: int = 0) -> None:
        """Endpoints, and events that wait for them."""
        await self.db.writer.submit(add_account, self.account_id)
        for shard in range(ENDPOINTS):
            await self._endpoint(f"http://127.0.0.1:{PORT}/{shard}", f"+1555{shard}")
        events = [event(self.ids, self.clock, self.account_id, n, n % ENDPOINTS) for n in range(count)]
        if black_hole:
            await self._endpoint(f"http://127.0.0.1:{BLACK_HOLE}/", "+15559")
            events += [event(self.ids, self.clock, self.account_id, n, 9) for n in range(black_hole)]
        for at in range(0, len(events), 256):
            await self.db.writer.submit(store, events[at : at + 256])

    async def _endpoint(self, url: str, prefix: str) -> None:
        await self.front.create(self.account_id, NewEndpoint(url=url, peer_prefixes=(prefix,), max_inflight=IN_FLIGHT))

    async def drain(self, count: int) -> float:
        """Seconds until `count` deliveries have ended."""
        started = time.perf_counter()
        loop = asyncio.create_task(self.deliverer.run())
        while await self.db.read(lambda conn: int(conn.execute(_DONE).scalar_one())) < count:
            await asyncio.sleep(0.02)
        took = time.perf_counter() - started
        loop.cancel()
        await asyncio.wait([loop])
        return took


_DONE = text("select count(*) from wh_delivery where state = 2")


@asynccontextmanager
async def database(server: str) -> AsyncIterator[str]:
    """A new database: a SQLite file, or one on a PostgreSQL server."""
    if not server:
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{Path(folder) / 'hub.db'}"
        return
    name = f"bench_{os.urandom(4).hex()}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"create database {name}")
        try:
            yield server.rsplit("/", 1)[0] + f"/{name}"
        finally:
            admin.execute(f"drop database {name} with (force)")


async def ours(server: str, count: int, *, black_hole: int = 0) -> tuple[float, float]:
    """Deliveries a second with stored outcome, and CPU microseconds for each."""
    async with database(server) as url:
        migrate(url)
        hub = Hub(url)
        await hub.prepare(count, black_hole=black_hole)
        cpu = time.process_time()
        took = await hub.drain(count)
        cpu = time.process_time() - cpu
        await asyncio.to_thread(hub.db.close)
    return count / took, cpu / count * 1e6


async def bare(count: int) -> tuple[float, float]:
    """The same number of signed posts by an aiohttp session and nothing else."""
    left = count
    key = bytes(32)

    async def worker(session: aiohttp.ClientSession) -> None:
        nonlocal left
        while left > 0:
            left -= 1
            body = json.dumps({"type": "sms:delivered", "timestamp": AT, "data": {"id": f"{left:032x}", "to": "+15551234567",
                               "text": "Your code is 123456.", "status": "delivered", "segments": 1}}).encode()  # fmt: skip
            stamp = str(int(time.time()))
            headers = {
                "content-type": "application/json",
                "webhook-id": f"evt_{left:024d}",
                "webhook-timestamp": stamp,
                "webhook-signature": hmac.digest(key, stamp.encode() + body, "sha256").hex(),
            }
            async with session.post(f"http://127.0.0.1:{PORT}/hook", data=body, headers=headers) as response:
                await response.read()
                assert response.status == 200

    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        started, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(worker(session) for _ in range(CONNECTIONS)))
        return count / (time.perf_counter() - started), (time.process_time() - cpu) / count * 1e6


class Side(NamedTuple):
    """One of those compared: medians over the rounds."""

    rate: float
    """Webhooks a second."""
    cost: float
    """Microseconds of CPU for one."""


BARE, HUB, BESIDE = "bare aiohttp", "hub", "hub beside a black hole"


async def compare(options: argparse.Namespace) -> dict[str, list[Side]]:
    """The rounds of each side, in turns: who comes first changes, since what runs second finds other caches and another disk."""
    sides = {
        BARE: lambda: bare(options.count),
        HUB: lambda: ours(options.database, options.count),
        BESIDE: lambda: ours(options.database, options.count, black_hole=200),
    }
    rounds: dict[str, list[Side]] = {name: [] for name in sides}
    for turn in range(options.rounds + 1):
        for name in list(sides)[:: 1 if turn % 2 else -1]:
            gc.collect()
            rate, cost = await sides[name]()
            print(f"{f'round {turn}' if turn else 'warm-up'} {name:24} {rate:7.0f}/s  {cost:6.1f} us cpu", flush=True)
            if turn:
                rounds[name].append(Side(rate, cost))
    return rounds


def median(sides: Sequence[Side]) -> Side:
    """Of the rates, and of the costs."""
    return Side(*map(statistics.median, zip(*sides, strict=True)))


def paired(sides: Sequence[Side], others: Sequence[Side]) -> tuple[list[float], list[float]]:
    """Rate and CPU of `sides` against `others`, round by round, lowest first: above 1 is better for `sides`.

    A machine that is slower for a while is so for both of a round: ratios of rounds differ less than rounds do.
    """
    pairs = list(zip(sides, others, strict=True))
    return sorted(one.rate / other.rate for one, other in pairs), sorted(other.cost / one.cost for one, other in pairs)


def main(arguments: list[str] | None = None) -> None:
    """Prints the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default="", help="postgresql://…/name of a server where databases may be made")
    parser.add_argument("--count", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    # As in every measurement of the hub; the bare loop writes no line for a webhook either.
    configure_logs("warning", "json", SystemClock().now)
    os.sched_setaffinity(0, {int(SERVER_CORE)})
    receiver = [sys.executable, "-m", "bench.baselines.receiver", str(PORT)]
    silent = [
        sys.executable,
        "-c",
        f"import socket, time; s = socket.create_server(('127.0.0.1', {BLACK_HOLE})); time.sleep(1e6)",
    ]
    with process(pinned(LOAD_CORE, receiver)), process(pinned(LOAD_CORE, silent)):
        wait_until_listening(PORT)
        wait_until_listening(BLACK_HOLE)
        rounds = uvloop.run(compare(options))
    plain, hub, beside = (median(rounds[name]) for name in (BARE, HUB, BESIDE))
    rates, costs = paired(rounds[BESIDE], rounds[HUB])
    print(f"webhook dispatch with stored outcome: {hub.rate / plain.rate:.2f} of a bare aiohttp loop")
    print(f"by cpu: {plain.cost / hub.cost:.2f}, which is what counts while other programs take the cores")
    for what, ratios in (("rate", rates), ("cpu", costs)):
        spread = f"rounds from {ratios[0]:.2f} to {ratios[-1]:.2f}"
        print(f"beside an endpoint that never answers, by {what}: {statistics.median(ratios):.3f} ({spread})")
    tell(
        "webhook_dispatch",
        hub.rate,
        plain.rate,
        "webhooks/s",
        by_rate=hub.rate / plain.rate,
        by_cpu=plain.cost / hub.cost,
    )
    by_rate, by_cpu = statistics.median(rates), statistics.median(costs)
    tell("beside_a_black_hole", beside.rate, hub.rate, "webhooks/s", by_rate=by_rate, by_cpu=by_cpu)


if __name__ == "__main__":
    main()
