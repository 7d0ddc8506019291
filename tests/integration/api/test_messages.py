"""Texts over the API: found, cancelled, sent again, explained; batches."""

import json
from typing import Any

import pytest

from device_protocol.payloads import SmsDelivered, SmsSent
from hub.core.errors import Code
from hub.core.ids import parse, render
from hub.storage.schema.messages import Message
from tests.integration.api.hub_api import Api, problem
from tests.integration.messages.world import Phones

pytestmark = pytest.mark.anyio
NUMBER = "+491701234567"
KEY = "Idempotency-Key"


def rows(api: Api) -> list[dict[str, Any]]:
    return api.world.rows(Message)


async def test_texts_are_listed_in_pages_without_a_gap(api: Api) -> None:
    api.world.phone()
    ids = [
        (await api.send(f"+4917012345{number:02d}", f"text {number}"))["results"][0]["message_id"]
        for number in range(7)
    ]
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = await api.get("/v1/messages", limit=3, **cursor)
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == ids[::-1]
    oldest = await api.get("/v1/messages", limit=2, order="oldest_first")
    assert [item["id"] for item in oldest["items"]] == ids[:2]


async def test_filters_hold_together(api: Api) -> None:
    device = api.world.phone()
    await api.send(NUMBER, "Your order is ready")
    await api.send("+491701234568", "Something else")
    await api.receive(device, "An order, please", NUMBER)

    async def texts(**query: Any) -> list[str]:
        return [item["text"] for item in (await api.get("/v1/messages", **query))["items"]]

    assert await texts(text="ORDER") == ["An order, please", "Your order is ready"]
    assert await texts(text="order", direction="mt") == ["Your order is ready"]
    assert await texts(peer="+491701234568") == ["Something else"]
    assert await texts(state=["received", "failed"]) == ["An order, please"]
    assert await texts(device_id=render("device", device)) == ["An order, please"]
    assert await texts(created_from="2030-01-01T00:00:00Z") == []
    assert len(await texts(created_to="2030-01-01T00:00:00Z")) == 3


async def test_a_waiting_text_is_cancelled_at_once(api: Api) -> None:
    api.world.phone()
    message_id = (await api.send())["results"][0]["message_id"]
    answer = await api.http.post(f"/v1/messages/{message_id}/cancel")
    assert (answer.status_code, answer.json()["state"], answer.json()["is_final"]) == (200, "cancelled", True)
    again = await api.http.post(f"/v1/messages/{message_id}/cancel")
    assert again.status_code == 200, "cancelling twice is no error"


async def test_a_text_on_a_phone_is_only_asked_for(api: Api) -> None:
    device = api.world.phone()
    phones = Phones(api.world)
    message_id = (await api.send())["results"][0]["message_id"]
    job = phones.bound(device, parse("message", message_id))
    answer = await api.http.post(f"/v1/messages/{message_id}/cancel")
    assert (answer.status_code, answer.json()["state"], answer.json()["is_final"]) == (202, "dispatched", False)
    phones.report(device, SmsSent(job.id, job.submission, 0, 1))
    problem(await api.http.post(f"/v1/messages/{message_id}/cancel"), Code.CANCEL_TOO_LATE)


async def test_the_timeline_tells_every_hop_in_a_sentence(api: Api) -> None:
    device = api.world.phone("Workshop")
    phones = Phones(api.world)
    message_id = (await api.send())["results"][0]["message_id"]
    job = phones.bound(device, parse("message", message_id))
    phones.report(device, SmsSent(job.id, job.submission, 0, 1))
    phones.report(device, SmsDelivered(job.id, job.submission, 0, 1, 0))
    phones.report(device, SmsDelivered(job.id, job.submission, 0, 1, 0))
    timeline = await api.get(f"/v1/messages/{message_id}/timeline")
    assert timeline["state"] == "delivered"
    assert [hop["to_state"] for hop in timeline["items"] if hop["to_state"]][-3:] == ["dispatched", "sent", "delivered"]
    assert [hop["is_applied"] for hop in timeline["items"]][-2:] == [True, False]
    assert all(hop["sentence"] for hop in timeline["items"])
    assert "msg_" not in json.dumps([hop["sentence"] for hop in timeline["items"]])


async def test_an_ended_text_is_sent_again_as_a_new_one(api: Api) -> None:
    api.world.phone()
    other = api.world.phone("Other")
    (line,) = api.world.lines(other)
    old = (await api.send())["results"][0]["message_id"]
    problem(await api.http.post(f"/v1/messages/{old}/resend"), Code.NOT_RETRYABLE)
    await api.post(f"/v1/messages/{old}/cancel")
    body = {"line_id": render("line", line)}
    first = await api.post(f"/v1/messages/{old}/resend", body, **{KEY: "again"})
    second = await api.post(f"/v1/messages/{old}/resend", body, **{KEY: "again"})
    assert first == second
    new = await api.get(f"/v1/messages/{first['results'][0]['message_id']}")
    assert (new["retry_of"], new["line_id"], new["state"]) == (old, body["line_id"], "queued")
    assert len(rows(api)) == 2
    hops = [hop["kind"] for hop in (await api.get(f"/v1/messages/{old}/timeline"))["items"]]
    assert hops.count("resent") == 1


async def test_only_a_dead_letter_goes_back_into_the_queue(api: Api) -> None:
    api.world.phone()
    message_id = (await api.send())["results"][0]["message_id"]
    problem(await api.http.post(f"/v1/messages/{message_id}/replay"), Code.CONFLICT)
    api.world.change(Message, parse("message", message_id), state="dead_letter", tries=5)
    assert (await api.post(f"/v1/messages/{message_id}/replay"))["state"] == "queued"


async def test_a_batch_is_paused_resumed_and_cancelled(api: Api) -> None:
    api.world.phone()
    sent = await api.send([f"+4917012345{number:02d}" for number in range(5)])
    path = f"/v1/batches/{sent['batch_id']}"
    paused = await api.post(f"{path}/pause")
    assert paused["batch"]["paused_at"] is not None
    assert paused["waiting"] == 5
    resumed = await api.post(f"{path}/resume")
    assert (resumed["batch"]["paused_at"], resumed["waiting"]) == (None, 5)
    cancelled = await api.post(f"{path}/cancel")
    assert (cancelled["cancelled"], cancelled["asked"]) == (5, 0)
    assert cancelled["batch"]["finished"] == 5
    assert [batch["id"] for batch in (await api.get("/v1/batches"))["items"]] == [sent["batch_id"]]
    listed = await api.get("/v1/messages", batch_id=sent["batch_id"], state="cancelled")
    assert len(listed["items"]) == 5


@pytest.mark.parametrize("code", [4, 2, 106, 12, 1], ids=["no_service", "radio_off", "busy", "phone_error", "generic"])
async def test_a_text_whose_segments_were_refused_for_whatever_reason_can_be_read(api: Api, code: int) -> None:
    device, phones = api.world.phone(), Phones(api.world)
    message = (await api.send())["results"][0]["message_id"]
    phones.failed(device, phones.bound(device, parse("message", message)), code)
    (segment,) = (await api.get(f"/v1/messages/{message}"))["segment_reports"]
    assert segment["state"] in ("refused", "uncertain")
    assert [item["id"] for item in (await api.get("/v1/messages"))["items"]] == [message]
