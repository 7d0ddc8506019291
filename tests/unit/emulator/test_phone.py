"""An emulated phone and a hub on a real socket: what goes well, and what real phones do that is not an error."""

import msgspec
import pytest

from android_emulator.cell_network import CellNetwork, EchoCustomer, Text
from android_emulator.clock import PhoneClock
from android_emulator.phone import EmulatedPhone
from android_emulator.radio import Service
from android_emulator.radio_outcomes import NEVER_TOLD, NO_SERVICE, partial
from android_emulator.sim import SimCard
from android_emulator.uplink import Timing
from device_protocol.frames import Config, Drop, Go, Hello, JobState, Refused, Status
from device_protocol.payloads import SmsFailed, SmsReceived, decode_payload
from device_protocol.states import HubJobState
from device_protocol.wire_types import read_utc
from tests.unit.emulator.scene import CARD, CUSTOMER, OTHER_CARD, Scene, received_texts, scene

pytestmark = pytest.mark.anyio


async def test_a_phone_sends_and_receives() -> None:
    async with scene() as on:
        id = await on.hub.text(CUSTOMER, "Your table is ready")
        await on.phone.wait_sent(CUSTOMER)
        await on.phone.wait_event("sms:delivered")
        await on.phone.receive_text(CUSTOMER, "On my way")
        await on.phone.wait_acknowledged()
        assert on.aired() == [(CARD.number, CUSTOMER, "Your table is ready")]
        assert on.hub.device.jobs[id].state is HubJobState.SETTLED
        kinds = [event.event_type for event in on.hub.device.events.values()]
        assert kinds == ["sms:sent", "sms:delivered", "sms:received"]


async def test_the_second_card_sends_from_its_own_number() -> None:
    async with scene() as on:
        await on.hub.text(CUSTOMER, "From the other line", slot=1)
        await on.phone.wait_sent(CUSTOMER)
        assert on.aired() == [(OTHER_CARD.number, CUSTOMER, "From the other line")]


async def test_two_phones_and_a_customer_talk_through_the_network() -> None:
    network = CellNetwork()
    customer = EchoCustomer(network, CUSTOMER)
    await customer.switch_on()
    async with scene(network=network) as on:
        await on.hub.text(CUSTOMER, "Hello")
        await on.phone.wait_event("sms:received")
        await on.phone.wait_acknowledged()
        assert received_texts(on.hub) == ["You said: Hello"]
    await network.aclose()


async def test_texts_to_a_phone_that_is_off_wait_in_the_network() -> None:
    network = CellNetwork()
    async with scene(network=network) as on:
        await on.phone.switch_off()
        await EchoCustomer(network, CUSTOMER).switch_on()
        network.post(Text(CUSTOMER, CARD.number, "Anybody there?"))
        await on.phone.switch_on()
        await on.phone.wait_event("sms:received")
        await on.phone.wait_acknowledged()
        assert received_texts(on.hub) == ["Anybody there?"]
    await network.aclose()


async def test_what_happens_while_the_hub_is_away_arrives_later_in_order() -> None:
    async with scene() as on:
        on.hub.refuses_sockets = True
        on.phone.cut()
        await on.phone.wait_offline()
        for number in range(100):
            await on.phone.receive_text(CUSTOMER, f"text {number}")
        on.hub.refuses_sockets = False
        await on.phone.wait_acknowledged()
        assert received_texts(on.hub) == [f"text {number}" for number in range(100)]


async def test_a_phone_that_crashed_goes_on_from_its_memory() -> None:
    async with scene() as on:
        on.hub.is_deaf = True
        await on.phone.receive_text(CUSTOMER, "before the crash")
        await on.phone.crash()
        on.hub.is_deaf = False
        await on.phone.switch_on()
        await on.phone.wait_acknowledged()
        assert received_texts(on.hub) == ["before the crash"]


async def test_a_text_at_the_radio_when_the_phone_died_is_uncertain_and_never_sent_again() -> None:
    async with scene() as on:
        on.phone.script.when(NEVER_TOLD)
        await on.hub.text(CUSTOMER, "Did this go out?")
        await on.phone.wait_job(CUSTOMER, JobState.SUBMITTING)
        await on.phone.until(lambda: bool(on.air.aired), "the text is on air")
        await on.phone.restart()
        await on.phone.wait_job(CUSTOMER, JobState.UNCERTAIN)
        await on.phone.wait_acknowledged()
        assert len(on.air.aired) == 1
        assert [event.event_type for event in on.hub.device.events.values()] == ["sms:uncertain"]


