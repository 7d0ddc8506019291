"""The operator at a running hub: what the first start leaves, and the words for phones and webhooks."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from hub.cli import app
from tests.acceptance.processes import HubProcess, eventually
from tests.acceptance.world import world

pytestmark = pytest.mark.anyio


async def test_first_start_leaves_a_key_and_a_code_and_the_next_one_does_not(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        hub = here.hub
        file = hub.data_dir / "first-key"
        key = file.read_text().strip()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {key}"}) as program:
            assert (await program.get(f"{hub.url}/v1/account")).status_code == 200
        printed = hub.log_path.read_text()
        assert key not in printed, "what a hub prints ends in a journal"
        (code,) = [line for line in printed.splitlines() if line.startswith(f"{hub.url}/enroll#")]
        phone = here.new_phone("+12025550199")
        here.phones.append(phone)
        await phone.switch_on()
        await phone.enrol(code)
        await phone.wait_online()
        hub.kill()
        await hub.started()
        assert hub.log_path.read_text().count("/enroll#") == 1


async def test_words_for_phones_and_webhooks(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        hub = here.hub
        assert "No problems" in await said(hub, "doctor")
        (phone,) = (await told(hub, "device", "list"))["phones"]
        assert (phone["name"], phone["state"]) == ("Workshop", "online")
        assert "is now called Counter" in await said(hub, "device", "rename", phone["id"], "Counter")
        assert phone["id"] in await said(hub, "device", "list")
        made = await told(hub, "webhook", "create", here.customer.url, "--type", "sms:delivered")
        assert made["secret"].startswith("whsec_")
        here.customer.secret = ""
        assert (await said(hub, "webhook", "test", made["id"], "--type", "sms:delivered")).startswith("ok ")
        await here.send("+14155550123", "hello")
        log = await eventually("the delivery is told", lambda: delivered(hub, made["id"]))
        again = await told(hub, "webhook", "replay", log["id"])
        assert (again["origin"], again["event_type"]) == ("replay", "sms:delivered")
        assert (await told(hub, "webhook", "rotate", made["id"]))["secret"] != made["secret"]
        here.customer.status = 410
        assert (await said(hub, "webhook", "test", made["id"], code=1)).startswith("FAILED ")
        assert "is told nothing any more" in await said(hub, "webhook", "delete", made["id"])
        assert made["id"] not in await said(hub, "webhook", "list")
        await said(hub, "device", "suspend", phone["id"])
        assert "may not connect" in await said(hub, "doctor", code=1)
        assert "may connect again" in await said(hub, "device", "reinstate", phone["id"])
        assert "was removed" in await said(hub, "device", "revoke", phone["id"])
        assert [one["state"] for one in (await told(hub, "device", "list"))["phones"]] == ["revoked"]


async def told(hub: HubProcess, *words: str) -> dict[str, Any]:
    """What a program reads."""
    answer: dict[str, Any] = json.loads(await said(hub, *words, "--json"))
    return answer


async def said(hub: HubProcess, *words: str, code: int = 0) -> str:
    """What a person reads."""
    done = await asyncio.to_thread(CliRunner().invoke, app, list(words), env=hub.environment())
    assert done.exit_code == code, done.output + repr(done.exception)
    return str(done.stdout)


async def delivered(hub: HubProcess, webhook: str) -> dict[str, Any] | None:
    found: list[dict[str, Any]] = (await told(hub, "webhook", "log", webhook))["deliveries"]
    return next((one for one in found if one["state"] == "ok"), None)
