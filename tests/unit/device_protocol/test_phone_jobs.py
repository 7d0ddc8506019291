"""The phone's rules about jobs, step by step. That they fit together is searched in test_worlds.py."""

from dataclasses import replace

import pytest

from device_protocol.frames import (
    Accepted,
    Cancel,
    Drop,
    Event,
    Go,
    HeldJob,
    Hello,
    JobRef,
    JobState,
    Recall,
    Recalled,
    Refused,
    TooLate,
)
from device_protocol.limits import ACKED_EVENTS_SECONDS, EVENTS_HELD_MAX, JOBS_HELD_MAX, RECALL_PAGE_MAX, RESULT_SECONDS
from device_protocol.payloads import SmsFailed, SmsSent, decode_payload
from device_protocol.phone_store import MemoryPhoneStore, PhoneFacts, PutJob
from device_protocol.wire_types import write_utc
from tests.unit.device_protocol.phone_kit import HUB_TIME, PhoneKit, a_job

REF = JobRef("m", 1)


@pytest.fixture
def phone() -> PhoneKit:
    return PhoneKit().live()


def at_radio(phone: PhoneKit) -> PhoneKit:
    assert phone.submit(phone.permit()) is not None
    return phone


# --- offers


def test_a_job_is_on_disk_before_accepted_is_said(phone: PhoneKit) -> None:
    step = phone.rules.receive(phone.session, phone.store, a_job(), 0)
    assert step.frames == (Accepted("m", 1),)
    assert any(isinstance(write, PutJob) and write.job.state is JobState.ACCEPTED for write in step.writes)


def test_the_same_job_again_is_accepted_again_and_written_once(phone: PhoneKit) -> None:
    phone.hear(a_job())
    step = phone.rules.receive(phone.session, phone.store, a_job(), 0)
    assert (step.frames, step.writes) == ((Accepted("m", 1),), ())


def test_a_refused_job_is_not_held(phone: PhoneKit) -> None:
    phone.refusal = "no_such_sim"
    assert phone.hear(a_job()) == [Refused("m", 1, "no_such_sim")]
    assert phone.state() is None


def test_a_higher_submission_replaces_what_did_not_go_out_and_voids_its_go(phone: PhoneKit) -> None:
    phone.permit()
    assert phone.hear(a_job(submission=2)) == [Accepted("m", 2)]
    assert phone.rules.permitted(phone.session, phone.store) == []
    assert phone.submit(REF) is None
    assert phone.submit(JobRef("m", 2)) is None


def test_a_higher_submission_replaces_a_failed_one(phone: PhoneKit) -> None:
    at_radio(phone).result(REF, code=4)
    assert phone.state() is JobState.FAILED
    assert phone.hear(a_job(submission=2)) == [Accepted("m", 2)]


def _sent(phone: PhoneKit) -> None:
    at_radio(phone).result(REF)


def _partial(phone: PhoneKit) -> None:
    at_radio(phone).result(REF, -1, 0, 2)
    phone.result(REF, 4, 1, 2)


def _uncertain(phone: PhoneKit) -> None:
    at_radio(phone).restart()
    phone.live()


def _cancelled(phone: PhoneKit) -> None:
    phone.hear(a_job(), Cancel("m", 1))


def _expired(phone: PhoneKit) -> None:
    phone.permit(ttl_seconds=1)
    phone.now = 1000
    assert phone.submit(REF) is None


@pytest.mark.parametrize("end", [at_radio, _sent, _partial, _uncertain, _cancelled, _expired])
@pytest.mark.parametrize("submission", [1, 2])
def test_an_id_that_was_at_the_radio_or_ended_here_is_never_taken_again(
    phone: PhoneKit, end: object, submission: int
) -> None:
    end(phone)  # type: ignore[operator]
    state = phone.state()
    assert state is not None
    assert phone.hear(a_job(submission=submission)) == [
        Refused("m", submission, "at_radio", held=HeldJob("m", 1, state))
    ]
    assert phone.state() is state


def test_a_lower_submission_is_refused(phone: PhoneKit) -> None:
    phone.hear(a_job(submission=3))
    assert phone.hear(a_job(submission=2)) == [
        Refused("m", 2, "stale_submission", held=HeldJob("m", 3, JobState.ACCEPTED))
    ]


def test_a_full_phone_refuses_jobs(phone: PhoneKit) -> None:
    for number in range(JOBS_HELD_MAX):
        phone.hear(a_job(f"m{number}"))
    assert phone.hear(a_job("more")) == [Refused("more", 1, "full")]


