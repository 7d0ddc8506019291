"""The Twilio-shaped door: its error numbers, who may pass, and what is never stored by halves."""

import base64
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from hub.core.clock import rfc3339
from hub.dialects.twilio import DIALECT
from hub.dialects.twilio.resources import account_resource
from hub.dialects.twilio.words import message_sid
from hub.storage.schema.devices import Device
from hub.storage.schema.gateways import Gateway as StoredGateway
from hub.storage.schema.messages import Message
from tests.integration.api.hub_api import Api
from tests.integration.messages.world import STRANGER

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).resolve().parents[3]

SID, TOKEN = "AC" + "ab" * 16, "cd" * 16
TO, OURS = "+491701234567", "+4915100000001"
MESSAGES = f"/2010-04-01/Accounts/{SID}/Messages.json"


class Door:
    """A gateway's platform."""

    def __init__(self, api: Api) -> None:
        self.api = api
        app = Starlette(routes=list(DIALECT.routes(api.services)))
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://hub.example")

    async def send(
        self, auth: tuple[str, str] | None = (SID, TOKEN), path: str = MESSAGES, **fields: Any
    ) -> httpx.Response:
        form = {"To": TO, "From": OURS, "Body": "hello", **fields}
        data = {name: value for name, value in form.items() if value is not None}
        return await self.http.post(path, data=data, auth=auth) if auth else await self.http.post(path, data=data)

    def stored(self) -> list[dict[str, Any]]:
        return self.api.world.rows(Message)


@pytest.fixture
async def door(api: Api) -> AsyncIterator[Door]:
    device = api.world.phone(sims=0)
    api.world.line(device, number=OURS)
    await api.post("/v1/gateways", {"name": "FrontDesk", "account_sid": SID, "auth_token": TOKEN})
    made = Door(api)
    yield made
    await made.http.aclose()


def error(response: httpx.Response, code: int, status: int) -> dict[str, Any]:
    body: dict[str, Any] = response.json()
    assert (body["code"], response.status_code, body["status"]) == (code, status, status), body
    assert set(body) == {"code", "message", "more_info", "status"}
    assert body["more_info"].endswith(f"/{code}")
    return body


async def test_T1_a_form_is_taken_and_answered_with_every_key(door: Door) -> None:
    response = await door.send(path="/sms/FrontDesk/generic/send")
    body = response.json()
    assert (response.status_code, body["status"], body["to"], body["from"]) == (201, "queued", TO, OURS)
    assert body["sid"].startswith("SM00")
    assert len(body["sid"]) == 34
    assert body["uri"] == f"/2010-04-01/Accounts/{SID}/Messages/{body['sid']}.json"
    fetched = (await door.http.get(body["uri"], auth=(SID, TOKEN))).json()
    assert set(fetched) == set(body)
    assert {name for name in body if body[name] != fetched[name]} <= {"date_updated"}
    (row,) = door.stored()
    assert (row["text"], row["door"]) == ("hello", "twilio")


async def test_a_peer_that_sent_stop_is_21610_and_nothing_is_stored(door: Door) -> None:
    (device,) = [row["id"] for row in door.api.world.rows(Device)]
    await door.api.receive(device, "STOP", sender=TO)
    error(await door.send(), 21610, 400)
    await door.api.receive(device, "START", sender=TO)
    assert (await door.send()).status_code == 201


async def test_lower_case_names_and_credentials_among_the_fields_are_taken(door: Door) -> None:
    fields = {"from": OURS, "to": TO, "body": "hi", "AccountSid": SID, "AuthToken": TOKEN}
    response = await door.http.post("/sms/frontdesk/generic/send", data=fields)
    assert response.status_code == 201, response.text


@pytest.mark.parametrize(
    ("fields", "code", "status"),
    [
        ({"To": None}, 21604, 400),
        ({"To": "nonsense"}, 21211, 400),
        ({"Body": None}, 21602, 400),
        ({"Body": "x" * 1601}, 21617, 400),
        ({"From": "+4915199999999"}, 21606, 400),
        ({"From": None}, 21603, 400),
        ({"StatusCallback": "not a url"}, 21609, 400),
        ({"StatusCallback": "http://169.254.169.254/x"}, 21609, 400),
        ({"MediaUrl": "ftp://x"}, 21620, 400),
        ({"MediaUrl": [f"https://x.example/{n}" for n in range(11)]}, 21623, 400),
        ({"MediaUrl": "https://x.example/a.png"}, 21612, 400),
        ({"ScheduleType": "fixed"}, 35111, 400),
        ({"ScheduleType": "fixed", "SendAt": "2020-01-01T00:00:00Z"}, 35114, 400),
        ({"ScheduleType": "fixed", "SendAt": "soon"}, 35114, 400),
        ({"ValidityPeriod": "0"}, 20001, 400),
        ({"ValidityPeriod": "36001"}, 20001, 400),
        ({"Body": "nul \x00"}, 20001, 400),
    ],
)
async def test_T11_every_fault_has_its_number_and_stores_nothing(
    door: Door, fields: dict[str, Any], code: int, status: int
) -> None:
    error(await door.send(**fields), code, status)
    assert door.stored() == []


