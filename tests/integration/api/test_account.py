"""The account, its keys, its events as a list, and its numbers."""

from typing import Any

import pytest

from device_protocol.payloads import SmsDelivered, SmsSent
from hub.accounts.settings import AccountSettings
from hub.core.errors import Code
from hub.core.events import EventType
from hub.core.ids import parse, render
from hub.storage.schema.messages import Message
from tests.integration.api.hub_api import ALL, Api, problem
from tests.integration.messages.world import Phones

pytestmark = pytest.mark.anyio


async def test_an_account_says_what_holds_for_it_and_for_this_key(api: Api) -> None:
    account = await api.get("/v1/account")
    assert account["settings"]["default_region"] is None
    assert account["effective"]["default_region"] == api.services.config.default_region
    assert sorted(account["scopes"]) == sorted(ALL)
    attachments = (account["effective"]["media_max_bytes"], account["effective"]["max_media"])
    assert attachments == (api.services.config.media_max_bytes, 10)
    assert "image/jpeg" in account["effective"]["media_types"]
    changed = await api.patch("/v1/account", {"name": "Northgate", "settings": {"default_region": "GB"}})
    assert (changed["name"], changed["effective"]["default_region"]) == ("Northgate", "GB")
    back = await api.patch("/v1/account", {"settings": {"default_region": None}})
    assert (back["name"], back["settings"]["default_region"]) == ("Northgate", None)


async def test_texts_are_kept_for_less_time_than_the_hub_keeps_them_never_for_more(api: Api) -> None:
    hubs = api.services.config.keep_messages_days
    account = await api.get("/v1/account")
    assert account["settings"]["keep_messages_days"] is None
    assert (account["effective"]["keep_messages_days"], account["effective"]["most_keep_messages_days"]) == (hubs, hubs)
    changed = await api.patch("/v1/account", {"settings": {"keep_messages_days": 30}})
    assert (changed["settings"]["keep_messages_days"], changed["effective"]["keep_messages_days"]) == (30, 30)
    answer = await api.http.patch("/v1/account", json={"settings": {"keep_messages_days": hubs + 1}})
    (error,) = problem(answer, Code.VALIDATION)["errors"]
    assert error["field"] == "settings.keep_messages_days"
    assert f"1 to {hubs}" in error["message"]
    assert (await api.get("/v1/account"))["settings"]["keep_messages_days"] == 30
    back = await api.patch("/v1/account", {"settings": {"keep_messages_days": None}})
    assert back["effective"]["keep_messages_days"] == hubs


@pytest.mark.parametrize(
    ("own", "hubs", "kept"), [(None, 0, 0), (None, 365, 365), (30, 0, 30), (30, 365, 30), (400, 365, 365)]
)
def test_the_shorter_time_holds(own: int | None, hubs: int, kept: int) -> None:
    assert AccountSettings(keep_messages_days=own).kept_days(hubs) == kept


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"settings": {"keep_messages_days": 0}}, "settings.keep_messages_days"),
        ({"settings": {"default_region": "ZZ"}}, "settings.default_region"),
        ({"settings": {"time_zone": "Mars"}}, "settings.time_zone"),
        ({"settings": {"default_ttl_seconds": 1}}, "settings.default_ttl_seconds"),
        ({"settings": {"colour": "blue"}}, "settings.colour"),
        ({"name": ""}, "name"),
    ],
    ids=str,
)
async def test_a_setting_that_cannot_be_is_refused_by_name(api: Api, change: dict[str, Any], field: str) -> None:
    answer = await api.http.patch("/v1/account", json=change)
    assert [error["field"] for error in problem(answer, Code.VALIDATION)["errors"]] == [field]


async def test_a_key_is_shown_once_and_replaced_without_a_gap(api: Api) -> None:
    made = await api.post("/v1/keys", {"name": "Till", "scopes": ["account:read", "messages:send"]})
    assert made["key"].endswith(made["info"]["ends_with"])
    path = f"/v1/keys/{made['info']['id']}"
    assert made["key"] not in str(await api.get(path))
    old, rotated = api.client(made["key"]), await api.post(f"{path}/rotate", {"overlap_seconds": 60})
    assert rotated["info"]["replaces_id"] == made["info"]["id"]
    new = api.client(rotated["key"])
    assert (await old.get("/v1/account")).status_code == (await new.get("/v1/account")).status_code == 200
    problem(await api.http.post(f"{path}/rotate"), Code.CONFLICT)
    api.clock.advance(60)
    problem(await old.get("/v1/account"), Code.KEY_EXPIRED)
    assert (await new.get("/v1/account")).status_code == 200
    await api.http.delete(f"/v1/keys/{rotated['info']['id']}")
    problem(await new.get("/v1/account"), Code.KEY_REVOKED)
    assert [item["is_alive"] for item in (await api.get("/v1/keys"))["items"]] == [False, False, True]