def test_a_phone_with_too_much_to_tell_refuses_jobs_rather_than_drop_a_text() -> None:
    room = PhoneKit(store=MemoryPhoneStore(PhoneFacts("s", next_number=EVENTS_HELD_MAX))).live()
    assert room.hear(a_job()) == [Accepted("m", 1)]
    full = PhoneKit(store=MemoryPhoneStore(PhoneFacts("s", next_number=EVENTS_HELD_MAX + 1))).live()
    assert full.hear(a_job()) == [Refused("m", 1, "full")]
    full.incoming()
    assert full.events() == ["sms:received"]


# --- go


def test_only_go_permits(phone: PhoneKit) -> None:
    phone.hear(a_job())
    assert phone.submit(REF) is None
    phone.hear(Go("m", 2))
    assert phone.submit(REF) is None
    phone.hear(Go("m", 1))
    permit = phone.submit(REF)
    assert permit is not None
    assert phone.state() is JobState.SUBMITTING


def test_a_permission_is_used_once(phone: PhoneKit) -> None:
    at_radio(phone)
    assert phone.submit(REF) is None
    phone.hear(Go("m", 1))
    assert phone.submit(REF) is None


def test_go_for_a_job_that_is_not_held_is_nothing(phone: PhoneKit) -> None:
    assert phone.hear(Go("m", 1)) == []
    assert phone.submit(REF) is None


def test_hello_voids_every_go_but_a_broken_line_does_not(phone: PhoneKit) -> None:
    phone.permit()
    phone.session = phone.rules.disconnected(phone.session)
    assert [job.ref for job in phone.rules.permitted(phone.session, phone.store)] == [REF]
    phone.connect()
    assert phone.rules.permitted(phone.session, phone.store) == []
    assert phone.submit(REF) is None


def test_permitted_jobs_come_by_priority_then_age(phone: PhoneKit) -> None:
    phone.permit("late", issued=write_utc(HUB_TIME + 5))
    phone.permit("early", issued=write_utc(HUB_TIME))
    phone.permit("urgent", issued=write_utc(HUB_TIME + 9), priority=100)
    order = [job.id for job in phone.rules.permitted(phone.session, phone.store)]
    assert order == ["urgent", "early", "late"]


@pytest.mark.parametrize(("now", "is_sent"), [(59_999, True), (60_000, False), (600_000, False)])
def test_time_to_live_counts_on_the_hubs_clock(phone: PhoneKit, now: int, is_sent: bool) -> None:
    phone.permit()
    phone.now = now
    assert (phone.submit(REF) is not None) is is_sent
    assert phone.state() is (JobState.SUBMITTING if is_sent else JobState.EXPIRED)
    assert phone.events() == ([] if is_sent else ["sms:expired"])
    assert [frame.n for frame in phone.said if isinstance(frame, Event)] == ([] if is_sent else [1])


# --- drop and cancel


def test_drop_deletes_an_accepted_job_of_this_submission_only(phone: PhoneKit) -> None:
    phone.hear(a_job(submission=2), Drop("m", 1))
    assert phone.state() is JobState.ACCEPTED
    phone.hear(Drop("m", 2))
    assert phone.state() is None


def test_drop_leaves_a_job_at_the_radio_alone(phone: PhoneKit) -> None:
    at_radio(phone).hear(Drop("m", 1))
    assert phone.state() is JobState.SUBMITTING


def test_a_dropped_job_that_is_offered_again_needs_a_new_go(phone: PhoneKit) -> None:
    phone.permit()
    phone.hear(Drop("m", 1), a_job())
    assert phone.submit(REF) is None


def test_cancel_of_an_accepted_job_is_a_numbered_event_and_leaves_a_tombstone(phone: PhoneKit) -> None:
    phone.permit()
    said = phone.hear(Cancel("m", 1))
    assert [frame.event_type for frame in said if isinstance(frame, Event)] == ["sms:cancelled"]
    assert phone.state() is JobState.CANCELLED
    assert phone.submit(REF) is None


def test_cancel_too_late_says_how_it_stands(phone: PhoneKit) -> None:
    assert at_radio(phone).hear(Cancel("m", 1)) == [TooLate("m", 1, JobState.SUBMITTING)]


def test_cancel_of_a_job_that_is_not_held_is_never_answered_cancelled(phone: PhoneKit) -> None:
    assert phone.hear(Cancel("m", 1)) == [TooLate("m", 1)]
    phone.hear(a_job(submission=2))
    assert phone.hear(Cancel("m", 1)) == [TooLate("m", 1)]
    assert phone.state() is JobState.ACCEPTED
    assert phone.events() == []


