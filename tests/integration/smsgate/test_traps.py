"""What breaks phones in the field: one test for each way in which a server has been seen to, red when this hub does it too.

The judge is the emulator's reading of answers (`android_emulator.smsgate.gson`), which fails where the app fails.
"""

import asyncio
import json
import re
import time
from typing import Any

import pytest

from android_emulator.smsgate import gson
from hub.core.commands import HIGH
from hub.core.effects import WakeDispatch
from hub.core.ids import to_smsgate21
from hub.devices.standing import RevokeDevice, RotateCredentials, revoke_device, rotate_credentials
from hub.messages.cancel import Cancel, cancel
from hub.phones.smsgate.streams import APART_SECONDS, PhoneStreams
from hub.phones.smsgate.times import read_time, write_time
from hub.phones.smsgate.versions import OLDEST, Version, events_for, of_agent
from hub.storage.schema.devices import Line
from tests.integration.messages.world import ACCOUNT
from tests.integration.smsgate.app_hub import App, AppHub

pytestmark = pytest.mark.anyio

TO = "+491701111111"
EVERY_VERSION = [
    "1.19.0",
    "1.37.0",
    "1.46.0",
    "1.53.1",
    "1.56.0",
    "1.65.0",
    "1.66.0",
    "1.67.0",
    "1.68.0",
    "1.71.0",
    "1.75.0",
]


def short(version: str) -> tuple[int, int]:
    major, minor, *_ = version.split(".")
    return int(major), int(minor)


async def test_trap_01_times_have_three_digits_and_an_offset(hub: AppHub) -> None:
    app = await hub.register()
    hub.clock.now_ms += 7
    hub.world.send(TO)
    (text,) = await app.texts()
    for name in ("createdAt", "validUntil"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text[name]), text[name]
    assert gson.read_time(text["createdAt"]) == hub.clock.now()
    with pytest.raises(gson.GsonError):
        gson.read_time("2026-01-31T09:00:00.123")
    assert gson.read_time("2026-01-31T09:00:00.123456Z") != gson.read_time(write_time(1_769_850_000_123))


@pytest.mark.parametrize("priority", [0, 1, HIGH])
async def test_trap_02_every_item_of_a_list_is_one_the_app_can_read(hub: AppHub, priority: int) -> None:
    app = await hub.register()
    for text in ("plain", "\u0001\ud7ff\u00e9\U0001f600", "x" * 900, '"\\/\n'):
        hub.world.send(TO, text=text, priority=priority)
    hub.world.send(TO, text="QUJD", data_port=53739, priority=priority)
    listed = await app.texts()
    assert len(listed) == 5
    gson.check_texts(listed)
    assert all(set(text) & {"textMessage", "dataMessage"} for text in listed), "a content is never missing"


@pytest.mark.parametrize("version", EVERY_VERSION)
async def test_trap_03_no_version_is_told_a_word_it_does_not_know(hub: AppHub, version: str) -> None:
    app = await hub.register(version=version)
    everything: dict[str, Any] = {
        "messages": {"limit_period": "Per30Minutes", "sim_selection_mode": "Lottery", "processing_order": "OLDEST"},
        "gateway": {"notification_channel": "PIGEON"},
    }
    await hub.set_for_phones(everything)
    gson.check_hooks(list((await app.hooks()).values()), short(version))
    gson.check_settings(await app.settings(), short(version))


def test_trap_03_an_unknown_version_is_taken_for_an_old_one() -> None:
    assert of_agent("okhttp/4.12.0") is None
    assert of_agent("me.capcom.smsgateway/1.68.0") == Version(1, 68, 0)
    assert "sms:cancelled" not in events_for(OLDEST)


