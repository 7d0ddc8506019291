"""Events: stored once whatever they hold, acknowledged without a hole, applied in the same transaction."""

import json

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from msgspec import Raw

from device_protocol.frames import Ack, Event, Gone, Resend
from device_protocol.payloads import CallMissed, SimChanged, SmsDelivered, SmsReceived, SmsSent
from device_protocol.wire_types import write_utc
from hub.core.effects import ToPhone
from hub.devices import list_gaps, list_quarantined
from hub.devices.event_log import store_told
from hub.storage.schema.devices import DeviceEvent, DeviceGap
from hub.storage.transaction import Done, Refused
from tests.integration.devices.handsets import Handset, connected, error_of, sim
from tests.integration.messages.world import ACCOUNT, STRANGER, World
from tests.integration.messages.world import Phones as Texts

MINE = sim(number="+447700900001")


def outcomes(world: World) -> list[tuple[int, str]]:
    return sorted((row["n"], row["outcome"]) for row in world.rows(DeviceEvent))


def test_a_text_is_stored_received_and_acknowledged(world: World) -> None:
    handset = connected(world, sims=(MINE,))
    (ack,) = handset.tell(handset.text("hello"))
    assert ack == Ack("stream-a", 1, "uuid-stream-a-1")
    (message,) = world.messages()
    assert (message.direction, message.state, message.text, message.peer) == (
        "mo",
        "received",
        "hello",
        "+447700900123",
    )
    (row,) = world.rows(DeviceEvent)
    assert (row["outcome"], row["message_id"], row["raw"]) == ("applied", message.id, None)
    assert json.loads(row["payload"])["text"] == "hello"


def test_one_acknowledgement_answers_a_whole_batch(world: World) -> None:
    handset = connected(world)
    commands = [handset.told(handset.text(str(n))) for n in range(40)]
    effects = [
        effect for outcome in world.run(store_told, commands) if isinstance(outcome, Done) for effect in outcome.effects
    ]
    acks = [effect.frame for effect in effects if isinstance(effect, ToPhone) and isinstance(effect.frame, Ack)]
    assert acks == [Ack("stream-a", 40, "uuid-stream-a-40")]


def test_a_repeated_event_is_acknowledged_again_and_stored_once(world: World) -> None:
    handset = connected(world)
    event = handset.text()
    handset.tell(event)
    assert handset.tell(event) == [Ack("stream-a", 1, "uuid-stream-a-1")]
    assert handset.new == 0
    assert len(world.messages()) == len(world.rows(DeviceEvent)) == 1


def test_the_same_event_twice_in_one_batch_is_stored_once(world: World) -> None:
    handset = connected(world)
    event = handset.text()
    world.run(store_told, [handset.told(event), handset.told(event)])
    assert len(world.messages()) == 1


def test_an_unknown_uuid_is_stored_whatever_its_number(world: World) -> None:
    handset = connected(world)
    handset.tell(handset.text("first"))
    (ack,) = handset.tell(handset.text("another under the same number", n=1, uuid="other"))
    assert ack == Ack("stream-a", 1, "uuid-stream-a-1")
    assert len(world.messages()) == 2


def test_two_texts_with_the_same_words_are_two_texts(world: World) -> None:
    handset = connected(world)
    handset.tell(handset.text("ok"), handset.text("ok"))
    assert [message.text for message in world.messages()] == ["ok", "ok"]


# --- numbers -------------------------------------------------------------------------------------------------------------------


def test_a_hole_holds_the_acknowledgement_and_is_asked_for(world: World) -> None:
    handset = connected(world)
    frames = handset.tell(handset.text(n=1), handset.text(n=4))
    assert frames == [Ack("stream-a", 1, "uuid-stream-a-1"), Resend("stream-a", 2, 3)]
    assert handset.view().missing_events == 2
    handset.tell(handset.text(n=3))
    (ack,) = handset.tell(handset.text(n=2))
    assert ack == Ack("stream-a", 4, "uuid-stream-a-4")
    assert handset.view().missing_events == 0


def test_complete_up_to_is_the_time_of_the_last_event_before_the_hole(world: World) -> None:
    handset = connected(world)
    started = world.clock.now()
    handset.tell(handset.text(n=1))
    world.clock.advance(60)
    held_back = handset.text(n=2)
    world.clock.advance(60)
    handset.tell(handset.text(n=3))
    assert handset.view().complete_up_to == started
    handset.tell(held_back)
    assert handset.view().complete_up_to == started + 120_000


