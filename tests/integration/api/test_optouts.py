"""A number that asked to hear no more is texted no more: by no key, on no line, and not by what was waiting."""

import pytest

from tests.integration.api.hub_api import Api, problem
from tests.integration.api.test_threads import MAYA, TOM, take_in, the_thread

pytestmark = pytest.mark.anyio


async def test_stop_closes_every_line_and_start_opens_them_again(api_anywhere: Api) -> None:
    api = api_anywhere
    device = api.world.phone()
    api.world.phone()
    await take_in(api, device, " Stop. ")
    refused = await api.http.post("/v1/messages", json={"to": MAYA, "text": "offer"})
    problem(refused, "opted_out")
    thread = await the_thread(api)
    assert thread["opted_out_word"] == "Stop."
    counts = await api.get("/v1/threads/counts")
    assert (counts["unread"], counts["waiting"]) == (1, 0), "nobody can answer"
    assert (await api.get("/v1/threads", show="waiting"))["items"] == []
    assert (await api.post("/v1/senders", {"to": MAYA}))["opted_out_at"] is not None
    await take_in(api, device, "stop")
    await take_in(api, device, "start")
    assert (await the_thread(api))["opted_out_at"] is None
    assert (await api.get("/v1/threads/counts"))["waiting"] == 1
    history = (await api.post("/v1/optouts/read", {"peer": MAYA}))["history"]
    assert [(step["is_opted_out"], step["word"], step["by"]) for step in history] == [
        (True, "Stop.", "peer"),
        (False, "start", "peer"),
    ], "asking twice is asking once"
    await api.post("/v1/messages", {"to": MAYA, "text": "welcome back"})


async def test_what_waits_is_cancelled(api_anywhere: Api) -> None:
    api = api_anywhere
    device = api.world.phone()
    now = await api.post("/v1/messages", {"to": [MAYA, TOM], "text": "offer"})
    await take_in(api, device, "STOP")
    states = {one["peer"]: one["state"] for one in (await api.get("/v1/messages", direction="mt"))["items"]}
    assert states == {MAYA: "cancelled", TOM: "queued"}
    timeline = await api.get(f"/v1/messages/{now['results'][0]['message_id']}/timeline")
    assert "asked to hear no more" in timeline["items"][-1]["sentence"]


async def test_a_list_goes_out_without_those_who_opted_out(api_anywhere: Api) -> None:
    api = api_anywhere
    api.world.phone()
    await api.post("/v1/optouts", {"peer": MAYA, "is_opted_out": True})
    body = {"to": [MAYA, TOM, "12"], "text": "offer"}
    taken = await api.post("/v1/messages", body)
    assert (taken["accepted"], taken["refused"]) == (1, 2)
    assert [one["error"] and one["error"]["code"] for one in taken["results"]] == ["opted_out", None, "too_short"]
    batch = await api.get(f"/v1/batches/{taken['batch_id']}")
    assert (batch["total"], batch["refused"]) == (1, 2)
    whole = await api.http.post("/v1/messages", json={"to": [MAYA, TOM], "text": "offer", "all_or_nothing": True})
    problem(whole, "opted_out")


async def test_a_person_notes_and_lifts_it(api: Api) -> None:
    noted = await api.post("/v1/optouts", {"peer": MAYA, "is_opted_out": True})
    assert (noted["is_opted_out"], noted["word"], noted["history"][0]["by"]) == (True, None, "test")
    listed = await api.get("/v1/optouts")
    assert [one["peer"] for one in listed["items"]] == [MAYA]
    checked = (await api.post("/v1/optouts/check", {"to": ["+44 7700 900142", TOM, "no"]}))["items"]
    assert [(one["peer"], one["opted_out_at"] is not None, one["error"] is not None) for one in checked] == [
        (MAYA, True, False),
        (TOM, False, False),
        (None, False, True),
    ]
    lifted = await api.post("/v1/optouts", {"peer": MAYA, "is_opted_out": False})
    assert (lifted["is_opted_out"], len(lifted["history"])) == (False, 2)
    assert (await api.get("/v1/optouts"))["items"] == []


async def test_sending_again_is_sending(api: Api) -> None:
    api.world.phone()
    sent = await api.post("/v1/messages", {"to": MAYA, "text": "offer"})
    message_id = sent["results"][0]["message_id"]
    await api.post(f"/v1/messages/{message_id}/cancel")
    await api.post("/v1/optouts", {"peer": MAYA, "is_opted_out": True})
    again = await api.http.post(f"/v1/messages/{message_id}/resend")
    problem(again, "opted_out")