@pytest.mark.parametrize(
    ("method", "path"), [("PATCH", "/device"), ("GET", "/message"), ("GET", "/webhooks"), ("GET", "/events")]
)
async def test_trap_04_unknown_and_void_tokens_are_401(hub: AppHub, method: str, path: str) -> None:
    app, removed = await hub.register(), await hub.register()
    hub.world.do(rotate_credentials, RotateCredentials(account_id=ACCOUNT, device_id=app.device_id))
    hub.world.do(revoke_device, RevokeDevice(account_id=ACCOUNT, device_id=removed.device_id))
    for token in (app.token, removed.token, "never-given-out-at-all"):
        answer = await app.call(method, path, {} if method == "PATCH" else None, f"Bearer {token}")
        assert answer.status_code == 401


async def test_trap_05_settings_hold_no_null_group_and_never_the_address_or_the_token(hub: AppHub) -> None:
    app = await hub.register()
    groups: dict[str, Any] = {
        "gateway": {"cloud_url": None, "private_token": None},
        "encryption": {"passphrase": "secret"},
        "logs": {},
    }
    await hub.set_for_phones(groups)
    served = await app.settings()
    assert all(served.values()), "an empty group is left out"
    told = json.dumps(served)
    assert not any(word in told for word in ("cloud_url", "private_token", "passphrase"))
    assert re.fullmatch(r"[A-Za-z0-9]{16,}", served["webhooks"]["signing_key"]), "its storage mangles other signs"


@pytest.mark.parametrize(("version", "is_shown"), [("1.66.2", False), ("1.67.0", True)])
async def test_trap_06_texts_that_are_being_cancelled_are_shown_to_apps_that_do_not_send_them(
    hub: AppHub, version: str, is_shown: bool
) -> None:
    app = await hub.register(version=version)
    message = hub.world.send(TO)
    await app.texts()
    hub.world.do(cancel, Cancel(account_id=ACCOUNT, message_id=message))
    assert [text["state"] for text in await app.texts()] == (["Cancelling"] if is_shown else [])


async def test_trap_07_a_burst_wakes_the_phone_once(hub: AppHub, monkeypatch: pytest.MonkeyPatch) -> None:
    app = await hub.register()
    await app.hooks()
    await app.settings()
    async with app.stream() as stream:
        woken: list[float] = []
        tell = PhoneStreams.tell

        def counted(phone: PhoneStreams, name: str, data: Any = None) -> None:
            woken.append(asyncio.get_running_loop().time())
            tell(phone, name, data)

        monkeypatch.setattr(PhoneStreams, "tell", counted)
        for number in range(40):
            hub.world.send(f"+4917011111{number:02d}")
            hub.dispatcher.wake(WakeDispatch(ACCOUNT))
            await asyncio.sleep(0)
        assert (await stream.next())[0] == "MessageEnqueued"
        await app.texts()
        assert len(woken) == 1
        for number in range(40, 50):
            hub.world.send(f"+4917011111{number:02d}")
            hub.dispatcher.wake(WakeDispatch(ACCOUNT))
        assert (await stream.next())[0] == "MessageEnqueued"
        assert woken[1] - woken[0] >= APART_SECONDS


async def test_trap_08_more_than_fits_into_a_list_is_announced_when_states_come_back(hub: AppHub) -> None:
    app = await hub.register()
    await app.hooks()
    await app.settings()
    for row in hub.world.rows(Line):
        hub.world.change(Line, row["id"], per_minute=1000)
    for number in range(130):
        hub.world.send(f"+49170{number:07d}")
    await app.settings()
    async with app.stream() as stream:
        hub.dispatcher.wake(WakeDispatch(ACCOUNT))
        assert (await stream.next())[0] == "MessageEnqueued"
        listed = await app.texts()
        assert len(listed) == 100
        for text in listed[:3]:
            await app.tell(text["id"], "Pending")
        assert (await stream.next())[0] == "MessageEnqueued"
        assert len({text["id"] for text in await app.texts()} - {text["id"] for text in listed}) >= 3


async def test_trap_09_one_number_a_text_and_ids_the_phone_can_join(hub: AppHub) -> None:
    app = await hub.register()
    hub.world.send(TO, TO)
    hub.world.send(TO)
    (first, *_) = listed = await app.texts()
    assert all(len(text["phoneNumbers"]) == len(set(text["phoneNumbers"])) == 1 for text in listed)
    await app.tell(first["id"], "Failed", "Send result: RESULT_ERROR_RADIO_OFF")
    hub.clock.advance(3600)
    listed += await app.texts()
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,36}", text["id"]) for text in listed)


