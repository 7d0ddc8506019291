"""`hub.core.folding`: what one word does to a message, and that any words in any order keep the rules."""

import re
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core import commands, folding, moves, reports, timeline
from hub.core.folding import Decision, MessageView, advance, fold
from hub.core.results import Action
from hub.core.segments import Segments
from hub.core.status import BOUND, FINAL, SETTLED, UNBOUND, Status, can_move

A, B = "device-a", "device-b"


# --- words -------------------------------------------------------------------------------------------------------------------------


def job(kind: type[reports.JobWord], device: str = A, submission: int = 1, **more: Any) -> Any:
    """A word about a job."""
    return kind(message_id="m", device_id=device, submission=submission, at=0, **more)


def move(kind: Any, **more: Any) -> Any:
    """A decision of the hub."""
    return kind(message_id="m", at=0, **more)


def offer(device: str = A, submission: int = 1) -> moves.Offer:
    """An offer to a phone."""
    return moves.Offer(message_id="m", at=0, device_id=device, submission=submission)


def sent(segment: int | None = None, segments: int | None = None, **more: Any) -> reports.SubmitReport:
    """A segment, or all, was sent."""
    found: reports.SubmitReport = job(reports.SubmitReport, outcome="sent", segment=segment, segments=segments, **more)
    return found


def failed(code: int, segment: int | None = None, segments: int | None = None, **more: Any) -> reports.SubmitReport:
    """A segment, or all, was refused with an Android code."""
    found: reports.SubmitReport = job(
        reports.SubmitReport, outcome="failed", code=code, segment=segment, segments=segments, **more
    )
    return found


def dlr(tp_status: int, segment: int | None = None, segments: int | None = None, **more: Any) -> reports.DeliveryReport:
    """The network's report."""
    found: reports.DeliveryReport = job(
        reports.DeliveryReport, tp_status=tp_status, segment=segment, segments=segments, **more
    )
    return found


def carrier(status: reports.CarrierState | None) -> reports.CarrierReport:
    """A carrier's word on the whole text."""
    return reports.CarrierReport(message_id="m", status=status)


CANCEL = commands.CancelRequest(account_id="a", message_id="m")
REPLAY = commands.ReplayDeadLetter(account_id="a", message_id="m")
ACCEPTED = job(reports.JobAccepted)
NO_SERVICE, NETWORK, LIMIT, BAD, GENERIC = 4, 17, 5, 3, 1


def queued(**more: Any) -> MessageView:
    """A fresh message."""
    return MessageView(status=Status.QUEUED, **more)


def bound(**more: Any) -> MessageView:
    """A message that phone A holds under submission 1."""
    return advance(queued(**more), offer(), ACCEPTED)


def moved(decision: Decision) -> list[tuple[str, str]]:
    """The transitions, as words."""
    return [(transition.before.value, transition.after.value) for transition in decision.transitions]


# --- one story at a time -----------------------------------------------------------------------------------------------------------


def test_a_plain_life() -> None:
    story = [offer(), ACCEPTED, sent(0, 1), dlr(0, 0, 1)]
    view = queued()
    seen = []
    for word in story:
        decision = fold(view, word)
        assert decision.is_applied
        seen += moved(decision)
        view = decision.view
    assert seen == [("queued", "dispatched"), ("dispatched", "sent"), ("sent", "delivered")]


def test_an_offer_changes_no_status_and_is_free_to_fail_over() -> None:
    offered = fold(queued(), offer())
    assert offered.is_applied
    assert offered.new_status is Status.QUEUED
    withdrawn = fold(offered.view, move(moves.Withdraw, submission=1))
    assert withdrawn.is_applied
    again = fold(withdrawn.view, offer(B, 2))
    assert (again.view.device_id, again.view.submission) == (B, 2)
    late = fold(again.view, ACCEPTED)
    assert not late.is_applied
    assert late.why_not == "moved"


