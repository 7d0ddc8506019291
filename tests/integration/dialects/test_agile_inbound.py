"""The hub as Agile Telecom's customer: what is posted is stored once and told like any text; every refusal says so without +OK."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from device_protocol.frames import Sim
from hub.accounts.scopes import Scope
from hub.core.ids import IdSource, render
from hub.core.text import sanitise
from hub.devices.lines import ListSims, list_sims
from hub.dialects.agile import DIALECT
from hub.messages import carried
from hub.services import Services
from hub.storage.database import Database
from hub.storage.schema.devices import Line
from hub.storage.schema.messages import CarrierText, Conversation, Message
from hub.storage.schema.webhooks import WebhookDelivery, WebhookEvent
from hub.webhooks.records import NewEndpoint
from tests.fakes import FakeClock
from tests.integration.api.hub_api import Api, make_services
from tests.integration.messages.world import ACCOUNT, STRANGER

pytestmark = pytest.mark.anyio

POST_ALONE = frozenset({Scope.MESSAGES_POST})
FROM, TO = "+447700900142", "+447700900001"
FORM = {"originator": FROM, "destination": TO, "date_time": "20260131100000", "text": "Yes, & 100 % + 🎉\nthanks"}
TYPE = "application/x-www-form-urlencoded; charset=utf-8"


def open_database(url: str, clock: FakeClock, ids: IdSource) -> Database:
    return Database.open(url, clock=clock, ids=ids, reader_threads=2, writer_window_ms=0.2)


def close(api: Api) -> None:
    api.world.conn.close()
    api.db.close()


class Door:
    """The door of one account, and what its hub stores; with `services`, that of another hub on the same database."""

    def __init__(self, api: Api, key: str | None = None, services: Services | None = None) -> None:
        self.api = api
        self.path = f"/providers/agile/{key or api.make_key(scopes=POST_ALONE)}/inbound"
        app = Starlette(routes=list(DIALECT.routes(services or api.services)))
        transport = httpx.ASGITransport(app)
        self.http = httpx.AsyncClient(transport=transport, base_url="https://hub.example")

    async def post(self, query: str = "", **changes: str) -> httpx.Response:
        body = urlencode({**FORM, **changes})
        return await self.http.post(self.path + query, content=body, headers={"content-type": TYPE})

    def refused(self, response: httpx.Response, status: int) -> None:
        assert response.status_code == status, response.text
        assert "+OK" not in response.text
        assert response.text
        assert response.headers["content-type"].startswith("text/plain")

    def stored(self) -> list[str]:
        return [row["text"] for row in self.api.world.rows(Message)]


def ok(response: httpx.Response) -> None:
    assert (response.status_code, response.content) == (200, b"+OK"), response.text
    assert response.headers["content-type"].startswith("text/plain")


@pytest.fixture
async def door(api: Api) -> AsyncIterator[Door]:
    made = Door(api)
    async with made.http:
        yield made


async def test_G8_a_text_for_a_number_without_a_phone_is_shown_and_told_as_any_other(door: Door) -> None:
    api = door.api
    await api.services.webhooks.create(ACCOUNT, NewEndpoint(url="http://127.0.0.1:9/"))
    ok(await door.post("?time_zone=Europe/Rome"))
    (thread,) = (await api.get("/v1/conversations"))["items"]
    assert (thread["peer"], thread["unread"]) == (FROM, 1)
    (line,) = (await api.get("/v1/lines"))["items"]
    assert (line["number"], line["device_id"], line["is_present"], line["is_online"]) == (TO, None, False, False)
    (text,) = (await api.get("/v1/messages"))["items"]
    assert (text["direction"], text["text"], text["line_id"], text["device_id"]) == (
        "mo",
        FORM["text"],
        line["id"],
        None,
    )
    story = (await api.get(f"/v1/messages/{text['id']}/timeline"))["items"]
    assert [step["sentence"] for step in story] == [f"Received on {TO}, posted by Agile Telecom."]
    assert "originator: " + FROM in story[0]["raw"]
    (event,) = api.world.rows(WebhookEvent)
    assert event["type"] == "sms:received"
    assert f'"to":"{TO}"' in event["data"]
    assert '"received_at":"2026-01-31T09:00:00.000Z"' in event["data"], "the time zone is the URL's"
    (delivery,) = api.world.rows(WebhookDelivery)
    assert delivery["event_seq"] == event["seq"]


async def test_G8_a_text_for_a_phones_number_goes_to_that_phones_thread(door: Door) -> None:
    device = door.api.world.phone()
    (line_id,) = door.api.world.lines(device)
    number = door.api.world.rows(Line)[0]["number"]
    ok(await door.post(destination=number))
    ok(await door.post(destination=number.removeprefix("+"), text="again"))
    assert [row["line_id"] for row in door.api.world.rows(Message)] == [line_id, line_id]


async def test_a_line_without_a_phone_sends_nothing_and_becomes_the_sims_that_has_its_number(door: Door) -> None:
    api = door.api
    ok(await door.post())
    (line,) = (await api.get("/v1/lines"))["items"]
    device = api.world.phone(sims=0, is_online=False, last_seen_at=None)
    phones = api.world.line(device)
    for number in range(3):
        assert (await api.send(f"+49170123456{number}"))["results"][0]["message_id"]
    assert {row["line_id"] for row in api.world.rows(Message) if row["direction"] == "mt"} == {phones}
    sim = Sim(slot=1, subscription_id=7, fingerprint="carrier/0001", number=TO)
    command = ListSims(account_id=ACCOUNT, device_id=device, session_no=1, sims=(sim,))
    await api.db.writer.submit(list_sims, command, *command.keys())
    moved = await api.get(f"/v1/lines/{line['id']}")
    assert (moved["device_id"], moved["slot"], moved["is_present"]) == (render("device", device), 1, True)
    (thread,) = (await api.get("/v1/conversations", line_id=line["id"]))["items"]
    assert thread["peer"] == FROM


async def test_G8_the_same_text_again_is_ok_and_makes_nothing(door: Door) -> None:
    for _ in range(3):
        ok(await door.post())
    await asyncio.gather(*(door.post(text="twice at once") for _ in range(20)))
    for changes in ({"originator": "BANK"}, {"destination": "+447700900002"}, {"date_time": "20260131100001"}):
        ok(await door.post(**changes))
    assert len(door.stored()) == 5
    assert len(door.api.world.rows(CarrierText)) == 5
    assert len(door.api.world.rows(Line)) == 2


async def test_G8_the_same_text_is_known_after_a_restart(
    database_url: str, clock: FakeClock, ids: IdSource, tmp_path: Path
) -> None:
    api = Api(open_database(database_url, clock, ids), clock, ids, tmp_path)
    key = api.make_key(scopes=POST_ALONE)
    ok(await Door(api, key).post())
    api.db.close()
    again = open_database(database_url, clock, ids)
    try:
        door = Door(api, key, make_services(again, clock, ids, tmp_path))
        ok(await door.post())
        assert len(door.stored()) == 1
    finally:
        again.close()
        api.world.conn.close()


async def test_G8_two_hubs_on_one_database_store_each_text_once(
    postgresql_url: str, clock: FakeClock, ids: IdSource, tmp_path: Path
) -> None:
    api = Api(open_database(postgresql_url, clock, ids), clock, ids, tmp_path)
    other = open_database(postgresql_url, clock, ids)
    try:
        key = api.make_key(scopes=POST_ALONE)
        doors = [Door(api, key), Door(api, key, make_services(other, clock, ids, tmp_path))]
        texts = [f"text {number}" for number in range(60)]
        answers = await asyncio.gather(
            *(
                door.post(text=text, destination=f"+4477009000{number % 7:02}")
                for number, text in enumerate(texts)
                for door in doors
            )
        )
        for answer in answers:
            ok(answer)
        assert sorted(doors[0].stored()) == sorted(texts)
        assert len(api.world.rows(Line)) == 7, "a number is one line, whichever hub made it"
        assert {row["message_id"] for row in api.world.rows(CarrierText)} == {
            row["id"] for row in api.world.rows(Message)
        }
    finally:
        other.close()
        close(api)


async def test_G8_under_load_each_text_is_stored_before_its_ok_and_commits_are_shared(door: Door) -> None:
    commits = 0
    run = door.api.db.writer._runner.run

    def counting(batch: object) -> object:
        nonlocal commits
        commits += 1
        return run(batch)  # type: ignore[arg-type]

    door.api.db.writer._runner.run = counting  # type: ignore[method-assign, assignment]
    texts = [f"text {number}" for number in range(300)]
    for answer in await asyncio.gather(*(door.post(text=text) for text in texts)):
        ok(answer)
    assert sorted(door.stored()) == sorted(texts)
    assert commits < 100, "300 posts at once do not wait for 300 commits one after the other"


async def test_nothing_is_ok_before_it_is_stored(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("disk")

    monkeypatch.setattr(carried, "receive", broken)
    door.refused(await door.post(), 500)
    assert door.api.world.rows(CarrierText) == []
    monkeypatch.undo()
    ok(await door.post())
    assert len(door.stored()) == 1


async def test_only_a_key_for_this_alone_opens_the_door(door: Door) -> None:
    api = door.api
    for key, status in (
        (api.key, 403),
        (api.make_key(scopes=frozenset({Scope.MESSAGES_SEND})), 403),
        ("hub_" + "x" * 40, 401),
        ("x", 401),
        ("hub_%ff%00", 401),
        ("hub_" + "é" * 9, 401),
    ):
        other = Door(api, key)
        other.refused(await other.post(), status)
    stranger = Door(api, api.make_key(STRANGER, POST_ALONE))
    ok(await stranger.post())
    ok(await door.post())
    assert {row["account_id"] for row in api.world.rows(Message)} >= {STRANGER}
    assert len(door.stored()) == 2, "another account's text is another text"


async def test_refusals_say_why_and_store_nothing(door: Door) -> None:
    api = door.api
    for name in FORM:
        body = urlencode({key: value for key, value in FORM.items() if key != name})
        answer = await door.http.post(door.path, content=body, headers={"content-type": TYPE})
        door.refused(answer, 422)
        assert name in answer.text
    for changes in (
        {"date_time": "yesterday"},
        {"date_time": "20261301000000"},
        {"date_time": "00010101000000"},
        {"destination": " "},
    ):
        door.refused(await door.post(**changes), 422)
    door.refused(await door.post("?time_zone=Europe/Rom"), 422)
    door.refused(await door.post(text="x" * (1 << 20)), 413)
    door.refused(await door.http.get(door.path), 405)
    door.refused(await door.http.post(door.path, json=FORM), 415)
    for body in (b"text=%ff", b"\xff", b"&".join(b"a%d=" % n for n in range(99))):
        door.refused(await door.http.post(door.path, content=body, headers={"content-type": TYPE}), 400)
    assert door.stored() == []
    assert api.world.rows(Conversation) == []


async def test_too_many_posts_are_told_when_to_come_again(
    sqlite_url: str, clock: FakeClock, ids: IdSource, tmp_path: Path
) -> None:
    database = Database.open(sqlite_url, clock=clock, ids=ids, reader_threads=2, writer_window_ms=0.2)
    api = Api(database, clock, ids, tmp_path, requests_per_second=2)
    try:
        door = Door(api)
        answers = [await door.post(text=str(number)) for number in range(20)]
        door.refused(answers[-1], 429)
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert len(door.stored()) == sum(answer.status_code == 200 for answer in answers)
    finally:
        close(api)


async def test_numbers_beyond_the_most_lines_keep_their_texts(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carried, "MOST_WITHOUT_PHONE", 2)
    for number in range(4):
        ok(await door.post(destination=f"+44770090000{number}"))
    assert (len(door.stored()), len(door.api.world.rows(Line))) == (4, 2)


async def test_a_refusal_that_quotes_what_was_posted_does_not_say_ok(door: Door) -> None:
    response = await door.post(query="?time_zone=%2BOK")
    door.refused(response, 422)
    assert "'OK'" in response.text
    assert door.stored() == []


values = st.text(max_size=60) | st.sampled_from(
    ["", " ", "\x00", "+OK", "+447700900142", "20260131100000", "STOP", "٣" * 14]
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    fields=st.lists(st.tuples(st.sampled_from([*FORM, "other"]), values), max_size=8),
    raw=st.none() | st.binary(max_size=120),
    kind=st.sampled_from([TYPE, "text/plain", "", "\xff"]),
    query=st.text(max_size=12),
)
async def test_whatever_is_posted_is_answered_and_stored_whole_or_not_at_all(
    door: Door, fields: list[tuple[str, str]], raw: bytes | None, kind: str, query: str
) -> None:
    before = len(door.stored())
    body = (
        raw
        if raw is not None
        else urlencode([(name, value.encode("utf-8", "surrogatepass")) for name, value in fields])
    )
    response = await door.http.post(
        door.path, params={"time_zone": query}, content=body, headers={"content-type": kind.encode("latin-1")}
    )
    assert response.status_code < 500, response.text
    assert (response.content == b"+OK") == (response.status_code == 200)
    after = door.stored()
    assert len(after) - before in ((0, 1) if response.status_code == 200 else (0,))
    if len(after) > before and raw is None:
        assert after[-1] == sanitise(dict(fields)["text"])
