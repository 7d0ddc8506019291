"""What holds for every request: who asks, how it is written, and how it is refused."""

import base64
import json
from typing import Any

import httpx
import pytest

from hub.accounts.keys import RevokeKey, revoke_keys
from hub.accounts.scopes import Scope
from hub.core.errors import Code
from hub.core.ids import parse
from tests.integration.api.hub_api import BASE, Api, problem

pytestmark = pytest.mark.anyio
JSON = {"Content-Type": "application/json"}


async def test_every_way_to_send_a_key_is_the_same_key(api: Api) -> None:
    def basic(user: str, password: str) -> str:
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    ways = [
        {"Authorization": f"Bearer {api.key}"},
        {"Authorization": f"bearer   {api.key} "},
        {"Authorization": basic("anything", api.key)},
        {"Authorization": basic(api.key, "")},
        {"X-API-Key": api.key},
    ]
    for headers in ways:
        answer = await api.client(**headers).get("/v1/account")
        assert answer.status_code == 200, headers


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer hub_wrong"},
        {"Authorization": "Bearer hub_" + "x" * 500},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic " + base64.b64encode(b"user:password").decode()},
        {"Authorization": "Digest abc"},
        {"X-API-Key": ""},
        {"X-API-Key": "hub_ünïcode"},
    ],
    ids=str,
)
async def test_without_a_key_of_this_hub_nothing_is_answered(api: Api, headers: dict[str, str]) -> None:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    for path in ("/v1/account", "/v1/devices/dev_nonsense"):
        request = httpx.Request("GET", BASE + path, headers=raw)
        answer = await api.client().send(request)
        problem(answer, Code.UNAUTHENTICATED)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_a_revoked_key_is_refused_with_its_next_request(api: Api) -> None:
    async with api.client(api.make_key()) as http:
        key_id = (await http.get("/v1/account")).json()["key_id"]
        account_id = (await http.get("/v1/account")).json()["id"]
        command = RevokeKey(account_id=parse("account", account_id), key_id=parse("key", key_id))
        await api.db.writer.submit(revoke_keys, command, *command.keys())
        problem(await http.get("/v1/account"), Code.KEY_REVOKED)


async def test_a_key_is_asked_for_before_anything_is_told(api: Api) -> None:
    """Not the body, not the query, not whether the path's id exists: nothing is judged before the key is."""
    answer = await api.client().post("/v1/enrolments?nonsense=1", content=b"{", headers=JSON)
    problem(answer, Code.UNAUTHENTICATED)


@pytest.mark.parametrize(
    ("content", "headers", "code"),
    [
        (b"", JSON, Code.BAD_REQUEST),
        (b"{", JSON, Code.BAD_REQUEST),
        (b'{"name": "x"} trailing', JSON, Code.BAD_REQUEST),
        (b"\xff\xfe", JSON, Code.BAD_REQUEST),
        (b'{"name": "\\ud800"}', JSON, Code.BAD_REQUEST),
        (b'{"name": "\\udc00 x"}', JSON, Code.BAD_REQUEST),
        (b'{"name": NaN}', JSON, Code.BAD_REQUEST),
        (b"[" * 100_000, JSON, Code.VALIDATION),
        (b'{"name": ' + b"[" * 100_000, JSON, Code.VALIDATION),
        (b"[]", JSON, Code.VALIDATION),
        (b"null", JSON, Code.VALIDATION),
        (b'"text"', JSON, Code.VALIDATION),
        (b'{"name": 5}', JSON, Code.VALIDATION),
        (b'{"name": ""}', JSON, Code.VALIDATION),
        (b'{"name": "x", "nmae": "y"}', JSON, Code.VALIDATION),
        (b'{"name": "a\\u0000b"}', JSON, Code.VALIDATION),
        (b'{"device_id": "msg_06fgxz1h4c8q2r5t7v9w0y3b"}', JSON, Code.VALIDATION),
        (b'{"name": "x"}', {"Content-Type": "text/plain"}, Code.UNSUPPORTED_MEDIA_TYPE),
        (b'{"name": "x"}', {}, Code.UNSUPPORTED_MEDIA_TYPE),
        (b"name=x", {"Content-Type": "application/x-www-form-urlencoded"}, Code.UNSUPPORTED_MEDIA_TYPE),
        (b'{"name": "' + b"x" * 2_000_000 + b'"}', JSON, Code.BODY_TOO_LARGE),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_a_body_that_is_not_right_is_refused_and_stores_nothing(
    api: Api, content: bytes, headers: dict[str, str], code: Code
) -> None:
    answer = await api.http.post("/v1/enrolments", content=content, headers=headers)
    problem(answer, code)
    assert (await api.get("/v1/enrolments"))["items"] == []


async def test_a_body_that_grows_while_it_is_sent_is_cut(api: Api) -> None:
    async def endless() -> Any:
        for _ in range(40):
            yield b"x" * 65536

    answer = await api.http.post("/v1/enrolments", content=endless(), headers=JSON)
    problem(answer, Code.BODY_TOO_LARGE)


async def test_a_charset_beside_the_type_is_fine(api: Api) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    assert (await api.http.post("/v1/enrolments", content=b"{}", headers=headers)).status_code == 201


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b'{"name": 5}', "name"),
        (b'{"nmae": "x"}', "nmae"),
        (b'{"name": "\\u0000"}', "name"),
        (b'{"device_id": "x"}', "device_id"),
    ],
)
async def test_the_field_that_is_wrong_is_named(api: Api, content: bytes, field: str) -> None:
    answer = await api.http.post("/v1/enrolments", content=content, headers=JSON)
    assert [error["field"] for error in problem(answer, Code.VALIDATION)["errors"]] == [field]