def test_of_two_holes_the_first_one_counts(world: World) -> None:
    handset = connected(world)
    started = world.clock.now()
    events = []
    for _ in range(5):
        events.append(handset.text())
        world.clock.advance(60)
    handset.tell(events[0], events[2], events[4])
    handset.tell(events[1])
    assert handset.view().complete_up_to == started + 120_000


def test_complete_up_to_waits_until_the_phone_says_that_it_has_nothing(world: World) -> None:
    handset = connected(world)
    started = world.clock.now()
    handset.tell(handset.text(n=1))
    world.clock.advance(60)
    handset.tell(handset.text(n=4))
    (ack,) = handset.tell(Gone("stream-a", 2, 3, "aged"))
    assert ack == Ack("stream-a", 4, "uuid-stream-a-4")
    assert handset.view().complete_up_to == started + 60_000
    (gap,) = world.rows(DeviceGap)
    assert (gap["first_n"], gap["last_n"], gap["reason"]) == (2, 3, "aged")
    with world.conn.begin():
        assert list_gaps(world.conn, STRANGER, handset.device_id) is None
        (seen,) = list_gaps(world.conn, ACCOUNT, handset.device_id) or ()
    assert seen.first_n == 2


def test_numbers_that_jump_wildly_are_stored_and_asked_for_in_pieces(world: World) -> None:
    handset = connected(world)
    frames = handset.tell(handset.text(n=2**53))
    assert frames == [Ack("stream-a", 0), Resend("stream-a", 1, 500)]
    assert len(world.messages()) == 1


def test_events_of_a_stream_that_was_left_are_stored_and_not_acknowledged(world: World) -> None:
    handset = connected(world)
    assert handset.tell(handset.text(stream="elsewhere", uuid="u1")) == []
    assert len(world.messages()) == 1
    assert handset.stream_row()["contiguous"] == 0


def test_an_event_of_an_older_connection_changes_nothing(world: World) -> None:
    handset = connected(world)
    handset.hello()
    late, good = world.run(store_told, [handset.told(handset.text(), session_no=1), handset.told(handset.text(n=1))])
    assert isinstance(late, Refused)
    assert isinstance(good, Done)
    assert len(world.messages()) == 1


def test_a_phone_cannot_speak_for_another_account(world: World) -> None:
    handset = connected(world)
    handset.account_id = STRANGER
    assert error_of(world.run(store_told, [handset.told(handset.text())])[0]) is not None
    assert world.messages() == []


# --- payloads ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("payload", [b"null", b"[]", b'{"from":7}', b'{"from":"+44","text":5}', b'""'])
def test_a_payload_that_does_not_parse_is_quarantined_and_blocks_nothing(world: World, payload: bytes) -> None:
    handset = connected(world)
    (ack,) = handset.tell(handset.event(payload), handset.text("after it"))
    assert ack.n == 2
    assert outcomes(world) == [(1, "quarantined"), (2, "applied")]
    view = handset.view()
    assert view.quarantined_events == 1
    assert "quarantined" in [risk.code for risk in view.risks]
    with world.conn.begin():
        (kept,) = list_quarantined(world.conn, ACCOUNT, handset.device_id) or ()
    assert kept.payload == payload.decode()
    assert kept.why


def test_an_unknown_type_is_stored(world: World) -> None:
    handset = connected(world)
    (ack,) = handset.tell(handset.event(b'{"fold":1}', event_type="screen:folded"))
    assert ack.n == 1
    assert outcomes(world) == [(1, "stored")]
    assert handset.view().quarantined_events == 0


def test_an_event_without_payload_or_time_is_stored(world: World) -> None:
    handset = connected(world)
    bare = Event("stream-a", 1, "u1", "sms:received")
    assert handset.tell(bare)[0].n == 1
    assert outcomes(world) == [(1, "quarantined")]


def test_the_raw_frame_is_kept_where_storing_changed_it(world: World) -> None:
    handset = connected(world)
    handset.tell(handset.text("a\ufffdb"), raw='{"text":"a\x00b\\ud800"}')
    (row,) = world.rows(DeviceEvent)
    assert row["raw"] == '{"text":"a\\u0000b\\ud800"}'


def test_a_missed_call_stands_in_the_thread(world: World) -> None:
    handset = connected(world, sims=(MINE,))
    handset.tell(handset.event(CallMissed(write_utc(world.clock.now()), "+447700900123", 1, 0)))
    (message,) = world.messages()
    assert (message.kind, message.peer) == ("call", "+447700900123")


