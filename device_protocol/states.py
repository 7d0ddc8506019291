"""The tables of the protocol: who may say what when, how a job moves on either side, and the words both sides share.

Rules of a connection (`SESSION`):

1. The phone's first frame is `hello`; the hub says nothing but `welcome` or `bye` before it has answered it.
2. After `welcome` both sides may say everything except `hello` and `welcome`.
3. After `bye`, or a close, nothing more is read. A frame that is not in the table closes the connection.

Rules of a job on the phone (`PHONE_JOB`):

1. It begins `accepted`, in the same commit after which the phone says so.
2. `submitting` is committed before the radio gets anything, and only while the hub's `go` of this connection stands.
3. Once it left `accepted` for the radio it never goes back, and the same id is never sent again; `failed` alone says
   that nothing went out, and only then may a higher submission replace it.
4. A report of the radio may still settle `uncertain`, `partial` is what some segments sent and some refused come to.

Rules of a job at the hub (`HUB_JOB`):

1. Offered, it is nobody's: it may fail over at any time. Bound, it is that phone's until the phone tells.
2. `go` is said only of a job that is bound by a commit.
3. Nothing but the phone's word or the operator's moves a bound job to `settled`; time alone makes it `uncertain`.
"""

from enum import Enum
from typing import Final

from device_protocol.errors import BAD_FRAME, HELLO_EXPECTED, HELLO_REPEATED, ProtocolError
from device_protocol.frames import (
    Accepted,
    Ack,
    AnyFrame,
    Bye,
    Cancel,
    Config,
    Drop,
    Event,
    Go,
    Gone,
    Hello,
    Job,
    JobState,
    Ping,
    Pong,
    Recall,
    Recalled,
    Refused,
    Resend,
    Status,
    TooLate,
    Welcome,
)


class SessionState(Enum):
    """How far a connection is; the same words on both sides."""

    OFFLINE = "offline"
    """No connection."""
    GREETING = "greeting"
    """Open; `hello` is not answered yet."""
    LIVE = "live"
    """`welcome` is said."""


_SAID_BY_PHONE: Final = (Accepted, Refused, TooLate, Event, Gone, Recalled, Ping, Status, Bye)
_SAID_BY_HUB: Final = (Job, Go, Drop, Cancel, Ack, Resend, Recall, Pong, Config, Bye)

SESSION: Final[dict[SessionState, dict[str, tuple[type, ...]]]] = {
    SessionState.OFFLINE: {"phone": (), "hub": ()},
    SessionState.GREETING: {"phone": (Hello, Bye), "hub": (Welcome, Bye)},
    SessionState.LIVE: {"phone": _SAID_BY_PHONE, "hub": _SAID_BY_HUB},
}
"""State of the connection -> side -> frames it may say."""


def check_phone_frame(state: SessionState, frame: AnyFrame) -> None:
    """The hub's check of what a phone says; ProtocolError names the close."""
    if isinstance(frame, SESSION[state]["phone"]):
        return
    if isinstance(frame, Hello):
        raise ProtocolError(HELLO_REPEATED, "one hello per connection")
    raise ProtocolError(HELLO_EXPECTED, f"{type(frame).__name__.lower()} before hello")


def check_hub_frame(state: SessionState, frame: AnyFrame) -> None:
    """The phone's check of what a hub says."""
    if not isinstance(frame, SESSION[state]["hub"]):
        raise ProtocolError(BAD_FRAME, f"{type(frame).__name__.lower()} while {state.value}")


PHONE_JOB: Final[dict[JobState, frozenset[JobState]]] = {
    JobState.ACCEPTED: frozenset(
        {JobState.SUBMITTING, JobState.FAILED, JobState.EXPIRED, JobState.CANCELLED, JobState.UNCERTAIN}
    ),
    JobState.SUBMITTING: frozenset({JobState.SENT, JobState.PARTIAL, JobState.FAILED, JobState.UNCERTAIN}),
    JobState.UNCERTAIN: frozenset({JobState.SENT, JobState.PARTIAL}),
    JobState.FAILED: frozenset({JobState.ACCEPTED}),  # as a higher submission of the same id
    JobState.PARTIAL: frozenset(),
    JobState.SENT: frozenset(),
    JobState.EXPIRED: frozenset(),
    JobState.CANCELLED: frozenset(),
}
"""Phone: state of a job -> states it may move to."""

AT_RADIO: Final = frozenset({JobState.SUBMITTING, JobState.SENT, JobState.PARTIAL, JobState.UNCERTAIN})
"""Something of it reached, or may have reached, the radio."""

OPEN: Final = frozenset({JobState.ACCEPTED, JobState.SUBMITTING})
"""No final event yet."""

REPLACEABLE: Final = frozenset({JobState.ACCEPTED, JobState.FAILED})
"""A higher submission of the same id may take its place: nothing of it went out, and nobody ended it."""


class HubJobState(Enum):
    """A message as the handover sees it; the statuses of the message table are finer."""

    QUEUED = "queued"
    """No phone holds it (queued, retried)."""
    OFFERED = "offered"
    """A `job` was committed for one phone, which may fail over."""
    BOUND = "bound"
    """`accepted` is committed: this phone's."""
    UNCERTAIN = "uncertain"
    """This phone's, and it may have sent it; nobody knows."""
    SETTLED = "settled"
    """Sent, or final in any other way."""


HUB_JOB: Final[dict[HubJobState, frozenset[HubJobState]]] = {
    HubJobState.QUEUED: frozenset({HubJobState.OFFERED, HubJobState.UNCERTAIN, HubJobState.SETTLED}),
    HubJobState.OFFERED: frozenset({HubJobState.QUEUED, HubJobState.BOUND, HubJobState.UNCERTAIN, HubJobState.SETTLED}),
    HubJobState.BOUND: frozenset({HubJobState.QUEUED, HubJobState.UNCERTAIN, HubJobState.SETTLED}),
    HubJobState.UNCERTAIN: frozenset({HubJobState.SETTLED}),
    HubJobState.SETTLED: frozenset(),
}
"""Hub: state of a job -> states it may move to. BOUND to QUEUED only when every segment was refused before the air."""

AT_RADIO_REASON: Final = "at_radio"
"""Refusal of an id this phone already carried; comes with `held`."""

REFUSALS: Final[dict[str, bool]] = {
    "no_such_sim": False,
    "permission_missing": False,
    "not_supported": False,
    "too_long": False,
    AT_RADIO_REASON: False,
    "stale_submission": True,
    "full": True,
    "paused": True,
    "no_service": True,
    "os_rate_limit": True,
}
"""Reason word -> whether the same phone may be asked again later. Unknown words count as False."""

SEND_MMS: Final = "send_mms"
CAPABILITIES: Final = (SEND_MMS,)
"""What an app may say in `hello` that it can do beyond version 1: send a job with `media` as an MMS."""

UNCERTAIN_REASONS: Final = ("restarted", "store_mismatch", "store_went_back", "no_result")
"""Why a phone cannot tell: it died while submitting; its store is not its own; older than it was; the radio is mute."""

GONE_REASONS: Final = ("aged", "other_stream", "unreadable")
"""Why a phone has no event for a number."""
