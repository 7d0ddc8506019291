"""Which thread a text is in, what is known of its segments, and the words of the protocol in the hub's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_protocol.frames import JobRef, JobState
from device_protocol.payloads import SmsDelivered, SmsFailed, SmsSent, SmsUncertain
from device_protocol.states import REFUSALS, UNCERTAIN_REASONS
from hub.core import reports, results
from hub.core.ids import is_id
from hub.core.reports import DeliveryReport, SubmitReport
from hub.core.results import Action
from hub.core.segments import Segments
from hub.messages.known_segments import KnownSegment, letters_of, read_segments, write_segments
from hub.messages.threads import conversation_id, merged
from hub.messages.words import reason_of, word_of_listed, word_of_report
from hub.storage.conversations import Touch


def submit(**values: object) -> SubmitReport:
    return SubmitReport(**{"message_id": "m", "device_id": "d", "submission": 1, "at": 5, "outcome": "sent", **values})


@given(st.lists(st.text(max_size=8), min_size=6, max_size=6))
def test_a_thread_is_known_by_account_line_and_peer(parts: list[str]) -> None:
    one, other = tuple(parts[:3]), tuple(parts[3:])
    assert is_id(conversation_id(*one))
    separate = all("\n" not in part for part in parts)
    if separate:
        assert (conversation_id(*one) == conversation_id(*other)) is (one == other)


def test_touches_of_one_thread_become_one() -> None:
    def touch(thread: str, at: int, unread: int) -> Touch:
        return Touch(thread, "a", "l", "p", at, f"m{at}", "mo", unread)

    assert merged([touch("t", 1, 1), touch("u", 2, 0), touch("t", 3, 1)]) == [touch("t", 3, 2), touch("u", 2, 0)]


def test_a_letter_that_stays_keeps_its_evidence() -> None:
    first = write_segments(None, Segments("s."), submit(code=-1), 5)
    assert read_segments(first) == (KnownSegment("s", 5, None, -1), KnownSegment("."))
    report = DeliveryReport(message_id="m", device_id="d", submission=1, at=9, segment=1, tp_status=0x41)
    second = write_segments(first, Segments("su"), report, 9)
    assert read_segments(second) == (KnownSegment("s", 5, None, -1), KnownSegment("u", 9, None, 0x41))
    assert letters_of(second) == Segments("su")
    assert write_segments(second, Segments(), submit(), 9) is None
    assert letters_of(None) == Segments()


@pytest.mark.parametrize("word", [*REFUSALS, *UNCERTAIN_REASONS])
def test_every_reason_of_the_protocol_means_something_here(word: str) -> None:
    assert reason_of(word) in results.BY_REASON


@pytest.mark.parametrize(("word", "is_passing"), REFUSALS.items())
def test_a_refusal_that_may_pass_is_tried_again(word: str, is_passing: bool) -> None:
    if is_passing:
        assert results.of_reason(reason_of(word)).action in results.RETRYABLE


@pytest.mark.parametrize("word", UNCERTAIN_REASONS)
def test_a_word_of_doubt_is_never_a_retry(word: str) -> None:
    assert results.of_reason(reason_of(word)).action is Action.UNCERTAIN


def test_reports_keep_every_fact() -> None:
    sent = word_of_report(SmsSent("m", 2, 1, 3), "d", 7)
    assert sent == submit(submission=2, segment=1, segments=3, at=7)
    failed = word_of_report(SmsFailed("m", 2, 0, 1, 1, 38), "d", 7)
    assert failed == submit(submission=2, segment=0, segments=1, at=7, outcome="failed", code=1, network_code=38)
    whole = word_of_report(SmsFailed("m", 2, reason="full"), "d", 7)
    assert whole == submit(submission=2, at=7, outcome="failed", reason="queue_full")
    delivered = word_of_report(SmsDelivered("m", 2, 0, 1, 0x46, "2026-01-31T09:00:00.000Z"), "d", 7)
    assert isinstance(delivered, DeliveryReport)
    assert (delivered.tp_status, delivered.network_at) == (0x46, 1_769_850_000_000)
    unsure = word_of_report(SmsUncertain("m", 2, "restarted"), "d", 7)
    assert unsure == submit(submission=2, at=7, outcome="uncertain", reason="interrupted")


def test_a_job_of_which_some_went_is_listed_as_unsure() -> None:
    states = {state: word_of_listed(JobRef("m", 1), state, "d", 1).state for state in JobState}
    assert states[JobState.PARTIAL] == "uncertain"
    assert all(states[state] == state.value for state in JobState if state is not JobState.PARTIAL)
    assert isinstance(word_of_listed(JobRef("m", 1), JobState.SENT, "d", 1), reports.JobListed)
