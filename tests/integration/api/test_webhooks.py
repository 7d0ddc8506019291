"""Webhooks over the API: made, changed, tested against a real receiver, their deliveries read, replayed and cancelled."""

import json
from typing import Any

import pytest
from sqlalchemy import update
from standardwebhooks import Webhook

from hub.core.clock import rfc3339
from hub.core.errors import Code
from hub.core.ids import parse
from hub.storage.schema.webhooks import WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookLane
from hub.storage.types import table_of
from hub.storage.webhooks_chores import open_chores
from hub.webhooks.chores import DoChore, do_chores
from tests.integration.api.hub_api import Api, problem, shown
from tests.integration.webhooks.receiver import Receiver, says

pytestmark = pytest.mark.anyio
URL = "http://127.0.0.1:9/hook?secret=1"


async def make(api: Api, **fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = await api.post("/v1/webhooks", {"url": URL, **fields})
    return made


async def test_a_webhook_is_made_with_a_secret_that_is_shown_once(api: Api) -> None:
    made = await make(
        api,
        description="Shop",
        event_types=["sms:received", "sms:delivered"],
        peer_prefixes=["+49"],
        headers={"X-Shop": "1"},
        auth={"kind": "basic", "username": "u", "password": "very secret"},
        schedule=[10, 20.5],
        rate_per_second=5,
        order_mode="conversation",
    )
    assert made["secret"].startswith("whsec_")
    shown = await api.get(f"/v1/webhooks/{made['webhook']['id']}")
    assert shown == made["webhook"]
    assert (shown["event_types"], shown["schedule"], shown["header_names"]) == (
        ["sms:received", "sms:delivered"],
        [10, 20.5],
        ["X-Shop"],
    )
    everything = json.dumps([shown, await api.get("/v1/webhooks")])
    assert made["secret"] not in everything
    assert "very secret" not in everything
    (row,) = api.world.rows(WebhookEndpoint)
    assert b"very secret" not in bytes(row["auth"])


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"url": "http://10.0.0.1/"}, Code.TARGET_REFUSED, "url"),
        ({"url": "http://[::ffff:10.0.0.1]/"}, Code.TARGET_REFUSED, "url"),
        ({"url": "https://user:password@example.com/"}, Code.VALIDATION, "url"),
        ({"url": "mailto:a@example.com"}, Code.VALIDATION, "url"),
        ({"format": "carrier-pigeon"}, Code.VALIDATION, "format"),
        ({"event_types": ["sms:nonsense"]}, Code.VALIDATION, "event_types[0]"),
        ({"device_ids": ["lin_" + "0" * 24]}, Code.VALIDATION, "device_ids[0]"),
        ({"timeout_seconds": 61}, Code.VALIDATION, "timeout_seconds"),
        ({"auth": {"kind": "digest"}}, Code.VALIDATION, "auth.kind"),
        ({"auth": {"username": "u", "password": "p"}}, Code.VALIDATION, "auth.kind"),
        ({"state": "disabled"}, Code.VALIDATION, "state"),
        ({"template": "{{"}, Code.VALIDATION, "template"),
    ],
    ids=str,
)
async def test_a_webhook_that_cannot_be_is_refused_by_field(
    api: Api, fields: dict[str, Any], code: Code, field: str
) -> None:
    answer = await api.http.post("/v1/webhooks", json={"url": URL, **fields})
    assert [error["field"] for error in problem(answer, code)["errors"]] == [field]
    assert (await api.get("/v1/webhooks"))["items"] == []


async def test_a_webhook_is_changed_in_what_is_named(api: Api) -> None:
    made = (await make(api, description="one", headers={"X-Shop": "1"}, rate_per_second=5))["webhook"]
    path = f"/v1/webhooks/{made['id']}"
    changed = await api.patch(path, {"description": "two", "rate_per_second": None, "state": "paused"})
    assert (changed["description"], changed["rate_per_second"], changed["state"]) == ("two", None, "paused")
    assert (changed["header_names"], changed["url"]) == (["X-Shop"], made["url"])
    assert changed["version"] > made["version"]
    problem(await api.http.patch(path, json={"url": "http://10.0.0.1/"}), Code.TARGET_REFUSED)