def test_a_number_of_an_offer_is_never_used_again() -> None:
    view = advance(queued(), offer(A, 3), move(moves.Withdraw, submission=3))
    assert fold(view, offer(B, 3)).why_not == "already_offered"
    assert fold(view, offer(B, 4)).is_applied


def test_two_accepts_bind_once() -> None:
    again = fold(bound(), ACCEPTED)
    assert not again.is_applied
    assert again.why_not == "already_bound"


def test_all_refused_before_the_air_is_tried_again() -> None:
    view = bound(expected_segments=2)
    first = fold(view, failed(NO_SERVICE, 0, 2))
    assert first.is_applied
    assert first.new_status is Status.DISPATCHED
    second = fold(first.view, failed(NO_SERVICE, 1, 2))
    assert moved(second) == [("dispatched", "retried")]
    assert (second.reason, second.view.device_id, second.view.tries) == ("no_service", None, 0)
    assert fold(second.view, offer(B, 2)).is_applied


def test_tries_used_up_end_as_a_dead_letter() -> None:
    view = queued(max_tries=3)
    for submission in (1, 2, 3):
        view = advance(view, offer(A, submission), job(reports.JobAccepted, submission=submission))
        decision = fold(view, failed(NETWORK, submission=submission))
        view = decision.view
    assert moved(decision) == [("dispatched", "retried"), ("retried", "dead_letter")]
    assert (view.tries, decision.reason) == (3, "network")
    replayed = fold(view, REPLAY)
    assert moved(replayed) == [("dead_letter", "queued")]
    assert replayed.view.tries == 0


def test_waiting_for_service_uses_up_no_try_but_not_for_ever() -> None:
    view = queued()
    for submission in range(1, folding.MAX_SUBMISSIONS):
        view = advance(view, offer(A, submission), job(reports.JobAccepted, submission=submission))
        view = fold(view, failed(NO_SERVICE, submission=submission)).view
        assert view.status is Status.RETRIED
    last = folding.MAX_SUBMISSIONS
    view = advance(view, offer(A, last), job(reports.JobAccepted, submission=last), failed(NO_SERVICE, submission=last))
    assert view.status is Status.DEAD_LETTER


def test_one_segment_refused_for_good_fails_at_once() -> None:
    decision = fold(bound(expected_segments=3), failed(BAD, 1, 3))
    assert moved(decision) == [("dispatched", "failed")]
    assert decision.reason == "bad_request"


def test_some_sent_and_some_refused_is_partial_and_never_sent_again() -> None:
    view = advance(bound(expected_segments=3), sent(0, 3), failed(NO_SERVICE, 1, 3))
    assert view.status is Status.DISPATCHED
    decision = fold(view, sent(2, 3))
    assert moved(decision) == [("dispatched", "failed")]
    assert decision.reason == "partial 2/3"
    assert not fold(decision.view, offer(B, 2)).is_applied


def test_a_generic_failure_is_uncertain_and_with_retry_generic_tried_again() -> None:
    careful = fold(bound(), failed(GENERIC))
    assert moved(careful) == [("dispatched", "uncertain")]
    assert careful.reason == "generic_failure"
    bold = fold(bound(retry_generic=True), failed(GENERIC))
    assert moved(bold) == [("dispatched", "retried")]
    assert bold.view.tries == 1
    refused = fold(bound(retry_generic=True), failed(GENERIC, network_code=38))
    assert moved(refused) == [("dispatched", "failed")]
    assert refused.reason == "carrier_reject"


def test_the_line_is_told_what_a_result_means_for_it() -> None:
    assert fold(bound(expected_segments=2), failed(LIMIT, 0, 2)).action is Action.PAUSE_LINE
    assert fold(bound(), failed(120)).action is Action.DISABLE_LINE
    assert fold(bound(), sent()).action is Action.NONE


