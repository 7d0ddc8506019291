"""Every door against whatever may come in: a real hub, real sockets, and bodies, forms and headers that hypothesis makes up.

Nothing may be answered 5xx, each refusal has its vendor's shape, and what is stored afterwards is what was answered with success.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.acceptance.processes import PATIENCE_SECONDS, HubProcess, eventually, running_hub

pytestmark = pytest.mark.anyio

TO = "+14155550001"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
BROWSER = {"X-Requested-With": "handset-hub", "Sec-Fetch-Site": "same-origin"}
LARGE = 9 << 20
TRIES = 15
"""Made-up requests to each door."""


def is_problem(answer: httpx.Response) -> bool:
    """RFC 9457, as our own doors say it."""
    told = answer.json()
    is_typed = answer.headers["content-type"].startswith("application/problem+json")
    return is_typed and told["status"] == answer.status_code and bool(told["code"]) and bool(told["title"])


def is_twilios(answer: httpx.Response) -> bool:
    told = answer.json()
    return set(told) == {"code", "message", "more_info", "status"} and told["status"] == answer.status_code


def is_smsgates(answer: httpx.Response) -> bool:
    return set(answer.json()) == {"message"}


def is_mysmsgates(answer: httpx.Response) -> bool:
    told = answer.json()
    return set(told) == {"success", "error", "message"} and told["success"] is False


def is_abilits(answer: httpx.Response) -> bool:
    return set(answer.json()["error"]) == {"code", "message", "field"}


@dataclass(frozen=True)
class Door:
    """One path that takes bodies."""

    path: str
    is_refusal: Callable[[httpx.Response], bool]
    """Whether an answer of 400 or more has the vendor's shape."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """A good body; made-up ones begin with parts of it."""
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)
    method: str = "POST"
    is_limited: bool = True
    """False for what phones with a token ask for: they may come as often as they like."""
    stored: Callable[[Any], int] = lambda _told: 0
    """How many texts a success has stored, by its own words."""

    def body(self, fields: Mapping[str, Any]) -> bytes:
        if self.headers["Content-Type"] == FORM["Content-Type"]:
            return urlencode({name: str(value) for name, value in fields.items()}, errors="replace").encode()
        return json.dumps(fields).encode()


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


async def doors(hub: HubProcess) -> list[Door]:
    """All of them, with what each needs to be let in."""
    gateway = (await hub.api.post("/v1/gateways", json={"name": "FrontDesk"})).json()
    sid, token = gateway["info"]["account_sid"], gateway["auth_token"]
    login = (await hub.api.post("/v1/logins", json={"username": "program"})).json()
    program = {**JSON, "Authorization": basic("program", login["password"])}
    mine = {**JSON, "Authorization": f"Bearer {hub.key}"}
    registered = await hub.api.post("/mobile/v1/device", json={"name": "Pixel"}, headers=program)
    assert registered.status_code == 201, registered.text
    phone = {**JSON, "Authorization": f"Bearer {registered.json()['token']}"}
    return [
        Door("/v1/messages", is_problem, {"to": TO, "text": "x"}, mine, stored=taken),
        Door(
            f"/2010-04-01/Accounts/{sid}/Messages.json", is_twilios, {"To": TO, "Body": "x"},
            {**FORM, "Authorization": basic(sid, token)}, stored=lambda _told: 1,
        ),
        Door(
            "/3rdparty/v1/messages", is_smsgates, {"phoneNumbers": [TO], "textMessage": {"text": "x"}}, program,
            stored=lambda told: len(told["recipients"]),
        ),
        Door("/api/v1/send", is_mysmsgates, {"to": TO, "message": "x"}, mine, stored=lambda _told: 1),
        Door("/api/v1/sms/send", is_abilits, {"to": TO, "from": None, "body": "x"}, mine, stored=sent_by_abilit),
        Door("/mobile/v1/device", is_smsgates, {"id": registered.json()["id"], "name": "Pixel"}, phone, method="PATCH", is_limited=False),
        Door("/mobile/v1/message", is_smsgates, {"id": "x", "state": "Sent", "recipients": []}, phone, method="PATCH", is_limited=False),
        Door("/mobile/v1/device", is_smsgates, {"name": "Pixel"}, {**JSON, "Authorization": basic("program", "wrong")}),
        Door("/device/v1/enroll", is_problem, {"token": "x" * 43, "secret_sha256": "0" * 64, "device": {}}),
        Door("/device/v1/token", is_problem, {"device_id": "dev_x", "secret": "x" * 43}),
        Door("/session", is_problem, {"username": "ines", "password": "wrong"}, {**JSON, **BROWSER}),
    ]  # fmt: skip


def taken(told: Any) -> int:
    return sum(one["message_id"] is not None for one in told["results"])


def sent_by_abilit(told: Any) -> int:
    return sum("error" not in one for one in told["messages"]) if "messages" in told else 1


# --- what is made up ------------------------------------------------------------------------------------------------------------

_odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from(
        [2**63, -(2**63) - 1, 1e308, "\x00", "\ud800", "a" * 5000, "+1415555000١", "[" * 200, "%00", "=?utf-8?"]
    ),
    st.text(max_size=20),
    st.lists(st.text(max_size=5), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
)
_headers = st.sampled_from(
    [{}, {}, {}, {"Content-Type": "text/plain"}, {"Content-Type": "multipart/form-data; boundary="}, {"Content-Encoding": "gzip"},
     {"Authorization": "Basic ====="}, {"Authorization": "Bearer \xff"}, {"Authorization": "Digest x"}, {"Idempotency-Key": "\xe9" * 300},
     {"X-Twilio-Signature": "\xff"}, {"Accept": "image/png"}, {"Content-Type": "application/json; charset=utf-7"}]
)  # fmt: skip
_changes = st.tuples(
    st.lists(st.integers(0, 9), max_size=2), st.lists(st.tuples(st.integers(0, 9), _odd), max_size=3), st.booleans()
)
_requests = st.tuples(_changes, st.one_of(st.none(), st.none(), st.binary(max_size=60)), _headers)
_Made = tuple[
    tuple[list[int], list[tuple[int, Any]], bool],
    bytes | None,
    dict[str, str],
]


def made_up() -> list[_Made]:
    """The same requests in every run; the first is a good one."""
    found: list[_Made] = [(([], [], False), None, {})]

    @settings(
        max_examples=TRIES, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(_requests)
    def collect(one: _Made) -> None:
        found.append(one)

    collect()
    return found


def body_of(door: Door, made: _Made) -> bytes:
    """A good body with some fields left out, some changed, some added; or noise."""
    (left_out, changed, is_more), noise, _ = made
    if noise is not None:
        return noise
    names = list(door.fields)
    fields = dict(door.fields)
    for place in left_out:
        fields.pop(names[place % len(names)], None)
    for place, value in changed:
        fields[(names + (["metadata", "priority", "ttl"] if is_more else []))[place % len(names)]] = value
    return door.body(fields)


# --- the tests --------------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def knocking(hub: HubProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=hub.url, timeout=60) as client:
        yield client


async def knock(client: httpx.AsyncClient, door: Door, content: Any, more: Mapping[str, str]) -> httpx.Response:
    headers = {name.encode(): value.encode("latin-1") for name, value in {**door.headers, **more}.items()}
    return await client.request(door.method, door.path, content=content, headers=headers)  # type: ignore[arg-type]


async def texts(hub: HubProcess) -> list[str]:
    found: list[str] = []
    cursor: str | None = None
    while True:
        query = {"limit": "100", **({"cursor": cursor} if cursor else {})}
        page = (await hub.api.get("/v1/messages", params=query)).json()
        found += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


async def test_whatever_comes_in_is_refused_in_the_vendors_shape_or_stored_whole(tmp_path: Path) -> None:
    async with running_hub(tmp_path / "hub", HUB_REQUESTS_PER_SECOND="100000") as hub, knocking(hub) as client:
        every, stored = await doors(hub), 0
        for door in every:
            await too_large(hub, door)
        assert await texts(hub) == []
        for door in every:
            for made in made_up():
                content = body_of(door, made)
                answer = await knock(client, door, content, made[2])
                where = (door.path, content[:200], made[2], answer.status_code, answer.text[:500])
                assert answer.status_code < 500, where
                if answer.status_code >= 400:
                    assert door.is_refusal(answer), where
                elif answer.content:
                    stored += door.stored(answer.json())
        assert stored >= 5, "what was good is stored"
        ids = await texts(hub)
        assert len(ids) == stored
        for message in ids:
            hops = (await hub.api.get(f"/v1/messages/{message}/timeline")).json()["items"]
            assert hops, message
        log = hub.log_path.read_text()
        assert "inside the hub" not in log
        assert "Traceback" not in log


async def too_large(hub: HubProcess, door: Door) -> None:
    """413, whether its length is told or not; the hub does not wait for all of it."""
    told = await half_sent(hub, door, f"Content-Length: {LARGE}", b"")
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    untold = await half_sent(hub, door, "Transfer-Encoding: chunked", chunk * (LARGE // 65_536))
    for answer in (told, untold):
        assert answer.status_code == 413, (door.path, answer.status_code, answer.text[:300])
        assert door.is_refusal(answer), (door.path, answer.text[:300])


async def half_sent(hub: HubProcess, door: Door, length: str, sent: bytes) -> httpx.Response:
    """What is answered to a request whose body has not come to its end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
    lines = [f"{door.method} {door.path} HTTP/1.1", "Host: hub.test", length]
    lines += [f"{name}: {value}" for name, value in door.headers.items()]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + sent)
    async with asyncio.timeout(PATIENCE_SECONDS):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in head[1:-2])]
        answer = httpx.Response(int(head[0].split()[1]), headers=headers)
        content = await reader.readexactly(int(answer.headers["content-length"]))
    writer.transport.abort()
    return httpx.Response(answer.status_code, headers=headers, content=content)


async def test_too_many_requests_are_429_with_a_time_to_wait_in_the_vendors_shape(tmp_path: Path) -> None:
    async with running_hub(tmp_path / "hub", HUB_REQUESTS_PER_SECOND="1") as hub, knocking(hub) as client:
        for door in (one for one in await doors(hub) if one.is_limited):
            refused = await until_refused(client, door)
            assert re.fullmatch(r"[1-9]\d*", refused.headers.get("Retry-After", "")), (door.path, refused.headers)
            assert door.is_refusal(refused), (door.path, refused.text)


async def until_refused(client: httpx.AsyncClient, door: Door) -> httpx.Response:
    """The same request, many at once, until one is too many."""

    async def one() -> httpx.Response | None:
        answers = await asyncio.gather(*(knock(client, door, door.body(door.fields), {}) for _ in range(12)))
        assert all(answer.status_code < 500 for answer in answers)
        return next((answer for answer in answers if answer.status_code == 429), None)

    return await eventually(f"{door.path} has had enough", one)
