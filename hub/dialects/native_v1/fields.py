"""The words that all resources share: ids with their prefix, times, bounded numbers, and how they come in and go out."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from hub.core import ids
from hub.core.clock import UtcMs, parse_rfc3339, rfc3339
from hub.core.errors import invalid
from hub.core.ids import PREFIXES, Kind

LARGEST = (1 << 53) - 1
"""The largest whole number that every JSON reader keeps exactly (RFC 8259 §6)."""


def _id(kind: Kind, what: str) -> Meta:
    prefix = PREFIXES[kind]
    return Meta(
        pattern=f"^{prefix}_[0-9a-hjkmnp-tv-z]{{24}}$",
        description=what,
        examples=[f"{prefix}_06fgxz1h4c8q2r5t7v9w0y3b"],
    )


MessageId = Annotated[str, _id("message", "A text.")]
BatchId = Annotated[str, _id("batch", "A request to many recipients.")]
ConversationId = Annotated[str, _id("conversation", "A thread: one line and one peer.")]
DeviceId = Annotated[str, _id("device", "A phone.")]
LineId = Annotated[str, _id("line", "A line: a SIM, wherever it sits.")]
EnrolmentId = Annotated[str, _id("enrolment", "An enrolment code.")]
WebhookId = Annotated[str, _id("endpoint", "A webhook.")]
DeliveryId = Annotated[str, _id("delivery", "One event for one webhook.")]
EventId = Annotated[str, _id("event", "An event; also the `webhook-id` of its deliveries.")]
ReplayId = Annotated[str, _id("replay", "A replay of many events.")]
KeyId = Annotated[str, _id("key", "An API key (not the key itself).")]
LoginId = Annotated[str, _id("login", "A login: a name and a password.")]
UserId = Annotated[str, _id("user", "A person who uses the dashboard.")]
ContactId = Annotated[str, _id("contact", "A contact.")]
SnippetId = Annotated[str, _id("snippet", "A text that is sent often.")]
GatewayId = Annotated[str, _id("gateway", "A gateway: an account SID and a token.")]
MailboxId = Annotated[str, _id("mailbox", "An address whose mails go out as texts.")]
MediaId = Annotated[str, _id("media", "An attachment.")]
AccountId = Annotated[str, _id("account", "An account.")]

UtcTime = Annotated[
    str,
    Meta(
        description="RFC 3339. Answers are UTC with three fraction digits and `Z`; requests may use any offset.",
        examples=["2026-01-31T09:00:00.000Z"],
        extra_json_schema={"format": "date-time"},
    ),
]
Count = Annotated[int, Meta(ge=0, le=LARGEST)]
Seconds = Annotated[float, Meta(ge=0)]
Percent = Annotated[int, Meta(ge=0, le=100)]
Limit = Annotated[int, Meta(ge=1, le=200, description="Most items of one page.")]
Cursor = Annotated[
    str, Meta(min_length=1, max_length=512, description="Where to go on: `next_cursor` of the page before.")
]
Name = Annotated[str, Meta(min_length=1, max_length=100, description="What people call it.")]
Address = Annotated[str, Meta(max_length=64, examples=["+491701234567"])]
"""A number as it was given; what it means is decided by `hub.core.address`."""
NextCursor = Annotated[str | None, Meta(description="Give it as `cursor` for the next page; null = this was the last.")]

DEFAULT_LIMIT = 50


def out(kind: Kind, bare: str) -> str:
    """A stored id as customers see it."""
    return ids.render(kind, bare)


def out_or_none(kind: Kind, bare: str | None) -> str | None:
    """`out`, for an id that may be absent."""
    return None if bare is None else ids.render(kind, bare)


def bare(kind: Kind, shown: str, field: str) -> str:
    """A customer's id as it is stored. A `validation` error that names the field when it is no id of this kind."""
    try:
        return ids.parse(kind, shown)
    except ids.BadId as error:
        raise invalid(field, "bad_id", f"{error}.") from error


def bare_or_none(kind: Kind, shown: str | None, field: str) -> str | None:
    """`bare`, for an id that may be absent."""
    return None if shown is None else bare(kind, shown, field)


def time(at: UtcMs) -> str:
    """Milliseconds as customers see a time."""
    return rfc3339(at)


def time_or_none(at: UtcMs | None) -> str | None:
    """`time`, for a time that may be absent."""
    return None if at is None else rfc3339(at)


def moment(shown: str, field: str) -> UtcMs:
    """A customer's time in milliseconds. A `validation` error that names the field when it is none, or lies before 1970."""
    try:
        at = parse_rfc3339(shown)
    except ValueError as error:
        raise invalid(field, "bad_time", f"{error}.") from error
    if at < 0:
        raise invalid(field, "bad_time", f"{shown} lies before 1970.")
    return at


def moment_or_none(shown: str | None, field: str) -> UtcMs | None:
    """`moment`, for a time that may be absent."""
    return None if shown is None else moment(shown, field)


class Model(msgspec.Struct):
    """What an answer is made of."""


class Request(msgspec.Struct, forbid_unknown_fields=True):
    """What a body is read as: a field it does not know is an error, because it was meant to do something."""


class Query(msgspec.Struct, forbid_unknown_fields=True):
    """What a query string is read as."""


class PageQuery(Query):
    """A page of a list."""

    limit: Limit = DEFAULT_LIMIT
    cursor: Cursor | None = None


def named(value: Any, **names: str) -> dict[str, Any]:
    """The fields of a Struct that were given (are not UNSET), under other names where `names` says so."""
    given = msgspec.structs.asdict(value)
    return {names.get(field, field): item for field, item in given.items() if item is not msgspec.UNSET}