# --- results


def test_every_segment_is_an_event_and_the_last_one_settles_the_job(phone: PhoneKit) -> None:
    at_radio(phone).result(REF, -1, 0, 2)
    assert phone.state() is JobState.SUBMITTING
    assert [frame.n for frame in phone.said if isinstance(frame, Event)] == [1]
    phone.result(REF, -1, 1, 2)
    assert [frame.n for frame in phone.said if isinstance(frame, Event)] == [2]
    assert phone.state() is JobState.SENT
    events = phone.store.events(1, 9)
    payloads = [decode_payload(event.event_type, event.payload) for event in events]
    assert payloads == [SmsSent("m", 1, 0, 2), SmsSent("m", 1, 1, 2)]


def test_some_sent_some_refused_is_partial(phone: PhoneKit) -> None:
    _partial(phone)
    assert phone.state() is JobState.PARTIAL
    payloads = [decode_payload(event.event_type, event.payload) for event in phone.store.events(1, 9)]
    assert payloads == [SmsSent("m", 1, 0, 2), SmsFailed("m", 1, 1, 2, 4)]


def test_a_result_that_comes_twice_counts_once(phone: PhoneKit) -> None:
    at_radio(phone).result(REF, -1, 0, 2)
    phone.result(REF, 4, 0, 2)
    assert phone.events() == ["sms:sent"]


def test_a_result_after_a_restart_settles_what_was_uncertain(phone: PhoneKit) -> None:
    at_radio(phone).restart()
    assert phone.state() is JobState.UNCERTAIN
    phone.result(REF)
    assert phone.state() is JobState.SENT
    assert phone.events() == ["sms:uncertain", "sms:sent"]


def test_a_refusal_after_a_restart_does_not_make_it_certain(phone: PhoneKit) -> None:
    at_radio(phone).restart()
    phone.result(REF, code=4)
    assert phone.state() is JobState.UNCERTAIN


@pytest.mark.parametrize("ref", [JobRef("m", 2), JobRef("other", 1)])
def test_a_result_for_another_submission_is_nothing(phone: PhoneKit, ref: JobRef) -> None:
    at_radio(phone)
    assert phone.result(ref).writes == ()


def test_a_job_the_radio_was_never_called_for_failed(phone: PhoneKit) -> None:
    at_radio(phone)
    phone.do(phone.rules.radio_refused(phone.session, phone.store, REF, "no_such_sim", 0))
    assert phone.state() is JobState.FAILED
    assert [frame.n for frame in phone.said if isinstance(frame, Event)] == [1]
    event = phone.store.events(1, 1)[0]
    assert decode_payload(event.event_type, event.payload) == SmsFailed("m", 1, reason="no_such_sim")


def test_only_a_job_at_the_radio_can_be_refused_by_it(phone: PhoneKit) -> None:
    phone.permit()
    for ref in (REF, JobRef("other", 1)):
        assert phone.rules.radio_refused(phone.session, phone.store, ref, "no_such_sim", 0).writes == ()
    phone.submit(REF)
    assert phone.rules.radio_refused(phone.session, phone.store, JobRef("m", 2), "no_such_sim", 0).writes == ()


def test_a_radio_that_never_answers_leaves_the_job_uncertain(phone: PhoneKit) -> None:
    at_radio(phone)
    phone.now = RESULT_SECONDS * 1000 - 1
    phone.session = replace(phone.session, heard_at=phone.now)
    phone.tick()
    assert phone.state() is JobState.SUBMITTING
    phone.session = replace(phone.session, heard_at=phone.now)
    phone.now += 1
    phone.tick()
    assert phone.state() is JobState.UNCERTAIN
    assert [frame.event_type for frame in phone.said if isinstance(frame, Event)] == ["sms:uncertain"]


@pytest.mark.parametrize(
    ("tp_status", "is_told"), [(0, True), (0x1F, True), (0x20, False), (0x3F, False), (0x40, True), (0x7F, True)]
)
def test_delivery_reports_that_say_something_are_told(phone: PhoneKit, tp_status: int, is_told: bool) -> None:
    phone.do(phone.rules.delivery_report(phone.session, phone.store, REF, 0, 1, tp_status, 0))
    assert phone.events() == (["sms:delivered"] if is_told else [])


# --- a process that starts


