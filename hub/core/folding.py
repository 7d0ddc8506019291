"""What one word about a message does to it: a customer's, a phone's, or the hub's own.

`fold` decides one word at a time by the table of `hub.core.status` and changes nothing; `advance` gives the view that the next word of
the same batch is folded on. A word that may not count is not applied, and says why; folding the same word again changes nothing.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec

from hub.core import commands, moves, reports, results
from hub.core.results import RETRYABLE, Action, DlrState, Result
from hub.core.segments import (
    BEFORE_AIR,
    DELIVERED,
    FAILED,
    REFUSED,
    SENT,
    UNDELIVERED,
    UNKNOWN,
    WAITS,
    Segments,
    Verdict,
)
from hub.core.status import BOUND, SETTLED, UNBOUND, WAITING, Status, Transition, can_move, path

DEFAULT_MAX_TRIES = 3
MAX_SUBMISSIONS = 100
"""A message offered this often ends as a dead letter even when no single refusal used up a try."""


class MessageView(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision needs to know of an outbound message."""

    status: Status
    device_id: str | None = None
    """The phone it is offered to, or bound to."""
    submission: int = 0
    is_offered: bool = False
    """An offer is open and not accepted."""
    segments: Segments = Segments()
    """What is known of the current submission's segments."""
    expected_segments: int = 1
    """The hub's own count, until the phone tells its."""
    tries: int = 0
    max_tries: int = DEFAULT_MAX_TRIES
    retry_generic: bool = False
    """The account accepts the risk of a double send after a failure of unknown kind."""
    is_cancel_requested: bool = False
    is_held: bool = False
    """A restored hub before its phones have spoken: nothing is bound, and no failure is believed yet."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What one word does to a message."""

    view: MessageView
    """The message afterwards."""
    is_applied: bool
    """Whether anything of the message changed: its status, or what is known of it."""
    transitions: tuple[Transition, ...] = ()
    reason: str | None = None
    """Reason word of a failure or of uncertainty (`hub.core.results`)."""
    why_not: str | None = None
    """Why it was not applied."""
    action: Action = Action.NONE
    """What the result means for the line it came from."""

    @property
    def new_status(self) -> Status:
        """The status afterwards, changed or not."""
        return self.view.status


Word: TypeAlias = (
    commands.CancelRequest | commands.ReplayDeadLetter | reports.JobWord | reports.CarrierReport | moves.Move
)


def fold(current: MessageView, word: Word) -> Decision:
    """What `word` does to the message. Folding the same word again changes nothing."""
    return _FOLDS[type(word)](current, word)


def advance(current: MessageView, *words: Word) -> MessageView:
    """The view after these words, in this order."""
    for word in words:
        current = fold(current, word).view
    return current


# --- the north ---------------------------------------------------------------------------------------------------------------------


def _cancel(view: MessageView, _: commands.CancelRequest) -> Decision:
    if view.status in UNBOUND and not view.is_held:
        return _moved(view, Status.CANCELLED)
    if view.status in UNBOUND | BOUND:
        if view.is_cancel_requested:
            return _ignored(view, "already_asked")
        return _changed(view, is_cancel_requested=True)
    return _ignored(view, "already_cancelled" if view.status is Status.CANCELLED else "too_late")


def _replay(view: MessageView, _: commands.ReplayDeadLetter) -> Decision:
    if view.status is not Status.DEAD_LETTER:
        return _ignored(view, "not_a_dead_letter")
    return _moved(view, Status.QUEUED, tries=0, device_id=None, is_cancel_requested=False, segments=Segments())


# --- the hub itself ----------------------------------------------------------------------------------------------------------------


def _release(view: MessageView, _: moves.Release) -> Decision:
    return _moved(view, Status.QUEUED) if view.status is Status.SCHEDULED else _ignored(view, "not_scheduled")


def _offer(view: MessageView, offer: moves.Offer) -> Decision:
    if view.is_held:
        return _ignored(view, "held")
    if view.status not in WAITING:
        return _ignored(view, "not_waiting")
    if view.is_offered or offer.submission <= view.submission:
        return _ignored(view, "already_offered")
    return _changed(view, device_id=offer.device_id, submission=offer.submission, is_offered=True, segments=Segments())


def _withdraw(view: MessageView, move: moves.Withdraw) -> Decision:
    if view.status not in WAITING or not view.is_offered or view.submission != move.submission:
        return _ignored(view, "no_such_offer")
    return _changed(view, is_offered=False, device_id=None)


def _no_route(view: MessageView, move: moves.NoRoute) -> Decision:
    if view.status not in WAITING:
        return _ignored(view, "not_waiting")
    if view.is_held:
        return _ignored(view, "held")
    return _given_up(view, move.reason)


