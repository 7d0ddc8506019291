"""What a phone's result means: Android's numbers, refusal words and TP-Status, as one reason and one action.

`RESULT_…` names and numbers are `android.telephony.SmsManager`'s; TP-Status is 3GPP TS 23.040 §9.2.3.15. The action says what the
*message* may do; whether it does is decided over all its segments (`hub.core.segments`): only when every segment was refused before
the air is a message ever tried again.
"""

from collections.abc import Iterator
from enum import StrEnum

import msgspec


class Action(StrEnum):
    """What follows from one result."""

    NONE = "none"
    """The segment was sent."""
    RETRY_LATER = "retry_later"
    """Refused before the air for a passing reason: again after a wait, on this line or another."""
    RETRY_OTHER = "retry_other"
    """Refused before the air by this phone: another line should try."""
    PAUSE_LINE = "pause_line"
    """Android's own send limit was hit: pause and slow the line, tell the operator, try again."""
    DISABLE_LINE = "disable_line"
    """The SIM is gone or locked: take the line out of routing, tell the operator, try another."""
    FAIL = "fail"
    """Refused for good."""
    UNCERTAIN = "uncertain"
    """It may have reached the air: never tried again by itself."""


RETRYABLE = frozenset({Action.RETRY_LATER, Action.RETRY_OTHER, Action.PAUSE_LINE, Action.DISABLE_LINE})


class Result(msgspec.Struct, frozen=True):
    """The meaning of one result."""

    reason: str
    """The word stored with the message and shown in the API."""
    action: Action
    uses_try: bool
    """Whether a retry counts against the message's tries. Waiting for service or for a busy SIM does not."""
    why: str
    """One sentence: what was in the way."""


SENT = Result("sent", Action.NONE, False, "The network took it.")
_GENERIC = Result("generic_failure", Action.UNCERTAIN, True, "Android reported a failure without saying of what kind.")

BY_REASON: dict[str, Result] = {
    result.reason: result
    for result in (
        SENT,
        _GENERIC,
        Result("carrier_reject", Action.FAIL, False, "The network refused it."),
        Result("radio_off", Action.RETRY_LATER, False, "The phone's radio was off."),
        Result("no_service", Action.RETRY_LATER, False, "The phone had no mobile service."),
        Result(
            "os_rate_limit", Action.PAUSE_LINE, False, "Android stops apps that send too many segments in a short time."
        ),
        Result("blocked_by_phone_policy", Action.FAIL, False, "The phone's own rules forbid texts to this number."),
        Result("bad_request", Action.FAIL, False, "The phone could not make an SMS of this text and number."),
        Result("bad_smsc", Action.FAIL, False, "The SIM's message centre number is wrong."),
        Result("network", Action.RETRY_LATER, True, "The mobile network did not take it."),
        Result("phone_error", Action.RETRY_OTHER, True, "The phone's SMS system failed."),
        Result("not_supported", Action.FAIL, False, "The phone does not allow this kind of text."),
        Result("busy", Action.RETRY_LATER, False, "The SIM was busy, for instance with a call."),
        Result("no_sim", Action.DISABLE_LINE, False, "The SIM was missing or locked."),
        # Words a phone refuses an offered job with, before anything was bound to it.
        Result("no_such_sim", Action.DISABLE_LINE, False, "The SIM that the line stands for is not in the phone."),
        Result("queue_full", Action.RETRY_OTHER, False, "The phone holds as many texts as it can."),
        Result("no_permission", Action.DISABLE_LINE, False, "The phone has not been allowed to send SMS."),
        Result("paused", Action.RETRY_OTHER, False, "Sending is paused on the phone."),
        Result("storage", Action.RETRY_OTHER, False, "The phone could not store the text."),
        Result("already_seen", Action.UNCERTAIN, False, "The phone has had this text before and may have sent it."),
        Result(
            "store_replaced",
            Action.UNCERTAIN,
            False,
            "The phone's own store was replaced, so it cannot know what it sent.",
        ),
        Result("interrupted", Action.UNCERTAIN, False, "The phone stopped while sending."),
        # What the hub itself concludes.
        Result("not_listed", Action.UNCERTAIN, False, "The phone came back without this text in its list."),
        Result(
            "no_word", Action.UNCERTAIN, False, "The phone had the text and said nothing more until its time was over."
        ),
        Result("outcome_unknown", Action.FAIL, False, "Nobody could tell within seven days whether it was sent."),
        Result("partial", Action.FAIL, False, "Some of its segments were sent and some were refused."),
        Result(
            "segments_unknown",
            Action.FAIL,
            False,
            "The phone reported a failure and cannot say which of its segments had left.",
        ),
        Result("tries_used_up", Action.FAIL, False, "It was tried as often as allowed."),
        Result("time_over", Action.FAIL, False, "Its time was over before a phone could take it."),
        Result("no_line", Action.FAIL, False, "No line can send it."),
        Result("unknown_sender", Action.FAIL, False, "The sender it asks for is not a line of this account."),
    )
}

