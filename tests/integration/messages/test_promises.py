"""Whatever happens in whatever order: one text, one radio send; a status that never lies; a timeline that explains it.

Random histories drive two phones (`simulated_phone`) and the hub's use cases through any interleaving of offers, answers, cuts,
reports that come late or twice, cancels, offers taken back and moved, and time. After each history everybody connects and
everything pending is delivered; then every text must have ended in a state that agrees with the radios' log.
"""

import itertools
from random import Random
from typing import Any

import pytest
from sqlalchemy import delete, update

from device_protocol.frames import HubFrame
from device_protocol.handover import HandoverRules, Phone
from hub.core.effects import Effect, ToPhone
from hub.core.ids import IdSource
from hub.core.status import MOVES, SETTLED, Status
from hub.messages.answers import PhoneAnswer, take_answers
from hub.messages.cancel import Cancel, cancel
from hub.messages.dispatch import OfferTo, Retract, offer, retract
from hub.messages.expire import TimeUp, time_up
from hub.messages.handover import Settlement, Wanted, jobs_of, settle
from hub.messages.report import PhoneReport, apply_reports
from hub.messages.routes import Reroute, reroute
from hub.storage.database import Database
from hub.storage.messages import Hop, hops_of
from hub.storage.schema import METADATA
from hub.storage.schema.devices import Device
from hub.storage.types import table_of
from tests.fakes import START_MS, FakeClock, seeded_bytes
from tests.integration.messages.simulated_phone import SimulatedPhone
from tests.integration.messages.world import ACCOUNT, World

TEXTS = 3
NEVER_ON_AIR = {"cancelled", "expired", "dead_letter"}
RULES = HandoverRules()

HISTORIES = 240
ENDINGS = ("sent", "sent", "refused", "interrupted")
WEIGHTS = {
    # Most of the way in one step, so that the faults below fall into every window of the handover.
    "hand_over": 9,
    "hear": 2,
    "speak": 2,
    "late": 2,
    "radio": 3,
    "report": 3,
    "cut": 1,
    "connect": 3,
    "lose_store": 1,
    "cancel": 3,
    "give_up": 3,
    "move": 1,
    "wait": 2,
    "timers": 3,
}


def history(random: Random) -> list[tuple[Any, ...]]:
    """Up to 40 steps. Weighted by hand: a fair mix of all steps never gets past the first offer."""
    names = random.choices(list(WEIGHTS), list(WEIGHTS.values()), k=random.randint(5, 40))
    return [(name, *arguments(name, random)) for name in names]


def arguments(name: str, random: Random) -> tuple[Any, ...]:
    phone, text = random.randrange(2), random.randrange(TEXTS)
    match name:
        case "hand_over":
            return phone, random.randint(1, 6), random.choice(ENDINGS)
        case "radio":
            return phone, random.choice(ENDINGS)
        case "report":
            return phone, random.random() < 0.3
        case "cancel" | "give_up" | "move" | "timers":
            return (text,)
        case "wait":
            return (random.choice([1, 20, 90, 400, 400]),)
        case _:
            return (phone,)


