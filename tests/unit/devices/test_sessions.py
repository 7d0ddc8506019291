"""The registry of live phones: one session each, effects to the right one, and an end for whoever stops reading."""

import pytest

from device_protocol.errors import RESTARTING, SUPERSEDED, TOO_SLOW, CloseReason
from device_protocol.frames import Go, HubFrame, Pong
from hub.core.effects import ClosePhone, ToPhone
from hub.phones.sessions import OUTBOX_MAX, Session, Sessions
from hub.storage.devices import Sighting
from tests.fakes import FakeClock

TIME = "2026-01-01T00:00:00.000Z"
WELCOME = Pong(0, TIME)


class Phone(Session):
    """A session that keeps what it is given."""

    __slots__ = ("ends", "wakes")

    def __init__(self, number: int, device_id: str = "d", now: float = 0.0) -> None:
        super().__init__(now)
        self.device_id, self.session_no = device_id, number
        self.wakes = self.ends = 0

    def sighting(self) -> Sighting:
        return Sighting(self.device_id, self.session_no, 0)

    def _wake(self) -> None:
        self.wakes += 1

    def _end(self) -> None:
        self.ends += 1

    @property
    def why(self) -> CloseReason | None:
        return None if self.ending is None else self.ending[0]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def sessions(clock: FakeClock) -> Sessions:
    return Sessions(clock)


def online(sessions: Sessions, number: int, *frames: HubFrame, device_id: str = "d") -> Phone:
    phone = Phone(number, device_id)
    with sessions.greeting(device_id) as greeting:
        sessions.register(phone, frames, greeting)
    return phone


def test_frames_go_to_the_session_they_name(sessions: Sessions) -> None:
    phone = online(sessions, 2, WELCOME)
    assert sessions.send("d", 2, Go("m", 1))
    assert not sessions.send("d", 1, Go("m", 1))
    assert not sessions.send("e", 2, Go("m", 1))
    assert list(phone.outbox) == [WELCOME, Go("m", 1)]


def test_a_newer_session_ends_the_older_one(sessions: Sessions) -> None:
    old, new = online(sessions, 1), online(sessions, 2)
    assert (old.why, new.why) == (SUPERSEDED, None)
    sessions.unregister(old)
    assert sessions.session_no("d") == 2


def test_a_session_that_was_overtaken_before_it_was_registered_ends(sessions: Sessions) -> None:
    new, late = online(sessions, 2), online(sessions, 1)
    assert (new.why, late.why) == (None, SUPERSEDED)
    assert sessions.session_no("d") == 2


def test_effects_that_come_before_the_registration_follow_the_welcome(sessions: Sessions) -> None:
    phone = Phone(3)
    with sessions.greeting("d") as greeting:
        assert sessions.to_phone(ToPhone("d", 3, Go("m", 1)))
        assert sessions.to_phone(ToPhone("d", 2, Go("of an older one", 1)))
        assert sessions.register(phone, [WELCOME], greeting)
    assert list(phone.outbox) == [WELCOME, Go("m", 1)]
    assert not sessions.to_phone(ToPhone("d", 4, Go("m", 1)))


def test_a_phone_cut_off_during_its_hello_is_closed_when_registered(sessions: Sessions) -> None:
    phone = Phone(3)
    with sessions.greeting("d") as greeting:
        sessions.close_phone(ClosePhone("d", "removed", "gone"))
        assert not sessions.register(phone, [WELCOME], greeting)
    assert phone.why is not None
    assert phone.why.word == "removed"


def test_a_close_for_another_session_is_not_meant(sessions: Sessions) -> None:
    phone = online(sessions, 3)
    assert not sessions.close("d", "removed", "x", 2)
    assert phone.why is None
    assert sessions.close("d", "removed", "x", 3)
    assert phone.ends == 1


def test_a_phone_that_does_not_read_is_cut(sessions: Sessions) -> None:
    phone = online(sessions, 1)
    for number in range(OUTBOX_MAX):
        assert sessions.send("d", 1, Go(f"m{number}", 1))
    assert not sessions.send("d", 1, Go("one too many", 1))
    assert phone.why is TOO_SLOW
    assert not sessions.send("d", 1, Go("after it", 1))


def test_the_first_reason_to_end_stands(sessions: Sessions) -> None:
    phone = online(sessions, 1)
    phone.end(TOO_SLOW, "first")
    phone.end(SUPERSEDED, "second")
    assert phone.ending == (TOO_SLOW, "first")
    assert phone.ends == 1


def test_a_stopping_registry_takes_nobody_in(sessions: Sessions) -> None:
    phone = online(sessions, 1)
    assert sessions.close_all("stopping") == 1
    late = online(sessions, 1, device_id="e")
    assert (phone.why, late.why) == (RESTARTING, RESTARTING)


def test_the_end_of_a_hold_closes_phones_and_lets_them_back(sessions: Sessions) -> None:
    online(sessions, 1)
    sessions.close_all("sending again", "hold_ended")
    assert online(sessions, 2).why is None


def test_who_is_there_and_for_how_long_silent(sessions: Sessions, clock: FakeClock) -> None:
    phone = online(sessions, 7)
    phone.last_heard = clock.monotonic()
    clock.advance(12.5)
    assert sessions.silent_for("d") == 12.5
    assert (sessions.silent_for("e"), sessions.session_no("e"), sessions.is_online("e")) == (None, None, False)
    assert (sessions.online_devices(), sessions.count, list(sessions)) == (("d",), 1, [phone])
    sessions.unregister(phone)
    assert not sessions.is_online("d")