def test_uncertain_is_settled_by_the_phone_and_never_tried_again() -> None:
    view = advance(bound(), move(moves.Overdue))
    assert view.status is Status.UNCERTAIN
    assert not fold(view, offer(B, 2)).is_applied
    assert moved(fold(view, sent())) == [("uncertain", "sent")]
    assert moved(fold(view, dlr(0))) == [("uncertain", "delivered")]
    assert moved(fold(view, job(reports.JobExpired))) == [("uncertain", "expired")]
    assert moved(fold(view, job(reports.JobCancelled))) == [("uncertain", "cancelled")]
    refused = fold(view, failed(NO_SERVICE))
    assert moved(refused) == [("uncertain", "failed")]
    assert refused.reason == "no_service"
    assert not refused.view.segments.may_have_left
    unknown = fold(view, move(moves.OutcomeUnknown))
    assert (unknown.new_status, unknown.reason) == (Status.FAILED, "outcome_unknown")


def test_the_hub_never_expires_what_a_phone_holds() -> None:
    assert fold(bound(), move(moves.TimeOver)).why_not == "bound"
    assert fold(advance(bound(), move(moves.Overdue)), move(moves.TimeOver)).why_not == "bound"
    for unbound in (MessageView(status=state) for state in UNBOUND):
        assert fold(unbound, move(moves.TimeOver)).new_status is Status.EXPIRED
    assert fold(advance(queued(), offer()), move(moves.TimeOver)).new_status is Status.EXPIRED


def test_overdue_with_some_segments_sent_and_some_refused_is_known_to_be_partial() -> None:
    view = advance(bound(expected_segments=3), sent(0, 3), failed(NO_SERVICE, 1, 3))
    decision = fold(view, move(moves.Overdue))
    assert (decision.new_status, decision.reason) == (Status.FAILED, "partial 1/3")


def test_cancel_is_free_before_binding_and_only_asks_after() -> None:
    for view in (MessageView(status=state) for state in UNBOUND):
        assert fold(view, CANCEL).new_status is Status.CANCELLED
    offered = fold(advance(queued(), offer()), CANCEL)
    assert offered.new_status is Status.CANCELLED
    assert fold(offered.view, ACCEPTED).why_not == "moved"
    asked = fold(bound(), CANCEL)
    assert asked.is_applied
    assert asked.new_status is Status.DISPATCHED
    assert asked.view.is_cancel_requested
    assert fold(asked.view, CANCEL).why_not == "already_asked"
    assert fold(asked.view, job(reports.JobCancelled)).new_status is Status.CANCELLED
    assert fold(asked.view, sent()).new_status is Status.SENT
    assert fold(advance(bound(), sent()), CANCEL).why_not == "too_late"
    assert fold(MessageView(status=Status.CANCELLED), CANCEL).why_not == "already_cancelled"


def test_a_phone_cannot_cancel_what_it_has_begun_to_send() -> None:
    view = advance(bound(expected_segments=2), sent(0, 2))
    assert fold(view, job(reports.JobCancelled)).why_not == "already_on_air"
    assert fold(view, job(reports.JobExpired)).why_not == "already_on_air"


@pytest.mark.parametrize("kind", [reports.JobCancelled, reports.JobExpired])
def test_a_job_stopped_before_it_was_bound_only_frees_the_offer(kind: type[reports.JobWord]) -> None:
    decision = fold(advance(queued(), offer()), job(kind))
    assert decision.is_applied
    assert decision.new_status is Status.QUEUED
    assert decision.view.device_id is None


def test_a_refused_offer_waits_for_another_phone() -> None:
    refusal = job(reports.JobRefused, reason="queue_full")
    decision = fold(advance(queued(), offer()), refusal)
    assert moved(decision) == [("queued", "retried")]
    assert decision.action is Action.RETRY_OTHER
    again = fold(advance(decision.view, offer(B, 2)), job(reports.JobRefused, B, 2, reason="queue_full"))
    assert again.is_applied
    assert again.new_status is Status.RETRIED
    assert not again.view.is_offered