class Story:
    """Two phones, three texts, and the hub between them."""

    def __init__(self, database: Database, clock: FakeClock) -> None:
        with database.write_engine.begin() as conn:
            for table in reversed(METADATA.sorted_tables):
                conn.execute(delete(table))
        self.world = World(database, clock, IdSource(clock.now(), seeded_bytes(3).randbytes))
        if database.dialect == "sqlite":
            driver: Any = self.world.conn.connection.driver_connection
            driver.execute("pragma synchronous = off")
        self.air: list[str] = []
        self.phones = [SimulatedPhone(self.world.phone(name, session_no=0), self.air) for name in ("one", "two")]
        self.texts = [self.world.send(f"+4917000000{number:02d}", ttl_seconds=300) for number in range(TEXTS)]
        for number in range(2):
            self.connect(number)

    def run(self, steps: list[tuple[Any, ...]]) -> None:
        for name, *parts in steps:
            getattr(self, name)(*parts)

    def settle_down(self) -> None:
        """Nothing is lost any more, and enough time passes for every timer."""
        for _ in range(4):
            for number in range(2):
                self.connect(number)
                self._talk(number)
            self.wait(1000)
            for number in range(TEXTS):
                self.timers(number)
                self.take_back(number)

    def _talk(self, number: int) -> None:
        for _ in range(3):
            self.offer(number)
            self.hear(number)
            self.speak(number)
            self.radio(number, "sent")
            while self.phones[number].reports:
                self.report(number, False)

    # --- steps

    def hand_over(self, number: int, length: int, ending: str) -> None:
        """The first `length` steps of: job, stored, accepted, go, radio, report."""
        steps = (
            lambda: self.offer(number),
            lambda: self.hear(number),
            lambda: self.speak(number),
            lambda: self.hear(number),
            lambda: self.radio(number, ending),
            lambda: self.report(number, False),
        )
        for step in steps[:length]:
            step()

    def give_up(self, number: int) -> None:
        """An offer that nobody answered in time is taken back."""
        self.wait(20)
        self.take_back(number)

    def lose_store(self, number: int) -> None:
        """The app's data is wiped; the radio's log is not. What was at the radio is then nowhere but in the air."""
        phone = self.phones[number]
        phone.jobs.clear()
        phone.reports.clear()
        phone.cut()

    def offer(self, number: int) -> None:
        phone = self.phones[number]
        self._do(
            offer, OfferTo(account_id=ACCOUNT, device_id=phone.device_id, session_no=phone.session_no, most_open=2)
        )

    def hear(self, number: int) -> None:
        while self.phones[number].from_hub:
            self.phones[number].hear()

    def speak(self, number: int) -> None:
        phone = self.phones[number]
        while phone.to_hub:
            self._answer(phone, phone.session_no, phone.to_hub.pop(0))

    def late(self, number: int) -> None:
        """The hub reads a frame that an older connection still held."""
        phone = self.phones[number]
        if phone.late:
            self._answer(phone, *phone.late.pop(0))

    def _answer(self, phone: SimulatedPhone, session_no: int, frame: Any) -> None:
        command = PhoneAnswer(account_id=ACCOUNT, device_id=phone.device_id, session_no=session_no, frame=frame)
        self._do(take_answers, command)

    def radio(self, number: int, ending: str) -> None:
        self.phones[number].use_radio(ending)

    def report(self, number: int, is_ack_lost: bool) -> None:
        """The oldest report reaches the hub; when the acknowledgement is lost it comes again."""
        phone = self.phones[number]
        if not phone.reports:
            return
        payload = phone.reports[0]
        given = PhoneReport(
            account_id=ACCOUNT, device_id=phone.device_id, event_uuid="u", at=self.world.clock.now(), payload=payload
        )
        with self.world.conn.begin():
            (applied,) = apply_reports(self.world.db.transaction(self.world.conn), [given])
        self._deliver(applied.effects)
        if not is_ack_lost:
            phone.acknowledged(payload)

    def cut(self, number: int) -> None:
        self.phones[number].cut()

    def connect(self, number: int) -> None:
        """Hello and welcome, as the hub's connect transaction does it."""
        phone = self.phones[number]
        listed = phone.hello()
        phone.session_no += 1
        with self.world.conn.begin():
            tx = self.world.db.transaction(self.world.conn)
            device = table_of(Device)
            raised = update(device).where(device.c.id == phone.device_id).values(session_no=phone.session_no)
            self.world.conn.execute(raised)
            wanted = Wanted(ACCOUNT, phone.device_id, frozenset(job.id for job in listed))
            jobs = jobs_of(tx, [wanted])[phone.device_id]
            greeting = RULES.greet(Phone(phone.device_id), listed, jobs)
            decision = greeting.decision
            settlement = Settlement(ACCOUNT, phone.device_id, phone.session_no, decision.verdicts, decision.offer_again)
            effects = settle(tx, settlement)
        dropped = {(ref.id, ref.submission) for ref in greeting.drop}
        for id_, job in list(phone.jobs.items()):
            if (id_, job.submission) in dropped and job.state.value == "accepted":
                del phone.jobs[id_]
        phone.from_hub += decision.frames
        self._deliver(effects)

    def cancel(self, number: int) -> None:
        self._do(cancel, Cancel(account_id=ACCOUNT, message_id=self.texts[number]))

    def take_back(self, number: int) -> None:
        before = self.world.clock.now() - 15_000
        command = Retract(account_id=ACCOUNT, message_id=self.texts[number], offered_before=before, is_deaf=True)
        self._do(retract, command)

    def move(self, number: int) -> None:
        self._do(reroute, Reroute(account_id=ACCOUNT, message_id=self.texts[number]))

    def wait(self, seconds: int) -> None:
        self.world.clock.advance(seconds)

    def timers(self, number: int) -> None:
        for timer in ("time_over", "overdue", "outcome_unknown"):
            command = TimeUp(account_id=ACCOUNT, message_id=self.texts[number], timer=timer, uncertain_seconds=3000)
            self._do(time_up, command)

    # --- carrying things

    def _do(self, use_case: Any, command: Any) -> None:
        for outcome in self.world.run(use_case, [command]):
            self._deliver(getattr(outcome, "effects", ()))
        self.check()

    def _deliver(self, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            if isinstance(effect, ToPhone):
                phone = next(phone for phone in self.phones if phone.device_id == effect.device_id)
                if phone.is_connected and phone.session_no == effect.session_no:
                    frame: HubFrame = effect.frame  # type: ignore[assignment]
                    phone.from_hub.append(frame)

    # --- what must hold

    def check(self) -> None:
        assert len(self.air) == len(set(self.air)), f"sent twice: {self.air}"
        for row in self.world.messages():
            if row.state in NEVER_ON_AIR or (row.state == "failed" and row.reason != "outcome_unknown"):
                assert row.id not in self.air, f"{row.state} ({row.reason}), and yet it was sent"
            if row.state in ("sent", "delivered"):
                assert row.id in self.air

    def check_the_end(self) -> None:
        self.check()
        for row in self.world.messages():
            assert Status(row.state) in SETTLED | {Status.SENT}, f"{row.state}: {self.world.kinds(row.id)}"
            check_timeline(self.hops(row.id), row.state)
            check_events(self.world.events(row.id), row.state)

    def hops(self, message_id: str) -> list[Hop]:
        with self.world.conn.begin():
            return hops_of(self.world.conn, ACCOUNT, message_id, 10_000)


def check_timeline(hops: list[Hop], state: str) -> None:
    """The applied moves lead from `queued` to the state in steps of the table, and no submission was bound twice."""
    at = Status.QUEUED
    bound: list[object] = []
    for hop in hops:
        if hop.to_state is None or hop.from_state is None:
            continue
        assert hop.is_applied
        assert hop.from_state == at, f"{hop.kind}: from {hop.from_state}, but it was {at}"
        at = Status(hop.to_state)
        if hop.kind == "bound":
            bound.append(hop.data)
    assert at == state
    assert len(bound) == len(set(bound))


def check_events(events: list[str], state: str) -> None:
    """Customers heard of each status once, in an order the table allows, and last of the present one."""
    heard = [Status(event.removeprefix("sms:")) for event in events]
    assert len(heard) == len(set(heard))
    if Status(state) in SETTLED | {Status.SENT, Status.UNCERTAIN}:
        assert heard[-1] == state
    for before, after in itertools.pairwise(heard):
        assert before not in SETTLED
        assert before is not Status.SENT or after in MOVES[Status.SENT]


@pytest.mark.parametrize("seed", range(3))
def test_no_order_of_events_breaks_a_promise(db: Database, clock: FakeClock, seed: int) -> None:
    random = Random(seed)
    for _ in range(HISTORIES // 3 if db.dialect == "sqlite" else 10):
        steps = history(random)
        clock.now_ms = START_MS
        story = Story(db, clock)
        try:
            story.run(steps)
            story.settle_down()
            story.check_the_end()
        except AssertionError as error:
            raise AssertionError(f"{error}\nafter {steps}") from error
        finally:
            story.world.conn.close()