@pytest.mark.parametrize(
    "auth", [None, (SID, "0" * 32), ("AC" + "0" * 32, TOKEN), (SID, ""), ("", ""), ("FrontDesk", TOKEN)]
)
@pytest.mark.parametrize("path", [MESSAGES, "/sms/FrontDesk/generic/send", "/sms/nobody/generic/send"])
async def test_T8_wrong_credentials_are_20003_and_queue_nothing(
    door: Door, auth: tuple[str, str] | None, path: str
) -> None:
    response = await door.send(auth, path)
    error(response, 20003, 401)
    assert response.headers["www-authenticate"].startswith("Basic")
    assert door.stored() == []


async def test_one_gateways_token_opens_no_other_ones_account(door: Door) -> None:
    other = (await door.api.post("/v1/gateways", {"name": "Back"}))["info"]["account_sid"]
    error(await door.send(path=f"/2010-04-01/Accounts/{other}/Messages.json"), 20003, 401)


async def test_an_accounts_own_key_opens_its_gateways_only(door: Door) -> None:
    assert (await door.send((SID, door.api.key))).status_code == 201
    error(await door.send((SID, door.api.make_key(STRANGER))), 20003, 401)


async def test_messages_of_another_account_are_not_there(door: Door) -> None:
    sid = (await door.send()).json()["sid"]
    async with door.api.stranger() as stranger:
        made = (await stranger.post("/v1/gateways", json={"name": "Theirs"})).json()
    theirs, auth = made["info"]["account_sid"], (made["info"]["account_sid"], made["auth_token"])
    base = f"/2010-04-01/Accounts/{theirs}/Messages"
    error(await door.http.get(f"{base}/{sid}.json", auth=auth), 20404, 404)
    error(await door.http.delete(f"{base}/{sid}.json", auth=auth), 20404, 404)
    assert (await door.http.get(f"{base}.json", auth=auth)).json()["messages"] == []


async def test_the_list_has_exactly_the_envelopes_keys_and_goes_on(door: Door) -> None:
    sids = [(await door.send(Body=f"text {n}")).json()["sid"] for n in range(5)]
    seen, path = [], f"{MESSAGES}?PageSize=2"
    while path is not None:
        page = (await door.http.get(path, auth=(SID, TOKEN))).json()
        assert set(page) == {
            "messages", "page", "page_size", "start", "end", "uri", "first_page_uri", "next_page_uri", "previous_page_uri",
        }  # fmt: skip
        seen += [message["sid"] for message in page["messages"]]
        path = page["next_page_uri"]
    assert seen == sids[::-1]


async def test_the_list_is_narrowed_by_number_and_day(door: Door) -> None:
    await door.send()
    await door.send(To="+491701234568")
    today = rfc3339(door.api.clock.now())[:10]
    for query, many in (
        ({"To": TO}, 1),
        ({"From": OURS}, 2),
        ({"To": OURS}, 0),
        ({"DateSent": today}, 2),
        ({"DateSent>": today}, 2),
        ({"DateSent<": "2020-01-01"}, 0),
    ):
        page = (await door.http.get(MESSAGES, params=query, auth=(SID, TOKEN))).json()
        assert len(page["messages"]) == many, query
    for bad in ({"DateSent": "yesterday"}, {"PageSize": "many"}, {"PageToken": "x"}):
        error(await door.http.get(MESSAGES, params=bad, auth=(SID, TOKEN)), 20001, 400)


async def test_a_waiting_text_is_canceled_once_and_then_too_late(door: Door) -> None:
    uri = (await door.send()).json()["uri"]
    done = await door.http.post(uri, data={"Status": "canceled"}, auth=(SID, TOKEN))
    assert (done.status_code, done.json()["status"]) == (200, "canceled")
    error(await door.http.post(uri, data={"Status": "canceled"}, auth=(SID, TOKEN)), 30409, 409)
    error(await door.http.post(uri, data={"Status": "sent"}, auth=(SID, TOKEN)), 20001, 400)