def test_a_permanent_refusal_fails_a_queued_text_and_dead_letters_a_retried_one() -> None:
    refusal = job(reports.JobRefused, reason="bad_request")
    assert fold(advance(queued(), offer()), refusal).new_status is Status.FAILED
    retried = MessageView(status=Status.RETRIED, submission=0)
    assert fold(advance(retried, offer()), refusal).new_status is Status.DEAD_LETTER
    assert fold(retried, move(moves.NoRoute)).new_status is Status.DEAD_LETTER
    assert fold(queued(), move(moves.NoRoute, reason="unknown_sender")).new_status is Status.FAILED


def test_a_phone_that_had_the_text_before_makes_it_uncertain() -> None:
    decision = fold(advance(queued(), offer()), job(reports.JobRefused, reason="already_seen"))
    assert moved(decision) == [("queued", "dispatched"), ("dispatched", "uncertain")]
    assert not fold(decision.view, offer(B, 2)).is_applied


def test_hello_binds_what_was_accepted_and_offered() -> None:
    listed = job(reports.JobListed, state="accepted")
    assert fold(advance(queued(), offer()), listed).new_status is Status.DISPATCHED
    assert fold(bound(), listed).why_not == "already_bound"
    assert fold(advance(queued(), offer(B, 2)), listed).why_not == "moved"


@pytest.mark.parametrize(
    ("state", "becomes"), [("submitting", "uncertain"), ("uncertain", "uncertain"), ("sent", "sent")]
)
def test_hello_is_adopted_whatever_submission_the_hub_remembers(state: str, becomes: str) -> None:
    listed = job(reports.JobListed, A, 7, state=state)
    for view in (queued(), advance(queued(), offer(B, 2)), MessageView(status=Status.RETRIED), bound()):
        decision = fold(view, listed)
        assert decision.new_status.value == becomes
        assert (decision.view.device_id, decision.view.submission) == (A, 7)


def test_hello_of_the_sending_phone_changes_nothing() -> None:
    assert fold(bound(), job(reports.JobListed, state="submitting")).why_not == "in_progress"
    assert fold(bound(), job(reports.JobListed, state="failed")).why_not == "report_follows"


def test_a_bound_job_that_hello_does_not_list_is_uncertain() -> None:
    decision = fold(bound(), job(reports.JobMissing))
    assert (decision.new_status, decision.reason) == (Status.UNCERTAIN, "not_listed")
    assert fold(bound(), job(reports.JobMissing, B)).why_not == "not_bound_here"
    assert fold(queued(), job(reports.JobMissing)).why_not == "not_bound_here"


def test_a_fact_of_an_older_submission_counts_and_its_refusal_does_not() -> None:
    view = advance(queued(), offer(A, 1), move(moves.Withdraw, submission=1), offer(B, 2))
    assert fold(view, failed(NO_SERVICE)).why_not == "other_submission"
    assert fold(view, failed(BAD)).why_not == "other_submission"
    fact = fold(view, sent())
    assert moved(fact) == [("queued", "dispatched"), ("dispatched", "sent")]
    assert fact.view.device_id == A


def test_late_and_repeated_reports_change_nothing() -> None:
    view = advance(bound(), sent())
    assert fold(view, sent()).why_not == "repeated"
    assert fold(view, failed(NO_SERVICE)).why_not == "already_sent"
    assert fold(view, failed(BAD)).why_not == "already_sent"
    delivered = advance(view, dlr(0))
    for late in (sent(), failed(BAD), dlr(0), dlr(0x40), move(moves.Overdue), ACCEPTED, CANCEL, REPLAY):
        decision = fold(delivered, late)
        assert not decision.is_applied
        assert decision.view is delivered


def test_a_pending_delivery_report_changes_nothing() -> None:
    assert fold(advance(bound(), sent()), dlr(0x30)).why_not == "still_trying"


