"""When batches end, how long webhooks waited, and what stands between a phone and its queue, as numbers."""

import pytest

from hub.core.ids import parse, render
from hub.storage.schema.devices import Line
from hub.storage.schema.messages import Message
from tests.integration.api.hub_api import Api
from tests.integration.messages.world import Phones

pytestmark = pytest.mark.anyio

NUMBERS = [f"+4917012345{number:02d}" for number in range(60)]


async def test_a_batch_says_when_it_ends_by_the_pace_of_its_line(api_anywhere: Api) -> None:
    api = api_anywhere
    (line,) = api.world.lines(api.world.phone())
    sent = await api.send(NUMBERS, batch_name="Autumn")
    path = f"/v1/batches/{sent['batch_id']}"
    # 60 segments at 20 a minute.
    assert (await api.get(path))["expected_end_at"] == "2026-09-21T14:16:20.000Z"
    api.world.change(Line, line, per_hour=30)
    assert (await api.get("/v1/batches"))["items"][0]["expected_end_at"] == "2026-09-21T16:13:20.000Z"
    await api.post(f"{path}/pause")
    assert (await api.get(path))["expected_end_at"] is None
    cancelled = await api.post(f"{path}/cancel")
    assert cancelled["batch"]["expected_end_at"] is None


async def test_what_waits_before_a_batch_counts_and_what_came_later_does_not(api: Api) -> None:
    api.world.phone()
    first = await api.send(NUMBERS[:20])
    api.clock.advance(1)
    second = await api.send(NUMBERS[20:40])
    ends = [(await api.get(f"/v1/batches/{one['batch_id']}"))["expected_end_at"] for one in (first, second)]
    assert ends == ["2026-09-21T14:14:21.000Z", "2026-09-21T14:15:21.000Z"]


async def test_a_batch_for_later_says_when_it_starts(api: Api) -> None:
    api.world.phone()
    sent = await api.send(NUMBERS[:20], send_at="2026-09-22T09:00:00Z")
    batch = await api.get(f"/v1/batches/{sent['batch_id']}")
    assert (batch["starts_at"], batch["expected_end_at"]) == ("2026-09-22T09:00:00.000Z", "2026-09-22T09:01:00.000Z")


async def test_texts_that_nobody_has_sent_yet_are_forecast(api_anywhere: Api) -> None:
    api = api_anywhere
    assert (await api.post("/v1/forecast", {"segments": 5}))["expected_end_at"] is None
    one, other = (api.world.lines(api.world.phone(name))[0] for name in ("One", "Other"))
    alone = await api.post("/v1/forecast", {"segments": 2400, "line_id": render("line", one)})
    both = await api.post("/v1/forecast", {"segments": 2400})
    assert alone["expected_end_at"][:16] == "2026-09-21T16:13"
    assert both["expected_end_at"][:16] == "2026-09-21T15:13"
    api.world.change(Line, other, is_enabled=False)
    assert (await api.post("/v1/forecast", {"segments": 2400}))["expected_end_at"][:16] == "2026-09-21T16:13"
    later = await api.post("/v1/forecast", {"segments": 20, "send_at": "2026-09-22T09:00:00Z"})
    assert later["expected_end_at"][:16] == "2026-09-22T09:01"


async def test_webhooks_tell_how_long_they_waited_over_time(api_anywhere: Api) -> None:
    api = api_anywhere
    made = await api.post("/v1/webhooks", {"url": "http://127.0.0.1:9/hook", "event_types": ["sms:queued"]})
    await api.post("/v1/webhooks", {"url": "http://127.0.0.1:9/other", "event_types": ["sms:failed"]})
    await api.send()
    api.clock.advance(4 * 3600)
    await api.send()
    api.clock.advance(60)
    found = await api.get("/v1/overview/webhooks", since="2026-09-21T00:00:00Z")
    busy, idle = found["items"]
    assert (busy["webhook_id"], idle["points"]) == (made["webhook"]["id"] if "webhook" in made else made["id"], [])
    assert [(point["events"], point["worst_seconds"]) for point in busy["points"]] == [(1, 14460.0), (1, 60.0)]
    assert (await api.get("/v1/overview/webhooks", until="2026-09-21T01:00:00Z"))["items"][0]["points"] == []
    stranger = await api.stranger().get("/v1/overview/webhooks")
    assert stranger.json()["items"] == []


async def test_what_a_phone_holds_is_told_apart_from_what_waits_for_it(api_anywhere: Api) -> None:
    api = api_anywhere
    phone = api.world.phone()
    (line,) = api.world.lines(phone)
    first = parse("message", (await api.send(NUMBERS[0]))["results"][0]["message_id"])
    Phones(api.world).bound(phone, first)
    await api.send(NUMBERS[1])
    await api.send(NUMBERS[2], line_id=render("line", line))
    (numbers,) = (await api.get("/v1/overview/phones"))["items"]
    assert (numbers["waiting"], numbers["pinned"], numbers["on_phone"]) == (2, 1, 1)


async def test_the_overview_is_of_one_phone_and_says_whose_failures_they_are(api_anywhere: Api) -> None:
    api = api_anywhere
    one, other = api.world.phone("One"), api.world.phone("Other")
    sent = [parse("message", result["message_id"]) for result in (await api.send(NUMBERS[:4]))["results"]]
    for message_id in sent[:3]:
        api.world.change(Message, message_id, state="failed", reason="no_service", device_id=one)
    api.world.change(Message, sent[3], state="failed", reason="no_sim", device_id=other)
    both = await api.get("/v1/overview")
    mine = await api.get("/v1/overview", device_id=render("device", one))
    assert [(item["count"], item["numbers"], item["device_id"]) for item in both["failures"]] == [
        (3, 3, render("device", one)),
        (1, 1, render("device", other)),
    ]
    assert (both["funnel"]["accepted"], mine["funnel"]["accepted"]) == (4, 3)
    assert [item["reason"] for item in mine["failures"]] == ["no_service"]
    foreign = await api.stranger().get("/v1/overview", params={"device_id": render("device", one)})
    assert foreign.json()["funnel"]["accepted"] == 0
