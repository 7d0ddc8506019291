"""What a hello settles about texts: bound, released, doubted, adopted, offered again."""

import pytest

from device_protocol.frames import Accepted, Cancel, Drop, Go, HeldJob, Job, JobRef, JobState
from device_protocol.handover import HandoverRules, Phone
from device_protocol.states import HubJobState
from hub.core.commands import ByLine
from hub.core.effects import ToPhone, WakeDispatch
from hub.messages.cancel import Cancel as CancelText
from hub.messages.cancel import cancel
from hub.messages.dispatch import Retract, retract
from hub.messages.handover import Settlement, Wanted, jobs_of, settle
from hub.storage.schema.devices import Device, Line
from tests.integration.messages.world import ACCOUNT, PEER, STRANGER, Phones, World

RULES = HandoverRules()
ACCEPTED, SUBMITTING, SENT, PARTIAL = JobState.ACCEPTED, JobState.SUBMITTING, JobState.SENT, JobState.PARTIAL


def hello(
    world: World, device_id: str, *listed: HeldJob, is_held: bool = False, has_news: bool = False
) -> list[object]:
    """A hello under the next number; the frames that follow the welcome, and the offers made again."""
    number = next(row["session_no"] for row in world.rows(Device) if row["id"] == device_id) + 1
    world.change(Device, device_id, session_no=number)
    with world.conn.begin():
        tx = world.db.transaction(world.conn)
        jobs = jobs_of(tx, [Wanted(ACCOUNT, device_id, frozenset(job.id for job in listed))])[device_id]
        greeting = RULES.greet(Phone(device_id, is_held=is_held, has_news=has_news), listed, jobs)
        decision = greeting.decision
        effects = settle(tx, Settlement(ACCOUNT, device_id, number, decision.verdicts, decision.offer_again))
    world.effects.extend(effects)
    again = [effect for effect in effects if isinstance(effect, ToPhone)]
    assert all((effect.device_id, effect.session_no) == (device_id, number) for effect in again)
    assert WakeDispatch(ACCOUNT) in effects
    return [*decision.frames, *(effect.frame for effect in again)]


def test_jobs_are_those_offered_and_bound_here_and_those_that_are_listed(world: World, phones: Phones) -> None:
    phone, other = world.phone("one"), world.phone("two")
    line, elsewhere = world.lines(phone)[0], world.lines(other)[0]
    bound, offered = world.send(PEER, sender=ByLine(line)), world.send(PEER, sender=ByLine(line))
    phones.bound(phone, bound)
    phones.offers(phone)
    foreign, waiting = world.send(PEER, sender=ByLine(elsewhere)), world.send(PEER, sender=ByLine(elsewhere))
    with world.conn.begin():
        tx = world.db.transaction(world.conn)
        jobs = jobs_of(tx, [Wanted(ACCOUNT, phone, frozenset({foreign, "unknown"}))])[phone]
        strangers = jobs_of(tx, [Wanted(STRANGER, phone, frozenset({bound}))])[phone]
    assert {id_: job.state for id_, job in jobs.items()} == {
        bound: HubJobState.BOUND,
        offered: HubJobState.OFFERED,
        foreign: HubJobState.QUEUED,
    }
    assert waiting not in jobs
    assert strangers == {}


def test_a_job_stored_before_the_cut_is_bound_by_the_hello_and_may_go(world: World, phones: Phones) -> None:
    phone = world.phone()
    message_id = world.send(PEER)
    phones.offers(phone)
    assert hello(world, phone, HeldJob(message_id, 1, ACCEPTED)) == [Go(message_id, 1)]
    assert world.message(message_id).state == "dispatched"
    assert world.kinds(message_id) == ["offered", "bound"]


def test_a_bound_job_is_told_go_again_or_cancel_when_one_is_open(world: World, phones: Phones) -> None:
    phone = world.phone()
    message_id = world.send(PEER)
    phones.bound(phone, message_id)
    held = HeldJob(message_id, 1, ACCEPTED)
    assert hello(world, phone, held) == [Go(message_id, 1)]
    world.do(cancel, CancelText(account_id=ACCOUNT, message_id=message_id))
    assert hello(world, phone, held) == [Cancel(message_id, 1)]


def test_a_bound_job_that_is_not_listed_becomes_uncertain(world: World, phones: Phones) -> None:
    phone = world.phone()
    message_id = world.send(PEER)
    phones.bound(phone, message_id)
    assert hello(world, phone) == []
    row = world.message(message_id)
    assert (row.state, row.reason) == ("uncertain", "not_listed")
    assert world.events(message_id)[-1] == "sms:uncertain"


