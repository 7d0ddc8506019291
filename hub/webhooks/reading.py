"""Deliveries as their owners read them."""

from typing import Any

from sqlalchemy import Connection

from hub.core.clock import UtcMs
from hub.core.events import EventType
from hub.core.ids import BadId, from_number, to_number
from hub.core.mail import is_mail
from hub.core.ports import Completing, DeliveryView, EventView, RenderedRequest, Secrets, WebhookFormat
from hub.storage import webhooks_log as stored
from hub.storage.webhooks_outcomes import STATES
from hub.webhooks.attempts import shown_attempt
from hub.webhooks.mail import MailIdentity, compose
from hub.webhooks.records import Attempt, Delivery, DeliveryFilter, DeliveryState, LastTry
from hub.webhooks.requests import format_view
from hub.webhooks.sentences import explain_delivery

LARGEST_NUMBER = (1 << 63) - 1


def id_of_number(number: int) -> str:
    """The id of a row that the database numbered: the number, spelled like every other id."""
    return from_number(number)


def number_of_id(id_: str) -> int:
    """The number in such an id; 0, which no row has, when it is another kind's."""
    try:
        number = to_number(id_)
    except BadId:
        return 0
    return number if number <= LARGEST_NUMBER else 0


def read_deliveries(
    conn: Connection, account_id: str, asked: DeliveryFilter, before: str | None, limit: int
) -> list[Delivery]:
    """Newest first."""
    narrowed = stored.Asked(
        asked.endpoint_id,
        asked.event_id,
        asked.message_id,
        asked.event_type,
        asked.states,
        asked.since,
        asked.until,
        asked.replay_id,
    )
    number = None if before is None else number_of_id(before)
    rows = stored.list_deliveries(conn, account_id, narrowed, number, limit)
    tries = stored.last_tries(conn, account_id, [row.id for row in rows])
    return [shown_delivery(row, tries.get(row.id)) for row in rows]


def read_delivery(
    conn: Connection,
    account_id: str,
    delivery_id: str,
    formats: dict[str, WebhookFormat],
    identity: MailIdentity,
    complete: Completing,
) -> tuple[Delivery, tuple[Attempt, ...], str] | None:
    """One delivery, its tries, and the bytes that are sent."""
    row = stored.find_delivery(conn, account_id, number_of_id(delivery_id))
    if row is None:
        return None
    tries = stored.attempts_of(conn, account_id, row.id)
    last = stored.last_tries(conn, account_id, [row.id]).get(row.id)
    return (
        shown_delivery(row, last),
        tuple(shown_attempt(tried, id_of_number(tried.id)) for tried in tries),
        _body(row, formats.get(row.format), identity, complete),
    )


def shown_delivery(row: Any, last: stored.LastTry | None) -> Delivery:
    """A row of the log as its owner sees it."""
    state: DeliveryState = STATES[row.state]
    return Delivery(
        id=id_of_number(row.id),
        account_id=row.account_id,
        endpoint_id=row.endpoint_id,
        event_id=row.event_id,
        event_type=row.event_type,
        message_id=row.event_message_id,
        state=state,
        url=row.endpoint_url if row.target is None else row.target,
        format=row.format,
        run=row.run,
        origin="replay" if row.queue else "live",
        attempts=row.attempts,
        due_at=row.due_at if state == "pending" else None,
        created_at=row.created_at,
        first_at=row.first_at,
        done_at=row.done_at,
        why=row.why,
        explanation=explain_delivery(state, row.why, row.attempts),
        last_try=None
        if last is None
        else LastTry(at=last.started_at, status=last.status, outcome=last.outcome, milliseconds=last.milliseconds),
    )


def _body(row: Any, form: WebhookFormat | None, identity: MailIdentity, complete: Completing) -> str:
    """The body, made again: it is the same on every try, so it is not stored."""
    if form is None:
        return ""
    try:
        return _rendered(row, form, row.created_at, identity, complete).body.decode("utf-8", "replace")
    except Exception as error:  # a format is an adapter's code; the log says of each try why there was no request
        return str(error)


def _rendered(
    row: Any, form: WebhookFormat, now: UtcMs, identity: MailIdentity, complete: Completing
) -> RenderedRequest:
    event = EventView(
        event_id=row.event_id,
        seq=row.event_seq,
        type=EventType(row.event_type),
        account_id=row.account_id,
        occurred_at=row.event_occurred_at,
        data=row.event_data.encode(),
        device_id=row.event_device_id,
        line_id=row.event_line_id,
        message_id=row.event_message_id,
        trace_id=row.event_trace_id,
    )
    delivery = DeliveryView(
        delivery_id=id_of_number(row.id), attempt=max(row.attempts, 1), run=row.run, created_at=row.created_at
    )
    view, event = format_view(row), complete(event, row.created_at)
    if is_mail(view.url):
        return compose(identity, form, view, event)
    return form.render(view, event, delivery, Secrets(), now)