async def test_words_are_taken_away_everywhere_and_only_when_it_has_ended(door: Door) -> None:
    uri = (await door.send(Body="the secret word")).json()["uri"]
    error(await door.http.post(uri, data={"Body": ""}, auth=(SID, TOKEN)), 20009, 409)
    error(await door.http.delete(uri, auth=(SID, TOKEN)), 20009, 409)
    await door.http.post(uri, data={"Status": "canceled"}, auth=(SID, TOKEN))
    done = await door.http.post(uri, data={"Body": ""}, auth=(SID, TOKEN))
    assert (done.status_code, done.json()["body"]) == (200, "")
    with door.api.world.conn.begin():
        dump = "\n".join(door.api.world.conn.connection.driver_connection.iterdump())  # type: ignore[union-attr]
    assert "the secret word" not in dump
    assert (await door.http.delete(uri, auth=(SID, TOKEN))).status_code == 204
    error(await door.http.get(uri, auth=(SID, TOKEN)), 20404, 404)
    assert door.stored() == []


async def test_T14_one_idempotency_token_makes_one_message(door: Door) -> None:
    headers = {"I-Twilio-Idempotency-Token": "order-17"}
    form = {"To": TO, "From": OURS, "Body": "hello"}
    first = await door.http.post(MESSAGES, data=form, headers=headers, auth=(SID, TOKEN))
    again = await door.http.post(MESSAGES, data=form, headers=headers, auth=(SID, TOKEN))
    assert first.json() == again.json()
    assert len(door.stored()) == 1
    error(
        await door.http.post(MESSAGES, data={**form, "Body": "other"}, headers=headers, auth=(SID, TOKEN)), 20001, 409
    )


async def test_T18_bodies_and_rates_have_limits(door: Door) -> None:
    error(await door.send(Body="x" * 2_000_000), 20001, 413)
    response = await door.http.post(
        MESSAGES, content=b"{}", headers={"content-type": "application/json"}, auth=(SID, TOKEN)
    )
    error(response, 20001, 415)
    door.api.services.gateways._per_second = 1
    door.api.services.gateways._counted.clear()
    limited = [await door.http.get(f"/2010-04-01/Accounts/{SID}.json", auth=(SID, TOKEN)) for _ in range(5)][-1]
    error(limited, 20429, 429)
    assert int(limited.headers["retry-after"]) >= 1


async def test_T17_a_token_is_shown_once_and_stored_encrypted(door: Door) -> None:
    (gateway,) = (await door.api.get("/v1/gateways"))["items"]
    shown = await door.api.http.get(f"/v1/gateways/{gateway['id']}")
    changed = await door.api.http.patch(f"/v1/gateways/{gateway['id']}", json={"sender": OURS})
    listed = await door.api.http.get("/v1/gateways")
    for answer in (shown, changed, listed, await door.send()):
        assert answer.is_success
        assert TOKEN not in answer.text
    (row,) = door.api.world.rows(StoredGateway)
    assert not [name for name, value in row.items() if TOKEN in str(value)]


async def test_a_token_is_replaced_with_an_overlap(door: Door) -> None:
    gateway = (await door.api.get("/v1/gateways"))["items"][0]
    made = await door.api.post(f"/v1/gateways/{gateway['id']}/token", {"grace_seconds": 60})
    assert (await door.send((SID, made["auth_token"]))).status_code == 201
    assert (await door.send((SID, TOKEN))).status_code == 201
    door.api.clock.advance(61)
    error(await door.send((SID, TOKEN)), 20003, 401)
    assert (await door.send((SID, made["auth_token"]))).status_code == 201


async def test_a_deleted_gateway_opens_nothing_and_frees_its_name(door: Door) -> None:
    gateway = (await door.api.get("/v1/gateways"))["items"][0]
    async with door.api.client(door.api.key) as http:
        assert (await http.delete(f"/v1/gateways/{gateway['id']}")).status_code == 200
    error(await door.send(), 20003, 401)
    await door.api.post("/v1/gateways", {"name": "FrontDesk", "account_sid": SID})


@pytest.mark.parametrize(
    "bad",
    [
        {"name": "two words"},
        {"name": ""},
        {"name": "x", "account_sid": "AC1"},
        {"name": "x", "fallback_url": "https://x.example"},
        {"name": "x", "inbound_url": "ftp://x"},
    ],
)
async def test_T7_a_gateway_that_cannot_be_is_refused(door: Door, bad: dict[str, Any]) -> None:
    answer = await door.api.http.post("/v1/gateways", json=bad)
    assert answer.status_code == 422, answer.text


async def test_other_methods_and_paths_answer_in_twilios_words(door: Door) -> None:
    response = await door.http.put(MESSAGES, auth=(SID, TOKEN))
    error(response, 20004, 405)
    assert response.headers["allow"] == "GET, POST"
    error(await door.http.get(MESSAGES.replace(".json", "/SM1.json"), auth=(SID, TOKEN)), 20404, 404)
    numbers = (await door.http.get(MESSAGES.replace("Messages", "IncomingPhoneNumbers"), auth=(SID, TOKEN))).json()
    assert [one["phone_number"] for one in numbers["incoming_phone_numbers"]] == [OURS]
    gateway = await door.api.services.gateways.by_sid(SID)
    assert gateway is not None
    assert (await door.http.get(f"/2010-04-01/Accounts/{SID}.json", auth=(SID, TOKEN))).json() == account_resource(
        gateway
    )


