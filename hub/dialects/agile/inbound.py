"""The door through which Agile Telecom posts inbound texts to us, its customer.

    POST /providers/agile/TOKEN/inbound?time_zone=Europe/Rome
    originator=%2B447700900142&destination=%2B447700900001&date_time=20260131100000&text=Yes%21

    200 +OK     it is stored, or was before
    anything else, with a sentence as plain text     it will be posted again

TOKEN is a key with the scope `messages:post` and no other: a URL ends in logs, so what stands in one must open nothing else. A text is
known by a hash of its four values, as Agile Telecom's own receivers know it. `+OK` is said after the commit.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from hub.accounts.credentials import Principal
from hub.accounts.keys import PREFIX
from hub.accounts.scopes import Scope as Right
from hub.core.address import mask
from hub.core.clock import UtcMs
from hub.core.errors import Code, HubError, invalid
from hub.dialects.agile.events import TAKEN, zone_of
from hub.dialects.auth import LONGEST_TOKEN
from hub.failpoints import failpoint
from hub.http import problem_headers, read_body
from hub.log import get_logger
from hub.messages.carried import CarrierText, Taken, take_carried
from hub.services import Services

log = get_logger("agile")

PATH = "/providers/agile/{token}/inbound"
NAME = "Agile Telecom"
FIELDS = ("originator", "destination", "date_time", "text")
MOST_FIELDS = 50
FORM = "application/x-www-form-urlencoded"
ONLY = frozenset({Right.MESSAGES_POST})
FIRST_YEAR, LAST_YEAR = 2000, 2999


class Post(NamedTuple):
    """The four values, as they were sent."""

    originator: str
    destination: str
    date_time: str
    text: str

    def key(self) -> str:
        """What knows this text again."""
        values = (value.encode() for value in self)
        return hashlib.sha256(b"".join(len(value).to_bytes(4, "big") + value for value in values)).hexdigest()


class Inbound:
    """An ASGI application for the door's path."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (await self._answer(Request(scope, receive)))(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        try:
            who = await self._who(request.path_params["token"])
            if request.method != "POST":
                return PlainTextResponse("This path takes POST.", 405, {"Allow": "POST"})
            post = await self._read(request)
            taken = await self._take(who, post, _zone(request))
        except HubError as error:
            log.info("a text was not taken", result=error.code, trace_id=request.scope.get("trace_id"))
            return PlainTextResponse(error.detail.replace("+OK", "OK"), error.status, problem_headers(error))
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        except Exception:
            log.exception("a request failed inside the hub", trace_id=request.scope.get("trace_id"))
            return PlainTextResponse("The hub failed. Post it again.", 500)
        log.info("a text was posted", originator=mask(post.originator), result="new" if taken.is_new else "repeated")
        return PlainTextResponse(TAKEN)

    async def _who(self, token: str) -> Principal:
        credentials = self._services.credentials
        if not token.startswith(PREFIX) or len(token) > LONGEST_TOKEN or not token.isascii():
            raise HubError(Code.UNAUTHENTICATED, "The token in this URL is no key of this hub.")
        credential = await credentials.find(token)
        credentials.take(credential)
        who = credential.principal
        who.require(Right.MESSAGES_POST)
        if who.scopes != ONLY:
            raise HubError(
                Code.SCOPE_MISSING, f"Make a key with the scope {Right.MESSAGES_POST} alone: this one opens more."
            )
        return who

    async def _read(self, request: Request) -> Post:
        raw = await read_body(request.scope, request.receive, self._services.config.max_body_bytes)
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
            raise HubError(Code.UNSUPPORTED_MEDIA_TYPE, f"Post the four fields as {FORM}.")
        return read_post(raw)

    async def _take(self, who: Principal, post: Post, zone: tzinfo) -> Taken:
        command = CarrierText(
            account_id=who.account_id,
            door="agile",
            key=post.key(),
            carrier=NAME,
            sender=post.originator,
            number=post.destination,
            text=post.text,
            at=_time(post.date_time, zone),
            raw="\n".join(f"{name}: {value}" for name, value in zip(FIELDS, post, strict=True)),
        )
        taken = await self._services.db.writer.submit(take_carried, command, *command.keys())
        failpoint("carried.stored")
        return taken


def read_post(raw: bytes) -> Post:
    """The four values of a form. Raises `bad_request` for what is no form, `validation` naming the field."""
    try:
        pairs = parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, encoding="utf-8", errors="strict", max_num_fields=MOST_FIELDS
        )
    except UnicodeDecodeError:
        raise HubError(Code.BAD_REQUEST, "The form is not percent-encoded UTF-8.") from None
    except ValueError:
        raise HubError(Code.BAD_REQUEST, f"The form has more than {MOST_FIELDS} fields.") from None
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in FIELDS and found.setdefault(name, value) != value:
            raise invalid(name, "twice", f"{name} stands in the form twice.")
    for name in FIELDS:
        if name not in found or (name == "destination" and not found[name].strip()):
            raise invalid(name, "missing", f"{name} is missing.")
    return Post(*(found[name] for name in FIELDS))


def _time(text: str, zone: tzinfo) -> UtcMs:
    """`YYYYMMDDHHMMSS` of a wall clock."""
    try:
        if len(text) != 14 or not (text.isascii() and text.isdigit()):
            raise ValueError
        at = datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=zone)
    except ValueError:
        raise invalid("date_time", "value", "date_time is a time as YYYYMMDDHHMMSS.") from None
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise invalid("date_time", "value", f"date_time lies outside the years {FIRST_YEAR} to {LAST_YEAR}.")
    return int(at.timestamp()) * 1000


def _zone(request: Request) -> tzinfo:
    name = request.query_params.get("time_zone", "")
    zone = zone_of(name) if name else UTC
    if zone is None:
        raise invalid("time_zone", "value", f"time_zone is {name[:40]!r}: use a name such as Europe/Rome.")
    return zone
