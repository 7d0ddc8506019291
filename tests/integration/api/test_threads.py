"""The inbox over all lines: one thread for each peer, what is unread, and what people know of a peer."""

from typing import Any

import pytest

from hub.core.ids import render
from hub.storage.schema.messages import Message
from tests.integration.api.hub_api import Api, problem

pytestmark = pytest.mark.anyio
MAYA, TOM = "+447700900142", "+447700900463"


@pytest.fixture
def inbox(api_anywhere: Api) -> tuple[Api, list[str]]:
    """Two phones, each with a line."""
    return api_anywhere, [api_anywhere.world.phone(), api_anywhere.world.phone()]


async def take_in(api: Api, device: str, text: str, sender: str = MAYA) -> str:
    api.clock.advance(1)
    return await api.receive(device, text, sender)


async def the_thread(api: Api, peer: str = MAYA) -> Any:
    (thread,) = (await api.get("/v1/threads", peer=peer))["items"]
    return thread


async def test_a_thread_is_one_over_all_lines(inbox: tuple[Api, list[str]]) -> None:
    api, (first, second) = inbox
    await take_in(api, first, "one")
    await take_in(api, second, "two")
    await take_in(api, first, "of Tom", TOM)
    await take_in(api, first, "three")
    maya, tom = (await api.get("/v1/threads"))["items"]
    assert (maya["peer"], tom["peer"]) == (MAYA, TOM)
    assert (maya["last_message"]["text"], maya["unread"], len(maya["lines"])) == ("three", 3, 2)
    for line in maya["lines"]:
        texts = await api.get(f"/v1/threads/{line['conversation_id']}/messages")
        assert [one["text"] for one in texts["items"]] == ["three", "two", "one"], "any conversation names the thread"
    whole = await api.get(f"/v1/threads/{maya['id']}")
    assert [line["texts"] for line in whole["lines"]] == [2, 1]
    only = await api.get("/v1/threads", line_id=maya["lines"][1]["line_id"])
    assert [(one["peer"], one["last_message"]["text"], one["unread"]) for one in only["items"]] == [(MAYA, "two", 1)]


