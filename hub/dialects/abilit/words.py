"""Abil'I.T.'s words: states in capitals, codes of its reports."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

STATUSES: Mapping[str, str] = MappingProxyType(
    {
        "scheduled": "SCHEDULED",
        "queued": "QUEUED",
        "dispatched": "ROUTED",
        "uncertain": "UNCERTAIN",
        "retried": "RETRIED",
        "sent": "SENT",
        "delivered": "DELIVERED",
        "undelivered": "UNDELIVERED",
        "failed": "FAILED",
        "dead_letter": "DEAD_LETTER",
        "expired": "EXPIRED",
        "cancelled": "CANCELLED",
        "received": "RECEIVED",
    }
)
STATES: Mapping[str, str] = MappingProxyType({word: state for state, word in STATUSES.items()})
PROVIDER = "phones"
"""The one provider there is: the account's own phones."""
FINE = "0"


def provider_code(state: str, error_code: str | None, reason: str | None) -> str:
    """`0` when nothing is wrong, else the phone's or network's own code, or the reason word when it gave none."""
    return FINE if state in ("sent", "delivered", "received") else error_code or reason or FINE
