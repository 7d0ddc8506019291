"""The HTTP stand-in for the websocket: the same frames, the same fence."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from device_protocol import errors
from device_protocol.frames import Go
from hub.core.effects import ToPhone
from hub.devices import find_device
from hub.devices.standing import RevokeDevice, revoke_device
from hub.storage.schema.devices import DeviceEvent
from tests.integration.devices.native_hub import NativeHub, WirePhone, until
from tests.integration.messages.world import ACCOUNT

pytestmark = pytest.mark.anyio


class Caller:
    """A phone that calls."""

    def __init__(self, hub: NativeHub, phone: WirePhone) -> None:
        self.hub, self.phone = hub, phone
        self.session_no: int | None = None

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.phone.access_token}"}

    async def post(self, *frames: dict[str, Any], **values: Any) -> httpx.Response:
        body = {
            "frames": list(frames),
            **({} if self.session_no is None else {"session_no": self.session_no}),
            **values,
        }
        return await self.hub.http.post("/device/v1/events", content=json.dumps(body), headers=self.headers)

    async def get(self, wait: Any = 0, **values: Any) -> httpx.Response:
        query = {"wait": wait, "session_no": self.session_no, **values}
        return await self.hub.http.get("/device/v1/jobs", params=query, headers=self.headers)

    async def connect(self) -> list[dict[str, Any]]:
        answer = (await self.post(self.phone.hello())).json()
        self.session_no = answer["session_no"]
        frames: list[dict[str, Any]] = answer["frames"]
        return frames


async def calling(hub: NativeHub) -> Caller:
    return Caller(hub, await hub.phone())


def bye_of(answer: httpx.Response) -> int:
    assert answer.status_code == 409
    (bye,) = answer.json()["frames"]
    assert bye["type"] == "bye"
    code: int = bye["code"]
    return code


async def test_hello_and_events_are_answered_after_their_commit(hub_anywhere: NativeHub) -> None:
    caller = await calling(hub_anywhere)
    (welcome,) = await caller.connect()
    assert welcome["type"] == "welcome"
    answer = (await caller.post(caller.phone.text("one"), caller.phone.text("two"))).json()
    assert [(frame["type"], frame["n"]) for frame in answer["frames"]] == [("ack", 2)]
    assert [message.text for message in hub_anywhere.world.messages()] == ["one", "two"]
    assert hub_anywhere.sessions.is_online(caller.phone.device_id)


async def test_events_may_come_in_the_call_that_says_hello(hub: NativeHub) -> None:
    caller = await calling(hub)
    answer = (await caller.post(caller.phone.hello(), caller.phone.text())).json()
    assert [frame["type"] for frame in answer["frames"]] == ["welcome", "ack"]


async def test_a_waiting_call_gets_frames_as_soon_as_there_are_any(hub: NativeHub) -> None:
    caller = await calling(hub)
    await caller.connect()
    assert (await caller.get(0)).json()["frames"] == []
    call = asyncio.create_task(caller.get(25))
    await until(lambda: hub.sessions.to_phone(ToPhone(caller.phone.device_id, 1, Go("m" * 24, 1))))
    assert [frame["type"] for frame in (await call).json()["frames"]] == ["go"]


async def test_a_socket_takes_over_from_calls_and_back(hub: NativeHub) -> None:
    caller = await calling(hub)
    await caller.connect()
    async with caller.phone.online() as wire:
        assert bye_of(await caller.post(caller.phone.text())) == errors.SUPERSEDED.code
        assert bye_of(await caller.get()) == errors.SUPERSEDED.code
        caller.session_no = None
        await caller.connect()
        assert (await wire.end())[1] == errors.SUPERSEDED.code
    assert hub.world.messages() == []


async def test_a_session_nobody_knows_is_over(hub: NativeHub) -> None:
    caller = await calling(hub)
    caller.session_no = 5
    assert bye_of(await caller.post(caller.phone.text())) == errors.SUPERSEDED.code


async def test_a_late_hello_is_turned_away(hub: NativeHub) -> None:
    caller = await calling(hub)
    late = caller.phone.hello()
    await caller.connect()
    caller.session_no = None
    assert bye_of(await caller.post(late)) == errors.STALE_HELLO.code


async def test_a_bad_frame_is_told_in_its_place_and_the_others_count(hub: NativeHub) -> None:
    caller = await calling(hub)
    await caller.connect()
    answer = await caller.post({"type": "dance"}, {"type": "ping", "n": -1}, caller.phone.text())
    assert [(frame["type"], frame.get("code")) for frame in answer.json()["frames"]] == [("bye", 4000), ("ack", None)]
    assert len(hub.world.messages()) == 1


async def test_a_removed_phone_is_told_so(hub: NativeHub) -> None:
    caller = await calling(hub)
    await caller.connect()
    waiting = asyncio.create_task(caller.get(25))
    await until(lambda: hub.sessions.is_online(caller.phone.device_id))
    command = RevokeDevice(account_id=ACCOUNT, device_id=caller.phone.device_id)
    await hub.services.db.writer.submit(revoke_device, command, *command.keys())
    assert (await waiting).status_code == 409
    caller.session_no = None
    answer = await caller.post(caller.phone.hello())
    assert (answer.status_code, answer.json()["code"]) == (401, "device_revoked")


async def test_a_silent_caller_is_gone(hub: NativeHub) -> None:
    caller = await calling(hub)
    await caller.connect()
    hub.clock.advance(100)
    await caller.get()
    hub.clock.advance(100)
    await hub.loop.look()
    assert hub.sessions.is_online(caller.phone.device_id)
    hub.clock.advance(13)
    await hub.loop.look()
    assert not hub.sessions.is_online(caller.phone.device_id)

    def is_offline() -> bool:
        with hub.world.conn.begin():
            view = find_device(hub.world.conn, ACCOUNT, caller.phone.device_id, now=hub.clock.now())
        return view is not None and not view.is_online

    await until(is_offline)


async def test_the_raw_frame_is_kept_where_storing_changes_it(hub: NativeHub) -> None:
    caller = await calling(hub)
    await caller.connect()
    await caller.post(caller.phone.text("a\x00b"), caller.phone.text("c\ud800d"), caller.phone.text("plain"))
    rows = sorted(hub.world.rows(DeviceEvent), key=lambda row: row["n"])
    assert [message.text for message in hub.world.messages()] == ["a\ufffdb", "c\ufffdd", "plain"]
    assert ["\\u0000" in (row["raw"] or "") for row in rows] == [True, False, False]
    assert "\\ud800" in rows[1]["raw"]
    assert rows[2]["raw"] is None


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{}", 400),
        (b'{"frames":7}', 400),
        (b'{"frames":[]}', 400),
        (b'{"frames":[{"type":"ping","n":1}]}', 400),
        (b'{"frames":[' + b",".join([b"1"] * 65) + b"]}", 400),
        (b"x" * (1 << 20) + b"x", 413),
    ],
)
async def test_a_call_that_cannot_be_read_is_refused(hub: NativeHub, body: bytes, status: int) -> None:
    caller = await calling(hub)
    answer = await hub.http.post("/device/v1/events", content=body, headers=caller.headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "query", [{"wait": 26}, {"wait": "x"}, {"wait": -1}, {"session_no": "0"}, {"session_no": "9" * 30}]
)
async def test_a_question_that_cannot_be_is_refused(hub: NativeHub, query: dict[str, Any]) -> None:
    caller = await calling(hub)
    await caller.connect()
    answer = await caller.get(**query)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation")


async def test_head_takes_no_frames_away(hub: NativeHub) -> None:
    caller = await calling(hub)
    await caller.connect()
    hub.sessions.to_phone(ToPhone(caller.phone.device_id, 1, Go("m" * 24, 1)))
    answer = await hub.http.head("/device/v1/jobs", params={"session_no": 1}, headers=caller.headers)
    assert answer.status_code == 405
    assert len((await caller.get()).json()["frames"]) == 1


async def test_without_a_token_nothing_is_answered(hub: NativeHub) -> None:
    for answer in (await hub.http.post("/device/v1/events", content=b"{}"), await hub.http.get("/device/v1/jobs")):
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