def test_an_offer_the_cut_lost_is_made_again_with_the_same_submission(world: World, phones: Phones) -> None:
    phone = world.phone()
    message_id = world.send(PEER)
    (first,) = phones.offers(phone)
    world.clock.advance(10)
    (again,) = hello(world, phone)
    assert isinstance(again, Job)
    assert (again.id, again.submission) == (message_id, first.submission)
    row = world.message(message_id)
    assert (row.offered_at, row.submission) == (world.clock.now(), 1)
    assert phones.answer(phone, Accepted(message_id, 1), session_no=2) == [Go(message_id, 1)]


def test_a_job_that_moved_on_is_not_bound_by_the_hello(world: World, phones: Phones) -> None:
    phone, other = world.phone("one"), world.phone("two", is_online=False, last_seen_at=0)
    message_id = world.send(PEER)
    phones.offers(phone)
    world.change(Device, other, is_online=True)
    world.clock.advance(15)
    world.do(
        retract,
        Retract(account_id=ACCOUNT, message_id=message_id, offered_before=world.clock.now() - 15_000, is_deaf=True),
    )
    phones.offers(other)
    assert hello(world, phone, HeldJob(message_id, 1, ACCEPTED)) == []
    row = world.message(message_id)
    assert (row.device_id, row.submission, row.state) == (other, 2, "queued")


@pytest.mark.parametrize(("told", "state"), [(SUBMITTING, "uncertain"), (PARTIAL, "uncertain"), (SENT, "sent")])
def test_what_reached_the_radio_is_adopted_whatever_submission_the_hub_remembers(
    world: World, phones: Phones, told: JobState, state: str
) -> None:
    phone = world.phone()
    message_id = world.send(PEER)
    phones.offers(phone)
    assert hello(world, phone, HeldJob(message_id, 9, told)) == []
    row = world.message(message_id)
    assert (row.state, row.submission, row.device_id) == (state, 9, phone)
    assert phones.offers(phone, session_no=2) == []


def test_in_the_hold_of_a_restored_hub_a_hello_binds_nothing(world: World, phones: Phones) -> None:
    phone = world.phone()
    message_id = world.send(PEER)
    phones.offers(phone)
    world.hold()
    assert hello(world, phone, HeldJob(message_id, 1, ACCEPTED), is_held=True) == []
    assert world.message(message_id).state == "queued"
    assert hello(world, phone, HeldJob(message_id, 1, SENT), is_held=True, has_news=True) == []
    assert world.message(message_id).state == "sent"


def test_the_same_text_is_never_bound_twice_by_accepted_and_hello(world: World, phones: Phones) -> None:
    phone = world.phone()
    message_id = world.send(PEER)
    (job,) = phones.offers(phone)
    phones.accept(phone, job)
    hello(world, phone, HeldJob(message_id, 1, ACCEPTED))
    phones.accept(phone, job, session_no=2)
    assert world.kinds(message_id).count("bound") == 1


# --- cancel, accepted and go in every order


def test_cancel_before_accepted_wins(world: World, phones: Phones) -> None:
    phone = world.phone()
    message_id = world.send(PEER)
    (job,) = phones.offers(phone)
    world.do(cancel, CancelText(account_id=ACCOUNT, message_id=message_id))
    assert phones.accept(phone, job) == [Drop(message_id, 1)]
    assert hello(world, phone, HeldJob(message_id, 1, ACCEPTED)) == []
    assert world.message(message_id).state == "cancelled"


def test_cancel_between_accepted_and_go_asks_the_phone(world: World, phones: Phones) -> None:
    phone = world.phone()
    message_id = world.send(PEER)
    job = phones.bound(phone, message_id)
    before = len(world.frames(Cancel))
    world.do(cancel, CancelText(account_id=ACCOUNT, message_id=message_id))
    assert world.frames(Cancel)[before:] == [Cancel(message_id, 1)]
    assert world.message(message_id).state == "dispatched"
    phones.sent(phone, job)
    assert world.message(message_id).state == "sent", "the phone had gone ahead"


def test_a_text_offered_again_by_a_removed_line_is_not_sent_to_the_phone(world: World, phones: Phones) -> None:
    phone = world.phone()
    world.send(PEER)
    phones.offers(phone)
    world.change(Line, world.lines(phone)[0], device_id=None)
    assert hello(world, phone) == []
    with world.conn.begin():
        settle(world.db.transaction(world.conn), Settlement(ACCOUNT, phone, 9, (), (JobRef("unknown", 1),)))
