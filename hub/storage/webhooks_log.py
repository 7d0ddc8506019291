"""The delivery log: what was sent to whom, how often, and how it ended. Every statement names the account."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, bindparam, literal, select

from hub.core.clock import UtcMs
from hub.storage.schema.webhooks import WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookEvent
from hub.storage.types import table_of
from hub.storage.webhooks_outcomes import STATES

_DELIVERY = table_of(WebhookDelivery)
_ENDPOINT = table_of(WebhookEndpoint)
_EVENT = table_of(WebhookEvent)
_ATTEMPT = table_of(WebhookAttempt)

MOST_ATTEMPTS = 200
"""Of one delivery; a probed endpoint's delivery can have many, the newest are shown."""


class Asked(NamedTuple):
    """What a list of deliveries is narrowed to."""

    endpoint_id: str | None = None
    event_id: str | None = None
    message_id: str | None = None
    event_type: str | None = None
    states: tuple[str, ...] = ()
    since: UtcMs | None = None
    until: UtcMs | None = None
    replay_id: str | None = None


_LISTED = (
    select(
        *[_DELIVERY.c[name] for name in _DELIVERY.c.keys()],  # noqa: SIM118 (a column collection, not a mapping)
        _EVENT.c.id.label("event_id"),
        _EVENT.c.type.label("event_type"),
        _EVENT.c.message_id.label("event_message_id"),
        _ENDPOINT.c.url.label("endpoint_url"),
    )
    .join_from(_DELIVERY, _EVENT, _EVENT.c.seq == _DELIVERY.c.event_seq)
    .join(_ENDPOINT, _ENDPOINT.c.id == _DELIVERY.c.endpoint_id)
    .where(_DELIVERY.c.account_id == bindparam("account_id"))
)
_ENDPOINT_IDS = select(_ENDPOINT.c.id).where(_ENDPOINT.c.account_id == bindparam("account_id"))
_IN_LIST = ("seq", "id", "type", "message_id")
_EVENT_FIELDS = [column.label(f"event_{column.name}") for column in _EVENT.c if column.name not in _IN_LIST]
_DETAIL = _LISTED.add_columns(
    *_EVENT_FIELDS,
    _ENDPOINT.c.kind.label("endpoint_kind"),
    _ENDPOINT.c.settings.label("endpoint_settings"),
).where(_DELIVERY.c.id == bindparam("delivery_id"))
_ATTEMPTS = (
    select(*_ATTEMPT.c)
    .where(_ATTEMPT.c.delivery_id == bindparam("delivery_id"), _ATTEMPT.c.account_id == bindparam("account_id"))
    .order_by(_ATTEMPT.c.id.desc())
    .limit(literal(MOST_ATTEMPTS))
)


def list_deliveries(conn: Connection, account_id: str, asked: Asked, before: int | None, limit: int) -> list[Row[Any]]:
    """Deliveries, newest first.

    Without an endpoint, event or replay each endpoint's newest are merged: the order of one endpoint is in an index, that of a whole
    account is not.
    """
    statement = _narrowed(asked, before).order_by(_DELIVERY.c.id.desc()).limit(limit)
    is_found_by_index = asked.endpoint_id or asked.event_id or asked.message_id or asked.replay_id
    if is_found_by_index:
        return list(conn.execute(statement, {"account_id": account_id}))
    found: list[Row[Any]] = []
    of_one = statement.where(_DELIVERY.c.endpoint_id == bindparam("one_endpoint"))
    for (endpoint_id,) in conn.execute(_ENDPOINT_IDS, {"account_id": account_id}):
        found += conn.execute(of_one, {"account_id": account_id, "one_endpoint": endpoint_id})
    return sorted(found, key=lambda row: -int(row.id))[:limit]


def _narrowed(asked: Asked, before: int | None) -> Select[Any]:
    conditions = [
        (asked.endpoint_id, _DELIVERY.c.endpoint_id == asked.endpoint_id),
        (asked.event_id, _EVENT.c.id == asked.event_id),
        (asked.message_id, _EVENT.c.message_id == asked.message_id),
        (asked.event_type, _EVENT.c.type == asked.event_type),
        (asked.replay_id, _DELIVERY.c.replay_id == asked.replay_id),
        (asked.since, _DELIVERY.c.created_at >= (asked.since or 0)),
        (asked.until, _DELIVERY.c.created_at < (asked.until or 0)),
        (before, _DELIVERY.c.id < (before or 0)),
    ]
    statement = _LISTED
    for value, condition in conditions:
        if value is not None:
            statement = statement.where(condition)
    if len(asked.states) == 1:  # spelled out, so that the index of just these can be used
        return statement.where(_DELIVERY.c.state == literal(STATES.index(asked.states[0]), literal_execute=True))
    if asked.states:
        statement = statement.where(_DELIVERY.c.state.in_([STATES.index(state) for state in asked.states]))
    return statement


_LAST_TRY = (
    select(_ATTEMPT.c.delivery_id, _ATTEMPT.c.started_at, _ATTEMPT.c.status, _ATTEMPT.c.outcome, _ATTEMPT.c.ms_total)
    .where(_ATTEMPT.c.delivery_id == bindparam("delivery_id"), _ATTEMPT.c.account_id == bindparam("account_id"))
    .order_by(_ATTEMPT.c.n.desc(), _ATTEMPT.c.id.desc())
    .limit(literal(1))
)


class LastTry(NamedTuple):
    """How the newest try of a delivery went."""

    delivery_id: int
    started_at: UtcMs
    status: int | None
    outcome: str
    milliseconds: int | None


def last_tries(conn: Connection, account_id: str, delivery_ids: Sequence[int]) -> dict[int, LastTry]:
    """By delivery: its newest try."""
    found = {}
    for delivery_id in delivery_ids:
        row = conn.execute(_LAST_TRY, {"account_id": account_id, "delivery_id": delivery_id}).first()
        if row is not None:
            found[delivery_id] = LastTry(*row)
    return found


def find_delivery(conn: Connection, account_id: str, delivery_id: int) -> Row[Any] | None:
    """One delivery with its whole event (`event_…`)."""
    return conn.execute(_DETAIL, {"account_id": account_id, "delivery_id": delivery_id}).first()


def attempts_of(conn: Connection, account_id: str, delivery_id: int) -> Sequence[Row[Any]]:
    """Its tries, oldest first."""
    rows = conn.execute(_ATTEMPTS, {"account_id": account_id, "delivery_id": delivery_id}).all()
    return rows[::-1]