def test_a_carriers_plain_yes_or_no_is_a_delivery_report() -> None:
    view = advance(bound(), sent())
    assert fold(view, job(reports.DeliveryReport, is_delivered=True)).new_status is Status.DELIVERED
    refused = fold(view, job(reports.DeliveryReport, is_delivered=False, reason="blocked_by_carrier"))
    assert (refused.new_status, refused.reason) == (Status.UNDELIVERED, "blocked_by_carrier")


def test_delivered_needs_every_segment_and_undelivered_one() -> None:
    view = advance(bound(expected_segments=2), sent(0, 2), sent(1, 2), dlr(0, 0, 2))
    assert view.status is Status.SENT
    assert fold(view, dlr(0, 1, 2)).new_status is Status.DELIVERED
    assert fold(view, dlr(0x46, 1, 2)).new_status is Status.UNDELIVERED
    assert fold(view, dlr(0x46, 1, 2)).reason == "validity_expired"


def test_the_phones_count_of_segments_wins_over_the_hubs() -> None:
    view = advance(bound(expected_segments=1), sent(0, 2))
    assert view.status is Status.DISPATCHED
    assert fold(view, sent(1, 2)).new_status is Status.SENT
    assert fold(view, sent(2, 2)).why_not == "no_such_segment"


def test_scheduled_is_released_once() -> None:
    view = MessageView(status=Status.SCHEDULED)
    released = fold(view, move(moves.Release))
    assert moved(released) == [("scheduled", "queued")]
    assert fold(released.view, move(moves.Release)).why_not == "not_scheduled"
    assert fold(view, offer()).why_not == "not_waiting"


@pytest.mark.parametrize(
    ("word", "starts"),
    [
        (CANCEL, {"scheduled": "cancelled", "queued": "cancelled", "retried": "cancelled"}),
        (REPLAY, {"dead_letter": "queued"}),
        (move(moves.Release), {"scheduled": "queued"}),
        (move(moves.NoRoute), {"queued": "failed", "retried": "dead_letter"}),
        (move(moves.TimeOver), {"scheduled": "expired", "queued": "expired", "retried": "expired"}),
        (move(moves.Overdue), {"dispatched": "uncertain"}),
        (move(moves.OutcomeUnknown), {"uncertain": "failed"}),
        (job(reports.JobMissing), {"dispatched": "uncertain"}),
        (job(reports.JobCancelled), {"dispatched": "cancelled", "uncertain": "cancelled"}),
        (job(reports.JobExpired), {"dispatched": "expired", "uncertain": "expired"}),
        (job(reports.JobListed, state="accepted"), {}),
        (failed(NO_SERVICE), {"dispatched": "retried", "uncertain": "failed"}),
        (failed(BAD), {"dispatched": "failed", "uncertain": "failed"}),
        (
            sent(),
            dict.fromkeys(("scheduled", "queued", "retried", "dispatched", "uncertain"), "sent"),
        ),
        (
            dlr(0),
            dict.fromkeys(("scheduled", "queued", "retried", "dispatched", "uncertain", "sent"), "delivered"),
        ),
        (
            job(reports.SubmitReport, outcome="uncertain", reason="interrupted"),
            dict.fromkeys(("scheduled", "queued", "retried", "dispatched"), "uncertain"),
        ),
        (carrier("sent"), {"dispatched": "sent", "uncertain": "sent"}),
        (carrier("delivered"), dict.fromkeys(("dispatched", "uncertain", "sent"), "delivered")),
        (carrier("undelivered"), dict.fromkeys(("dispatched", "uncertain", "sent"), "undelivered")),
        (carrier("failed"), dict.fromkeys(("dispatched", "uncertain", "sent"), "failed")),
        (carrier(None), {}),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, dict) else "",
)
def test_where_each_word_leads_from_each_status(word: folding.Word, starts: dict[str, str]) -> None:
    for before in Status:
        decision = fold(MessageView(status=before, device_id=A, submission=1), word)
        assert decision.new_status.value == starts.get(before.value, before.value), before


