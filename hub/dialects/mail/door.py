"""The door for mails by HTTP.

    POST /mail/s.dmo…?to=%2B15550123
    Content-Type: message/rfc822

    From: Anna <anna@example.org>
    …

    200 {"message_ids": ["msg_…"]}     the text is stored, or was before

The path names a mailbox, or a reply address as it stands in a mail of the hub. The number stands in the query (`to`, as often as need
be), or after `+` in the path, or in the mail's own recipients; without any, the mail it answers says whom it is for.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hub.core.errors import Code, HubError
from hub.core.ids import render
from hub.core.mail import international
from hub.core.text import is_storable
from hub.dialects.auth import authenticate, token_or_none
from hub.http import json_response, problem_response, read_body
from hub.log import get_logger
from hub.mail.taking import MailTaker
from hub.services import Services

log = get_logger("mail")

PATH = "/mail/{address}"
MIME = ("message/rfc822", "message/global")


class Door:
    """An ASGI application for the door's path. The address is looked at before the body is read."""

    def __init__(self, services: Services) -> None:
        self._most_bytes = services.config.mail_max_bytes
        self._taker = MailTaker(services)
        self._credentials = services.credentials

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (await self._answer(Request(scope, receive)))(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        trace_id = request.scope.get("trace_id")
        try:
            return json_response({"message_ids": await self._take(request)})
        except HubError as error:
            log.info("a mail was not taken", result=error.code, trace_id=trace_id)
            answer = problem_response(error, trace_id)
            if error.code is Code.METHOD_NOT_ALLOWED:
                answer.headers["Allow"] = "POST"
            return answer
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        except Exception:
            log.exception("a request failed inside the hub", trace_id=trace_id)
            return problem_response(HubError(Code.INTERNAL), trace_id)

    async def _take(self, request: Request) -> Sequence[str]:
        local, _, number = request.path_params["address"].partition("@")[0].partition("+")
        to = await self._taker.find(local)
        if to.needs_key:
            has_key = token_or_none(request.scope) is not None
            to.admit(await authenticate(request.scope, self._credentials) if has_key else None)
        if request.method != "POST":
            raise HubError(Code.METHOD_NOT_ALLOWED)
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in MIME:
            raise HubError(Code.UNSUPPORTED_MEDIA_TYPE, "Post the mail as it is, as message/rfc822.")
        numbers = [*request.query_params.getlist("to"), *([international(number)] if number else [])]
        if not all(map(is_storable, numbers)):
            raise HubError(Code.VALIDATION, "to holds a character that no number has.")
        raw = await read_body(request.scope, request.receive, self._most_bytes)
        accepted = await self._taker.take(to, raw, numbers)
        return [render("message", one.message_id) for one in accepted.results if one.message_id is not None]