async def test_a_job_waits_for_the_go_of_this_connection() -> None:
    async with scene() as on:
        on.phone.misbehaviour.accepts_late = True
        await on.hub.text(CUSTOMER, "Only with permission")
        await on.phone.wait_job(CUSTOMER, JobState.ACCEPTED)
        assert on.air.aired == []
        connections = on.phone.uplink.connections
        on.phone.cut()
        await on.phone.wait_reconnected(connections)
        await on.phone.wait_sent(CUSTOMER)
        assert len(on.air.aired) == 1


async def test_a_moved_job_is_dropped_when_it_is_accepted_late() -> None:
    async with scene() as on:
        on.phone.misbehaviour.accepts_late = True
        id = await on.hub.text(CUSTOMER, "For another phone by now")
        await on.phone.wait_job(CUSTOMER, JobState.ACCEPTED)
        del on.hub.device.jobs[id]
        on.phone.release()
        await on.phone.until(lambda: on.phone.jobs(CUSTOMER) == [], "the job was dropped")
        assert on.air.aired == []


async def test_a_ttl_that_is_over_on_the_hubs_clock_expires_the_job() -> None:
    async with scene() as on:
        on.phone.misbehaviour.accepts_late = True
        await on.hub.text(CUSTOMER, "Too late", ttl_seconds=60)
        await on.phone.wait_job(CUSTOMER, JobState.ACCEPTED)
        on.phone.clock.fall_asleep(61)
        on.phone.release()
        await on.phone.wait_job(CUSTOMER, JobState.EXPIRED)
        assert on.air.aired == []


@pytest.mark.parametrize("offset_ms", [600_000, -600_000])
async def test_a_wrong_clock_neither_shifts_events_nor_expires_jobs(offset_ms: int) -> None:
    async with scene(clock=PhoneClock(offset_ms)) as on:
        await on.hub.text(CUSTOMER, "In time", ttl_seconds=60)
        await on.phone.wait_sent(CUSTOMER)
        on.phone.clock.step(-2 * offset_ms)
        await on.phone.receive_text(CUSTOMER, "At what time?")
        await on.phone.wait_acknowledged()
        (event,) = on.hub.device.reports("sms:received")
        payload = decode_payload(event.event_type, event.payload)
        assert isinstance(payload, SmsReceived)
        assert abs(read_utc(payload.received_at) - on.hub.now()) < 60_000


async def test_the_hubs_time_is_still_known_after_a_restart_without_network() -> None:
    async with scene(clock=PhoneClock(600_000)) as on:
        on.hub.refuses_sockets = True
        await on.phone.restart()
        await on.phone.receive_text(CUSTOMER, "Offline")
        (event,) = on.phone.events("sms:received")
        assert abs(event.at - on.hub.now()) < 60_000


# --- reasons against a job


async def refusals(on: Scene, reason: str) -> None:
    await on.hub.text(CUSTOMER, "Any text")
    await on.hub.until(lambda: bool(on.hub.device.frames(Refused)))
    assert [frame.reason for frame in on.hub.device.frames(Refused)] == [reason]  # type: ignore[attr-defined]
    assert on.phone.jobs() == []


async def test_a_job_for_a_card_that_is_gone_is_refused() -> None:
    async with scene() as on:
        line = on.hub.line(0)
        await on.phone.remove_sim(0)
        await on.hub.offer(on.hub.device.memory.device, CUSTOMER, "Which card?", line)
        await on.hub.until(lambda: bool(on.hub.device.frames(Refused)))
        assert on.phone.jobs() == []
        await on.phone.wait_event("sim:changed")


async def test_a_swapped_card_is_not_mistaken_for_the_one_that_was_meant() -> None:
    async with scene() as on:
        line = on.hub.line(0)
        await on.phone.remove_sim(0)
        await on.phone.insert_sim(0, SimCard("8999", "+14155550103"))
        await on.hub.offer(on.hub.device.memory.device, CUSTOMER, "Which card?", line)
        await on.hub.until(lambda: bool(on.hub.device.frames(Refused)))
        assert on.air.aired == []


