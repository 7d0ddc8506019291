"""Streams: told on connect what was missed, woken once for many texts, several at a time, and gone when they end."""

from typing import Any

import pytest

from device_protocol.errors import SUSPENDED
from hub.core.effects import ExportAsked, WakeDispatch
from hub.core.ids import to_smsgate21
from hub.devices.standing import SuspendDevice, suspend_device
from hub.messages.cancel import Cancel, cancel
from hub.phones.sessions import Sessions
from hub.phones.smsgate.streams import PhoneStreams
from hub.storage.schema.devices import Device, DeviceConnection, Line
from tests.integration.messages.world import ACCOUNT
from tests.integration.smsgate.app_hub import App, AppHub, until

pytestmark = pytest.mark.anyio

TO = "+491701111111"


async def send(hub: AppHub, text: str = "hello") -> str:
    """Accept a text, and wake dispatch as the hub does."""
    message = hub.world.send(TO, text=text)
    hub.dispatcher.wake(WakeDispatch(ACCOUNT))
    return message


async def write(hub: AppHub, use_case: Any, command: Any) -> Any:
    return await hub.services.db.writer.submit(use_case, command, *command.keys())


def streams(hub: AppHub, app: App) -> PhoneStreams:
    session = hub.sessions.live(app.device_id)
    assert isinstance(session, PhoneStreams)
    return session


async def test_first_stream_is_told_to_fetch_both_and_a_later_one_only_what_changed(hub: AppHub) -> None:
    app = await hub.register()
    async with app.stream() as stream:
        await stream.expect("WebhooksUpdated", "SettingsUpdated")
    await app.hooks()
    await app.settings()
    await until(lambda: not hub.sessions.count)
    await hub.set_for_phones({"logs": {"lifetime_days": 3}})
    async with app.stream() as stream:
        assert (await stream.next())[0] == "SettingsUpdated"
        assert (await app.settings())["logs"] == {"lifetime_days": 3}
        await send(hub)
        assert (await stream.next())[0] == "MessageEnqueued"


async def test_change_reaches_a_connected_phone_at_once(hub: AppHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is looked for among the adapter's own phones: thousands of others may be connected, each of which changes when it comes."""
    looked: list[int] = []
    every = Sessions.__iter__
    monkeypatch.setattr(Sessions, "__iter__", lambda sessions: (looked.append(1), every(sessions))[1])
    app = await hub.register()
    await app.hooks()
    await app.settings()
    async with app.stream() as stream:
        await hub.set_for_phones({"logs": {"lifetime_days": 9}})
        assert (await stream.next())[0] == "SettingsUpdated"
    assert looked == []


async def test_export_waits_for_the_phone_and_is_told_once(hub: AppHub) -> None:
    app = await hub.register()
    asked = ExportAsked(ACCOUNT, since=1_767_225_600_000, until=1_769_904_000_000, message_types=("SMS", "MMS"))
    hub.services.effects([asked])
    await until(lambda: "export" in hub.world.rows(Device)[0]["settings"])
    values = {
        "since": "2026-01-01T00:00:00.000Z",
        "until": "2026-02-01T00:00:00.000Z",
        "messageTypes": "SMS,MMS",
        "triggerWebhooks": "true",
    }
    async with app.stream() as stream:
        assert await stream.expect("MessagesExportRequested") == [values]
    await until(lambda: not hub.sessions.count)
    await app.hooks()
    await app.settings()
    async with app.stream() as stream:
        await send(hub)
        assert (await stream.next())[0] == "MessageEnqueued"


async def test_cancel_is_told_to_apps_that_know_it(hub: AppHub) -> None:
    for version, expected in (("1.67.0", "MessageCancelled"), ("1.66.2", "MessageEnqueued")):
        app = await hub.register(version=version)
        await app.hooks()
        await app.settings()
        message = hub.world.send(TO)
        await app.texts()
        async with app.stream() as stream:
            await write(hub, cancel, Cancel(account_id=ACCOUNT, message_id=message))
            if expected == "MessageEnqueued":
                await send(hub)
            name, data = await stream.next()
            assert name == expected
            assert data == ({"messageId": to_smsgate21(message)} if name == "MessageCancelled" else None)
        for row in hub.world.rows(Line):
            hub.world.change(Line, row["id"], is_enabled=False)


async def test_every_open_stream_is_told_and_one_that_ends_takes_nobody_offline(hub: AppHub) -> None:
    app = await hub.register()
    await app.hooks()
    await app.settings()
    async with app.stream() as first:
        async with app.stream() as second:
            await send(hub)
            assert (await first.next())[0] == (await second.next())[0] == "MessageEnqueued"
        await until(lambda: streams(hub, app).count == 1)
        assert hub.sessions.is_online(app.device_id)
    await until(lambda: not hub.sessions.count)
    (connection,) = [row for row in hub.world.rows(DeviceConnection) if row["close_reason"] != "superseded"]
    await until(lambda: not hub.world.rows(Device)[0]["is_online"])
    assert hub.world.rows(DeviceConnection)[0]["close_reason"] is not None
    assert connection["session_no"] >= 1


async def test_leaked_streams_are_bounded(hub: AppHub) -> None:
    app = await hub.register()
    opened = [app.stream() for _ in range(9)]
    told = [await one.__aenter__() for one in opened]
    await until(lambda: streams(hub, app).count == 8)
    while (await told[0].next())[0]:
        pass
    for one in reversed(opened):
        await one.__aexit__(None, None, None)


async def test_void_token_is_401_and_a_suspended_phones_streams_end(hub: AppHub) -> None:
    app = await hub.register()
    async with app.stream() as stream:
        await write(hub, suspend_device, SuspendDevice(account_id=ACCOUNT, device_id=app.device_id))
        while (await stream.next())[0]:
            pass
    assert (await app.call("GET", "/events")).status_code == 403
    app.token = "void"
    assert (await app.call("GET", "/events")).status_code == 401
    assert SUSPENDED.word


async def test_stopping_hub_ends_the_streams(hub: AppHub) -> None:
    app = await hub.register()
    async with app.stream() as stream:
        hub.sessions.close_all("the hub goes down")
        while (await stream.next())[0]:
            pass


async def test_text_that_may_not_be_listed_does_not_wake_the_phone_again_and_again(
    hub: AppHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.phones.smsgate.streams.APART_SECONDS", 0.05)
    monkeypatch.setattr("hub.phones.smsgate.streams.GATHER_SECONDS", 0.0)
    app = await hub.register()
    await app.hooks()
    await app.settings()
    for row in hub.world.rows(Line):
        hub.world.change(Line, row["id"], is_enabled=False)
    async with app.stream() as stream:
        for woken in range(2):
            await send(hub)
            assert (await stream.next())[0] == "MessageEnqueued"
            assert await app.texts() == [], woken
        phone = streams(hub, app)
        for _ in range(20):
            phone.nudge()
        assert (phone.wakes_in or 0.0) >= 1.0, "each time it has to wait longer"
        for row in hub.world.rows(Line):
            hub.world.change(Line, row["id"], is_enabled=True)
        assert len(await app.texts()) == 2
        phone.nudge()
        assert (phone.wakes_in or 0.0) < 1.0
