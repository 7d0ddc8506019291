"""The outbox: a customer event and its deliveries are stored in the transaction of the change they tell of.

So there is no moment in which a change is stored and its webhook is not, and none in which a webhook tells of a change that was
rolled back. Nothing is sent here; the effects wake the loops that do.
"""

import hashlib
from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec

from hub.core.clock import UtcMs
from hub.core.commands import CallbackTarget
from hub.core.effects import Effect, Publish, WakeDelivery
from hub.core.events import Data, EventType, encode
from hub.core.ids import from_hex30
from hub.core.mail import is_mail
from hub.storage import webhooks_outbox as stored
from hub.storage.transaction import Tx

_WORDS = {type_: type_.value for type_ in EventType}
"""`type_.value`, without what an enumeration does around it."""


class NewEvent(msgspec.Struct, frozen=True):
    """One applied fact that customers are told of."""

    id: str
    account_id: str
    type: EventType
    occurred_at: UtcMs
    data: Data
    device_id: str | None = None
    line_id: str | None = None
    peer: str | None = None
    message_id: str | None = None
    conversation_id: str | None = None
    trace_id: str | None = None
    callback: CallbackTarget | None = None
    """The message's own target, told beside the account's endpoints."""


def publish(tx: Tx, events: Sequence[NewEvent]) -> tuple[Effect, ...]:
    """Store events with their deliveries, in the caller's transaction; call it once for all events of a batch.

    The order of `events` is the order of their numbers. Returns what wakes feeds and the delivery loop once the commit is on disk.
    """
    if not events:
        return ()
    deliveries = stored.insert_events(tx, [_row(event, tx.now) for event in events])
    deliveries += _publish_to_targets(tx, events)
    told: dict[str, list[NewEvent]] = {}
    for event in events:
        told.setdefault(event.account_id, []).append(event)
    effects: list[Effect] = [
        Publish(account_id, tuple([event.id for event in its]), tuple([_WORDS[event.type] for event in its]))
        for account_id, its in told.items()
    ]
    if deliveries:
        effects.append(WakeDelivery())
    return tuple(effects)


def _row(event: NewEvent, now: UtcMs) -> tuple[object, ...]:
    """In the order of `stored.EVENT_COLUMNS`."""
    return (
        event.id,
        event.account_id,
        _WORDS[event.type],
        event.occurred_at,
        now,
        event.device_id,
        event.line_id,
        event.peer,
        event.message_id,
        event.conversation_id,
        event.trace_id,
        encode(event.data),
    )


def _publish_to_targets(tx: Tx, events: Sequence[NewEvent]) -> int:
    rows, endpoints = [], {}
    for event in events:
        target = event.callback
        if target is None or (target.events and event.type not in target.events):
            continue
        origin = origin_of(target.url)
        endpoint_id = implicit_endpoint_id(event.account_id, target.format, origin, target.gateway_id)
        endpoints[endpoint_id] = {
            "id": endpoint_id,
            "account_id": event.account_id,
            "kind": "mail" if is_mail(origin) else "http",
            "schedule": '"mail"' if is_mail(origin) else '"default"',
            "url": origin,
            "is_implicit": True,
            "gateway_id": target.gateway_id,
            "format": target.format,
            "settings": msgspec.json.encode(target.settings).decode(),
            "secrets": b"",
            "created_at": tx.now,
            "updated_at": tx.now,
        }
        rows.append(
            {
                "event_id": event.id,
                "endpoint_id": endpoint_id,
                "target": target.url,
                "target_key": hashlib.sha256(target.url.encode()).hexdigest()[:16],
            }
        )
    if rows:
        stored.ensure_endpoints(tx, list(endpoints.values()))
        stored.insert_targets(tx, rows)
    return len(rows)


def origin_of(url: str) -> str:
    """What all targets of one receiver share: `https://host:port`, or `mailto:domain`. One origin is one lane."""
    if "://" not in url:
        return "mailto:" + url.removeprefix("mailto:").rpartition("@")[2].lower()
    parts = urlsplit(url)
    return f"{parts.scheme.lower()}://{parts.netloc.lower()}"


def implicit_endpoint_id(account_id: str, format_name: str, origin: str, gateway_id: str | None = None) -> str:
    """The id of the endpoint behind messages' own targets: the same for the same four, so that no two hubs make two."""
    named = (account_id, format_name, origin) if gateway_id is None else (account_id, format_name, origin, gateway_id)
    digest = hashlib.sha256("\n".join(named).encode()).hexdigest()
    return from_hex30(digest[:30])
