"""Enrolments: one-time codes that let a phone in, shown as a QR code.

The hub stores only the SHA-256 of a code, so that the code and its picture are in the answer that made it. The pictures' addresses carry
the code sealed with the hub's key: they can be opened by a key of the account, for as long as the code lives.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from typing import Annotated, Any, Literal

from msgspec import Meta

from hub import devices
from hub.accounts.scopes import Scope
from hub.accounts.secretbox import SealBroken
from hub.core.errors import Code, HubError
from hub.devices import app_guide
from hub.devices.app_guide import SMSGATE, what_to_type
from hub.devices.qr import enrolment_text, qr_png, qr_svg
from hub.devices.registration import new_word
from hub.dialects.native_v1.fields import (
    DeviceId,
    EnrolmentId,
    Model,
    Name,
    NextCursor,
    PageQuery,
    Query,
    Request,
    UtcTime,
    bare_or_none,
    out,
    out_or_none,
    time,
    time_or_none,
)
from hub.dialects.native_v1.operation import AnyOperation, Call, Content, NoBody, NoQuery, Operation, found
from hub.dialects.native_v1.pages import cut, id_cursor
from hub.services import Services

Transport = Literal["native", "smsgate"]
EnrolmentState = Literal["open", "used", "expired", "revoked"]
Sealed = Annotated[
    str, Meta(min_length=1, max_length=512, description="From the address in the answer that made the code.")
]


class Enrolment(Model):
    """A code and what became of it."""

    id: EnrolmentId
    name: Annotated[str | None, Meta(description="What the phone will be called.")]
    state: EnrolmentState
    created_at: UtcTime
    expires_at: UtcTime
    used_at: UtcTime | None
    revoked_at: UtcTime | None
    device_id: Annotated[DeviceId | None, Meta(description="The phone that used it.")]
    for_device_id: Annotated[DeviceId | None, Meta(description="The only phone that may use it.")]
    transport: Annotated[Transport, Meta(description="The app it lets in.")]


class TypeIn(Model):
    """What to type into the sms-gate.app app; each of the three ways is enough."""

    short_url: Annotated[str, Meta(description="As *API URL*, and nothing else.")]
    api_url: Annotated[str, Meta(description="As *API URL*, with the private token or the code.")]
    private_token: str
    code: Annotated[str, Meta(description="In the *By Code* tab.")]
    steps: Annotated[list[str], Meta(description="Tap by tap.")]
    warning: Annotated[str | None, Meta(description="Why a phone could not reach this address.")]


class NewEnrolment(Model):
    """A code just made. The code is in this answer and nowhere else."""

    enrolment: Enrolment
    token: Annotated[str, Meta(description="The code itself.")]
    qr_text: Annotated[str, Meta(description="What the QR code says: `https://HUB/enroll#<code>`.")]
    qr_svg: Annotated[str, Meta(description="The QR code as an SVG document.")]
    qr_svg_url: str
    qr_png_url: Annotated[str, Meta(description="The QR code as a picture; ask for it with your key.")]
    type_in: Annotated[TypeIn | None, Meta(description="For an app without a scanner: what to type.")]


class EnrolmentPage(Model):
    """Enrolments, newest first."""

    items: list[Enrolment]
    next_cursor: NextCursor


class EnrolmentToMake(Request):
    """A new code."""

    name: Name | None = None
    device_id: Annotated[
        DeviceId | None, Meta(description="Enrol this phone anew: it keeps its row, lines and conversations.")
    ] = None
    transport: Annotated[
        Transport,
        Meta(
            description="The app on the phone: `native` is the hub's own, `smsgate` that of sms-gate.app, into which the code is typed."
        ),
    ] = "native"


class QrQuery(Query):
    """Which code to draw."""

    code: Sealed


def shown(view: devices.EnrolmentView) -> Enrolment:
    """An enrolment as customers see it."""
    return Enrolment(
        id=out("enrolment", view.id),
        name=view.name,
        state=view.state,
        created_at=time(view.created_at),
        expires_at=time(view.expires_at),
        used_at=time_or_none(view.used_at),
        revoked_at=time_or_none(view.revoked_at),
        device_id=out_or_none("device", view.device_id),
        for_device_id=out_or_none("device", view.for_device_id),
        transport="smsgate" if view.transport == SMSGATE else "native",
    )


def with_code(services: Services, view: devices.EnrolmentView, token: str) -> NewEnrolment:
    """The answer that shows a code, once."""
    text = _text_of(services, view, token)
    sealed = base64.urlsafe_b64encode(services.secrets.seal(token.encode(), _context(view.id))).decode().rstrip("=")
    address = f"{services.config.base_url}/v1/enrolments/{out('enrolment', view.id)}/qr"
    return NewEnrolment(
        enrolment=shown(view),
        token=token,
        qr_text=text,
        qr_svg=qr_svg(text).decode(),
        qr_svg_url=f"{address}.svg?code={sealed}",
        qr_png_url=f"{address}.png?code={sealed}",
        type_in=_type_in(what_to_type(services.config.base_url, token)) if view.transport == SMSGATE else None,
    )


def _text_of(services: Services, view: devices.EnrolmentView, token: str) -> str:
    """What the picture says: the sms-gate.app app scans nothing, so the phone's camera shows an address to copy."""
    if view.transport == SMSGATE:
        return what_to_type(services.config.base_url, token).short_url
    return enrolment_text(services.config.base_url, token, services.tls_pin)


