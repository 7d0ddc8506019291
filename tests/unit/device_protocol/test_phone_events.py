"""The phone's event log and its connection, step by step."""

import pytest

from device_protocol.errors import BAD_FRAME, DIVERGED, RENUMBERED, SILENT
from device_protocol.frames import (
    Ack,
    AckPoint,
    Bye,
    Config,
    Event,
    Go,
    Gone,
    Hello,
    JobRef,
    JobState,
    Ping,
    Pong,
    Resend,
    Welcome,
)
from device_protocol.limits import (
    ACKED_EVENTS_MAX,
    ACKED_EVENTS_SECONDS,
    DEAD_SECONDS,
    EVENT_WINDOW,
    PING_SECONDS,
    STRIKES_MAX,
)
from device_protocol.payloads import SmsReceived
from device_protocol.phone_side import http_retry_delay, reconnect_delay
from device_protocol.phone_store import PutEvent, PutFacts
from device_protocol.states import SessionState
from device_protocol.wire_types import write_utc
from tests.unit.device_protocol.phone_kit import HUB_TIME, SIM, PhoneKit, a_job


@pytest.fixture
def phone() -> PhoneKit:
    return PhoneKit().live()


def numbers(frames: object) -> list[int]:
    return [frame.n for frame in frames if isinstance(frame, Event)]  # type: ignore[attr-defined]


def welcome(stream: str = "s", n: int = 0, uuid: str | None = None, **fields: object) -> Welcome:
    return Welcome(8, "e1", write_utc(HUB_TIME), {stream: AckPoint(n, uuid)}, **fields)  # type: ignore[arg-type]


# --- hello


def test_the_counter_is_on_disk_before_hello_is_said() -> None:
    kit = PhoneKit()
    kit.connect()
    (hello,) = kit.said
    assert isinstance(hello, Hello)
    assert (hello.connect, hello.stream, hello.oldest_held, hello.next) == (1, "s", 1, 1)
    assert (hello.sims, hello.permissions) == ((SIM,), {"SEND_SMS": True})
    assert kit.store.facts().connect == 1
    kit.connect()
    assert kit.store.facts().connect == 2


def test_hello_tells_the_epoch_of_the_last_welcome(phone: PhoneKit) -> None:
    phone.connect()
    (hello,) = phone.said
    assert isinstance(hello, Hello)
    assert hello.hub_epoch == "e1"


@pytest.mark.parametrize("frame", [Go("m", 1), Ack("s", 0), a_job()])
def test_frames_before_welcome_close_the_connection(frame: Go) -> None:
    kit = PhoneKit()
    kit.connect()
    kit.hear(frame)
    assert kit.closed is BAD_FRAME
    assert kit.session.state is SessionState.OFFLINE


def test_welcome_drops_what_is_not_this_phones(phone: PhoneKit) -> None:
    phone.hear(a_job("m"), a_job("n"))
    phone.connect()
    phone.hear(welcome(drop=(JobRef("m", 1), JobRef("n", 2)), keep=(JobRef("n", 1),)))
    assert (phone.state("m"), phone.state("n")) == (None, JobState.ACCEPTED)
    assert phone.rules.permitted(phone.session, phone.store) == [], "keep is no permission"


# --- sending and acknowledging


def test_an_event_is_on_disk_before_it_is_sent_and_keeps_its_uuid(phone: PhoneKit) -> None:
    step = phone.rules.record(phone.session, phone.store, SmsReceived("+1", write_utc(HUB_TIME), 1, text="x"), 0)
    assert [write.event.number for write in step.writes if isinstance(write, PutEvent)] == [1]
    assert any(isinstance(write, PutFacts) and write.facts.next_number == 2 for write in step.writes)
    assert numbers(step.frames) == [1]


def test_events_are_kept_while_offline_and_sent_in_order_after_welcome() -> None:
    kit = PhoneKit()
    for _ in range(3):
        assert kit.incoming().frames == ()
    kit.live()
    assert numbers(kit.said) == [1, 2, 3]


def test_the_window_moves_with_the_ack(phone: PhoneKit) -> None:
    phone.session = phone.rules.disconnected(phone.session)
    for _ in range(EVENT_WINDOW + 5):
        phone.incoming()
    phone.live()
    assert numbers(phone.said) == list(range(1, EVENT_WINDOW + 1))
    assert numbers(phone.hear(Ack("s", 2, "u2"))) == [EVENT_WINDOW + 1, EVENT_WINDOW + 2]
    assert numbers(phone.hear(Ack("s", 2, "u2"))) == []