async def test_without_permission_to_send_jobs_are_refused() -> None:
    async with scene() as on:
        on.phone.set_permission("send_sms", is_granted=False)
        await refusals(on, "permission_missing")
        statuses = on.hub.device.frames(Status)
        assert statuses[-1].permissions["send_sms"] is False  # type: ignore[attr-defined]


async def test_in_airplane_mode_jobs_are_refused_and_accepted_ones_wait() -> None:
    async with scene() as on:
        on.phone.misbehaviour.accepts_late = True
        await on.hub.text(CUSTOMER, "Waits")
        await on.phone.wait_job(CUSTOMER, JobState.ACCEPTED)
        await on.phone.set_service(Service.OFF)
        on.phone.release()
        await on.hub.text("+14155550198", "Refused")
        await on.hub.until(lambda: bool(on.hub.device.frames(Refused)))
        await on.phone.until(lambda: bool(on.phone.handset.session.goes), "permission has come")
        assert [job.state for job in on.phone.jobs()] == [JobState.ACCEPTED]
        await on.phone.set_service(Service.IN_SERVICE)
        await on.phone.wait_sent(CUSTOMER)


async def test_a_paused_phone_refuses_and_a_resumed_one_sends() -> None:
    async with scene() as on:
        on.hub.say(on.hub.device, Config(is_paused=True))
        await on.phone.until(lambda: on.phone.handset.settings.is_paused, "paused")
        await refusals(on, "paused")
        await on.phone.restart()
        assert on.phone.handset.settings.is_paused
        await on.phone.wait_online()
        on.hub.say(on.hub.device, Config(is_paused=False))
        await on.phone.until(lambda: not on.phone.handset.settings.is_paused, "resumed")
        await on.hub.text(CUSTOMER, "Again")
        await on.phone.wait_sent(CUSTOMER, text="Again")


async def test_a_text_with_too_many_segments_is_refused() -> None:
    async with scene() as on:
        await on.hub.text(CUSTOMER, "x" * 5_000)
        await on.hub.until(lambda: bool(on.hub.device.frames(Refused)))
        (refused,) = on.hub.device.frames(Refused)
        assert isinstance(refused, Refused)
        assert refused.reason == "too_long"


async def test_the_hubs_pace_is_kept() -> None:
    async with scene() as on:
        on.hub.say(on.hub.device, Config(segments_per_minute=2))
        await on.phone.until(lambda: on.phone.handset.settings.segments_per_minute == 2, "the pace is known")
        for number in range(3):
            await on.hub.text(f"+1415555011{number}", "x")
        await on.phone.wait_sent("+14155550111")
        await on.phone.wait_job("+14155550112", JobState.ACCEPTED)
        assert len(on.air.aired) == 2


# --- the radio's answers


async def test_a_refused_segment_and_a_sent_one_make_a_partial() -> None:
    async with scene() as on:
        on.phone.script.when(partial(1))
        await on.hub.text(CUSTOMER, "x" * 200)
        await on.phone.wait_job(CUSTOMER, JobState.PARTIAL)
        await on.phone.wait_acknowledged()
        assert [event.event_type for event in on.hub.device.events.values()] == ["sms:sent", "sms:failed"]


async def test_a_refused_text_may_be_offered_again_and_is_then_sent_once() -> None:
    async with scene() as on:
        on.phone.script.when(NO_SERVICE, times=1)
        id = await on.hub.text(CUSTOMER, "Second try")
        await on.phone.wait_job(CUSTOMER, JobState.FAILED)
        await on.phone.wait_acknowledged()
        device = on.hub.device
        again = msgspec.structs.replace(device.offers[id], submission=2)
        device.jobs[id] = type(device.jobs[id])(id, HubJobState.OFFERED, 2, device.memory.device)
        on.hub.say(device, again)
        await on.phone.wait_sent(CUSTOMER)
        assert len(on.air.aired) == 1


