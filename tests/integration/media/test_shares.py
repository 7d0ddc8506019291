"""One account's slow phones and servers hold up nobody else's attachments."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.core.commands import SentMedium
from hub.core.ids import IdSource
from hub.media.pulling import AT_ONCE, pull
from hub.phones.native import media as door
from tests.fakes import FakeClock
from tests.integration.api.hub_api import make_services
from tests.integration.devices.handsets import make_code
from tests.integration.devices.native_hub import NativeHub, until
from tests.integration.media.house import PNG, answer, web
from tests.integration.media.test_mms_in import sha256
from tests.integration.messages.world import ACCOUNT, STRANGER, World

pytestmark = pytest.mark.anyio


async def test_slow_phones_of_one_account_leave_places_to_anothers(native_hub: NativeHub) -> None:
    hub = native_hub
    slow = await hub.phone()
    enrolled = await hub.enrol("z" * 43, make_code(hub.world, account_id=STRANGER))
    theirs = (await hub.token(enrolled.json()["device_id"], secret="z" * 43)).json()["access_token"]
    begun, go_on = 0, asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        nonlocal begun
        begun += 1
        yield PNG[:9]
        await go_on.wait()
        yield PNG[9:]

    async def put(token: str, content: bytes | AsyncIterator[bytes]) -> int:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "image/png"}
        path = f"/device/v1/media/{sha256(PNG)}"
        return (await hub.http.put(path, content=content, headers=headers, timeout=None)).status_code

    puts = [asyncio.create_task(put(slow.access_token, slowly())) for _ in range(door.AT_ONCE * 2)]
    try:
        await until(lambda: begun == len(puts))
        async with asyncio.timeout(120):
            assert await put(theirs, PNG) == 200
    finally:
        go_on.set()
    assert await asyncio.gather(*puts) == [200] * len(puts)


async def test_silent_addresses_of_one_account_leave_places_to_anothers(
    world: World, clock: FakeClock, ids: IdSource, tmp_path: Path
) -> None:
    services = make_services(world.db, clock, ids, tmp_path)
    asked: list[bytes] = []
    async with web({"/": answer(PNG, "image/png")}, asked) as url:

        def fetching(account_id: str, path: str) -> asyncio.Task[tuple[SentMedium, ...]]:
            dialler = services.webhooks.client.dialler
            return asyncio.create_task(pull(services.db, services.config, dialler, account_id, [url(path)]))

        silent = [fetching(ACCOUNT, "/silent") for _ in range(AT_ONCE * 2)]
        try:
            await until(lambda: len(asked) >= AT_ONCE * 3 // 4)
            (kept,) = await fetching(STRANGER, "/")
            assert kept.sha256 == sha256(PNG)
        finally:
            for one in silent:
                one.cancel()
            await asyncio.gather(*silent, return_exceptions=True)
