"""The loops: what they offer to whom, and what they do by time. Rounds are called one by one; nothing here sleeps."""

import asyncio
from collections.abc import Sequence

import pytest

from device_protocol.frames import Job, Refused
from hub.core.commands import ByLine
from hub.core.effects import Effect, ToPhone, WakeAt, WakeDispatch
from hub.core.ports import AtHand
from hub.messages import timers
from hub.messages.accept import accept
from hub.messages.cancel import Cancel, cancel
from hub.messages.dispatcher import Dispatcher, OfferLimits
from hub.messages.timers import Timers, TimerSettings
from hub.storage.facts import forget_fact
from hub.storage.schema.accounts import Idempotency
from hub.storage.schema.devices import Device, Line
from tests.integration.messages.world import ACCOUNT, PEER, Phones, World

pytestmark = pytest.mark.anyio


class FakeSessions:
    """Which phones are connected here, under which number, and how long they were silent."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.silent: dict[str, float] = {}
        self.fetching: set[str] = set()

    def send(self, device_id: str, session_no: int, frame: object) -> bool:
        return self.numbers.get(device_id) == session_no

    def close(self, device_id: str, code: str, reason: str, session_no: int | None = None) -> bool:
        return self.numbers.pop(device_id, None) is not None

    def close_all(self, code: str, reason: str = "") -> int:
        return len(self.numbers)

    def is_online(self, device_id: str) -> bool:
        return device_id in self.numbers

    def session_no(self, device_id: str) -> int | None:
        return self.numbers.get(device_id)

    def is_offered_to(self, device_id: str) -> bool:
        return device_id in self.numbers and device_id not in self.fetching

    def nudge(self, device_id: str) -> bool:
        return False

    def silent_for(self, device_id: str) -> float | None:
        return self.silent.get(device_id, 0.0) if device_id in self.numbers else None

    def online_devices(self) -> Sequence[str]:
        return tuple(self.numbers)


class Loops:
    """A dispatcher and timers over a world, with the frames they caused."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.sessions = FakeSessions()
        self.effects: list[Effect] = []
        world.db.writer.on_effects = self.effects.extend
        self.dispatcher = Dispatcher(world.db, self.sessions, world.clock, OfferLimits())
        self.timers = Timers(world.db, self.sessions, world.clock, TimerSettings())

    def connect(self, *device_ids: str) -> None:
        for device_id in device_ids:
            self.sessions.numbers[device_id] = 1

    async def round(self) -> list[tuple[str, str]]:
        """(phone, message) of the jobs one round offered."""
        self.effects.clear()
        await self.dispatcher.offer_round()
        return [
            (effect.device_id, effect.frame.id)
            for effect in self.effects
            if isinstance(effect, ToPhone) and isinstance(effect.frame, Job)
        ]


@pytest.fixture
async def loops(world: World) -> Loops:
    return Loops(world)


async def test_the_first_round_looks_at_everything_and_the_next_only_at_what_was_named(
    world: World, loops: Loops
) -> None:
    phone = world.phone()
    loops.connect(phone)
    first = world.send(PEER)
    assert await loops.round() == [(phone, first)]
    second = world.send(PEER)
    assert await loops.round() == []
    loops.dispatcher.wake(WakeDispatch(ACCOUNT, tuple(world.lines(phone))))
    assert await loops.round() == [(phone, second)]
    third = world.send(PEER)
    loops.dispatcher.wake(WakeDispatch(ACCOUNT))
    assert await loops.round() == [(phone, third)]
    fourth = world.send(PEER)
    loops.dispatcher.wake(WakeDispatch())
    assert await loops.round() == [(phone, fourth)]


async def test_a_phone_that_is_connected_elsewhere_or_nowhere_is_left_alone(world: World, loops: Loops) -> None:
    here, there = world.phone("here"), world.phone("there")
    world.send(PEER, sender=ByLine(world.lines(there)[0]))
    mine = world.send(PEER, sender=ByLine(world.lines(here)[0]))
    loops.connect(here)
    assert await loops.round() == [(here, mine)]


