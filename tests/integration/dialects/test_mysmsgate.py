"""MySMSGate's door: sending, looking, the phones, and every refusal in its shape."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from hub.accounts.credits import SetPrice, TopUp, set_prices, top_up
from hub.core.events import EventType, MessageData, encode
from hub.core.ids import render
from hub.core.ports import DeliveryView, EndpointView, EventView, Secrets
from hub.core.status import Status
from hub.dialects.mysmsgate import DIALECT
from hub.dialects.mysmsgate.events import TOLD, MySmsGate
from hub.dialects.mysmsgate.words import STATUSES
from hub.storage.schema.messages import Message
from hub.webhooks.samples import sample_data
from tests.integration.api.hub_api import Api
from tests.integration.messages.world import ACCOUNT

pytestmark = pytest.mark.anyio

TO = "+491701234567"


@pytest.fixture
async def http(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    app = Starlette(routes=list(DIALECT.routes(api.services)))
    headers = {"Authorization": f"Bearer {api.key}"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="https://hub.example", headers=headers) as client:
        yield client


def refused(response: httpx.Response, status: int) -> None:
    body = response.json()
    assert (response.status_code, body["success"]) == (status, False), body
    assert body["error"]
    assert body["message"]


async def test_M1_a_text_is_taken_and_can_be_looked_up(api: Api, http: httpx.AsyncClient) -> None:
    api.world.phone()
    response = await http.post("/api/v1/send", json={"to": TO, "message": "hello", "unknown": 1})
    body = response.json()
    assert (response.status_code, body["success"], body["status"]) == (202, True, "pending")
    assert body["sms_id"] == body["message_id"]
    found = (await http.get("/api/v1/sms", params={"id": body["sms_id"]})).json()
    assert (found["id"], found["status"], found["phone_to"], found["direction"]) == (
        body["sms_id"],
        "pending",
        TO,
        "out",
    )
    by_header = await http.post("/api/v1/send", json={"to": TO, "message": "x"}, headers={"X-API-Key": api.key})
    assert by_header.status_code == 202


async def test_M2_device_and_slot_choose_phone_and_sim(api: Api, http: httpx.AsyncClient) -> None:
    api.world.phone("other")
    device = api.world.phone("wanted", sims=2)
    wanted = render("device", device)
    for field in ("slot", "sim_slot"):
        body = {"to": TO, "message": "hello", "device_id": wanted, field: 1}
        assert (await http.post("/api/v1/send", json=body)).status_code == 202
        assert api.world.rows(Message)[-1]["line_id"] == api.world.lines(device)[1]
    stored = len(api.world.rows(Message))
    for bad, status in (
        ({"device_id": "dev_0000000000000000000000000"}, 404),
        ({"device_id": render("device", api.world.new_id())}, 404),
        ({"device_id": wanted, "slot": 7}, 422),
        ({"slot": 1}, 422),
        ({"to": "nonsense"}, 422),
        ({"message": ""}, 422),
        ({"to": None}, 422),
        ({"message": "nul \x00"}, 422),
    ):
        refused(await http.post("/api/v1/send", json={"to": TO, "message": "hello", **bad}), status)
    assert len(api.world.rows(Message)) == stored


async def test_keys_methods_and_sizes_are_refused_in_the_vendors_shape(api: Api, http: httpx.AsyncClient) -> None:
    refused(await http.post("/api/v1/send", json={}, headers={"Authorization": "Bearer nothing"}), 401)
    refused(await http.get("/api/v1/send"), 405)
    refused(await http.post("/api/v1/send", content=b"x" * 2_000_000), 413)
    refused(await http.post("/api/v1/send", content=b"not json"), 400)
    refused(await http.get("/api/v1/sms", params={"id": "1"}), 404)
    for query in ({"direction": "up"}, {"limit": "0"}, {"limit": "201"}, {"limit": "x"}):
        refused(await http.get("/api/v1/history", params=query), 422)


async def test_M15_history_has_both_directions_and_only_ones_own(api: Api, http: httpx.AsyncClient) -> None:
    device = api.world.phone()
    await http.post("/api/v1/send", json={"to": TO, "message": "out"})
    await api.receive(device, "in", sender=TO)
    rows = (await http.get("/api/v1/history")).json()["history"]
    assert [(row["direction"], row["message"], row["source"]) for row in rows] == [
        ("in", "in", "phone"),
        ("out", "out", "api"),
    ]
    assert [(row["phone_from"] == TO, row["phone_to"] == TO) for row in rows] == [(True, False), (False, True)]
    assert [row["message"] for row in (await http.get("/api/v1/history?direction=out&limit=1")).json()["history"]] == [
        "out"
    ]
    stranger = {"Authorization": f"Bearer {api.make_key('b' * 24)}"}
    assert (await http.get("/api/v1/history", headers=stranger)).json()["history"] == []
    refused(await http.get("/api/v1/sms", params={"id": rows[1]["id"]}, headers=stranger), 404)


async def test_M10_devices_show_both_sims(api: Api, http: httpx.AsyncClient) -> None:
    device = api.world.phone("Till", sims=2)
    (found,) = (await http.get("/api/v1/devices")).json()["devices"]
    assert (found["id"], found["name"]) == (render("device", device), "Till")
    assert [sim["slot"] for sim in found["sims"]] == [0, 1]
    assert found["status"] in ("online", "offline")


def test_every_state_has_a_word() -> None:
    assert set(STATUSES) == {status.value for status in Status}


_values = st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.lists(st.text(max_size=3), max_size=2)
_names = st.sampled_from(["to", "message", "device_id", "slot", "sim_slot", "x"])


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fields=st.dictionaries(_names, _values, max_size=6), noise=st.binary(max_size=30), is_raw=st.booleans())
async def test_no_body_is_answered_with_5xx(
    api: Api, http: httpx.AsyncClient, fields: dict[str, Any], noise: bytes, is_raw: bool
) -> None:
    api.clock.advance(10)
    before = len(api.world.rows(Message))
    answer = await (http.post("/api/v1/send", content=noise) if is_raw else http.post("/api/v1/send", json=fields))
    assert answer.status_code < 500
    assert "success" in answer.json()
    assert len(api.world.rows(Message)) == before + (answer.status_code == 202)


async def test_M13_balance_is_told_and_used_up_is_402(api: Api, http: httpx.AsyncClient) -> None:
    api.world.phone()
    nothing = (await http.get("/api/v1/balance")).json()
    assert nothing == {"success": True, "balance": None, "currency": None, "price_per_sms": None}
    api.world.do(set_prices, SetPrice(account_id=ACCOUNT, currency="EUR", price_micros=50_000))
    api.world.do(top_up, TopUp(id=api.world.new_id(), account_id=ACCOUNT, micros=90_000))
    assert (await http.post("/api/v1/send", json={"to": TO, "message": "x"})).status_code == 202
    told = (await http.get("/api/v1/balance")).json()
    assert told == {"success": True, "balance": 0.04, "currency": "EUR", "price_per_sms": 0.05}
    refused(await http.post("/api/v1/send", json={"to": TO, "message": "x"}), 402)
    assert len(api.world.rows(Message)) == 1
    stranger = {"Authorization": f"Bearer {api.make_key('b' * 24)}"}
    assert (await http.get("/api/v1/balance", headers=stranger)).json()["balance"] is None


def test_M4_every_end_says_whether_the_price_came_back() -> None:
    for event in TOLD - {EventType.SMS_RECEIVED}:
        data = sample_data(event, 1_763_000_000_000)
        assert isinstance(data, MessageData)
        for is_refunded in (False, True):
            told = encode(msgspec.structs.replace(data, refunded=is_refunded, slot=1)).encode()
            endpoint = EndpointView(endpoint_id="e" * 24, account_id="a" * 24, url="https://x.example/delivery")
            view = EventView(event_id="f" * 24, seq=1, type=event, account_id="a" * 24, occurred_at=0, data=told)
            request = MySmsGate().render(endpoint, view, DeliveryView(delivery_id="d" * 24, attempt=1), Secrets(), 0)
            body = json.loads(request.body)
            assert set(body) == {
                "message_id", "to", "status", "status_text", "device_id", "sim_slot", "refunded", "timestamp",
            }  # fmt: skip
            assert (body["status"] in ("delivered", "failed"), body["refunded"]) == (True, is_refunded)
            assert body["sim_slot"] == 1
            assert isinstance(body["timestamp"], int)


def test_M15_a_text_that_may_have_been_sent_has_not_ended() -> None:
    assert (STATUSES["uncertain"], STATUSES["retried"]) == ("sending", "pending")
