"""The sms-gate.app API around its messages: who may ask, tokens, phones, settings, inbox, logs, health, and how it says no."""

import base64
from typing import Any

import httpx
import jwt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text as sql

from hub.accounts.scopes import Scope
from hub.core.effects import ExportAsked, PhoneSettingsChanged
from hub.core.ids import to_smsgate21
from hub.dialects.smsgate.serving import PREFIXES
from hub.dialects.smsgate.tokens import ACCESS_SECONDS, REFRESH_SECONDS
from hub.storage.schema.devices import Device, Line
from tests.integration.messages.world import ACCOUNT
from tests.integration.smsgate_api.gate import NUMBER, Gate, message_of

pytestmark = pytest.mark.anyio

OPERATIONS = [
    ("GET", "/messages"), ("POST", "/messages"), ("GET", "/messages/x"), ("DELETE", "/messages/x"),
    ("GET", "/message"), ("POST", "/message"), ("GET", "/message/x"), ("DELETE", "/message/x"),
    ("POST", "/messages/inbox/export"), ("POST", "/inbox/export"), ("POST", "/inbox/refresh"), ("GET", "/inbox"),
    ("GET", "/inbox/x/attachments/1"), ("GET", "/devices"), ("DELETE", "/devices/x"), ("GET", "/webhooks"),
    ("POST", "/webhooks"), ("DELETE", "/webhooks/x"), ("GET", "/settings"), ("PATCH", "/settings"),
    ("PUT", "/settings"), ("GET", "/logs"), ("POST", "/auth/token"), ("POST", "/auth/token/refresh"),
    ("DELETE", "/auth/token/x"),
]  # fmt: skip


# --- who asks --------------------------------------------------------------------------------------------------------------------


async def test_everything_asks_who_is_there(gate: Gate) -> None:
    wrong: tuple[dict[str, str], ...] = (
        {},
        {"Authorization": "Bearer x.y.z"},
        {"Authorization": "Basic !!"},
        {"Authorization": "Digest x"},
    )
    for method, path in OPERATIONS:
        for headers in wrong:
            answer = await gate.client().request(method, path, headers=headers)
            assert message_of(answer, 401) == "Unauthorized", (method, path)
            assert answer.headers["www-authenticate"].startswith("Basic")


async def test_a_wrong_password_is_told_like_a_wrong_name(gate: Gate) -> None:
    for pair in (("nobody", "long enough 1"), (gate.login[0], "long enough 1")):
        assert message_of(await gate.client(auth=pair).get("/messages"), 401) == "Unauthorized"


async def test_a_key_of_the_hub_opens_what_its_scopes_say(gate: Gate) -> None:
    import secrets

    from hub.accounts.keys import CreateKey, create_keys, new_secret

    made = new_secret(secrets.token_bytes)
    key = CreateKey(
        id=gate.world.new_id(),
        account_id=ACCOUNT,
        name="k",
        scopes=frozenset({Scope.MESSAGES_READ}),
        sha256=made.sha256,
        hint=made.hint,
    )
    await gate.db.writer.submit(create_keys, key, *key.keys())
    for client in (
        gate.client(headers={"Authorization": f"Bearer {made.token}"}),
        gate.client(auth=("any", made.token)),
    ):
        assert (await client.get("/messages")).status_code == 200
        assert message_of(await client.post("/messages"), 403) == "scope required: messages:send"
        message_of(await client.post("/auth/token", json={"scopes": ["messages:list"]}), 403)


# --- tokens ----------------------------------------------------------------------------------------------------------------------


