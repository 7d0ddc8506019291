"""What the doors of phones share: who asks, and how a refused upgrade is answered."""

from __future__ import annotations

import logging

import msgspec
from starlette.types import Scope, Send

from hub.core.errors import HubError
from hub.http import problem_document, problem_headers

_encoder = msgspec.json.Encoder()


def bearer_of(scope: Scope) -> str:
    """The token of `Authorization: Bearer …` (RFC 6750 §2.1); empty when there is none."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, token = value.decode("latin-1").partition(" ")
            return token.strip() if scheme.lower() == "bearer" else ""
    return ""


def source_of(scope: Scope) -> str:
    """The address the request came from, as the server saw it."""
    client = scope.get("client")
    return client[0] if client else "unknown"


def expect_refusals() -> None:
    """Keep uvicorn (0.54) from logging an error for each upgrade that is refused with an answer."""
    logging.getLogger("uvicorn.error").addFilter(_is_no_refusal)


def _is_no_refusal(record: logging.LogRecord) -> bool:
    return record.getMessage() != "ASGI callable returned without completing handshake."


async def deny(send: Send, error: HubError) -> None:
    """Answer a websocket upgrade with a problem document (ASGI's `websocket.http.response`)."""
    headers = [(b"content-type", b"application/problem+json")]
    headers += [(name.lower().encode(), value.encode()) for name, value in problem_headers(error).items()]
    await send({"type": "websocket.http.response.start", "status": error.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": _encoder.encode(problem_document(error))})
