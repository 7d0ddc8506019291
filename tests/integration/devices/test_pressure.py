"""Phones that fall silent, stop reading or flood the hub, and a hub whose database is slow: nobody holds up anybody."""

import asyncio
from typing import Any

import pytest

from device_protocol import errors
from device_protocol.frames import Job, Line
from hub.core.effects import ToPhone
from hub.core.errors import Code, HubError
from hub.devices import find_device
from hub.devices.presence import Goodbye, goodbye
from hub.phones.native import socket as socket_module
from hub.phones.native.turnstile import Turnstile
from hub.storage.schema.devices import Device, DeviceConnection
from tests.integration.devices.native_hub import NativeHub, WirePhone, until
from tests.integration.messages.world import ACCOUNT

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_breaks_inside")]


async def test_a_half_open_connection_is_given_up_after_its_silence(hub: NativeHub) -> None:
    phone = await hub.phone()
    async with phone.online() as wire:
        hub.clock.advance(112)
        await hub.loop.look()
        assert hub.sessions.is_online(phone.device_id)
        await wire.send({"type": "ping", "n": 1})
        await wire.frame("pong")
        hub.clock.advance(112.5)
        await hub.loop.look()
        assert (await wire.end())[1] == errors.SILENT.code
    await until(lambda: hub.world.rows(DeviceConnection)[0]["close_reason"] == "silent")


def big_job(number: int) -> Job:
    return Job(
        f"m{number}", 1, "2026-01-01T00:00:00.000Z", 60, Line(1, 0, "ee/0001"), "+447700900123", text="x" * 10_000
    )


async def test_a_phone_that_stops_reading_is_cut_when_its_outbox_is_full(hub: NativeHub) -> None:
    phone = await hub.phone()
    async with phone.online():
        session_no = phone.session_no
        sent = 0
        while hub.sessions.to_phone(ToPhone(phone.device_id, session_no, big_job(sent))):
            sent += 1
            assert sent < 5000
        await until(lambda: not hub.sessions.is_online(phone.device_id))
    await until(lambda: hub.world.rows(DeviceConnection)[0]["close_reason"] == "too_slow")


async def test_a_phone_that_stops_reading_is_cut_when_a_frame_finds_no_room_in_time(
    hub: NativeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_module, "SEND_SECONDS", 0.2)
    phone = await hub.phone()
    async with phone.socket(max_queue=1) as wire:
        await wire.send(phone.hello())
        await wire.frame("welcome")
        await until(lambda: hub.sessions.is_online(phone.device_id))
        for number in range(1000):  # 10 MB: more than the kernel's buffers on the way
            if not hub.sessions.to_phone(ToPhone(phone.device_id, 1, big_job(number))):
                break
        await until(lambda: not hub.sessions.is_online(phone.device_id))
    await until(lambda: hub.world.rows(DeviceConnection)[0]["close_reason"] == "too_slow")


async def test_the_reader_stops_at_its_window_while_commits_are_slow(
    hub: NativeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = await hub.phone()
    waiting: list[asyncio.Future[Any]] = []

    def never(*_: Any) -> asyncio.Future[Any]:
        waiting.append(asyncio.get_running_loop().create_future())
        return waiting[-1]

    async with phone.online() as wire:
        with monkeypatch.context() as patch:
            patch.setattr(hub.services.db.writer, "submit_soon", never)
            await wire.send(*(phone.text(str(n)) for n in range(200)))
            await until(lambda: len(waiting) == 64)
            for _ in range(50):
                await asyncio.sleep(0)
            assert len(waiting) == 64
            waiting[0].set_result(True)
            await until(lambda: len(waiting) == 65)

            def all_came() -> bool:
                for future in waiting:
                    if not future.done():
                        future.set_result(True)
                return len(waiting) == 200

            await until(all_came)


async def test_a_full_queue_closes_the_phone_and_it_sends_again(
    hub: NativeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = await hub.phone()

    def full(*_: Any) -> Any:
        raise HubError(Code.QUEUE_FULL)

    event = phone.text("kept")
    async with phone.online() as wire:
        with monkeypatch.context() as patch:
            patch.setattr(hub.services.db.writer, "submit_soon", full)
            await wire.send(event)
            assert (await wire.end())[1] == errors.HUB_ERROR.code
    async with phone.online() as wire:
        await wire.send(event)
        await wire.ack(1)


async def test_a_hello_is_stored_when_its_turn_comes(hub: NativeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    phone = await hub.phone()
    came, open_now = asyncio.Event(), asyncio.Event()

    async def turn(_turnstile: Turnstile) -> None:
        came.set()
        await open_now.wait()

    monkeypatch.setattr(Turnstile, "turn", turn)
    async with phone.socket() as wire:
        await wire.send(phone.hello())
        await until(came.is_set)
        for _ in range(50):
            await asyncio.sleep(0)
        assert hub.services.db.writer.waiting == 0
        open_now.set()
        assert (await wire.frame())["type"] == "welcome"


async def test_status_is_written_at_most_every_thirty_seconds(hub: NativeHub) -> None:
    phone = await hub.phone()

    async def battery() -> int | None:
        view = await hub.services.db.read(find_device, ACCOUNT, phone.device_id, now=hub.clock.now())
        return None if view is None else view.battery_percent

    async with phone.online() as wire:
        hub.clock.advance(1)
        await wire.send(
            {"type": "status", "battery_percent": 71},
            {"type": "status", "battery_percent": 70},
            {"type": "ping", "n": 1},
        )
        await wire.frame("pong")
        await hub.loop.look()
        assert await battery() is None
        hub.clock.advance(30)
        await hub.loop.look()
        assert await battery() == 70


async def test_sims_in_a_status_become_lines(hub: NativeHub) -> None:
    phone = await hub.phone()
    second = {"slot": 1, "subscription_id": 2, "fingerprint": "o2/0002", "carrier": "O2", "number": "+447700900002"}
    async with phone.online() as wire:
        await wire.send({"type": "status", "sims": [second]}, {"type": "ping", "n": 1})
        await wire.frame("pong")

        def numbers() -> set[str | None]:
            with hub.world.conn.begin():
                view = find_device(hub.world.conn, ACCOUNT, phone.device_id, now=hub.clock.now())
            assert view is not None
            return {line.number for line in view.lines if line.is_present}

        await until(lambda: numbers() == {"+447700900002"})


async def test_only_the_first_start_of_the_presence_loop_forgets_a_former_life(hub: NativeHub) -> None:
    async def start() -> asyncio.Task[None]:
        running = asyncio.create_task(hub.loop.run())
        await asyncio.sleep(0)
        nobody = Goodbye(account_id=ACCOUNT, device_id="0" * 24, session_no=1, reason="closed")
        await hub.services.db.writer.submit(goodbye, nobody)  # the loop's first command was queued before it
        return running

    phone = await hub.phone()
    hub.world.change(Device, phone.device_id, is_online=True)
    first = await start()
    assert hub.world.rows(Device)[0]["is_online"] is False
    async with phone.online():
        first.cancel()
        second = await start()
        assert hub.world.rows(Device)[0]["is_online"] is True
        second.cancel()
        await asyncio.wait([first, second])


async def test_a_stopping_hub_says_that_it_comes_back(hub: NativeHub) -> None:
    phone: WirePhone = await hub.phone()
    async with phone.online() as wire:
        hub.server.should_exit = True
        bye, code = await wire.end()
    assert ((bye or {})["reason"], code) == ("restarting", errors.RESTARTING.code)