async def test_one_full_phone_holds_up_no_other(world: World, loops: Loops, phones: Phones) -> None:
    full, free = world.phone("full"), world.phone("free")
    loops.connect(full, free)
    for _ in range(20):
        world.send(PEER, sender=ByLine(world.lines(full)[0]))
    offered = await loops.round()
    assert len(offered) == 8
    mine = world.send(PEER, sender=ByLine(world.lines(free)[0]))
    loops.dispatcher.wake(WakeDispatch(ACCOUNT))
    assert await loops.round() == [(free, mine)]


async def test_room_is_looked_at_only_in_a_phone_that_was_left_with_less_than_there_was(
    world: World, loops: Loops, phones: Phones
) -> None:
    full, idle = world.phone("full"), world.phone("idle")
    loops.connect(full, idle)
    (its_line,), (other_line,) = world.lines(full), world.lines(idle)
    waiting = [world.send(PEER, sender=ByLine(its_line)) for _ in range(10)]
    taken = world.send(PEER, sender=ByLine(other_line))
    assert dict(await loops.round())[idle] == taken
    late = world.send(PEER, sender=ByLine(other_line))
    jobs = {
        effect.frame.id: (effect.device_id, effect.frame) for effect in loops.effects if isinstance(effect, ToPhone)
    }
    for id_ in (waiting[0], taken):
        loops.world.effects.clear()
        phones.accept(*jobs[id_])
        (room,) = [effect for effect in world.effects if isinstance(effect, WakeDispatch)]
        loops.dispatcher.wake(room)
    assert await loops.round() == [(full, waiting[8])]
    loops.dispatcher.wake(WakeDispatch(ACCOUNT, (other_line,)))
    assert await loops.round() == [(idle, late)]


async def test_a_refusal_is_more_than_room(world: World, loops: Loops, phones: Phones) -> None:
    phone = world.phone(sims=2)
    loops.connect(phone)
    world.send(PEER, sender=ByLine(world.lines(phone)[0]))
    await loops.round()
    (job,) = [effect.frame for effect in loops.effects if isinstance(effect, ToPhone)]
    phones.answer(phone, Refused(job.id, job.submission, "full"))
    assert not any(effect.is_room for effect in world.effects if isinstance(effect, WakeDispatch))


async def test_a_silent_phone_gets_two(world: World, loops: Loops) -> None:
    phone = world.phone()
    loops.connect(phone)
    loops.sessions.silent[phone] = 20.0
    for _ in range(5):
        world.send(PEER)
    assert len(await loops.round()) == 2


async def test_a_line_that_must_wait_for_its_pace_is_looked_at_again_then(
    world: World, loops: Loops, phones: Phones
) -> None:
    phone = world.phone()
    world.change(Line, world.lines(phone)[0], per_minute=1)
    loops.connect(phone)
    first, second = world.send(PEER), world.send(PEER)
    assert await loops.round() == [(phone, first)]
    (job,) = [effect.frame for effect in loops.effects if isinstance(effect, ToPhone)]
    assert isinstance(job, Job)
    phones.accept(phone, job)
    loops.dispatcher.wake(WakeDispatch(ACCOUNT))
    assert await loops.round() == []
    world.clock.advance(64)
    assert await loops.round() == []
    world.clock.advance(1)
    assert await loops.round() == [(phone, second)]


async def test_a_sim_that_moved_is_offered_where_it_is_now(world: World, loops: Loops) -> None:
    old, new = world.phone("old"), world.phone("new", sims=0)
    (line,) = world.lines(old)
    loops.connect(old, new)
    world.send(PEER)
    await loops.round()
    world.change(Line, line, device_id=new)
    message_id = world.send(PEER)
    loops.dispatcher.wake(WakeDispatch(ACCOUNT, (line,)))
    assert await loops.round() == []
    loops.dispatcher.wake(WakeDispatch())
    assert await loops.round() == [(new, message_id)]


# --- timers


