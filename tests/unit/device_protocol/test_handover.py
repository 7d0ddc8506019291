"""The hub's answers to single frames. That they fit together is searched in test_worlds.py."""

import pytest

from device_protocol.frames import Cancel, Drop, Go, HeldJob, JobRef, JobState, Refused, TooLate
from device_protocol.handover import (
    NOTHING,
    Adopt,
    AskCancel,
    Bind,
    Conclude,
    Decision,
    Doubt,
    HandoverRules,
    HubJob,
    Note,
    Phone,
    Release,
    ReportFate,
    ReportKind,
)
from device_protocol.states import HubJobState

RULES = HandoverRules()
MINE = Phone("d1")
HELD = Phone("d1", is_held=True, has_news=True)
NEWS = Phone("d1", has_news=True)
REF = JobRef("m", 7)
THIS_PHONES = (HubJobState.BOUND, HubJobState.UNCERTAIN)


def job(state: HubJobState, *, device: str | None = "d1", submission: int = 7, cancel: bool = False) -> HubJob:
    return HubJob("m", state, submission, device, cancel)


# --- offers


@pytest.mark.parametrize(
    ("unanswered", "silent_seconds", "is_held", "expected"),
    [(7, 0, False, True), (8, 0, False, False), (1, 15, False, True), (2, 15, False, False), (0, 0, True, False)],
)
def test_offers_are_limited(unanswered: int, silent_seconds: float, is_held: bool, expected: bool) -> None:
    assert RULES.may_offer(unanswered, silent_seconds, is_held=is_held) is expected


# --- accepted


def test_accepted_binds_and_only_then_says_go() -> None:
    assert RULES.accepted(MINE, REF, job(HubJobState.OFFERED)) == Decision((Bind(REF),), (Go("m", 7),))


def test_accepted_of_a_job_to_cancel_binds_and_cancels() -> None:
    decision = RULES.accepted(MINE, REF, job(HubJobState.OFFERED, cancel=True))
    assert decision == Decision((Bind(REF),), (Cancel("m", 7),))


@pytest.mark.parametrize(
    "known",
    [
        None,
        job(HubJobState.QUEUED, device=None),
        job(HubJobState.OFFERED, device="d2"),
        job(HubJobState.OFFERED, submission=8),
        job(HubJobState.BOUND, device="d2", submission=8),
        job(HubJobState.SETTLED),
    ],
)
def test_accepted_of_an_offer_that_moved_on_is_dropped(known: HubJob | None) -> None:
    assert RULES.accepted(MINE, REF, known) == Decision(frames=(Drop("m", 7),))


@pytest.mark.parametrize("state", THIS_PHONES)
def test_accepted_again_is_permitted_again(state: HubJobState) -> None:
    assert RULES.accepted(MINE, REF, job(state)) == Decision(frames=(Go("m", 7),))
    assert RULES.accepted(HELD, REF, job(state)) == NOTHING


def test_in_a_hold_nothing_is_bound() -> None:
    assert RULES.accepted(HELD, REF, job(HubJobState.OFFERED)) == NOTHING


# --- refused


def test_refused_ends_the_offer() -> None:
    decision = RULES.refused(MINE, Refused("m", 7, "full"), job(HubJobState.OFFERED))
    assert decision == Decision((Release(REF, "full"),))


@pytest.mark.parametrize(
    "known", [None, job(HubJobState.OFFERED, submission=8), job(HubJobState.BOUND), job(HubJobState.SETTLED)]
)
def test_refused_of_anything_else_is_only_noted(known: HubJob | None) -> None:
    assert RULES.refused(MINE, Refused("m", 7, "full"), known) == Decision((Note(REF, "refused full"),))


@pytest.mark.parametrize("state", [JobState.SUBMITTING, JobState.SENT, JobState.PARTIAL, JobState.UNCERTAIN])
def test_refused_because_it_was_at_this_radio_is_adopted_never_offered_elsewhere(state: JobState) -> None:
    frame = Refused("m", 7, "at_radio", held=HeldJob("m", 3, state))
    assert RULES.refused(MINE, frame, job(HubJobState.OFFERED)) == Decision((Adopt(JobRef("m", 3), state),))


@pytest.mark.parametrize("state", [JobState.CANCELLED, JobState.EXPIRED])
def test_refused_because_it_ended_here_ends_it(state: JobState) -> None:
    frame = Refused("m", 7, "at_radio", held=HeldJob("m", 3, state))
    assert RULES.refused(MINE, frame, job(HubJobState.OFFERED)) == Decision((Conclude(JobRef("m", 3), state),))
    assert RULES.refused(HELD, frame, job(HubJobState.OFFERED)) == Decision((Release(REF, "at_radio"),))


def test_refused_as_stale_ends_the_offer() -> None:
    frame = Refused("m", 7, "stale_submission", held=HeldJob("m", 9, JobState.ACCEPTED))
    assert RULES.refused(MINE, frame, job(HubJobState.OFFERED)) == Decision((Release(REF, "stale_submission"),))


