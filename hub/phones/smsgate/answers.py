"""Answers as the app expects them: JSON, and for errors `{"message": …}` with the status.

An error's status decides what the app does: 401 on `PATCH /device` makes it register again, any other makes it try again later.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from hub.core.errors import Code, HubError
from hub.http import json_response
from hub.log import get_logger

log = get_logger("phones.smsgate")

Endpoint = Callable[[Request], Awaitable[Response]]

_UNAUTHORISED = frozenset(
    {Code.TOKEN_UNKNOWN, Code.TOKEN_EXPIRED, Code.TOKEN_REVOKED, Code.TOKEN_USED, Code.DEVICE_REVOKED, Code.WRONG_LOGIN}
)
"""What the app knows as bad credentials."""
NO_STORE = {"Cache-Control": "no-store"}


def answer(value: Any, status: int = 200) -> Response:
    """JSON that nobody keeps."""
    return json_response(value, status, NO_STORE)


def no_content() -> Response:
    """204."""
    return Response(status_code=204)


def refusal(error: HubError) -> Response:
    """The error in the app's shape."""
    status = 401 if error.code in _UNAUTHORISED else error.status
    headers = dict(NO_STORE)
    if status in (429, 503):
        headers["Retry-After"] = str(max(1, round(error.retry_after_seconds or 1)))
    return json_response({"message": error.detail}, status, headers)


def answering(endpoint: Endpoint) -> Endpoint:
    """The endpoint with its errors answered in the app's shape. A path may hold a phone's word, so it is not logged."""

    @wraps(endpoint)
    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except HubError as error:
            return refusal(error)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        except Exception:
            log.exception("a call of a phone failed inside the hub", call=getattr(endpoint, "__name__", "call"))
            return refusal(HubError(Code.INTERNAL))

    return answered
