import asyncio
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from android_emulator.air import Segment, SocketAir, read_log
from android_emulator.radio_log import RadioLog, bell

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def radio_log(folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "android_emulator.radio_log"),
        *(str(folder / "air.jsonl"), str(folder / "air.sock"), "--while-stdin"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert await process.stdout.readline() == b"ready\n"
        yield process
    finally:
        process.stdin.close()
        assert await process.wait() == 0


def segment(text: str, number: int = 0) -> Segment:
    return Segment("+14155550101", "+14155550199", text, number, 1)


async def test_segments_are_on_disk_in_order_when_the_air_confirms_them(tmp_path: Path) -> None:
    async with radio_log(tmp_path):
        air = SocketAir(tmp_path / "air.sock")
        for number in range(5):
            await air.carry(segment(f"text {number}"))
            assert [aired.text for aired in read_log(tmp_path / "air.jsonl")][-1] == f"text {number}"
        await air.aclose()
    assert [aired.text for aired in read_log(tmp_path / "air.jsonl")] == [f"text {number}" for number in range(5)]


async def test_what_a_phone_wrote_before_it_was_killed_is_kept(tmp_path: Path) -> None:
    code = (
        "import asyncio, os, signal, sys\n"
        "from android_emulator.air import Segment\n"
        "import msgspec\n"
        "async def main():\n"
        "    _, writer = await asyncio.open_unix_connection(sys.argv[1])\n"
        "    for n in range(50):\n"
        "        writer.write(msgspec.json.encode(Segment('a', 'b', f'text {n}', 0, 1)) + b'\\n')\n"
        '    writer.write(b\'{"sender": "half a li\')\n'
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())\n"
    )
    async with radio_log(tmp_path):
        phone = await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(tmp_path / "air.sock"))
        assert await phone.wait() == -signal.SIGKILL
    texts = [aired.text for aired in read_log(tmp_path / "air.jsonl") if aired.sender == "a"]
    assert texts == [f"text {n}" for n in range(50)]


async def test_a_restarted_log_appends(tmp_path: Path) -> None:
    for text in ("before", "after"):
        (tmp_path / "air.sock").unlink(missing_ok=True)
        async with radio_log(tmp_path):
            air = SocketAir(tmp_path / "air.sock")
            await air.carry(segment(text))
            await air.aclose()
    assert [aired.text for aired in read_log(tmp_path / "air.jsonl")] == ["before", "after"]


async def test_a_lost_log_is_an_error_not_a_sent_text(tmp_path: Path) -> None:
    air = SocketAir(tmp_path / "air.sock")
    async with radio_log(tmp_path) as log:
        await air.carry(segment("heard"))
        assert log.stdin is not None
        log.stdin.close()
        await log.wait()
        with pytest.raises(OSError, match=r"went away|lost|reset|[Bb]roken"):
            await air.carry(segment("into the void"))
    await air.aclose()
    assert [aired.text for aired in read_log(tmp_path / "air.jsonl")] == ["heard"]


def test_what_was_given_before_the_stop_is_written_and_on_disk_before_it_is_confirmed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ringing, stop = socket.socketpair()
    log = RadioLog(tmp_path / "air.jsonl", tmp_path / "air.sock", [stop])
    phone = socket.socket(socket.AF_UNIX)
    phone.connect(str(tmp_path / "air.sock"))
    for number in range(20):
        phone.sendall(msgspec.json.encode(segment(f"text {number}")) + b"\n")
    ringing.send(b"!")
    confirmed_before_disk: list[bool] = []

    def fsync(file: int) -> None:
        readable, _, _ = select.select([phone], [], [], 0)
        confirmed_before_disk.append(bool(readable))

    monkeypatch.setattr(os, "fsync", fsync)
    log.run()
    assert len(read_log(tmp_path / "air.jsonl")) == 20
    assert confirmed_before_disk == [False]
    assert phone.recv(1000) == b"ok\n" * 20
    for end in (phone, ringing, stop):
        end.close()


def test_a_signal_rings_whatever_the_interpreter_is_doing() -> None:
    before = signal.getsignal(signal.SIGUSR1)
    with bell(signal.SIGUSR1) as ring:
        fd = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(fd)
        try:
            # Stands for a handler whose turn has not come: the interpreter is on its way into `select`.
            signal.signal(signal.SIGUSR1, lambda *_: None)
            os.kill(os.getpid(), signal.SIGUSR1)
            readable, _, _ = select.select([ring], [], [], 0)
            assert readable == [ring]
        finally:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGUSR1, before)
            os.close(fd)


def test_a_torn_last_line_was_never_confirmed(tmp_path: Path) -> None:
    assert read_log(tmp_path / "nothing.jsonl") == []
    path = tmp_path / "torn.jsonl"
    path.write_bytes(b'{"sender":"a","recipient":"b","text":"t","segment":0,"segments":1,"at":5}\n{"sender":')
    assert [aired.at for aired in read_log(path)] == [5]