async def test_texts_of_all_lines_come_in_pages_without_a_hole(inbox: tuple[Api, list[str]]) -> None:
    api, devices = inbox
    for number in range(11):
        await take_in(api, devices[number % 2], str(number))
    thread = await the_thread(api)
    for order, expected in (("newest_first", range(10, -1, -1)), ("oldest_first", range(11))):
        seen: list[str] = []
        cursor: str | None = None
        while True:
            query = {"cursor": cursor} if cursor else {}
            page = await api.get(f"/v1/threads/{thread['id']}/messages", limit=4, order=order, **query)
            seen += [one["text"] for one in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert seen == [str(number) for number in expected]
    texts = (await api.get(f"/v1/threads/{thread['id']}/messages"))["items"]
    older = await api.get(f"/v1/threads/{thread['id']}/messages", before=texts[5]["id"], limit=2)
    newer = await api.get(f"/v1/threads/{thread['id']}/messages", after=texts[5]["id"], limit=2)
    assert [one["text"] for one in older["items"] + newer["items"]] == ["4", "3", "6", "7"]


async def test_the_inbox_comes_in_pages(inbox: tuple[Api, list[str]]) -> None:
    api, devices = inbox
    peers = [f"+4477009001{number}" for number in range(10, 17)]
    for peer in peers:
        for device in devices:
            await take_in(api, device, "hello", peer)
    first = await api.get("/v1/threads", limit=4)
    second = await api.get("/v1/threads", limit=4, cursor=first["next_cursor"])
    assert [one["peer"] for one in first["items"] + second["items"]] == peers[::-1]
    assert second["next_cursor"] is None


async def test_what_is_done_to_a_thread_is_done_to_all_its_conversations(inbox: tuple[Api, list[str]]) -> None:
    api, (first, second) = inbox
    await take_in(api, first, "one")
    await take_in(api, second, "two")
    path = f"/v1/threads/{(await the_thread(api))['id']}"
    assert (await api.get("/v1/threads/counts")) == {"unread": 1, "waiting": 1, "failed": 0}
    read = await api.patch(path, {"is_read": True, "is_muted": True})
    assert (read["unread"], read["muted_at"] is not None) == (0, True)
    assert (await api.get("/v1/threads", show="unread"))["items"] == []
    assert (await api.patch(path, {"is_read": False}))["unread"] == 1
    assert (await api.get("/v1/threads/counts"))["unread"] == 0, "a muted thread wants nobody"
    assert len((await api.get("/v1/threads", show="unread"))["items"]) == 1
    await api.patch(path, {"is_archived": True})
    assert (await api.get("/v1/threads"))["items"] == []
    assert len((await api.get("/v1/threads", show="archived"))["items"]) == 1
    assert len((await api.get("/v1/threads", text="0142"))["items"]) == 1, "a search finds the archive"
    await take_in(api, second, "back")
    assert [one["last_message"]["text"] for one in (await api.get("/v1/threads"))["items"]] == ["back"]


async def test_a_thread_waits_until_it_is_answered_and_fails_with_its_last_text(inbox: tuple[Api, list[str]]) -> None:
    api, (first, _) = inbox
    await take_in(api, first, "hi?")
    assert len((await api.get("/v1/threads", show="waiting"))["items"]) == 1
    api.clock.advance(1)
    sent = await api.post("/v1/messages", {"to": MAYA, "text": "hello"})
    assert (await api.get("/v1/threads", show="waiting"))["items"] == []
    api.world.change(Message, sent["results"][0]["message_id"].removeprefix("msg_"), state="failed")
    assert [one["peer"] for one in (await api.get("/v1/threads", show="failed"))["items"]] == [MAYA]
    assert (await api.get("/v1/threads/counts"))["failed"] == 1


async def test_a_contact_names_its_numbers(inbox: tuple[Api, list[str]]) -> None:
    api, (first, _) = inbox
    await take_in(api, first, "hi")
    numbers = [{"peer": "+44 7700 900142"}, {"peer": "+447700900719", "label": "work"}]
    made = await api.post("/v1/contacts", {"name": "Maya Okafor", "tags": ["Regular", "Regular"], "numbers": numbers})
    assert ([one["peer"] for one in made["numbers"]], made["tags"]) == ([MAYA, "+447700900719"], ["Regular"])
    thread = await the_thread(api)
    assert (thread["name"], thread["tags"], thread["contact_id"]) == ("Maya Okafor", ["Regular"], made["id"])
    for text in ("okaf", "regul", "7700 900142", "07700 900 142"):
        assert [one["peer"] for one in (await api.get("/v1/threads", text=text))["items"]] == [MAYA], text
    assert (await api.get("/v1/threads", text="nobody"))["items"] == []
    changed = await api.patch(f"/v1/contacts/{made['id']}", {"notes": "Prefers Saturdays."})
    assert (changed["name"], changed["notes"], len(changed["numbers"])) == ("Maya Okafor", "Prefers Saturdays.", 2)
    other = await api.post("/v1/contacts", {"name": "Office", "numbers": [{"peer": MAYA}]})
    assert (await the_thread(api))["name"] == "Office", "the last to claim a number has it"
    assert len((await api.get(f"/v1/contacts/{made['id']}"))["numbers"]) == 1
    assert [one["id"] for one in (await api.get("/v1/contacts", peer=MAYA))["items"]] == [other["id"]]
    assert (await api.http.delete(f"/v1/contacts/{other['id']}")).status_code == 204
    assert (await the_thread(api))["name"] is None
    refused = problem(
        await api.http.post("/v1/contacts", json={"name": "x", "numbers": [{"peer": "12"}]}), "validation"
    )
    assert refused["errors"][0]["field"] == "numbers[0].peer"


async def test_snippets_are_kept_by_name(api: Api) -> None:
    hours = await api.post("/v1/snippets", {"name": "Hours", "text": "9 to 18"})
    await api.post("/v1/snippets", {"name": "Address", "text": "Station Road 4"})
    await api.patch(f"/v1/snippets/{hours['id']}", {"name": "Hours", "text": "10 to 18"})
    kept = (await api.get("/v1/snippets"))["items"]
    assert [(one["name"], one["text"]) for one in kept] == [("Address", "Station Road 4"), ("Hours", "10 to 18")]
    assert (await api.http.delete(f"/v1/snippets/{hours['id']}")).status_code == 204
    assert (await api.http.delete(f"/v1/snippets/{hours['id']}")).status_code == 404


async def test_a_sender_is_known_before_the_text_is_sent(inbox: tuple[Api, list[str]]) -> None:
    api, (_, second) = inbox
    await take_in(api, second, "hi")
    line = (await the_thread(api))["lines"][0]["line_id"]
    choice = await api.post("/v1/senders", {"to": MAYA})
    assert (choice["line_id"], choice["why"], choice["obstacle"]) == (line, "sticky", None)
    sent = await api.post("/v1/messages", {"to": MAYA, "text": "hello"})
    assert sent["results"][0]["line_id"] == choice["line_id"], "accepting chooses the same"
    other = next(one["id"] for one in (await api.get("/v1/lines"))["items"] if one["id"] != line)
    assert (await api.post("/v1/senders", {"to": MAYA, "line_id": other}))["why"] == "asked"
    await api.patch(f"/v1/lines/{other}", {"is_enabled": False})
    off = await api.post("/v1/senders", {"to": MAYA, "line_id": other})
    assert (off["line_id"], off["obstacle"]["reason"]) == (other, "line_disabled")
    problem(await api.http.post("/v1/senders", json={"to": "12"}), "bad_recipient")


async def test_nobody_sees_anothers_threads_contacts_and_opt_outs(inbox: tuple[Api, list[str]]) -> None:
    api, (first, _) = inbox
    await take_in(api, first, "STOP")
    made = await api.post("/v1/contacts", {"name": "Maya", "numbers": [{"peer": MAYA}]})
    thread, snippet = await the_thread(api), await api.post("/v1/snippets", {"name": "a", "text": "b"})
    stranger = api.stranger()
    for path in ("/v1/threads", "/v1/contacts", "/v1/snippets", "/v1/optouts"):
        assert (await stranger.get(path)).json()["items"] == []
    for path in (f"/v1/threads/{thread['id']}", f"/v1/threads/{thread['id']}/messages", f"/v1/contacts/{made['id']}"):
        assert (await stranger.get(path)).status_code == 404
    theirs = {"name": "x", "text": "y"}
    assert (await stranger.patch(f"/v1/snippets/{snippet['id']}", json=theirs)).status_code == 404
    assert (await stranger.patch(f"/v1/threads/{thread['id']}", json={"is_read": True})).status_code == 404
    assert (await stranger.patch(f"/v1/contacts/{made['id']}", json={"name": "x"})).status_code == 404
    await stranger.post("/v1/contacts", json={"name": "Theirs", "numbers": [{"peer": MAYA}]})
    await stranger.post("/v1/optouts", json={"peer": MAYA, "is_opted_out": False})
    assert (await the_thread(api))["name"] == "Maya"
    assert (await the_thread(api))["opted_out_at"] is not None
    assert (await stranger.get("/v1/threads/" + render("conversation", "0" * 24))).status_code == 404
