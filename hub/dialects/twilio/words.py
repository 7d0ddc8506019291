"""Twilio's spelling of what the hub knows: SIDs, statuses, error codes, dates.

Statuses: https://www.twilio.com/docs/messaging/api/message-resource#message-status-values. A text that may have been sent and nobody
knows (`uncertain`) is still `sending` there; one that waits for another try is `queued`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from types import MappingProxyType

from hub.core.clock import UtcMs
from hub.core.ids import BadId, from_hex30, to_hex30

API_VERSION = "2010-04-01"
LONGEST_BODY = 1600
"""Characters: https://www.twilio.com/docs/api/errors/21617."""

STATUSES: Mapping[str, str] = MappingProxyType(
    {
        "scheduled": "scheduled",
        "queued": "queued",
        "retried": "queued",
        "dispatched": "sending",
        "uncertain": "sending",
        "sent": "sent",
        "delivered": "delivered",
        "undelivered": "undelivered",
        "failed": "failed",
        "dead_letter": "failed",
        "expired": "failed",
        "cancelled": "canceled",
        "received": "received",
    }
)
FAILURES = frozenset({"undelivered", "failed", "dead_letter", "expired"})

QUEUE_OVERFLOW, UNREACHABLE_HANDSET, BLOCKED, UNKNOWN_HANDSET = 30001, 30003, 30004, 30005
FILTERED, UNKNOWN_ERROR, VALIDITY_EXPIRED = 30007, 30008, 30036
_CODES: Mapping[str, int] = MappingProxyType(
    {
        "os_rate_limit": QUEUE_OVERFLOW,
        "queue_full": QUEUE_OVERFLOW,
        "radio_off": UNREACHABLE_HANDSET,
        "no_service": UNREACHABLE_HANDSET,
        "no_line": UNREACHABLE_HANDSET,
        "no_response": UNREACHABLE_HANDSET,
        "handset_busy": UNREACHABLE_HANDSET,
        "handset_error": UNREACHABLE_HANDSET,
        "blocked_by_phone_policy": BLOCKED,
        "rejected_by_handset": BLOCKED,
        "service_rejected": BLOCKED,
        "not_obtainable": UNKNOWN_HANDSET,
        "unknown_to_network": UNKNOWN_HANDSET,
        "carrier_reject": FILTERED,
        "time_over": VALIDITY_EXPIRED,
        "validity_expired": VALIDITY_EXPIRED,
    }
)
"""Reason words of `hub.core.results`; what is not here is 30008."""
SENTENCES: Mapping[int, str] = MappingProxyType(
    {
        QUEUE_OVERFLOW: "Queue overflow",
        UNREACHABLE_HANDSET: "Unreachable destination handset",
        BLOCKED: "Message blocked",
        UNKNOWN_HANDSET: "Unknown destination handset",
        FILTERED: "Message filtered",
        UNKNOWN_ERROR: "Unknown error",
        VALIDITY_EXPIRED: "Validity Period Expired",
    }
)


REASONS: Mapping[str, str] = MappingProxyType(
    {
        "30001": "congestion",
        "30003": "no_response",
        "30004": "rejected_by_handset",
        "30005": "not_obtainable",
        "30006": "incompatible_destination",
        "30007": "carrier_reject",
        "30036": "validity_expired",
        "30410": "no_response",
    }
)
"""What a carrier's number means here."""


def status_word(state: str, *, has_left: bool = False) -> str:
    """Twilio's word for a state; a text that expired after it had left a phone is `undelivered`."""
    return "undelivered" if state == "expired" and has_left else STATUSES[state]


def error_code(state: str, reason: str | None) -> int | None:
    """Twilio's number for why a text did not arrive; None while it may."""
    if state not in FAILURES:
        return None
    return VALIDITY_EXPIRED if state == "expired" else _CODES.get(reason or "", UNKNOWN_ERROR)


def message_sid(message_id: str, *, has_media: bool = False) -> str:
    """`SM` or `MM` and 32 hexadecimal digits."""
    return f"{'MM' if has_media else 'SM'}00{to_hex30(message_id)}"


def message_id_of(sid: str) -> str | None:
    """The message behind a SID; None when it is none of this hub's."""
    if len(sid) != 34 or sid[:2] not in ("SM", "MM") or sid[2:4] != "00":
        return None
    try:
        return from_hex30(sid[4:])
    except BadId:
        return None


def media_sid(media_id: str) -> str:
    """`ME` and 32 hexadecimal digits."""
    return f"ME00{to_hex30(media_id)}"


def media_id_of(sid: str) -> str | None:
    """The attachment behind a SID; None when it is none of this hub's."""
    if len(sid) != 34 or not sid.startswith("ME00"):
        return None
    try:
        return from_hex30(sid[4:])
    except BadId:
        return None


def rfc2822(at: UtcMs | None) -> str | None:
    """`Thu, 24 Aug 2023 05:01:45 +0000`."""
    return None if at is None else _in_words(at // 1000)


@lru_cache(maxsize=64)
def _in_words(second: int) -> str:
    """Made once for the answers of one second: the library takes 5 µs."""
    return format_datetime(datetime.fromtimestamp(second, UTC))


def dlr_date(at: UtcMs) -> str:
    """`RawDlrDoneDate`: YYMMDDhhmm."""
    return datetime.fromtimestamp(at // 1000, UTC).strftime("%y%m%d%H%M")