def _type_in(told: app_guide.TypeIn) -> TypeIn:
    return TypeIn(
        short_url=told.short_url,
        api_url=told.api_url,
        private_token=told.private_token,
        code=told.code,
        steps=list(told.steps),
        warning=told.warning,
    )


def _context(enrolment_id: str) -> str:
    return f"enrolment:{enrolment_id}"


async def list_enrolments(call: Call[PageQuery, None]) -> EnrolmentPage:
    """List enrolments."""
    limit = call.query.limit
    views = await call.read(
        devices.list_enrolments, call.account_id, after=id_cursor(call.query.cursor), limit=limit + 1, now=call.now
    )
    page, has_more = cut(views, limit)
    return EnrolmentPage(items=[shown(view) for view in page], next_cursor=page[-1].id if has_more else None)


async def create_enrolment(call: Call[NoQuery, EnrolmentToMake]) -> NewEnrolment:
    """Make a code for a phone.

    It works once, for ten minutes; one that is typed, for an hour. Follow it with `GET /v1/enrolments/{enrolment_id}` or on the stream:
    `used` names the phone.
    """
    device_id = bare_or_none("device", call.body.device_id, "device_id")
    return await make_code(call, call.body.name, device_id, call.body.transport)


async def make_code(call: Call[NoQuery, Any], name: str | None, device_id: str | None, transport: str) -> NewEnrolment:
    """A code to scan, or a word to type, as the app of this transport wants it."""
    if transport == SMSGATE:
        new = new_word(
            call.account_id,
            name,
            transport=transport,
            device_id=device_id,
            new_id=call.new_id,
            random=secrets.token_bytes,
        )
    else:
        new = devices.new_enrolment(
            call.account_id, name, device_id=device_id, new_id=call.new_id, random=secrets.token_bytes
        )
    return with_code(call.services, await call.write(devices.create_enrolment, new.command), new.token)


async def get_enrolment(call: Call[NoQuery, None]) -> Enrolment:
    """Read one enrolment.

    Whether its code was used, and by which phone.
    """
    return shown(
        found(await call.read(devices.find_enrolment, call.account_id, call.path["enrolment_id"], now=call.now))
    )


async def revoke_enrolment(call: Call[NoQuery, None]) -> Enrolment:
    """Withdraw a code that was not used."""
    command = devices.RevokeEnrolment(account_id=call.account_id, enrolment_id=call.path["enrolment_id"])
    return shown(await call.write(devices.revoke_enrolment, command))


async def get_enrolment_svg(call: Call[QrQuery, None]) -> Content:
    """The QR code as SVG."""
    return Content("image/svg+xml", qr_svg(await _qr_text(call)))


async def get_enrolment_png(call: Call[QrQuery, None]) -> Content:
    """The QR code as PNG."""
    return Content("image/png", qr_png(await _qr_text(call)))


async def _qr_text(call: Call[QrQuery, None]) -> str:
    """The text of a code that is still open. `not_found` for a foreign enrolment or a code that is not its own."""
    enrolment_id = call.path["enrolment_id"]
    view = found(await call.read(devices.find_enrolment, call.account_id, enrolment_id, now=call.now))
    try:
        padded = call.query.code + "=" * (-len(call.query.code) % 4)
        token = call.services.secrets.open(base64.urlsafe_b64decode(padded), _context(enrolment_id)).decode()
    except (SealBroken, binascii.Error, ValueError) as error:
        raise HubError(Code.NOT_FOUND) from error
    if view.state != "open":
        raise HubError(Code.TOKEN_EXPIRED, f"This code is {view.state}. Make a new one.")
    return _text_of(call.services, view, token)


_ALL = "/v1/enrolments"
_ONE = "/v1/enrolments/{enrolment_id}"
OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="GET", path=_ALL, run=list_enrolments, scope=Scope.DEVICES_READ, query=PageQuery, body=NoBody,
        returns=EnrolmentPage,
    ),
    Operation(
        method="POST", path=_ALL, run=create_enrolment, scope=Scope.DEVICES_WRITE, query=NoQuery, body=EnrolmentToMake,
        returns=NewEnrolment, status=201, errors=(Code.NOT_FOUND, Code.CONFLICT), example={"name": "Front desk"},
    ),
    Operation(
        method="GET", path=_ONE, run=get_enrolment, scope=Scope.DEVICES_READ, query=NoQuery, body=NoBody, returns=Enrolment
    ),
    Operation(
        method="DELETE", path=_ONE, run=revoke_enrolment, scope=Scope.DEVICES_WRITE, query=NoQuery, body=NoBody,
        returns=Enrolment, errors=(Code.CONFLICT, Code.TOKEN_USED),
    ),
    Operation(
        method="GET", path=_ONE + "/qr.svg", run=get_enrolment_svg, scope=Scope.DEVICES_WRITE, query=QrQuery, body=NoBody,
        returns=Content, media_type="image/svg+xml", errors=(Code.TOKEN_EXPIRED,),
    ),
    Operation(
        method="GET", path=_ONE + "/qr.png", run=get_enrolment_png, scope=Scope.DEVICES_WRITE, query=QrQuery, body=NoBody,
        returns=Content, media_type="image/png", errors=(Code.TOKEN_EXPIRED,),
    ),
)  # fmt: skip
