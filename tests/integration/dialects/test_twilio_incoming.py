"""What carriers post into gateways: who is believed, what is taken once, and what a status may change."""

import hashlib
import itertools
import json
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from twilio.request_validator import RequestValidator

from hub.core.clock import rfc3339
from hub.core.ids import from_hex30, render
from hub.core.status import MOVES, UNBOUND, Status
from hub.dialects import agile
from hub.dialects.twilio import DIALECT
from hub.dialects.twilio.words import message_sid
from hub.metrics import CARRIER_POSTS
from hub.storage.schema.devices import Line
from hub.storage.schema.media import MediaPull
from hub.storage.schema.messages import Message
from tests.integration.api.hub_api import Api, make_services
from tests.integration.messages.world import STRANGER

pytestmark = pytest.mark.anyio

BASE, TOKEN = "https://hub.example", "cd" * 16
TEXTS, STATUSES = "/sms/FrontDesk/generic", "/sms/FrontDesk/generic/status"
PEER, NUMBER = "+447700900142", "+447700900001"
TEXT = {"MessageSid": "SM" + "1f" * 16, "From": PEER, "To": NUMBER, "Body": "Hi & welcome ✓", "NumMedia": "0"}


class Carrier:
    """Somebody who posts into the gateway FrontDesk, signing as Twilio's own library does."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.token = TOKEN
        app = Starlette(routes=[*DIALECT.routes(api.services), *agile.DIALECT.routes(api.services)])
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://10.0.0.7:8080")

    async def post(self, path: str, fields: dict[str, str], signed_for: str | None = None) -> httpx.Response:
        signature = RequestValidator(self.token).compute_signature(BASE + (signed_for or path), fields)
        return await self.http.post(path, data=fields, headers={"X-Twilio-Signature": signature})

    async def post_json(self, fields: dict[str, Any], signed: bytes | None = None) -> httpx.Response:
        body = json.dumps(fields).encode()
        path = f"{TEXTS}?bodySHA256={hashlib.sha256(signed or body).hexdigest()}"
        signature = RequestValidator(self.token).compute_signature(BASE + path, {})
        headers = {"X-Twilio-Signature": signature, "Content-Type": "application/json"}
        return await self.http.post(path, content=body, headers=headers)

    def stored(self) -> list[dict[str, Any]]:
        return self.api.world.rows(Message)

    async def sent(self, state: str = "dispatched") -> str:
        """A text of ours in this state; its id."""
        (phone,) = [line["device_id"] for line in self.api.world.rows(Line) if line["device_id"]][:1]
        shown = (await self.api.send("+14155550001"))["results"][0]["message_id"]
        message_id: str = shown.removeprefix("msg_")
        self.api.world.change(Message, message_id, state=state, device_id=phone, submission=1, due_at=1 << 50)
        return message_id

    async def told(self, message_id: str, status: str, **more: str) -> httpx.Response:
        return await self.post(STATUSES, {"MessageSid": message_sid(message_id), "MessageStatus": status, **more})

    async def state(self, message_id: str) -> str:
        shown = await self.api.get(f"/v1/messages/{render('message', message_id)}")
        state: str = shown["state"]
        return state


@pytest.fixture
async def carrier(api: Api) -> AsyncIterator[Carrier]:
    api.world.phone()
    await api.post("/v1/gateways", {"name": "FrontDesk", "auth_token": TOKEN})
    made = Carrier(api)
    yield made
    await made.http.aclose()


def taken(response: httpx.Response) -> None:
    assert (response.status_code, response.headers["content-type"].partition(";")[0]) == (200, "text/xml"), (
        response.text
    )
    assert response.text.endswith("<Response/>")


def counted(kind: str, result: str) -> float:
    return CARRIER_POSTS.labels(kind, result)._value.get()


# --- inbound texts -----------------------------------------------------------------------------------------------------------------


async def test_T21_a_text_for_a_number_in_no_phone_is_shown_and_told_like_any_other(carrier: Carrier) -> None:
    api = carrier.api
    hook = (await api.post("/v1/webhooks", {"url": "http://127.0.0.1:9/hook", "event_types": ["sms:received"]}))[
        "webhook"
    ]
    taken(await carrier.post(TEXTS, TEXT))
    (thread,) = (await api.get("/v1/conversations"))["items"]
    assert (thread["peer"], thread["unread"]) == (PEER, 1)
    (line,) = [line for line in api.world.rows(Line) if line["number"] == NUMBER]
    assert (line["device_id"], thread["line_id"]) == (None, render("line", line["id"]))
    (delivery,) = (await api.get("/v1/deliveries", webhook_id=hook["id"]))["items"]
    told = json.loads((await api.get(f"/v1/deliveries/{delivery['id']}"))["body"])
    assert (told["data"]["from"], told["data"]["to"], told["data"]["text"]) == (PEER, NUMBER, TEXT["Body"])


async def test_T10_the_record_of_a_carriers_text_can_be_read_back_with_its_raw_payload(carrier: Carrier) -> None:
    taken(await carrier.post(TEXTS, TEXT))
    (row,) = carrier.stored()
    shown = await carrier.api.get(f"/v1/messages/{render('message', row['id'])}")
    assert (shown["direction"], shown["peer"], shown["text"], shown["state"]) == ("mo", PEER, TEXT["Body"], "received")
    assert (shown["line_number"], bool(shown["received_at"])) == (NUMBER, True)
    (hop,) = (await carrier.api.get(f"/v1/messages/{shown['id']}/timeline"))["items"]
    assert hop["data"]["provider_id"] == TEXT["MessageSid"]
    assert hop["raw"] == urlencode(TEXT)
    assert "posted by FrontDesk" in hop["sentence"]


async def test_T14_a_text_posted_again_makes_nothing(carrier: Carrier) -> None:
    for _ in range(3):
        taken(await carrier.post(TEXTS, TEXT))
    taken(await carrier.post(TEXTS, {**TEXT, "Body": "changed on the way"}))
    assert [row["text"] for row in carrier.stored()] == [TEXT["Body"]]
    taken(await carrier.post(TEXTS, {**TEXT, "MessageSid": "SM" + "2f" * 16}))
    assert len(carrier.stored()) == 2


async def test_what_the_hub_told_itself_is_not_told_again(carrier: Carrier) -> None:
    """A gateway whose inbound URL is another gateway's would go round for ever."""
    (phone,) = [line["device_id"] for line in carrier.api.world.rows(Line)]
    await carrier.api.receive(phone)
    (row,) = carrier.stored()
    taken(await carrier.post(TEXTS, {**TEXT, "MessageSid": message_sid(row["id"])}))
    assert len(carrier.stored()) == 1


