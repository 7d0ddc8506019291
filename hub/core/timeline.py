"""The story of one message, one plain sentence per row.

A stored row is a kind and a few facts; the sentence is made when it is read, so that wording can improve for old rows too. The pattern
of a failure is: what happened. why. is it safe, what now.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeAlias

from hub.core import results

Facts: TypeAlias = Mapping[str, Any]


class Kind(StrEnum):
    """What a row of the timeline tells; the facts each one uses are named beside it."""

    ACCEPTED = "accepted"
    """door, segments, scheduled_at?, retry_of?"""
    RELEASED = "released"
    ROUTED = "routed"
    """line?, why (`asked`, `sticky` …), sentence"""
    NO_LINE = "no_line"
    """sentence"""
    SENDER_UNKNOWN = "sender_unknown"
    """sender, line?: a `from` nobody knows was replaced by the default pool"""
    OFFERED = "offered"
    """device?, line?, submission, is_listed?: it stands in a list that the phone asked for"""
    WITHDRAWN = "withdrawn"
    """device?"""
    REFUSED = "refused"
    """device?, reason: the phone did not take an offered job"""
    BOUND = "bound"
    """device?, is_listed?"""
    DROPPED = "dropped"
    """device?: a phone accepted a job that was no longer its"""
    SEGMENT = "segment"
    """outcome, segment (0-based), segments, reason?"""
    SENT = "sent"
    """device?, line?, segments?"""
    FAILED = "failed"
    """device?, reason, code?, is_safe"""
    RETRYING = "retrying"
    """device?, reason, next_at? (a clock time in words), tries?"""
    DEAD_LETTER = "dead_letter"
    """reason, tries?"""
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    """reason?"""
    DELIVERY_PENDING = "delivery_pending"
    UNCERTAIN = "uncertain"
    """device?, reason"""
    CANCEL_ASKED = "cancel_asked"
    """by?, device?"""
    CANCELLED = "cancelled"
    """by?"""
    CANCEL_TOO_LATE = "cancel_too_late"
    EXPIRED = "expired"
    """device?"""
    REPLAYED = "replayed"
    """by?"""
    RESENT = "resent"
    """message: the id of the new message"""
    RECEIVED = "received"
    """device?, line?, segments?, carrier?: who posted it to the hub, provider_id?: the carrier's own id of it"""
    MEDIA_MISSING = "media_missing"
    """numbers (1-based, in words), sentence, next_at?: what a carrier attached could not be fetched (now, or at all)"""
    MEDIA_FETCHED = "media_fetched"
    """here, of: how many of its attachments are here, now that no more are fetched"""
    REPORTED = "reported"
    """carrier, told: a carrier's word on a text that changed nothing"""
    HELD = "held"


NOT_APPLIED: Mapping[str, str] = MappingProxyType(
    {
        "ended": "the text had already ended",
        "repeated": "it was known already",
        "other_submission": "it speaks of an older try",
        "moved": "the text was no longer that phone's",
        "already_bound": "the phone had it already",
        "held": "the hub was restored from a backup and waits for its phones",
        "still_trying": "the network is still trying",
        "unbound": "the text is with the hub",
        "bound": "the phone decides now",
        "already_on_air": "part of it had been sent",
        "already_sent": "it had been sent",
        "already_asked": "it was asked before",
        "already_cancelled": "it is cancelled already",
        "too_late": "it had been sent or had ended",
        "cancel_too_late": "the phone had passed it to the radio",
        "in_progress": "the phone is sending it",
        "report_follows": "the phone's report of it follows",
        "no_such_segment": "the text has no such segment",
        "no_such_move": "a text never goes back from where it is",
        "no_such_offer": "the offer was gone",
        "not_bound_here": "the text is not that phone's",
        "not_waiting": "the text was not waiting",
        "not_scheduled": "the text was not scheduled",
        "not_dispatched": "no phone held the text",
        "not_uncertain": "its outcome is known",
        "not_a_dead_letter": "it is no dead letter",
        "already_offered": "another offer was open",
        "by_segment": "the app tells it for each segment; its word about the whole text counts",
    }
)
"""The `why_not` words of `hub.core.folding.Decision`, in words."""

_SAFE = "Nothing left the phone, so it is safe to send again."
_UNSAFE = "Sending it again may deliver it twice."
_NETWORK_HAS_IT = "The network took it, so sending it again is up to you."