async def test_a_key_is_renamed_and_limited(api: Api) -> None:
    made = await api.post(
        "/v1/keys", {"name": "Till", "scopes": ["account:read"], "expires_at": "2026-10-01T00:00:00+02:00"}
    )
    assert made["info"]["expires_at"] == "2026-09-30T22:00:00.000Z"
    changed = await api.patch(f"/v1/keys/{made['info']['id']}", {"name": "Till 2", "scopes": ["messages:read"]})
    assert (changed["name"], changed["scopes"]) == ("Till 2", ["messages:read"])
    for wrong in ({"name": "x", "scopes": []}, {"name": "x", "scopes": ["all"]}, {"name": "x"}):
        problem(await api.http.post("/v1/keys", json=wrong), Code.VALIDATION)
    past = {"name": "x", "scopes": ["account:read"], "expires_at": "2020-01-01T00:00:00Z"}
    problem(await api.http.post("/v1/keys", json=past), Code.VALIDATION)


async def test_events_are_read_on_from_any_place(api_anywhere: Api) -> None:
    api = api_anywhere
    api.world.phone()
    for number in range(5):
        await api.send(f"+4917012345{number:02d}")
    first = await api.get("/v1/events", limit=2)
    rest = await api.get("/v1/events", limit=10, after=first["next_cursor"])
    assert (first["has_more"], rest["has_more"]) == (True, False)
    events = first["items"] + rest["items"]
    assert [event["data"]["to"][-2:] for event in events] == ["00", "01", "02", "03", "04"]
    assert {event["type"] for event in events} == {EventType.SMS_QUEUED}
    assert (await api.get("/v1/events", after=events[-1]["cursor"]))["items"] == []
    await api.send("+491701234599")
    (late,) = (await api.get("/v1/events", after=rest["next_cursor"]))["items"]
    assert late["data"]["to"] == "+491701234599"
    newest = await api.get("/v1/events", order="newest_first", limit=2)
    older = await api.get("/v1/events", order="newest_first", limit=2, before=newest["next_cursor"])
    assert [event["id"] for event in newest["items"] + older["items"]] == [
        event["id"] for event in [late, *events[:1:-1]]
    ]
    assert (await api.get("/v1/events", type=["sms:received", "call:missed"]))["items"] == []


async def test_a_cursor_of_another_life_goes_on_without_a_gap(api: Api) -> None:
    """After a restore old cursors count by their number: what the restored data has beyond it is told."""
    await api.send("+491701234501")
    cursor = (await api.get("/v1/events"))["next_cursor"]
    await api.send("+491701234502")
    foreign = f"{'0' * 24}.999999.{cursor.rsplit('.', 1)[1]}"
    (event,) = (await api.get("/v1/events", after=foreign))["items"]
    assert event["data"]["to"] == "+491701234502"


async def test_the_overview_counts_where_texts_are(api_anywhere: Api) -> None:
    api = api_anywhere
    device = api.world.phone("Workshop", status='{"battery_percent": 5, "is_charging": false}', status_at=1)
    phones = Phones(api.world)
    ids = [
        parse("message", (await api.send(f"+4917012345{number:02d}"))["results"][0]["message_id"])
        for number in range(5)
    ]
    delivered = phones.bound(device, ids[0])
    phones.report(device, SmsSent(delivered.id, delivered.submission, 0, 1))
    api.clock.advance(3)
    phones.report(device, SmsDelivered(delivered.id, delivered.submission, 0, 1, 0))
    sent = phones.bound(device, ids[1])
    phones.report(device, SmsSent(sent.id, sent.submission, 0, 1))
    api.world.change(Message, ids[2], state="failed", reason="no_service")
    await api.post(f"/v1/messages/{render('message', ids[3])}/cancel")
    await api.receive(device)
    await api.post("/v1/webhooks", {"url": "http://127.0.0.1:9/hook?key=secret"})
    found = await api.get("/v1/overview")
    funnel = found["funnel"]
    assert (funnel["accepted"], funnel["on_phone"], funnel["sent"], funnel["delivered"]) == (5, 2, 2, 1)
    assert (funnel["waiting"], funnel["not_sent"], funnel["cancelled"], funnel["received"]) == (1, 1, 1, 1)
    assert funnel["without_report"] == 1
    assert [(one["reason"], one["count"]) for one in found["failures"]] == [("no_service", 1)]
    assert found["failures"][0]["explanation"]
    assert (found["span"], len(found["series"])) == ("day", 8)
    last = found["series"][-1]
    assert (last["start"], last["delivered"], last["open"], last["failed"]) == ("2026-09-21T00:00:00.000Z", 1, 2, 1)
    assert found["speed"] == {"measured": 1, "half_within_seconds": 3.0, "most_within_seconds": 3.0}
    (lag,) = found["webhooks"]
    assert (lag["host"], lag["pending"], lag["waiting_seconds"]) == ("127.0.0.1", 0, 0.0)
    assert [phone["name"] for phone in found["phones_at_risk"]] == ["Workshop"]
    (numbers,) = (await api.get("/v1/overview/phones"))["items"]
    assert (numbers["sent_last_hour"], numbers["failed_last_day"]) == (2, 1)
    assert (numbers["waiting"], numbers["on_phone"]) == (0, 1), "the last one is being offered"


