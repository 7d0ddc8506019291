"""States in that API's words, of one recipient and of a whole message.

    ours                                   theirs
    scheduled, queued, retried             Pending
    dispatched, uncertain                  Processed
    sent                                   Sent
    delivered                              Delivered
    failed, undelivered, expired,
    dead_letter                            Failed
    cancelled                              Cancelled
    asked to cancel, phone not heard yet   Cancelling

A message of several recipients is, by the first that fits: Pending, Cancelling, Cancelled or Processed when one recipient is; Failed or
Delivered when all are; else Sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from hub.core import results
from hub.core.clock import UtcMs
from hub.core.status import Status
from hub.storage.messages import MessageRow

PENDING, CANCELLING, CANCELLED, PROCESSED, SENT, DELIVERED, FAILED = (
    "Pending",
    "Cancelling",
    "Cancelled",
    "Processed",
    "Sent",
    "Delivered",
    "Failed",
)
WORDS = (PENDING, CANCELLING, CANCELLED, PROCESSED, SENT, DELIVERED, FAILED)

WORD_OF: Mapping[str, str] = MappingProxyType(
    {
        Status.SCHEDULED: PENDING,
        Status.QUEUED: PENDING,
        Status.RETRIED: PENDING,
        Status.DISPATCHED: PROCESSED,
        Status.UNCERTAIN: PROCESSED,
        Status.SENT: SENT,
        Status.DELIVERED: DELIVERED,
        Status.UNDELIVERED: FAILED,
        Status.FAILED: FAILED,
        Status.EXPIRED: FAILED,
        Status.DEAD_LETTER: FAILED,
        Status.CANCELLED: CANCELLED,
    }
)
_OPEN = frozenset({PENDING, PROCESSED})
_ANY_FIRST = (PENDING, CANCELLING, CANCELLED, PROCESSED)
_BEFORE_CANCEL = {CANCELLING: PENDING, CANCELLED: FAILED}
"""For clients that know no cancelling and stop at a word they do not know."""


def word_of(row: MessageRow) -> str:
    """The state of one recipient's text."""
    word = WORD_OF.get(row.state, FAILED)
    return CANCELLING if word in _OPEN and row.cancel_requested_at is not None else word


def together(words: Sequence[str]) -> str:
    """The state of a message of these recipients."""
    for word in _ANY_FIRST:
        if word in words:
            return word
    for word in (FAILED, DELIVERED):
        if all(one == word for one in words):
            return word
    return SENT


def older(word: str) -> str:
    """The word for a client from before there was cancelling."""
    return _BEFORE_CANCEL.get(word, word)


def reached(rows: Sequence[MessageRow], state: str) -> dict[str, UtcMs]:
    """When the message came into each state it was in: a state counts once all recipients that got as far have reached it."""
    times: dict[str, UtcMs] = {PENDING: min(row.created_at for row in rows)}
    steps = {
        CANCELLING: [row.cancel_requested_at for row in rows],
        PROCESSED: [row.bound_at for row in rows],
        SENT: [row.sent_at for row in rows],
        DELIVERED: [row.delivered_at for row in rows],
    }
    for word, at in steps.items():
        known = [one for one in at if one is not None]
        if known and (word in (CANCELLING, state) or len(known) == len(rows)):
            times[word] = max(known)
    if state in (FAILED, CANCELLED):
        times[state] = max(row.final_at or row.created_at for row in rows)
    times.setdefault(state, max(times.values()))
    return times


def why(row: MessageRow) -> str | None:
    """Why a recipient's text did not arrive, in a sentence."""
    word = word_of(row)
    if word == CANCELLED:
        return "cancelled"
    if word != FAILED:
        return None
    return results.why(row.reason) or row.reason or row.state
