"""Agile Telecom's inbound posts: the form, the +OK rule and its retries, through the real delivery loop."""

import asyncio
import json
import os
import re
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from urllib.parse import parse_qsl

import httpx
import pytest

from hub.core.errors import Code, HubError
from hub.core.events import EventType, ReceivedData
from hub.core.ids import render
from hub.dialects.agile import Agile
from hub.webhooks.outbox import NewEvent
from hub.webhooks.records import EndpointChanges
from tests.databases import missing
from tests.integration.webhooks.receiver import Receiver, Script, black_hole, says, slowly
from tests.integration.webhooks.world import World, eventually, world

pytestmark = pytest.mark.anyio

FROM, TO, AT = "+447700900142", "+447700900001", "2026-01-31T23:30:05.900Z"
OK = says(200, b"+OK")
AWKWARD = [
    "Grüße, 世界 🎉",
    "two\nlines\r\n and a tab\t",
    "a&b=c+d%20e;f #g?h",
    "x" * 5 * 153,
    " leading and trailing ",
    "+OK",
]


def received(hub: World, text: str = "Yes!", *, sender: str = FROM, to: str | None = TO) -> NewEvent:
    message_id = hub.new_id()
    data = ReceivedData(id=render("message", message_id), from_=sender, to=to, text=text, received_at=AT)
    return NewEvent(
        hub.new_id(), hub.account_id, EventType.SMS_RECEIVED, hub.clock.now(), data, message_id=message_id, peer=sender
    )


@asynccontextmanager
async def agile(url: str, script: Script = OK, factor: float = 1.0) -> AsyncIterator[tuple[World, Receiver]]:
    async with Receiver(script=script) as receiver, world(url, factor=factor, formats=[Agile()]) as hub:
        yield hub, receiver


async def test_G1_a_text_is_posted_as_a_form_of_exactly_four_fields(database_url: str) -> None:
    async with agile(database_url) as (hub, receiver):
        made = await hub.endpoint(receiver.url(), format="agile")
        assert (made.endpoint.schedule, made.endpoint.success_rule) == ("agile", None)
        await hub.publish([received(hub)])
        await hub.happen(type=EventType.SMS_DELIVERED)
        await hub.until_settled()
        (post,) = receiver.posts
        assert post.headers["content-type"] == "application/x-www-form-urlencoded; charset=utf-8"
        assert parse_qsl(post.body.decode(), strict_parsing=True) == [
            ("originator", FROM), ("destination", TO), ("date_time", "20260131233005"), ("text", "Yes!"),
        ]  # fmt: skip


async def test_G1_number_and_time_zone_are_the_webhooks(sqlite_url: str) -> None:
    async with agile(sqlite_url) as (hub, receiver):
        settings = {"time_zone": "Europe/Rome", "destination": "+390212345678"}
        await hub.endpoint(receiver.url(), format="agile", settings=settings)
        await hub.publish([received(hub, sender="BANK", to=None)])
        await receiver.until_count(1)
        fields = dict(parse_qsl(receiver.posts[0].body.decode()))
        assert (fields["originator"], fields["destination"], fields["date_time"]) == (
            "BANK",
            "+390212345678",
            "20260201003005",
        )
        for wrong in ("Europe/Rom", "../etc/passwd", "/etc/localtime", "\x00"):
            with pytest.raises(HubError) as caught:
                await hub.endpoint(receiver.url(), format="agile", settings={"time_zone": wrong})
            assert caught.value.code is Code.VALIDATION
            assert "Europe/Rome" in caught.value.detail


@pytest.mark.parametrize("body", [b"+OK", b" +OK\r\n"])
@pytest.mark.parametrize("status", [200, 202])
async def test_G2_plus_ok_with_2xx_ends_it_after_one_post(sqlite_url: str, status: int, body: bytes) -> None:
    async with agile(sqlite_url, says(status, body)) as (hub, receiver):
        await hub.endpoint(receiver.url(), format="agile")
        await hub.publish([received(hub)])
        (row,) = await hub.until_settled()
        assert (row.state, row.attempts, len(receiver.posts)) == ("ok", 1, 1)


async def hang_up(_post: object, _writer: object) -> bool:
    return True


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        (says(200, b"OK"), "body"),
        (says(200, b"+ok"), "body"),
        (says(200, b""), "body"),
        (says(200, b"x +OK y"), "body"),
        (says(200, b"+OK received"), "body"),
        (says(500, b"+OK"), "status"),
        (says(302, b"+OK", ("Location", "http://127.0.0.1/")), "redirect"),
        (hang_up, "closed"),
        (black_hole, "timeout"),
    ],
    ids=["OK", "+ok", "empty", "inside", "more", "500", "redirect", "dropped", "silence"],
)
async def test_G3_every_other_answer_is_a_failure(sqlite_url: str, script: Script, outcome: str) -> None:
    async with agile(sqlite_url, script) as (hub, receiver):
        await hub.endpoint(receiver.url(), format="agile", schedule=(), timeout_seconds=1)
        await hub.publish([received(hub)])
        (row,) = await hub.until_settled()
        (attempt,) = (await hub.webhooks.delivery(hub.account_id, row.id)).attempts
        assert (row.state, attempt.outcome) == ("dead", outcome)