async def test_T21_media_make_it_an_mms_and_are_to_be_fetched(carrier: Carrier) -> None:
    media = {
        "NumMedia": "2",
        "MediaUrl0": "https://carrier.example/a.png",
        "MediaUrl1": "https://carrier.example/b.pdf",
    }
    taken(await carrier.post(TEXTS, {**TEXT, **media}))
    (row,) = carrier.stored()
    assert (row["kind"], row["text"]) == ("mms", TEXT["Body"])
    (pull,) = carrier.api.world.rows(MediaPull)
    assert json.loads(pull["urls"]) == [media["MediaUrl0"], media["MediaUrl1"]]
    shown = await carrier.api.get(f"/v1/messages/{render('message', row['id'])}")
    assert [(one["name"], one["why"]) for one in shown["media"]] == [("a.png", "waiting"), ("b.pdf", "waiting")]


async def test_a_text_that_says_stop_ends_what_is_sent_to_its_sender(carrier: Carrier) -> None:
    taken(await carrier.post(TEXTS, {**TEXT, "Body": "STOP"}))
    assert [one["peer"] for one in (await carrier.api.get("/v1/optouts"))["items"]] == [PEER]


BAD_TEXTS: list[tuple[dict[str, str], int]] = [
    ({"MessageSid": ""}, 20001),
    ({"MessageSid": "a b"}, 20001),
    ({"From": ""}, 21603),
    ({"To": ""}, 21604),
    ({"To": "front desk"}, 21211),
    ({"To": "+44770090000199999"}, 21211),
    ({"Body": "x" * 1601}, 21617),
    ({"NumMedia": "1"}, 20001),
    ({"NumMedia": "many"}, 20001),
    ({"NumMedia": "1", "MediaUrl0": "file:///etc/passwd"}, 21620),
    ({"NumMedia": "1", "MediaUrl0": "http://[::1"}, 21620),
    ({f"MediaUrl{n}": f"https://x.example/{n}" for n in range(11)}, 21623),
]


async def test_T11_a_text_that_cannot_be_is_refused_with_a_reason(carrier: Carrier) -> None:
    for fields, code in BAD_TEXTS:
        response = await carrier.post(TEXTS, {**TEXT, **fields})
        assert (response.status_code, response.json()["code"]) == (400, code), (fields, response.text)
        assert len(response.json()["message"]) > 10
    assert carrier.stored() == []


# --- who is believed ---------------------------------------------------------------------------------------------------------------


