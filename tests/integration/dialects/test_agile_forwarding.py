"""Forwarding a number by webhook or by mail, and changing from one to the other with texts under way."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from typer.testing import CliRunner

from hub.cli import app
from hub.core.clock import rfc3339
from hub.core.errors import Code, HubError
from hub.core.events import EventType, ReceivedData
from hub.core.ids import IdSource, render
from hub.dialects.agile import Agile
from hub.storage.database import Database
from hub.storage.lines import LineRecord, insert_lines
from hub.storage.transaction import Done, Tx
from hub.webhooks.forwarding import Forwarding, Forwardings, Wish
from hub.webhooks.mailer import MailServer
from hub.webhooks.outbox import NewEvent
from tests.fakes import FakeClock
from tests.integration.dialects.test_agile import AWKWARD, FROM, OK, TO
from tests.integration.webhooks.receiver import Post, Receiver, Script, black_hole, says
from tests.integration.webhooks.world import World, add_account, eventually, world
from tests.mail_sink import MailSink

pytestmark = pytest.mark.anyio

ADDRESS = "shop@example.org"
FAR = 3600.0
"""How many times as fast as the machine the hub's clock runs where a quarter of an hour is waited for."""


def add_line(tx: Tx, commands: list[LineRecord]) -> list[Done[None]]:
    insert_lines(tx.conn, commands)
    return [Done(None) for _ in commands]


@dataclass
class Shop:
    """A hub with one line, and the customer's two ways of getting its texts."""

    hub: World
    line_id: str
    server: Receiver
    mailbox: MailSink

    @property
    def forwardings(self) -> Forwardings:
        return Forwardings(self.hub.db, self.hub.webhooks)

    async def by_webhook(self, **more: str) -> Forwarding:
        wish = Wish(way="webhook", url=self.server.url(), **more)
        return await self.forwardings.set(self.hub.account_id, self.line_id, wish)

    async def by_mail(self, **more: str) -> Forwarding:
        return await self.forwardings.set(self.hub.account_id, self.line_id, Wish(way="mail", mail_to=ADDRESS, **more))

    async def texts(self, *texts: str) -> None:
        await self.hub.publish([self._received(text) for text in texts], batch=8)

    def _received(self, text: str) -> NewEvent:
        hub, message_id = self.hub, self.hub.new_id()
        data = ReceivedData(
            id=render("message", message_id), from_=FROM, to=TO, text=text, received_at=rfc3339(hub.clock.now())
        )
        return NewEvent(
            hub.new_id(), hub.account_id, EventType.SMS_RECEIVED, hub.clock.now(), data,
            message_id=message_id, peer=FROM, line_id=self.line_id,
        )  # fmt: skip

    def posted(self) -> list[str]:
        return [text_of(post) for post in self.server.posts]

    def mailed(self) -> list[str]:
        return [taken.text.partition("\nBody: ")[2].removesuffix("\n") for taken in self.mailbox.taken]


def text_of(post: Post) -> str:
    return parse_qs(post.body.decode(), keep_blank_values=True)["text"][0]


@asynccontextmanager
async def shop(url: str, script: Script = OK, factor: float = 1.0) -> AsyncIterator[Shop]:
    async with Receiver(script=script) as server, MailSink() as mailbox:
        smtp = MailServer("127.0.0.1", mailbox.port, tls="off")
        async with world(url, formats=[Agile()], mail_server=smtp, factor=factor, lease_seconds=600) as hub:
            line_id = hub.new_id()
            line = LineRecord(id=line_id, account_id=hub.account_id, name="Shop", number=TO, created_at=0)
            await hub.db.writer.submit(add_line, line)
            yield Shop(hub, line_id, server, mailbox)


async def test_G6_each_text_goes_the_way_that_is_chosen_for_its_number(database_url: str) -> None:
    async with shop(database_url) as one:
        made = await one.by_webhook(time_zone="Europe/Rome")
        assert (made.way, made.number, made.time_zone) == ("webhook", TO, "Europe/Rome")
        await one.texts("first")
        await one.hub.until_settled()
        changed = await one.by_mail()
        assert (changed.way, changed.url, changed.mail_to) == ("mail", one.server.url(), ADDRESS)
        assert changed.endpoint.id == made.endpoint.id
        assert (made.endpoint.schedule, changed.endpoint.schedule) == ("agile", "mail")
        await one.texts("second")
        await one.hub.until_settled()
        back = await one.forwardings.set(one.hub.account_id, one.line_id, Wish(way="webhook"))
        assert (back.way, back.mail_to, back.time_zone) == ("webhook", ADDRESS, "Europe/Rome")
        assert back.endpoint.schedule == "agile"
        await one.texts("third")
        await one.hub.until_settled()
        assert (one.posted(), one.mailed()) == (["first", "third"], ["second"])


