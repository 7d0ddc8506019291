"""Messages of the sms-gate.app API: sent in every spelling, read, listed page by page, cancelled."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from device_protocol.frames import Job
from device_protocol.payloads import SmsCancelled
from hub.core.clock import rfc3339
from hub.core.ids import to_smsgate21
from hub.storage.schema.devices import Device
from hub.storage.schema.media import MediaContent
from hub.storage.schema.messages import Message
from tests.integration.messages.world import STRANGER, Phones
from tests.integration.smsgate_api.gate import NUMBER, OTHER, Gate, message_of

pytestmark = pytest.mark.anyio
PNG = b"\x89PNG\r\n\x1a\n" + b"picture" * 9
ATTACHED = {"contentType": "image/png", "name": "../a/cat.png", "data": base64.b64encode(PNG).decode()}
SEALED = "$aes-256-cbc/pbkdf2-sha1$i=75000$c2FsdHNhbHRzYWx0c2E=$"


# --- sending ---------------------------------------------------------------------------------------------------------------------


async def test_a_message_is_taken_and_its_state_says_so(gate: Gate) -> None:
    answer = await gate.http.post("/messages", json={"phoneNumbers": [NUMBER], "textMessage": {"text": "hello"}})
    assert answer.status_code == 202
    state = answer.json()
    assert answer.headers["location"] == f"/3rdparty/v1/messages/{state['id']}"
    assert state == {
        "id": state["id"],
        "deviceId": gate.shown_device,
        "state": "Pending",
        "isHashed": False,
        "isEncrypted": False,
        "recipients": [{"phoneNumber": NUMBER, "state": "Pending"}],
        "states": {"Pending": rfc3339(gate.clock.now())},
        "createdAt": rfc3339(gate.clock.now()),
        "textMessage": {"text": "hello"},
    }
    assert len(state["id"]) == 21
    assert await gate.state(state["id"]) == state


@pytest.mark.parametrize("path", ["/message", "/messages", "/messages?"])
@pytest.mark.parametrize("content", [{"message": "hello"}, {"textMessage": {"text": "hello"}}])
async def test_both_spellings_of_path_and_text_are_taken(gate: Gate, path: str, content: dict[str, Any]) -> None:
    answer = await gate.http.post(path, json={"phoneNumbers": [NUMBER], **content})
    assert answer.status_code == 202
    assert answer.json()["textMessage"] == {"text": "hello"}
    assert [row.text for row in gate.world.messages()] == ["hello"]


async def test_both_prefixes_lead_here(gate: Gate) -> None:
    first = await gate.send()
    other = httpx.AsyncClient(
        transport=httpx.ASGITransport(gate.app), base_url="http://hub.test/api/3rdparty/v1", auth=gate.login
    )
    answer = await other.post("/messages", json={"phoneNumbers": [NUMBER], "message": "x"})
    assert answer.headers["location"].startswith("/api/3rdparty/v1/messages/")
    assert (await other.get(f"/message/{first['id']}")).json() == await gate.state(first["id"])


async def test_what_clients_send_without_meaning_it_is_taken(gate: Gate) -> None:
    state = await gate.send(
        id=None, deviceId=None, ttl=None, validUntil=None, simNumber=None, priority=0, isEncrypted=False, someday="x"
    )
    assert state["state"] == "Pending"
    empty = await gate.send(id="", deviceId="", message="", textMessage={"text": "x"})
    assert len(empty["id"]) == 21


async def test_an_id_of_the_clients_own_is_kept_and_taken_once(gate_anywhere: Gate) -> None:
    gate = gate_anywhere
    state = await gate.send(id="order 17/ä")
    assert state["id"] == "order 17/ä"
    answer = await gate.http.get("/messages/order%2017%2F%C3%A4")
    assert answer.json()["id"] == "order 17/ä"
    again = await gate.http.post("/messages", json={"id": "order 17/ä", "phoneNumbers": [NUMBER], "message": "x"})
    assert message_of(again, 409) == "message with the same ID already exists"
    assert len(gate.world.messages()) == 1
    stranger = await gate.stranger()
    gate.world.phone("theirs", account_id=STRANGER)
    theirs = await stranger.post("/messages", json={"id": "order 17/ä", "phoneNumbers": [NUMBER], "message": "x"})
    assert theirs.status_code == 202


async def test_several_recipients_are_one_message_with_a_state_each(gate_anywhere: Gate) -> None:
    gate = gate_anywhere
    state = await gate.send(NUMBER, "0170 1234568")
    assert [one["phoneNumber"] for one in state["recipients"]] == [NUMBER, OTHER]
    first, second = gate.text_ids()
    gate.bind()
    jobs = {job.to: job for job in gate.world.frames(Job)}
    gate.phones.sent(gate.device, jobs[NUMBER])
    gate.phones.delivered(gate.device, jobs[NUMBER])
    gate.phones.failed(gate.device, jobs[OTHER], 3)
    now = await gate.state(state["id"])
    assert {one["phoneNumber"]: one["state"] for one in now["recipients"]} == {NUMBER: "Delivered", OTHER: "Failed"}
    assert now["state"] == "Sent"
    assert now["recipients"][1]["error"]
    assert now["states"].keys() >= {"Pending", "Sent"}
    assert first != second


async def test_each_ones_own_id_leads_to_the_message_too(gate: Gate) -> None:
    state = await gate.send(NUMBER, OTHER, id="mine")
    for text_id in gate.text_ids():
        assert (await gate.state(to_smsgate21(text_id)))["id"] == state["id"] == "mine"


async def test_a_text_of_another_door_can_be_read_by_its_id(gate: Gate) -> None:
    text_id = gate.world.send(NUMBER, text="by REST")
    state = await gate.state(to_smsgate21(text_id))
    assert (state["textMessage"], state["state"]) == ({"text": "by REST"}, "Pending")
    received = await gate.receive()
    message_of(await gate.http.get(f"/messages/{to_smsgate21(received)}"), 404)


async def test_a_text_moves_through_the_words(gate: Gate) -> None:
    state = await gate.send()
    (text_id,) = gate.text_ids()
    gate.clock.advance(1)
    job = gate.phones.bound(gate.device, text_id)
    assert (await gate.state(state["id"]))["state"] == "Processed"
    gate.clock.advance(1)
    gate.phones.sent(gate.device, job)
    assert (await gate.state(state["id"]))["state"] == "Sent"
    gate.clock.advance(1)
    gate.phones.delivered(gate.device, job)
    now = await gate.state(state["id"])
    assert now["state"] == now["recipients"][0]["state"] == "Delivered"
    assert list(now["states"]) == ["Pending", "Processed", "Sent", "Delivered"]
    assert sorted(now["states"].values()) == list(now["states"].values())
    assert len(set(now["states"].values())) == 4


async def test_a_data_sms_passes_through(gate_anywhere: Gate) -> None:
    gate = gate_anywhere
    data = base64.b64encode(b"\x00\xff").decode()
    state = await gate.send(dataMessage={"data": data, "port": 53739})
    assert state["dataMessage"] == {"data": data, "port": 53739}
    assert "textMessage" not in state
    (row,) = gate.world.messages()
    assert (row.kind, row.data_port) == ("data", 53739)


async def test_an_encrypted_message_passes_through_untouched(gate: Gate) -> None:
    app = gate.world.phone("App", transport="smsgate")
    state = await gate.send(
        SEALED + "bnVtYmVy", SEALED + "b3RoZXI=", isEncrypted=True, textMessage={"text": SEALED + "dGV4dA=="}
    )
    assert state["isEncrypted"] is True
    assert [one["phoneNumber"] for one in state["recipients"]] == [SEALED + "bnVtYmVy", SEALED + "b3RoZXI="]
    assert state["textMessage"] == {"text": SEALED + "dGV4dA=="}
    assert state["deviceId"] == to_smsgate21(app)


async def test_the_phone_and_sim_that_are_asked_for_are_used(gate: Gate) -> None:
    other = gate.world.phone("Other", sims=2)
    state = await gate.send(deviceId=to_smsgate21(other), simNumber=2)
    (row,) = gate.world.messages()
    assert row.line_id == gate.world.lines(other)[1]
    assert state["deviceId"] == to_smsgate21(other)
    await gate.send(OTHER, simNumber=1)
    assert gate.world.messages()[1].line_id in {gate.world.lines(one)[0] for one in (gate.device, other)}


async def test_times_are_kept(gate: Gate) -> None:
    now = gate.clock.now()
    at = datetime.fromtimestamp(now / 1000, UTC)
    await gate.send(ttl=120)
    await gate.send(validUntil=(at + timedelta(minutes=5)).isoformat())
    await gate.send(validUntil=(at + timedelta(minutes=5)).replace(tzinfo=None).isoformat())
    await gate.send(scheduleAt=(at + timedelta(hours=1)).isoformat(), validUntil=(at + timedelta(hours=2)).isoformat())
    rows = gate.world.messages()
    assert [((row.expires_at or 0) - now) // 1000 for row in rows] == [120, 300, 300, 7200]
    assert [row.scheduled_at for row in rows] == [None, None, None, now + 3_600_000]
    assert [row.state for row in rows] == ["queued", "queued", "queued", "scheduled"]


@pytest.mark.parametrize(("given", "priority"), [(-1, 0), (-128, 0), (0, 1), (99, 1), (100, 2), (127, 2)])
async def test_priorities_are_the_hubs_three(gate: Gate, given: int, priority: int) -> None:
    await gate.send(priority=given)
    assert [row.priority for row in gate.world.messages()] == [priority]


async def test_delivery_reports_can_be_left_out(gate: Gate) -> None:
    await gate.send(withDeliveryReport=False)
    assert [row.want_dlr for row in gate.world.messages()] == [False]


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ({"phoneNumbers": [NUMBER]}, "no text or data content"),
        ({"phoneNumbers": [NUMBER], "message": "a", "textMessage": {"text": "b"}}, "one content"),
        (
            {"phoneNumbers": [NUMBER], "message": "a", "ttl": 60, "validUntil": "2030-01-01T00:00:00Z"},
            "ttl or validUntil",
        ),
        ({"phoneNumbers": [NUMBER], "message": "a", "ttl": 4}, "ttl"),
        ({"phoneNumbers": [NUMBER], "message": "a", "validUntil": "2020-01-01T00:00:00Z"}, "validUntil"),
        ({"phoneNumbers": [NUMBER], "message": "a", "scheduleAt": "2020-01-01T00:00:00Z"}, "scheduleAt"),
        (
            {
                "phoneNumbers": [NUMBER],
                "message": "a",
                "scheduleAt": "2027-01-02T00:00:00Z",
                "validUntil": "2027-01-01T00:00:00Z",
            },
            "scheduleAt",
        ),
        ({"phoneNumbers": [], "message": "a"}, "phoneNumbers"),
        ({"phoneNumbers": [NUMBER] * 101, "message": "a"}, "phoneNumbers"),
        ({"phoneNumbers": "+491701234567", "message": "a"}, "phoneNumbers"),
        ({"phoneNumbers": [NUMBER, "0170 1234567"], "message": "a"}, "unique"),
        ({"phoneNumbers": ["nonsense"], "message": "a"}, "phone number"),
        ({"phoneNumbers": [NUMBER], "message": "a", "isEncrypted": True}, "encrypted"),
        ({"phoneNumbers": [NUMBER], "message": "a", "simNumber": 4}, "simNumber"),
        ({"phoneNumbers": [NUMBER], "message": "a", "simNumber": 3}, "SIM"),
        ({"phoneNumbers": [NUMBER], "message": "a", "priority": 128}, "priority"),
        ({"phoneNumbers": [NUMBER], "message": "a", "deviceId": "x" * 21}, "record not found"),
        ({"phoneNumbers": [NUMBER], "message": "a", "deviceId": to_smsgate21("0" * 24)}, "record not found"),
        ({"phoneNumbers": [NUMBER], "message": "a", "id": "x" * 37}, "id"),
        ({"phoneNumbers": [NUMBER], "message": "a\x00b"}, "NUL"),
        ({"phoneNumbers": [NUMBER], "message": "x" * 65_536}, "message"),
        ({"phoneNumbers": [NUMBER], "message": "x" * 10_000}, "segments"),
        ({"phoneNumbers": [NUMBER], "dataMessage": {"data": "AAAA"}}, "port"),
        ({"phoneNumbers": [NUMBER], "dataMessage": {"data": "no base64 at all", "port": 1}}, "base64"),
        ({"phoneNumbers": [NUMBER], "mmsMessage": {"text": "a"}}, "MMS"),
        ({"phoneNumbers": [NUMBER], "mmsMessage": {"attachments": [ATTACHED] * 11}}, "1 to 10"),
        ({"phoneNumbers": [NUMBER], "mmsMessage": {"attachments": [{"data": "AAAA"}]}}, "contentType"),
        ({"phoneNumbers": [NUMBER], "mmsMessage": {"attachments": [{**ATTACHED, "data": "?"}]}}, "base64"),
        ({"phoneNumbers": [NUMBER], "mmsMessage": {"attachments": [{"contentType": "image/png"}]}}, "base64"),
        ({"phoneNumbers": [NUMBER], "mmsMessage": {"attachments": [ATTACHED]}}, "No phone of this account sends MMS"),
        ({"phoneNumbers": [SEALED], "mmsMessage": {"attachments": [ATTACHED]}, "isEncrypted": True}, "encrypted"),
        ([], "object"),
        (None, "object"),
    ],
)
async def test_what_cannot_be_sent_is_told_in_one_sentence_and_stored_nowhere(gate: Gate, body: Any, part: str) -> None:
    answer = await gate.http.post("/messages", json=body)
    assert part in message_of(answer, 400)
    assert gate.world.messages() == []


async def test_an_mms_goes_out_by_a_phone_that_sends_them_and_by_no_other(gate: Gate) -> None:
    plain = gate.shown_device
    able = gate.world.phone("Able", sends_mms=True)
    body = {"phoneNumbers": [NUMBER], "mmsMessage": {"subject": "Hi", "text": "Look", "attachments": [ATTACHED]}}
    taken = await gate.http.post("/messages", json={**body, "id": "own-1"})
    assert taken.status_code == 202, taken.text
    assert taken.json()["mmsMessage"] == {"text": "Hi\nLook"}
    (job,) = Phones(gate.world).offers(able)
    assert (job.text, [(one.content_type, one.name, one.size_bytes) for one in job.media]) == (
        "Hi\nLook",
        [("image/png", "cat.png", len(PNG))],
    )
    refused = await gate.http.post("/messages", json={**body, "deviceId": plain})
    assert "MMS" in message_of(refused, 400)
    liar = {**ATTACHED, "data": base64.b64encode(b"<html>").decode()}
    for attached in ({**ATTACHED, "contentType": "text/html"}, liar):
        refused = await gate.http.post("/messages", json={**body, "mmsMessage": {"attachments": [ATTACHED, attached]}})
        assert "not kept" in message_of(refused, 400)
    large = {**ATTACHED, "data": base64.b64encode(PNG + bytes(5 << 20)).decode()}
    refused = await gate.http.post("/messages", json={**body, "mmsMessage": {"attachments": [large]}})
    message_of(refused, 413)
    assert len(gate.world.messages()) == len(gate.world.rows(MediaContent)) == 1


async def test_numbers_no_plan_knows_go_where_the_client_insists(gate: Gate) -> None:
    answer = await gate.http.post(
        "/messages?skipPhoneValidation=TRUE", json={"phoneNumbers": ["*100#", "12-34-567"], "message": "a"}
    )
    assert answer.status_code == 202
    assert [row.peer for row in gate.world.messages()] == ["*100#", "1234567"]
    refused = await gate.http.post("/messages?skipPhoneValidation=true", json={"phoneNumbers": ["abc"], "message": "a"})
    message_of(refused, 400)
    message_of(await gate.http.post("/messages?skipPhoneValidation=perhaps", json={}), 400)


async def test_an_account_without_an_active_phone_is_told_so(gate: Gate) -> None:
    body = {"phoneNumbers": [NUMBER], "message": "a"}
    assert (await gate.http.post("/messages?deviceActiveWithin=1", json=body)).status_code == 202
    assert (await gate.http.post("/messages?deviceActiveWithin=0", json=body)).status_code == 202
    stranger = await gate.stranger()
    assert "record not found" in message_of(await stranger.post("/messages", json=body), 400)
    gate.world.change(Device, gate.device, is_online=False, last_seen_at=gate.clock.now() - 2 * 3_600_000)
    assert "record not found" in message_of(await gate.http.post("/messages?deviceActiveWithin=1", json=body), 400)
    assert (await gate.http.post("/messages?deviceActiveWithin=3", json=body)).status_code == 202


# --- lists -----------------------------------------------------------------------------------------------------------------------


async def test_lists_are_paged_and_counted(gate_anywhere: Gate) -> None:
    gate = gate_anywhere
    made = []
    for number in range(5):
        gate.clock.advance(1)
        made.append((await gate.send(id=f"m{number}"))["id"])
    answer = await gate.http.get("/messages", params={"limit": 2, "offset": 1})
    assert [one["id"] for one in answer.json()] == ["m3", "m2"]
    assert answer.headers["x-total-count"] == "5"
    assert "textMessage" not in answer.json()[0]
    whole = (await gate.http.get("/message?includeContent=True&sort=created_at")).json()
    assert [one["id"] for one in whole] == made
    assert whole[0]["textMessage"] == {"text": "hello"}


async def test_lists_are_narrowed_by_time_state_and_phone(gate_anywhere: Gate) -> None:
    gate = gate_anywhere
    old = await gate.send(id="old")
    gate.clock.advance(60)
    new = await gate.send(id="new")
    gate.phones.bound(gate.device, gate.text_ids()[0])
    ids = {
        "": ["new", "old"],
        f"from={new['createdAt']}": ["new"],
        f"to={new['createdAt']}": ["old"],
        f"from={old['createdAt']}&to={new['createdAt'].replace('Z', '%2B00:00')}": ["old"],
        "state=Pending": ["new"],
        "state=Processed": ["old"],
        "state=Failed": [],
        f"deviceId={gate.shown_device}": ["new", "old"],
        f"deviceId={to_smsgate21('0' * 24)}": [],
        f"deviceId={gate.shown_device}&state=Processed&sort=created_at": ["old"],
    }
    for query, expected in ids.items():
        answer = await gate.http.get(f"/messages?{query}")
        assert answer.status_code == 200, (query, answer.text)
        assert [one["id"] for one in answer.json()] == expected, query
        assert answer.headers["x-total-count"] == str(len(expected)), query


async def test_texts_of_other_doors_are_listed_as_messages_of_one_recipient(gate_anywhere: Gate) -> None:
    gate = gate_anywhere
    await gate.send(NUMBER, OTHER, id="mine")
    gate.clock.advance(60)
    other = to_smsgate21(gate.world.send(text="by another door"))
    gate.world.send(text="a stranger's", account_id=STRANGER)
    await gate.receive("an inbound one")
    for query, expected in {
        "includeContent=true": [other, "mine"],
        "limit=1": [other],
        "limit=1&offset=1": ["mine"],
        "sort=created_at": ["mine", other],
        "state=Pending": [other, "mine"],
        "state=Sent": [],
        f"deviceId={to_smsgate21('0' * 24)}": [],
    }.items():
        listed = (await gate.http.get(f"/messages?{query}")).json()
        assert [one["id"] for one in listed] == expected, query
    alone = (await gate.http.get("/messages?limit=1&includeContent=true")).json()[0]
    assert alone == await gate.state(other)
    assert (len(alone["recipients"]), alone["textMessage"]) == (1, {"text": "by another door"})


@pytest.mark.parametrize("word", ["Pending", "Processed", "Sent", "Delivered", "Failed", "Cancelling", "Cancelled"])
async def test_a_state_that_is_listed_is_the_state_that_is_shown(gate_anywhere: Gate, word: str) -> None:
    """The table of the statement and the table of the words are one: every state, alone and beside every other."""
    gate = gate_anywhere
    states = ["queued", "scheduled", "retried", "dispatched", "uncertain", "sent", "delivered", "failed", "expired"]
    states += ["undelivered", "dead_letter", "cancelled"]
    asked = [None, gate.clock.now()]
    for place, one in enumerate(states):
        await gate.send(NUMBER, OTHER, id=f"m{place}")
        first, second = gate.text_ids()[-2:]
        gate.world.change(Message, first, state=one, cancel_requested_at=asked[place % 2])
        gate.world.change(Message, second, state=states[(place * 5 + 1) % len(states)])
    everything = (await gate.http.get("/messages?limit=100")).json()
    listed = (await gate.http.get(f"/messages?limit=100&state={word}")).json()
    assert listed == [one for one in everything if one["state"] == word]


@pytest.mark.parametrize(
    "query",
    ["limit=101", "limit=x", "offset=-1", "state=Unknown", "sort=id", "from=yesterday", "deviceId=short",
     "includeContent=perhaps", "from=0001-01-01T00:00:00Z", "to=2026-13-01T00:00:00Z"],
)  # fmt: skip
async def test_a_bad_query_is_refused(gate: Gate, query: str) -> None:
    message_of(await gate.http.get(f"/messages?{query}"), 400)


# --- cancelling ------------------------------------------------------------------------------------------------------------------


async def test_what_no_phone_has_is_cancelled_at_once(gate: Gate) -> None:
    state = await gate.send(NUMBER, OTHER)
    answer = await gate.http.delete(f"/messages/{state['id']}")
    assert answer.status_code == 200
    assert answer.json()["state"] == "Cancelled"
    assert {row.state for row in gate.world.messages()} == {"cancelled"}


async def test_what_a_phone_has_is_asked_back(gate: Gate) -> None:
    state = await gate.send()
    job = gate.phones.bound(gate.device, gate.text_ids()[0])
    asked = (await gate.http.delete(f"/message/{state['id']}")).json()
    assert (asked["state"], asked["recipients"][0]["state"]) == ("Cancelling", "Cancelling")
    assert set(asked["states"]) == {"Pending", "Processed", "Cancelling"}
    gate.phones.report(gate.device, SmsCancelled(job.id, job.submission))
    assert (await gate.state(state["id"]))["state"] == "Cancelled"


async def test_what_has_gone_cannot_be_cancelled(gate: Gate) -> None:
    state = await gate.send()
    gate.phones.sent(gate.device, gate.phones.bound(gate.device, gate.text_ids()[0]))
    assert message_of(await gate.http.delete(f"/messages/{state['id']}"), 409) == "message is not pending"
    assert message_of(await gate.http.delete("/messages/unknown"), 404) == "message not found"
    assert message_of(await gate.http.get("/messages/unknown"), 404) == "message not found"
    assert message_of(await gate.http.get("/messages/"), 404) == "message not found"


async def test_clients_from_before_cancelling_are_told_words_they_know(gate: Gate) -> None:
    state = await gate.send()
    gate.phones.bound(gate.device, gate.text_ids()[0])
    await gate.http.delete(f"/messages/{state['id']}")
    old = {"User-Agent": "android-sms-gateway/1.0.0 (client; python 3.11)"}
    shown = (await gate.http.get(f"/messages/{state['id']}", headers=old)).json()
    assert (shown["state"], shown["recipients"][0]["state"]) == ("Pending", "Pending")
    gate.world.change(Message, gate.text_ids()[0], state="cancelled", final_at=gate.clock.now())
    (listed,) = (await gate.http.get("/messages", headers=old)).json()
    assert (listed["state"], listed["recipients"][0]["state"], listed["recipients"][0]["error"]) == (
        "Failed",
        "Failed",
        "cancelled",
    )
    assert not {"Cancelling", "Cancelled"} & set(listed["states"])


# --- others ----------------------------------------------------------------------------------------------------------------------


async def test_nobody_sees_another_accounts_messages(gate: Gate) -> None:
    state = await gate.send(id="mine")
    stranger = await gate.stranger()
    for shown_id in ("mine", to_smsgate21(gate.text_ids()[0])):
        message_of(await stranger.get(f"/messages/{shown_id}"), 404)
        message_of(await stranger.delete(f"/messages/{shown_id}"), 404)
    listed = await stranger.get("/messages")
    assert (listed.json(), listed.headers["x-total-count"]) == ([], "0")
    listed = await stranger.get(f"/messages?deviceId={gate.shown_device}")
    assert listed.json() == []
    assert (await gate.state(state["id"]))["state"] == "Pending"