async def test_every_timer_acts_at_its_time(world: World, loops: Loops, phones: Phones) -> None:
    phone = world.phone()
    loops.connect(phone)
    now = world.clock.now()
    scheduled = world.send(PEER, scheduled_at=now + 30_000, ttl_seconds=86_400)
    over = world.send(PEER, ttl_seconds=30, scheduled_at=now + 1000)
    bound = world.send(PEER, ttl_seconds=30)
    phones.bound(phone, bound)
    await loops.timers.look()
    assert [world.message(id_).state for id_ in (scheduled, over, bound)] == ["scheduled", "scheduled", "dispatched"]
    world.clock.advance(31)
    await loops.timers.look()
    assert [world.message(id_).state for id_ in (scheduled, over, bound)] == ["queued", "expired", "dispatched"]
    world.clock.advance(59)
    await loops.timers.look()
    assert world.message(bound).state == "uncertain"
    world.clock.advance(7 * 86_400)
    await loops.timers.look()
    assert (world.message(bound).state, world.message(bound).reason) == ("failed", "outcome_unknown")


async def test_more_than_a_page_is_done_in_one_look(world: World, loops: Loops) -> None:
    world.phone()
    for _ in range(2):
        numbers = [f"+4917{number:08d}" for number in range(400)]
        world.send(*numbers, ttl_seconds=5)
    world.clock.advance(6)
    await loops.timers.look()
    assert {row.state for row in world.messages()} == {"expired"}


async def test_while_a_restored_hub_holds_only_what_phones_hold_runs_out(
    world: World, loops: Loops, phones: Phones
) -> None:
    phone = world.phone()
    bound, waiting = world.send(PEER, ttl_seconds=30), world.send(PEER, ttl_seconds=30)
    phones.bound(phone, bound)
    world.hold()
    world.clock.advance(90)
    await loops.timers.look()
    assert [world.message(id_).state for id_ in (bound, waiting)] == ["uncertain", "queued"]


async def test_an_offer_nobody_takes_comes_back_after_fifteen_seconds_and_goes_to_another_phone(
    world: World, loops: Loops, phones: Phones
) -> None:
    deaf, other = world.phone("deaf"), world.phone("other", is_online=False, last_seen_at=0)
    message_id = world.send(PEER)
    phones.offers(deaf)
    world.change(Device, other, is_online=True)
    loops.connect(deaf, other)
    world.clock.advance(14)
    await loops.timers.look()
    assert world.message(message_id).offered_at is not None
    world.clock.advance(1)
    await loops.timers.look()
    row = world.message(message_id)
    assert (row.offered_at, row.line_id) == (None, world.lines(other)[0])


async def test_an_offer_to_a_phone_of_another_process_is_left_to_that_process_for_five_seconds(
    world: World, loops: Loops, phones: Phones
) -> None:
    there = world.phone("there")
    message_id = world.send(PEER)
    phones.offers(there)
    world.clock.advance(19)
    await loops.timers.look()
    assert world.message(message_id).offered_at is not None
    world.clock.advance(1)
    await loops.timers.look()
    assert world.message(message_id).offered_at is None


async def test_a_cancel_of_the_hold_is_carried_out_by_the_first_look_after_it(world: World, loops: Loops) -> None:
    world.phone()
    message_id = world.send(PEER)
    world.hold()
    world.do(cancel, Cancel(account_id=ACCOUNT, message_id=message_id))
    await loops.timers.look()
    assert world.message(message_id).state == "queued"
    with world.conn.begin():
        forget_fact(world.conn, "hold")
    await loops.timers.look()
    assert world.message(message_id).state == "cancelled"


async def test_old_keys_are_forgotten_by_a_look_a_minute_later(world: World, loops: Loops) -> None:
    world.phone()
    await loops.timers.look()
    world.send(PEER, idempotency_key="k", request_sha256="0" * 64, ttl_seconds=5)
    world.clock.advance(30)
    await loops.timers.look()
    assert len(world.rows(Idempotency)) == 1
    world.clock.advance(2 * 86_400)
    await loops.timers.look()
    assert world.rows(Idempotency) == []


