"""What every request passes first: a trace id, a count, and the headers that hold for all answers.

Plain ASGI: Starlette's `BaseHTTPMiddleware` would start a task per request and hide disconnects.
"""

from __future__ import annotations

import re
import secrets
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.log import bind_trace
from hub.metrics import REQUEST_SECONDS, REQUESTS

_TRACE_ID = re.compile(r"[A-Za-z0-9_-]{8,64}", re.ASCII)

DOORS = ("/v1/", "/device/", "/ui/", "/api/", "/3rdparty/", "/mobile/", "/2010-04-01/", "/sms/", "/providers/")
"""First path segments that get their own label in metrics; everything else is `other`."""


class Edge:
    """Wraps the whole application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        trace_id = trace_id_of(scope)
        scope["trace_id"] = trace_id
        bind_trace(trace_id)
        started = time.perf_counter()
        door = door_of(scope["path"])
        header = (b"x-trace-id", trace_id.encode())

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), header, (b"x-content-type-options", b"nosniff")]
                REQUESTS.labels(door, scope["method"], message["status"]).inc()
                REQUEST_SECONDS.labels(door).observe(time.perf_counter() - started)
            await send(message)

        await self._app(scope, receive, answer)


def trace_id_of(scope: Scope) -> str:
    """The caller's `X-Trace-Id` where it is well-formed (8 to 64 of `A-Za-z0-9_-`), else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-trace-id":
            text = value.decode("latin-1")
            if _TRACE_ID.fullmatch(text):
                return str(text)
    return secrets.token_hex(8)


def door_of(path: str) -> str:
    """A label for metrics with few values."""
    return next((door.strip("/") for door in DOORS if path.startswith(door)), "other")