@pytest.mark.parametrize("id_", ["no-such-text", "", "A" * 21, to_smsgate21("0" * 24), "x" * 400])
async def test_trap_10_reports_are_answered_2xx_whatever_they_speak_of(hub: AppHub, id_: str) -> None:
    app = await hub.register()
    assert (await app.tell(id_, "Delivered")).status_code == 204
    assert (await app.tell(id_, "Exploded", "?", Sent="yesterday")).status_code == 204
    assert (await app.call("PATCH", "/message", {"not": "a list"})).status_code == 204
    assert (await app.call("PATCH", "/message", [])).status_code == 204


async def test_trap_11_ids_and_tokens_are_21_characters(hub: AppHub) -> None:
    for _ in range(5):
        app = await hub.register()
        assert re.fullmatch(r"[A-Za-z0-9_-]{21}", app.id)
        assert re.fullmatch(r"[A-Za-z0-9_-]{21}", app.token)
    assert all(len(hook["id"]) == 21 for hook in (await app.hooks()).values())


async def test_trap_11_webhook_ids_are_one_phones_alone_and_stay(hub: AppHub) -> None:
    app, other = await hub.register(), await hub.register()
    first, again, others = await app.hooks(), await app.hooks(), await other.hooks()
    assert first == again
    assert not {hook["id"] for hook in first.values()} & {hook["id"] for hook in others.values()}


@pytest.mark.parametrize("base", ["/mobile/v1/", "/mobile/v1//", "/api/mobile/v1/", "/p/{word}/", "/p/{word}//"])
async def test_trap_12_doubled_slashes_and_spaces_around_the_token_do_no_harm(hub: AppHub, base: str) -> None:
    word = hub.word()
    app = App(hub, base=base.replace("{word}", word))
    assert (await app.sign_up(f"  {word}")).status_code == 201
    assert (await app.call("GET", "/message/")).status_code == 200


async def test_trap_14_a_post_is_answered_within_its_five_seconds_also_when_the_disk_is_slow(
    hub: AppHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await hub.register()
    await app.hooks()
    monkeypatch.setattr("hub.phones.smsgate.hooks.ANSWER_SECONDS", 0.05)
    writer = hub.services.db.writer
    never: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    submit = writer.submit_soon

    def stuck(use_case: Any, command: Any, *keys: str) -> Any:
        return never if type(command).__name__ == "StorePosted" else submit(use_case, command, *keys)

    monkeypatch.setattr(writer, "submit_soon", stuck)
    started = time.monotonic()
    payload = {"messageId": "1", "sender": "+1", "message": "hi", "receivedAt": "2026-09-21T14:13:20.000Z"}
    answer = await app.post("sms:received", payload)
    assert answer.status_code == 503, "it comes again"
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("2026-01-31T16:00:00.123+07:00", "2026-01-31T09:00:00.123Z"),
        ("2026-01-31T04:00:00.123+-5:00", "2026-01-31T09:00:00.123Z"),
        ("2026-01-31T05:30:00.123+-3:-30", "2026-01-31T09:00:00.123Z"),
        ("2026-01-31T09:00:00Z", "2026-01-31T09:00:00.000Z"),
        ("2026-01-31 09:00:00.5Z", "2026-01-31T09:00:00.500Z"),
    ],
)
def test_times_of_phones_are_read_as_they_were_meant(told: str, meant: str) -> None:
    assert write_time(read_time(told, 1_790_000_000_000)) == meant


@pytest.mark.parametrize("told", [None, "", "yesterday", "2026-13-31T09:00:00Z", "2999-01-01T00:00:00Z", "1-1-1"])
def test_times_nobody_can_read_are_the_arrivals(told: str | None) -> None:
    assert read_time(told, 1_790_000_000_000) == 1_790_000_000_000
