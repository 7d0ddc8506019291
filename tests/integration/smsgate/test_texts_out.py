"""Texts out by lists: bound when listed, little at a time, relisted until spoken of, reported in any order, cancelled by asking."""

from typing import Any

import pytest

from hub.core.commands import BULK, HIGH
from hub.core.ids import to_smsgate21
from hub.devices.standing import RotateCredentials, rotate_credentials
from hub.messages.cancel import Cancel, cancel
from hub.messages.timeline import read_timeline
from hub.messages.timers import find_stranded
from hub.storage.schema.devices import Device, Line
from hub.storage.schema.webhooks import WebhookEvent
from tests.integration.messages.world import ACCOUNT
from tests.integration.smsgate.app_hub import AppHub

pytestmark = pytest.mark.anyio

TO = "+491701111111"


def state(hub: AppHub, message: str) -> str:
    return hub.world.message(message).state


def change_line(hub: AppHub, **values: Any) -> None:
    for row in hub.world.rows(Line):
        hub.world.change(Line, row["id"], **values)


async def test_listed_text_is_bound_in_the_commit_that_listed_it(hub_anywhere: AppHub) -> None:
    hub = hub_anywhere
    app = await hub.register()
    message = hub.world.send(TO, text="hello")
    (text,) = await app.texts()
    row = hub.world.message(message)
    assert (row.state, row.device_id, row.submission) == ("dispatched", app.device_id, 1)
    assert text["id"] == to_smsgate21(message)
    assert (text["phoneNumbers"], text["textMessage"], text["simNumber"]) == ([TO], {"text": "hello"}, 1)
    timeline = await hub.services.db.read(read_timeline, ACCOUNT, message)
    assert timeline is not None
    assert "was given it in its list" in timeline.entries[-1].sentence


async def test_only_texts_that_were_never_listed_fail_over(hub: AppHub) -> None:
    app = await hub.register()
    change_line(hub, per_minute=1)
    for number in range(4):
        hub.world.send(f"+49170111111{number}")
    listed = {text["id"] for text in await app.texts()}
    assert len(listed) == 2
    (device,) = hub.world.rows(Device)
    hub.world.change(Device, device["id"], is_online=False)
    hub.world.phone("Native")
    hub.clock.advance(120)
    hub.world.change(Device, hub.world.rows(Device)[-1]["id"], last_seen_at=hub.clock.now())
    stranded = await hub.services.db.read(find_stranded, hub.clock.now(), frozenset(), 60.0)
    assert len(stranded) == 2
    assert not {to_smsgate21(due.message_id) for due in stranded} & listed


async def test_a_list_holds_what_the_pace_sends_in_two_minutes(hub: AppHub) -> None:
    app = await hub.register()
    change_line(hub, per_minute=3)
    ids = [hub.world.send(f"+4917011111{number:02d}") for number in range(20)]
    first = await app.texts()
    assert [text["id"] for text in first] == [to_smsgate21(id_) for id_ in ids[:6]], "in the order in which they came"
    for text in first:
        await app.tell(text["id"], "Sent")
    assert await app.texts() == [], "spoken of, and the pace has no room"
    hub.clock.advance(126)
    assert len(await app.texts()) == 6
    hub.clock.advance(126)
    assert len(await app.texts()) == 6, "what the phone holds unsent counts, however long it has held it"
    assert {state(hub, id_) for id_ in ids[6:12]} == {"dispatched"}
    assert {state(hub, id_) for id_ in ids[12:]} == {"queued"}


async def test_high_goes_first_and_bulk_last(hub: AppHub) -> None:
    app = await hub.register()
    bulk = hub.world.send(TO, text="bulk", priority=BULK)
    normal = hub.world.send(TO, text="normal")
    high = hub.world.send(TO, text="high", priority=HIGH)
    texts = await app.texts()
    assert [text["id"] for text in texts] == [to_smsgate21(one) for one in (high, normal, bulk)]
    assert [text["priority"] for text in texts] == [10, 0, -10]


async def test_lost_list_is_given_again_and_a_spoken_of_text_is_not(hub: AppHub) -> None:
    app = await hub.register()
    hub.world.send(TO)
    (lost,) = await app.texts()
    (again,) = await app.texts()
    assert again == lost
    await app.tell(again["id"], "Pending")
    assert await app.texts() == []
    hub.clock.advance(601)
    assert [text["id"] for text in await app.texts()] == [lost["id"]], "its last report may have got lost"


async def test_snapshots_in_any_order_leave_the_true_state_and_one_event_each(hub: AppHub) -> None:
    app = await hub.register()
    message = hub.world.send(TO)
    (text,) = await app.texts()
    times = {"Processed": "2026-09-21T16:13:21.000+02:00", "Sent": "2026-09-21T16:13:22.000+02:00"}
    delivered = {**times, "Delivered": "2026-09-21T16:13:25.000+02:00"}
    for current, told in [("Delivered", delivered), ("Sent", times), ("Processed", times), ("Delivered", delivered)]:
        assert (await app.tell(text["id"], current, **told)).status_code == 204
    row = hub.world.message(message)
    assert (row.state, row.sent_at, row.delivered_at) == ("delivered", 1_790_000_002_000, 1_790_000_005_000)
    events = [row["type"] for row in hub.world.rows(WebhookEvent) if row["type"].startswith("sms:")]
    assert sorted(events) == ["sms:delivered", "sms:queued", "sms:sent"]