async def test_G4_posted_again_after_a_quarter_of_an_hour_three_times_then_dropped_and_kept(database_url: str) -> None:
    async with agile(database_url, says(200, b"ERR"), factor=3600) as (hub, receiver):
        await hub.endpoint(receiver.url(), format="agile")
        await hub.publish([received(hub)])
        (row,) = await hub.until_settled()
        assert (row.state, row.why, row.attempts) == ("dead", "tries_used_up", 4)
        attempts = (await hub.webhooks.delivery(hub.account_id, row.id)).attempts
        starts = [attempt.started_at for attempt in attempts]
        assert all(later - earlier >= 900_000 for earlier, later in pairwise(starts))
        assert len(receiver.posts) == 4
        assert len({post.body for post in receiver.posts}) == 1
        receiver.script = OK
        again = await hub.webhooks.replay(hub.account_id, row.id)

        async def is_ok() -> bool:
            return (await hub.webhooks.delivery(hub.account_id, again.id)).delivery.state == "ok"

        await eventually(is_ok)
        assert receiver.posts[-1].body == receiver.posts[0].body


async def test_G4_the_waits_can_be_set(sqlite_url: str) -> None:
    async with agile(sqlite_url, says(200, b"ERR"), factor=50) as (hub, receiver):
        made = await hub.endpoint(receiver.url(), format="agile", schedule=(1.0, 1.0))
        await hub.publish([received(hub)])
        (row,) = await hub.until_settled()
        assert (row.state, row.attempts) == ("dead", 3)
        changed = await hub.webhooks.update(hub.account_id, made.endpoint.id, EndpointChanges(schedule="default"))
        assert changed.schedule == "agile"


@pytest.mark.parametrize("text", AWKWARD)
async def test_G7_every_text_arrives_as_it_was(sqlite_url: str, text: str) -> None:
    async with agile(sqlite_url) as (hub, receiver):
        await hub.endpoint(receiver.url(), format="agile")
        await hub.publish([received(hub, text)])
        await receiver.until_count(1)
        assert dict(parse_qsl(receiver.posts[0].body.decode("ascii"), keep_blank_values=True))["text"] == text


PAGE = Path(__file__).resolve().parents[3] / "docs" / "adapters" / "dialect-agile.md"
SERVERS = {
    "php": ("receive.php", ["php", "-S", "127.0.0.1:{port}", "receive.php"]),
    "node": ("receive.mjs", ["node", "receive.mjs"]),
}


