"""Abil'I.T.'s door: sending to one and many, reading, cancelling, rotating keys, and every refusal in its shape."""

import base64
import hmac
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from device_protocol.enrolment import DeviceDescription
from device_protocol.frames import Job
from hub.accounts.credits import SetPrice, set_prices
from hub.core.commands import HIGH
from hub.core.errors import Code
from hub.core.events import EventType, encode
from hub.core.ids import IdSource, parse, render
from hub.core.ports import DeliveryView, EndpointView, EventView, Secrets
from hub.core.status import Status
from hub.devices.enrol import Enrol, code_hash, enrol
from hub.devices.registration import Register, register
from hub.dialects.abilit import DIALECT
from hub.dialects.abilit.events import Abilit
from hub.dialects.abilit.words import STATUSES
from hub.messages.dispatch import OfferTo, offer
from hub.registry import dialects, refuse_double_claims
from hub.storage.database import Database
from hub.storage.schema.accounts import Account
from hub.storage.schema.devices import Device, Enrolment, Line
from hub.storage.schema.messages import Message
from hub.webhooks.samples import sample_data
from tests.fakes import FakeClock
from tests.integration.api.hub_api import ALL, Api, problem
from tests.integration.messages.world import ACCOUNT, STRANGER

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
    assert {row["priority"] for row in api.world.rows(Message)} == {HIGH}
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


KEYS = (b"newer" * 6, b"older" * 6)


def rendered(event: EventType) -> dict[str, Any]:
    data = encode(sample_data(event, 1_763_000_000_000)).encode()
    endpoint = EndpointView(endpoint_id="e" * 24, account_id="a" * 24, url="https://x.example/dlr")
    view = EventView(event_id="f" * 24, seq=1, type=event, account_id="a" * 24, occurred_at=0, data=data)
    request = Abilit().render(endpoint, view, DeliveryView(delivery_id="d" * 24, attempt=1), Secrets(keys=KEYS), 0)
    secret = b"whsec_" + base64.b64encode(KEYS[-1])  # the one that a receiver of one signature still has
    signed = "sha256=" + hmac.new(secret, request.body, "sha256").hexdigest()
    assert dict(request.headers)["x-hub-signature-256"] == signed
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


async def test_dead_letters_are_listed_and_go_back_oldest_first(api: Api, http: httpx.AsyncClient) -> None:
    api.world.phone()
    sent = [(await http.post(SEND, json={"to": TO, "body": f"{n}"})).json()["message_id"] for n in range(3)]
    theirs = api.world.send(account_id=STRANGER)
    for message in [*sent, render("message", theirs)]:
        api.world.change(Message, parse("message", message), state="dead_letter", final_at=api.clock.now())
    page = (await http.get("/api/v1/dlq")).json()
    assert [(one["message_id"], one["status"]) for one in page["messages"]] == [(one, "DEAD_LETTER") for one in sent]
    for bad in ({"provider": "twilio"}, {"limit": 0}, {"limit": 1001}, {"limit": "2"}):
        refused(await http.post("/api/v1/dlq/replay", json=bad), 422)
    first = (await http.post("/api/v1/dlq/replay", json={"provider": "phones", "limit": 2})).json()
    assert first == {"replayed": 2, "message_ids": sent[:2]}
    assert (await http.post("/api/v1/dlq/replay")).json()["message_ids"] == sent[2:]
    assert (await http.post("/api/v1/dlq/replay")).json() == {"replayed": 0, "message_ids": []}
    assert api.world.message(theirs).state == "dead_letter"


async def test_a_replay_that_cannot_be_paid_is_402_and_changes_nothing(api: Api, http: httpx.AsyncClient) -> None:
    api.world.phone()
    message = (await http.post(SEND, json={"to": TO, "body": "x"})).json()["message_id"]
    api.world.change(Message, parse("message", message), state="dead_letter", final_at=api.clock.now())
    api.world.do(set_prices, SetPrice(account_id=ACCOUNT, currency="EUR", price_micros=1))
    refused(await http.post("/api/v1/dlq/replay"), 402)
    refused(await http.post(SEND, json={"to": TO, "body": "x"}), 402)
    assert len((await http.get("/api/v1/dlq")).json()["messages"]) == 1


# --- the sandbox -------------------------------------------------------------------------------------------------------------


async def sandbox(api: Api, phones: int = 1) -> tuple[str, dict[str, str]]:
    """The sandbox's account and the headers of a key of it, with its emulated phone online."""
    made = await api.post("/v1/sandbox-keys", {"name": "tests", "scopes": sorted(ALL)})
    assert made["key"].startswith("hub_test_")
    (box,) = [row["id"] for row in api.world.rows(Account) if row["sandbox_of"] == ACCOUNT]
    for _ in range(phones):
        api.world.phone("Sandbox", account_id=box, is_sandbox=True)
    return box, {"Authorization": f"Bearer {made['key']}"}


