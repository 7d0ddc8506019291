"""What can go wrong on the wire: one closed catalogue of reason words, close codes and what the phone does next.

Close codes are in 4000-4999, the range RFC 6455 §7.4.2 leaves to applications. The sender of a close says
`bye{code, reason}` first, since some websocket libraries hide the code.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final


class After(Enum):
    """What the phone does after a close."""

    RECONNECT = "reconnect"
    """Say hello again, with full-jitter backoff from 1 s to 5 min."""
    TOKEN = "token"
    """Fetch a fresh access token, then reconnect. Nothing in the store is touched."""
    WAIT = "wait"
    """Keep everything, tell the user, try again every 15 minutes: only the operator can mend this."""


@dataclass(frozen=True, slots=True)
class CloseReason:
    """One row of the catalogue: websocket close code, reason word, what the phone does, meaning."""

    code: int
    word: str
    after: After
    meaning: str


BAD_FRAME: Final = CloseReason(4000, "bad_frame", After.RECONNECT, "not JSON, or a known frame with bad fields")
FRAME_TOO_BIG: Final = CloseReason(4001, "frame_too_big", After.RECONNECT, "longer than 65,536 bytes")
UNKNOWN_FRAME: Final = CloseReason(
    4002, "unknown_frame", After.RECONNECT, "a frame type this version does not know; ignored, never a close"
)
HELLO_EXPECTED: Final = CloseReason(4003, "hello_expected", After.RECONNECT, "another frame came before hello")
HELLO_TIMEOUT: Final = CloseReason(4004, "hello_timeout", After.RECONNECT, "no hello within 10 s")
HELLO_REPEATED: Final = CloseReason(4005, "hello_repeated", After.RECONNECT, "a second hello in one connection")
STALE_HELLO: Final = CloseReason(
    4006, "stale_hello", After.RECONNECT, "connect counter not above the last one seen: a late hello"
)
SUPERSEDED: Final = CloseReason(4007, "superseded", After.RECONNECT, "a newer connection of this phone took over")
SILENT: Final = CloseReason(4008, "silent", After.RECONNECT, "nothing heard for 112 s")
TOO_SLOW: Final = CloseReason(4009, "too_slow", After.RECONNECT, "the other side stopped reading")
UNSUPPORTED_VERSION: Final = CloseReason(4010, "unsupported_version", After.WAIT, "no common protocol version")
UNAUTHORIZED: Final = CloseReason(4011, "unauthorized", After.TOKEN, "access token missing, wrong or expired")
SUSPENDED: Final = CloseReason(4012, "suspended", After.WAIT, "the operator, or a reused token nonce, stopped it")
REMOVED: Final = CloseReason(4013, "removed", After.WAIT, "the operator removed this device; the store is kept")
RESTARTING: Final = CloseReason(4014, "restarting", After.RECONNECT, "the hub is going down and comes back")
HOLD_ENDED: Final = CloseReason(4015, "hold_ended", After.RECONNECT, "a restored hub sends again; say hello afresh")
DIVERGED: Final = CloseReason(4016, "diverged", After.RECONNECT, "the phone saw that its store went back")
RENUMBERED: Final = CloseReason(4017, "renumbered", After.RECONNECT, "the phone took a new stream; hello follows")
HUB_ERROR: Final = CloseReason(4018, "hub_error", After.RECONNECT, "the hub failed inside; nothing was acknowledged")

CATALOGUE: Final = (
    BAD_FRAME,
    FRAME_TOO_BIG,
    UNKNOWN_FRAME,
    HELLO_EXPECTED,
    HELLO_TIMEOUT,
    HELLO_REPEATED,
    STALE_HELLO,
    SUPERSEDED,
    SILENT,
    TOO_SLOW,
    UNSUPPORTED_VERSION,
    UNAUTHORIZED,
    SUSPENDED,
    REMOVED,
    RESTARTING,
    HOLD_ENDED,
    DIVERGED,
    RENUMBERED,
    HUB_ERROR,
)

FRAME_REFUSED: Final = frozenset({1002, 1003, 1007, 1009, BAD_FRAME.code, FRAME_TOO_BIG.code})
"""Close codes that mean "I could not take your last frames", the websocket's own among them (RFC 6455 §7.4.1)."""

_BY_CODE: Final = {reason.code: reason for reason in CATALOGUE}


def after_close(code: int) -> After:
    """What the phone does after a close with this code; codes it does not know mean a plain reconnect."""
    known = _BY_CODE.get(code)
    return known.after if known is not None else After.RECONNECT


class ProtocolError(Exception):
    """The other side broke the protocol. `reason` is a row of the catalogue, `detail` says where, in English."""

    def __init__(self, reason: CloseReason, detail: str) -> None:
        super().__init__(f"{reason.word}: {detail}")
        self.reason = reason
        self.detail = detail