async def test_a_job_whose_card_left_after_go_fails_without_touching_the_radio() -> None:
    async with scene() as on:
        on.phone.misbehaviour.accepts_late = True
        id = await on.hub.text(CUSTOMER, "x")
        await on.phone.wait_job(CUSTOMER, JobState.ACCEPTED)
        await on.phone.remove_sim(0)
        on.phone.release()
        await on.phone.wait_job(CUSTOMER, JobState.FAILED)
        await on.phone.wait_acknowledged()
        (event,) = on.hub.device.reports("sms:failed")
        assert decode_payload("sms:failed", event.payload) == SmsFailed(id, 1, reason="no_such_sim")
        assert on.air.aired == []


async def test_a_go_for_a_job_nobody_offered_and_a_drop_do_nothing() -> None:
    async with scene() as on:
        on.hub.say(on.hub.device, Go("nothing", 1), Drop("nothing", 1), Config())
        await on.hub.text(CUSTOMER, "still fine")
        await on.phone.wait_sent(CUSTOMER)
        assert len(on.air.aired) == 1


# --- the world


async def test_missed_calls_and_mms_notices_reach_the_hub() -> None:
    async with scene() as on:
        await on.phone.miss_call(CUSTOMER)
        await on.phone.miss_call(None, slot=1)
        await on.phone.notice_mms(CUSTOMER, subject="Photo")
        on.hub.say(on.hub.device, Config(reports_missed_calls=False))
        await on.phone.until(lambda: not on.phone.handset.settings.reports_missed_calls, "told")
        await on.phone.miss_call(CUSTOMER)
        await on.phone.wait_acknowledged()
        kinds = [event.event_type for event in on.hub.device.events.values()]
        assert kinds == ["call:missed", "call:missed", "mms:received"]


async def test_without_permission_to_receive_the_app_never_sees_a_text() -> None:
    async with scene() as on:
        on.phone.set_permission("receive_sms", is_granted=False)
        assert not await on.phone.receive_text(CUSTOMER, "Unheard")
        assert on.phone.events() == []
        with pytest.raises(KeyError):
            on.phone.set_permission("fly", is_granted=True)


async def test_a_text_that_no_frame_holds_is_cut_and_says_so() -> None:
    async with scene() as on:
        await on.phone.receive_text(CUSTOMER, "\ud83d \0 " + "😀" * 39_000)
        await on.phone.wait_acknowledged()
        (event,) = on.hub.device.reports("sms:received")
        payload = decode_payload("sms:received", event.payload)
        assert isinstance(payload, SmsReceived)
        assert payload.is_cut
        assert (payload.text or "").startswith("\ufffd \ufffd 😀😀")


async def test_a_moved_card_is_told_by_both_phones() -> None:
    network = CellNetwork()
    async with scene(network=network) as on, EmulatedPhone(network=network, timing=Timing.hasty()) as other:
        await other.enrol(on.hub.qr_text())
        await other.wait_online()
        await on.phone.move_sim(0, other, 1)
        await on.phone.wait_acknowledged()
        await other.wait_acknowledged()
        assert await network.carry(Text(CUSTOMER, CARD.number, "To the new phone"))
        assert [event.event_type for event in other.events()] == ["sim:changed", "sms:received"]
        assert [event.event_type for event in on.phone.events()] == ["sim:changed"]


async def test_battery_and_sims_are_told_in_status() -> None:
    async with scene() as on:
        on.phone.set_battery(7, is_charging=False)
        await on.hub.until(
            lambda: any(status.battery_percent == 7 for status in on.hub.device.frames(Status))  # type: ignore[attr-defined]
        )
        hello = on.hub.device.frames(Hello)[0]
        assert isinstance(hello, Hello)
        assert [sim.number for sim in hello.sims] == [CARD.number, OTHER_CARD.number]


async def test_a_phone_that_is_off_cannot_be_asked() -> None:
    phone = EmulatedPhone()
    assert not phone.is_online
    assert phone.describe() == "The phone is off."
    with pytest.raises(RuntimeError, match="off"):
        phone.jobs()


async def test_a_condition_that_never_holds_says_how_things_stand() -> None:
    async with scene() as on:
        with pytest.raises(TimeoutError, match=r"a job to \+1999 is sent.*The phone is live"):
            await on.phone.until(lambda: False, "a job to +1999 is sent", seconds=0.01)