def _time_over(view: MessageView, _: moves.TimeOver) -> Decision:
    if view.status not in UNBOUND:
        return _ignored(view, "bound" if view.status in BOUND else "ended")
    if view.is_held:
        return _ignored(view, "held")
    return _moved(view, Status.EXPIRED, reason="time_over")


def _overdue(view: MessageView, _: moves.Overdue) -> Decision:
    if view.status is not Status.DISPATCHED:
        return _ignored(view, "not_dispatched")
    if view.segments.verdict(is_last_word=True) is Verdict.PARTIAL:
        return _moved(view, Status.FAILED, reason=view.segments.partial_reason())
    return _moved(view, Status.UNCERTAIN, reason="no_word")


def _outcome_unknown(view: MessageView, _: moves.OutcomeUnknown) -> Decision:
    if view.status is not Status.UNCERTAIN:
        return _ignored(view, "not_uncertain")
    return _moved(view, Status.FAILED, reason="outcome_unknown")


# --- the south: the job ------------------------------------------------------------------------------------------------------------


def _accepted(view: MessageView, word: reports.JobWord) -> Decision:
    """Bind it. When this says `moved`, the phone is told to drop the job."""
    if _is_offered_to(view, word):
        return _ignored(view, "held") if view.is_held else _moved(view, Status.DISPATCHED)
    return _ignored(view, "already_bound" if _names(view, word) and view.status in BOUND else "moved")


def _refused(view: MessageView, word: reports.JobRefused) -> Decision:
    if not _is_offered_to(view, word):
        return _ignored(view, "moved")
    result = results.of_reason(word.reason, retry_generic=view.retry_generic)
    if result.action is Action.UNCERTAIN:
        return _adopted(view, word, Status.UNCERTAIN, Segments(), result.reason)
    return _ignored(view, "held") if view.is_held else _not_taken(view, result)


def _not_taken(view: MessageView, result: Result) -> Decision:
    """An unbound message was refused: its offer is gone, and it waits for the next or ends."""
    if result.action not in RETRYABLE:
        return _given_up(view, result.reason, result.action)
    tries = view.tries + result.uses_try
    if _is_used_up(view, tries):
        return _moved(view, Status.DEAD_LETTER, reason=result.reason, action=result.action, tries=tries)
    changes: dict[str, Any] = {"tries": tries, "device_id": None, "is_offered": False}
    if view.status is Status.QUEUED:
        return _moved(view, Status.RETRIED, reason=result.reason, action=result.action, **changes)
    return _changed(view, reason=result.reason, action=result.action, **changes)


def _given_up(view: MessageView, reason: str, action: Action = Action.NONE) -> Decision:
    """A permanent reason before anything was bound: `retried` has no way to `failed`, so it ends as a dead letter."""
    ended = Status.FAILED if can_move(view.status, Status.FAILED) else Status.DEAD_LETTER
    return _moved(view, ended, reason=reason, action=action)


def _listed(view: MessageView, word: reports.JobListed) -> Decision:
    match word.state:
        case "accepted":
            return _accepted(view, word)
        case "sent":
            return _heard(view, word, SENT, None, word.segments)
        case "submitting" if _names(view, word) and view.status in BOUND:
            return _ignored(view, "in_progress")
        case "submitting" | "uncertain":
            return _unsure(view, word, "interrupted")
        case "cancelled":
            return _stopped(view, word, Status.CANCELLED)
        case "expired":
            return _stopped(view, word, Status.EXPIRED)
        case "failed":
            return _ignored(view, "report_follows")


def _missing(view: MessageView, word: reports.JobMissing) -> Decision:
    if view.status is not Status.DISPATCHED or not _names(view, word):
        return _ignored(view, "not_bound_here")
    return _moved(view, Status.UNCERTAIN, reason="not_listed")


def _job_cancelled(view: MessageView, word: reports.JobCancelled) -> Decision:
    return _stopped(view, word, Status.CANCELLED)


def _job_expired(view: MessageView, word: reports.JobExpired) -> Decision:
    return _stopped(view, word, Status.EXPIRED, "time_over")


def _stopped(view: MessageView, word: reports.JobWord, ended: Status, reason: str | None = None) -> Decision:
    """The phone says that the job ended before the radio."""
    if not _names(view, word):
        return _ignored(view, "other_submission")
    if _is_offered_to(view, word):
        # Not bound, so the hub's own timer and cancel decide; only the offer is gone.
        return _ignored(view, "held") if view.is_held else _changed(view, is_offered=False, device_id=None)
    if view.status not in BOUND:
        return _ignored(view, _ended_or_unbound(view))
    if view.segments.is_on_air:
        return _ignored(view, "already_on_air")
    return _moved(view, ended, reason=reason)


