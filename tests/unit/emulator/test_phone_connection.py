"""What goes wrong between phone and hub: broken links, old and copied memories, frames no honest phone sends."""

import pytest

from android_emulator.link import BadLink, Direction
from android_emulator.misbehaviour import Misbehaviour
from android_emulator.phone import EmulatedPhone
from android_emulator.store import VolatileStore
from android_emulator.uplink import Timing
from device_protocol.frames import Accepted, Event, Hello, JobState, Ping, Refused
from tests.unit.emulator.fake_hub import fake_hub
from tests.unit.emulator.scene import CARD, CUSTOMER, received_texts, scene

pytestmark = pytest.mark.anyio


async def test_a_cut_connection_is_made_again_with_a_higher_counter() -> None:
    async with scene() as on:
        connections = on.phone.uplink.connections
        on.phone.cut()
        await on.phone.wait_reconnected(connections)
        counters = [hello.connect for hello in on.hub.device.frames(Hello)]  # type: ignore[attr-defined]
        assert counters == [1, 2]


async def test_a_half_open_connection_is_given_up_after_the_silence_the_protocol_allows() -> None:
    async with scene() as on:
        connections = on.phone.uplink.connections
        on.phone.go_deaf()
        await on.phone.receive_text(CUSTOMER, "into the void")
        await on.hub.text(CUSTOMER, "into the void too")
        on.phone.clock.fall_asleep(111)
        on.phone.tick()
        assert on.phone.uplink.connections == connections
        on.phone.clock.fall_asleep(1.5)
        on.phone.tick()
        await on.phone.wait_reconnected(connections)
        await on.phone.wait_sent(CUSTOMER)
        await on.phone.wait_acknowledged()
        assert received_texts(on.hub) == ["into the void"]
        assert len(on.hub.device.frames(Accepted)) == 1


async def test_a_ping_goes_out_every_45_seconds_and_keeps_the_connection() -> None:
    async with scene() as on:
        for _ in range(5):
            pings = len(on.hub.device.frames(Ping))
            on.phone.clock.fall_asleep(45)
            on.phone.tick()
            await on.hub.until(lambda before=pings: len(on.hub.device.frames(Ping)) > before)  # type: ignore[misc]
            heard_at = on.phone.handset.clock.steady_ms() - 1000
            await on.phone.until(lambda at=heard_at: on.phone.handset.session.heard_at >= at, "pong")  # type: ignore[misc]
        assert on.phone.uplink.connections == 1


async def test_a_bad_link_loses_nothing() -> None:
    async with fake_hub() as hub:
        port = int(hub.url.rpartition(":")[2])
        async with BadLink("127.0.0.1", port) as link, EmulatedPhone(sims=[CARD], timing=Timing.hasty()) as phone:
            qr = hub.qr_text().replace(f":{port}", f":{link.port}")
            await phone.enrol(qr)
            await phone.wait_online()
            for number in range(30):
                if number % 3 == 0:
                    link.cut_after(200, Direction.UP)
                elif number % 3 == 1:
                    link.cut_after(120, Direction.DOWN)
                else:
                    link.cut()
                await phone.receive_text(CUSTOMER, f"text {number}")
                await phone.wait_acknowledged()
            assert sorted(received_texts(hub)) == sorted(f"text {number}" for number in range(30))
            assert link.accepted > 10


async def test_frames_sent_twice_count_once() -> None:
    async with scene() as on:
        on.phone.misbehaviour.repeats = 2
        await on.phone.receive_text(CUSTOMER, "thrice")
        await on.hub.text(CUSTOMER, "once")
        await on.phone.wait_sent(CUSTOMER)
        await on.phone.wait_acknowledged()
        await on.hub.until(lambda: len(on.hub.device.frames(Accepted)) == 3)
        assert received_texts(on.hub) == ["thrice"]
        assert len(on.air.aired) == 1


