"""Gateways: an account SID and a token for a PBX, or for programs written against Twilio."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType, field

from hub.accounts.scopes import Scope, refuse_more_than
from hub.core.errors import Code
from hub.dialects.native_v1.fields import (
    GatewayId,
    LineId,
    Model,
    NextCursor,
    PageQuery,
    Request,
    UtcTime,
    WebhookId,
    bare,
    out,
    out_or_none,
    time,
)
from hub.dialects.native_v1.operation import AnyOperation, Call, NoBody, NoQuery, Operation
from hub.dialects.native_v1.pages import cut, id_cursor
from hub.gateways.desk import GATEWAY_SCOPES, GatewayChanges, NewGateway
from hub.gateways.desk import Gateway as StoredGateway
from hub.storage.gateways import list_gateways as read_gateways
from hub.webhooks.signing import DEFAULT_GRACE_SECONDS, LONGEST_GRACE_SECONDS

Url = Annotated[str, Meta(min_length=1, max_length=2048)]
GatewayName = Annotated[
    str,
    Meta(min_length=1, max_length=64, pattern="^[A-Za-z0-9]+$", description="Letters and digits; it stands in URLs."),
]
AccountSid = Annotated[str, Meta(pattern="^AC[0-9a-f]{32}$", description="As Twilio's libraries want it.")]
AuthToken = Annotated[str, Meta(pattern="^[0-9a-f]{32}$", description="32 small hexadecimal digits.")]
SenderName = Annotated[
    str,
    Meta(min_length=1, max_length=64, description="The number, alias or pool that sends when a request names none."),
]


class Gateway(Model):
    """A gateway. Its token is encrypted and cannot be shown again."""

    id: GatewayId
    name: GatewayName
    account_sid: AccountSid
    sender: SenderName | None
    line_ids: Annotated[list[LineId], Meta(description="Whose inbound texts it is told of; empty = all lines.")]
    status_url: Annotated[Url | None, Meta(description="Where statuses go when a request names no StatusCallback.")]
    webhook_id: Annotated[WebhookId | None, Meta(description="The webhook behind its inbound URL.")]
    provider_url: Annotated[str, Meta(description='Where its platform sends texts to: the "Provider\'s URL".')]
    webhook_url: Annotated[
        str, Meta(description="Where a carrier posts inbound texts into the hub, signed with the token.")
    ]
    delivery_status_url: Annotated[
        str, Meta(description="Where a carrier posts the statuses of texts, signed the same way.")
    ]
    api_base_url: Annotated[str, Meta(description="What takes the place of Twilio's own address in its libraries.")]
    created_at: UtcTime
    updated_at: UtcTime


class NewGatewayAnswer(Model):
    """A gateway with its new token."""

    auth_token: Annotated[AuthToken, Meta(description="It is in this answer and nowhere else.")]
    info: Gateway


class GatewayPage(Model):
    """Gateways, newest first."""

    items: list[Gateway]
    next_cursor: NextCursor


class GatewayToMake(Request):
    """A new gateway."""

    name: GatewayName
    account_sid: Annotated[
        AccountSid | None, Meta(description="The SID its platform has already; null = a new one.")
    ] = None
    auth_token: Annotated[
        AuthToken | None, Meta(description="The token its platform has already; null = a new one.")
    ] = None
    sender: SenderName | None = None
    line_ids: Annotated[list[LineId], Meta(max_length=200)] = field(default_factory=list)
    inbound_url: Annotated[Url | None, Meta(description="Where inbound texts are posted to.")] = None
    fallback_url: Annotated[Url | None, Meta(description="Tried when inbound_url fails.")] = None
    status_url: Url | None = None


class GatewayToChange(Request):
    """What to change of a gateway; what is left out stays."""

    sender: SenderName | UnsetType | None = UNSET
    line_ids: Annotated[list[LineId], Meta(max_length=200)] | UnsetType = UNSET
    inbound_url: Annotated[Url | UnsetType | None, Meta(description="null = inbound texts are posted nowhere.")] = UNSET
    fallback_url: Url | UnsetType | None = UNSET
    status_url: Url | UnsetType | None = UNSET


class TokenToSet(Request):
    """A new token."""

    auth_token: Annotated[AuthToken | None, Meta(description="null = a new one.")] = None
    grace_seconds: Annotated[
        int, Meta(ge=0, le=LONGEST_GRACE_SECONDS, description="How long the token before works, and signs, beside it.")
    ] = DEFAULT_GRACE_SECONDS


async def list_gateways(call: Call[PageQuery, None]) -> GatewayPage:
    """List gateways.

    Newest first, without their tokens.
    """
    limit = call.query.limit
    rows = await call.read(read_gateways, call.account_id, id_cursor(call.query.cursor), limit + 1)
    page, has_more = cut(rows, limit)
    items = [_shown(call, call.services.gateways.opened(row)) for row in page]
    return GatewayPage(items=items, next_cursor=page[-1].id if has_more else None)


async def create_gateway(call: Call[NoQuery, GatewayToMake]) -> NewGatewayAnswer:
    """Make a gateway.

    Give `account_sid` and `auth_token` to take over those its platform has already. The key that makes it must itself have the right to
    send and read texts.
    """
    body = call.body
    refuse_more_than(call.who.scopes, GATEWAY_SCOPES)
    new = NewGateway(
        name=body.name,
        sid=body.account_sid,
        token=body.auth_token,
        sender=body.sender,
        line_ids=_lines(body.line_ids),
        inbound_url=body.inbound_url,
        fallback_url=body.fallback_url,
        status_url=body.status_url,
    )
    made = await call.services.gateways.create(call.account_id, new)
    return NewGatewayAnswer(auth_token=made.token, info=_shown(call, made.gateway))


async def get_gateway(call: Call[NoQuery, None]) -> Gateway:
    """Read one gateway."""
    return _shown(call, await call.services.gateways.get(call.account_id, call.path["gateway_id"]))


async def change_gateway(call: Call[NoQuery, GatewayToChange]) -> Gateway:
    """Change a gateway.

    Its name stays: it stands in the URLs its platform was given.
    """
    body = call.body
    changes = GatewayChanges(
        sender=body.sender,
        line_ids=UNSET if isinstance(body.line_ids, UnsetType) else _lines(body.line_ids),
        inbound_url=body.inbound_url,
        fallback_url=body.fallback_url,
        status_url=body.status_url,
    )
    return _shown(call, await call.services.gateways.update(call.account_id, call.path["gateway_id"], changes))


async def rotate_gateway_token(call: Call[NoQuery, TokenToSet | None]) -> NewGatewayAnswer:
    """Give a gateway another token.

    Both open the door until the grace time is over; what its platform is told is signed with the older one until then.
    """
    body = call.body or TokenToSet()
    gateway = await call.services.gateways.get(call.account_id, call.path["gateway_id"])
    refuse_more_than(call.who.scopes, GATEWAY_SCOPES)
    made = await call.services.gateways.rotate_token(call.account_id, gateway.id, body.auth_token, body.grace_seconds)
    return NewGatewayAnswer(auth_token=made.token, info=_shown(call, made.gateway))


async def delete_gateway(call: Call[NoQuery, None]) -> Gateway:
    """Delete a gateway.

    It opens nothing from now on. Texts it sent are still told of.
    """
    return _shown(call, await call.services.gateways.delete(call.account_id, call.path["gateway_id"]))


def _lines(shown_ids: list[str]) -> tuple[str, ...]:
    return tuple(bare("line", line_id, "line_ids") for line_id in shown_ids)


def _shown(call: Call[Any, Any], gateway: StoredGateway) -> Gateway:
    base = call.services.config.base_url
    return Gateway(
        id=out("gateway", gateway.id),
        name=gateway.name,
        account_sid=gateway.sid,
        sender=gateway.sender,
        line_ids=[out("line", line_id) for line_id in gateway.line_ids],
        status_url=gateway.status_url,
        webhook_id=out_or_none("endpoint", gateway.endpoint_id),
        provider_url=f"{base}/sms/{gateway.name}/generic/send",
        webhook_url=f"{base}/sms/{gateway.name}/generic",
        delivery_status_url=f"{base}/sms/{gateway.name}/generic/status",
        api_base_url=base,
        created_at=time(gateway.created_at),
        updated_at=time(gateway.updated_at),
    )


_ALL = "/v1/gateways"
_ONE = "/v1/gateways/{gateway_id}"
OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="GET", path=_ALL, run=list_gateways, scope=Scope.KEYS_READ, query=PageQuery, body=NoBody,
        returns=GatewayPage,
    ),
    Operation(
        method="POST", path=_ALL, run=create_gateway, scope=Scope.KEYS_WRITE, query=NoQuery, body=GatewayToMake,
        returns=NewGatewayAnswer, status=201, errors=(Code.CONFLICT, Code.TARGET_REFUSED),
        example={"name": "FrontDesk", "inbound_url": "https://pbx.example.com/sms/FrontDesk/generic"},
    ),
    Operation(
        method="GET", path=_ONE, run=get_gateway, scope=Scope.KEYS_READ, query=NoQuery, body=NoBody, returns=Gateway
    ),
    Operation(
        method="PATCH", path=_ONE, run=change_gateway, scope=Scope.KEYS_WRITE, query=NoQuery, body=GatewayToChange,
        returns=Gateway, errors=(Code.TARGET_REFUSED, Code.CONFLICT),
    ),
    Operation(
        method="POST", path=_ONE + "/token", run=rotate_gateway_token, scope=Scope.KEYS_WRITE, query=NoQuery,
        body=TokenToSet, is_body_optional=True, returns=NewGatewayAnswer,
    ),
    Operation(
        method="DELETE", path=_ONE, run=delete_gateway, scope=Scope.KEYS_WRITE, query=NoQuery, body=NoBody,
        returns=Gateway,
    ),
)  # fmt: skip