async def test_a_rotated_secret_lives_beside_the_old_one(api: Api) -> None:
    made = await make(api)
    rotated = await api.post(f"/v1/webhooks/{made['webhook']['id']}/rotate", {"grace_seconds": 3600})
    assert rotated["secret"] != made["secret"]
    assert len(rotated["webhook"]["secrets"]) == 2
    assert rotated["old_expires_at"] == "2026-09-21T15:13:20.000Z"
    at_once = await api.post(f"/v1/webhooks/{made['webhook']['id']}/rotate", {"grace_seconds": 0})
    assert at_once["webhook"]["secrets"][0]["expires_at"] is None


async def test_a_test_event_shows_what_the_receiver_answered(api: Api) -> None:
    async with Receiver(says(418, b"short and stout")) as receiver:
        made = await make(api, url=f"http://127.0.0.1:{receiver.port}/hook")
        result = await api.post(f"/v1/webhooks/{made['webhook']['id']}/test", {"event_type": "sms:delivered"})
        (post,) = receiver.posts
    assert (result["is_success"], result["attempt"]["status"]) == (False, 418)
    assert result["attempt"]["response_body"] == "short and stout"
    assert result["request_body"] == post.body.decode()
    assert json.loads(post.body)["type"] == "sms:delivered"
    assert result["attempt"]["timing"]["total"] >= 0


async def test_a_test_event_is_signed_with_the_secret_that_was_shown(api: Api) -> None:
    async with Receiver() as receiver:
        made = await make(api, url=f"http://127.0.0.1:{receiver.port}/hook")
        # The verifier looks at the machine's clock, the hub at the test's.
        headers = await _sent_headers(api, made["webhook"]["id"], receiver)
    verifier = Webhook(made["secret"])
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + receiver.posts[0].body
    expected = verifier.sign(
        headers["webhook-id"], _moment(headers["webhook-timestamp"]), receiver.posts[0].body.decode()
    )
    assert expected in headers["webhook-signature"].split(), signed


async def _sent_headers(api: Api, webhook_id: str, receiver: Receiver) -> dict[str, str]:
    result = await api.post(f"/v1/webhooks/{webhook_id}/test")
    assert result["is_success"]
    return receiver.posts[0].headers


def _moment(seconds: str) -> Any:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(int(seconds), UTC)


async def test_a_disabled_webhook_is_switched_on_with_a_choice(api: Api) -> None:
    made = (await make(api))["webhook"]
    api.world.change(WebhookEndpoint, parse("endpoint", made["id"]), state="disabled", state_reason="gone")
    path = f"/v1/webhooks/{made['id']}"
    await api.send()
    (held,) = (await api.get("/v1/deliveries"))["items"]
    assert held["state"] == "held"
    problem(await api.http.post(f"{path}/enable", json={"held": "since"}), Code.VALIDATION)
    enabled = await api.post(f"{path}/enable", {"held": "send"})
    assert enabled["state"] == "active"
    assert enabled["health"]["held"] + enabled["health"]["pending"] == 1, "the engine lets it go, a few at a time"


async def test_a_template_is_tried_without_sending(api: Api) -> None:
    shown = await api.post("/v1/webhooks/preview", {"template": "{who: data.from}", "event_type": "sms:received"})
    assert json.loads(shown["body"])["who"] == json.loads(shown["event"])["data"]["from"]
    problem(await api.http.post("/v1/webhooks/preview", json={"template": "{{"}), Code.VALIDATION)


async def test_deliveries_are_listed_read_cancelled_and_replayed(api: Api) -> None:
    webhook = (await make(api))["webhook"]["id"]
    sent = await api.send(["+491701234567", "+491701234568"])
    message_id = sent["results"][0]["message_id"]
    everything = (await api.get("/v1/deliveries"))["items"]
    assert [item["state"] for item in everything] == ["pending", "pending"]
    first = await api.get("/v1/deliveries", limit=1)
    second = await api.get("/v1/deliveries", limit=1, cursor=first["next_cursor"])
    assert [first["items"][0]["id"], second["items"][0]["id"]] == [item["id"] for item in everything]
    (mine,) = (await api.get("/v1/deliveries", message_id=message_id, webhook_id=webhook, state="pending"))["items"]
    detail = await api.get(f"/v1/deliveries/{mine['id']}")
    assert json.loads(detail["body"])["data"]["id"] == message_id
    cancelled = await api.post(f"/v1/deliveries/{mine['id']}/cancel")
    assert cancelled["state"] == "cancelled"
    problem(await api.http.post(f"/v1/deliveries/{mine['id']}/cancel"), Code.CONFLICT)
    again = await api.post(f"/v1/deliveries/{mine['id']}/replay")
    assert (again["run"], again["origin"], again["event_id"]) == (1, "replay", mine["event_id"])
    assert (await api.get("/v1/deliveries", state="ok"))["items"] == []