async def token(gate: Gate, *scopes: str, **more: Any) -> Any:
    answer = await gate.http.post("/auth/token", json={"scopes": list(scopes), **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


def bearer(gate: Gate, access: str) -> httpx.AsyncClient:
    return gate.client(headers={"Authorization": f"Bearer {access}"})


async def test_trap_13_a_token_is_given_in_both_spellings_and_does_what_it_was_made_for(gate: Gate) -> None:
    made = await token(gate, "messages:list", "messages:send", ttl=60)
    assert made["access_token"] == made["accessToken"]
    assert made["refresh_token"] == made["refreshToken"]
    assert made["expires_at"] == made["expiresAt"]
    assert made["token_type"] == made["tokenType"] == "Bearer"
    claims = jwt.decode(made["access_token"], options={"verify_signature": False})
    assert claims["jti"] == made["id"]
    assert claims["scopes"] == ["messages:list", "messages:send"]
    assert claims["exp"] - claims["iat"] == 60
    client = bearer(gate, made["access_token"])
    assert (await client.get("/messages")).status_code == 200
    assert message_of(await client.get("/webhooks"), 403) == "scope required: webhooks:list"
    assert message_of(await client.post("/auth/token", json={"scopes": ["messages:list"]}), 403).endswith(
        "tokens:manage"
    )
    gate.clock.advance(61)
    assert message_of(await client.get("/messages"), 401) == "Unauthorized"


async def test_each_scope_opens_its_operations_and_no_other(gate: Gate) -> None:
    wanted = {
        ("GET", "/messages"): "messages:list", ("POST", "/messages"): "messages:send",
        ("GET", "/messages/x"): "messages:read", ("DELETE", "/messages/x"): "messages:cancel",
        ("POST", "/messages/inbox/export"): "messages:export", ("POST", "/inbox/refresh"): "inbox:refresh",
        ("GET", "/inbox"): "inbox:list", ("GET", "/inbox/x/attachments/1"): "inbox:read",
        ("GET", "/devices"): "devices:list", ("DELETE", "/devices/x"): "devices:delete",
        ("GET", "/webhooks"): "webhooks:list", ("POST", "/webhooks"): "webhooks:write",
        ("DELETE", "/webhooks/x"): "webhooks:delete", ("GET", "/settings"): "settings:read",
        ("PATCH", "/settings"): "settings:write", ("PUT", "/settings"): "settings:write", ("GET", "/logs"): "logs:read",
        ("POST", "/auth/token"): "tokens:manage", ("DELETE", "/auth/token/x"): "tokens:manage",
    }  # fmt: skip
    for scope in sorted(set(wanted.values())):
        client = bearer(gate, (await token(gate, scope))["access_token"])
        for (method, path), needed in wanted.items():
            answer = await client.request(method, path)
            assert (answer.status_code == 403) == (needed != scope), (scope, method, path, answer.text)


async def test_a_refresh_token_works_once_and_twice_ends_its_chain(gate_anywhere: Gate) -> None:
    gate = gate_anywhere
    first = await token(gate, "messages:list")
    refresh = bearer(gate, first["refresh_token"])
    assert message_of(await refresh.get("/messages"), 403) == "scope required: messages:list"
    assert message_of(await bearer(gate, first["access_token"]).post("/auth/token/refresh"), 403)
    answer = await refresh.post("/auth/token/refresh")
    assert answer.status_code == 201
    second = answer.json()
    assert (await bearer(gate, second["access_token"]).get("/messages")).status_code == 200
    assert (await bearer(gate, first["access_token"]).get("/messages")).status_code == 200
    assert message_of(await refresh.post("/auth/token/refresh"), 401) == "Unauthorized"
    for one in (first, second):
        assert (await bearer(gate, one["access_token"]).get("/messages")).status_code == 401
        assert (await bearer(gate, one["refresh_token"]).post("/auth/token/refresh")).status_code == 401


async def test_tokens_end_by_time_by_revocation_and_with_the_password(gate_anywhere: Gate) -> None:
    gate = gate_anywhere
    one, two = await token(gate, "messages:list"), await token(gate, "all:any")
    assert (await gate.http.delete(f"/auth/token/{one['id']}")).status_code == 204
    assert (await gate.http.delete("/auth/token/unknown")).status_code == 204
    assert (await bearer(gate, one["access_token"]).get("/messages")).status_code == 401
    assert (await bearer(gate, one["refresh_token"]).post("/auth/token/refresh")).status_code == 401
    assert (await bearer(gate, two["access_token"]).get("/messages")).status_code == 200
    gate.clock.advance(1)
    login = await gate.services.logins.check(*gate.login)
    await gate.services.logins.set_password(ACCOUNT, login.principal.key_id)
    assert (await bearer(gate, two["access_token"]).get("/messages")).status_code == 401
    assert (await bearer(gate, two["refresh_token"]).post("/auth/token/refresh")).status_code == 401


async def test_a_token_lives_a_quarter_of_an_hour_and_its_refresh_token_a_month(gate: Gate) -> None:
    made = await token(gate, "all:any", ttl=86_400)
    gate.clock.advance(ACCESS_SECONDS - 1)
    assert (await bearer(gate, made["access_token"]).get("/messages")).status_code == 200
    gate.clock.advance(2)
    assert (await bearer(gate, made["access_token"]).get("/messages")).status_code == 401
    gate.clock.advance(REFRESH_SECONDS)
    assert (await bearer(gate, made["refresh_token"]).post("/auth/token/refresh")).status_code == 401


async def test_another_account_cannot_revoke_a_token(gate: Gate) -> None:
    made = await token(gate, "messages:list")
    assert (await (await gate.stranger()).delete(f"/auth/token/{made['id']}")).status_code == 204
    assert (await bearer(gate, made["access_token"]).get("/messages")).status_code == 200


async def test_a_forged_token_opens_nothing(gate: Gate) -> None:
    made = await token(gate, "messages:list")
    claims = jwt.decode(made["access_token"], options={"verify_signature": False})
    forged = [jwt.encode(claims, "k" * 32, "HS256"), jwt.encode(claims, "", "none"), made["access_token"][:-2] + "xx"]
    for one in forged:
        assert (await bearer(gate, one).get("/messages")).status_code == 401


@pytest.mark.parametrize("body", [{}, {"scopes": []}, {"scopes": "all:any"}, {"scopes": ["no:such"]}, {"scopes": [1]},
                                  {"scopes": ["tokens:refresh"]}, {"scopes": ["all:any"], "ttl": -1}, []])  # fmt: skip
async def test_a_token_that_cannot_be_is_refused(gate: Gate, body: Any) -> None:
    answer = await gate.http.post("/auth/token", json=body)
    assert answer.status_code in (400, 403)
    message_of(answer, answer.status_code)


# --- phones, settings ------------------------------------------------------------------------------------------------------------


async def test_phones_are_listed_with_their_sims_and_removed(gate: Gate) -> None:
    gate.world.change(Line, gate.world.lines(gate.device)[0], number=NUMBER, carrier="Tele")
    (listed,) = (await gate.http.get("/devices")).json()
    assert (listed["id"], listed["name"]) == (gate.shown_device, "Pixel")
    assert listed["simCards"][0] == {"slotIndex": 0, "simNumber": 1, "phoneNumber": NUMBER, "carrierName": "Tele"}
    assert (await gate.http.get("/device")).json() == [listed]
    stranger = await gate.stranger()
    assert (await stranger.get("/devices")).json() == []
    for unknown in (gate.shown_device, "unknown", to_smsgate21("0" * 24)):
        assert (await stranger.delete(f"/devices/{unknown}")).status_code == 204
    assert len((await gate.http.get("/devices")).json()) == 1
    assert (await gate.http.delete(f"/devices/{gate.shown_device}")).status_code == 204
    assert (await gate.http.get("/devices")).json() == []
    assert gate.world.rows(Device)[0]["revoked_at"] is not None


async def test_settings_are_merged_in_either_spelling_and_phones_are_told(gate_anywhere: Gate) -> None:
    gate = gate_anywhere
    assert (await gate.http.get("/settings")).json() == {}
    body = {
        "messages": {"limitPeriod": "PerDay", "limit_value": 5.0},
        "ping": {"interval_seconds": 60},
        "new": {"x": 1},
    }
    first = await gate.http.patch("/settings", json=body)
    assert (first.status_code, first.json()) == (
        200,
        {"messages": {"limit_period": "PerDay", "limit_value": 5}, "ping": {"interval_seconds": 60}},
    )
    second = await gate.http.patch("/settings", json={"messages": {"limit_value": None}, "ping": None})
    assert second.json() == {
        "messages": {"limit_period": "PerDay", "limit_value": None},
        "ping": {"interval_seconds": 60},
    }
    assert (await gate.http.get("/settings")).json() == second.json()
    whole = await gate.http.put("/settings", json={"logs": {"lifetime_days": 7}})
    assert whole.json() == {"logs": {"lifetime_days": 7}}
    assert gate.told == [PhoneSettingsChanged(ACCOUNT)] * 3
    assert (await (await gate.stranger()).get("/settings")).json() == {}


@pytest.mark.parametrize(
    "body",
    [
        {"messages": {"limit_period": "Sometimes"}},
        {"messages": {"send_interval_min": 0}},
        {"messages": {"send_interval_min": "5"}},
        {"messages": {"work_hours_start": "25:00"}},
        {"messages": []},
        {"webhooks": {"retry_count": 51}},
        {"webhooks": {"signing_key": "with space"}},
        {"webhooks": {"internet_required": 1}},
        {"gateway": {"notification_channel": "SMOKE"}},
        {"gateway": {"cloud_url": "https://elsewhere.example"}},
        {"gateway": {"private_token": "x"}},
        {"encryption": {"passphrase": "x"}},
        "messages",
    ],
)
async def test_settings_a_phone_would_choke_on_are_refused(gate: Gate, body: Any) -> None:
    message_of(await gate.http.patch("/settings", json=body), 400)
    assert (await gate.http.get("/settings")).json() == {}


async def test_secrets_are_never_shown_nor_stored_in_the_open(gate_anywhere: Gate) -> None:
    gate = gate_anywhere
    answer = await gate.http.patch("/settings", json={"webhooks": {"signing_key": "my-signing-key", "retry_count": 3}})
    assert answer.json() == {"webhooks": {"retry_count": 3}}
    empty = {"gateway": {"cloud_url": None, "private_token": ""}, "encryption": {"passphrase": None}}
    assert (await gate.http.patch("/settings", json=empty)).json() == {"webhooks": {"retry_count": 3}}
    with gate.db.write_engine.connect() as conn:
        assert "my-signing-key" not in str(conn.execute(sql("select * from smsgate_settings")).all())


# --- inbox, logs, health ---------------------------------------------------------------------------------------------------------


async def test_received_texts_are_listed(gate_anywhere: Gate) -> None:
    gate = gate_anywhere
    first = await gate.receive("one")
    gate.clock.advance(1)
    await gate.receive("two", "InfoSMS")
    await gate.send()
    answer = await gate.http.get("/inbox", params={"limit": 1})
    assert answer.headers["x-total-count"] == "2"
    assert [(one["contentPreview"], one["sender"]) for one in answer.json()] == [("two", "InfoSMS")]
    (second,) = (await gate.http.get("/inbox?offset=1&includeAttachments=True&type=SMS")).json()
    assert (second["id"], second["type"], second["simNumber"], second["attachments"]) == (
        to_smsgate21(first), "SMS", 1, [],
    )  # fmt: skip
    for query, count in {
        "type=MMS": 0, f"deviceId={gate.shown_device}": 2, f"deviceId={to_smsgate21('0' * 24)}": 0,
        f"from={second['createdAt'].replace('Z', '%2B00:00')}": 2, f"to={second['createdAt']}": 0,
    }.items():  # fmt: skip
        assert len((await gate.http.get(f"/inbox?{query}")).json()) == count, query
    for query in ("type=FAX", "limit=501", "offset=x", "deviceId=x", "includeAttachments=perhaps"):
        message_of(await gate.http.get(f"/inbox?{query}"), 400)
    message_of(await gate.http.get(f"/inbox/{second['id']}/attachments/1"), 404)
    assert (await (await gate.stranger()).get("/inbox")).json() == []


@pytest.mark.parametrize("path", ["/messages/inbox/export", "/inbox/export", "/inbox/refresh"])
async def test_phones_are_asked_to_look_through_their_inbox(gate: Gate, path: str) -> None:
    body = {"since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00", "deviceId": gate.shown_device}
    answer = await gate.http.post(path, json=body)
    assert (answer.status_code, answer.json()) == (202, {})
    assert gate.told == [ExportAsked(ACCOUNT, 1_767_225_600_000, 1_767_312_000_000, gate.device)]


async def test_a_refresh_says_what_and_how(gate: Gate) -> None:
    span = {"since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z"}
    await gate.http.post("/inbox/refresh", json={**span, "messageTypes": ["SMS", "MMS"], "webhookDelivery": "Batch"})
    await gate.http.post("/inbox/refresh", json={**span, "triggerWebhooks": False})
    asked = [(one.message_types, one.webhook_delivery) for one in gate.told if isinstance(one, ExportAsked)]
    assert asked == [(("SMS", "MMS"), "Batch"), (("SMS",), "Disabled")]
    for wrong in ({}, {**span, "since": "2026-02-01T00:00:00Z"}, {**span, "messageTypes": ["FAX"]},
                  {**span, "webhookDelivery": "Loud"}, {**span, "deviceId": to_smsgate21("0" * 24)}):  # fmt: skip
        message_of(await gate.http.post("/inbox/refresh", json=wrong), 400)


async def test_the_log_tells_what_happened(gate_anywhere: Gate) -> None:
    gate = gate_anywhere
    await gate.send()
    job = gate.phones.bound(gate.device, gate.text_ids()[0])
    gate.phones.failed(gate.device, job, 3)
    entries = (await gate.http.get("/logs?from=2026-01-01T00:00:00Z")).json()
    assert [entry["module"] for entry in entries] == ["messages"] * len(entries)
    last = entries[-1]
    assert (last["priority"], last["context"]["event"]) == ("ERROR", "sms:failed")
    assert isinstance(last["id"], int)
    assert last["context"]["messageId"] == to_smsgate21(gate.text_ids()[0])
    assert last["context"]["deviceId"] == gate.shown_device
    assert (await gate.http.get("/logs?to=2026-01-01T00:00:00Z")).json() == []
    assert (await (await gate.stranger()).get("/logs")).json() == []
    message_of(await gate.http.get("/logs?from=x"), 400)


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready", "/health/startup"])
async def test_health_is_told_to_anybody(gate: Gate, path: str) -> None:
    answer = await gate.client().get(path)
    assert answer.status_code == 200
    body = answer.json()
    assert body["status"] == "pass"
    assert isinstance(body["releaseId"], int)
    assert all(isinstance(check["observedValue"], int) for check in body["checks"].values())


# --- how it says no --------------------------------------------------------------------------------------------------------------


async def test_unknown_paths_and_methods_are_told_in_its_shape(gate: Gate) -> None:
    for path in ("/", "/nothing", "/messages/x/y/z", "/auth"):
        answer = await gate.http.get(path)
        assert answer.status_code == 404, path
        message_of(answer, 404)
    refused = await gate.http.put("/messages")
    message_of(refused, 405)
    assert refused.headers["allow"] == "GET, POST"


@pytest.mark.parametrize("path", ["/messages", "/webhooks", "/auth/token", "/inbox/refresh"])
async def test_bodies_that_are_none_are_refused(gate: Gate, path: str) -> None:
    for raw in (b"{", b"\xff", b"[" * 100_000, b'{"message": "\\ud800"}', b"nul", b"1", b'"x"', b"NaN"):
        message_of(await gate.http.post(path, content=raw), 400)


async def test_a_body_beyond_measure_is_refused(gate: Gate) -> None:
    message_of(await gate.http.post("/messages", content=b" " * (9 * 1024 * 1024)), 413)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_FIELDS = st.sampled_from(
    ["id", "deviceId", "textMessage", "dataMessage", "mmsMessage", "message", "phoneNumbers", "isEncrypted", "simNumber",
     "withDeliveryReport", "priority", "ttl", "validUntil", "scheduleAt", "url", "event", "scopes", "since", "until",
     "messageTypes", "webhookDelivery", "messages", "webhooks", "gateway", "text", "data", "port"]
)  # fmt: skip
_BODY = st.dictionaries(
    _FIELDS, _JSON | st.just([NUMBER]) | st.just({"text": "x", "data": "AAAA", "port": 1}), max_size=6
)


@pytest.mark.parametrize("prefix", PREFIXES)
async def test_no_body_and_no_query_makes_it_fail(gate: Gate, prefix: str) -> None:
    """Whatever comes, the answer is one of that API's, and never 5xx."""
    cases: list[tuple[str, str, dict[str, Any], str]] = []

    @settings(max_examples=120, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(OPERATIONS), _BODY, st.text(max_size=30))
    def collect(operation: tuple[str, str], body: dict[str, Any], query: str) -> None:
        cases.append((*operation, body, query))

    collect()
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(gate.app), base_url=f"http://hub.test{prefix}", auth=gate.login
    )
    for method, path, body, query in cases:
        names = ("limit", "offset", "from", "to", "state", "deviceId", "type", "sort")
        answer = await client.request(method, path, json=body, params={names[len(query) % 8]: query})
        assert answer.status_code < 500, (method, path, body, query, answer.text)
        if answer.status_code >= 400:
            message_of(answer, answer.status_code)


async def test_basic_names_and_passwords_are_utf8(gate: Gate) -> None:
    login = await gate.services.logins.check(*gate.login)
    await gate.services.logins.set_password(ACCOUNT, login.principal.key_id, "pässwörter ✓ 12")
    pair = base64.b64encode(f"{gate.login[0]}:pässwörter ✓ 12".encode()).decode()
    answer = await gate.client(headers={"Authorization": f"Basic {pair}"}).get("/messages")
    assert answer.status_code == 200
