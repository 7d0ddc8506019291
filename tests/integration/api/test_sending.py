"""Sending texts over the API: taken, refused, repeated."""

import asyncio
from typing import Any

import pytest

from hub.core.errors import Code
from hub.core.ids import render
from hub.storage.schema.messages import Batch, Message
from tests.integration.api.hub_api import Api, problem

pytestmark = pytest.mark.anyio
NUMBER = "+491701234567"
KEY = "Idempotency-Key"


def rows(api: Api) -> list[dict[str, Any]]:
    return api.world.rows(Message)


async def test_a_text_is_stored_when_it_is_answered(api_anywhere: Api) -> None:
    api = api_anywhere
    api.world.phone()
    sent = await api.send(NUMBER, "hello", metadata={"order": "17"})
    assert (sent["accepted"], sent["refused"], sent["batch_id"], sent["segments"]) == (1, 0, None, 1)
    (result,) = sent["results"]
    assert (result["to"], result["peer"], result["state"], result["error"]) == (NUMBER, NUMBER, "queued", None)
    (row,) = rows(api)
    assert render("message", row["id"]) == result["message_id"]
    message = await api.get(f"/v1/messages/{result['message_id']}")
    assert (message["text"], message["direction"], message["metadata"]) == ("hello", "mt", {"order": "17"})
    assert message["created_at"] == "2026-09-21T14:13:20.000Z"


async def test_many_recipients_make_a_batch_with_a_result_each(api: Api) -> None:
    api.world.phone()
    sent = await api.send([NUMBER, "nonsense", "+49", "", "+491701234568"], batch_name="offer")
    assert (sent["accepted"], sent["refused"]) == (2, 3)
    assert [result["message_id"] is None for result in sent["results"]] == [False, True, True, True, False]
    assert all(result["error"]["message"] for result in sent["results"] if result["error"])
    assert len(rows(api)) == 2, "bad recipients are stored nowhere"
    batch = await api.get(f"/v1/batches/{sent['batch_id']}")
    assert (batch["name"], batch["total"], batch["refused"], batch["finished"]) == ("offer", 2, 3, 0)
    assert batch["states"] == [{"state": "queued", "count": 2}]


async def test_all_or_nothing_refuses_the_request_for_one_bad_recipient(api: Api) -> None:
    answer = await api.http.post("/v1/messages", json={"to": [NUMBER, "nonsense"], "text": "x", "all_or_nothing": True})
    assert [error["field"] for error in problem(answer, Code.BAD_RECIPIENT)["errors"]] == ["to[1]"]
    assert rows(api) == []
    assert api.world.rows(Batch) == []


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"to": "x", "text": "x"}, Code.BAD_RECIPIENT, "to[0]"),
        ({"to": [], "text": "x"}, Code.VALIDATION, "to"),
        ({"to": NUMBER, "text": ""}, Code.TEXT_EMPTY, None),
        ({"to": NUMBER, "text": "x" * 3500}, Code.TEXT_TOO_LONG, None),
        ({"to": [NUMBER] * 1001, "text": "x"}, Code.TOO_MANY_RECIPIENTS, None),
        ({"to": 5, "text": "x"}, Code.VALIDATION, "to"),
        ({"to": NUMBER}, Code.VALIDATION, "text"),
        ({"to": NUMBER, "text": "x", "txet": "y"}, Code.VALIDATION, "txet"),
        ({"to": NUMBER, "text": "x", "ttl_seconds": 0}, Code.VALIDATION, "ttl_seconds"),
        ({"to": NUMBER, "text": "x", "priority": "urgent"}, Code.VALIDATION, "priority"),
        ({"to": NUMBER, "text": "x", "send_at": "tomorrow"}, Code.VALIDATION, "send_at"),
        ({"to": NUMBER, "text": "x", "send_at": "2026-10-01T10:00:00"}, Code.VALIDATION, "send_at"),
        ({"to": NUMBER, "text": "x", "send_at": "2020-01-01T00:00:00Z"}, Code.SCHEDULE_OUT_OF_RANGE, None),
        ({"to": NUMBER, "text": "x", "from": "a", "line_id": "lin_" + "0" * 24}, Code.VALIDATION, "line_id"),
        ({"to": NUMBER, "text": "x", "slot": 1}, Code.VALIDATION, "slot"),
        ({"to": NUMBER, "text": "x", "line_id": "lin_" + "0" * 24}, Code.UNKNOWN_SENDER, None),
        ({"to": NUMBER, "text": "x", "line_id": "dev_" + "0" * 24}, Code.VALIDATION, "line_id"),
        ({"to": NUMBER, "text": "x", "from": "Nobody", "strict_sender": True}, Code.UNKNOWN_SENDER, None),
        ({"to": NUMBER, "text": "x", "metadata": {"a": 1}}, Code.VALIDATION, "metadata[...]"),
        ({"to": NUMBER, "text": "x", "metadata": {str(n): "x" for n in range(51)}}, Code.VALIDATION, "metadata"),
        ({"to": NUMBER, "text": "x\x00y"}, Code.VALIDATION, "text"),
        ({"to": NUMBER, "text": "x", "callback": {"url": "http://10.0.0.1/"}}, Code.TARGET_REFUSED, "callback.url"),
        ({"to": NUMBER, "text": "x", "callback": {"url": "ftp://a.example"}}, Code.VALIDATION, "callback.url"),
        (
            {"to": NUMBER, "text": "x", "callback": {"url": "https://a.example", "format": "none"}},
            Code.VALIDATION,
            "callback.format",
        ),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_what_cannot_be_sent_is_refused_and_stored_nowhere(
    api: Api, body: dict[str, Any], code: Code, field: str | None
) -> None:
    api.world.phone()
    answer = await api.http.post("/v1/messages", json=body)
    fields = [error["field"] for error in problem(answer, code).get("errors", [])]
    assert fields == ([] if field is None else [field])
    assert rows(api) == []


