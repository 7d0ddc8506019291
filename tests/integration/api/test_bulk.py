"""Batches that are filled row by row: looked through, uploaded as often as it takes, sent once."""

from typing import Any

import pytest

from hub.core.clock import rfc3339
from hub.core.errors import Code
from hub.core.ids import render
from hub.storage.schema.messages import BatchRow, Message
from tests.integration.api.hub_api import Api, problem

pytestmark = pytest.mark.anyio
KEY = "Idempotency-Key"
ROWS = [
    {"row": 2, "to": "+491701234567", "text": "Hello Maya"},
    {"row": 3, "to": "not a number", "text": "Hello nobody"},
    {"row": 4, "to": "+49 170 1234567", "text": "Hello again"},
    {"row": 5, "to": "+491701234568", "text": ""},
    {"row": 6, "to": "+491701234569", "text": "Hello Tom ☂"},
]


async def make(api: Api, key: str | None = None, **body: Any) -> dict[str, Any]:
    headers = {} if key is None else {KEY: key}
    made: dict[str, Any] = await api.post("/v1/batches", {"name": "Offer", "rows_expected": 5, **body}, **headers)
    return made


async def fill(api: Api, batch: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
    added: dict[str, Any] = await api.post(f"/v1/batches/{batch['id']}/rows", {"rows": rows})
    return added


def texts(api: Api) -> list[str]:
    return [row["text"] for row in sorted(api.world.rows(Message), key=lambda row: row["id"])]


async def test_each_row_becomes_its_own_text_or_has_a_reason(api_anywhere: Api) -> None:
    api = api_anywhere
    api.world.phone()
    batch = await make(api)
    added = await fill(api, batch, ROWS)
    assert (added["accepted"], added["refused"], added["repeated"]) == (2, 3, 0)
    problems = {one["row"]: one["problem"] for one in added["results"] if one["problem"]}
    assert {row: one["code"] for row, one in problems.items()} == {3: "not_a_number", 4: "duplicate", 5: "text_empty"}
    assert (problems[4]["message"], problems[4]["same_as"]) == ("Same number as row 2.", 2)
    assert texts(api) == ["Hello Maya", "Hello Tom ☂"]
    shown = await api.get(f"/v1/batches/{batch['id']}")
    assert (shown["total"], shown["refused"], shown["rows_expected"]) == (2, 3, 5)
    left_out = await api.get(f"/v1/batches/{batch['id']}/rows", outcome="refused", limit=2)
    assert [one["row"] for one in left_out["items"]] == [3, 4]
    rest = await api.get(f"/v1/batches/{batch['id']}/rows", outcome="refused", cursor=left_out["next_cursor"])
    assert [one["row"] for one in rest["items"]] == [5]


async def test_an_upload_done_again_sends_nothing_twice(api_anywhere: Api) -> None:
    api = api_anywhere
    api.world.phone()
    batch = await make(api, "autumn")
    first = await fill(api, batch, ROWS[:3])
    again = await make(api, "autumn")
    assert again["id"] == batch["id"]
    second = await fill(api, again, ROWS)
    assert second["repeated"] == 3
    assert [one["is_repeat"] for one in second["results"]] == [True, True, True, False, False]
    for before, after in zip(first["results"], second["results"], strict=False):
        assert {**after, "is_repeat": False} == before
    assert texts(api) == ["Hello Maya", "Hello Tom ☂"]
    other = await api.http.post("/v1/batches", json={"name": "Other"}, headers={KEY: "autumn"})
    problem(other, Code.IDEMPOTENCY_CONFLICT)
    assert len(api.world.rows(BatchRow)) == 5


async def test_a_duplicate_is_known_across_chunks_and_only_of_rows_that_were_taken(api_anywhere: Api) -> None:
    api = api_anywhere
    api.world.phone()
    batch = await make(api)
    await fill(api, batch, [{"row": 1, "to": "+491701234567", "text": ""}])
    await fill(api, batch, [{"row": 2, "to": "+491701234567", "text": "taken"}])
    later = await fill(api, batch, [{"row": 9, "to": "+49 (170) 123-4567", "text": "late"}])
    assert later["results"][0]["problem"]["same_as"] == 2
    assert texts(api) == ["taken"]


async def test_rows_of_a_paused_batch_wait_and_a_cancelled_one_takes_none(api: Api) -> None:
    api.world.phone()
    batch = await make(api)
    await api.post(f"/v1/batches/{batch['id']}/pause")
    await fill(api, batch, ROWS[:1])
    assert (await api.get("/v1/messages"))["items"][0]["due_at"] is None, "it waits until the batch goes on"
    resumed = await api.post(f"/v1/batches/{batch['id']}/resume")
    assert resumed["waiting"] == 1
    await api.post(f"/v1/batches/{batch['id']}/cancel")
    refused = await api.http.post(f"/v1/batches/{batch['id']}/rows", json={"rows": ROWS[4:]})
    problem(refused, Code.CONFLICT)


async def test_a_batch_of_one_request_takes_no_rows(api: Api) -> None:
    api.world.phone()
    sent = await api.send(["+491701234567", "+491701234568"])
    answer = await api.http.post(f"/v1/batches/{sent['batch_id']}/rows", json={"rows": ROWS})
    problem(answer, Code.CONFLICT)
    assert (await api.get(f"/v1/batches/{sent['batch_id']}/rows"))["items"] == []


async def test_a_row_number_twice_in_a_request_is_refused(api: Api) -> None:
    batch = await make(api)
    answer = await api.http.post(f"/v1/batches/{batch['id']}/rows", json={"rows": [ROWS[0], ROWS[0]]})
    assert "Row 2" in problem(answer, Code.VALIDATION)["detail"]


async def test_the_sender_and_the_time_hold_for_every_row(api: Api) -> None:
    api.world.phone()
    other = api.world.phone("Other")
    (line,) = api.world.lines(other)
    at = api.clock.now() + 3_600_000
    made = await make(api, line_id=render("line", line), send_at=rfc3339(at))
    await fill(api, made, ROWS[:1])
    (message,) = (await api.get("/v1/messages"))["items"]
    assert (message["state"], message["line_id"], message["priority"]) == ("scheduled", render("line", line), "bulk")
    api.clock.advance(7200)
    await fill(api, made, [{"row": 8, "to": "+491701234569", "text": "late"}])
    newest = (await api.get("/v1/messages"))["items"][0]
    assert newest["state"] == "queued", "a row that comes after the time goes now"


async def test_a_preview_says_what_sending_would_and_stores_nothing(api: Api) -> None:
    api.world.phone()
    preview = await api.post("/v1/batches/preview", {"rows": ROWS})
    assert (preview["good"], preview["segments"]) == (2, 2)
    assert preview["left_out"] == 3
    assert [one["problem"]["code"] for one in preview["items"] if one["problem"]] == [
        "not_a_number",
        "duplicate",
        "text_empty",
    ]
    assert [one["encoding"] for one in preview["items"] if one["problem"] is None] == ["gsm7", "ucs2"]
    assert api.world.rows(Message) == []


async def test_who_opted_out_is_left_out_of_the_preview_and_of_the_batch(api_anywhere: Api) -> None:
    api = api_anywhere
    device = api.world.phone()
    await api.receive(device, "STOP", "+491701234567")
    preview = await api.post("/v1/batches/preview", {"rows": ROWS[:1]})
    assert preview["items"][0]["problem"]["code"] == "opted_out"
    added = await fill(api, await make(api), [ROWS[0], ROWS[4]])
    assert [one["problem"] and one["problem"]["code"] for one in added["results"]] == ["opted_out", None]
    assert texts(api)[-1:] == ["Hello Tom ☂"]
