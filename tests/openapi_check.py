"""Holds every exchange with REST v1 against the hub's own OpenAPI document.

Wrap the transport of an httpx client, `CheckedTransport(httpx.ASGITransport(app))`, and each request and answer under `/v1` is checked:

- an operation that is not in the document is answered 404 or 405;
- an answer has a documented status and content type, and a body that fits its schema;
- what was accepted (2xx) had documented parameters only, and a body that fits: what does not fit has to be refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

import httpx
import jsonschema_rs

from hub.dialects.native_v1.reference import api_document


class NotAsDocumented(AssertionError):
    """The hub and its document disagree."""


class CheckedTransport(httpx.AsyncBaseTransport):
    """Any httpx transport, with what goes through it checked."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        if request.url.path.startswith("/v1") and not _is_stream(response):
            await response.aread()
            check_exchange(request, response)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


def check_exchange(request: httpx.Request, response: httpx.Response) -> None:
    """Raise NotAsDocumented when one exchange is not what the document says. The answer's body has been read."""
    operation = find_operation(request.method, request.url.path)
    if operation is None:
        if response.status_code not in (404, 405) and request.method not in ("HEAD", "OPTIONS"):
            raise NotAsDocumented(
                f"{request.method} {request.url.path} answers {response.status_code} and is not documented"
            )
        return
    problems = [*_response_problems(operation, response)]
    if response.is_success:
        problems += _request_problems(operation, request)
    if problems:
        raise NotAsDocumented(f"{request.method} {request.url}: " + "; ".join(problems))


def find_operation(method: str, path: str) -> Mapping[str, Any] | None:
    """The documented operation of a request, None when there is none."""
    for template, operations in api_document()["paths"].items():
        if _pattern(template).fullmatch(path):
            found: Mapping[str, Any] | None = operations.get(method.lower())
            return found
    return None


def problems_of(schema: Mapping[str, Any], value: Any) -> list[str]:
    """What is wrong with a value, by a JSON Schema that may refer to the document's components."""
    return [
        f"{list(error.instance_path)}: {error.message}" for error in _validator(json.dumps(schema)).iter_errors(value)
    ]


@cache
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(
        "".join("[^/]+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{\w+\})", template))
    )


@cache
def _validator(schema: str) -> jsonschema_rs.Draft202012Validator:
    root = {**json.loads(schema), "components": api_document()["components"]}
    return jsonschema_rs.Draft202012Validator(root, validate_formats=True)


def _is_stream(response: httpx.Response) -> bool:
    content_type: str = response.headers.get("content-type", "")
    return content_type.startswith("text/event-stream")


def _response_problems(operation: Mapping[str, Any], response: httpx.Response) -> Iterator[str]:
    documented = operation["responses"].get(str(response.status_code))
    if documented is None:
        yield f"status {response.status_code} is not documented: {response.text[:200]}"
        return
    if "$ref" in documented:
        documented = api_document()["components"]["responses"][documented["$ref"].rsplit("/", 1)[1]]
    for name in documented.get("headers", {}):
        if name not in response.headers:
            yield f"{response.status_code} without {name}"
    content = documented.get("content")
    if content is None:
        if response.content:
            yield "a body where none is documented"
        return
    media_type = response.headers.get("content-type", "").split(";")[0]
    if "*/*" in content:  # RFC 9110 §12.5.1: any; what it is, its tests say
        return
    if media_type not in content:
        yield f"content type {media_type!r} is not documented for {response.status_code}"
    elif media_type.endswith("json"):
        for problem in problems_of(content[media_type]["schema"], response.json()):
            yield f"answer {problem}"


def _request_problems(operation: Mapping[str, Any], request: httpx.Request) -> Iterator[str]:
    parameters = {one["name"]: one for one in operation["parameters"] if one["in"] == "query"}
    for name, _ in parse_qsl(request.url.query.decode(), keep_blank_values=True):
        if name not in parameters:
            yield f"accepted the undocumented parameter {name!r}"
    for name, one in parameters.items():
        if one["required"] and name not in request.url.params:
            yield f"accepted without the parameter {name}"
    body = operation.get("requestBody")
    if body is not None and "application/json" not in body["content"]:
        return
    if body is None or not isinstance(request.stream, httpx.ByteStream) or not (request.content or body["required"]):
        return
    for problem in problems_of(body["content"]["application/json"]["schema"], json.loads(request.content)):
        yield f"accepted a body that does not fit: {problem}"
