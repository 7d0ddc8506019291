"""The shared answers: problem documents, capped bodies, and the field a bad body is refused for."""

import msgspec
import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Scope

from hub.core.errors import CATALOGUE, Code, HubError, invalid
from hub.http import answering, decode, json_response, problem_headers, problem_response, read_body


class Item(msgspec.Struct, forbid_unknown_fields=True):
    to: str
    count: int = 1


class Wish(msgspec.Struct, forbid_unknown_fields=True):
    items: list[Item] = []
    labels: dict[str, int] = {}


DECODER = msgspec.json.Decoder(Wish)


@pytest.mark.parametrize("code", list(Code))
def test_every_error_is_one_problem_document(code: Code) -> None:
    answer = problem_response(HubError(code), "t-1")
    document = msgspec.json.decode(answer.body)
    assert answer.media_type == "application/problem+json"
    assert document.pop("detail")
    assert document == {
        "type": f"urn:handset-hub:problem:{code}",
        "title": CATALOGUE[code].title,
        "status": answer.status_code,
        "code": code,
        "retryable": CATALOGUE[code].retryable,
        "trace_id": "t-1",
    }


def test_fields_are_listed_in_the_document() -> None:
    document = msgspec.json.decode(problem_response(invalid("to", "bad", "No.")).body)
    assert document["errors"] == [{"field": "to", "code": "bad", "message": "No."}]


def test_waits_and_challenges_stand_in_headers() -> None:
    assert problem_headers(HubError(Code.RATE_LIMITED, retry_after_seconds=2.1)) == {"Retry-After": "3"}
    assert problem_headers(HubError(Code.QUEUE_FULL)) == {"Retry-After": "1"}
    assert "WWW-Authenticate" in problem_headers(HubError(Code.UNAUTHENTICATED))
    assert problem_headers(HubError(Code.NOT_FOUND)) == {}


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        (b"", Code.BAD_REQUEST, None),
        (b"{", Code.BAD_REQUEST, None),
        (b'{"labels":{"\xff":1}}', Code.BAD_REQUEST, None),
        (b'{"items":[{"to":"\\ud800"}]}', Code.BAD_REQUEST, None),
        (b"null", Code.VALIDATION, ""),
        (b'{"items":[{"to":"a"},{"to":7}]}', Code.VALIDATION, "items[1].to"),
        (b'{"items":[{}]}', Code.VALIDATION, "items[0].to"),
        (b'{"item":[]}', Code.VALIDATION, "item"),
        (b'{"labels":{"a":"b"}}', Code.VALIDATION, "labels[...]"),
    ],
)
def test_a_bad_body_names_its_field(body: bytes, code: Code, field: str | None) -> None:
    with pytest.raises(HubError) as caught:
        decode(DECODER, body)
    assert caught.value.code == code
    assert [item.field for item in caught.value.fields] == ([] if field is None else [field])


def test_a_body_nested_without_end_is_no_json() -> None:
    with pytest.raises(HubError, match="nested too deeply") as caught:
        decode(msgspec.json.Decoder(list[object]), b"[" * 100_000)
    assert caught.value.code == Code.BAD_REQUEST


def _http(*chunks: bytes, headers: tuple[tuple[bytes, bytes], ...] = (), hang_up: bool = False) -> Request:
    messages: list[Message] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages.append({"type": "http.disconnect"} if hang_up else {"type": "http.request", "body": b""})

    async def receive() -> Message:
        return messages.pop(0)

    scope: Scope = {"type": "http", "method": "POST", "path": "/x", "headers": list(headers)}
    return Request(scope, receive)


@pytest.mark.anyio
async def test_a_body_is_read_whole_up_to_the_cap() -> None:
    request = _http(b"12345", b"67890")
    assert await read_body(request.scope, request.receive, 10) == b"1234567890"


@pytest.mark.anyio
@pytest.mark.parametrize(
    "request_",
    [
        _http(b"12345", b"678901"),
        _http(b"", headers=((b"content-length", b"11"),)),
        _http(b"", headers=((b"content-length", b"9" * 5000),)),
    ],
)
async def test_a_body_above_the_cap_is_refused(request_: Request) -> None:
    with pytest.raises(HubError) as caught:
        await read_body(request_.scope, request_.receive, 10)
    assert caught.value.code == Code.BODY_TOO_LARGE


@pytest.mark.anyio
async def test_a_caller_who_hangs_up_half_way_is_no_request() -> None:
    request = _http(b"12345", hang_up=True)
    with pytest.raises(ClientDisconnect):
        await read_body(request.scope, request.receive, 10)


@pytest.mark.anyio
async def test_an_endpoint_answers_its_errors_and_hides_its_faults() -> None:
    @answering
    async def refuses(_: Request) -> Response:
        raise HubError(Code.NOT_FOUND)

    @answering
    async def breaks(_: Request) -> Response:
        raise RuntimeError("a secret")

    @answering
    async def hangs_up(request: Request) -> Response:
        return json_response(await read_body(request.scope, request.receive, 10))

    @answering
    async def works(_: Request) -> Response:
        return json_response({"a": 1}, 201)

    assert (await refuses(_http())).status_code == 404
    assert (await hangs_up(_http(b"1", hang_up=True))).status_code == 400
    broken = await breaks(_http())
    assert (broken.status_code, b"secret" in broken.body) == (500, False)
    assert ((await works(_http())).status_code, (await works(_http())).body) == (201, b'{"a":1}')
