"""What a carrier posts into a gateway: inbound texts for its numbers, and how texts went.

    POST /sms/GATEWAY/generic          MessageSid From To Body NumMedia NumSegments        an inbound text
    POST /sms/GATEWAY/generic/status   MessageSid MessageStatus ErrorCode                  what became of a text
    X-Twilio-Signature: …

    200 <Response/>     it is stored, or was before
    403                 the signature is not this gateway's: nothing was read

Fields and words are those of https://www.twilio.com/docs/messaging/guides/webhook-request and …/track-outbound-message-status, as a form
or a JSON object. A form names no time, so one that is posted again is known by its `MessageSid`; JSON names its `Timestamp`, and one of
more than five minutes ago is refused.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from hub.core.address import BadAddress, parse_recipient
from hub.core.clock import UtcMs, parse_rfc3339
from hub.core.errors import Code, HubError
from hub.core.reports import CarrierReport, CarrierState
from hub.core.text import is_storable
from hub.dialects.twilio import errors
from hub.dialects.twilio.call import Form, parse_form
from hub.dialects.twilio.errors import ApiError, error_response, in_twilios_words
from hub.dialects.twilio.signature import is_genuine, is_genuine_body
from hub.dialects.twilio.words import LONGEST_BODY, REASONS, message_id_of
from hub.failpoints import failpoint
from hub.gateways.desk import FORMAT, Gateway
from hub.http import read_body
from hub.log import get_logger
from hub.messages.carried import CarriedMedium, CarrierText, take_carried
from hub.messages.carrier_status import CarrierStatus, apply_statuses
from hub.messages.search import find_message
from hub.metrics import CARRIER_POSTS
from hub.services import Services

log = get_logger("twilio")

EMPTY_RESPONSE = b'<?xml version="1.0" encoding="UTF-8"?><Response/>'
OLDEST_MS = 5 * 60_000
"""How far a JSON post's own time may lie from the hub's."""
MOST_MEDIA = 10
LONGEST_TYPE = 100
SIGNATURE = "x-twilio-signature"
_SID = re.compile(r"[A-Za-z0-9_.:-]{1,64}", re.ASCII)
_CODE = re.compile(r"[0-9]{1,6}", re.ASCII)
_TOLD: Mapping[str, CarrierState | None] = MappingProxyType(
    {
        "accepted": None,
        "scheduled": None,
        "queued": None,
        "sending": None,
        "canceled": None,
        "sent": "sent",
        "delivered": "delivered",
        "read": "delivered",
        "undelivered": "undelivered",
        "failed": "failed",
    }
)
"""What each of Twilio's statuses says of a text here. None: nothing that could move it; whether it is cancelled the phone decides."""

Take = Callable[["Post"], Awaitable[str]]


class Post(msgspec.Struct, frozen=True):
    """One post whose signature is right."""

    services: Services
    gateway: Gateway
    form: Form
    raw: str

    def sid(self) -> str:
        """The text's id, under any of the names it has."""
        given = self.form.get("MessageSid") or self.form.get("SmsSid") or self.form.get("SmsMessageSid")
        if given is None or not _SID.fullmatch(given):
            raise ApiError(errors.INVALID, 400, "Give MessageSid: 1 to 64 letters, digits and -_.: that name the text.")
        return given


def routes(services: Services) -> Sequence[BaseRoute]:
    """The two addresses of each gateway; the second under both of the names that platforms make of it."""
    texts, statuses = _Incoming(services, "text", _take_text), _Incoming(services, "status", _take_status)
    return [
        Route("/sms/{gateway}/generic", texts, methods=_ALL),
        Route("/sms/{gateway}/generic/status", statuses, methods=_ALL),
        Route("/sms/{gateway}/status", statuses, methods=_ALL),
    ]


_ALL = ["GET", "POST", "DELETE", "PUT", "PATCH"]