def test_a_job_that_fails_as_a_whole_before_the_radio_gives_a_word_instead_of_a_code() -> None:
    gone = job(reports.SubmitReport, outcome="failed", reason="no_such_sim")
    decision = fold(bound(), gone)
    assert (decision.new_status, decision.reason, decision.action) == (
        Status.RETRIED,
        "no_such_sim",
        Action.DISABLE_LINE,
    )
    nothing_said = fold(bound(), job(reports.SubmitReport, outcome="failed"))
    assert (nothing_said.new_status, nothing_said.reason) == (Status.UNCERTAIN, "generic_failure")
    unsure = fold(bound(), job(reports.SubmitReport, outcome="uncertain"))
    assert (unsure.new_status, unsure.reason) == (Status.UNCERTAIN, "interrupted")


def test_a_failure_report_of_an_offer_that_was_never_bound_is_a_refusal() -> None:
    offered = advance(queued(), offer())
    passing = fold(offered, failed(NO_SERVICE))
    assert moved(passing) == [("queued", "retried")]
    assert not passing.view.is_offered
    assert moved(fold(offered, failed(BAD))) == [("queued", "failed")]


def test_each_refusal_is_counted_as_its_reason_says() -> None:
    offered = advance(queued(tries=1), offer())
    assert fold(offered, job(reports.JobRefused, reason="phone_error")).view.tries == 2
    assert fold(offered, job(reports.JobRefused, reason="busy")).view.tries == 1
    gave_up = fold(advance(queued(tries=2), offer()), job(reports.JobRefused, reason="phone_error"))
    assert (gave_up.new_status, gave_up.reason) == (Status.DEAD_LETTER, "phone_error")


def test_a_code_makes_no_refusal_of_what_the_phone_is_unsure_of() -> None:
    unsure = job(reports.SubmitReport, outcome="uncertain", segment=0, segments=1, code=NO_SERVICE)
    assert fold(bound(), unsure).new_status is Status.UNCERTAIN
    assert fold(bound(), unsure).view.segments == Segments("?")


def test_what_is_known_of_the_segments_is_kept_when_the_phone_becomes_unsure() -> None:
    view = advance(bound(expected_segments=2), sent(0, 2))
    unsure = job(reports.SubmitReport, outcome="uncertain", reason="interrupted")
    assert fold(view, unsure).view.segments == Segments("s.")
    of_another = job(reports.SubmitReport, B, 9, outcome="uncertain", reason="interrupted")
    assert fold(view, of_another).view.segments == Segments()
    assert moved(fold(fold(view, unsure).view, sent(1, 2))) == [("uncertain", "sent")]


def test_being_unsure_of_what_was_sent_changes_nothing() -> None:
    view = advance(bound(), sent())
    unsure = job(reports.SubmitReport, outcome="uncertain", reason="interrupted")
    assert fold(view, unsure).why_not == "already_sent"
    assert fold(advance(view, dlr(0)), unsure).why_not == "ended"
    assert fold(queued(), job(reports.JobCancelled)).why_not == "other_submission"
    assert (
        fold(MessageView(status=Status.QUEUED, device_id=A, submission=1), job(reports.JobCancelled)).why_not
        == "unbound"
    )
    assert (
        fold(MessageView(status=Status.EXPIRED, device_id=A, submission=1), job(reports.JobCancelled)).why_not
        == "ended"
    )


# --- a restored hub ----------------------------------------------------------------------------------------------------------------