async def test_G6_what_waits_goes_the_new_way_at_once_and_once(database_url: str) -> None:
    async with shop(database_url, says(500)) as one:
        await one.by_webhook()
        texts = [f"text {number}" for number in range(24)]
        await one.texts(*texts)

        async def is_given_a_rest() -> object:
            endpoint = (await one.forwardings.get(one.hub.account_id, one.line_id)).endpoint
            return endpoint.health.breaker == "open" or len(one.server.posts)

        await eventually(is_given_a_rest)
        await one.by_mail()
        rows = await one.hub.until_settled()
        assert {row.state for row in rows} == {"ok"}
        tries = [(await one.hub.webhooks.delivery(one.hub.account_id, row.id)).attempts for row in rows]
        assert not any(attempt.is_probe for attempts in tries for attempt in attempts), "nothing waited for the URL"
        assert sorted(one.mailed()) == sorted(texts)


async def test_G6_what_waits_for_the_mail_server_is_posted_after_the_change(database_url: str) -> None:
    async with shop(database_url) as one:
        one.mailbox.answer = lambda _sink, _taken: "451 later"
        await one.by_mail()
        await one.texts("one", "two")

        async def are_tried() -> object:
            rows = await one.hub.deliveries()
            return all(row.attempts for row in rows) or sum(row.attempts for row in rows)

        await eventually(are_tried)
        await one.by_webhook()
        rows = await one.hub.until_settled()
        assert (sorted(one.posted()), one.mailed()) == (["one", "two"], [])
        assert [row.attempts for row in rows] == [1, 1], "the new way has all its tries, beginning at once"


@pytest.mark.parametrize("is_taken", [True, False])
async def test_G6_what_is_just_being_posted_is_mailed_only_if_that_fails(database_url: str, is_taken: bool) -> None:
    go_on = asyncio.Event()

    async def waits(post: Post, writer: asyncio.StreamWriter) -> None:
        await go_on.wait()
        await says(200 if is_taken else 500, b"+OK")(post, writer)

    async with shop(database_url, waits, factor=1.0 if is_taken else FAR) as one:
        await one.by_webhook()
        await one.texts("in the air")
        await one.server.until_count(1)
        await one.by_mail()
        await one.texts("after")
        await eventually_mailed(one, "after")
        assert one.mailed() == ["after"]
        go_on.set()
        assert {row.state for row in await one.hub.until_settled()} == {"ok"}
        assert sorted(one.mailed()) == (["after"] if is_taken else ["after", "in the air"])
        assert one.posted() == ["in the air"]


async def eventually_mailed(one: Shop, text: str) -> None:
    async def is_mailed() -> object:
        return text in one.mailed() or len(one.mailed())

    await eventually(is_mailed)


async def test_G6_changes_while_texts_stream_in_lose_none_and_tell_none_twice(database_url: str) -> None:
    async with shop(database_url) as one:
        await one.by_webhook()
        texts = [f"text {number}" for number in range(160)]

        async def stream() -> None:
            for at in range(0, len(texts), 4):
                await one.texts(*texts[at : at + 4])

        async def change() -> None:
            for number in range(10):
                await (one.by_mail() if number % 2 == 0 else one.by_webhook())
                await asyncio.sleep(0)

        await asyncio.gather(stream(), change())
        rows = await one.hub.until_settled()
        assert Counter(row.state for row in rows) == {"ok": len(texts)}
        assert Counter(one.posted() + one.mailed()) == Counter(texts)


async def test_G6_a_change_made_on_another_hub_counts_where_the_texts_are_sent(postgresql_url: str) -> None:
    async with shop(postgresql_url) as one:
        await one.by_webhook()
        await one.texts("first")
        await one.hub.until_settled()
        smtp = MailServer("127.0.0.1", one.mailbox.port, tls="off")
        there = world(
            postgresql_url,
            formats=[Agile()],
            mail_server=smtp,
            account_id=one.hub.account_id,
            running=False,
            node="other",
        )
        async with there as other:
            elsewhere = Forwardings(other.db, other.webhooks)
            await elsewhere.set(other.account_id, one.line_id, Wish(way="mail", mail_to=ADDRESS))
        await one.texts("second")
        await one.hub.until_settled()
        assert (one.posted(), one.mailed()) == (["first"], ["second"])


