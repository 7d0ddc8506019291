"""The doors without an access token: enrol, token, and the page behind the code; what they answer, and what they never tell."""

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any

import pytest

from device_protocol.enrolment import secret_hash
from hub.core.errors import Code
from hub.storage.schema.devices import Device, Enrolment
from tests.integration.devices.handsets import EPOCH, OTHER_SECRET, SECRET, make_code
from tests.integration.devices.native_hub import NativeHub
from tests.integration.messages.world import STRANGER

pytestmark = pytest.mark.anyio


async def test_a_lost_answer_is_given_again(hub_anywhere: NativeHub) -> None:
    token = make_code(hub_anywhere.world)
    first = await hub_anywhere.enrol(token=token)
    again = await hub_anywhere.enrol(token=token)
    assert first.status_code == again.status_code == 200
    assert first.json()["device_id"] == again.json()["device_id"]
    assert first.json()["hub_epoch"] == hub_anywhere.services.hub_epoch != EPOCH
    taken = await hub_anywhere.enrol(OTHER_SECRET, token=token)
    assert (taken.status_code, taken.json()["code"]) == (409, "token_used")


async def test_a_code_of_another_account_enrols_there(hub: NativeHub) -> None:
    answer = await hub.enrol(token=make_code(hub.world, account_id=STRANGER))
    (row,) = hub.world.rows(Device)
    assert (row["id"], row["account_id"]) == (answer.json()["device_id"], STRANGER)


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"token": "x" * 43}, 401, Code.TOKEN_UNKNOWN),
        ({"token": "short"}, 422, Code.VALIDATION),
        ({"token": 7}, 422, Code.VALIDATION),
        ({"secret_sha256": "Z" * 64}, 422, Code.VALIDATION),
        ({"device": None}, 422, Code.VALIDATION),
        ({"device": {"app_version": "x" * 201}}, 422, Code.VALIDATION),
        ({"previous_secret": "too short"}, 422, Code.VALIDATION),
    ],
)
async def test_a_bad_enrolment_is_refused_and_stores_nothing(
    hub: NativeHub, change: dict[str, Any], status: int, code: Code
) -> None:
    answer = (
        await hub.enrol(token=make_code(hub.world), **change) if "token" not in change else await hub.enrol(**change)
    )
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert hub.world.rows(Device) == []


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 400), (b"{", 400), (b"\xff", 400), (b"[]", 422), (b"x" * 70_000, 413), (b"[" * 60_000, 422)],
)
@pytest.mark.parametrize("path", ["/device/v1/enroll", "/device/v1/token"])
async def test_a_body_that_cannot_be_read_is_refused(hub: NativeHub, path: str, body: bytes, status: int) -> None:
    assert (await hub.http.post(path, content=body)).status_code == status


async def test_text_that_no_database_stores_is_made_visible_or_refused(hub: NativeHub) -> None:
    token = make_code(hub.world)
    body = json.dumps(
        {"token": token, "secret_sha256": secret_hash(SECRET), "device": {"app_version": "1", "model": "a\x00b"}}
    )
    assert (await hub.http.post("/device/v1/enroll", content=body)).status_code == 200
    (row,) = hub.world.rows(Device)
    assert row["model"] == "a\ufffdb"
    body = body.replace("a\\u0000b", "\\ud800")
    assert (await hub.http.post("/device/v1/enroll", content=body)).status_code == 400


async def test_the_nonce_chain_over_http(hub: NativeHub) -> None:
    phone = await hub.phone()
    second = (await hub.token(phone.device_id, phone.nonce)).json()
    lost = (await hub.token(phone.device_id, phone.nonce)).json()  # the second answer was lost
    third = await hub.token(phone.device_id, lost["next_nonce"])
    assert third.status_code == 200
    assert third.headers["cache-control"] == "no-store"
    assert (await hub.token(phone.device_id, second["next_nonce"])).json()["code"] == "nonce_reused"


async def test_a_wrong_secret_and_an_unknown_phone_look_alike(hub: NativeHub) -> None:
    phone = await hub.phone()
    wrong = await hub.token(phone.device_id, secret=OTHER_SECRET)
    unknown = await hub.token("0" * 24)
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()
    assert "www-authenticate" in wrong.headers


async def test_guessing_is_slowed_down_and_good_phones_are_not(hub: NativeHub) -> None:
    for number in range(30):
        assert (await hub.enrol(token=f"{number:043d}")).status_code == 401
    slowed = await hub.enrol(token="y" * 43)
    assert (slowed.status_code, slowed.json()["code"]) == (429, "rate_limited")
    assert int(slowed.headers["retry-after"]) >= 1
    hub.clock.advance(120)
    for secret in ("a" * 43, "b" * 43):
        assert (await hub.enrol(secret)).status_code == 200


async def test_many_phones_of_one_address_are_not_slowed_down(hub: NativeHub) -> None:
    for number in range(31):
        phone = await hub.phone(f"{number:043d}")
        assert phone.access_token


async def test_one_phone_cannot_ask_for_tokens_without_end(hub: NativeHub) -> None:
    phone = await hub.phone()
    nonce, answers = phone.nonce, []
    for _ in range(12):
        answer = await hub.token(phone.device_id, nonce)
        answers.append(answer.status_code)
        nonce = answer.json().get("next_nonce", nonce)
    assert answers[-1] == 429


async def test_neither_code_nor_secret_nor_token_is_logged(
    hub: NativeHub, every_log_line: list[MutableMapping[str, Any]]
) -> None:
    token = make_code(hub.world)
    enrolled = (await hub.enrol(token=token)).json()
    issued = (await hub.token(enrolled["device_id"])).json()
    await hub.token(enrolled["device_id"], secret=OTHER_SECRET)
    said = json.dumps(every_log_line)
    assert every_log_line
    for secret in (token, SECRET, OTHER_SECRET, issued["access_token"], issued["next_nonce"], secret_hash(SECRET)):
        assert secret not in said
    stored = str(hub.world.rows(Enrolment)) + str(hub.world.rows(Device))
    assert token not in stored
    assert SECRET not in stored


async def test_a_camera_finds_a_page_that_loads_nothing(hub: NativeHub) -> None:
    answer = await hub.http.get("/enroll")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert answer.headers["referrer-policy"] == "no-referrer"
    for loaded in ("<script", "src=", "href=", "url("):
        assert loaded not in answer.text
    assert "Handset Hub" in answer.text


async def test_a_body_that_never_ends_is_answered_408_and_phones_stay(hub: NativeHub) -> None:
    phone = await hub.phone()
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
    writer.write(b"POST /device/v1/token HTTP/1.1\r\nHost: hub\r\nContent-Length: 99\r\nExpect: 100-continue\r\n\r\n")
    assert await reader.readline() == b"HTTP/1.1 100 Continue\r\n"  # the door waits for the body now
    async with phone.online() as wire:
        hub.server.request_seconds = 0.0
        await hub.server.on_tick(0)
        answer = await reader.read()
        assert answer.startswith(b"\r\nHTTP/1.1 408 ")
        assert b"did not arrive whole in 0 seconds" in answer
        await wire.send({"type": "ping", "n": 1})
        assert (await wire.frame())["type"] == "pong"
    writer.close()
    await writer.wait_closed()