def _too_late(view: MessageView, _: reports.CancelTooLate) -> Decision:
    return _ignored(view, "cancel_too_late")


# --- the south: a carrier ---------------------------------------------------------------------------------------------------------


def _carrier_report(view: MessageView, word: reports.CarrierReport) -> Decision:
    """By the table alone. A text that the hub still has was not sent by anybody, and a failure never makes it go again."""
    if word.status is None:
        return _ignored(view, "no_such_move")
    told = Status(word.status)
    if view.status in UNBOUND:
        return _ignored(view, "unbound")
    if view.status is told:
        return _ignored(view, "repeated")
    if view.status in SETTLED:
        return _ignored(view, "ended")
    if view.is_held and told is Status.FAILED:
        return _ignored(view, "held")
    return _moved(view, told, reason=word.reason)


# --- the south: segments -----------------------------------------------------------------------------------------------------------


def _submit_report(view: MessageView, word: reports.SubmitReport) -> Decision:
    if word.outcome == "sent":
        return _heard(view, word, SENT, word.segment, word.segments)
    result = _result_of(view, word)
    if word.outcome == "uncertain" and word.segment is None:
        return _unsure(view, word, result.reason)
    if result.action is Action.UNCERTAIN or word.outcome == "uncertain":
        return _heard(view, word, UNKNOWN, word.segment, word.segments, result)
    refused = REFUSED if result.uses_try else WAITS
    letter = refused if result.action in RETRYABLE else FAILED
    return _heard(view, word, letter, word.segment, word.segments, result)


def _result_of(view: MessageView, word: reports.SubmitReport) -> Result:
    if word.code is not None and word.outcome == "failed":
        return results.of_code(word.code, word.network_code, retry_generic=view.retry_generic)
    fallback = "interrupted" if word.outcome == "uncertain" else "generic_failure"
    return results.of_reason(word.reason or fallback, retry_generic=view.retry_generic)


def _delivery_report(view: MessageView, word: reports.DeliveryReport) -> Decision:
    dlr = _dlr_of(word)
    if dlr.state is DlrState.PENDING:
        return _ignored(view, "still_trying")
    letter = DELIVERED if dlr.state is DlrState.DELIVERED else UNDELIVERED
    result = Result(word.reason or dlr.reason, Action.NONE, False, dlr.why)
    return _heard(view, word, letter, word.segment, word.segments, result)


def _dlr_of(word: reports.DeliveryReport) -> results.Dlr:
    if word.tp_status is not None:
        return results.of_tp_status(word.tp_status)
    return results.of_tp_status(0) if word.is_delivered else results.TP_REASONS["undelivered"]


def _heard(
    view: MessageView,
    word: reports.JobWord,
    letter: str,
    segment: int | None,
    total: int | None,
    result: Result = results.SENT,
) -> Decision:
    """A word about one segment, or all: what is known now, and what that makes of the message."""
    is_named = _names(view, word)
    if letter in _REFUSALS and is_named and _is_offered_to(view, word):
        return _ignored(view, "held") if view.is_held else _not_taken(view, result)
    why_not = _deaf(view, letter, is_named)
    if why_not is not None:
        return _ignored(view, why_not)
    known = view.segments if is_named and view.status not in UNBOUND else Segments()
    segments = known.heard(letter, segment, total or view.expected_segments)
    if segments == known:
        return _ignored(view, "repeated" if segments.has(segment) else "no_such_segment")
    return _judged(view, word, segments, result)


def _deaf(view: MessageView, letter: str, is_named: bool) -> str | None:
    """Why this word cannot count, whatever it says of its segment."""
    if view.status in SETTLED:
        return "ended"
    if letter in _REFUSALS:
        if not is_named:
            return "other_submission"
        if view.is_held:
            return "held"
        return None if view.status in BOUND else "unbound" if view.status in UNBOUND else "already_sent"
    if view.status is Status.SENT and not is_named:
        return "other_submission"
    return None


def _judged(view: MessageView, word: reports.JobWord, segments: Segments, result: Result) -> Decision:
    match segments.verdict():
        case Verdict.SENT:
            return _adopted(view, word, Status.SENT, segments, None)
        case Verdict.DELIVERED:
            return _adopted(view, word, Status.DELIVERED, segments, None)
        case Verdict.UNDELIVERED:
            return _adopted(view, word, Status.UNDELIVERED, segments, result.reason)
        case Verdict.FAILED:
            return _adopted(view, word, Status.FAILED, segments, result.reason, result.action)
        case Verdict.PARTIAL:
            return _adopted(view, word, Status.FAILED, segments, segments.partial_reason(), result.action)
        case Verdict.REFUSED:
            return _all_refused(view, word, segments, result)
        case Verdict.UNCERTAIN:
            return _adopted(view, word, Status.UNCERTAIN, segments, result.reason, result.action)
        case Verdict.WAITING:
            bound = view.status if view.status in BOUND | {Status.SENT} else Status.DISPATCHED
            return _adopted(view, word, bound, segments, None, result.action)