async def test_a_replay_of_many_says_how_far_it_is(api: Api) -> None:
    webhook = (await make(api, state="paused"))["webhook"]["id"]
    await api.send(["+491701234567", "+491701234568"])
    started = await api.post("/v1/replays", {"webhook_id": webhook, "types": ["sms:queued"]})
    assert (started["state"], started["total"], started["filter"]["types"]) == ("running", 2, ["sms:queued"])
    assert [item["id"] for item in (await api.get("/v1/replays", webhook_id=webhook))["items"]] == [started["id"]]
    stopped = await api.post(f"/v1/replays/{started['id']}/cancel")
    assert stopped["state"] == "cancelled"


async def test_a_removed_webhook_is_gone_and_what_waited_is_cancelled(api: Api) -> None:
    webhook = (await make(api))["webhook"]["id"]
    await api.send()
    answer = await api.http.delete(f"/v1/webhooks/{webhook}")
    assert (answer.status_code, answer.content) == (204, b"")
    problem(await api.http.get(f"/v1/webhooks/{webhook}"), Code.NOT_FOUND)
    assert (await api.get("/v1/webhooks"))["items"] == []


async def test_a_texts_own_target_is_a_webhook_of_its_own(api: Api) -> None:
    await api.send(callback={"url": "https://example.com/one?x=1", "events": ["sms:queued"]})
    assert (await api.get("/v1/webhooks"))["items"] == []
    (implicit,) = (await api.get("/v1/webhooks", include_implicit="true"))["items"]
    assert (implicit["is_implicit"], implicit["url"]) == (True, "https://example.com")
    (delivery,) = (await api.get("/v1/deliveries"))["items"]
    assert delivery["url"] == "https://example.com/one?x=1"
    problem(await api.http.patch(f"/v1/webhooks/{implicit['id']}", json={"state": "paused"}), Code.CONFLICT)


async def test_statistics_tell_the_last_day_of_a_webhook(api_anywhere: Api) -> None:
    api = api_anywhere
    made = await api.post("/v1/webhooks", {"url": "http://127.0.0.1:9/hook"})
    path = f"/v1/webhooks/{made['webhook']['id']}/statistics"
    empty = await api.get(path)
    assert (empty["total"], empty["waiting"], empty["next_try_at"], empty["half_within_ms"]) == (0, 0, None, None)
    api.world.phone()
    await api.send(["+491701234567", "+491701234568", "+491701234569"])
    deliveries = api.world.rows(WebhookDelivery)
    for number, (row, state) in enumerate(zip(deliveries, (2, 3, 0), strict=True)):
        api.world.change(WebhookDelivery, row["id"], state=state, attempts=1)
        api.world.insert(
            WebhookAttempt,
            account_id=row["account_id"],
            delivery_id=row["id"],
            endpoint_id=row["endpoint_id"],
            n=1,
            started_at=api.clock.now(),
            ms_total=100 + number,
            status=200 if state == 2 else 500,
            outcome="ok" if state == 2 else "status",
        )
    told = await api.get(path)
    assert (told["total"], told["ok"], told["dead"], told["waiting"], told["failing"]) == (3, 1, 1, 1, 1)
    assert (told["last_problem"]["status"], told["last_problem"]["outcome"]) == (500, "status")
    assert (told["half_within_ms"], told["last_good"]["status"], told["last_good"]["milliseconds"]) == (100, 200, 100)
    assert (len(told["spans"]), told["spans"][-1]["ok"], told["spans"][-1]["failed"]) == (48, 1, 2)
    listed = (await api.get("/v1/deliveries", webhook_id=made["webhook"]["id"]))["items"]
    assert [one["last_try"]["status"] for one in listed] == [500, 500, 200]


async def _after_chores(api: Api) -> None:
    """What the upkeep loop does, until nothing is left."""
    while rows := api.db.read_now(open_chores):
        for row in rows:
            api.db.write_now(do_chores, DoChore(row))


