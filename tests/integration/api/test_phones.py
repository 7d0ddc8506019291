"""Phones over the API: enrolled by a code, watched, named, paused, moved away from; and their lines."""

import io
from typing import Any

import pytest
from PIL import Image

from device_protocol.enrolment import DeviceDescription
from hub.core.errors import Code
from hub.core.ids import parse, render
from hub.devices.enrol import Enrol, code_hash, enrol
from hub.storage.schema.devices import DeviceConnection, DeviceEvent, DeviceGap, DeviceNotice, Enrolment, Line
from tests.integration.api.hub_api import Api, problem
from tests.integration.messages.world import ACCOUNT
from tests.qr_decoders import decoder

pytestmark = pytest.mark.anyio


async def use(api: Api, token: str) -> str:
    """A phone uses a code; the id it got."""
    command = Enrol(
        token_sha256=code_hash(token),
        secret_sha256="5" * 64,
        device=DeviceDescription(app_version="1.4.0", manufacturer="Google", model="Pixel 7a"),
        new_device_id=api.ids.next(api.clock.now()),
        hub_epoch=api.services.hub_epoch,
    )
    done = await api.db.writer.submit(enrol, command, *command.keys())
    return render("device", done.device_id)


async def test_a_code_is_shown_once_as_text_and_as_pictures_of_it(api: Api) -> None:
    made = await api.post("/v1/enrolments", {"name": "Front desk"})
    assert made["qr_text"] == f"https://hub.example/enroll#{made['token']}"
    assert made["qr_svg"].startswith("<?xml") or made["qr_svg"].startswith("<svg")
    png = await api.http.get(made["qr_png_url"].removeprefix("https://hub.example"))
    assert png.headers["content-type"] == "image/png"
    assert decoder("zxing-cpp")(Image.open(io.BytesIO(png.content))) == made["qr_text"]
    svg = await api.http.get(made["qr_svg_url"].removeprefix("https://hub.example"))
    assert (svg.headers["content-type"], svg.text) == ("image/svg+xml", made["qr_svg"])
    listed = await api.get("/v1/enrolments")
    assert [item["id"] for item in listed["items"]] == [made["enrolment"]["id"]]
    (row,) = api.world.rows(Enrolment)
    assert made["token"] not in str(row), "only its hash is stored"
    assert made["token"] not in made["qr_png_url"], "an address ends in logs"


async def test_the_picture_of_a_code_is_only_for_its_account_and_its_time(api: Api) -> None:
    made = await api.post("/v1/enrolments", {})
    other = await api.post("/v1/enrolments", {})
    path, sealed = made["qr_png_url"].removeprefix("https://hub.example").split("?code=")
    problem(await api.stranger().get(f"{path}?code={sealed}"), Code.NOT_FOUND)
    problem(await api.client().get(f"{path}?code={sealed}"), Code.UNAUTHENTICATED)
    problem(await api.http.get(f"{path}?code={other['qr_png_url'].split('?code=')[1]}"), Code.NOT_FOUND)
    problem(await api.http.get(f"{path}?code=AAAA"), Code.NOT_FOUND)
    problem(await api.http.get(f"{path}?code=%C3%A4"), Code.NOT_FOUND)
    problem(await api.http.get(path), Code.VALIDATION)
    api.clock.advance(600)
    problem(await api.http.get(f"{path}?code={sealed}"), Code.TOKEN_EXPIRED)


async def test_an_enrolment_says_how_it_goes(api: Api) -> None:
    made = await api.post("/v1/enrolments", {"name": "Front desk"})
    path = f"/v1/enrolments/{made['enrolment']['id']}"
    assert (await api.get(path))["state"] == "open"
    device_id = await use(api, made["token"])
    used = await api.get(path)
    assert (used["state"], used["device_id"]) == ("used", device_id)
    device = await api.get(f"/v1/devices/{device_id}")
    assert (device["name"], device["model"], device["state"]) == ("Front desk", "Pixel 7a", "offline")