def test_reports_move_the_message_and_late_ones_are_kept_as_not_applied(world: World) -> None:
    handset = connected(world, sims=(MINE,))
    message_id = world.send()
    job = Texts(world).bound(handset.device_id, message_id)
    handset.tell(
        handset.event(SmsSent(message_id, job.submission, 0, 1)),
        handset.event(SmsDelivered(message_id, job.submission, 0, 1, 0)),
        handset.event(SmsSent(message_id, job.submission, 0, 1)),
        handset.event(SmsSent("f" * 24, 1, 0, 1)),
    )
    assert world.message(message_id).state == "delivered"
    assert outcomes(world) == [(1, "applied"), (2, "applied"), (3, "not_applied"), (4, "not_applied")]


def test_events_dated_in_the_future_show_a_wrong_clock(world: World) -> None:
    handset = connected(world)
    ahead = Raw(f'"{write_utc(world.clock.now() + 600_000)}"'.encode())
    handset.tell(handset.text(at=ahead))
    view = handset.view()
    assert view.clock_ahead_ms == 600_000
    assert "clock_skew" in [risk.code for risk in view.risks]
    handset.tell(handset.text())
    assert handset.view().clock_ahead_ms is None


def test_the_sims_of_a_batch_are_those_of_its_last_list(world: World) -> None:
    handset = connected(world, sims=(MINE,))
    other = sim(1, 7, carrier="O2", number="+447700900002")
    handset.tell(handset.event(SimChanged(())), handset.event(SimChanged((MINE, other))))
    assert [(line.slot, line.is_present) for line in handset.view().lines] == [(0, True), (1, True)]
    assert outcomes(world) == [(1, "not_applied"), (2, "applied")]


# --- batched = one by one ------------------------------------------------------------------------------------------------------

STEPS = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 3), st.booleans()), min_size=1, max_size=14)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
@example(steps=[(5, 0, False), (1, 0, True), (1, 0, False), (2, 0, True)])
@example(steps=[(1, 0, False), (2, 0, False), (4, 0, False), (1, 0, False), (3, 0, True)])
def test_a_batch_leaves_what_its_events_would_leave_one_by_one(
    world: World, steps: list[tuple[int, int, bool]]
) -> None:
    together, alone = (Handset(world, world.new_id() + "x" * 19, stream="s") for _ in range(2))
    for handset in (together, alone):
        handset.enrol()
        handset.hello()

    def frames(handset: Handset) -> list[Event | Gone]:
        """Each event has a time of its own, or nobody would see whose time was taken."""
        return [
            Gone("s", number, number + 1, "aged")
            if is_gone
            else handset.text(n=number, uuid=f"u-{number}-{variant}", at=at(step))
            for step, (number, variant, is_gone) in enumerate(steps)
        ]

    def at(step: int) -> Raw:
        return Raw(f'"{write_utc(started + 60_000 * step)}"'.encode())

    started = world.clock.now()

    world.run(store_told, [together.told(frame) for frame in frames(together)])
    for frame in frames(alone):
        world.run(store_told, [alone.told(frame)])
    kept = ("contiguous", "contiguous_uuid", "given_out", "received", "asked", "complete_up_to", "clock_ahead_ms")
    assert [together.stream_row()[name] for name in kept] == [alone.stream_row()[name] for name in kept]
    assert json.loads(together.stream_row()["beyond"]) == json.loads(alone.stream_row()["beyond"])
    stored = [
        sorted(row["uuid"] for row in world.rows(DeviceEvent) if row["device_id"] == one.device_id)
        for one in (together, alone)
    ]
    assert stored[0] == stored[1]
    gaps = [
        sorted((row["first_n"], row["last_n"]) for row in world.rows(DeviceGap) if row["device_id"] == one.device_id)
        for one in (together, alone)
    ]
    assert gaps[0] == gaps[1]


def test_an_event_that_comes_again_does_not_say_up_to_when_all_is_there(world: World) -> None:
    """The number was settled as gone; that its event comes after all says nothing of those that are still gone above it."""
    handset = connected(world)
    started = world.clock.now()
    handset.tell(handset.text(n=1))
    world.clock.advance(60)
    late = handset.text(n=1, uuid="late")
    frames = [handset.text(n=5), late, Gone("stream-a", 2, 3, "aged")]
    world.run(store_told, [handset.told(frame) for frame in frames])
    assert handset.stream_row()["contiguous"] == 3
    assert handset.view().complete_up_to == started


def test_received_at_and_sender_survive_as_the_phone_told_them(world: World) -> None:
    handset = connected(world, sims=(MINE,))
    at = write_utc(world.clock.now() - 5000)
    handset.tell(handset.event(SmsReceived("Bank", at, 1, 0, "code 1234", service_centre_at=at)))
    (message,) = world.messages()
    assert (message.peer, message.text) == ("Bank", "code 1234")
