"""Twilio's error answers: `{"code", "message", "more_info", "status"}`, and which of its numbers our problems have.

Numbers: https://www.twilio.com/docs/api/errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec
from starlette.responses import Response

from hub.core.errors import Code, HubError
from hub.http import problem_headers

AUTHENTICATE, NOT_FOUND, METHOD_NOT_ALLOWED = 20003, 20404, 20004
TOO_MANY_REQUESTS, INTERNAL, INVALID = 20429, 20500, 20001
BAD_TO, BAD_FROM, NO_ROUTE = 21211, 21212, 21612
FROM_MISSING, TO_MISSING, BODY_MISSING = 21603, 21604, 21602
NOT_OUR_NUMBER, BAD_CALLBACK, BODY_TOO_LONG = 21606, 21609, 21617
BAD_MEDIA, TOO_MANY_MEDIA, OPTED_OUT = 21620, 21623, 21610
NO_SEND_TIME, BAD_SEND_TIME, NOT_CANCELABLE = 35111, 35114, 30409
NOT_FINISHED = 20009


class ApiError(Exception):
    """An error in Twilio's words."""

    def __init__(self, code: int, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.status = status
        self.message = message
        self.headers = headers or {}


_OURS: Mapping[Code, tuple[int, int]] = MappingProxyType(
    {
        Code.UNAUTHENTICATED: (AUTHENTICATE, 401),
        Code.WRONG_LOGIN: (AUTHENTICATE, 401),
        Code.KEY_EXPIRED: (AUTHENTICATE, 401),
        Code.KEY_REVOKED: (AUTHENTICATE, 401),
        Code.SCOPE_MISSING: (AUTHENTICATE, 403),
        Code.NOT_FOUND: (NOT_FOUND, 404),
        Code.METHOD_NOT_ALLOWED: (METHOD_NOT_ALLOWED, 405),
        Code.RATE_LIMITED: (TOO_MANY_REQUESTS, 429),
        Code.BAD_RECIPIENT: (BAD_TO, 400),
        Code.TEXT_EMPTY: (BODY_MISSING, 400),
        Code.TEXT_TOO_LONG: (BODY_TOO_LONG, 400),
        Code.UNKNOWN_SENDER: (NOT_OUR_NUMBER, 400),
        Code.OPTED_OUT: (OPTED_OUT, 400),
        Code.NO_LINE: (NO_ROUTE, 400),
        Code.NO_MMS_LINE: (NO_ROUTE, 400),
        Code.SCHEDULE_OUT_OF_RANGE: (BAD_SEND_TIME, 400),
        Code.CANCEL_TOO_LATE: (NOT_CANCELABLE, 409),
        Code.TARGET_REFUSED: (BAD_CALLBACK, 400),
        Code.BODY_TOO_LARGE: (INVALID, 413),
        Code.IDEMPOTENCY_CONFLICT: (INVALID, 409),
        Code.BAD_CURSOR: (INVALID, 400),
        Code.VALIDATION: (INVALID, 400),
        Code.BAD_REQUEST: (INVALID, 400),
    }
)


def in_twilios_words(error: HubError) -> ApiError:
    """One of our problems as Twilio would say it; the sentence stays ours."""
    code, status = _OURS.get(error.code, (INTERNAL if error.status >= 500 else INVALID, error.status))
    headers = {name: value for name, value in problem_headers(error).items() if name == "Retry-After"}
    return ApiError(code, status, error.detail, headers)


def error_response(error: ApiError) -> Response:
    """The error as an answer; 401 carries the challenge that RFC 9110 §15.5.2 asks for."""
    body = {
        "code": error.code,
        "message": error.message,
        "more_info": f"https://www.twilio.com/docs/errors/{error.code}",
        "status": error.status,
    }
    headers = dict(error.headers)
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Basic realm="Twilio API"'
    return Response(msgspec.json.encode(body), error.status, headers, media_type="application/json")