# --- cancel


@pytest.mark.parametrize("state", [HubJobState.QUEUED, HubJobState.OFFERED])
def test_cancel_of_an_unbound_message_is_done_at_once_but_not_in_a_hold(state: HubJobState) -> None:
    assert RULES.cancel(job(state), is_held=False) == Decision((Conclude(REF, JobState.CANCELLED),))
    assert RULES.cancel(job(state), is_held=True) == Decision((AskCancel(REF),))


@pytest.mark.parametrize("state", THIS_PHONES)
@pytest.mark.parametrize("is_held", [True, False])
def test_cancel_of_a_bound_message_asks_the_phone(state: HubJobState, is_held: bool) -> None:
    assert RULES.cancel(job(state), is_held=is_held) == Decision((AskCancel(REF),), (Cancel("m", 7),))


def test_cancel_of_a_settled_message_is_too_late() -> None:
    assert RULES.cancel(job(HubJobState.SETTLED), is_held=False) == Decision((Note(REF, "cancel too late"),))


def test_too_late_changes_nothing_unless_the_job_is_lost_or_already_cancelled() -> None:
    bound = job(HubJobState.BOUND)
    assert RULES.too_late(MINE, TooLate("m", 7, JobState.SUBMITTING), bound) == Decision((Note(REF, "too_late"),))
    assert RULES.too_late(MINE, TooLate("m", 7), bound) == Decision((Doubt(REF, "not_held"),))
    assert RULES.too_late(MINE, TooLate("m", 7), job(HubJobState.UNCERTAIN)) == Decision((Note(REF, "too_late"),))
    cancelled = RULES.too_late(MINE, TooLate("m", 7, JobState.CANCELLED), bound)
    assert cancelled == Decision((Conclude(REF, JobState.CANCELLED),))
    assert RULES.too_late(MINE, TooLate("m", 6), bound) == Decision((Note(JobRef("m", 6), "too_late"),))
    assert RULES.too_late(MINE, TooLate("m", 7), None) == Decision((Note(REF, "too_late"),))


# --- reports


@pytest.mark.parametrize("kind", ReportKind)
@pytest.mark.parametrize("state", [*THIS_PHONES, HubJobState.SETTLED])
def test_a_report_of_this_submission_is_for_the_status_table(kind: ReportKind, state: HubJobState) -> None:
    assert RULES.judge_report(MINE, REF, kind, job(state)) is ReportFate.APPLY


@pytest.mark.parametrize("state", HubJobState)
def test_in_a_hold_a_failure_waits(state: HubJobState) -> None:
    assert RULES.judge_report(HELD, REF, ReportKind.FAILED, job(state)) is ReportFate.DEFER
    assert RULES.judge_report(HELD, REF, ReportKind.SENT, job(state)) is not ReportFate.DEFER


def test_what_went_out_is_adopted_from_whoever_tells_it() -> None:
    for known in (
        job(HubJobState.QUEUED, device=None),
        job(HubJobState.OFFERED, device="d2"),
        job(HubJobState.BOUND, device="d2", submission=8),
        job(HubJobState.UNCERTAIN, submission=8),
        job(HubJobState.OFFERED),
    ):
        assert RULES.judge_report(MINE, REF, ReportKind.SENT, known) is ReportFate.ADOPT
    assert RULES.judge_report(MINE, REF, ReportKind.UNCERTAIN, job(HubJobState.OFFERED)) is ReportFate.ADOPT


@pytest.mark.parametrize("kind", [ReportKind.FAILED, ReportKind.UNCERTAIN, ReportKind.CANCELLED, ReportKind.EXPIRED])
def test_other_news_of_another_submission_is_ignored(kind: ReportKind) -> None:
    for known in (job(HubJobState.BOUND, submission=8), job(HubJobState.BOUND, device="d2"), None):
        assert RULES.judge_report(MINE, REF, kind, known) is ReportFate.IGNORE
    assert RULES.judge_report(MINE, REF, ReportKind.SENT, None) is ReportFate.IGNORE
    late = job(HubJobState.SETTLED, submission=8)
    assert RULES.judge_report(MINE, REF, ReportKind.SENT, late) is ReportFate.IGNORE


# --- hello


def greet(
    phone: Phone, listed: list[HeldJob], *jobs: HubJob
) -> tuple[Decision, tuple[JobRef, ...], tuple[JobRef, ...]]:
    greeting = RULES.greet(phone, listed, {known.id: known for known in jobs})
    return greeting.decision, greeting.keep, greeting.drop


def held(state: JobState, submission: int = 7) -> HeldJob:
    return HeldJob("m", submission, state)


ACCEPTED = held(JobState.ACCEPTED)


def test_hello_binds_what_was_accepted_while_the_line_was_cut() -> None:
    assert greet(MINE, [ACCEPTED], job(HubJobState.OFFERED)) == (Decision((Bind(REF),), (Go("m", 7),)), (REF,), ())


