"""Checks 14 to 16: addresses the hub must not touch, names that change, and redirects.

The hub runs in a network of its own in which every address there is, public and private, leads to one trap that accepts everything: what
is dialled cannot go unseen. Making such a network needs root.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from tests.integration.webhooks.processes import Nursery, Process
from tests.integration.webhooks.receiver import Post, Receiver, answer
from tests.integration.webhooks.world import eventually, world

pytestmark = pytest.mark.anyio

PUBLIC = "93.184.216.34"
PORT = 8080
REFUSED = {
    "ten.test": ["10.1.2.3"],
    "loop.test": ["127.0.0.1"],
    "metadata.test": ["169.254.169.254"],
    "cgnat.test": ["100.64.1.1"],
    "six-loop.test": ["::1"],
    "ula.test": ["fd00::1"],
    "mapped.test": ["::ffff:10.1.2.3"],
    "six-to-four.test": ["2002:a9fe:a9fe::1"],
    "nat64.test": ["64:ff9b::a9fe:a9fe"],
    "compatible.test": ["::127.0.0.1"],
    "site.test": ["fec0::1"],
    "azure.test": ["168.63.129.16"],
    "mixed.test": [PUBLIC, "10.1.2.3"],
    # As the system's own look-up reads them.
    "2852039166": ["169.254.169.254"],
    "0xa9fea9fe": ["169.254.169.254"],
    "0251.0376.0251.0376": ["169.254.169.254"],
    "127.1": ["127.0.0.1"],
}
LITERALS = ["169.254.169.254", "[::ffff:169.254.169.254]", "[::1]", "[64:ff9b::a9fe:a9fe]", "10.0.0.1"]


@pytest.fixture(scope="module")
def trapped() -> Iterator[Nursery]:
    if os.geteuid() != 0:
        pytest.skip("a network of one's own needs root")
    made = Nursery(own_network=True)
    yield made
    made.close()


@asynccontextmanager
async def trapped_hub(
    nursery: Nursery, url: str, names: dict[str, list[list[str]]]
) -> AsyncIterator[tuple[Process, str]]:
    """A hub in the trapped network, with one endpoint at `public.test`; and its account."""
    async with world(url, running=False) as hub:
        await hub.endpoint(f"http://public.test:{PORT}/", schedule=tuple([1.0] * 40))
        account_id = hub.account_id
    names = {"public.test": [[PUBLIC]], **names}
    settings = {"allow": [], "names": names, "keep_names_seconds": 0.0, "trap_port": PORT}
    async with nursery.over(url, account_id, factor=60, **settings) as hubs:
        yield await hubs.start(), account_id


async def dialled_by(process: Process) -> list[str]:
    """The addresses that were dialled so far."""
    told: list[str] = (await process.ask(settled=True))["dialled"]
    return told


async def test_check_14_refused_addresses_see_no_connection(trapped: Nursery, database_url: str) -> None:
    names = {name: [addresses] for name, addresses in REFUSED.items()}
    async with trapped_hub(trapped, database_url, names) as (process, account_id):
        await process.ask(targets=[f"http://{host}:{PORT}/" for host in (*REFUSED, *LITERALS)])
        await process.publish(1)
        expected = len(REFUSED) + len(LITERALS)

        async def all_tried() -> object:
            tried = (await process.ask(tried=True))["tried"]
            return True if tried >= expected else tried

        await eventually(all_tried)
        dialled = await dialled_by(process)
        assert set(dialled) == {PUBLIC}, "the trap sees the public one, and only that"
        await process.kill()
    async with world(database_url, running=False, account_id=account_id) as hub:
        refused = [row for row in await hub.deliveries() if "public" not in row.url]
        assert len(refused) == expected
        for row in refused:
            (attempt, *_) = (await hub.webhooks.delivery(account_id, row.id)).attempts
            assert (attempt.outcome, attempt.status, attempt.address, attempt.response_body) == (
                "blocked",
                None,
                None,
                None,
            )
            assert "does not send to" in attempt.explanation


async def rebinding(trapped: Nursery, url: str, events: int) -> None:
    """The name is public, then metadata, then both, in turns at every look-up."""
    turns = [
        [PUBLIC],
        [PUBLIC],
        ["169.254.169.254"],
        [PUBLIC],
        [PUBLIC],
        [PUBLIC, "10.0.0.1"],
        [PUBLIC],
        ["10.0.0.1", PUBLIC],
    ]
    async with trapped_hub(trapped, url, {"public.test": turns}) as (process, _):
        await process.publish(events, batch=50)

        async def all_ended() -> object:
            told = await process.ask(settled=True)
            return told["settled"] or len(told["dialled"])

        await eventually(all_ended)
        dialled = await dialled_by(process)
        assert set(dialled) == {PUBLIC}
        assert len(dialled) >= events, "each was dialled; one whose connection was cut short is dialled again"


async def test_check_15_a_name_that_turns_private_is_not_followed(trapped: Nursery, database_url: str) -> None:
    await rebinding(trapped, database_url, 150)


@pytest.mark.slow
async def test_check_15_soak(trapped: Nursery, database_url: str) -> None:
    await rebinding(trapped, database_url, 1000)


async def test_check_16_redirects_are_logged_and_never_followed(database_url: str) -> None:
    async with Receiver() as elsewhere, Receiver() as receiver, world(database_url) as hub:
        places = [elsewhere.url("/stolen"), "http://169.254.169.254/latest/meta-data"]
        asked = {
            f"/{status}/{n}": (status, place) for status in (301, 302, 303, 307, 308) for n, place in enumerate(places)
        }

        async def redirect(post: Post, writer: asyncio.StreamWriter) -> None:
            status, place = asked[post.path]
            writer.write(answer(status, b"", ("Location", place)))

        receiver.script = redirect
        for path in asked:
            await hub.endpoint(receiver.url(path), schedule=())
        await hub.happen()
        rows = await hub.until_settled()
        assert {row.state for row in rows} == {"dead"}
        for row in rows:
            (attempt,) = (await hub.webhooks.delivery(hub.account_id, row.id)).attempts
            assert attempt.outcome == "redirect"
            status, place = asked[row.url.removeprefix(receiver.url(""))]
            assert (attempt.status, attempt.response_headers["location"]) == (status, place)
        assert len(receiver.posts) == len(asked)
        assert elsewhere.connections == 0
