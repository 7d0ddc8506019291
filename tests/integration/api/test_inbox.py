"""Conversations, waiting for a text, and measuring one."""

from typing import Any

import pytest

from hub.core.errors import Code
from tests.integration.api.hub_api import Api, problem

pytestmark = pytest.mark.anyio
NUMBER = "+491701234567"
KEY = "Idempotency-Key"


async def test_measuring_names_what_makes_a_text_expensive(api: Api) -> None:
    found = await api.post("/v1/segments", {"text": "We’ll keep it at the front desk. " * 3})
    assert (found["encoding"], found["segments"]) == ("ucs2", 2)
    assert found["forcing"] == [{"character": "’", "code_point": "U+2019", "first_at": 2}]
    assert (found["plainer"]["encoding"], found["plainer"]["segments"]) == ("gsm7", 1)
    plain = await api.post("/v1/segments", {"text": "a" * 161})
    assert (plain["segments"], plain["per_segment"], plain["remaining"], plain["plainer"]) == (2, 153, 145, None)
    assert (await api.post("/v1/segments", {"text": "x" * 10_000}))["is_too_long"]


async def test_a_conversation_is_read_archived_and_muted(api: Api) -> None:
    device = api.world.phone()
    await api.receive(device, "one", NUMBER)
    await api.receive(device, "two", NUMBER)
    api.clock.advance(1)
    await api.receive(device, "elsewhere", "+447700900123")
    first, second = (await api.get("/v1/conversations"))["items"]
    assert (first["peer"], second["peer"], second["unread"]) == ("+447700900123", NUMBER, 2)
    assert second["last_message"]["text"] == "two"
    path = f"/v1/conversations/{second['id']}"
    texts = (await api.get(f"{path}/messages"))["items"]
    assert [message["text"] for message in texts] == ["two", "one"]
    assert (await api.patch(path, {"read_up_to": texts[1]["id"]}))["unread"] == 1
    read = await api.patch(path, {"is_read": True, "is_muted": True})
    assert (read["unread"], read["muted_at"] is not None) == (0, True)
    assert (await api.patch(path, {"is_read": False}))["unread"] >= 1
    await api.patch(path, {"is_archived": True})
    assert [one["id"] for one in (await api.get("/v1/conversations", is_archived="true"))["items"]] == [second["id"]]
    assert [one["id"] for one in (await api.get("/v1/conversations"))["items"]] == [first["id"]]


async def test_the_inbox_finds_what_came_before_and_goes_on_behind_it(api: Api) -> None:
    device = api.world.phone()
    before = (await api.get("/v1/inbox/wait", timeout=0))["cursor"]
    for text in ("noise", "Your code is 123456.", "Your code is 654321."):
        await api.receive(device, text)
    ask = {"match": "re2", "pattern": r"code is \d{6}", "timeout": 0}
    first = await api.get("/v1/inbox/wait", after=before, **ask)
    second = await api.get("/v1/inbox/wait", after=first["cursor"], **ask)
    third = await api.get("/v1/inbox/wait", after=second["cursor"], **ask)
    assert [found["message"] and found["message"]["text"] for found in (first, second, third)] == [
        "Your code is 123456.",
        "Your code is 654321.",
        None,
    ]
    assert (await api.get("/v1/inbox/wait", **ask))["message"] is None, (
        "without after only what comes from now on counts"
    )


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ({"match": "literal", "pattern": "code"}, True),
        ({"match": "literal", "pattern": "Code"}, False),
        ({"match": "prefix", "pattern": "Your"}, True),
        ({"match": "prefix", "pattern": "code"}, False),
        ({"match": "glob", "pattern": "Your * is ??????."}, True),
        ({"match": "glob", "pattern": "Your"}, False),
        ({"match": "re2", "pattern": r"^Your.*\d\.$"}, True),
        ({"sender": "+447700900123"}, True),
        ({"sender": "+447700900124"}, False),
        ({"match": "re2", "pattern": "(a+)+$", "sender": "+447700900123"}, False),
    ],
)
async def test_every_way_to_match(api: Api, query: dict[str, str], is_found: bool) -> None:
    device = api.world.phone()
    before = (await api.get("/v1/inbox/wait", timeout=0))["cursor"]
    await api.receive(device, "Your code is 123456.")
    found = await api.get("/v1/inbox/wait", after=before, timeout=0, **query)
    assert (found["message"] is not None) is is_found


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"match": "re2", "pattern": "("}, Code.BAD_PATTERN),
        ({"match": "re2", "pattern": "(?=x)"}, Code.BAD_PATTERN),
        ({"match": "re2"}, Code.BAD_PATTERN),
        ({"timeout": 61}, Code.VALIDATION),
        ({"after": "x"}, Code.BAD_CURSOR),
    ],
)
async def test_a_wait_that_cannot_be_is_refused(api: Api, query: dict[str, Any], code: Code) -> None:
    problem(await api.http.get("/v1/inbox/wait", params=query), code)
