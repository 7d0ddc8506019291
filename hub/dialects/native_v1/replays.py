"""Replays: sending many events again to one webhook, with progress, and going on where it was after a restart."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from hub.accounts.scopes import Scope
from hub.core.errors import Code
from hub.core.events import EventType
from hub.dialects.native_v1.deliveries import DeliveryState
from hub.dialects.native_v1.fields import (
    Count,
    MessageId,
    Model,
    Query,
    ReplayId,
    Request,
    UtcTime,
    WebhookId,
    bare,
    bare_or_none,
    moment_or_none,
    out,
    out_or_none,
    time,
    time_or_none,
)
from hub.dialects.native_v1.operation import AnyOperation, Call, NoBody, NoQuery, Operation
from hub.webhooks import records


class ReplayToStart(Request):
    """Which events to send again. Everything that is named must hold."""

    webhook_id: WebhookId
    types: Annotated[list[EventType], Meta(description="Empty = all.")] = field(default_factory=list)
    states: Annotated[
        list[DeliveryState], Meta(description="Only events whose last delivery to this webhook is so; empty = all.")
    ] = field(default_factory=list)
    since: UtcTime | None = None
    until: UtcTime | None = None
    message_id: MessageId | None = None


class ReplayFilter(Model):
    """What a replay was started with."""

    types: list[str]
    states: list[str]
    since: UtcTime | None
    until: UtcTime | None
    message_id: MessageId | None


class Replay(Model):
    """A replay and how far it has come."""

    id: ReplayId
    webhook_id: WebhookId
    filter: ReplayFilter
    state: Literal["running", "done", "cancelled"]
    total: Annotated[Count | None, Meta(description="Events that match, as far as counted.")]
    created: Annotated[Count, Meta(description="Deliveries made so far.")]
    ok: Count
    dead: Count
    pending: Count
    created_at: UtcTime
    done_at: UtcTime | None


class ReplayList(Model):
    """Replays, newest first."""

    items: list[Replay]


class ReplaysQuery(Query):
    """Which replays to list."""

    webhook_id: WebhookId | None = None


def shown(replay: records.Replay) -> Replay:
    """A replay as customers see it."""
    asked = replay.filter
    return Replay(
        id=out("replay", replay.id),
        webhook_id=out("endpoint", replay.endpoint_id),
        filter=ReplayFilter(
            types=list(asked.types),
            states=list(asked.states),
            since=time_or_none(asked.since),
            until=time_or_none(asked.until),
            message_id=out_or_none("message", asked.message_id),
        ),
        state=replay.state,
        total=replay.total,
        created=replay.created,
        ok=replay.ok,
        dead=replay.dead,
        pending=replay.pending,
        created_at=time(replay.created_at),
        done_at=time_or_none(replay.done_at),
    )


async def list_replays(call: Call[ReplaysQuery, None]) -> ReplayList:
    """List replays."""
    webhook_id = bare_or_none("endpoint", call.query.webhook_id, "webhook_id")
    return ReplayList(items=[shown(one) for one in await call.services.webhooks.replays(call.account_id, webhook_id)])


async def start_replay(call: Call[NoQuery, ReplayToStart]) -> Replay:
    """Start a replay.

    Matching events go to one webhook again, behind live events and in their own order, with the header `webhook-replay`. A
    restart of the hub changes nothing.
    """
    body = call.body
    asked = records.ReplayFilter(
        types=tuple(body.types),
        states=tuple(body.states),
        since=moment_or_none(body.since, "since"),
        until=moment_or_none(body.until, "until"),
        message_id=bare_or_none("message", body.message_id, "message_id"),
    )
    webhook_id = bare("endpoint", body.webhook_id, "webhook_id")
    return shown(await call.services.webhooks.start_replay(call.account_id, webhook_id, asked))


async def get_replay(call: Call[NoQuery, None]) -> Replay:
    """Read one replay."""
    return shown(await call.services.webhooks.get_replay(call.account_id, call.path["replay_id"]))


async def cancel_replay(call: Call[NoQuery, None]) -> Replay:
    """Cancel a replay.

    What was sent stays sent.
    """
    return shown(await call.services.webhooks.cancel_replay(call.account_id, call.path["replay_id"]))


_ALL = "/v1/replays"
_ONE = "/v1/replays/{replay_id}"
OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="GET", path=_ALL, run=list_replays, scope=Scope.WEBHOOKS_READ, query=ReplaysQuery, body=NoBody,
        returns=ReplayList,
    ),
    Operation(
        method="POST", path=_ALL, run=start_replay, scope=Scope.WEBHOOKS_WRITE, query=NoQuery, body=ReplayToStart,
        returns=Replay, status=202, errors=(Code.NOT_FOUND, Code.CONFLICT, Code.ENDPOINT_DISABLED),
        example={"webhook_id": "whk_06fgxz1h4c8q2r5t7v9w0y3b", "since": "2026-01-31T09:00:00.000Z", "states": ["dead"]},
    ),
    Operation(method="GET", path=_ONE, run=get_replay, scope=Scope.WEBHOOKS_READ, query=NoQuery, body=NoBody, returns=Replay),
    Operation(
        method="POST", path=_ONE + "/cancel", run=cancel_replay, scope=Scope.WEBHOOKS_WRITE, query=NoQuery, body=NoBody,
        returns=Replay, errors=(Code.CONFLICT,),
    ),
)  # fmt: skip