def sample(language: str) -> str:
    """The program that the page shows."""
    (found,) = re.findall(rf"```{ {'node': 'js'}.get(language, language) }\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return str(found)


@pytest.mark.parametrize("language", SERVERS)
async def test_G7_the_pages_receivers_in_other_languages_keep_each_text_once_as_it_was_sent(
    sqlite_url: str, tmp_path: Path, language: str
) -> None:
    if shutil.which(language) is None:
        missing(language, f"{language} is not installed, so its receiver was not run")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    file, command = SERVERS[language]
    (tmp_path / file).write_text(sample(language))
    server = await asyncio.create_subprocess_exec(
        *(word.format(port=port) for word in command),
        cwd=tmp_path,
        env={**os.environ, "PORT": str(port)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await eventually(lambda: answers(port))
        async with world(sqlite_url, formats=[Agile()]) as hub:
            made = await hub.endpoint(f"http://127.0.0.1:{port}/", format="agile", order_mode="endpoint")
            for text in AWKWARD:
                await hub.publish([received(hub, text)])
            rows = await hub.until_settled()
            assert [(row.state, row.attempts) for row in rows] == [("ok", 1)] * len(AWKWARD)
            await hub.webhooks.replay(hub.account_id, rows[0].id)
            assert {row.state for row in await hub.until_settled()} == {"ok"}
            test = await hub.webhooks.test(hub.account_id, made.endpoint.id)
            assert test.is_success
        async with httpx.AsyncClient() as http:
            refused = await http.post(f"http://127.0.0.1:{port}/", data={"text": "alone"})
        assert (refused.status_code, "+OK" in refused.text) == (400, False)
    finally:
        server.kill()
        await server.wait()
    got = [json.loads(line) for line in (tmp_path / "texts.jsonl").read_text().splitlines()]
    assert [fields["text"] for fields in got[: len(AWKWARD)]] == AWKWARD
    assert len(got) == len(AWKWARD) + 1, "a text that came again was kept once; the last one is the test's sample"
    assert all(fields.keys() == {"key", "originator", "destination", "date_time", "text"} for fields in got)


async def answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def test_G10_a_slow_customer_delays_no_other(database_url: str) -> None:
    async with Receiver(script=black_hole) as slow, agile(database_url) as (hub, receiver):
        made = await hub.endpoint(slow.url(), format="agile", timeout_seconds=60)
        await hub.endpoint(receiver.url(), format="agile")
        await hub.publish([received(hub) for _ in range(200)])
        await receiver.until_count(200)
        rows = await hub.deliveries(endpoint_id=made.endpoint.id)
        assert {row.attempts for row in rows} == {0}, "the slow one still holds its first requests open"


def alerts(receiver: Receiver) -> list[tuple[str, str]]:
    """What an alert webhook was told: event and reason; an event that was posted again (at least once is the promise) counts once."""
    told = {post.id: json.loads(post.body) for post in receiver.posts}
    return [(one["type"], one["data"]["reason"]) for one in told.values()]


async def until_alerts(receiver: Receiver, count: int) -> None:
    await receiver.until(lambda: len(alerts(receiver)) >= count)


WATCHED = ("endpoint:failing", "endpoint:recovered")


async def test_G9_errors_and_texts_given_up_are_counted_shown_and_told_to_another_endpoint(database_url: str) -> None:
    async with Receiver() as alarm, agile(database_url, says(200, b"ERR")) as (hub, receiver):
        made = await hub.endpoint(receiver.url(), format="agile", schedule=())
        await hub.endpoint(alarm.url(), event_types=WATCHED, order_mode="endpoint")
        await hub.publish([received(hub)])
        await until_alerts(alarm, 2)
        assert alerts(alarm) == [("endpoint:failing", "errors"), ("endpoint:failing", "missing")]
        told = json.loads(alarm.posts[0].body)["data"]
        assert (told["endpoint_id"], told["state"]) == (render("endpoint", made.endpoint.id), "active")
        watch = (await hub.webhooks.get(hub.account_id, made.endpoint.id)).health.watch
        assert (watch.tries, watch.failed, watch.missing) == (1, 1, 1)
        assert watch.broken() == ("errors", "missing")
        receiver.script = OK
        await hub.publish([received(hub) for _ in range(99)])
        await until_alerts(alarm, 3)
        assert alerts(alarm)[2:] == [("endpoint:recovered", "errors")]
        assert (await hub.webhooks.get(hub.account_id, made.endpoint.id)).health.watch.broken() == ("missing",)


async def test_G9_an_answer_after_more_than_5_s_is_told_as_slow(sqlite_url: str) -> None:
    # The hub's clock runs two hundred times as fast as the machine's: 60 ms are 12 s.
    async with Receiver() as alarm, agile(sqlite_url, slowly(0.06, OK), factor=200) as (hub, receiver):
        made = await hub.endpoint(receiver.url(), format="agile")
        await hub.endpoint(alarm.url(), event_types=WATCHED)
        await hub.publish([received(hub)])
        await until_alerts(alarm, 1)
        assert alerts(alarm) == [("endpoint:failing", "slow")]
        watch = (await hub.webhooks.get(hub.account_id, made.endpoint.id)).health.watch
        assert (watch.slow, watch.slowest_ms > 5_000, watch.broken()) == (1, True, ("slow",))


async def test_G9_what_was_counted_outlives_the_process(database_url: str) -> None:
    async with agile(database_url, says(200, b"ERR")) as (hub, receiver):
        made = await hub.endpoint(receiver.url(), format="agile", schedule=())
        await hub.publish([received(hub)])
        await hub.until_settled()
    async with world(database_url, formats=[Agile()], account_id=hub.account_id) as again:
        health = (await again.webhooks.get(again.account_id, made.endpoint.id)).health
        assert (health.watch.failed, health.watch.missing) == (1, 1)


async def test_G9_other_formats_are_held_to_no_such_limit(sqlite_url: str) -> None:
    async with Receiver() as alarm, agile(sqlite_url, says(500)) as (hub, receiver):
        made = await hub.endpoint(receiver.url(), schedule=(), event_types=("sms:received",))
        await hub.endpoint(alarm.url(), event_types=WATCHED)
        await hub.publish([received(hub)])
        await hub.until_settled(endpoint_id=made.endpoint.id)
        assert (await hub.webhooks.get(hub.account_id, made.endpoint.id)).health.watch.tries == 0
        assert alarm.posts == []
