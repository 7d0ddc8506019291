"""Whatever comes in at the doors of MySMSGate and Abil'I.T.: never a 5xx, never half a text, and every refusal in the vendor's shape."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from hub.core.ids import IdSource
from hub.dialects.abilit import DIALECT as ABILIT
from hub.dialects.mysmsgate import DIALECT as MYSMSGATE
from hub.storage.database import Database
from hub.storage.schema.messages import Message
from tests.databases import refuse_nul
from tests.fakes import FakeClock
from tests.integration.api.hub_api import Api

pytestmark = pytest.mark.anyio

TO = "+491701234567"
MYSMSGATES = ("/api/v1/send", "/api/v1/history", "/api/v1/devices", "/api/v1/balance", "/api/v1/sms?id=")
ABILITS = (
    "/api/v1/sms/send",
    "/api/v1/sms",
    "/api/v1/sms/",
    "/api/v1/dlq",
    "/api/v1/dlq/replay",
    "/api/v1/keys/k/rotate",
)
SENDS = {"/api/v1/send": {"to": TO, "message": "x"}, "/api/v1/sms/send": {"to": TO, "body": "x"}}


def client(api: Api) -> httpx.AsyncClient:
    routes = [*MYSMSGATE.routes(api.services), *ABILIT.routes(api.services)]
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(Starlette(routes=routes)),
        base_url="https://hub.example",
        headers={"Authorization": f"Bearer {api.key}"},
    )


@pytest.fixture
async def http(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    """One client, and one event loop, for all examples of a test."""
    async with client(api) as made:
        yield made


def in_shape(answer: httpx.Response) -> None:
    """A refusal as the vendor of this path writes one; with `id`, the path that two of them use is MySMSGate's."""
    body, url = answer.json(), answer.request.url
    if url.path in MYSMSGATES or (url.path == "/api/v1/sms" and "id" in url.params):
        assert (set(body), body["success"]) == ({"success", "error", "message"}, False)
    else:
        assert set(body["error"]) == {"code", "message", "field"}


_words = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40)
_headers = st.dictionaries(
    st.sampled_from(
        [
            "Authorization",
            "X-API-Key",
            "Content-Type",
            "Idempotency-Key",
            "Accept",
            "Content-Encoding",
            "X-Forwarded-For",
        ]
    ),
    _words
    | st.sampled_from(["Bearer hub_x", "Basic !", "Basic aHVi", "application/x-www-form-urlencoded", "gzip", "hub_"]),
    max_size=3,
)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
_fields = st.dictionaries(
    st.sampled_from(
        ["to", "body", "message", "from", "slot", "device_id", "limit", "provider", "schedule_at", "metadata"]
    ),
    _json,
    max_size=3,
)
_queries = st.dictionaries(
    st.sampled_from(["id", "limit", "direction", "status", "cursor", "to", "campaign"]), st.text(max_size=9), max_size=3
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from([*MYSMSGATES, *ABILITS, "/api/v1/sms/x/cancel"]),
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"]),
    headers=_headers,
    fields=_fields,
    noise=st.none() | st.binary(max_size=40),
    query=_queries,
)
async def test_nothing_is_answered_with_5xx_and_what_is_stored_was_answered(
    api: Api,
    http: httpx.AsyncClient,
    path: str,
    method: str,
    headers: dict[str, str],
    fields: dict[str, Any],
    noise: bytes | None,
    query: Any,
) -> None:
    api.clock.advance(10)
    before = len(api.world.rows(Message))
    content = noise if noise is not None else json.dumps({**SENDS.get(path, {}), **fields}).encode()
    answer = await http.request(method, path, content=content, headers=headers, params=query or None)
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400 and method != "HEAD" and answer.status_code != 404:
        in_shape(answer)
    taken = 0
    if answer.status_code == 202:
        body = answer.json()
        taken = sum("message_id" in one for one in body.get("messages", [body]))
    assert len(api.world.rows(Message)) == before + taken


@contextmanager
def slow_hub(url: str, clock: FakeClock, ids: IdSource, folder: Path) -> Iterator[Api]:
    """A hub where a key may make four requests in a row."""
    database = Database.open(url, clock=clock, ids=ids, reader_threads=1, writer_window_ms=0.2)
    refuse_nul(database)
    api = Api(database, clock, ids, folder, requests_per_second=1)
    try:
        yield api
    finally:
        api.world.conn.close()
        database.close()


async def test_too_many_requests_are_429_with_retry_after(
    sqlite_url: str, clock: FakeClock, ids: IdSource, tmp_path: Path
) -> None:
    with slow_hub(sqlite_url, clock, ids, tmp_path) as api:
        async with client(api) as http:
            for path, body in SENDS.items():
                answers = [await http.post(path, json=body) for _ in range(6)]
                assert answers[-1].status_code == 429
                assert int(answers[-1].headers["Retry-After"]) >= 1
                in_shape(answers[-1])
                clock.advance(60)
        assert len(api.world.rows(Message)) == 8


async def test_too_much_is_413_whether_it_is_announced_or_not(api: Api) -> None:
    async def dripping() -> Any:
        for _ in range(40):
            yield b"x" * 65_536

    async with client(api) as http:
        for path in SENDS:
            for content in (b"x" * 2_000_000, dripping()):
                answer = await http.post(path, content=content)
                assert answer.status_code == 413
                in_shape(answer)
    assert api.world.rows(Message) == []