def test_in_a_hold_an_accepted_offer_is_neither_kept_nor_dropped() -> None:
    assert greet(HELD, [ACCEPTED], job(HubJobState.OFFERED)) == (NOTHING, (), ())


@pytest.mark.parametrize("state", THIS_PHONES)
def test_a_bound_job_is_kept_and_permitted_again(state: HubJobState) -> None:
    assert greet(MINE, [ACCEPTED], job(state)) == (Decision(frames=(Go("m", 7),)), (REF,), ())
    assert greet(MINE, [ACCEPTED], job(state, cancel=True)) == (Decision(frames=(Cancel("m", 7),)), (REF,), ())
    assert greet(HELD, [ACCEPTED], job(state)) == (NOTHING, (REF,), ())


@pytest.mark.parametrize(
    "known",
    [
        job(HubJobState.QUEUED, device=None),
        job(HubJobState.OFFERED, device="d2"),
        job(HubJobState.BOUND, device="d2", submission=8),
        job(HubJobState.SETTLED, device="d2"),
        job(HubJobState.SETTLED),
    ],
)
def test_what_is_not_this_phones_is_dropped(known: HubJob) -> None:
    assert greet(MINE, [ACCEPTED], known) == (NOTHING, (), (REF,))
    assert greet(MINE, [ACCEPTED]) == (NOTHING, (), (REF,))


def test_what_hello_does_not_list() -> None:
    assert greet(MINE, [], job(HubJobState.BOUND))[0] == Decision((Doubt(REF, "not_held"),))
    assert greet(MINE, [], job(HubJobState.UNCERTAIN))[0] == NOTHING
    assert greet(MINE, [], job(HubJobState.OFFERED))[0] == Decision(offer_again=(REF,))
    assert greet(HELD, [], job(HubJobState.OFFERED))[0] == NOTHING
    assert greet(MINE, [], job(HubJobState.BOUND, device="d2"))[0] == NOTHING
    older = held(JobState.FAILED, submission=3)
    assert greet(MINE, [older], job(HubJobState.BOUND))[0] == Decision((Doubt(REF, "not_held"),))


AT_RADIO = [JobState.SUBMITTING, JobState.SENT, JobState.PARTIAL, JobState.UNCERTAIN]


@pytest.mark.parametrize("state", AT_RADIO)
def test_what_may_have_been_sent_is_adopted_whatever_submission_was_remembered(state: JobState) -> None:
    for known in (
        job(HubJobState.QUEUED, device=None, submission=2),
        job(HubJobState.OFFERED, device="d2", submission=9),
        job(HubJobState.OFFERED),
        job(HubJobState.BOUND, submission=9),
    ):
        assert greet(MINE, [held(state)], known)[0] == Decision((Adopt(REF, state),))


@pytest.mark.parametrize("state", AT_RADIO)
def test_another_phones_binding_is_taken_away_only_after_a_restore(state: JobState) -> None:
    known = job(HubJobState.BOUND, device="d2", submission=9)
    assert greet(MINE, [held(state)], known)[0] == Decision((Note(REF, f"told {state.value}"),))
    assert greet(NEWS, [held(state)], known)[0] == Decision((Adopt(REF, state),))


@pytest.mark.parametrize("state", [state for state in JobState if state is not JobState.ACCEPTED])
def test_hello_says_nothing_new_about_this_phones_own_or_settled_messages(state: JobState) -> None:
    assert greet(MINE, [held(state)], job(HubJobState.BOUND)) == (NOTHING, (), ())
    assert greet(MINE, [held(state)], job(HubJobState.SETTLED)) == (NOTHING, (), ())
    assert greet(MINE, [held(state)]) == (NOTHING, (), ())


# --- recall


def test_recalled_jobs() -> None:
    queued = job(HubJobState.QUEUED, device=None, submission=2)
    assert RULES.recalled(HELD, held(JobState.SENT), queued) == Decision((Adopt(REF, JobState.SENT),))
    assert RULES.recalled(HELD, held(JobState.FAILED), queued) == NOTHING
    assert RULES.recalled(HELD, held(JobState.CANCELLED), queued) == NOTHING
    assert RULES.recalled(HELD, held(JobState.SENT), job(HubJobState.SETTLED)) == NOTHING
    assert RULES.recalled(HELD, held(JobState.SENT), None) == NOTHING
    bound = job(HubJobState.BOUND)
    for state in (JobState.SENT, JobState.CANCELLED, JobState.EXPIRED):
        assert RULES.recalled(HELD, held(state), bound) == Decision((Conclude(REF, state),))
    assert RULES.recalled(HELD, held(JobState.UNCERTAIN), bound) == NOTHING


def test_effects_stay_with_their_connection() -> None:
    assert RULES.is_for_connection(4, 4)
    assert not RULES.is_for_connection(4, 5)