async def test_G6_two_who_forward_a_number_at_once_make_one_forwarding(database_url: str) -> None:
    async with shop(database_url) as one:
        made = await asyncio.gather(*(one.by_webhook() for _ in range(2)))
        assert len({forwarding.endpoint.id for forwarding in made}) == 1
        await one.texts("once")
        await one.hub.until_settled()
        assert one.posted() == ["once"]


async def test_G6_a_number_is_forwarded_no_more_when_it_is_stopped(sqlite_url: str) -> None:
    async with shop(sqlite_url, black_hole) as one:
        account = one.hub.account_id
        for call in (one.forwardings.get, one.forwardings.stop):
            with pytest.raises(HubError) as caught:
                await call(account, one.line_id)
            assert caught.value.code is Code.NOT_FOUND
        await one.by_webhook()
        await one.forwardings.stop(account, one.line_id)
        await one.texts("nobody asks")
        assert await one.hub.deliveries() == []
        again = await one.by_mail()
        assert (again.way, again.url) == ("mail", None)


async def test_G6_a_way_needs_to_know_where_to(sqlite_url: str) -> None:
    async with shop(sqlite_url) as one:
        account = one.hub.account_id
        wrong: list[tuple[str, Wish]] = [
            ("url", Wish(way="webhook")),
            ("mail_to", Wish(way="mail")),
            ("url", Wish(way="webhook", url="ftp://x")),
            ("url", Wish(way="webhook", url=f"mailto:{ADDRESS}")),
            ("mail_to", Wish(way="mail", mail_to="shop@example.org\nBcc: all@example.org")),
            ("settings", Wish(way="mail", mail_to=ADDRESS, time_zone="Europe/Rom")),
        ]
        for field, wish in wrong:
            with pytest.raises(HubError) as caught:
                await one.forwardings.set(account, one.line_id, wish)
            assert [part.field for part in caught.value.fields] == [field]
        with pytest.raises(HubError) as caught:
            await one.forwardings.set(account, one.hub.new_id(), Wish(way="mail", mail_to=ADDRESS))
        assert caught.value.code is Code.NOT_FOUND


async def test_G7_every_text_arrives_as_it_was_by_either_way(sqlite_url: str) -> None:
    # Line ends are the mail's own (RFC 5322 §2.1.1): a lone carriage return has no spelling there.
    texts = [text.replace("\r\n", "\n") for text in AWKWARD] + [
        "".join(random.Random(7).choices("aß€🎉\n&+%= ", k=330))
    ]
    async with shop(sqlite_url) as one:
        await one.by_webhook()
        await one.texts(*texts)
        await one.hub.until_settled()
        await one.by_mail()
        await one.texts(*texts)
        await one.hub.until_settled()
        assert Counter(one.posted()) == Counter(one.mailed()) == Counter(texts)


def told(*words: str) -> str:
    result = CliRunner().invoke(app, ["forward", *words])
    return f"{result.exit_code} {result.output}{result.exception if isinstance(result.exception, HubError) else ''}"


def test_G6_an_operator_forwards_a_number_by_hand(
    sqlite_url: str, clock: FakeClock, ids: IdSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {
        "DATA_DIR": str(tmp_path),
        "DATABASE_URL": sqlite_url,
        "SMTP_HOST": "127.0.0.1",
        "WEBHOOK_ALLOW_NETWORKS": "127.0.0.0/8",
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"HUB_{name}", value)
    database = Database.open(sqlite_url, clock=clock, ids=ids, reader_threads=1, writer_window_ms=0.2)
    account = ids.next(clock.now())
    database.write_now(add_account, account)
    database.write_now(
        add_line, LineRecord(id=ids.next(clock.now()), account_id=account, name="Shop", number=TO, created_at=0)
    )
    database.close()
    url = "http://127.0.0.1:9/inbound"
    assert told("webhook", TO, url, "--time-zone", "Europe/Rome") == f"0 Texts to {TO} are posted to {url}. 0 wait.\n"
    assert told("mail", TO, ADDRESS) == f"0 Texts to {TO} are mailed to {ADDRESS}. 0 wait.\n"
    assert told("webhook", TO) == f"0 Texts to {TO} are posted to {url}. 0 wait.\n"
    shown = json.loads(told("show", TO, "--json").removeprefix("0 "))
    assert (shown["way"], shown["url"], shown["mail_to"], shown["time_zone"]) == (
        "webhook",
        url,
        ADDRESS,
        "Europe/Rome",
    )
    assert told("stop", TO) == f"0 Texts to {TO} are no longer forwarded.\n"
    assert "not forwarded" in told("show", TO)
    assert "+447700900009" in told("show", "+447700900009")