@pytest.mark.parametrize(
    ("error", "text", "ends", "reason"),
    [
        ("TTL expired", "x", "expired", "time_over"),
        ("Send result: RESULT_ERROR_NO_SERVICE (Failed because …)", "x", "retried", "no_service"),
        ("Send result: RESULT_ERROR_NO_SERVICE (Failed because …)", "x" * 200, "failed", "segments_unknown"),
        ("Send result: RESULT_RIL_SIM_ABSENT (…)", "x", "retried", "no_sim"),
        ("Send result: RESULT_ERROR_GENERIC_FAILURE (Generic failure cause)", "x", "uncertain", "generic_failure"),
        ("Send result: Unknown error code: 8", "x", "failed", "blocked_by_phone_policy"),
        ("Can't send message: SIM 2 not found", "x", "retried", "no_such_sim"),
        ("Delivery result from SC +49: 64", "x", "undelivered", "remote_procedure_error"),
        (None, "x", "uncertain", "generic_failure"),
    ],
)
async def test_what_a_failure_means(hub: AppHub, error: str | None, text: str, ends: str, reason: str) -> None:
    app = await hub.register()
    message = hub.world.send(TO, text=text)
    (listed,) = await app.texts()
    await app.tell(listed["id"], "Failed", error)
    row = hub.world.message(message)
    assert (row.state, row.reason) == (ends, reason)


async def test_next_try_has_an_id_of_its_own_so_the_phone_does_not_take_it_for_the_last(hub: AppHub) -> None:
    app = await hub.register()
    message = hub.world.send(TO)
    (first,) = await app.texts()
    await app.tell(first["id"], "Failed", "Send result: RESULT_ERROR_RADIO_OFF")
    assert state(hub, message) == "retried"
    hub.clock.advance(3600)
    (second,) = await app.texts()
    assert second["id"] == f"{first['id']}-2"
    await app.tell(first["id"], "Failed", "Send result: RESULT_ERROR_RADIO_OFF")
    assert state(hub, message) == "dispatched", "the first try's report says nothing of the second"
    await app.tell(second["id"], "Sent")
    assert state(hub, message) == "sent"


async def test_cancel_before_it_is_listed_is_at_once_and_after_it_the_phone_decides(hub: AppHub) -> None:
    app = await hub.register()
    free = hub.world.send(TO, text="free")
    hub.world.do(cancel, Cancel(account_id=ACCOUNT, message_id=free))
    assert state(hub, free) == "cancelled"
    held, sent = hub.world.send(TO, text="held"), hub.world.send(TO, text="sent")
    await app.texts()
    await app.tell(to_smsgate21(held), "Pending")
    for message in (held, sent):
        hub.world.do(cancel, Cancel(account_id=ACCOUNT, message_id=message))
        assert state(hub, message) == "dispatched"
    asked = {text["id"]: text["state"] for text in await app.texts()}
    assert asked == {to_smsgate21(held): "Cancelling", to_smsgate21(sent): "Cancelling"}
    await app.tell(to_smsgate21(held), "Cancelled")
    await app.tell(to_smsgate21(sent), "Sent")
    assert (state(hub, held), state(hub, sent)) == ("cancelled", "sent")


async def test_text_of_a_phone_that_lost_its_memory_is_uncertain_and_never_given_out_again(hub: AppHub) -> None:
    word = hub.word()
    app = await hub.register(word)
    message = hub.world.send(TO)
    await app.texts()
    await app.sign_up(word)
    assert (state(hub, message), hub.world.message(message).reason) == ("uncertain", "store_replaced")
    assert await app.texts() == []
    hub.clock.advance(5000)
    assert await app.texts() == []


async def test_phone_that_shows_its_void_token_first_keeps_what_it_held(hub: AppHub) -> None:
    word = hub.word()
    app = await hub.register(word)
    message = hub.world.send(TO)
    (text,) = await app.texts()
    hub.world.do(rotate_credentials, RotateCredentials(account_id=ACCOUNT, device_id=app.device_id))
    assert (await app.call("PATCH", "/device", {"id": app.id})).status_code == 401
    await app.sign_up(word)
    assert state(hub, message) == "dispatched"
    assert [one["id"] for one in await app.texts()] == [text["id"]]


async def test_phones_of_other_accounts_see_and_move_nothing(hub: AppHub) -> None:
    app, other = await hub.register(), await hub.register()
    message = hub.world.send(TO)
    row = next(row for row in hub.world.rows(Device) if row["id"] == other.device_id)
    hub.world.change(Device, row["id"], account_id="b" * 24)
    assert await other.texts() == []
    (text,) = await app.texts() or [{"id": to_smsgate21(message)}]
    assert (await other.tell(text["id"], "Failed", "Send result: x")).status_code == 204
    assert state(hub, message) in ("queued", "dispatched")


async def test_restored_hub_gives_nothing_out_while_it_is_held(hub: AppHub) -> None:
    app = await hub.register()
    message = hub.world.send(TO)
    hub.world.hold()
    assert await app.texts() == []
    assert state(hub, message) == "queued"


async def test_old_and_new_paths_doubled_slashes_and_a_slash_at_the_end(hub: AppHub) -> None:
    app = await hub.register()
    for base in ("/mobile/v1", "/mobile/v1/", "/api/mobile/v1", "/api/mobile/v1/", "/p/anything"):
        app.base = base
        assert (await app.call("GET", "/message")).status_code == 200
        assert (await app.call("GET", "//messages/")).status_code == 200
    assert (await app.call("GET", "/nothing")).status_code == 404
    assert (await app.call("PATCH", "/events", {})).status_code == 405