def test_a_start_doubts_what_was_submitting_and_nothing_else(phone: PhoneKit) -> None:
    at_radio(phone)
    phone.permit("n")
    phone.restart()
    assert (phone.state("m"), phone.state("n")) == (JobState.UNCERTAIN, JobState.ACCEPTED)
    assert phone.events() == ["sms:uncertain"]


def test_a_start_on_a_store_that_is_not_its_own_doubts_everything_and_diverges(phone: PhoneKit) -> None:
    at_radio(phone)
    phone.permit("n")
    phone.restart(is_own_store=False)
    assert (phone.state("m"), phone.state("n")) == (JobState.UNCERTAIN, JobState.UNCERTAIN)
    assert phone.store.facts().is_diverged


# --- hello and recall


def test_hello_lists_jobs_until_their_last_event_is_acknowledged(phone: PhoneKit) -> None:
    at_radio(phone).result(REF)
    phone.permit("n")
    phone.connect()
    (hello,) = phone.said
    assert isinstance(hello, Hello)
    assert hello.jobs == (HeldJob("n", 1, JobState.ACCEPTED), HeldJob("m", 1, JobState.SENT))
    phone.live(acked=1, uuid="u1")
    phone.connect()
    (hello,) = phone.said
    assert isinstance(hello, Hello)
    assert [entry.id for entry in hello.jobs] == ["n"]


def test_hello_lists_open_jobs_first_when_a_restored_hub_forgot_everything(phone: PhoneKit) -> None:
    for number in range(JOBS_HELD_MAX + 50):
        ref = phone.permit(f"m{number}")
        phone.submit(ref)
        phone.result(ref)
        acked = phone.store.events(1, 100_000)[-1]
        phone.live(acked.number, acked.uuid)
    phone.permit("open")
    phone.live(0)
    phone.connect()
    (hello,) = phone.said
    assert isinstance(hello, Hello)
    assert len(hello.jobs) == JOBS_HELD_MAX
    assert hello.jobs[0] == HeldJob("open", 1, JobState.ACCEPTED)
    assert hello.jobs[1].id == f"m{JOBS_HELD_MAX + 49}"


def test_recall_tells_everything_in_pages_and_nothing_is_forgotten_meanwhile(phone: PhoneKit) -> None:
    for number in range(RECALL_PAGE_MAX + 1):
        ref = phone.permit(f"m{number}")
        phone.submit(ref)
        phone.result(ref)
        acked = phone.store.events(1, 100_000)[-1]
        phone.live(acked.number, acked.uuid)
    phone.permit("open")
    (rest,) = phone.hear(Recall(write_utc(0), cursor=1))
    assert isinstance(rest, Recalled)
    assert (len(rest.jobs), rest.cursor) == (RECALL_PAGE_MAX, None), "a page that is just full is the last"
    (first,) = phone.hear(Recall(write_utc(0)))
    assert isinstance(first, Recalled)
    assert (len(first.jobs), first.cursor) == (RECALL_PAGE_MAX, RECALL_PAGE_MAX)
    phone.now = (ACKED_EVENTS_SECONDS + 1) * 1000
    phone.tick()
    phone.live(*_acked(phone))
    phone.session = replace(phone.session, is_recalling=True)
    phone.tick()
    (last,) = phone.hear(Recall(write_utc(0), cursor=first.cursor))
    assert isinstance(last, Recalled)
    assert [entry.id for entry in last.jobs] == [f"m{RECALL_PAGE_MAX}"]
    assert last.cursor is None
    phone.tick()
    assert phone.state("m0") is None


def _acked(phone: PhoneKit) -> tuple[int, str | None]:
    acked = phone.store.facts().acked
    held = phone.store.events(acked, 1)
    return acked, held[0].uuid if held and held[0].number == acked else None


def test_finished_jobs_are_forgotten_after_a_week_but_open_ones_never(phone: PhoneKit) -> None:
    at_radio(phone).result(REF)
    phone.hear(a_job("n"))
    phone.live(acked=1, uuid="u1")
    phone.now = ACKED_EVENTS_SECONDS * 1000
    phone.tick()
    assert phone.state("m") is JobState.SENT
    phone.now += 1
    phone.live(acked=1)
    phone.tick()
    assert phone.state("m") is None
    assert phone.state("n") is JobState.ACCEPTED


def test_an_unacknowledged_end_is_never_forgotten(phone: PhoneKit) -> None:
    at_radio(phone).result(REF)
    phone.now = 10 * ACKED_EVENTS_SECONDS * 1000
    phone.live()
    phone.tick()
    assert phone.state("m") is JobState.SENT