async def test_an_event_held_back_keeps_the_acknowledgement_below_it() -> None:
    async with scene() as on:
        on.phone.misbehaviour.holds_back = {2}
        for number in (1, 2, 3):
            await on.phone.receive_text(CUSTOMER, f"text {number}")
        await on.hub.until(lambda: len(on.hub.device.events) == 2)
        assert on.hub.device.memory.streams[-1].contiguous == 1
        on.phone.release()
        await on.phone.wait_acknowledged()
        assert received_texts(on.hub) == ["text 1", "text 3", "text 2"]
        assert on.hub.device.gaps == []


async def test_numbers_that_jump_become_a_gap_that_is_told() -> None:
    async with scene() as on:
        await on.phone.receive_text(CUSTOMER, "text 1")
        await on.phone.wait_acknowledged()
        on.phone.jump_numbers(5)
        await on.phone.receive_text(CUSTOMER, "text 7")
        await on.phone.wait_acknowledged()
        assert [(gap.first, gap.last) for gap in on.hub.device.gaps] == [(2, 6)]
        assert received_texts(on.hub) == ["text 1", "text 7"]


async def test_a_stale_hello_is_turned_away_and_the_living_connection_stays() -> None:
    async with scene() as on:
        closed = await on.phone.say_stale_hello()
        assert (closed.code, closed.reason) == (4006, "stale_hello")
        await on.phone.receive_text(CUSTOMER, "still here")
        await on.phone.wait_acknowledged()
        assert on.phone.uplink.connections == 1


@pytest.mark.parametrize(
    ("frame", "code"),
    [("not json", 4000), ('{"type": "accepted", "id": 7}', 4000), ("x" * 70_000, 4001), (b"\x00\xff", 4000)],
)
async def test_what_is_no_frame_ends_the_connection_and_the_phone_comes_back(frame: str | bytes, code: int) -> None:
    async with scene() as on:
        connections = on.phone.uplink.connections
        on.phone.send_raw(frame)
        await on.phone.wait_reconnected(connections)
        assert on.phone.last_closed is not None
        assert on.phone.last_closed.code == code


async def test_every_frame_can_be_spoiled_on_its_way_out() -> None:
    async with scene() as on:
        on.phone.misbehaviour.spoils = lambda text: text.replace('"event":"sms:received"', '"event":"sms:odd"')
        await on.phone.receive_text(CUSTOMER, "odd")
        await on.phone.wait_acknowledged()
        assert [event.event_type for event in on.hub.device.events.values()] == ["sms:odd"]


async def test_a_phone_that_never_answers_and_one_that_refuses() -> None:
    async with scene() as on:
        on.phone.misbehaviour.ignores_jobs = True
        await on.hub.text(CUSTOMER, "never answered")
        on.phone.misbehaviour.ignores_jobs = False
        on.phone.misbehaviour.refuses = "full"
        await on.hub.text("+14155550198", "refused")
        # The offer to CUSTOMER was read before the one that is refused here, or is refused like it.
        await on.hub.until(lambda: bool(on.hub.device.frames(Refused)))
        assert on.phone.jobs() == []
        assert on.hub.device.frames(Accepted) == []


async def test_a_phone_that_stopped_reading_still_talks() -> None:
    async with scene() as on:
        on.phone.stop_reading()
        await on.phone.receive_text(CUSTOMER, "unacknowledged")
        await on.hub.until(lambda: len(on.hub.device.events) == 1)
        assert on.phone.store.facts().acked == 0
        on.phone.resume_reading()
        await on.phone.wait_acknowledged()


# --- memories


async def test_a_phone_put_back_to_its_own_backup_loses_and_doubles_nothing() -> None:
    memory = VolatileStore()
    async with scene(store=memory) as on:
        await on.phone.receive_text(CUSTOMER, "in the backup")
        await on.phone.wait_acknowledged()
        backup = memory.copy(with_keystore=True)
        await on.phone.receive_text(CUSTOMER, "after the backup")
        await on.hub.text(CUSTOMER, "sent after the backup")
        await on.phone.wait_sent(CUSTOMER)
        await on.phone.wait_acknowledged()
        await on.phone.crash()
        # The keystore is not in a backup: secret and nonce are those of today.
        current = memory.enrolment()
        assert current is not None
        backup.keep_enrolment(current)
        async with EmulatedPhone(backup, sims=[CARD], air=on.air, timing=Timing.hasty()) as restored:
            await restored.receive_text(CUSTOMER, "after the restore")
            await restored.until(lambda: restored.is_online and restored.store.facts().stream != "", "online")
            await restored.wait_acknowledged()
            await on.hub.until(lambda: "after the restore" in received_texts(on.hub))
            assert sorted(received_texts(on.hub)) == ["after the backup", "after the restore", "in the backup"]
            assert len(on.hub.device.memory.streams) == 2
        assert len(on.air.aired) == 1


