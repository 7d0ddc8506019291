"""The tables are complete, and the checks made from them say what is wrong."""

import pytest

from device_protocol.errors import BAD_FRAME, HELLO_EXPECTED, HELLO_REPEATED, ProtocolError
from device_protocol.frames import App, Bye, Go, Hello, HubFrame, JobState, PhoneFrame, Ping, Pong
from device_protocol.states import (
    AT_RADIO,
    HUB_JOB,
    OPEN,
    PHONE_JOB,
    REPLACEABLE,
    SESSION,
    HubJobState,
    SessionState,
    check_hub_frame,
    check_phone_frame,
)

HELLO = Hello(1, App("1"), "s", 1, 1)


def test_every_frame_may_be_said_at_some_time() -> None:
    for side, union in (("phone", PhoneFrame), ("hub", HubFrame)):
        said = {frame for state in SESSION.values() for frame in state[side]}
        assert said == set(union.__args__)  # type: ignore[attr-defined]


def test_every_state_has_its_moves() -> None:
    assert set(SESSION) == set(SessionState)
    assert set(PHONE_JOB) == set(JobState)
    assert set(HUB_JOB) == set(HubJobState)


def test_nothing_leads_from_the_radio_back_to_accepted() -> None:
    reachable = set(AT_RADIO)
    while more := {after for state in reachable for after in PHONE_JOB[state]} - reachable:
        reachable |= more
    # Only "every segment refused before the air" does, as a new submission.
    assert JobState.FAILED in reachable
    assert {state for state in AT_RADIO if JobState.ACCEPTED in PHONE_JOB[state]} == set()
    assert [state for state, moves in PHONE_JOB.items() if JobState.ACCEPTED in moves] == [JobState.FAILED]
    assert {JobState.ACCEPTED, JobState.SUBMITTING} == OPEN
    assert not AT_RADIO & REPLACEABLE


def test_what_is_settled_or_uncertain_is_never_queued_again() -> None:
    assert HUB_JOB[HubJobState.SETTLED] == frozenset()
    assert HUB_JOB[HubJobState.UNCERTAIN] == {HubJobState.SETTLED}


def test_frames_out_of_turn_are_named() -> None:
    check_phone_frame(SessionState.GREETING, HELLO)
    check_phone_frame(SessionState.LIVE, Ping(1))
    check_hub_frame(SessionState.LIVE, Go("m", 1))
    for state in (SessionState.GREETING, SessionState.LIVE):
        check_phone_frame(state, Bye(4016, "diverged"))
        check_hub_frame(state, Bye(4014, "restarting"))
    with pytest.raises(ProtocolError) as caught:
        check_phone_frame(SessionState.GREETING, Ping(1))
    assert caught.value.reason is HELLO_EXPECTED
    with pytest.raises(ProtocolError) as caught:
        check_phone_frame(SessionState.LIVE, HELLO)
    assert caught.value.reason is HELLO_REPEATED
    with pytest.raises(ProtocolError) as caught:
        check_hub_frame(SessionState.GREETING, Pong(1, "2026-01-01T00:00:00.000Z"))
    assert caught.value.reason is BAD_FRAME