async def test_an_offer_to_a_phone_that_is_gone_comes_back_and_waits_for_it_within_its_grace(
    world: World, loops: Loops, phones: Phones
) -> None:
    gone, other = world.phone("gone"), world.phone("other", is_online=False, last_seen_at=0)
    message_id = world.send(PEER)
    phones.offers(gone)
    world.change(Device, other, is_online=True)
    world.change(Device, gone, is_online=False, last_seen_at=world.clock.now())
    loops.connect(other)
    world.clock.advance(20)
    await loops.timers.look()
    row = world.message(message_id)
    assert (row.offered_at, row.line_id) == (None, world.lines(gone)[0])
    world.clock.advance(41)
    await loops.timers.look()
    assert world.message(message_id).line_id == world.lines(other)[0]


@pytest.mark.parametrize("obstacle", [{"is_enabled": False}, {"paused_until": 2**50}, {"removed_at": 1}])
async def test_texts_leave_a_line_that_was_switched_off_paused_or_removed(
    world: World, loops: Loops, obstacle: dict[str, object]
) -> None:
    first, second = world.phone("one"), world.phone("two", is_online=False, last_seen_at=0)
    message_id = world.send(PEER)
    world.change(Device, second, is_online=True)
    world.change(Line, world.lines(first)[0], **obstacle)
    await loops.timers.look()
    assert world.message(message_id).line_id == world.lines(second)[0]


async def test_texts_that_came_before_the_first_phone_are_given_to_it(world: World, loops: Loops) -> None:
    message_id = world.send(PEER)
    phone = world.phone()
    loops.connect(phone)
    await loops.timers.look()
    assert world.message(message_id).line_id == world.lines(phone)[0]
    assert any(isinstance(effect, WakeDispatch) for effect in loops.effects)
    assert await loops.round() == [(phone, message_id)]


async def test_a_wake_for_a_moment_is_remembered_until_then(world: World, loops: Loops) -> None:
    loops.timers.wake_at(WakeAt(world.clock.now() + 5000))
    loops.timers.wake_at(WakeAt(world.clock.now() + 9000))
    assert loops.timers._next_at == world.clock.now() + 5000


async def test_a_text_is_released_at_its_moment_and_not_at_the_next_look(
    world: World, loops: Loops, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timers, "EVERY_SECONDS", 3600.0)
    world.phone()
    looked, released = asyncio.Event(), asyncio.Event()
    look = loops.timers.look

    async def noticed() -> None:
        await look()
        looked.set()

    monkeypatch.setattr(loops.timers, "look", noticed)
    world.db.writer.on_effects = lambda _effects: released.set()
    message_id = world.send(PEER, scheduled_at=world.clock.now() + 5000)
    running = asyncio.create_task(loops.timers.run())
    try:
        async with asyncio.timeout(30):
            await looked.wait()
            released.clear()
            world.clock.advance(5)
            loops.timers.wake_at(WakeAt(world.clock.now()))
            while world.message(message_id).state != "queued":
                await released.wait()
                released.clear()
    finally:
        running.cancel()


async def test_who_is_at_hand_is_asked_of_the_connections(world: World, loops: Loops) -> None:
    here, silent, fetching = world.phone("here"), world.phone("silent"), world.phone("fetching")
    loops.connect(here, silent, fetching)
    loops.sessions.silent[silent] = 20.0
    loops.sessions.fetching.add(fetching)
    assert loops.dispatcher.at_hand(here) == AtHand(1, 8)
    assert loops.dispatcher.at_hand(silent) == AtHand(1, 2)
    assert loops.dispatcher.at_hand(fetching) is None
    assert loops.dispatcher.at_hand(world.phone("away")) is None


async def test_the_one_writer_offers_to_who_is_at_hand(world: World, loops: Loops) -> None:
    phone = world.phone()
    loops.connect(phone)
    world.db.writer.tell_at_hand(loops.dispatcher.at_hand)
    await world.db.writer.submit(accept, world.prepare(PEER))
    jobs = [effect for effect in loops.effects if isinstance(effect, ToPhone)]
    assert [(job.device_id, job.session_no) for job in jobs] == [(phone, 1)]