def test_while_held_nothing_is_offered_bound_expired_failed_or_cancelled_by_the_hub() -> None:
    held = queued(is_held=True)
    for word in (offer(), move(moves.TimeOver), move(moves.NoRoute)):
        assert fold(held, word).why_not == "held"
    offered = MessageView(status=Status.QUEUED, device_id=A, submission=1, is_offered=True, is_held=True)
    assert fold(offered, ACCEPTED).why_not == "held"
    assert fold(offered, failed(BAD)).why_not == "held"
    assert fold(offered, job(reports.JobRefused, reason="queue_full")).why_not == "held"
    asked = fold(held, CANCEL)
    assert asked.new_status is Status.QUEUED
    assert asked.view.is_cancel_requested
    dispatched = MessageView(status=Status.DISPATCHED, device_id=A, submission=1, is_held=True)
    assert fold(dispatched, failed(BAD)).why_not == "held"
    assert fold(dispatched, failed(NO_SERVICE)).why_not == "held"


def test_while_held_what_phones_know_of_the_air_is_believed() -> None:
    held = queued(is_held=True)
    assert fold(held, sent()).new_status is Status.SENT
    assert fold(held, job(reports.JobListed, state="submitting")).new_status is Status.UNCERTAIN
    dispatched = MessageView(status=Status.DISPATCHED, device_id=A, submission=1, is_held=True)
    assert fold(dispatched, job(reports.JobCancelled)).new_status is Status.CANCELLED
    assert fold(dispatched, job(reports.JobExpired)).new_status is Status.EXPIRED


# --- any words in any order --------------------------------------------------------------------------------------------------------

devices = st.sampled_from([A, B])
submissions = st.integers(1, 3)
segment = st.none() | st.integers(0, 2)
codes = st.sampled_from([NO_SERVICE, NETWORK, LIMIT, BAD, GENERIC, 120, 9999])


