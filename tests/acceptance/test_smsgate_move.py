"""A move as an operator does it: one command beside the running hub, and the phone goes on with the token it has."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.acceptance.app_phone import AGENT
from tests.acceptance.processes import HubProcess, eventually

pytestmark = pytest.mark.anyio
DUMP = Path(__file__).resolve().parent.parent / "integration" / "moving" / "former_server_dump.sql"


async def test_after_a_move_phones_and_programs_go_on_as_they_were(tmp_path: Path) -> None:
    hub = await HubProcess(tmp_path / "hub").started()
    try:
        report = hub.command("import", "smsgate", str(DUMP), "--json")
        assert report["counts"]["phones"]["new"] == 2
        headers = {"Authorization": "Bearer tokentokentokentoken1", "User-Agent": AGENT}
        login = ("ABCDEF", "first password")
        async with (
            httpx.AsyncClient(base_url=hub.url + "/3rdparty/v1", auth=login) as program,
            httpx.AsyncClient(base_url=hub.url + "/mobile/v1", headers=headers) as phone,
        ):
            await _go_on(program, phone)
    finally:
        await hub.close()


async def _go_on(program: httpx.AsyncClient, phone: httpx.AsyncClient) -> None:
    sent = await program.post("/messages", json={"phoneNumbers": ["+491701234567"], "message": "after the move"})
    assert (sent.status_code, sent.json()["deviceId"]) == (202, "PyDmBQZZXYmyxMwED8Fzy")
    body = {"id": "PyDmBQZZXYmyxMwED8Fzy", "simCards": [{"slotIndex": 0, "simNumber": 1}]}
    assert (await phone.patch("/device", json=body)).status_code == 204

    async def listed() -> list[str]:
        return [text["message"] for text in (await phone.get("/message")).json()]

    assert await eventually("the phone's SIM is known and its text is listed", listed) == ["after the move"]
    wrong = await phone.patch("/device", json=body, headers={"Authorization": "Bearer tokentokentokentokenX"})
    assert wrong.status_code == 401