async def test_a_code_is_withdrawn_and_expires(api: Api) -> None:
    made = await api.post("/v1/enrolments", {})
    path = f"/v1/enrolments/{made['enrolment']['id']}"
    answer = await api.http.delete(path)
    assert (answer.status_code, answer.json()["state"]) == (200, "revoked")
    old = (await api.post("/v1/enrolments", {}))["enrolment"]["id"]
    api.clock.advance(600)
    assert (await api.get(f"/v1/enrolments/{old}"))["state"] == "expired"


async def test_rotating_a_phone_makes_a_code_for_this_phone(api: Api) -> None:
    made = await api.post("/v1/enrolments", {"name": "Front desk"})
    device_id = await use(api, made["token"])
    again = await api.post(f"/v1/devices/{device_id}/rotate")
    assert again["enrolment"]["for_device_id"] == device_id
    assert await use(api, again["token"]) == device_id


async def test_a_phone_is_renamed_paused_suspended_and_let_back_in(api: Api) -> None:
    path = f"/v1/devices/{render('device', api.world.phone('Pixel'))}"
    assert (await api.patch(path, {"name": "Workshop"}))["name"] == "Workshop"
    assert (await api.patch(path, {"is_paused": True}))["state"] == "paused"
    suspended = await api.patch(path, {"is_paused": False, "is_suspended": True})
    assert (suspended["state"], suspended["paused_at"]) == ("suspended", None)
    assert (await api.patch(path, {"is_suspended": False}))["suspended_at"] is None
    assert (await api.patch(path, {}))["name"] == "Workshop"
    problem(await api.http.patch(path, json={"name": ""}), Code.VALIDATION)


async def test_a_removed_phone_is_gone_from_the_list(api: Api) -> None:
    device = render("device", api.world.phone())
    removed = await api.http.delete(f"/v1/devices/{device}")
    assert removed.json()["state"] == "revoked"
    assert (await api.get("/v1/devices"))["items"] == []
    assert len((await api.get("/v1/devices", include_revoked="true"))["items"]) == 1
    problem(await api.http.patch(f"/v1/devices/{device}", json={"is_suspended": True}), Code.CONFLICT)


async def test_phones_are_listed_in_pages(api: Api) -> None:
    ids = [render("device", api.world.phone(f"Phone {number}")) for number in range(5)]
    first = await api.get("/v1/devices", limit=3)
    rest = await api.get("/v1/devices", limit=3, cursor=first["next_cursor"])
    assert sorted(item["id"] for item in first["items"] + rest["items"]) == sorted(ids)
    assert rest["next_cursor"] is None


async def test_what_happened_to_a_phone_is_told(api: Api) -> None:
    device = api.world.phone()
    own = {"account_id": ACCOUNT, "device_id": device}
    for number in (1, 2, 3):
        api.world.insert(DeviceConnection, session_no=number, connected_at=number, node="here", **own)
        api.world.insert(
            DeviceGap, id=api.world.new_id(), stream="s", first_n=number, last_n=number, reason="cap", at=1, **own
        )
        api.world.insert(DeviceNotice, id=api.world.new_id(), kind="cloned", text=f"Notice {number}.", at=number, **own)
    api.world.insert(
        DeviceEvent, uuid="u", stream="s", n=9, type="sms:odd", at=1, received_at=2, outcome="quarantined",
        why="what nobody can read", payload='{"odd": "\\u0000"}', **own,
    )  # fmt: skip
    path = f"/v1/devices/{render('device', device)}"
    connections = await api.get(f"{path}/connections", limit=2)
    assert [item["number"] for item in connections["items"]] == [3, 2]
    rest = await api.get(f"{path}/connections", limit=2, cursor=connections["next_cursor"])
    assert [item["number"] for item in rest["items"]] == [1]
    assert [item["first"] for item in (await api.get(f"{path}/gaps"))["items"]] == [3, 2, 1]
    (odd,) = (await api.get(f"{path}/quarantined"))["items"]
    assert (odd["raw"], odd["why"]) == ('{"odd": "\\u0000"}', "what nobody can read")
    notices = await api.get("/v1/notices", limit=2)
    more = await api.get("/v1/notices", limit=2, cursor=notices["next_cursor"])
    assert [item["text"] for item in notices["items"] + more["items"]] == ["Notice 3.", "Notice 2.", "Notice 1."]
    shown = await api.get(path)
    assert (shown["open_gaps"], shown["quarantined_events"]) == (3, 1)
    assert "quarantined" in {risk["code"] for risk in shown["risks"]}