@pytest.mark.parametrize(
    ("held", "states"),
    [("send", ["pending", "pending"]), ("drop", ["cancelled", "cancelled"]), ("since", ["pending", "cancelled"])],
)
async def test_a_paused_webhook_goes_on_with_all_some_or_none_of_what_waited(
    api_anywhere: Api, held: str, states: list[str]
) -> None:
    api = api_anywhere
    path = f"/v1/webhooks/{(await api.post('/v1/webhooks', {'url': 'http://127.0.0.1:9/hook'}))['webhook']['id']}"
    await api.patch(path, {"state": "paused"})
    api.world.phone()
    await api.send("+491701234567")
    api.clock.advance(60)
    since = rfc3339(api.clock.now() - 1000)
    await api.send("+491701234568")
    going = await api.post(f"{path}/enable", {"held": held, **({"since": since} if held == "since" else {})})
    await _after_chores(api)
    webhook = await api.get(path)
    assert (webhook["state"], webhook["health"]["held"]) == ("active", 0)
    assert going["state"] == ("active" if held == "send" else "paused"), "nothing is sent before all of it is held"
    listed = (await api.get("/v1/deliveries", webhook_id=webhook["id"]))["items"]
    assert [one["state"] for one in listed] == states
    assert all(one["why"] == "dropped" for one in listed if one["state"] == "cancelled")


async def test_a_webhook_in_its_cool_down_says_until_when(api: Api) -> None:
    made = (await api.post("/v1/webhooks", {"url": "http://127.0.0.1:9/hook"}))["webhook"]
    until = api.clock.now() + 30_000
    breaker = f'{{"openings":1,"open_until":{until}}}'
    with api.world.conn.begin():
        api.world.conn.execute(update(table_of(WebhookLane)).values(breaker=breaker))
    health = (await api.get(f"/v1/webhooks/{made['id']}"))["health"]
    assert (health["breaker"], health["paused_until"]) == ("open", rfc3339(until))


async def test_a_line_is_forwarded_by_one_webhook_and_shows_how_that_goes(api: Api) -> None:
    device = api.world.phone()
    (line,) = api.world.lines(device)
    path = f"/v1/lines/{shown('line', line)}/forwarding"
    problem(await api.http.get(path), Code.NOT_FOUND)
    problem(await api.http.put(path, json={"way": "webhook"}), Code.VALIDATION)
    refused = await api.http.put(path, json={"way": "webhook", "url": "http://10.0.0.1/"})
    problem(refused, Code.TARGET_REFUSED)
    wish = {"way": "webhook", "url": "http://127.0.0.1:9/inbound", "time_zone": "Europe/Rome"}
    made = (await api.http.put(path, json=wish)).json()
    assert (made["way"], made["url"], made["mail_to"], made["time_zone"]) == (
        "webhook",
        wish["url"],
        None,
        "Europe/Rome",
    )
    assert made["health"]["watch"] == {"tries": 0, "failed": 0, "slow": 0, "slowest_ms": 0, "missing": 0, "alerts": []}
    webhook = await api.get(f"/v1/webhooks/{made['webhook_id']}")
    assert (webhook["format"], webhook["line_ids"], webhook["schedule"]) == ("agile", [shown("line", line)], "agile")
    again = (await api.http.put(path, json={"way": "webhook", "url": "http://127.0.0.1:9/other"})).json()
    assert (again["webhook_id"], again["url"], again["time_zone"]) == (
        made["webhook_id"],
        "http://127.0.0.1:9/other",
        "Europe/Rome",
    )
    no_mail = await api.http.put(path, json={"way": "mail", "mail_to": "shop@example.org"})
    assert "HUB_SMTP_HOST" in problem(no_mail, Code.VALIDATION)["detail"]
    assert (await api.get(path)) == again
    assert (await api.get("/v1/forwardings"))["items"] == [again]
    assert (await api.stranger().get("/v1/forwardings")).json()["items"] == []
    assert (await api.http.delete(path)).json()["webhook_id"] == made["webhook_id"]
    problem(await api.http.get(path), Code.NOT_FOUND)
    assert (await api.get("/v1/forwardings"))["items"] == []
    assert (await api.get("/v1/webhooks"))["items"] == []