async def test_a_lone_surrogate_is_called_what_it_is(api: Api) -> None:
    answer = await api.http.post("/v1/enrolments", content=b'{"name": "\\ud83d!"}', headers=JSON)
    assert "surrogate" in problem(answer, Code.BAD_REQUEST)["detail"]
    whole = await api.http.post("/v1/enrolments", content=b'{"name": "\\ud83d\\ude00"}', headers=JSON)
    assert whole.json()["enrolment"]["name"] == "😀"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=ten", "limit"),
        ("limit=1.0", "limit"),
        ("limit=9999999999999999999999", "limit"),
        ("limit=5&limit=6", "limit"),
        ("limti=5", "limti"),
        ("include_revoked=1", "include_revoked"),
        ("include_revoked=True", "include_revoked"),
        ("cursor=", "cursor"),
    ],
)
async def test_a_query_that_is_not_right_is_refused_by_name(api: Api, query: str, field: str) -> None:
    answer = await api.http.get(f"/v1/devices?{query}")
    assert [error["field"] for error in problem(answer, Code.VALIDATION)["errors"]] == [field]


async def test_an_invented_cursor_is_refused(api: Api) -> None:
    for path in ("devices", "keys", "enrolments", "notices", "deliveries"):
        problem(await api.http.get(f"/v1/{path}?cursor=abc"), Code.BAD_CURSOR)
    problem(await api.http.get("/v1/events?after=abc"), Code.BAD_CURSOR)


async def test_nul_in_a_query_is_refused(api: Api) -> None:
    problem(await api.http.get("/v1/devices?cursor=%00"), Code.VALIDATION)


async def test_too_many_parameters_are_refused(api: Api) -> None:
    problem(await api.http.get("/v1/devices?" + "&".join(["limit=1"] * 1000)), Code.BAD_REQUEST)


async def test_a_method_that_is_not_there_is_answered_with_those_that_are(api: Api) -> None:
    answer = await api.http.put("/v1/devices", json={})
    problem(answer, Code.METHOD_NOT_ALLOWED)
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"
    options = await api.http.options("/v1/keys")
    assert (options.status_code, options.headers["Allow"]) == (204, "GET, HEAD, OPTIONS, POST")


async def test_head_is_get_without_the_body(api: Api) -> None:
    head, get = await api.http.head("/v1/account"), await api.http.get("/v1/account")
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == get.headers["content-length"]
    stream = await api.http.head("/v1/stream")
    assert (stream.status_code, stream.headers["content-type"]) == (200, "text/event-stream")


async def test_a_path_that_is_not_there_is_not_found(api: Api) -> None:
    problem(await api.http.get("/v1/nonsense"), Code.NOT_FOUND)


@pytest.mark.parametrize(
    "id_", ["x", "dev_", "dev_" + "u" * 24, "msg_06fgxz1h4c8q2r5t7v9w0y3b", "%00", "dev_%F0%9F%98%80", "a" * 3000]
)
async def test_a_path_with_what_is_no_id_is_not_found(api: Api, id_: str) -> None:
    problem(await api.http.get(f"/v1/devices/{id_}"), Code.NOT_FOUND)


async def test_a_key_over_its_allowance_is_told_when_to_come_back(api: Api) -> None:
    slow = Api(api.db, api.clock, api.ids, api.services.config.data_dir, api.world, requests_per_second=2)
    answers = [await slow.http.get("/v1/account") for _ in range(9)]
    assert [answer.status_code for answer in answers] == [200] * 8 + [429]
    problem(answers[-1], Code.RATE_LIMITED)
    assert answers[-1].headers["Retry-After"] == "1"
    other = await slow.client(slow.make_key()).get("/v1/account")
    assert other.status_code == 200, "each key has its own"


async def test_an_error_inside_the_hub_says_nothing_of_its_inside(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_args: Any, **_kwargs: Any) -> Any:
        raise RuntimeError("a secret of the inside")

    await api.get("/v1/account")
    monkeypatch.setattr(type(api.db), "read", broken)
    answer = await api.http.get("/v1/devices")
    problem(answer, Code.INTERNAL)
    assert "secret" not in answer.text


async def test_the_document_and_its_page_need_no_key(api: Api) -> None:
    http = api.client()
    document = await http.get("/openapi.json")
    assert json.loads(document.content)["openapi"] == "3.1.0"
    page = await http.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]


async def test_a_key_without_the_scope_is_told_which_one(api: Api) -> None:
    http = api.client(api.make_key(scopes=frozenset({Scope.DEVICES_READ})))
    assert (await http.get("/v1/devices")).status_code == 200
    assert "devices:write" in problem(await http.post("/v1/enrolments", json={}), Code.SCOPE_MISSING)["detail"]
