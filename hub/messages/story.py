"""What one word about a message becomes on its timeline: a kind and the facts its sentence is made of.

Facts name phones and lines by id; the reader puts in their names, which may have changed since.
"""

from collections.abc import Mapping
from typing import Any

from hub.core import moves, reports, results
from hub.core.commands import CancelRequest, ReplayDeadLetter
from hub.core.folding import Decision, Word
from hub.core.segments import ON_AIR, UNKNOWN
from hub.core.status import Status
from hub.core.timeline import Kind
from hub.storage.messages import MessageRow

_OF_STATUS: Mapping[Status, Kind] = {
    Status.QUEUED: Kind.RELEASED,
    Status.DISPATCHED: Kind.BOUND,
    Status.RETRIED: Kind.RETRYING,
    Status.SENT: Kind.SENT,
    Status.DELIVERED: Kind.DELIVERED,
    Status.UNDELIVERED: Kind.UNDELIVERED,
    Status.FAILED: Kind.FAILED,
    Status.DEAD_LETTER: Kind.DEAD_LETTER,
    Status.UNCERTAIN: Kind.UNCERTAIN,
    Status.CANCELLED: Kind.CANCELLED,
    Status.EXPIRED: Kind.EXPIRED,
}
"""What a word that moved the message tells, whatever the word was."""

_OF_WORD: Mapping[type, Kind] = {
    CancelRequest: Kind.CANCEL_ASKED,
    ReplayDeadLetter: Kind.REPLAYED,
    moves.Release: Kind.RELEASED,
    moves.Offer: Kind.OFFERED,
    moves.Withdraw: Kind.WITHDRAWN,
    moves.NoRoute: Kind.FAILED,
    moves.TimeOver: Kind.EXPIRED,
    moves.Overdue: Kind.UNCERTAIN,
    moves.OutcomeUnknown: Kind.FAILED,
    reports.JobAccepted: Kind.BOUND,
    reports.JobRefused: Kind.REFUSED,
    reports.JobMissing: Kind.UNCERTAIN,
    reports.JobCancelled: Kind.CANCELLED,
    reports.JobExpired: Kind.EXPIRED,
    reports.CancelTooLate: Kind.CANCEL_TOO_LATE,
    reports.SubmitReport: Kind.SEGMENT,
    reports.DeliveryReport: Kind.SEGMENT,
    reports.CarrierReport: Kind.REPORTED,
}
"""What a word tells that changed no status, or was not applied."""

_OF_LISTED: Mapping[str, Kind] = {
    "accepted": Kind.BOUND,
    "sent": Kind.SENT,
    "submitting": Kind.UNCERTAIN,
    "uncertain": Kind.UNCERTAIN,
    "cancelled": Kind.CANCELLED,
    "expired": Kind.EXPIRED,
    "failed": Kind.FAILED,
}
_ALWAYS_OWN = (reports.JobRefused, ReplayDeadLetter)
"""Words whose own kind says more than the status they lead to."""


def kind_of(word: Word, decision: Decision) -> Kind:
    """The kind of the timeline row."""
    if isinstance(word, reports.JobAccepted) and decision.why_not == "moved":
        return Kind.DROPPED
    if isinstance(word, reports.DeliveryReport) and decision.why_not == "still_trying":
        return Kind.DELIVERY_PENDING
    if decision.transitions and not _keeps_its_kind(word, decision):
        return _OF_STATUS[decision.new_status]
    if isinstance(word, reports.JobListed):
        return _OF_LISTED[word.state]
    if isinstance(word, reports.SubmitReport) and word.segment is None and word.outcome == "uncertain":
        return Kind.UNCERTAIN
    return _OF_WORD[type(word)]


def _keeps_its_kind(word: Word, decision: Decision) -> bool:
    return isinstance(word, _ALWAYS_OWN) and decision.new_status in (Status.QUEUED, Status.RETRIED)


def facts_of(word: Word, decision: Decision, row: MessageRow) -> dict[str, Any]:
    """The facts of the row about a message as it stands after the word, without those that are not known."""
    facts: dict[str, Any] = {"why_not": decision.why_not}
    if isinstance(word, reports.JobWord):
        facts |= {"device_id": word.device_id, "submission": word.submission} | _of_report(word)
    elif isinstance(word, moves.Offer):
        facts |= {"device_id": word.device_id, "line_id": word.line_id, "submission": word.submission}
    elif isinstance(word, CancelRequest):
        facts |= {"by": word.by, "device_id": decision.view.device_id}
    if decision.reason is not None:
        facts["reason"] = decision.reason
    facts |= _of_outcome(decision, row)
    return {name: value for name, value in facts.items() if value is not None}


def _of_report(word: reports.JobWord) -> dict[str, Any]:
    if isinstance(word, reports.SubmitReport):
        facts = {"outcome": word.outcome, "segment": word.segment, "segments": word.segments}
        return facts if word.outcome == "sent" else facts | _of_failure(word)
    if isinstance(word, reports.DeliveryReport):
        told = "delivered" if word.is_delivered or (word.tp_status or 0) < 0x20 else "undelivered"
        return {"outcome": told, "segment": word.segment, "segments": word.segments, "tp_status": word.tp_status}
    if isinstance(word, reports.JobRefused):
        return {"reason": word.reason}
    return {}


def _of_failure(word: reports.SubmitReport) -> dict[str, Any]:
    reason = word.reason if word.code is None else results.of_code(word.code, word.network_code).reason
    return {"reason": reason, "code": word.code, "network_code": word.network_code}


def _of_outcome(decision: Decision, row: MessageRow) -> dict[str, Any]:
    match decision.new_status if decision.transitions else None:
        case Status.RETRIED:
            return {"next_at_ms": row.due_at, "tries": row.tries or None}
        case Status.DEAD_LETTER:
            return {"tries": row.tries or None}
        case Status.FAILED:
            letters = set(decision.view.segments.letters)
            return {"is_safe": not letters & (ON_AIR | {UNKNOWN}) and decision.reason != "outcome_unknown"}
        case Status.SENT:
            return {"segments": len(decision.view.segments.letters) or row.segments, "line_id": row.line_id}
        case _:
            return {}
