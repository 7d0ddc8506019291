"""Forwarding: where the inbound texts of one number go, by webhook or by mail."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from hub.accounts.scopes import Scope
from hub.core.errors import Code
from hub.dialects.native_v1.fields import LineId, Model, Request, WebhookId, out
from hub.dialects.native_v1.operation import AnyOperation, Call, NoBody, NoQuery, Operation
from hub.dialects.native_v1.webhook_models import State, WebhookHealth
from hub.dialects.native_v1.webhooks import shown_health
from hub.webhooks.forwarding import Forwarding as StoredForwarding
from hub.webhooks.forwarding import Forwardings, Way, Wish

Url = Annotated[str, Meta(min_length=1, max_length=1024, examples=["https://shop.example.com/inbound"])]
MailTo = Annotated[str, Meta(min_length=3, max_length=254, examples=["shop@example.com"])]
TimeZone = Annotated[
    str, Meta(max_length=64, description="Of the times in what is told, such as Europe/Rome; empty = UTC.")
]


class Forwarding(Model):
    """How a line's inbound texts are forwarded."""

    line_id: LineId
    number: str | None
    way: Annotated[Way, Meta(description="Which of the two it is now.")]
    url: Annotated[str | None, Meta(description="Where texts are posted to, now or when it is `webhook` again.")]
    mail_to: Annotated[str | None, Meta(description="Where texts are mailed to, now or when it is `mail` again.")]
    time_zone: str
    is_bypassed: Annotated[
        bool, Meta(description="Nothing is told: a rule of the number names other places and not this webhook.")
    ]
    webhook_id: Annotated[WebhookId, Meta(description="The webhook that does it: its deliveries are the log.")]
    state: State
    health: WebhookHealth


class ForwardingList(Model):
    """All forwardings, oldest first."""

    items: list[Forwarding]


class ForwardingToSet(Request):
    """How to forward a line's inbound texts; what is left out stays as it was."""

    way: Way
    url: Url | UnsetType = UNSET
    mail_to: MailTo | UnsetType = UNSET
    time_zone: TimeZone | UnsetType = UNSET


async def list_forwardings(call: Call[NoQuery, None]) -> ForwardingList:
    """List the forwardings of all lines."""
    return ForwardingList(items=[_shown(one) for one in await _forwardings(call).list(call.account_id)])


async def get_forwarding(call: Call[NoQuery, None]) -> Forwarding:
    """Read how a line is forwarded."""
    return _shown(await _forwardings(call).get(call.account_id, call.path["line_id"]))


async def set_forwarding(call: Call[NoQuery, ForwardingToSet]) -> Forwarding:
    """Forward a line's inbound texts, or forward them another way.

    As Agile Telecom does: a form of four fields that wants the answer `+OK`, or a mail. When the way changes, what waits goes the new
    way at once; what is just being told ends the old way, and goes the new way if that fails. Nothing is lost or told twice.
    """
    body = call.body
    wish = Wish(way=body.way, url=body.url, mail_to=body.mail_to, time_zone=body.time_zone)
    return _shown(await _forwardings(call).set(call.account_id, call.path["line_id"], wish))


async def stop_forwarding(call: Call[NoQuery, None]) -> Forwarding:
    """Forward a line's texts no more. What waits is cancelled."""
    return _shown(await _forwardings(call).stop(call.account_id, call.path["line_id"]))


def _forwardings(call: Call[Any, Any]) -> Forwardings:
    return Forwardings(call.services.db, call.services.webhooks)


def _shown(one: StoredForwarding) -> Forwarding:
    return Forwarding(
        line_id=out("line", one.line_id),
        number=one.number,
        way=one.way,
        url=one.url,
        mail_to=one.mail_to,
        time_zone=one.time_zone,
        is_bypassed=one.is_bypassed,
        webhook_id=out("endpoint", one.endpoint.id),
        state=one.endpoint.state,
        health=shown_health(one.endpoint.health),
    )


_ONE = "/v1/lines/{line_id}/forwarding"
OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="GET", path="/v1/forwardings", run=list_forwardings, scope=Scope.WEBHOOKS_READ, query=NoQuery, body=NoBody,
        returns=ForwardingList,
    ),
    Operation(
        method="GET", path=_ONE, run=get_forwarding, scope=Scope.WEBHOOKS_READ, query=NoQuery, body=NoBody,
        returns=Forwarding,
    ),
    Operation(
        method="PUT", path=_ONE, run=set_forwarding, scope=Scope.WEBHOOKS_WRITE, query=NoQuery, body=ForwardingToSet,
        returns=Forwarding, errors=(Code.TARGET_REFUSED, Code.CONFLICT),
        example={"way": "webhook", "url": "https://shop.example.com/inbound", "time_zone": "Europe/Rome"},
    ),
    Operation(
        method="DELETE", path=_ONE, run=stop_forwarding, scope=Scope.WEBHOOKS_WRITE, query=NoQuery, body=NoBody,
        returns=Forwarding,
    ),
)  # fmt: skip
