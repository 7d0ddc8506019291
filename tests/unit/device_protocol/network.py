"""What stands between hub and phones, and every step that may happen next: the small world as a graph.

A connection that dies leaves what the phone had sent in it: lost, or read late by the hub. The hub's frames wait in an
outbox between commit and socket. Steps are either ordinary (the world makes them by itself, sooner or later) or faults,
of which a `Budget` allows so many.
"""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeVar

from device_protocol.frames import JobRef
from device_protocol.hub_side import HubRules
from device_protocol.phone_side import PhoneRules
from device_protocol.states import HubJobState, SessionState
from tests.unit.device_protocol.world import (
    TTL_MS,
    Broken,
    Effect,
    HubHands,
    HubMove,
    HubPart,
    PhoneHands,
    PhonePart,
    new_hub,
    new_phone,
)

_T = TypeVar("_T", bound=Hashable)
_OUTBOX = 4
_PIPE = 6
_SUBMISSIONS_RAISED = 1000
NO_SERVICE = 4


class Budget(NamedTuple):
    """How many of each fault, and of each thing the world's people do."""

    offers: int = 1
    cuts: int = 0
    phone_crashes: int = 0
    hub_crashes: int = 0
    restores: int = 0
    moved_stores: int = 0
    rollbacks: int = 0
    failovers: int = 0
    cancels: int = 0
    refusals: int = 0
    radio_refusals: int = 0
    inbound: int = 0
    ages: int = 0
    clock: int = 0

    def less(self, name: str) -> "Budget":
        return self._replace(**{name: getattr(self, name) - 1})


class Connection(NamedTuple):
    """An open connection: what the phone sent and the hub has yet to read, and the other way round."""

    session_no: int | None = None
    up: tuple[str, ...] = ()
    down: tuple[str, ...] = ()


class Late(NamedTuple):
    """What is left of a dead connection in the hub's receive buffer."""

    session_no: int | None
    up: tuple[str, ...]


class World(NamedTuple):
    """Everything, as one value."""

    hub: HubPart
    phones: tuple[PhonePart, ...]
    open: tuple[Connection | None, ...]
    late: tuple[Late | None, ...]
    outbox: tuple[Effect, ...]
    clock: int
    budget: Budget
    radio: tuple[tuple[str, int], ...]
    backup: HubPart | None = None
    images: tuple[PhonePart | None, ...] = ()

    @property
    def now(self) -> int:
        """Hub and phone clock in ms."""
        return self.clock * TTL_MS

    def sends(self, id: str) -> int:
        return dict(self.radio).get(id, 0)


class Next(NamedTuple):
    """A step: what happened, whether it is a fault, and the world after it."""

    label: str
    is_fault: bool
    world: World