class _Incoming:
    """An ASGI application for one of the addresses."""

    def __init__(self, services: Services, kind: str, take: Take) -> None:
        self._services = services
        self._kind = kind
        self._take = take

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive, send)
        await (await self._answer(request))(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        try:
            if request.method != "POST":
                raise ApiError(errors.METHOD_NOT_ALLOWED, 405, "This path takes POST.", {"Allow": "POST"})
            result = await self._take(await self._post(request))
        except (ApiError, HubError) as refused:
            error = refused if isinstance(refused, ApiError) else in_twilios_words(refused)
            self._count("forbidden" if error.status == 403 else "refused")
            return error_response(error)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        except Exception:
            log.exception("a request failed inside the hub", trace_id=request.scope.get("trace_id"))
            return error_response(in_twilios_words(HubError(Code.INTERNAL)))
        self._count(result)
        return Response(EMPTY_RESPONSE, media_type="text/xml")

    def _count(self, result: str) -> None:
        CARRIER_POSTS.labels(self._kind, result).inc()

    async def _post(self, request: Request) -> Post:
        services = self._services
        raw = await read_body(request.scope, request.receive, services.config.max_body_bytes)
        gateway = await services.gateways.by_name(request.path_params["gateway"])
        is_json = request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"
        form = _read_json(raw) if is_json else parse_form(raw, request.headers.get("content-type", ""))
        given = request.headers.get(SIGNATURE, "")
        url = _url(services.config.base_url, request)
        now = services.clock.now()
        tokens = gateway.alive_tokens(now) if gateway is not None else ("-",)
        is_right = is_genuine_body(given, tokens, url, raw) if is_json else is_genuine(given, tokens, url, form.pairs)
        if gateway is None or not is_right:
            log.warning("a post was refused", why="signature", kind=self._kind)
            raise _forbidden("X-Twilio-Signature is not that of this gateway's token for this URL and body.")
        services.gateways.count(gateway)
        if is_json:
            _refuse_old(form, now)
        return Post(services, gateway, form, raw.decode("utf-8", "replace"))


def _url(base: str, request: Request) -> str:
    """The address as it was called, with the hub's own base: what `Host` says may be anybody's."""
    path: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    query: bytes = request.scope["query_string"]
    called = path.partition(b"?")[0].decode("latin-1")
    return f"{base}{called}?{query.decode('latin-1')}" if query else f"{base}{called}"


def _forbidden(why: str) -> ApiError:
    return ApiError(errors.AUTHENTICATE, 403, why)


def _read_json(raw: bytes) -> Form:
    try:
        given = msgspec.json.decode(raw, type=dict[str, str | int | float | bool | None])
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ApiError(errors.INVALID, 400, "The body is no JSON object of texts and numbers.") from None
    pairs = [(name, str(value)) for name, value in given.items() if value is not None]
    for name, value in pairs:
        if not is_storable(name) or not is_storable(value):
            raise ApiError(errors.INVALID, 400, f"The field {name[:40]!r} holds a character that no text can have.")
    return Form(pairs)


def _refuse_old(form: Form, now: UtcMs) -> None:
    """A JSON post names its time, in RFC 3339 or as seconds since 1970, so that an old one is not taken again."""
    given = form.get("Timestamp")
    if given is None:
        raise ApiError(errors.INVALID, 400, "A JSON post needs its Timestamp, such as 2026-01-31T09:00:00Z.")
    try:
        at = round(float(given) * 1000) if re.fullmatch(r"[0-9]{1,12}(\.[0-9]+)?", given) else parse_rfc3339(given)
    except (ValueError, OverflowError):
        raise ApiError(errors.INVALID, 400, "Timestamp is a time such as 2026-01-31T09:00:00Z.") from None
    if abs(now - at) > OLDEST_MS:
        raise _forbidden("The post is older than five minutes, or its clock is wrong.")


# --- an inbound text ---------------------------------------------------------------------------------------------------------------


async def _take_text(post: Post) -> str:
    form, gateway, services = post.form, post.gateway, post.services
    sid, sender, number = post.sid(), form.get("From"), form.get("To")
    if sender is None:
        raise ApiError(errors.FROM_MISSING, 400, "A 'From' is required: who sent the text.")
    if number is None:
        raise ApiError(errors.TO_MISSING, 400, "A 'To' is required: the number the text was sent to.")
    text, media = _text(form), _media(form)
    if await _is_our_own(post, sid):
        return "repeated"  # the hub told it: a gateway's own URL stands in a gateway
    command = CarrierText(
        account_id=gateway.account_id,
        door=FORMAT,
        key=f"{gateway.id}:{sid}",
        carrier=gateway.name,
        provider_id=sid,
        sender=sender,
        number=await _number(post, number),
        text=text,
        media=media,
        gateway_id=gateway.id,
        at=services.clock.now(),
        raw=post.raw,
    )
    taken = await services.db.writer.submit(take_carried, command, *command.keys())
    failpoint("carried.stored")
    return "new" if taken.is_new else "repeated"


async def _number(post: Post, text: str) -> str:
    settings = await post.services.credentials.settings_of(post.gateway.account_id)
    try:
        return parse_recipient(text, settings.default_region or post.services.config.default_region).value
    except BadAddress as error:
        raise ApiError(errors.BAD_TO, 400, f"To: {error}") from error


def _text(form: Form) -> str:
    body = form.get("Body") or ""
    if len(body) > LONGEST_BODY:
        raise ApiError(errors.BODY_TOO_LONG, 400, f"The Body has {len(body)} characters; {LONGEST_BODY} are the most.")
    return body


def _media(form: Form) -> tuple[CarriedMedium, ...]:
    """What came with the words, by the addresses it is fetched from afterwards."""
    media = form.every("MediaUrl")
    if len(media) > MOST_MEDIA:
        raise ApiError(errors.TOO_MANY_MEDIA, 400, f"There are {len(media)} MediaUrls; {MOST_MEDIA} are the most.")
    for url in media:
        if not _is_web_address(url):
            raise ApiError(errors.BAD_MEDIA, 400, "A MediaUrl is no http or https URL.")
    given = form.get("NumMedia") or "0"
    if not _CODE.fullmatch(given) or (int(given) and int(given) != len(media)):
        raise ApiError(errors.INVALID, 400, f"NumMedia is {given[:10]!r}, and {len(media)} MediaUrls are there.")
    types = dict(form.numbered("MediaContentType"))
    return tuple(
        CarriedMedium(url, types.get(number, "")[:LONGEST_TYPE] or None) for number, url in form.numbered("MediaUrl")
    )


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc) and len(url) <= 2048