async def test_a_test_text_goes_from_this_phone_alone(api: Api) -> None:
    api.world.phone("Other")
    device = api.world.phone("Mine")
    sent = await api.post(f"/v1/devices/{render('device', device)}/test", {"to": "+491701234567"})
    message = await api.get(f"/v1/messages/{sent['results'][0]['message_id']}")
    assert (message["line_id"], message["is_pinned"], message["priority"]) == (
        render("line", api.world.lines(device)[0]),
        True,
        "high",
    )


async def test_a_queue_is_moved(api: Api) -> None:
    lost = api.world.phone("Lost")
    sent = await api.send(["+491701234567", "+491701234568"])
    path = f"/v1/devices/{render('device', lost)}/move"
    assert await api.post(path) == {"moved": 0, "waiting": 2, "on_phone": 0}
    (target,) = api.world.lines(api.world.phone("Other"))
    body = {"to_line_id": render("line", target)}
    assert await api.post(path, body) == {"moved": 2, "waiting": 0, "on_phone": 0}
    for result in sent["results"]:
        assert (await api.get(f"/v1/messages/{result['message_id']}"))["line_id"] == body["to_line_id"]
    problem(await api.http.post(path, json={"to_line_id": "lin_" + "0" * 24}), Code.VALIDATION)


async def test_a_line_is_named_limited_and_switched_off(api: Api) -> None:
    (line,) = api.world.lines(api.world.phone())
    path = f"/v1/lines/{render('line', line)}"
    changed = await api.patch(
        path, {"name": "EE", "alias": "Shop", "pool": "sales", "number": "+447700900123", "per_day": 500}
    )
    assert (changed["name"], changed["alias"], changed["number"], changed["per_day"]) == (
        "EE",
        "Shop",
        "+447700900123",
        500,
    )
    assert (await api.patch(path, {"per_day": None, "is_enabled": False}))["per_day"] is None
    assert (await api.get(path))["is_enabled"] is False
    assert (await api.get(path))["name"] == "EE", "what is not named stays"
    for wrong in (
        {"per_minute": 0},
        {"per_minute": None},
        {"name": ""},
        {"alias": "far too long a name"},
        {"number": "abc"},
    ):
        problem(await api.http.patch(path, json=wrong), Code.VALIDATION)


async def test_a_new_sim_is_said_to_be_a_known_line(api: Api) -> None:
    old_phone, new_phone = api.world.phone("Old"), api.world.phone("New", sims=0)
    (old,) = api.world.lines(old_phone)
    api.world.change(Line, old, carrier="EE", is_present=False, number=None)
    new = api.world.line(new_phone, carrier="EE", number=None, awaiting_confirmation=True)
    shown = await api.get(f"/v1/lines/{render('line', new)}")
    assert (shown["awaiting_confirmation"], shown["candidates"]) == (True, [render("line", old)])
    confirmed = await api.post(f"/v1/lines/{render('line', new)}/confirm", {"is_same_as": render("line", old)})
    assert (confirmed["id"], confirmed["device_id"]) == (render("line", old), render("device", new_phone))


async def test_only_a_line_whose_sim_is_gone_is_removed(api: Api) -> None:
    device = api.world.phone()
    (line,) = api.world.lines(device)
    path = f"/v1/lines/{render('line', line)}"
    problem(await api.http.delete(path), Code.CONFLICT)
    api.world.change(Line, line, is_present=False)
    assert (await api.http.delete(path)).json()["removed_at"] is not None
    assert (await api.get("/v1/lines"))["items"] == []
    assert len((await api.get("/v1/lines", include_removed="true"))["items"]) == 1


async def test_lines_of_one_phone(api: Api) -> None:
    api.world.phone("Other")
    device = api.world.phone("Dual", sims=2)
    lines: list[dict[str, Any]] = (await api.get("/v1/lines", device_id=render("device", device)))["items"]
    assert [parse("line", line["id"]) for line in lines] == api.world.lines(device)
    assert [line["slot"] for line in lines] == [0, 1]