def test_the_ack_in_welcome_counts_even_when_lower(phone: PhoneKit) -> None:
    for _ in range(3):
        phone.incoming()
    phone.hear(Ack("s", 3, "u3"))
    phone.live(acked=1, uuid="u1")
    assert numbers(phone.said) == [2, 3]
    assert phone.store.facts().acked == 1


def test_a_later_ack_never_lowers(phone: PhoneKit) -> None:
    for _ in range(3):
        phone.incoming()
    phone.hear(Ack("s", 3, "u3"), Ack("s", 1, "u1"), Ack("other", 9, "x"))
    assert phone.store.facts().acked == 3


# --- a store that went back


@pytest.mark.parametrize(("n", "uuid"), [(3, None), (9, "u9"), (2, "other")])
def test_an_ack_of_what_was_never_said_is_divergence(phone: PhoneKit, n: int, uuid: str | None) -> None:
    for _ in range(2):
        phone.incoming()
    for frames in ((Ack("s", n, uuid),), (welcome(n=n, uuid=uuid),)):
        phone.hear(*frames)
        assert phone.closed is DIVERGED
        assert phone.store.facts().is_diverged
        assert phone.store.event_count() == 2
        phone.connect()
        (hello,) = phone.said
        assert isinstance(hello, Hello)
        assert hello.is_diverged


def test_a_resend_of_what_was_never_said_is_divergence(phone: PhoneKit) -> None:
    phone.incoming()
    phone.hear(Resend("s", 1, 2))
    assert phone.closed is DIVERGED


def test_a_new_stream_keeps_numbers_and_sends_everything_held_again(phone: PhoneKit) -> None:
    for _ in range(3):
        phone.incoming()
    phone.hear(Ack("s", 3, "u3"))
    phone.connect()
    phone.hear(welcome("t", new_stream="t"))
    assert phone.closed is RENUMBERED
    facts = phone.store.facts()
    assert (facts.stream, facts.acked, facts.next_number, facts.is_diverged) == ("t", 0, 4, False)
    phone.live()
    assert numbers(phone.said) == [1, 2, 3]


@pytest.mark.parametrize("told", [2, 9])
def test_a_stale_counter_on_a_living_connection_means_an_older_store(phone: PhoneKit, told: int) -> None:
    phone.permit()
    phone.connect()
    phone.hear(Bye(4006, "stale_hello", connect=told))
    facts = phone.store.facts()
    assert (facts.connect, facts.is_diverged) == (told, True)
    assert phone.state() is JobState.UNCERTAIN
    assert phone.events() == ["sms:uncertain"]


@pytest.mark.parametrize(
    "bye", [Bye(4006, "stale_hello"), Bye(4006, "stale_hello", connect=1), Bye(4007, "superseded", connect=9)]
)
def test_other_goodbyes_leave_the_store_alone(phone: PhoneKit, bye: Bye) -> None:
    phone.permit()
    phone.connect()
    phone.hear(bye)
    assert not phone.store.facts().is_diverged
    assert phone.state() is JobState.ACCEPTED
    assert phone.session.state is SessionState.OFFLINE


# --- holes


def test_resend_is_answered_with_events_and_gone_in_order(phone: PhoneKit) -> None:
    for _ in range(6):
        phone.incoming()
    phone.hear(Ack("s", 3, "u3"))
    phone.now = (ACKED_EVENTS_SECONDS + 1) * 1000
    phone.live(acked=3)
    phone.tick()
    assert [event.number for event in phone.store.events(1, 9)] == [4, 5, 6]
    said = phone.hear(Resend("s", 2, 5))
    assert said[0] == Gone("s", 2, 3, "aged")
    assert numbers(said[1:]) == [4, 5]
    assert len(said) == 3
    assert numbers(phone.hear(Resend("s", 4, 6))) == [4, 5, 6]
    assert phone.hear(Resend("s", 3, 3)) == [Gone("s", 3, 3, "aged")]
    assert phone.hear(Resend("s", 1, 3)) == [Gone("s", 1, 3, "aged")]


def test_resend_of_another_stream_is_gone(phone: PhoneKit) -> None:
    assert phone.hear(Resend("old", 1, 9)) == [Gone("old", 1, 9, "other_stream")]