async def _is_our_own(post: Post, sid: str) -> bool:
    message_id = message_id_of(sid)
    if message_id is None:
        return False
    return await post.services.db.read(find_message, post.gateway.account_id, message_id) is not None


# --- what became of a text ---------------------------------------------------------------------------------------------------------


async def _take_status(post: Post) -> str:
    form = post.form
    sid, told = post.sid(), (form.get("MessageStatus") or form.get("SmsStatus") or "").lower()
    if told not in _TOLD:
        raise ApiError(errors.INVALID, 400, f"MessageStatus is {told[:20]!r}: give one of {', '.join(_TOLD)}.")
    code = form.get("ErrorCode")
    if code is not None and not _CODE.fullmatch(code):
        raise ApiError(errors.INVALID, 400, "ErrorCode is a number.")
    message_id = message_id_of(sid)
    if message_id is None:
        raise ApiError(errors.NOT_FOUND, 404, "There is no text with this MessageSid.")
    status = _TOLD[told]
    is_failure = status in ("undelivered", "failed")
    otherwise = "undelivered" if status == "undelivered" else "carrier_reject"
    command = CarrierStatus(
        account_id=post.gateway.account_id,
        report=CarrierReport(
            message_id=message_id,
            status=status,
            reason=REASONS.get(code or "", otherwise) if is_failure else None,
            code=code if is_failure else None,
        ),
        carrier=post.gateway.name,
        told=told,
        raw=post.raw,
    )
    reported = await post.services.db.writer.submit(apply_statuses, command, *command.keys())
    return "new" if reported.is_applied else "not_applied"
