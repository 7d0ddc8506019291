"""Two hub processes on one PostgreSQL, each with phones of its own: one hub to the customer, whichever door the text came in by."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.acceptance.processes import HubProcess
from tests.acceptance.world import SHOP, World, world

pytestmark = [pytest.mark.anyio, pytest.mark.postgresql]

BRANCH = "+12025550111"


@asynccontextmanager
async def two_hubs(directory: Path, database_url: str, **more: str) -> AsyncIterator[tuple[World, HubProcess]]:
    """A world around the first hub, whose second phone is connected to the second hub."""
    async with world(directory, database_url, HUB_FAILOVER_SECONDS="1", HUB_OFFER_TIMEOUT_SECONDS="1", **more) as here:
        settings = {**here.hub.settings, "HUB_KEY_FILE": str(here.hub.data_dir / "hub.key")}
        second = HubProcess(directory / "second", database_url, settings, key=here.hub.key)
        first = here.hub
        try:
            await second.started()
            here.hub = second
            await here.add_phone(BRANCH, name="Branch")
            here.hub = first
            yield here, second
        finally:
            here.hub = first
            await second.close()


async def line_of(hub: HubProcess, number: str) -> str:
    """The line with this number."""
    lines = (await hub.api.get("/v1/lines")).json()["items"]
    return str(next(line["id"] for line in lines if line["number"] == number))


async def test_a_text_goes_out_by_the_phone_that_has_the_line_whichever_hub_took_it(
    tmp_path: Path, postgresql_url: str
) -> None:
    async with two_hubs(tmp_path, postgresql_url) as (here, second):
        first, lines = here.hub, {number: await line_of(here.hub, number) for number in (SHOP, BRANCH)}
        for turn in range(3):
            for name, hub in (("first", first), ("second", second)):
                here.hub = hub
                for number in (SHOP, BRANCH):
                    await here.send(f"+1415555000{turn}", f"{name} to {number}, {turn}", line_id=lines[number])
        here.hub = second
        await here.settled("delivered")
        here.assert_air()
        for number, phone in zip((SHOP, BRANCH), here.phones, strict=True):
            await here.customer_texts("+14155559999", f"to {number}", phone)
        here.hub = first
        await here.inbound_arrived()
        await here.webhooks_arrived("sms:delivered", 12)
        await here.webhooks_arrived("sms:received", 2)
        assert {item["is_online"] for item in (await second.api.get("/v1/devices")).json()["items"]} == {True}


async def test_what_happens_at_one_hub_is_on_the_stream_of_the_other(tmp_path: Path, postgresql_url: str) -> None:
    async with two_hubs(tmp_path, postgresql_url) as (here, second):
        async with asyncio.timeout(60), httpx.AsyncClient(base_url=here.hub.url, timeout=None) as client:
            headers = {"Authorization": f"Bearer {here.hub.key}"}
            async with client.stream("GET", "/v1/stream", headers=headers) as stream:
                assert stream.status_code == 200
                await here.customer_texts("+14155559999", "heard at the branch", here.phones[1])
                async for line in stream.aiter_lines():
                    if "heard at the branch" in line:
                        break
        here.hub = second
        await here.inbound_arrived()


async def test_a_hub_that_dies_leaves_its_texts_and_webhooks_to_the_other(tmp_path: Path, postgresql_url: str) -> None:
    # A phone that its hub's death left behind counts as gone after two minutes; the clock runs faster here.
    async with two_hubs(tmp_path, postgresql_url, HUB_TEST_CLOCK_FACTOR="20") as (here, second):
        here.customer.secret = ""  # the time stamps under the signatures are of that clock
        await here.send("+14155550001", "before", line_id=await line_of(here.hub, BRANCH))
        await here.settled("delivered")
        second.kill()
        # The contact's usual line is at the dead hub: the text moves to the phone that is there.
        for turn in range(5):
            await here.send("+14155550001", f"after {turn}")
        await here.settled("delivered")
        here.assert_air()
        await here.webhooks_arrived("sms:delivered", 6)
        await second.started()
        await here.phones[1].wait_online()
        await here.send("+14155550001", "again", line_id=await line_of(here.hub, BRANCH))
        await here.settled("delivered")
        here.assert_air()


@pytest.mark.slow
async def test_hubs_killed_in_turn_under_load_lose_and_double_nothing(tmp_path: Path, postgresql_url: str) -> None:
    async with two_hubs(tmp_path, postgresql_url) as (here, second):
        first = here.hub
        for turn in range(4):
            here.hub = (first, second)[turn % 2]
            other = (second, first)[turn % 2]
            for n in range(3):
                await here.send(f"+1415556{turn:02}{n:02}", f"text {turn}.{n}")
                await here.customer_texts(f"+1415557{turn:02}{n:02}", f"reply {turn}.{n}", here.phones[n % 2])
            other.kill()
            other.start()
        await first.ready()
        await second.ready()
        await here.settled("delivered", "uncertain", "sent")
        await here.inbound_arrived()
        states = [(await here.state_of(message))["state"] for message in here.message_ids.values()]
        here.assert_air(may_be_missing=states.count("uncertain"))
        await here.webhooks_arrived("sms:received", 12)
        await here.timelines_explain()
