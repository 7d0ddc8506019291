"""The other words of `handset-emulator`: a fleet at a real hub, a bad link, a radio log counted, the magic numbers."""

import asyncio
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from android_emulator.__main__ import main
from android_emulator.air import Aired
from android_emulator.magic_numbers import BEHAVIOURS
from tests.acceptance.processes import running_hub

pytestmark = pytest.mark.anyio


async def start(*words: str) -> asyncio.subprocess.Process:
    command = (sys.executable, "-m", "android_emulator", *words)
    return await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


async def line_with(process: asyncio.subprocess.Process, words: str) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(60):
        while line := (await process.stdout.readline()).decode():
            if words in line:
                return line
    raise AssertionError(f"it ended without {words!r}")


async def test_a_fleet_enrols_itself_through_the_api_and_ends_in_order(tmp_path: Path) -> None:
    async with running_hub(tmp_path) as hub:
        fleet = await start("fleet", "--phones", "5", "--hub", hub.url, "--api-key", hub.key)
        await line_with(fleet, "5 of 5 phones")
        devices = (await hub.api.get("/v1/devices")).json()["items"]
        assert [device["state"] for device in devices] == ["online"] * 5
        fleet.terminate()
        assert "5 of 5" in await line_with(fleet, "phones online")
        assert await fleet.wait() == 0


async def test_a_fleet_without_a_valid_key_says_so(tmp_path: Path) -> None:
    async with running_hub(tmp_path) as hub:
        fleet = await start("fleet", "--phones", "1", "--hub", hub.url, "--api-key", "wrong")
        assert "401" in await line_with(fleet, "error:")
        assert await fleet.wait() == 1


async def test_a_link_is_bent_by_words() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(2))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    link = await start("link", f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
    assert link.stdin is not None
    try:
        port = int((await line_with(link, "listening on")).split(",")[0].rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"hi")
        assert await reader.readexactly(2) == b"hi"
        writer.close()
        link.stdin.write(b"down\n")
        await line_with(link, "done: down")
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
    finally:
        link.terminate()
        assert await link.wait() == 0
        server.close()


def test_a_radio_log_is_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    aired = [Aired("s", "+1", "once", 0, 1, 0), Aired("s", "+1", "twice", 0, 1, 0), Aired("s", "+1", "twice", 0, 1, 0)]
    (tmp_path / "air.jsonl").write_bytes(b"".join(msgspec.json.encode(segment) + b"\n" for segment in aired))
    assert main(["air", str(tmp_path / "air.jsonl")]) == 0
    assert capsys.readouterr().out == "2 texts on air, 1 of them twice or more\n2 times to +1: twice\n"


def test_the_magic_numbers_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["numbers"]) == 0
    listed = capsys.readouterr().out
    assert all(number in listed for number in BEHAVIOURS)