async def test_a_repeated_request_is_answered_the_same_and_sends_nothing(api_anywhere: Api) -> None:
    api = api_anywhere
    api.world.phone()
    body = {"to": [NUMBER, "nonsense"], "text": "once"}
    first = await api.http.post("/v1/messages", json=body, headers={KEY: "order-17"})
    second = await api.http.post("/v1/messages", json=body, headers={KEY: "order-17"})
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.content == second.content
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert len(rows(api)) == 1


async def test_equal_keys_at_the_same_moment_make_one_text(api_anywhere: Api) -> None:
    api = api_anywhere
    api.world.phone()
    body = {"to": NUMBER, "text": "once"}
    answers = await asyncio.gather(*(api.http.post("/v1/messages", json=body, headers={KEY: "k"}) for _ in range(20)))
    assert {answer.content for answer in answers} == {answers[0].content}
    assert len(rows(api)) == 1


async def test_a_key_used_for_another_request_is_a_conflict(api: Api) -> None:
    api.world.phone()
    await api.post("/v1/messages", {"to": NUMBER, "text": "one"}, **{KEY: "k"})
    answer = await api.http.post("/v1/messages", json={"to": NUMBER, "text": "two"}, headers={KEY: "k"})
    problem(answer, Code.IDEMPOTENCY_CONFLICT)
    stranger = await api.stranger().post("/v1/messages", json={"to": NUMBER, "text": "two"}, headers={KEY: "k"})
    assert stranger.status_code == 202, "keys count within an account"


@pytest.mark.parametrize("key", ["", "x" * 256, "two words", "ümlaut"])
async def test_a_key_that_is_none_is_refused(api: Api, key: str) -> None:
    answer = await api.http.post(
        "/v1/messages",
        json={"to": NUMBER, "text": "x"},
        headers=[(KEY.encode(), key.encode("latin-1"))],
    )
    assert [error["field"] for error in problem(answer, Code.VALIDATION)["errors"]] == [KEY]


async def test_national_numbers_are_read_with_the_accounts_region(api: Api) -> None:
    await api.patch("/v1/account", {"settings": {"default_region": "GB"}})
    sent = await api.send("07700 900123")
    assert sent["results"][0]["peer"] == "+447700900123"
    await api.patch("/v1/account", {"settings": {"default_region": "DE"}})
    assert (await api.send("0170 1234567"))["results"][0]["peer"] == NUMBER


NASTY = [
    " ",
    "\n\r\t",
    "\x01\x1f\x7f\x85\u2028",
    "'; drop table message; --",
    "<script>alert(1)</script> &amp; %s %00 \\u0000 {0} ${x}",
    "שלום \u202e مرحبا",
    "e\u0301 \u00e9 \ufb01 \u1e9e",
    "👩‍👩‍👧‍👦🏳️‍🌈 \U0010ffff",
    "\ufeff\u200b\u200d",
    "\ufffd \ufdd0 \uffff",
    "^{}\\[~]|€",
]


async def test_any_text_comes_back_as_it_was_sent(api_anywhere: Api) -> None:
    for text in NASTY:
        (result,) = (await api_anywhere.send(NUMBER, text))["results"]
        assert (await api_anywhere.get(f"/v1/messages/{result['message_id']}"))["text"] == text
