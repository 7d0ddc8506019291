"""The test phone, written from the page alone, against the real codec and rules over real sockets."""

import ast
import asyncio
import contextlib
import json
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

import tests.tiny_phone
from device_protocol.states import HubJobState
from tests.tiny_phone import TinyPhone
from tests.unit.device_protocol.small_hub import NOW, PATIENCE_SECONDS, TOKEN, SmallHub, running
from tests.unit.device_protocol.world import LINE

pytestmark = pytest.mark.anyio


def test_it_shares_no_code_with_the_hub_or_the_protocol_package() -> None:
    tree = ast.parse(Path(str(tests.tiny_phone.__file__)).read_text(encoding="utf-8"))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    }
    assert not imported & {"device_protocol", "hub", "android_emulator", "tests", "msgspec"}


@pytest.fixture
async def hub() -> AsyncIterator[SmallHub]:
    async with running() as hub:
        yield hub


class Kit:
    """Starts phones on one store and waits for what they say."""

    def __init__(self, hub: SmallHub, directory: Path) -> None:
        self.hub, self.directory = hub, directory
        self.said: list[str] = []
        self._changed = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def phone(
        self, store: str = "store", send: Callable[[dict[str, object]], list[int]] | None = None
    ) -> AsyncIterator[TinyPhone]:
        phone = TinyPhone(
            self.hub.url,
            self.directory / store,
            self.directory / "radio",
            token=TOKEN,
            send=send,
            fingerprint=LINE.fingerprint,
            longest_wait=0.01,
            out=self._note,
        )
        task = asyncio.create_task(phone.run())
        try:
            yield phone
        finally:
            await phone.stop()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            phone.store.db.close()

    def _note(self, line: dict[str, object]) -> None:
        self.said.append(str(line["what"]))
        asyncio.get_running_loop().create_task(self._wake())

    async def _wake(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def until(self, word: str, times: int = 1) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS), self._changed:
            await self._changed.wait_for(lambda: self.said.count(word) >= times)

    def radio(self) -> list[str]:
        path = self.directory / "radio"
        return [json.loads(line)["id"] for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def kit(hub: SmallHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kit:
    return Kit(hub, tmp_path)


async def test_a_message_goes_out_once_and_a_text_comes_in(hub: SmallHub, kit: Kit) -> None:
    async with kit.phone() as phone:
        await kit.until("live")
        await hub.offer("m0", "x" * 200)
        await hub.until(lambda: hub.outcome("m0") == "sent")
        await phone.receive_sms("+49", "hello \ud83d\ude00")
        await kit.until("stored")
        # sms:sent and sms:delivered for two segments each, and the text that came in.
        await hub.until(lambda: len(hub.hub.stored) == 5)
    assert kit.radio() == ["m0"]
    assert hub.hub.devices[0].streams[-1].contiguous == 5


async def test_what_was_permitted_before_a_cut_is_permitted_again_and_sent_once(hub: SmallHub, kit: Kit) -> None:
    async with kit.phone():
        await kit.until("live")
        for round_ in range(4):
            await hub.offer(f"m{round_}")
            await hub.cut()
            await kit.until("live", round_ + 2)
        await hub.until(lambda: all(hub.outcome(f"m{n}") == "sent" for n in range(4)))
    assert sorted(kit.radio()) == ["m0", "m1", "m2", "m3"]


async def test_a_phone_that_died_while_submitting_is_uncertain_and_never_sends_again(hub: SmallHub, kit: Kit) -> None:
    def dies(job: dict[str, object]) -> list[int]:
        raise ValueError("the process dies here")

    async with kit.phone(send=dies):
        await kit.until("live")
        await hub.offer("m0")
        await kit.until("lost")
    async with kit.phone():
        await hub.until(lambda: hub.outcome("m0") == "uncertain")
    assert kit.radio() == ["m0"]


async def test_a_cancel_before_the_radio_is_told_as_an_event(hub: SmallHub, kit: Kit) -> None:
    async with kit.phone():
        await kit.until("live")
        hub.hub = replace(hub.hub, is_held=True)
        await hub.offer("m0")
        await hub.until(lambda: "accepted" in hub.heard)
        (message,) = hub.hub.messages
        bound = replace(message, job=structs.replace(message.job, state=HubJobState.BOUND))
        hub.hub = replace(hub.hub, messages=(bound,), is_held=False)
        await hub.cancel("m0")
        await hub.until(lambda: hub.outcome("m0") == "cancelled")
    assert kit.radio() == []


async def test_a_cancel_after_the_radio_is_too_late(hub: SmallHub, kit: Kit) -> None:
    def stuck(job: dict[str, object]) -> list[int]:
        return []

    async with kit.phone(send=stuck):
        await kit.until("live")
        await hub.offer("m0")
        await hub.until(lambda: "accepted" in hub.heard)
        await hub.cancel("m0")
        await hub.until(lambda: "toolate" in hub.heard)
    assert hub.outcome("m0") == "bound"
    assert kit.radio() == ["m0"]


async def test_as_a_program_it_survives_being_killed(hub: SmallHub, tmp_path: Path) -> None:
    program = str(tests.tiny_phone.__file__)
    arguments = [program, "--hub", hub.url, "--token", TOKEN, "--store", str(tmp_path), "--radio", str(tmp_path / "r")]
    arguments += ["--fingerprint", LINE.fingerprint, "--longest-wait", "0.01"]

    async def start() -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(sys.executable, *arguments, stdin=pipe, stdout=pipe)

    async def until(process: asyncio.subprocess.Process, word: str) -> None:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            while json.loads(await process.stdout.readline())["what"] != word:
                pass

    process = await start()
    await until(process, "live")
    assert process.stdin is not None
    process.stdin.write(b"sms +49 killed before it is acknowledged\n")
    await until(process, "stored")
    process.kill()
    await process.wait()
    process = await start()
    await until(process, "live")
    await hub.until(lambda: len(hub.hub.stored) == 1)
    await hub.offer("m0")
    await hub.until(lambda: hub.outcome("m0") == "sent")
    assert process.stdin is not None
    process.stdin.write(b"stop\n")
    assert await process.wait() == 0
    assert len((tmp_path / "r").read_text().splitlines()) == 1


async def test_a_store_that_went_back_gets_a_new_stream_and_loses_nothing(hub: SmallHub, kit: Kit) -> None:
    async with kit.phone() as phone:
        await kit.until("live")
        await phone.receive_sms("+49", "one")
        await kit.until("acked")
    shutil.copytree(kit.directory / "store", kit.directory / "image")
    async with kit.phone() as phone:
        await kit.until("live", 2)
        await phone.receive_sms("+49", "two")
        await kit.until("acked", 2)
    async with kit.phone("image") as phone:
        await phone.receive_sms("+49", "three")
        await hub.until(lambda: len(hub.hub.stored) == 3)
        await hub.until(lambda: hub.hub.devices[0].streams[-1].contiguous == 2)
    assert hub.hub.devices[0].streams[-1].stream.startswith("made-")
    assert hub.hub.gaps == frozenset()


async def test_the_clock_is_the_hubs(hub: SmallHub, kit: Kit) -> None:
    async with kit.phone() as phone:
        await kit.until("live")
        assert abs(phone.now() * 1000 - NOW) < PATIENCE_SECONDS * 1000