async def test_A18_a_sandbox_key_is_of_an_account_of_its_own_without_real_phones(
    api: Api, http: httpx.AsyncClient
) -> None:
    real = api.world.phone("real", sims=2)
    box, headers = await sandbox(api)
    body = {"to": TO, "from": "+4915100000000", "body": "x", "priority": "high"}
    assert (await http.post(SEND, json=body, headers=headers)).status_code == 202
    (row,) = api.world.rows(Message)
    (line,) = [line for line in api.world.rows(Line) if line["id"] == row["line_id"]]
    assert (row["account_id"], line["account_id"]) == (box, box)
    assert real not in {line["device_id"], row["device_id"]}
    assert (await http.get("/api/v1/sms")).json()["messages"] == []
    assert len((await http.get("/api/v1/sms", headers=headers)).json()["messages"]) == 1
    number = "+4915112345678"
    api.world.change(Line, api.world.lines(real)[0], number=number)
    assert (await http.post(SEND, json={**body, "from": number})).status_code == 202
    strict = {"settings": {"strict_sender": True}}
    assert (await api.client(headers["Authorization"][7:]).patch("/v1/account", json=strict)).status_code == 200
    refused(await http.post(SEND, json={**body, "from": number}, headers=headers), 422)


async def test_A18_no_real_phone_comes_into_a_sandbox(api: Api, http: httpx.AsyncClient) -> None:
    box, headers = await sandbox(api)
    inside = api.client(headers["Authorization"][7:])
    problem(await inside.post("/v1/enrolments", json={"name": "mine"}), Code.CONFLICT)
    api.world.insert(
        Enrolment, id=api.world.new_id(), account_id=box, token_sha256=code_hash("x"), created_at=0, expires_at=10**14
    )
    command = Enrol(
        token_sha256=code_hash("x"),
        secret_sha256="s" * 64,
        device=DeviceDescription(manufacturer="a", model="b", os_version="14", app_version="1"),
        new_device_id=api.world.new_id(),
        hub_epoch="e",
    )
    assert api.world.refusal(enrol, command).code is Code.CONFLICT
    by_login = Register(
        transport="smsgate",
        secret_sha256="t" * 64,
        device=command.device,
        new_device_id=api.world.new_id(),
        hub_epoch="e",
        account_id=box,
    )
    assert api.world.refusal(register, by_login).code is Code.CONFLICT
    assert {row["is_sandbox"] for row in api.world.rows(Device) if row["account_id"] == box} == {True}


async def test_A18_a_real_phone_that_got_into_a_sandbox_is_offered_nothing(api: Api, http: httpx.AsyncClient) -> None:
    """Whatever brought it there: the last door before a phone looks once more."""
    box, headers = await sandbox(api, phones=0)
    stray = api.world.phone("stray", account_id=box)
    assert (await http.post(SEND, json={"to": TO, "body": "x"}, headers=headers)).status_code == 202
    (row,) = api.world.rows(Message)
    api.world.change(Message, row["id"], line_id=api.world.lines(stray)[0])
    command = OfferTo(account_id=box, device_id=stray, session_no=1)
    assert api.world.do(offer, command).count == 0
    assert api.world.frames(Job) == []
    api.world.change(Device, stray, is_sandbox=True)
    assert api.world.do(offer, command).count == 1


async def test_A18_sandbox_keys_are_listed_rotated_and_revoked(api: Api, http: httpx.AsyncClient) -> None:
    assert await api.get("/v1/sandbox-keys") == {"items": [], "next_cursor": None}
    _, headers = await sandbox(api)
    (key,) = (await api.get("/v1/sandbox-keys"))["items"]
    assert key["id"] not in [one["id"] for one in (await api.get("/v1/keys"))["items"]]
    made = (await http.post(f"/api/v1/keys/{key['id']}/rotate", headers=headers)).json()
    assert made["key"].startswith("hub_test_")
    new = {"Authorization": f"Bearer {made['key']}"}
    again = await api.client(made["key"]).post("/v1/sandbox-keys", json={"name": "more", "scopes": ["keys:read"]})
    assert again.status_code == 201
    assert len((await api.get("/v1/sandbox-keys"))["items"]) == 3
    assert [row["sandbox_of"] for row in api.world.rows(Account)].count(ACCOUNT) == 1
    for one in (key["id"], made["id"]):
        assert (await api.http.delete(f"/v1/sandbox-keys/{one}")).status_code == 200
    refused(await http.get("/api/v1/sms", headers=headers), 401)
    refused(await http.get("/api/v1/sms", headers=new), 401)
    own = (await api.get("/v1/account"))["key_id"]
    problem(await api.http.delete(f"/v1/sandbox-keys/{own}"), Code.NOT_FOUND)
    problem(await api.stranger().delete(f"/v1/sandbox-keys/{key['id']}"), Code.NOT_FOUND)


async def test_a_hub_without_room_for_a_sandbox_phone_makes_no_key(
    sqlite_url: str, clock: FakeClock, ids: IdSource, tmp_path: Path
) -> None:
    database = Database.open(sqlite_url, clock=clock, ids=ids, reader_threads=2, writer_window_ms=0.2)
    api = Api(database, clock, ids, tmp_path, sandbox_phones=0)
    try:
        made = await api.http.post("/v1/sandbox-keys", json={"name": "tests", "scopes": ["messages:send"]})
        assert "HUB_SANDBOX_PHONES" in problem(made, Code.CONFLICT)["detail"]
        assert (await api.get("/v1/sandbox-keys"))["items"] == []
    finally:
        api.world.conn.close()
        database.close()