async def test_the_overview_is_by_the_accounts_own_day(api: Api) -> None:
    await api.patch("/v1/account", {"settings": {"time_zone": "Asia/Tokyo"}})
    await api.send()
    found = await api.get("/v1/overview")
    assert found["series"][-1]["start"] == "2026-09-20T15:00:00.000Z"
    assert found["series"][-1]["open"] == 1
    hours = await api.get("/v1/overview", since="2026-09-21T12:00:00Z", until="2026-09-21T15:00:00Z")
    assert (hours["span"], [one["open"] for one in hours["series"]]) == ("hour", [0, 0, 1])


@pytest.mark.parametrize(
    "query",
    [
        {"since": "2026-09-22T00:00:00Z", "until": "2026-09-21T00:00:00Z"},
        {"since": "2026-01-01T00:00:00Z"},
        {"since": "yesterday"},
        {"until": "1969-12-31T00:00:00Z"},
    ],
    ids=str,
)
async def test_a_range_that_cannot_be_is_refused(api: Api, query: dict[str, str]) -> None:
    problem(await api.http.get("/v1/overview", params=query), Code.VALIDATION)


async def test_waiting_webhooks_show_how_long_each_by_itself(api_anywhere: Api) -> None:
    api = api_anywhere
    await api.post("/v1/webhooks", {"url": "http://127.0.0.1:9/hook", "event_types": ["sms:queued"]})
    await api.post("/v1/webhooks", {"url": "http://127.0.0.1:9/hook", "event_types": ["sms:failed"]})
    await api.send()
    api.clock.advance(60)
    await api.send()
    api.clock.advance(30)
    busy, idle = (await api.get("/v1/overview"))["webhooks"]
    assert (busy["pending"], busy["waiting_seconds"]) == (2, 90.0)
    assert (idle["pending"], idle["waiting_seconds"]) == (0, 0.0)


async def test_what_waits_for_a_phone_is_counted_over_its_lines(api_anywhere: Api) -> None:
    api = api_anywhere
    phone = api.world.phone(sims=2)
    api.world.phone("Idle")
    began = await api.get("/v1/overview/phones")
    for line in api.world.lines(phone):
        await api.send(line_id=render("line", line))
        api.clock.advance(60)
    (numbers,) = (await api.get("/v1/overview/phones"))["items"]
    assert (began["items"], numbers["device_id"], numbers["waiting"]) == ([], render("device", phone), 2)
    assert numbers["oldest_waiting_at"] == "2026-09-21T14:13:20.000Z"


async def test_bulk_texts_wait_for_the_end_of_quiet_hours_and_others_do_not(api: Api) -> None:
    """The clock of the tests stands at 14:13 UTC on 21 September: 15:13 in London."""
    api.world.phone()
    hours = {"starts": "15:00", "ends": "08:30"}
    await api.patch("/v1/account", {"settings": {"time_zone": "Europe/London", "quiet_hours": hours}})
    account = await api.get("/v1/account")
    assert account["settings"]["quiet_hours"] == hours
    assert account["effective"]["quiet_until"] == "2026-09-22T07:30:00.000Z"
    normal, bulk = await api.send(), await api.send(priority="bulk")
    later = await api.send(priority="bulk", send_at="2026-09-22T12:00:00Z")
    found = [(await api.get(f"/v1/messages/{one['results'][0]['message_id']}")) for one in (normal, bulk, later)]
    assert [(one["state"], one["scheduled_at"]) for one in found] == [
        ("queued", None),
        ("scheduled", "2026-09-22T07:30:00.000Z"),
        ("scheduled", "2026-09-22T12:00:00.000Z"),
    ]
    off = await api.patch("/v1/account", {"settings": {"quiet_hours": None}})
    assert (off["settings"]["quiet_hours"], off["effective"]["quiet_until"]) == (None, None)
    for wrong in ({"starts": "9:00", "ends": "08:00"}, {"starts": "21:00"}, {"starts": "21:00", "ends": "24:00"}):
        problem(await api.http.patch("/v1/account", json={"settings": {"quiet_hours": wrong}}), Code.VALIDATION)
