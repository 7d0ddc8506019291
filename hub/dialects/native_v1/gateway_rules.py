"""Rules of numbers: to which gateway, webhooks and people the texts to one number go."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, field

from hub.accounts.scopes import Scope
from hub.core.address import BadAddress, parse_recipient
from hub.core.errors import Code, invalid
from hub.dialects.native_v1.fields import (
    Address,
    GatewayId,
    Model,
    NextCursor,
    PageQuery,
    Query,
    Request,
    UserId,
    UtcTime,
    WebhookId,
    bare,
    bare_or_none,
    out,
    out_or_none,
    time,
)
from hub.dialects.native_v1.operation import AnyOperation, Call, NoBody, NoQuery, Operation
from hub.gateways.rules import MOST_NAMED, DropRule, PutRule, drop_rules, opened, put_rules
from hub.gateways.rules import Rule as StoredRule
from hub.storage.inbound_rules import list_rules


class InboundRule(Model):
    """Where inbound texts to one number go."""

    number: Annotated[str, Meta(description="The number texts are sent to, in E.164.")]
    gateway_id: Annotated[GatewayId | None, Meta(description="The gateway that is told.")]
    webhook_ids: Annotated[list[WebhookId], Meta(description="The webhooks that are told, beside the gateway.")]
    user_ids: Annotated[list[UserId], Meta(description="People limited to some lines who see this number's too.")]
    created_at: UtcTime
    updated_at: UtcTime


class InboundRulePage(Model):
    """Rules, by number."""

    items: list[InboundRule]
    next_cursor: NextCursor


class InboundRuleToSet(Request):
    """Where texts to a number are to go. Name one of the three at least."""

    number: Address
    gateway_id: GatewayId | None = None
    webhook_ids: Annotated[list[WebhookId], Meta(max_length=MOST_NAMED)] = field(default_factory=list)
    user_ids: Annotated[list[UserId], Meta(max_length=MOST_NAMED)] = field(default_factory=list)


class InboundRuleToDrop(Query):
    """Whose rule."""

    number: Address


async def list_inbound_rules(call: Call[PageQuery, None]) -> InboundRulePage:
    """List the rules of numbers."""
    rows, next_ = await call.read(list_rules, call.account_id, call.query.cursor, call.query.limit)
    return InboundRulePage(items=[_shown(opened(row)) for row in rows], next_cursor=next_)


async def set_inbound_rule(call: Call[NoQuery, InboundRuleToSet]) -> InboundRule:
    """Say where texts to a number go.

    In place of the rule it had. Inbound texts to the number are told to this gateway and these webhooks and to no other, whatever lines
    those ask for; without a gateway and webhooks, to everybody as before. People who see some lines only see the number's line too.
    """
    body = call.body
    command = PutRule(
        account_id=call.account_id,
        number=await _number(call, body.number),
        gateway_id=bare_or_none("gateway", body.gateway_id, "gateway_id"),
        webhook_ids=tuple(bare("endpoint", webhook_id, "webhook_ids") for webhook_id in body.webhook_ids),
        user_ids=tuple(bare("user", user_id, "user_ids") for user_id in body.user_ids),
    )
    return _shown(await call.write(put_rules, command))


async def delete_inbound_rule(call: Call[InboundRuleToDrop, None]) -> None:
    """Remove the rule of a number.

    Texts to it are told to every webhook and gateway that asks for its line.
    """
    number = await _number(call, call.query.number)
    await call.write(drop_rules, DropRule(account_id=call.account_id, number=number))


async def _number(call: Call[Any, Any], text: str) -> str:
    settings = await call.services.credentials.settings_of(call.account_id)
    try:
        return parse_recipient(text, settings.default_region or call.services.config.default_region).value
    except BadAddress as error:
        raise invalid("number", error.fault.value, str(error)) from error


def _shown(rule: StoredRule) -> InboundRule:
    return InboundRule(
        number=rule.number,
        gateway_id=out_or_none("gateway", rule.gateway_id),
        webhook_ids=[out("endpoint", webhook_id) for webhook_id in rule.webhook_ids],
        user_ids=[out("user", user_id) for user_id in rule.user_ids],
        created_at=time(rule.created_at),
        updated_at=time(rule.updated_at),
    )


_ALL = "/v1/gateways/rules"
OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="GET", path=_ALL, run=list_inbound_rules, scope=Scope.KEYS_READ, query=PageQuery, body=NoBody,
        returns=InboundRulePage,
    ),
    Operation(
        method="PUT", path=_ALL, run=set_inbound_rule, scope=Scope.KEYS_WRITE, query=NoQuery, body=InboundRuleToSet,
        returns=InboundRule, example={"number": "+447700900001", "gateway_id": "gtw_06fgxz1h4c8q2r5t7v9w0y3b"},
    ),
    Operation(
        method="DELETE", path=_ALL, run=delete_inbound_rule, scope=Scope.KEYS_WRITE, query=InboundRuleToDrop, body=NoBody,
        returns=NoBody, status=204, errors=(Code.NOT_FOUND,),
    ),
)  # fmt: skip