def sentence(kind: Kind | str, facts: Facts, *, is_applied: bool = True, why_not: str | None = None) -> str:
    """What a row says. Facts that are missing are left out of the sentence, an unknown kind is shown by its name."""
    try:
        told = _SENTENCES[Kind(kind)](facts)
    except ValueError:
        told = f"{kind}."
    if is_applied:
        return told
    reason = NOT_APPLIED.get(why_not or "", why_not or "it changes nothing")
    return f"{told.split('. ')[0].rstrip('.')}. Not applied: {reason}."


def _phone(facts: Facts) -> str:
    return str(facts.get("device") or "The phone")


def _count(number: object, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _accepted(facts: Facts) -> str:
    segments = f" {_count(facts['segments'], 'segment')}." if facts.get("segments") else ""
    by = f" by {facts['door']}" if facts.get("door") else ""
    again = " It sends an earlier text again." if facts.get("retry_of") else ""
    when = f" It waits until {facts['scheduled_at']}." if facts.get("scheduled_at") else ""
    return f"The hub took it{by}.{segments}{again}{when}"


def _routed(facts: Facts) -> str:
    told = f" {facts['sentence']}" if facts.get("sentence") else ""
    return f"{facts.get('line') or 'A line'} was chosen.{told}"


def _sender_unknown(facts: Facts) -> str:
    sender = facts.get("sender") or "The sender it asks for"
    return f"{sender} is none of your lines. The default pool sends it instead."


def _offered(facts: Facts) -> str:
    if facts.get("is_listed"):
        return f"{_phone(facts)} asked for its texts."
    return f"Offered to {facts.get('device') or 'a phone'}."


def _bound(facts: Facts) -> str:
    if facts.get("is_listed"):
        return (
            f"{_phone(facts)} was given it in its list. It may send it without asking again, so it is that phone's now."
        )
    return f"{_phone(facts)} has it and may send it."


def _withdrawn(facts: Facts) -> str:
    return f"{_phone(facts)} did not answer in time. The text is free for another phone; nothing was sent."


def _refused(facts: Facts) -> str:
    return f"{_phone(facts)} did not take it. {_why(facts)} {_SAFE}"


def _segment(facts: Facts) -> str:
    number = int(facts.get("segment") or 0) + 1
    of = f" of {facts['segments']}" if facts.get("segments") else ""
    what = _SEGMENT_WORDS.get(str(facts.get("outcome")), str(facts.get("outcome") or "reported"))
    why = f" {_why(facts)}" if facts.get("reason") else ""
    return f"Segment {number}{of}: {what}.{why}"


_SEGMENT_WORDS = {
    "sent": "sent",
    "failed": "not sent",
    "uncertain": "unsure",
    "delivered": "delivered",
    "undelivered": "not delivered",
    "pending": "the network is still trying",
}


def _sent(facts: Facts) -> str:
    by = f" from {facts['line']}" if facts.get("line") else ""
    segments = f", {_count(facts['segments'], 'segment')}" if facts.get("segments") else ""
    return f"Sent{by}{segments}. The network took it."


def _failed(facts: Facts) -> str:
    reason = str(facts.get("reason") or "")
    if reason.startswith("partial "):
        left = reason.removeprefix("partial ").replace("/", " of ")
        return f"Not sent whole. {left} segments left the phone and the rest were refused. {_UNSAFE}"
    if reason == "outcome_unknown":
        return f"It may have been sent. {_why(facts)} {_UNSAFE}"
    return f"Not sent. {_why(facts)} {_SAFE if facts.get('is_safe', True) else _UNSAFE}"


def _retrying(facts: Facts) -> str:
    again = f"It goes again at {facts['next_at']}." if facts.get("next_at") else "It goes again by itself."
    return f"Not sent yet. {_why(facts)} Nothing left the phone. {again}"


def _dead_letter(facts: Facts) -> str:
    tries = f" {_count(facts['tries'], 'try').replace('trys', 'tries')} were used up." if facts.get("tries") else ""
    return f"Gave up. {_why(facts)}{tries} {_SAFE} It is kept, and can be put back into the queue."


def _undelivered(facts: Facts) -> str:
    return f"Not delivered. {_why(facts, results.TP_REASONS['undelivered'].why)} {_NETWORK_HAS_IT}"


def _uncertain(facts: Facts) -> str:
    return f"We cannot tell if this was sent. {_why(facts)} {_UNSAFE}"


def _cancel_asked(facts: Facts) -> str:
    return f"{_by(facts)} asked to cancel it. {_phone(facts)} has it, so the phone decides."


def _cancelled(facts: Facts) -> str:
    return f"Cancelled{' by ' + _actor(facts) if facts.get('by') else ''}. {_SAFE}"


def _expired(facts: Facts) -> str:
    where = f" on {facts['device']}" if facts.get("device") else ""
    return f"Expired{where}. Its time was over before it could be sent. {_SAFE}"


def _received(facts: Facts) -> str:
    by = f" on {facts['line']}" if facts.get("line") else ""
    via = f" by {facts['device']}" if facts.get("device") else ""
    posted = f", posted by {facts['carrier']}" if facts.get("carrier") else ""
    return f"Received{by}{via}{posted}."


def _media_missing(facts: Facts) -> str:
    now = f"It is tried again at {facts['next_at']}." if facts.get("next_at") else "It is not tried again."
    return f"Attachment {facts.get('numbers') or ''} is not here. {facts.get('sentence') or ''} {now}".replace(
        "  ", " "
    )


def _media_fetched(facts: Facts) -> str:
    return f"{facts.get('here', 0)} of {_count(facts.get('of', 0), 'attachment')} fetched from the carrier."


_ACTORS = {
    "api": "the API",
    "operator": "an operator",
    "hub": "the hub",
    "phone": "the phone",
    "network": "the network",
    "opt_out": "the recipient, who asked to hear no more",
}


def _actor(facts: Facts) -> str:
    by = str(facts.get("by") or "someone")
    return _ACTORS.get(by, by)


def _by(facts: Facts) -> str:
    actor = _actor(facts)
    return actor[:1].upper() + actor[1:]


def _why(facts: Facts, otherwise: str | None = None) -> str:
    reason = facts.get("reason")
    known = results.why(str(reason)) if reason else None
    if known:
        return known
    return otherwise or (f"The reason given is {reason}." if reason else "No reason was given.")


_SENTENCES: Mapping[Kind, Callable[[Facts], str]] = MappingProxyType(
    {
        Kind.ACCEPTED: _accepted,
        Kind.RELEASED: lambda _: "Its time has come.",
        Kind.ROUTED: _routed,
        Kind.NO_LINE: lambda facts: str(facts.get("sentence") or "No line can send it now."),
        Kind.SENDER_UNKNOWN: _sender_unknown,
        Kind.OFFERED: _offered,
        Kind.WITHDRAWN: _withdrawn,
        Kind.REFUSED: _refused,
        Kind.BOUND: _bound,
        Kind.DROPPED: lambda facts: f"{_phone(facts)} was told to forget it. The text had gone to another phone.",
        Kind.SEGMENT: _segment,
        Kind.SENT: _sent,
        Kind.FAILED: _failed,
        Kind.RETRYING: _retrying,
        Kind.DEAD_LETTER: _dead_letter,
        Kind.DELIVERED: lambda _: "Delivered. The handset confirmed it.",
        Kind.UNDELIVERED: _undelivered,
        Kind.DELIVERY_PENDING: lambda _: "The network has not reached the handset yet and goes on trying.",
        Kind.UNCERTAIN: _uncertain,
        Kind.CANCEL_ASKED: _cancel_asked,
        Kind.CANCELLED: _cancelled,
        Kind.CANCEL_TOO_LATE: lambda _: "It was too late to cancel: the phone had passed it to the radio.",
        Kind.EXPIRED: _expired,
        Kind.REPLAYED: lambda facts: f"{_by(facts)} put it back into the queue. Its tries are counted anew.",
        Kind.RESENT: lambda facts: f"Sent again as {facts.get('message') or 'a new text'}.",
        Kind.RECEIVED: _received,
        Kind.MEDIA_MISSING: _media_missing,
        Kind.MEDIA_FETCHED: _media_fetched,
        Kind.REPORTED: lambda facts: (
            f"{facts.get('carrier') or 'The carrier'} says: {facts.get('told') or 'nothing new'}."
        ),
        Kind.HELD: lambda _: "The hub was restored from a backup. It waits for its phones before it sends.",
    }
)