def words_of(kind: type[reports.JobWord], **more: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Words of one kind."""
    return st.builds(kind, message_id=st.just("m"), device_id=devices, submission=submissions, at=st.just(0), **more)


hub_words = st.one_of(
    st.sampled_from([CANCEL, REPLAY]),
    st.sampled_from([moves.Release, moves.NoRoute, moves.TimeOver, moves.Overdue, moves.OutcomeUnknown]).map(
        lambda kind: move(kind)
    ),
    st.builds(offer, devices, st.integers(1, 9)),
    st.builds(lambda n: move(moves.Withdraw, submission=n), submissions),
)
phone_words = st.one_of(
    words_of(reports.JobAccepted),
    words_of(reports.JobRefused, reason=st.sampled_from(["queue_full", "bad_request", "already_seen", "new_word"])),
    words_of(
        reports.JobListed,
        state=st.sampled_from(["accepted", "submitting", "sent", "uncertain", "failed", "cancelled", "expired"]),
    ),
    words_of(reports.JobMissing),
    words_of(reports.JobCancelled),
    words_of(reports.JobExpired),
    words_of(reports.CancelTooLate),
    words_of(
        reports.SubmitReport,
        outcome=st.sampled_from(["sent", "failed", "uncertain"]),
        code=codes,
        segment=segment,
        segments=st.sampled_from([None, 1, 3]),
    ),
    words_of(reports.DeliveryReport, tp_status=st.sampled_from([0, 0x30, 0x46]), segment=segment),
)
carrier_words = st.sampled_from(["sent", "delivered", "undelivered", "failed", None]).map(lambda told: carrier(told))
words = st.lists(st.one_of(hub_words, phone_words, carrier_words), max_size=14)
starts = st.builds(
    MessageView,
    status=st.sampled_from([Status.SCHEDULED, Status.QUEUED, Status.QUEUED, Status.QUEUED]),
    expected_segments=st.sampled_from([1, 3]),
    retry_generic=st.booleans(),
    is_held=st.sampled_from([False, False, True]),
)
ON_AIR = (reports.DeliveryReport, reports.SubmitReport)


@settings(max_examples=600)
@given(starts, words)
def test_no_words_break_the_rules(view: MessageView, story: list[folding.Word]) -> None:
    offers = [0]
    may_have_left = False
    for word in story:
        decision = fold(view, word)
        check_moves(view, decision)
        assert not (decision.is_applied and view.status in FINAL), "an ended message has changed"
        if isinstance(word, moves.Offer) and decision.is_applied:
            assert not may_have_left, "offered again after it may have reached the air"
            assert word.submission > max(offers), "the number of an offer was used twice"
            offers.append(word.submission)
        if decision.new_status is Status.EXPIRED and view.status is Status.UNCERTAIN:
            assert isinstance(word, reports.JobExpired | reports.JobListed)
        if isinstance(word, commands.CancelRequest) and view.status in BOUND:
            assert not decision.transitions
        if view.is_held and decision.transitions:
            assert decision.new_status not in {Status.RETRIED, Status.DEAD_LETTER} or view.status in SETTLED
        may_have_left = may_have_left or (decision.is_applied and left(decision))
        again = fold(decision.view, word)
        assert not again.is_applied, "the same word twice has two effects"
        view = decision.view


def check_moves(view: MessageView, decision: Decision) -> None:
    """Its transitions are moves of the table, one after the other, from the old status to the new."""
    here = view.status
    for transition in decision.transitions:
        assert transition.before is here
        assert can_move(transition.before, transition.after)
        here = transition.after
    assert here is decision.new_status
    assert decision.is_applied == (decision.view != view)
    assert (decision.why_not is None) == decision.is_applied


def left(decision: Decision) -> bool:
    """Whether the message may have reached the air, as the hub now knows it."""
    return decision.view.segments.may_have_left or decision.new_status in {
        Status.UNCERTAIN,
        Status.SENT,
        Status.DELIVERED,
        Status.UNDELIVERED,
    }


@settings(max_examples=400)
@given(
    st.lists(st.sampled_from([-1, -1, -1, NO_SERVICE, NETWORK, BAD, GENERIC]), min_size=1, max_size=4),
    st.lists(st.sampled_from([None, 0, 0x46]), min_size=4, max_size=4),
    st.integers(0, 2),
    st.randoms(use_true_random=False),
)
def test_segment_reports_in_any_order_end_the_same(
    results: list[int], receipts: list[int | None], tries: int, order: Random
) -> None:
    """Each segment has one result, and one receipt if it may have left; a hub hears them in any order, some of them twice."""
    total = len(results)
    story: list[folding.Word] = [
        sent(n, total) if code == -1 else failed(code, n, total) for n, code in enumerate(results)
    ]
    story += [
        dlr(tp, n, total)
        for n, (code, tp) in enumerate(zip(results, receipts, strict=False))
        if tp is not None and code in (-1, GENERIC)
    ]
    start = bound(expected_segments=total, tries=tries)
    shuffled = story + story[: len(story) // 2]
    order.shuffle(shuffled)
    one, other = advance(start, *story), advance(start, *shuffled)
    assert (one.status, one.tries) == (other.status, other.tries)


@given(starts, words)
def test_what_is_not_applied_can_be_explained(view: MessageView, story: list[folding.Word]) -> None:
    for word in story:
        decision = fold(view, word)
        assert decision.why_not is None or decision.why_not in timeline.NOT_APPLIED
        view = decision.view


def test_every_reason_not_to_apply_has_words() -> None:
    source = Path(folding.__file__).read_text(encoding="utf-8")
    used = set(re.findall(r'_ignored\(view, "([a-z_]+)"', source)) | set(re.findall(r'return "([a-z_]+)"', source))
    assert used - set(timeline.NOT_APPLIED) == set()


def test_every_kind_of_word_can_be_folded() -> None:
    kinds = set(reports.JobWord.__subclasses__()) | set(moves.Move.__subclasses__())
    assert kinds | {commands.CancelRequest, commands.ReplayDeadLetter, reports.CarrierReport} == set(folding._FOLDS)


def test_segments_of_an_ended_try_do_not_count_for_the_next() -> None:
    view = advance(bound(expected_segments=2), failed(NO_SERVICE, 0, 2), failed(NO_SERVICE, 1, 2), offer(B, 2))
    assert view.segments == Segments()