_CODES: dict[str, tuple[int, ...]] = {
    "radio_off": (2, 9, 100),
    "no_service": (4,),
    "os_rate_limit": (5, 28),
    "blocked_by_phone_policy": (6, 7, 8),
    "bad_request": (3, 11, 14, 18),
    "bad_smsc": (19,),
    "network": (10, 17, 30, 101, 102, 112, 116, 122, 135),
    "phone_error": (12, 13, 15, 16, 21, 22),
    "not_supported": (20, 24),
    "busy": (29, 106, 121, 123, 132),
    "no_sim": (120, 125, 126, 127, 128, 129, 134),
}
RESULT_OK = -1
GENERIC_FAILURE = 1
BY_CODE: dict[int, Result] = {code: BY_REASON[reason] for reason, codes in _CODES.items() for code in codes}


def of_code(code: int, network_code: int | None = None, *, retry_generic: bool = False) -> Result:
    """The meaning of an Android result code.

    `network_code` is the `errorCode` extra of a generic failure (0 and None mean that there was none): with one, the network refused
    the segment; without, nobody knows whether it left, unless the account says `retry_generic`. A code that is not in the table fails
    as `unknown_<code>`.
    """
    if code == RESULT_OK:
        return SENT
    if code == GENERIC_FAILURE:
        return BY_REASON["carrier_reject"] if network_code else _generic(retry_generic)
    known = BY_CODE.get(code)
    if known is not None:
        return known
    return Result(
        f"unknown_{code}", Action.FAIL, False, f"The phone reported code {code}, which this hub does not know."
    )


def of_reason(reason: str, *, retry_generic: bool = False) -> Result:
    """The meaning of a reason word of a whole job, such as a phone's refusal.

    An unknown word, from a newer phone, is kept as it is. It speaks of a job that never reached the radio, so another phone may try.
    """
    if reason == _GENERIC.reason:
        return _generic(retry_generic)
    known = BY_REASON.get(reason)
    return known or Result(reason, Action.RETRY_OTHER, True, "The phone gave a reason that this hub does not know.")


def _generic(retry: bool) -> Result:
    return msgspec.structs.replace(_GENERIC, action=Action.RETRY_LATER) if retry else _GENERIC


def why(reason: str | None) -> str | None:
    """The sentence of a stored reason word, None when the word is not in the table."""
    if reason is None:
        return None
    if reason.startswith("partial"):
        return BY_REASON["partial"].why
    known = BY_REASON.get(reason) or TP_REASONS.get(reason)
    return known.why if known else None


class DlrState(StrEnum):
    """What a delivery report says."""

    DELIVERED = "delivered"
    PENDING = "pending"
    """The network is still trying: no change, no event."""
    UNDELIVERED = "undelivered"


class Dlr(msgspec.Struct, frozen=True):
    """The meaning of one delivery report."""

    state: DlrState
    reason: str
    why: str


_DELIVERED = Dlr(DlrState.DELIVERED, "delivered", "The handset confirmed it.")
_STILL_TRYING = Dlr(DlrState.PENDING, "still_trying", "The network has not reached the handset yet and goes on trying.")
_TP_STATUS: dict[int, tuple[str, str]] = {
    0x40: ("remote_procedure_error", "The handset's network could not carry it out."),
    0x41: ("incompatible_destination", "The handset cannot take this kind of text."),
    0x42: ("rejected_by_handset", "The handset refused it."),
    0x43: ("not_obtainable", "The network could not reach this number at all."),
    0x44: ("quality_not_available", "The network could not offer the service it needs."),
    0x45: ("no_interworking", "The two networks do not exchange texts."),
    0x46: ("validity_expired", "The network tried until the text's time was over."),
    0x47: ("deleted_by_sender", "It was deleted at the network by its sender."),
    0x48: ("deleted_by_network", "The network's operator deleted it."),
    0x49: ("unknown_to_network", "The network no longer knows this text."),
    0x60: ("congestion", "The network was overloaded and gave up."),
    0x61: ("handset_busy", "The handset was busy and the network gave up."),
    0x62: ("no_response", "The handset did not answer and the network gave up."),
    0x63: ("service_rejected", "The service was refused and the network gave up."),
    0x64: ("quality_not_available", "The network could not offer the service it needs."),
    0x65: ("handset_error", "The handset had a fault and the network gave up."),
}
_UNDELIVERED_WHY = "The network says that it did not arrive."
TP_REASONS: dict[str, Dlr] = {word: Dlr(DlrState.UNDELIVERED, word, text) for word, text in _TP_STATUS.values()}
TP_REASONS["undelivered"] = Dlr(DlrState.UNDELIVERED, "undelivered", _UNDELIVERED_WHY)


def of_tp_status(tp_status: int) -> Dlr:
    """The meaning of a TP-Status byte: below 0x20 delivered, below 0x40 still trying, from there on given up."""
    if tp_status < 0x20:
        return _DELIVERED
    if tp_status < 0x40:
        return _STILL_TRYING
    word, _ = _TP_STATUS.get(tp_status, ("undelivered", ""))
    return TP_REASONS[word]


def reasons() -> Iterator[str]:
    """Every reason word with a meaning of its own."""
    yield from BY_REASON
    yield from TP_REASONS
