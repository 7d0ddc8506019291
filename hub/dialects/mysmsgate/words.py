"""MySMSGate's words for states."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

STATUSES: Mapping[str, str] = MappingProxyType(
    {
        "scheduled": "pending",
        "queued": "pending",
        "retried": "pending",
        "dispatched": "sending",
        "uncertain": "sending",
        "sent": "sent",
        "delivered": "delivered",
        "undelivered": "failed",
        "failed": "failed",
        "dead_letter": "failed",
        "expired": "failed",
        "cancelled": "cancelled",
        "received": "received",
    }
)


def status_text(state: str, reason: str | None) -> str | None:
    """The word beside a final status; None while a text is on its way."""
    match state:
        case "delivered":
            return "DELIVERED_TO_HANDSET"
        case "undelivered" | "expired" | "cancelled":
            return state.upper()
        case "dead_letter":
            return "RETRIES_EXHAUSTED"
        case "failed":
            return (reason or "failed").upper()
    return None
