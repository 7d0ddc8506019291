"""What every request passes first: a trace id, a count, and the headers that hold for all answers.

Plain ASGI: Starlette's `BaseHTTPMiddleware` would start a task per request and hide disconnects.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Awaitable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.log import bind_trace
from hub.metrics import REQUESTS

_TRACE_ID = re.compile(r"[A-Za-z0-9_-]{8,64}", re.ASCII)

NO_SNIFFING = (b"x-content-type-options", b"nosniff")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""What is counted by its own name: a caller can make up methods, and each would be a time series."""

DOORS = (
    "/v1/",
    "/device/",
    "/ui/",
    "/api/",
    "/3rdparty/",
    "/mobile/",
    "/2010-04-01/",
    "/sms/",
    "/providers/",
    "/media/",
    "/mail/",
)
"""First path segments that get their own label in metrics; everything else is `other`."""
_TRACE_BYTES = 8
_TRACES_PER_DRAW = 256
_fresh: list[str] = []
"""Trace ids for the next requests: asking the system for each by itself costs more than the rest of one."""
_LABELS = {door: door.strip("/") for door in DOORS}


class Edge:
    """Wraps the whole application. Like all that stands between server and operation it hands the application's own awaitable on: every
    coroutine around it would be made, and gone through at each step of the request, for nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        trace_id = trace_id_of(scope)
        scope["trace_id"] = trace_id
        bind_trace(trace_id)
        started = time.perf_counter()
        door = door_of(scope["path"])
        header = (b"x-trace-id", trace_id.encode())

        def answer(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), header, NO_SNIFFING]
                method = scope["method"]
                seconds = time.perf_counter() - started
                REQUESTS.add(door, method if method in METHODS else "other", message["status"], seconds)
            return send(message)

        return self._app(scope, receive, answer)


def trace_id_of(scope: Scope) -> str:
    """The caller's `X-Trace-Id` where it is well-formed (8 to 64 of `A-Za-z0-9_-`), else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-trace-id":
            text = value.decode("latin-1")
            if _TRACE_ID.fullmatch(text):
                return str(text)
    if not _fresh:
        drawn = secrets.token_hex(_TRACE_BYTES * _TRACES_PER_DRAW)
        _fresh.extend(drawn[at : at + 2 * _TRACE_BYTES] for at in range(0, len(drawn), 2 * _TRACE_BYTES))
    return _fresh.pop()


def door_of(path: str) -> str:
    """A label for metrics with few values."""
    return _LABELS.get(path[: path.find("/", 1) + 1], "other")
