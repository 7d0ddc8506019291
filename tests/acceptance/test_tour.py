"""The tour of `make demo`, and the README's way with curl alone."""

import asyncio
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.processes import ROOT, HubProcess, eventually, free_port
from tests.acceptance.world import Customer

pytestmark = pytest.mark.anyio

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_tour_holds_every_step(tmp_path: Path) -> None:
    hub = HubProcess(tmp_path)
    environment = {name: value for name, value in hub.environment().items() if not name.startswith("HUB_")}
    environment["PYTHONPATH"] = f"{ROOT}:{ROOT / 'android-emulator'}"
    command = [sys.executable, "-m", "hub", "demo", "--once", "--port", str(free_port())]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    for told in ("zxing-cpp read the picture", "delivered", "A reply came in", "standardwebhooks verified"):
        assert told in done.stdout


async def test_readme_commands_work_with_curl_alone(tmp_path: Path) -> None:
    """Every `call` line of the README, run by a shell with curl; ids and codes are filled in from the answers before."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    hub = HubProcess(tmp_path / "data")
    phone: subprocess.Popen[bytes] | None = None
    receiver: Customer | None = None
    try:
        await hub.started()
        phone = start_phone(hub.command("enrol", "--name", "Workshop", "--json")["text"], tmp_path)
        await eventually("the phone is online", lambda: is_online(hub))
        receiver = await Customer().started()
        lines = [line.replace("http://127.0.0.1:8099/hook", receiver.url) for line in readme_calls()]
        answers = [
            await asyncio.to_thread(shell, hub, line) for line in lines if "msg_…" not in line and "dlv_…" not in line
        ]
        taken = next(answer for answer in answers if "results" in answer)
        reply = next(answer for answer in answers if "cursor" in answer and answer.get("message"))
        assert reply["message"]["text"] == "Thank you!"
        message = taken["results"][0]["message_id"]
        timeline = await asyncio.to_thread(shell, hub, "call $HUB/v1/messages/msg_…/timeline".replace("msg_…", message))
        assert timeline["items"]
        deliveries = await eventually("a delivery has ended", lambda: ended_delivery(hub))
        replayed = await asyncio.to_thread(
            shell, hub, "call $HUB/v1/deliveries/dlv_…/replay -d '{}'".replace("dlv_…", deliveries)
        )
        assert replayed["origin"] == "replay"
    finally:
        if receiver is not None:
            await receiver.stop()
        if phone is not None:
            phone.terminate()
            phone.wait()
        await hub.close()


def start_phone(code: str, directory: Path) -> "subprocess.Popen[bytes]":
    """The emulated phone, as the README starts it."""
    command = [sys.executable, "-m", "android_emulator", "phone", "--qr-text", code, "--reply", "Thank you!"]
    command += ["--store", str(directory / "phone.db"), "--number", "+447700900001"]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def readme_calls() -> list[str]:
    """The README's lines that use `call`, in order; the inbox cursor is taken as written there."""
    lines = [line.split("  #")[0].strip() for line in README.splitlines()]
    return [line for line in lines if re.match(r"(call|CURSOR=)", line)]


def shell(hub: HubProcess, line: str) -> dict[str, object]:
    """Run one line as the README's reader does; `call` is curl with the key."""
    is_cursor = line.startswith("CURSOR=")
    script = f"""
        KEY={hub.key}; HUB={hub.url}
        call() {{ curl -sS -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" "$@"; }}
        CURSOR=$(cat {hub.data_dir}/cursor 2>/dev/null)
        {line}
        {f'printf %s "$CURSOR" > {hub.data_dir}/cursor; echo "{{}}"' if is_cursor else ""}
    """
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout)
    assert "code" not in answer, answer
    return answer


async def is_online(hub: HubProcess) -> bool:
    devices = (await hub.api.get("/v1/devices")).json()["items"]
    return any(device["state"] == "online" for device in devices)


async def ended_delivery(hub: HubProcess) -> str | None:
    items = (await hub.api.get("/v1/deliveries")).json()["items"]
    return next((str(item["id"]) for item in items if item["state"] == "ok"), None)