@dataclass
class Network:
    """The graph. `certain`: uncertain counts as broken, for worlds whose faults must never cost certainty. `ends`: queued
    with no offers left counts as stuck, for worlds with one offer more than can be wasted.
    """

    budget: Budget
    hub_rules: HubRules = field(default_factory=HubRules)
    phone_rules: type[PhoneRules] = PhoneRules
    phones: int = 1
    messages: int = 1
    certain: bool = False
    ends: bool = False
    no_false_gaps: bool = False
    raise_by: int = _SUBMISSIONS_RAISED

    def __post_init__(self) -> None:
        self.hub_hands = HubHands(self.hub_rules)
        self.phone_hands = PhoneHands(self.phone_rules)
        self._parts: dict[Any, Any] = {}
        self._memo: dict[Any, Any] = {}

    def begin(self) -> World:
        none = (None,) * self.phones
        return World(
            hub=self._part(new_hub(self.phones, self.messages)),
            phones=tuple(self._part(new_phone(index)) for index in range(self.phones)),
            open=none,
            late=none,
            outbox=(),
            clock=0,
            budget=self.budget,
            radio=(),
            images=none,
        )

    # Parts are interned, so that equal worlds hold the same objects and a rule runs once per different input.

    def _part(self, part: _T) -> _T:
        return self._parts.setdefault(part, part)  # type: ignore[no-any-return]

    def key(self, world: World) -> Hashable:
        """Equal for equal worlds, quick to hash."""
        return (
            id(world.hub),
            *map(id, world.phones),
            *world.open,
            *world.late,
            world.outbox,
            world.clock,
            world.budget,
            world.radio,
            id(world.backup),
            *map(id, world.images),
        )

    def _once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        if key not in self._memo:
            self._memo[key] = make()
        return self._memo[key]

    # --- steps

    def successors(self, world: World) -> Iterator[Next]:
        yield from self._hub_alone(world)
        yield from self._hub_faults(world)
        for device in range(self.phones):
            yield from self._hub_reads(world, device)
            yield from self._phone_alone(world, device)
            yield from self._phone_reads(world, device)
            yield from self._phone_faults(world, device)

    def _hub_alone(self, world: World) -> Iterator[Next]:
        if world.outbox:
            yield self._flush(world)
        budget = world.budget
        for message in world.hub.messages:
            id = message.job.id
            if budget.offers and len(world.outbox) < _OUTBOX:
                for device in range(self.phones):
                    if self._is_attached(world, device):
                        move = self.hub_hands.offer(world.hub, id, device)
                        yield from self._commit(world, f"hub offers {id} to {device}", False, move, "offers")
            if budget.failovers:
                move = self.hub_hands.fail_over(world.hub, id)
                yield from self._commit(world, f"offer of {id} times out", True, move, "failovers")
            if budget.cancels and len(world.outbox) < _OUTBOX:
                move = self.hub_hands.cancel(world.hub, id)
                yield from self._commit(world, f"customer cancels {id}", True, move, "cancels")
            if world.clock >= 1:
                yield from self._commit(world, f"{id} expires", True, self.hub_hands.expire(world.hub, id))
            if world.clock >= 2:
                yield from self._commit(world, f"{id} past grace", True, self.hub_hands.doubt(world.hub, id))

    def _is_attached(self, world: World, device: int) -> bool:
        connection = world.open[device]
        return connection is not None and connection.session_no is not None

    def _commit(
        self, world: World, label: str, is_fault: bool, move: HubMove | None, spends: str | None = None
    ) -> Iterator[Next]:
        if move is None:
            return
        budget = world.budget.less(spends) if spends else world.budget
        after = world._replace(hub=self._part(move.hub), outbox=world.outbox + move.effects, budget=budget)
        yield Next(label, is_fault, after)

    def _flush(self, world: World) -> Next:
        effect, *rest = world.outbox
        world = world._replace(outbox=tuple(rest))
        connection = world.open[effect.device]
        if connection is None or connection.session_no is None or len(connection.down) >= _PIPE:
            return Next(f"hub drops for {effect.device}: {effect.text}", False, world)
        if not self.hub_rules.is_for_connection(effect.session_no, connection.session_no):
            return Next(f"hub drops stale for {effect.device}: {effect.text}", False, world)
        connection = connection._replace(down=(*connection.down, effect.text))
        return Next(
            f"hub sends {effect.device}: {effect.text}", False, self._set(world, "open", effect.device, connection)
        )

    def _hub_faults(self, world: World) -> Iterator[Next]:
        budget = world.budget
        if budget.clock:
            yield Next("time passes", True, world._replace(clock=world.clock + 1, budget=budget.less("clock")))
        if budget.hub_crashes:
            yield Next("HUB CRASH", True, self._all_gone(world)._replace(budget=budget.less("hub_crashes")))
        if budget.restores and world.backup is None:
            yield Next("hub backup", True, world._replace(backup=world.hub))
        if budget.restores and world.backup is not None:
            hub = self.hub_hands.restore(world.backup, world.hub, self.raise_by)
            gone = self._all_gone(world)
            yield Next("HUB RESTORED", True, gone._replace(hub=self._part(hub), budget=budget.less("restores")))

    def _all_gone(self, world: World) -> World:
        """Every connection is cut and the hub forgot what it had not committed."""
        none = (None,) * self.phones
        phones = tuple(self._part(self.phone_hands.disconnect(phone)) for phone in world.phones)
        return world._replace(open=none, late=none, outbox=(), phones=phones)

    def _hub_reads(self, world: World, device: int) -> Iterator[Next]:
        late = world.late[device]
        if late is not None:
            rest = late._replace(up=late.up[1:]) if late.up[1:] else None
            after = self._set(world, "late", device, rest)
            yield from self._hub_takes(after, device, late.session_no, late.up[0], is_late=True)
        connection = world.open[device]
        if connection is not None and connection.up and len(world.outbox) < _OUTBOX:
            after = self._set(world, "open", device, connection._replace(up=connection.up[1:]))
            yield from self._hub_takes(after, device, connection.session_no, connection.up[0], is_late=False)

    def _hub_takes(
        self, world: World, device: int, session_no: int | None, text: str, *, is_late: bool
    ) -> Iterator[Next]:
        key = (id(world.hub), device, session_no, text, world.clock)
        moves = self._once(key, lambda: list(self.hub_hands.receive(world.hub, device, session_no, text, world.now)))
        for move in moves:
            label = f"hub reads {device}{' LATE' if is_late else ''}: {text}"
            yield Next(label, False, self._after_hub(world, device, move, is_late=is_late))

    def _after_hub(self, world: World, device: int, move: HubMove, *, is_late: bool) -> World:
        world = world._replace(hub=self._part(move.hub))
        if move.closes_all:
            return self._all_gone(world)
        if move.is_turned_away:
            return world if is_late else self._push_down(world, device, move.effects)
        if move.session_no is not None:
            world = self._attach(world, device, move.session_no, is_late=is_late)
        return world._replace(outbox=world.outbox + move.effects)

    def _attach(self, world: World, device: int, session_no: int, *, is_late: bool) -> World:
        """hello was taken; should it be one of a dead connection, the hub closes the living one as superseded."""
        if not is_late:
            connection = world.open[device]
            assert connection is not None
            return self._set(world, "open", device, connection._replace(session_no=session_no))
        late = world.late[device]
        if late is not None:
            world = self._set(world, "late", device, late._replace(session_no=session_no))
        if self._is_attached(world, device):
            phone = self._part(self.phone_hands.disconnect(world.phones[device]))
            world = self._set(self._set(world, "open", device, None), "phones", device, phone)
        return world

    def _push_down(self, world: World, device: int, effects: tuple[Effect, ...]) -> World:
        connection = world.open[device]
        assert connection is not None
        texts = tuple(effect.text for effect in effects)
        return self._set(world, "open", device, connection._replace(down=connection.down + texts))

    # --- phones

    def _phone_alone(self, world: World, device: int) -> Iterator[Next]:
        phone, hands, now = world.phones[device], self.phone_hands, world.now
        if world.open[device] is None:
            move = self._once((id(phone), "connect", now), lambda: hands.connect(phone, now))
            yield Next(f"phone {device} connects", False, self._sent(world, device, move, Connection()))
        is_free = phone.in_hand is None and phone.on_air is None
        for job in hands.rules.permitted(phone.session, phone.store) if is_free else ():
            move = self._once((id(phone), "submit", job.ref, now), lambda: hands.submit(phone, job.ref, now))  # noqa: B023
            yield Next(f"phone {device} submits {job.ref}", False, self._moved(world, device, move))
        if phone.in_hand is not None:
            yield self._radio_takes(world, device, phone.in_hand)
        if phone.on_air is not None:
            yield self._result(world, device, phone.on_air, -1, replace(phone, on_air=None))

    def _radio_takes(self, world: World, device: int, ref: JobRef) -> Next:
        phone = self._part(replace(world.phones[device], in_hand=None, on_air=ref))
        counts = dict(world.radio)
        counts[ref.id] = counts.get(ref.id, 0) + 1
        after = self._set(world, "phones", device, phone)._replace(radio=tuple(sorted(counts.items())))
        return Next(f"RADIO of {device} sends {ref}", False, after)

    def _result(self, world: World, device: int, ref: JobRef, code: int, phone: PhonePart) -> Next:
        phone = self._part(phone)
        move = self._once(
            (id(phone), "result", ref, code, world.now),
            lambda: self.phone_hands.result(phone, ref, 0, 1, code, world.now),
        )
        return Next(f"radio of {device} says {code} of {ref}", False, self._moved(world, device, move))

    def _phone_reads(self, world: World, device: int) -> Iterator[Next]:
        connection = world.open[device]
        if connection is None or not connection.down or len(connection.up) >= _PIPE:
            return
        text = connection.down[0]
        read = self._set(world, "open", device, connection._replace(down=connection.down[1:]))
        yield self._phone_takes(read, device, text, refuses=False)
        if world.budget.refusals and '"type":"job"' in text:
            spent = read._replace(budget=read.budget.less("refusals"))
            step = self._phone_takes(spent, device, text, refuses=True)
            yield Next(f"{step.label} (refuses)", True, step.world)

    def _phone_takes(self, world: World, device: int, text: str, *, refuses: bool) -> Next:
        phone, now = world.phones[device], world.now
        move = self._once(
            (id(phone), text, refuses, now),
            lambda: self.phone_hands.receive(phone, text, now, refuses=refuses),
        )
        return Next(f"phone {device} reads: {text}", False, self._moved(world, device, move))

    def _phone_faults(self, world: World, device: int) -> Iterator[Next]:
        yield from self._cuts(world, device)
        budget, phone, hands, now = world.budget, world.phones[device], self.phone_hands, world.now
        if budget.phone_crashes:
            bare = self._gone(world, device, is_delivered=True)
            restarted = self._part(hands.restart(phone, now))
            after = self._set(bare, "phones", device, restarted)
            yield Next(f"PHONE {device} CRASH", True, after._replace(budget=budget.less("phone_crashes")))
        if budget.radio_refusals and phone.in_hand is not None:
            refused = self._result(world, device, phone.in_hand, NO_SERVICE, replace(phone, in_hand=None))
            after = refused.world._replace(budget=budget.less("radio_refusals"))
            yield Next(f"radio of {device} refuses", True, after)
        if budget.inbound:
            move = self._once((id(phone), "inbound", now), lambda: hands.inbound(phone, now))
            after = self._moved(world, device, move)._replace(budget=budget.less("inbound"))
            yield Next(f"SMS to {device}", True, after)
        if budget.ages:
            aged = self._part(hands.age(phone, now))
            if aged is not phone:
                after = self._set(world, "phones", device, aged)
                yield Next(f"phone {device} ages", True, after._replace(budget=budget.less("ages")))
        yield from self._disk_images(world, device)

    def _disk_images(self, world: World, device: int) -> Iterator[Next]:
        image, budget = world.images[device], world.budget
        if not (budget.moved_stores or budget.rollbacks):
            return
        if image is None:
            yield Next(f"image of {device}", True, self._set(world, "images", device, world.phones[device]))
            return
        for name, is_own in (("moved_stores", False), ("rollbacks", True)):
            if getattr(budget, name) and self._is_noticed(world, device, image, is_own=is_own):
                old = replace(image, uuids=world.phones[device].uuids)
                phone = self._part(self.phone_hands.restart(old, world.now, is_own_store=is_own))
                after = self._set(self._gone(world, device, is_delivered=True), "phones", device, phone)
                yield Next(f"PHONE {device} SET BACK ({name})", True, after._replace(budget=budget.less(name)))

    def _is_noticed(self, world: World, device: int, image: PhonePart, *, is_own: bool) -> bool:
        """A phone set back in place is noticed by its connect counter only: when it said hello since. (Set back within
        one connection, nothing can see it: outside the promise.)
        """
        if not is_own or not self.messages or not self.budget.offers:
            return True
        return world.hub.devices[device].connect > image.store.facts().connect

    def _cuts(self, world: World, device: int) -> Iterator[Next]:
        if not world.budget.cuts or world.open[device] is None:
            return
        spent = world._replace(budget=world.budget.less("cuts"))
        yield Next(f"CUT {device}", True, self._gone(spent, device, is_delivered=True))
        yield Next(f"CUT {device}, frames lost", True, self._gone(spent, device, is_delivered=False))

    def _gone(self, world: World, device: int, *, is_delivered: bool) -> World:
        """The phone's connection is gone; what it had sent may still be read."""
        connection = world.open[device]
        if connection is not None and connection.up and is_delivered:
            world = self._set(world, "late", device, Late(connection.session_no, connection.up))
        phone = self._part(self.phone_hands.disconnect(world.phones[device]))
        return self._set(self._set(world, "open", device, None), "phones", device, phone)

    def _moved(self, world: World, device: int, move: Any) -> World:
        return self._sent(world, device, move, world.open[device])

    def _sent(self, world: World, device: int, move: Any, connection: Connection | None) -> World:
        """The phone committed a step; its frames leave, and it may hang up behind them."""
        world = self._set(world, "phones", device, self._part(move.phone))
        if connection is None:
            return world
        world = self._set(world, "open", device, connection._replace(up=connection.up + move.frames))
        return self._gone(world, device, is_delivered=True) if move.is_closed else world

    def _set(self, world: World, name: str, device: int, value: Any) -> World:
        values = getattr(world, name)
        return world._replace(**{name: (*values[:device], value, *values[device + 1 :])})

    # --- promises

    def check(self, world: World) -> None:
        """Promise 2 and 4 in one state; Broken says which lie was told."""
        for message in world.hub.messages:
            sends, job = world.sends(message.job.id), message.job
            if sends > 1:
                raise Broken("two radio sends")
            if sends and message.outcome in ("failed", "cancelled", "expired"):
                raise Broken(f"{message.outcome}, but it was sent")
            if not sends and message.outcome == "sent":
                raise Broken("sent, but it was not")
            if sends and job.state is HubJobState.QUEUED and not world.hub.is_held:
                raise Broken("queued again, but it was sent")
            if self.certain and job.state is HubJobState.UNCERTAIN:
                raise Broken("uncertain for nothing")
        for phone in world.phones:
            self._check_phone(world, phone)

    def _check_phone(self, world: World, phone: PhonePart) -> None:
        if phone.store.facts().connect > self._hellos():
            raise Broken("says hello again and again")
        if self.no_false_gaps:
            gaps = {number for owner, _, number in world.hub.gaps if owner == f"d{phone.name}"}
            if any(number in gaps and uuid in world.hub.stored for uuid, number in phone.told):
                raise Broken("a gap where nothing is missing")

    def _hellos(self) -> int:
        """More connections than these faults can make necessary."""
        budget = self.budget
        lost = budget.cuts + budget.phone_crashes + budget.hub_crashes
        return 6 + lost + 3 * budget.restores + 4 * (budget.moved_stores + budget.rollbacks)

    def is_good(self, world: World) -> bool:
        """Where the world may rest: every message decided, every event stored or shown as a gap."""
        return self._is_decided(world) and all(self._is_told(world, phone) for phone in world.phones)

    def _is_decided(self, world: World) -> bool:
        for message in world.hub.messages:
            state = message.job.state
            if state is HubJobState.QUEUED and not world.budget.offers and not self.ends:
                continue
            if state not in (HubJobState.SETTLED, HubJobState.UNCERTAIN):
                return False
        return True

    def _is_told(self, world: World, phone: PhonePart) -> bool:
        hub, device = world.hub, f"d{phone.name}"
        gaps = {number for owner, _, number in hub.gaps if owner == device}
        return all(uuid in hub.stored or number in gaps for uuid, number in phone.told)


def is_live(phone: PhonePart) -> bool:
    return phone.session.state is SessionState.LIVE