async def test_a_memory_without_its_key_believes_nothing_and_must_enrol_again() -> None:
    memory = VolatileStore()
    async with scene(store=memory) as on:
        on.phone.misbehaviour.accepts_late = True
        await on.hub.text(CUSTOMER, "Unfinished")
        await on.phone.wait_job(CUSTOMER, JobState.ACCEPTED)
        foreign = memory.copy(with_keystore=False)
        async with EmulatedPhone(foreign, sims=[CARD], air=on.air, timing=Timing.hasty()) as copy:
            await copy.wait_job(CUSTOMER, JobState.UNCERTAIN)
            assert copy.device_id is None
            await copy.enrol(on.hub.qr_text())
            await copy.wait_online()
            await copy.wait_acknowledged()
        assert len(on.hub.devices) == 2
        assert on.air.aired == []


async def test_two_copies_of_one_phone_are_noticed_by_their_nonces() -> None:
    memory = VolatileStore()
    async with scene(store=memory) as on:
        said: list[str] = []
        clone = EmulatedPhone(memory.copy(with_keystore=True), sims=[CARD], timing=Timing.hasty(), say=said.append)
        # Each shows the nonce of the common past once; whoever comes after that shows one that is void.
        async with clone:
            await clone.wait_online()
            await on.phone.restart()
            await on.phone.wait_online()
            await clone.restart()
            await clone.until(lambda: any("nonce_reused" in line for line in said), "the hub noticed")
            assert not clone.is_online


# --- without a websocket


async def test_where_no_websocket_passes_http_calls_carry_the_same_frames() -> None:
    async with fake_hub() as hub:
        hub.refuses_sockets = True
        async with EmulatedPhone(sims=[CARD], timing=Timing.hasty()) as phone:
            await phone.enrol(hub.qr_text())
            await phone.wait_online()
            await phone.receive_text(CUSTOMER, "by post")
            await phone.wait_acknowledged()
            await hub.text(CUSTOMER, "by long poll")
            await phone.wait_sent(CUSTOMER)
            await phone.wait_acknowledged()
            hub.refuses_sockets = False
            await phone.until(lambda: phone.is_online and phone.uplink.is_on_websocket, "back on the websocket")
            assert received_texts(hub) == ["by post"]


async def test_a_phone_told_to_use_no_websocket_never_tries_one() -> None:
    async with fake_hub() as hub, EmulatedPhone(sims=[CARD], timing=Timing.hasty(), transport="http") as phone:
        await phone.enrol(hub.qr_text())
        await phone.wait_online()
        for number in range(150):
            await phone.receive_text(CUSTOMER, f"text {number}")
        await phone.wait_acknowledged()
        assert len(received_texts(hub)) == 150
        assert not phone.uplink.is_on_websocket


async def test_without_a_common_version_there_is_no_connection() -> None:
    async with fake_hub() as hub, EmulatedPhone(sims=[CARD], timing=Timing.hasty(), transport="websocket") as phone:
        said: list[str] = []
        phone.uplink.subprotocol = "handset.v99"
        phone.uplink._say = said.append
        await phone.enrol(hub.qr_text())
        await phone.until(lambda: any("426" in line for line in said), "refused")
        assert hub.device.heard == []


def test_a_well_behaved_phone_changes_no_frame() -> None:
    event = Event("stream", 1, "uuid", "sms:received")
    assert Misbehaviour().outgoing(event) == [event]