async def test_T12_without_the_gateways_signature_nothing_is_read(carrier: Carrier) -> None:
    message_id = await carrier.sent()
    for path in (TEXTS, STATUSES, "/sms/frontdesk/status", "/sms/Nobody/generic"):
        await refused_when_forged(carrier, path, message_id)


async def refused_when_forged(carrier: Carrier, path: str, message_id: str) -> None:
    fields = {**TEXT, "MessageSid": message_sid(message_id), "MessageStatus": "failed"}
    before, forbidden = carrier.stored(), counted("text", "forbidden") + counted("status", "forbidden")
    right = RequestValidator(TOKEN).compute_signature(BASE + path, fields)
    wrong: list[tuple[dict[str, str], dict[str, str]]] = [
        (fields, {}),
        (fields, {"X-Twilio-Signature": RequestValidator("0" * 32).compute_signature(BASE + path, fields)}),
        (
            fields,
            {"X-Twilio-Signature": RequestValidator(TOKEN).compute_signature("http://10.0.0.7:8080" + path, fields)},
        ),
        (fields, {"X-Twilio-Signature": "é"}),
        ({**fields, "MessageStatus": "delivered", "Body": "forged"}, {"X-Twilio-Signature": right}),
    ]
    for form, headers in wrong:
        raw = {name.encode(): value.encode() for name, value in headers.items()}
        response = await carrier.http.post(path, data=form, headers=raw)
        assert (response.status_code, response.json()["code"]) == (403, 20003)
    assert carrier.stored() == before
    assert counted("text", "forbidden") + counted("status", "forbidden") == forbidden + len(wrong)


