"""The developer's receiver under the real delivery loop: what it shows, and each way to misbehave."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from hub.core.events import EventType
from hub.webhooks.records import Attempt, CreatedEndpoint
from hub.workbench.faults import Plan
from hub.workbench.listen import Listener
from hub.workbench.verify import read_secret
from tests.integration.webhooks.world import World, world

pytestmark = pytest.mark.anyio

HOUR = 3600.0


@asynccontextmanager
async def listening(
    hub: World, answers: str = "", **settings: object
) -> AsyncIterator[tuple[list[str], CreatedEndpoint]]:
    """The blocks it shows, and the endpoint that sends to it."""
    blocks: list[str] = []
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    made = await hub.endpoint(f"http://127.0.0.1:{port}/hook?token=s3cret", **{"schedule": (), **settings})
    listener = Listener([read_secret(made.secret)], Plan(answers), hub.clock, blocks.append, with_headers=True)
    assert await listener.start(port) == f"http://127.0.0.1:{port}/"
    try:
        yield blocks, made
    finally:
        await listener.stop()


async def attempts(hub: World) -> list[Attempt]:
    (row,) = await hub.until_settled()
    return list((await hub.webhooks.delivery(hub.account_id, row.id)).attempts)


@pytest.mark.parametrize("form", ["standard", "smsgate"])
async def test_what_arrives_is_shown_and_verified_and_no_secret_is(sqlite_url: str, form: str) -> None:
    async with (
        world(sqlite_url) as hub,
        listening(hub, format=form, headers={"x-api-key": "s3cret"}, success_rule="+OK") as (blocks, made),
    ):
        (event,) = await hub.happen(text="Grüße")
        (attempt,) = await attempts(hub)
        assert attempt.outcome == "ok"
        (block,) = blocks
        assert f"evt_{event.id}" in block
        assert f"format    {form}" in block
        assert "sms:sent  POST /hook?token=••••" in block
        assert "genuine   yes: webhook-signature (v1) fits" in block
        assert ("x-signature fits" in block) == (form == "smsgate")
        assert ("Grüße" in block) == (form == "standard")
        assert "x-api-key: ••••" in block
        assert "s3cret" not in block
        assert made.secret not in block


@pytest.mark.parametrize(
    ("answers", "outcome", "status"),
    [
        ("500", "status", 500),
        ("slow:30", "timeout", None),
        ("hang", "timeout", None),
        ("redirect:http://169.254.169.254/", "redirect", 302),
        ("wrong-ack", "body", 200),
        ("drop", "closed", None),
        ("429:30", "rate_limited", 429),
    ],
)
async def test_each_fault_is_what_the_hub_sees(sqlite_url: str, answers: str, outcome: str, status: int | None) -> None:
    async with (
        world(sqlite_url) as hub,
        listening(hub, answers, success_rule="+OK", timeout_seconds=1) as (blocks, _),
    ):
        await hub.happen()
        (attempt,) = await attempts(hub)
        assert (attempt.outcome in (outcome, "reset"), attempt.status) == (True, status), attempt
        assert len(blocks) == 1
        if answers.startswith("429"):
            assert attempt.response_headers["retry-after"] == "30"


async def test_tries_of_one_event_are_told_apart_from_new_ones(sqlite_url: str) -> None:
    async with world(sqlite_url, factor=50) as hub, listening(hub, "503,500", schedule=(1.0, 1.0)) as (blocks, _):
        await hub.happen()
        assert [attempt.status for attempt in await attempts(hub)] == [503, 500, 200]
        tried = [
            line.split("attempt")[1].strip() for block in blocks for line in block.splitlines() if "   attempt" in line
        ]
        assert tried == [
            "1",
            "2 (this id came 1 time before, with the same bytes)",
            "3 (this id came 2 times before, with the same bytes)",
        ]


async def test_gone_switches_off_as_in_life(sqlite_url: str) -> None:
    async with world(sqlite_url) as hub, listening(hub, "410") as (blocks, made):
        await hub.happen(type=EventType.SMS_FAILED)
        while (await hub.webhooks.get(hub.account_id, made.endpoint.id)).state != "disabled":
            await hub.deliveries()
        assert len(blocks) == 1


async def test_what_is_not_genuine_is_refused_and_said_so(sqlite_url: str) -> None:
    async with world(sqlite_url) as hub, listening(hub) as (blocks, made), httpx.AsyncClient() as client:
        answer = await client.post(made.endpoint.url, content=b"hello")
        assert answer.status_code == 401
        assert "genuine   NO: the header webhook-id is missing" in blocks[0]
        assert "answered  401" in blocks[0]