async def test_a_strangers_phone_is_not_a_sender(door: Door) -> None:
    device = door.api.world.phone(account_id=STRANGER, sims=0)
    door.api.world.line(device, number="+4915100000009", account_id=STRANGER)
    error(await door.send(From="+4915100000009"), 21606, 400)
    assert len(door.api.world.rows(Device)) == 2


_names = st.sampled_from(
    ["To", "From", "Body", "MediaUrl", "StatusCallback", "SendAt", "ScheduleType", "ValidityPeriod", "x"]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    fields=st.lists(st.tuples(_names, st.text(max_size=30)), max_size=6),
    noise=st.binary(max_size=40),
    raw=st.booleans(),
)
async def test_T11_no_form_is_answered_with_5xx(
    door: Door, fields: list[tuple[str, str]], noise: bytes, raw: bool
) -> None:
    door.api.services.credentials._known.clear()
    door.api.clock.advance(10)
    headers = {"content-type": "application/x-www-form-urlencoded"}
    clean = {name: value.encode("utf-8", "replace").decode() for name, value in fields}
    content = noise if raw else httpx.Request("POST", "http://x", data=clean).read()
    before = len(door.stored())
    response = await door.http.post(MESSAGES, content=content, headers=headers, auth=(SID, TOKEN))
    assert response.status_code < 500, response.text
    assert len(door.stored()) == before + (response.status_code == 201)
    basic = base64.b64encode(noise).decode()
    odd = await door.http.post(MESSAGES, content=content, headers={**headers, "authorization": f"Basic {basic}"})
    assert odd.status_code in (400, 401)


ACCOUNT_PATH = f"/2010-04-01/Accounts/{SID}"
PATHS = (
    "/sms/FrontDesk/generic/send",
    *(ACCOUNT_PATH + tail for tail in (".json", "/Messages.json", "/Messages", "/IncomingPhoneNumbers.json")),
    *(
        f"{ACCOUNT_PATH}/Messages/{{sid}}{tail}"
        for tail in (".json", "/Media.json", "/Media/{other}", "/Media/{other}.json")
    ),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(PATHS),
    method=st.sampled_from(["GET", "POST", "DELETE", "PUT", "PATCH", "HEAD"]),
    sid=st.sampled_from(["real", "SM" + "0" * 32, "x", "%00"]),
    query=st.dictionaries(
        st.sampled_from(["To", "From", "DateSent", "DateSent<", "PageSize", "Page", "PageToken", "signature"]),
        st.text(max_size=9),
        max_size=3,
    ),
    form=st.dictionaries(st.sampled_from(["Status", "Body", "To", "From"]), st.text(max_size=9), max_size=3),
)
async def test_T11_no_path_is_answered_with_5xx_and_every_refusal_is_twilios(
    door: Door, path: str, method: str, sid: str, query: dict[str, str], form: dict[str, str]
) -> None:
    door.api.clock.advance(10)
    stored = door.stored()
    real = message_sid(stored[-1]["id"]) if stored else (await door.send()).json()["sid"]
    before = len(door.stored())
    url = path.format(sid=real if sid == "real" else sid, other="ME" + "0" * 32)
    data = {name: value.encode("utf-8", "replace").decode() for name, value in form.items()}
    content = httpx.Request("POST", "http://x", data=data).read()
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = await door.http.request(method, url, params=query, content=content, headers=headers, auth=(SID, TOKEN))
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400 and method != "HEAD":
        error(answer, answer.json()["code"], answer.status_code)
    assert len(door.stored()) == before + (answer.status_code == 201) - (answer.status_code == 204)


class FormOf(HTMLParser):
    """The names of a page's fields, and where its form goes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action, self.method, self.names = "", "", [""]
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self.action, self.method = given["action"] or "", given["method"] or ""
        elif tag in ("input", "textarea") and given.get("name"):
            self.names.append(given["name"] or "")


async def test_T22_the_lab_senders_form_sends_a_text(door: Door) -> None:
    form = FormOf((ROOT / "docs" / "adapters" / "lab-sender.html").read_text())
    assert (form.method, set(form.names[1:])) == ("post", {"AccountSid", "AuthToken", "from", "to", "body", "mediaUrl"})
    filled = {"AccountSid": SID, "AuthToken": TOKEN, "from": OURS, "to": TO, "body": "from the lab", "mediaUrl": ""}
    response = await door.http.post(urlsplit(form.action).path, data={name: filled[name] for name in form.names[1:]})
    assert (response.status_code, response.json()["body"]) == (201, "from the lab")