async def test_T12_a_json_post_is_taken_while_it_is_fresh_and_unchanged(carrier: Carrier) -> None:
    now = carrier.api.clock.now()
    for age, sid in ((301_000, "SMa"), (-301_000, "SMb")):
        old = await carrier.post_json({**TEXT, "MessageSid": sid, "Timestamp": rfc3339(now - age)})
        assert old.status_code == 403
    assert (await carrier.post_json(TEXT)).status_code == 400  # names no time
    assert (await carrier.post_json({**TEXT, "Timestamp": "soon"})).status_code == 400
    assert (await carrier.post_json({**TEXT, "Timestamp": now // 1000}, signed=b"{}")).status_code == 403
    assert carrier.stored() == []
    taken(await carrier.post_json({**TEXT, "Timestamp": now // 1000}))
    taken(await carrier.post_json({**TEXT, "Timestamp": rfc3339(now - 200_000)}))
    assert len(carrier.stored()) == 1


async def test_the_port_and_both_tokens_of_a_change_are_believed(carrier: Carrier) -> None:
    taken(await carrier.post(TEXTS, TEXT, signed_for=f":443{TEXTS}"))
    (gateway,) = (await carrier.api.get("/v1/gateways"))["items"]
    await carrier.api.post(f"/v1/gateways/{gateway['id']}/token", {"auth_token": "ef" * 16, "grace_seconds": 60})
    taken(await carrier.post(f"{TEXTS}?a=%7e1", TEXT))
    carrier.token = "ef" * 16
    taken(await carrier.post(TEXTS, TEXT))


async def test_a_carrier_reaches_the_texts_of_its_own_account_only(carrier: Carrier) -> None:
    foreign = carrier.api.world.phone("theirs", account_id=STRANGER)
    message_id = await carrier.api.receive(foreign, account=STRANGER)
    carrier.api.world.change(Message, message_id, direction="mt", state="dispatched")
    response = await carrier.told(message_id, "delivered")
    assert (response.status_code, response.json()["code"]) == (404, 20404)
    assert [row["state"] for row in carrier.stored()] == ["dispatched"]


# --- statuses ----------------------------------------------------------------------------------------------------------------------

TOLD = ("accepted", "scheduled", "queued", "sending", "canceled", "sent", "delivered", "undelivered", "failed")
MOVING = {"sent", "delivered", "undelivered", "failed"}


async def test_T15_a_status_makes_every_move_of_the_table_and_no_other(carrier: Carrier) -> None:
    message_id = await carrier.sent()
    for before, told in itertools.product(set(Status) - {Status.RECEIVED}, TOLD):
        carrier.api.world.change(Message, message_id, state=before, final_at=None)
        taken(await carrier.told(message_id, told))
        may_move = told in MOVING and before not in UNBOUND and Status(told) in MOVES[before]
        assert await carrier.state(message_id) == (told if may_move else before), (before, told)


async def test_T10_T15_delivered_then_queued_stays_delivered_and_each_report_is_on_record(carrier: Carrier) -> None:
    message_id = await carrier.sent()
    for told in ("sent", "delivered", "queued"):
        taken(await carrier.told(message_id, told))
    assert await carrier.state(message_id) == "delivered"
    hops = (await carrier.api.get(f"/v1/messages/{render('message', message_id)}/timeline"))["items"]
    assert [(hop["kind"], hop["is_applied"]) for hop in hops[-3:]] == [
        ("sent", True),
        ("delivered", True),
        ("reported", False),
    ]
    assert hops[-1]["sentence"] == "FrontDesk says: queued. Not applied: a text never goes back from where it is."
    assert hops[-1]["raw"] == urlencode({"MessageSid": message_sid(message_id), "MessageStatus": "queued"})


async def test_T14_a_status_posted_again_has_one_effect(carrier: Carrier) -> None:
    api = carrier.api
    hook = (await api.post("/v1/webhooks", {"url": "http://127.0.0.1:9/h", "event_types": ["sms:failed"]}))["webhook"]
    message_id, late = await carrier.sent(), counted("status", "not_applied")
    for _ in range(3):
        taken(await carrier.told(message_id, "failed", ErrorCode="30007"))
    assert len((await api.get("/v1/deliveries", webhook_id=hook["id"]))["items"]) == 1
    assert counted("status", "not_applied") == late + 2
    (row,) = carrier.stored()
    assert (row["state"], row["reason"], row["error_code"]) == ("failed", "carrier_reject", "30007")


@pytest.mark.parametrize(
    ("number", "reason"), [("30005", "not_obtainable"), ("30036", "validity_expired"), ("39999", "carrier_reject")]
)
async def test_T6_a_carriers_number_is_told_as_a_reason(carrier: Carrier, number: str, reason: str) -> None:
    message_id = await carrier.sent()
    taken(await carrier.told(message_id, "failed", ErrorCode=number))
    (row,) = carrier.stored()
    assert (row["reason"], row["error_code"]) == (reason, number)


async def test_T6_T21_every_end_of_a_text_is_told_once_in_twilios_words(carrier: Carrier) -> None:
    api = carrier.api
    (gateway,) = (await api.get("/v1/gateways"))["items"]
    await api.patch(f"/v1/gateways/{gateway['id']}", {"status_url": "http://127.0.0.1:9/status"})
    (number,) = [line["number"] for line in api.world.rows(Line)]
    ends = ("delivered", "undelivered", "failed", "canceled")
    for end in ends:
        login = (gateway["account_sid"], TOKEN)
        sent = await carrier.http.post(f"{TEXTS}/send", data={"To": PEER, "From": number, "Body": end}, auth=login)
        sid = sent.json()["sid"]
        message_id = from_hex30(sid[4:])
        if end == "canceled":
            uri = sent.json()["uri"]
            assert (await carrier.http.post(uri, data={"Status": "canceled"}, auth=login)).json()["status"] == end
        else:
            api.world.change(Message, message_id, state="dispatched", submission=1, due_at=1 << 50)
            for told in ("sent", end, end):
                taken(await carrier.told(message_id, told, ErrorCode="30005"))
        posts = await told_of(api, message_id)
        expected = ["queued", end] if end == "canceled" else ["queued", "sent", end]
        assert [post["MessageStatus"] for post in posts] == expected
        for post in posts:
            assert (post["MessageSid"], post["SmsSid"], post["SmsStatus"]) == (sid, sid, post["MessageStatus"])
            assert (post["From"], post["To"], post["AccountSid"]) == (number, PEER, gateway["account_sid"])
        assert ("ErrorCode" in posts[-1]) == (end in ("undelivered", "failed"))
        assert (re.fullmatch(r"\d{10}", posts[-1].get("RawDlrDoneDate", "")) is not None) == (end == "delivered")


async def told_of(api: Api, message_id: str) -> list[dict[str, str]]:
    """The forms that the gateway's platform is posted about a text, oldest first."""
    items = (await api.get("/v1/deliveries", message_id=render("message", message_id)))["items"]
    bodies = [(await api.get(f"/v1/deliveries/{item['id']}"))["body"] for item in reversed(items)]
    return [dict(parse_qsl(body, keep_blank_values=True)) for body in bodies]


BAD_STATUSES: list[tuple[dict[str, str], int]] = [
    ({"MessageSid": "SM" + "0" * 32, "MessageStatus": "sent"}, 404),
    ({"MessageSid": "carrier-7", "MessageStatus": "sent"}, 404),
    ({"MessageStatus": "sent"}, 400),
    ({"MessageSid": "SM" + "0" * 32}, 400),
    ({"MessageSid": "SM" + "0" * 32, "MessageStatus": "exploded"}, 400),
    ({"MessageSid": "SM" + "0" * 32, "MessageStatus": "failed", "ErrorCode": "x"}, 400),
]


async def test_T11_a_status_that_cannot_be_is_refused(carrier: Carrier) -> None:
    for fields, status in BAD_STATUSES:
        assert (await carrier.post(STATUSES, fields)).status_code == status, fields


async def test_a_status_of_an_inbound_text_is_of_nothing(carrier: Carrier) -> None:
    taken(await carrier.post(TEXTS, TEXT))
    (row,) = carrier.stored()
    assert (await carrier.told(row["id"], "failed")).status_code == 404


# --- limits, and others ------------------------------------------------------------------------------------------------------------


async def test_T18_posts_have_limits_of_size_and_rate(carrier: Carrier) -> None:
    api = carrier.api
    large = await carrier.http.post(TEXTS, content=b"a" * (api.services.config.max_body_bytes + 1))
    assert large.status_code == 413
    services = make_services(api.db, api.clock, api.ids, api.services.config.data_dir, requests_per_second=1)
    carrier.http = httpx.AsyncClient(
        transport=httpx.ASGITransport(Starlette(routes=list(DIALECT.routes(services)))), base_url=BASE
    )
    answers = [await carrier.post(TEXTS, TEXT) for _ in range(20)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert int(refused[0].headers["retry-after"]) >= 1


async def test_other_methods_are_refused_in_twilios_words(carrier: Carrier) -> None:
    response = await carrier.http.get(TEXTS)
    assert (response.status_code, response.headers["allow"], response.json()["code"]) == (405, "POST", 20004)


async def test_T16_carriers_of_two_kinds_work_side_by_side(carrier: Carrier) -> None:
    """Each is a few lines of its own dialect; line, thread, dedupe and webhooks are the hub's, the same for both."""
    key = carrier.api.make_key(scopes=frozenset({agile.inbound.Right.MESSAGES_POST}))
    form = {"originator": PEER, "destination": NUMBER, "date_time": "20260131090000", "text": "from the other"}
    assert (await carrier.http.post(f"/providers/agile/{key}/inbound", data=form)).text == "+OK"
    taken(await carrier.post(TEXTS, TEXT))
    texts = (await carrier.api.get("/v1/messages", peer=PEER))["items"]
    assert [(text["door"], text["text"]) for text in texts] == [("twilio", TEXT["Body"]), ("agile", "from the other")]
    assert len({text["conversation_id"] for text in texts}) == 1


async def test_an_answer_by_a_number_in_no_phone_waits_in_its_thread_and_others_go_by_a_phone(carrier: Carrier) -> None:
    taken(await carrier.post(TEXTS, TEXT))
    (thread,) = (await carrier.api.get("/v1/conversations"))["items"]
    (answer,) = (await carrier.api.send(PEER, line_id=thread["line_id"]))["results"]
    assert (answer["state"], answer["conversation_id"]) == ("queued", thread["id"])
    (other,) = (await carrier.api.send(PEER))["results"]  # names no line: not by the one this peer last wrote to
    assert other["line_id"] not in (None, thread["line_id"])


@given(
    fields=st.dictionaries(
        st.sampled_from(
            ["MessageSid", "MessageStatus", "From", "To", "Body", "NumMedia", "MediaUrl0", "ErrorCode", "x"]
        ),
        st.text(max_size=40),
        max_size=9,
    ),
    is_status=st.booleans(),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_T11_no_signed_post_is_answered_with_5xx(
    carrier: Carrier, fields: dict[str, str], is_status: bool
) -> None:
    before = len(carrier.stored())
    response = await carrier.post(STATUSES if is_status else TEXTS, fields)
    assert response.status_code < 500, response.text
    if response.status_code != 200:
        assert set(response.json()) == {"code", "message", "more_info", "status"}
    assert len(carrier.stored()) - before in ((0, 1) if response.status_code == 200 and not is_status else (0,))


@given(
    body=st.binary(max_size=60),
    content_type=st.sampled_from(["application/json", "application/x-www-form-urlencoded", "é", ""]),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_T11_no_body_is_answered_with_5xx(carrier: Carrier, body: bytes, content_type: str) -> None:
    headers = {b"content-type": content_type.encode("utf-8"), b"x-twilio-signature": b"x"}
    response = await carrier.http.post(TEXTS, content=body, headers=headers)
    assert 400 <= response.status_code < 500, response.text
