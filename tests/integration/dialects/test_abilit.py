"""Abil'I.T.'s door: sending to one and many, reading, cancelling, rotating keys, and every refusal in its shape."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from hub.core.events import EventType, encode
from hub.core.ports import DeliveryView, EndpointView, EventView, Secrets
from hub.core.status import Status
from hub.dialects.abilit import DIALECT
from hub.dialects.abilit.events import Abilit
from hub.dialects.abilit.words import STATUSES
from hub.registry import dialects, refuse_double_claims
from hub.storage.schema.messages import Message
from hub.webhooks.samples import sample_data
from tests.integration.api.hub_api import Api

pytestmark = pytest.mark.anyio

TO = "+491701234567"
SEND = "/api/v1/sms/send"


@pytest.fixture
async def http(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    routes = [route for dialect in dialects() for route in dialect.routes(api.services)]
    app = Starlette(routes=routes)
    headers = {"Authorization": f"Bearer {api.key}"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="https://hub.example", headers=headers) as client:
        yield client


def refused(response: httpx.Response, status: int, field: str | None = None) -> None:
    body = response.json()
    assert response.status_code == status, body
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "field"}
    assert field is None or body["error"]["field"] == field, body


async def test_A1_the_published_request_is_taken(api: Api, http: httpx.AsyncClient) -> None:
    api.world.phone()
    response = await http.post(SEND, json={"to": TO, "from": "AbilIT", "body": "Test message", "priority": "high"})
    body = response.json()
    assert response.status_code == 202, body
    assert set(body) == {"message_id", "status", "to", "from", "parts", "provider", "created_at"}
    assert (body["status"], body["to"], body["from"], body["parts"]) == ("queued", TO, "AbilIT", 1)
    (row,) = api.world.rows(Message)
    assert (row["priority"], row["door"], row["text"]) == (2, "abilit", "Test message")


async def test_many_recipients_get_a_text_each_and_bad_ones_a_reason(api: Api, http: httpx.AsyncClient) -> None:
    api.world.phone()
    body = (await http.post(SEND, json={"to": [TO, "nonsense", "+491701234568"], "body": "hi"})).json()
    assert [("message_id" in one, "error" in one) for one in body["messages"]] == [
        (True, False),
        (False, True),
        (True, False),
    ]
    assert len(api.world.rows(Message)) == 2


async def test_A15_modes_and_priorities_are_taken(api: Api, http: httpx.AsyncClient) -> None:
    api.world.phone()
    for mode in ("transactional", "promotional", "alert", "two_way"):
        body = {"to": TO, "body": mode, "mode": mode, "campaign": "spring", "priority": "critical", "validity_s": 60}
        assert (await http.post(SEND, json=body)).status_code == 202
    page = (await http.get("/api/v1/sms", params={"campaign": "spring", "to": TO})).json()
    assert [one["mode"] for one in page["messages"]] == ["two_way", "alert", "promotional", "transactional"]
    assert (await http.get("/api/v1/sms", params={"campaign": "autumn"})).json()["messages"] == []


async def test_A23_one_text_tells_its_story_and_is_cancelled_once(api: Api, http: httpx.AsyncClient) -> None:
    api.world.phone()
    message = (await http.post(SEND, json={"to": TO, "body": "x"})).json()["message_id"]
    found = (await http.get(f"/api/v1/sms/{message}")).json()
    assert (found["status"], found["provider_code"]) == ("QUEUED", "0")
    assert found["events"][0]["status"] == "QUEUED"
    cancelled = (await http.post(f"/api/v1/sms/{message}/cancel")).json()
    assert cancelled["status"] == "CANCELLED"
    listed = (await http.get("/api/v1/sms", params={"status": "cancelled"})).json()
    assert [one["message_id"] for one in listed["messages"]] == [message]


@pytest.mark.parametrize(
    ("fields", "status", "field"),
    [
        ({"to": "nonsense"}, 422, None),
        ({"to": []}, 422, "to"),
        ({"to": 17}, 422, "to"),
        ({"body": ""}, 422, None),
        ({"body": "x" * 1601}, 422, "body"),
        ({"priority": "urgent"}, 422, "priority"),
        ({"mode": "spam"}, 422, "mode"),
        ({"provider": "twilio"}, 422, "provider"),
        ({"encoding": "gsm7", "body": "Привет"}, 422, "encoding"),
        ({"schedule_at": "soon"}, 422, "schedule_at"),
        ({"callback_url": "ftp://x"}, 422, None),
        ({"callback_url": "http://169.254.169.254/"}, 422, None),
        ({"validity_s": 0}, 422, "validity_s"),
    ],
)
async def test_a_fault_names_its_field_and_stores_nothing(
    api: Api, http: httpx.AsyncClient, fields: dict[str, Any], status: int, field: str | None
) -> None:
    refused(await http.post(SEND, json={"to": TO, "body": "x", **fields}), status, field)
    assert api.world.rows(Message) == []


async def test_who_opted_out_is_403(api: Api, http: httpx.AsyncClient) -> None:
    device = api.world.phone()
    await api.receive(device, "STOP", sender=TO)
    response = await http.post(SEND, json={"to": TO, "body": "x"})
    refused(response, 403)
    assert response.json()["error"]["code"] == "opted_out"


async def test_one_idempotency_key_makes_one_text(api: Api, http: httpx.AsyncClient) -> None:
    api.world.phone()
    headers = {"Idempotency-Key": "order-17"}
    first = await http.post(SEND, json={"to": TO, "body": "x"}, headers=headers)
    assert first.json() == (await http.post(SEND, json={"to": TO, "body": "x"}, headers=headers)).json()
    refused(await http.post(SEND, json={"to": TO, "body": "y"}, headers=headers), 409)
    assert len(api.world.rows(Message)) == 1


async def test_A17_a_rotated_key_works_beside_the_old_one_for_a_day(api: Api, http: httpx.AsyncClient) -> None:
    key_id = (await api.get("/v1/account"))["key_id"]
    made = (await http.post(f"/api/v1/keys/{key_id}/rotate")).json()
    new = {"Authorization": f"Bearer {made['key']}"}
    assert (await http.get("/api/v1/sms", headers=new)).status_code == 200
    assert (await http.get("/api/v1/sms")).status_code == 200
    api.clock.advance(24 * 3600 + 1)
    refused(await http.get("/api/v1/sms"), 401)
    assert (await http.get("/api/v1/sms", headers=new)).status_code == 200


async def test_the_path_two_vendors_share_is_answered_in_each_ones_shape(api: Api, http: httpx.AsyncClient) -> None:
    api.world.phone()
    message = (await http.post(SEND, json={"to": TO, "body": "x"})).json()["message_id"]
    assert (await http.get("/api/v1/sms", params={"id": message})).json()["sms_id"] == message
    assert "messages" in (await http.get("/api/v1/sms")).json()
    refused(await http.get("/api/v1/sms", params={"cursor": "x"}), 400)
    claims = [(dialect.name, dialect.routes(api.services)) for dialect in dialects()]
    refuse_double_claims(claims)
    with pytest.raises(ValueError, match="claimed by both"):
        refuse_double_claims([*claims, ("a third", DIALECT.routes(api.services))])


def rendered(event: EventType) -> dict[str, Any]:
    data = encode(sample_data(event, 1_763_000_000_000)).encode()
    endpoint = EndpointView(endpoint_id="e" * 24, account_id="a" * 24, url="https://x.example/dlr")
    view = EventView(event_id="f" * 24, seq=1, type=event, account_id="a" * 24, occurred_at=0, data=data)
    request = Abilit().render(endpoint, view, DeliveryView(delivery_id="d" * 24, attempt=1), Secrets(), 0)
    body: dict[str, Any] = json.loads(request.body)
    return body


def test_A2_a_report_has_the_five_fields_and_a_status_in_capitals() -> None:
    for event in EventType:
        if Abilit().takes(event) and event is not EventType.SMS_RECEIVED:
            report = rendered(event)
            assert set(report) >= {"message_id", "to", "status", "provider_code", "timestamp"}
            assert report["status"] == event.value.partition(":")[2].upper()
            assert report["timestamp"].endswith("Z")
            assert isinstance(report["provider_code"], str)
            assert (report["provider_code"] == "0") is (report["status"] in ("SENT", "DELIVERED", "CANCELLED"))


def test_an_inbound_text_has_its_shape() -> None:
    assert set(rendered(EventType.SMS_RECEIVED)) == {
        "message_id", "from", "to", "body", "keyword", "consent", "received_at", "media",
    }  # fmt: skip


def test_every_state_has_a_word() -> None:
    assert set(STATUSES) == {status.value for status in Status}


_values = st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.lists(st.text(max_size=3), max_size=3)
_names = st.sampled_from(
    ["to", "body", "from", "priority", "mode", "callback_url", "schedule_at", "metadata", "provider"]
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fields=st.dictionaries(_names, _values, max_size=6), noise=st.binary(max_size=30), is_raw=st.booleans())
async def test_no_body_is_answered_with_5xx(
    api: Api, http: httpx.AsyncClient, fields: dict[str, Any], noise: bytes, is_raw: bool
) -> None:
    api.clock.advance(10)
    before = len(api.world.rows(Message))
    answer = await (http.post(SEND, content=noise) if is_raw else http.post(SEND, json={"to": TO, **fields}))
    assert answer.status_code < 500, answer.text
    stored = len(api.world.rows(Message)) - before
    assert stored == 0 or answer.status_code == 202
