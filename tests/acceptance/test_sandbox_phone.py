"""A sandbox phone at one request: the hub starts it, it comes in by the real door, sends to nobody, and ends with its hub."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from hub.core.errors import Code
from hub.sandbox import child_environment
from tests.acceptance.processes import HubProcess, eventually, running_hub

pytestmark = pytest.mark.anyio


def emulators(hub: HubProcess) -> list[int]:
    """Processes of the emulator whose phone lives in this hub's folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
        except OSError:
            continue
        if str(hub.data_dir).encode() in words and b"android_emulator" in words:
            found.append(int(entry.name))
    return found


async def add(hub: HubProcess) -> dict[str, Any]:
    """Ask for one and wait until it is online; the phone."""
    made = await hub.api.post("/v1/sandbox-phones")
    assert made.status_code == 202, made.text

    async def online() -> dict[str, Any] | None:
        code = (await hub.api.get(f"/v1/enrolments/{made.json()['id']}")).json()
        if code["device_id"] is None:
            return None
        device: dict[str, Any] = (await hub.api.get(f"/v1/devices/{code['device_id']}")).json()
        return device if device["is_online"] and device["status_at"] else None

    return await eventually("the sandbox phone is online", online)


async def gone(hub: HubProcess) -> None:
    async def none_left() -> bool:
        return not emulators(hub)

    await eventually("the emulator has ended", none_left)


async def test_a_sandbox_phone_sends_to_nobody_answers_and_stops_when_it_is_removed(tmp_path: Path) -> None:
    async with running_hub(tmp_path, HUB_PUBLIC_URL="https://nobody.invalid") as hub:
        device = await add(hub)
        assert (device["is_sandbox"], device["name"], device["lines"][0]["is_sandbox"]) == (True, "Sandbox", True)
        assert device["lines"][0]["number"].startswith("+447700900")
        sent = (await hub.api.post("/v1/messages", json={"to": "+491701234567", "text": "Hello"})).json()["results"][0]

        async def delivered() -> bool:
            return bool((await hub.api.get(f"/v1/messages/{sent['message_id']}")).json()["state"] == "delivered")

        await eventually("the text is delivered", delivered)

        async def answered() -> bool:
            items = (await hub.api.get("/v1/messages", params={"direction": "mo"})).json()["items"]
            return [item["text"] for item in items] == ["You said: Hello"]

        await eventually("an answer came in", answered)
        folder = next((tmp_path / "sandbox").iterdir())
        assert not (folder / "code.txt").exists(), "a used code is not kept"
        assert len(emulators(hub)) == 1
        assert (await hub.api.delete(f"/v1/devices/{device['id']}")).status_code == 200
        await gone(hub)

        async def is_gone() -> bool:
            return not list((tmp_path / "sandbox").iterdir())

        await eventually("its folder is gone", is_gone)


@pytest.mark.slow
async def test_a_sandbox_phone_comes_back_with_the_hub_and_dies_with_it(tmp_path: Path) -> None:
    async with running_hub(tmp_path) as hub:
        device = await add(hub)
        hub.kill()
        await gone(hub)
        await hub.started()

        async def is_back() -> bool:
            now = (await hub.api.get(f"/v1/devices/{device['id']}")).json()
            return bool(now["is_online"] and now["online_since"] != device["online_since"])

        await eventually("the same phone is back", is_back)
        (pid,) = emulators(hub)
        os.kill(pid, signal.SIGKILL)

        async def another() -> bool:
            return bool(emulators(hub)) and pid not in emulators(hub)

        await eventually("one that died is started again", another)
        hub.stop()
        await gone(hub)


@pytest.mark.parametrize(("most", "allowed"), [("0", 0), ("1", 1)])
async def test_only_as_many_as_the_setting_allows(tmp_path: Path, most: str, allowed: int) -> None:
    async with running_hub(tmp_path, HUB_SANDBOX_PHONES=most) as hub:
        assert (await hub.api.get("/v1/account")).json()["effective"]["sandbox_phones"] == allowed
        for _ in range(allowed):
            assert (await hub.api.post("/v1/sandbox-phones", json={"name": "Try"})).status_code == 202
        refused = await hub.api.post("/v1/sandbox-phones")
        assert (refused.status_code, refused.json()["code"]) == (409, Code.CONFLICT)


def test_the_emulator_is_given_none_of_the_hubs_secrets() -> None:
    environ = {"PATH": "/bin", "HUB_DATABASE_URL": "postgresql://secret", "AWS_SECRET_ACCESS_KEY": "x"}
    assert child_environment(environ) == {"PATH": "/bin"}