def _all_refused(view: MessageView, word: reports.JobWord, segments: Segments, result: Result) -> Decision:
    """Nothing reached the air. A dispatched message is tried again; an uncertain one never is, so it fails."""
    tries = view.tries + segments.uses_try
    if view.status is Status.UNCERTAIN:
        return _adopted(view, word, Status.FAILED, segments, result.reason, result.action, tries=tries)
    if _is_used_up(view, tries):
        return _adopted(view, word, Status.DEAD_LETTER, segments, result.reason, result.action, tries=tries)
    return _adopted(view, word, Status.RETRIED, segments, result.reason, result.action, tries=tries, device_id=None)


def _unsure(view: MessageView, word: reports.JobWord, reason: str) -> Decision:
    """The phone cannot tell what became of a whole job: adopted from every open state."""
    if view.status in SETTLED or view.status is Status.SENT:
        return _ignored(view, "ended" if view.status in SETTLED else "already_sent")
    if view.status is Status.UNCERTAIN and _names(view, word):
        return _ignored(view, "repeated")
    segments = view.segments if _names(view, word) else Segments()
    return _adopted(view, word, Status.UNCERTAIN, segments, reason)


def _adopted(
    view: MessageView,
    word: reports.JobWord,
    status: Status,
    segments: Segments,
    reason: str | None,
    action: Action = Action.NONE,
    **changes: Any,
) -> Decision:
    """The message as the phone that speaks holds it: its device, its submission, and the status its words lead to."""
    changes = {"device_id": word.device_id, "submission": word.submission} | changes
    if status is view.status:
        return _changed(view, reason=reason, action=action, segments=segments, **changes)
    return _moved(view, status, reason=reason, action=action, segments=segments, **changes)


_REFUSALS = BEFORE_AIR | {FAILED}

# --- making decisions --------------------------------------------------------------------------------------------------------------


def _names(view: MessageView, word: reports.JobWord) -> bool:
    return view.device_id == word.device_id and view.submission == word.submission


def _is_offered_to(view: MessageView, word: reports.JobWord) -> bool:
    return view.is_offered and view.status in WAITING and _names(view, word)


def _is_used_up(view: MessageView, tries: int) -> bool:
    return tries >= view.max_tries or view.submission >= MAX_SUBMISSIONS


def _ended_or_unbound(view: MessageView) -> str:
    return "unbound" if view.status in UNBOUND else "ended"


def _ignored(view: MessageView, why_not: str) -> Decision:
    return Decision(view=view, is_applied=False, why_not=why_not)


def _changed(view: MessageView, reason: str | None = None, action: Action = Action.NONE, **changes: Any) -> Decision:
    return Decision(view=_replaced(view, changes), is_applied=True, reason=reason, action=action)


def _moved(
    view: MessageView, status: Status, reason: str | None = None, action: Action = Action.NONE, **changes: Any
) -> Decision:
    steps = path(view.status, status)
    if steps is None:
        return _ignored(view, "no_such_move")
    befores = (view.status, *steps[:-1])
    return Decision(
        view=_replaced(view, {"status": status, "is_offered": False} | changes),
        is_applied=True,
        transitions=tuple(Transition(before, after) for before, after in zip(befores, steps, strict=True)),
        reason=reason,
        action=action,
    )


def _replaced(view: MessageView, changes: dict[str, Any]) -> MessageView:
    return msgspec.structs.replace(view, **changes)


_FOLDS: Mapping[type, Callable[[MessageView, Any], Decision]] = {
    commands.CancelRequest: _cancel,
    commands.ReplayDeadLetter: _replay,
    moves.Release: _release,
    moves.Offer: _offer,
    moves.Withdraw: _withdraw,
    moves.NoRoute: _no_route,
    moves.TimeOver: _time_over,
    moves.Overdue: _overdue,
    moves.OutcomeUnknown: _outcome_unknown,
    reports.JobAccepted: _accepted,
    reports.JobRefused: _refused,
    reports.JobListed: _listed,
    reports.JobMissing: _missing,
    reports.JobCancelled: _job_cancelled,
    reports.JobExpired: _job_expired,
    reports.CancelTooLate: _too_late,
    reports.SubmitReport: _submit_report,
    reports.DeliveryReport: _delivery_report,
    reports.CarrierReport: _carrier_report,
}