@pytest.mark.parametrize("code", [4000, 4001, 1002, 1007, 1009])
def test_an_event_the_hub_cannot_take_is_given_up_after_some_tries(phone: PhoneKit, code: int) -> None:
    phone.session = phone.rules.disconnected(phone.session)
    phone.incoming()
    phone.incoming()
    for _ in range(STRIKES_MAX):
        phone.live()
        assert numbers(phone.said) == [1, 2]
        if code >= 4000:
            phone.hear(Bye(code, "bad_frame"))
        phone.session = phone.rules.disconnected(phone.session, code)
    phone.live()
    assert phone.said[0] == Gone("s", 1, 1, "unreadable")
    assert numbers(phone.said) == [2]
    assert phone.store.event_count() == 2
    phone.hear(Ack("s", 2, "u2"))
    phone.incoming()
    assert numbers(phone.said) == [3]


def test_other_closes_are_no_strikes(phone: PhoneKit) -> None:
    phone.session = phone.rules.disconnected(phone.session)
    phone.incoming()
    for _ in range(STRIKES_MAX + 1):
        phone.live()
        phone.session = phone.rules.disconnected(phone.session, 4014)
    phone.live()
    assert numbers(phone.said) == [1]


# --- keeping


def test_acknowledged_events_are_kept_a_week(phone: PhoneKit) -> None:
    phone.incoming()
    phone.incoming()
    phone.hear(Ack("s", 1, "u1"))
    phone.now = ACKED_EVENTS_SECONDS * 1000
    phone.live(acked=1, uuid="u1")
    phone.tick()
    assert phone.store.event_count() == 2
    phone.now += 1
    phone.tick()
    assert [event.number for event in phone.store.events(1, 9)] == [2], "the unacknowledged one stays for ever"


def test_of_acknowledged_events_only_so_many_are_kept(phone: PhoneKit) -> None:
    phone.session = phone.rules.disconnected(phone.session)
    total = ACKED_EVENTS_MAX + 30
    for _ in range(total):
        phone.incoming()
    phone.live(acked=total)
    phone.tick()
    assert phone.store.event_count() == ACKED_EVENTS_MAX
    oldest = phone.store.oldest_event()
    assert oldest is not None
    assert oldest.number == 31


def test_between_hello_and_welcome_nothing_is_deleted(phone: PhoneKit) -> None:
    phone.incoming()
    phone.hear(Ack("s", 1, "u1"))
    phone.now = 2 * ACKED_EVENTS_SECONDS * 1000
    phone.connect()
    phone.tick()
    assert phone.store.event_count() == 1


# --- alive


def test_ping_every_45_seconds_and_the_clock_from_pong(phone: PhoneKit) -> None:
    phone.now = PING_SECONDS * 1000
    phone.tick()
    assert phone.said == (Ping(1),)
    phone.now += 400
    phone.hear(Pong(1, write_utc(HUB_TIME + 50_000)))
    assert phone.session.offset == HUB_TIME + 50_000 + 200 - phone.now
    offset = phone.session.offset
    phone.hear(Pong(0, write_utc(HUB_TIME)))
    assert phone.session.offset == offset, "an older pong says nothing"


def test_before_welcome_nothing_is_pinged() -> None:
    kit = PhoneKit()
    kit.connect()
    kit.now = PING_SECONDS * 1000
    kit.tick()
    assert kit.said == ()


def test_silence_is_the_end(phone: PhoneKit) -> None:
    phone.now = DEAD_SECONDS * 1000 - 1
    phone.tick()
    assert phone.closed is None
    phone.now += 1
    phone.tick()
    assert phone.closed is SILENT
    assert phone.said == (Bye(4008, "silent"),)
    phone.tick()
    assert phone.said == ()


def test_settings_are_handed_to_the_shell(phone: PhoneKit) -> None:
    phone.hear(Config(is_paused=True))
    assert phone.config == Config(is_paused=True)


def test_reconnect_waits_with_full_jitter() -> None:
    assert reconnect_delay(0, 0.5) == 0.5
    assert reconnect_delay(3, 0.5) == 4.0
    assert reconnect_delay(40, 1.0) == 300
    assert reconnect_delay(10**6, 0.0) == 0.0
    assert [http_retry_delay(attempt) for attempt in (0, 1, 6, 7, 10**6)] == [10, 20, 640, 900, 900]
