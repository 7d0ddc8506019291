"""The states of a message, and the only moves between them.

Rules of the table:
 1. A status never goes back. Whatever is not in `MOVES` is refused: the word stays on the timeline as not applied.
 2. `scheduled`, `queued` and `retried` are the hub's: nothing is bound, so it may cancel, expire, or move the message freely. An open
    offer to a phone changes nothing in that.
 3. `dispatched` is a phone's: it committed to the job and the hub committed that it is this phone's. From here only the phone expires
    or cancels it; a cancel only asks.
 4. `uncertain` may have reached the air. It is never sent again by itself, and becomes `expired` only on the phone's word.
 5. A permanent reason ends in `failed`; a passing one with the tries used up in `dead_letter`; time over before anything was bound in
    `expired`.
 6. `dead_letter` goes back to `queued` by an operator's hand alone. Sending any other ended message again makes a new message.
 7. A segment known to be on the air is a fact whatever submission it names: the message is adopted from any open state. A refusal
    counts only for the submission it names.

What one word does to a message is decided in `hub.core.folding`.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

import msgspec


class Status(StrEnum):
    """Where a message is."""

    SCHEDULED = "scheduled"
    """Waits for its time."""
    QUEUED = "queued"
    """In the hub, waiting for a phone."""
    DISPATCHED = "dispatched"
    """A phone holds it as its own."""
    UNCERTAIN = "uncertain"
    """It may have reached the radio; nobody knows."""
    RETRIED = "retried"
    """A try failed for a passing reason; waits for the next."""
    SENT = "sent"
    """The network took every segment."""
    DELIVERED = "delivered"
    """The handset confirmed every segment."""
    UNDELIVERED = "undelivered"
    """It left, and the network gave up delivering it."""
    FAILED = "failed"
    """Refused for good, in whole or in part."""
    CANCELLED = "cancelled"
    """Stopped before the radio."""
    EXPIRED = "expired"
    """Its time was over before the radio."""
    DEAD_LETTER = "dead_letter"
    """Tries used up; kept, and an operator may replay it."""
    RECEIVED = "received"
    """The single state of an inbound message."""


STATUSES: Mapping[str, Status] = MappingProxyType({status.value: status for status in Status})
"""`Status(word)` for the words that rows hold, without the half microsecond that an enumeration takes to look one up."""

_S = Status
MOVES: Mapping[Status, frozenset[Status]] = MappingProxyType(
    {
        _S.SCHEDULED: frozenset({_S.QUEUED, _S.CANCELLED, _S.EXPIRED}),
        _S.QUEUED: frozenset({_S.DISPATCHED, _S.RETRIED, _S.CANCELLED, _S.EXPIRED, _S.FAILED, _S.DEAD_LETTER}),
        _S.DISPATCHED: frozenset(
            {_S.SENT, _S.DELIVERED, _S.UNDELIVERED, _S.FAILED, _S.RETRIED, _S.UNCERTAIN, _S.CANCELLED, _S.EXPIRED}
        ),
        _S.UNCERTAIN: frozenset({_S.SENT, _S.DELIVERED, _S.UNDELIVERED, _S.FAILED, _S.CANCELLED, _S.EXPIRED}),
        _S.RETRIED: frozenset({_S.DISPATCHED, _S.DEAD_LETTER, _S.CANCELLED, _S.EXPIRED}),
        _S.SENT: frozenset({_S.DELIVERED, _S.UNDELIVERED, _S.FAILED}),
        _S.DEAD_LETTER: frozenset({_S.QUEUED}),
        _S.DELIVERED: frozenset(),
        _S.UNDELIVERED: frozenset(),
        _S.FAILED: frozenset(),
        _S.CANCELLED: frozenset(),
        _S.EXPIRED: frozenset(),
        _S.RECEIVED: frozenset(),
    }
)

FINAL = frozenset(status for status, targets in MOVES.items() if not targets)
"""No move leads out of these."""
SETTLED = FINAL | {Status.DEAD_LETTER}
"""Nothing more happens by itself: what `final_at` and the retention of idempotency keys count from."""
UNBOUND = frozenset({Status.SCHEDULED, Status.QUEUED, Status.RETRIED})
"""The hub's alone."""
WAITING = frozenset({Status.QUEUED, Status.RETRIED})
"""What dispatch may offer to a phone."""
BOUND = frozenset({Status.DISPATCHED, Status.UNCERTAIN})
"""A phone's."""


def can_move(before: Status, after: Status) -> bool:
    """Whether the table has this move."""
    return after in MOVES[before]


class Transition(msgspec.Struct, frozen=True):
    """One applied move of the table."""

    before: Status
    after: Status


def path(before: Status, after: Status) -> tuple[Status, ...] | None:
    """The moves that lead from one status to another over what lies between: `queued` to `sent` goes over `dispatched`.

    None when the table has no way.
    """
    return _PATHS.get((before, after))


_BETWEEN: Mapping[Status, Status] = {
    Status.SCHEDULED: Status.QUEUED,
    Status.QUEUED: Status.DISPATCHED,
    Status.RETRIED: Status.DISPATCHED,
    Status.DISPATCHED: Status.RETRIED,
}
"""What a message passes through in one step: rule 7 on the way out, `retried` on the way to `dead_letter`."""


def _all_paths() -> dict[tuple[Status, Status], tuple[Status, ...]]:
    paths: dict[tuple[Status, Status], tuple[Status, ...]] = {}
    for before in Status:
        walked = [before]
        while True:
            for after in MOVES[walked[-1]] - set(walked):
                paths.setdefault((before, after), (*walked[1:], after))
            following = _BETWEEN.get(walked[-1])
            if following is None or following in walked:
                break
            walked.append(following)
    return paths


_PATHS = _all_paths()
