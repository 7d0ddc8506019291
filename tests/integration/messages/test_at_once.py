"""A text for an idle phone is offered in the transaction that accepts it; whatever needs a second look is left to the dispatcher."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from device_protocol.frames import Go, Job
from hub.core.commands import ByDevice, ByLine, ByName
from hub.core.effects import ToPhone, WakeDispatch
from hub.core.ports import AtHand
from hub.messages.accept import accept
from hub.messages.at_once import OffersAtOnce
from hub.messages.lines import LineBook, Wish
from hub.storage.messages import MessageRow
from hub.storage.schema.accounts import Account
from hub.storage.schema.devices import Device, Line
from hub.storage.schema.messages import Message
from hub.storage.schema.webhooks import WebhookEvent
from tests.integration.messages.world import ACCOUNT, PEER, Phones, World


@pytest.fixture
def phone(world: World) -> str:
    """A phone that is connected here, with room for three offers."""
    device_id = world.phone()
    world.at_hand[device_id] = AtHand(1, 3)
    return device_id


def woken(world: World) -> list[WakeDispatch]:
    return [effect for effect in world.effects if isinstance(effect, WakeDispatch)]


def test_an_idle_phone_is_offered_its_text_with_the_acceptance(world: World, phone: str, phones: Phones) -> None:
    message_id = world.send(PEER)
    (to_phone,) = [effect for effect in world.effects if isinstance(effect, ToPhone)]
    assert (to_phone.device_id, to_phone.session_no) == (phone, 1)
    (job,) = world.frames(Job)
    assert (job.id, job.submission, job.to) == (message_id, 1, PEER)
    assert world.kinds(message_id) == ["offered"]
    assert woken(world) == []
    assert phones.offers(phone) == [], "it is offered already"
    assert phones.accept(phone, job) == [Go(message_id, 1)]


def test_it_leaves_what_an_acceptance_and_an_offer_leave(world: World, phone: str, phones: Phones) -> None:
    world.at_hand.clear()
    apart = world.message(world.send(PEER))
    phones.offers(phone)
    apart = world.message(apart.id)
    world.at_hand[phone] = AtHand(1, 3)
    at_once = world.message(world.send(PEER))
    assert msgspec.structs.replace(at_once, id=apart.id) == apart
    told = [row["data"].replace(at_once.id, apart.id) for row in world.rows(WebhookEvent)]
    assert told[0] == told[1], "the customer is told of the acceptance as it was"
    first, second = world.frames(Job)
    assert msgspec.structs.replace(second, id=first.id) == first


def pause_line(world: World, phone: str) -> None:
    world.change(Line, world.lines(phone)[0], paused_until=world.clock.now() + 1)


def disable_line(world: World, phone: str) -> None:
    world.change(Line, world.lines(phone)[0], is_enabled=False)


def pause_phone(world: World, phone: str) -> None:
    world.change(Device, phone, paused_at=1)


def connect_elsewhere(world: World, phone: str) -> None:
    world.change(Device, phone, session_no=2)


def disconnect(world: World, _phone: str) -> None:
    world.at_hand.clear()


def hold(world: World, _phone: str) -> None:
    world.hold()


def use_up_its_pace(world: World, phone: str) -> None:
    world.change(Line, world.lines(phone)[0], per_minute=1)
    Phones(world).bound(phone, world.send(PEER))


def leave_one_waiting(world: World, phone: str) -> None:
    world.at_hand.clear()
    world.send(PEER)
    world.at_hand[phone] = AtHand(1, 3)


def fill_its_room(world: World, _phone: str) -> None:
    for _ in range(3):
        world.send(PEER)


REASONS = (
    pause_line, disable_line, pause_phone, connect_elsewhere, disconnect, hold, use_up_its_pace, leave_one_waiting, fill_its_room,
)  # fmt: skip


@pytest.mark.parametrize("reason", REASONS, ids=lambda reason: reason.__name__)
def test_it_waits_for_the_dispatcher_when(reason: Callable[[World, str], Any], world: World, phone: str) -> None:
    reason(world, phone)
    world.effects.clear()
    message_id = world.send(PEER, sender=ByLine(world.lines(phone)[0]))
    assert world.message(message_id).offered_at is None
    assert world.frames(Job) == []
    assert [wake.account_id for wake in woken(world)] == [ACCOUNT]


@pytest.mark.parametrize("values", [{"scheduled_at": 60_000}, {"batch_name": "all"}], ids=["later", "in a batch"])
def test_a_text_for_later_and_a_batch_wait(world: World, phone: str, values: dict[str, Any]) -> None:
    if "scheduled_at" in values:
        values = {"scheduled_at": world.clock.now() + values["scheduled_at"]}
    assert world.message(world.send(PEER, **values)).offered_at is None
    assert world.frames(Job) == []


def test_a_text_behind_one_that_may_not_go_stays_behind_it(world: World, phone: str) -> None:
    world.change(Line, world.lines(phone)[0], per_minute=3)
    long, short = world.prepare(PEER, text="x" * 900), world.prepare(PEER, text="x")
    world.run(accept, [short, long, world.prepare(PEER, text="x")])
    assert [job.text for job in world.frames(Job)] == ["x"]


def test_a_batch_offers_as_many_as_there_is_room_for(world: World, phone: str) -> None:
    outcomes = world.run(accept, [world.prepare(PEER) for _ in range(5)])
    accepted = [outcome.value.results[0].message_id for outcome in outcomes]  # type: ignore[union-attr]
    assert [job.id for job in world.frames(Job)] == accepted[:3]
    assert len(woken(world)) == 1


@pytest.mark.parametrize("budget", ["per_minute", "per_hour", "per_day", "per_month"])
def test_what_a_batch_itself_offers_counts(world: World, phone: str, budget: str) -> None:
    world.change(Line, world.lines(phone)[0], **{budget: 1})
    world.run(accept, [world.prepare(PEER), world.prepare(PEER)])
    assert len(world.frames(Job)) == 1


def test_an_open_offer_takes_its_room(world: World, phone: str) -> None:
    world.send(PEER)
    world.run(accept, [world.prepare(PEER) for _ in range(3)])
    assert len(world.frames(Job)) == 3


def test_an_open_offer_counts_against_the_pace(world: World, phone: str) -> None:
    world.change(Line, world.lines(phone)[0], per_minute=2)
    world.send(PEER)
    world.run(accept, [world.prepare(PEER), world.prepare(PEER)])
    assert len(world.frames(Job)) == 2


@pytest.mark.parametrize("budget", ["per_minute", "per_hour", "per_day", "per_month"])
def test_what_was_sent_before_counts_too(world: World, phone: str, phones: Phones, budget: str) -> None:
    world.change(Line, world.lines(phone)[0], **{budget: 2})
    phones.bound(phone, world.send(PEER))
    world.run(accept, [world.prepare(PEER), world.prepare(PEER)])
    assert len(world.frames(Job)) == 2


@pytest.mark.parametrize("budget", ["per_day", "per_month"])
def test_its_day_and_month_begin_where_the_account_is(world: World, phone: str, phones: Phones, budget: str) -> None:
    world.change(Account, ACCOUNT, settings='{"time_zone":"Asia/Tokyo"}')
    world.change(Line, world.lines(phone)[0], **{budget: 1})
    world.clock.now_ms = 1_790_778_600_000  # 2026-09-30T14:30Z, half an hour before October begins there
    phones.bound(phone, world.send(PEER))
    assert world.message(world.send(PEER)).offered_at is None
    world.clock.advance(3600)
    world.change(Message, world.messages()[-1].id, state="cancelled")
    assert world.message(world.send(PEER)).offered_at is not None


def test_each_segment_counts(world: World, phone: str) -> None:
    world.change(Line, world.lines(phone)[0], per_hour=3)
    world.run(accept, [world.prepare(PEER, text="x" * 200) for _ in range(2)])
    assert len(world.frames(Job)) == 1
    world.send(PEER)
    assert len(world.frames(Job)) == 1, "the second one waits before it"


def test_a_text_longer_than_a_budget_is_not_offered(world: World, phone: str) -> None:
    (line,) = world.lines(phone)
    world.change(Line, line, per_hour=1)
    row = world.message(world.send(PEER, text="x" * 200, sender=ByLine(line)))
    assert (row.line_id, row.offered_at) == (line, None)


def test_one_that_waits_for_its_next_try_holds_up_nobody(world: World, phone: str) -> None:
    world.at_hand.clear()
    world.change(Message, world.send(PEER), state="retried", due_at=world.clock.now() + 1)
    world.at_hand[phone] = AtHand(1, 3)
    assert world.message(world.send(PEER)).offered_at is not None


def test_a_line_that_may_not_send_more_holds_up_no_other(world: World) -> None:
    phone = world.phone(sims=2)
    world.at_hand[phone] = AtHand(1, 8)
    first, second = (ByLine(line) for line in world.lines(phone))
    world.change(Line, first.line_id, per_minute=1)
    world.run(accept, [world.prepare(PEER, sender=sender) for sender in (first, first, second, second)])
    assert [job.line.slot for job in world.frames(Job)] == [0, 1, 1]


def offered_now(world: World, row: MessageRow, book: LineBook) -> list[Any]:
    """The jobs that offering this row at once makes."""
    with world.conn.begin():
        return [effect.frame for effect in OffersAtOnce(world.transaction(), book).offer([row])[1]]


def read_lines(world: World, phone: str) -> LineBook:
    with world.conn.begin():
        book = LineBook(world.transaction())
        book.read_for([Wish(ACCOUNT, ByDevice(phone), PEER)])
    return book


@pytest.mark.parametrize(
    ("values", "transport", "jobs"),
    [
        ({}, "native", 1),
        ({"kind": "mms"}, "native", 0),
        ({"peer": "$aes-256-cbc/x$i=1$c2FsdA==$bnVtYmVy"}, "native", 0),
        ({"peer": "$aes-256-cbc/x$i=1$c2FsdA==$bnVtYmVy"}, "smsgate", 1),
        ({"state": "scheduled"}, "native", 0),
    ],
    ids=["plain", "mms", "sealed", "sealed for a phone that decrypts", "later"],
)
def test_of_what_needs_a_second_look_nothing_goes(
    world: World, phone: str, values: dict[str, Any], transport: str, jobs: int
) -> None:
    """Whatever made the row: its line was chosen for it by others."""
    world.change(Device, phone, transport=transport)
    stored = world.message(world.send(PEER, scheduled_at=world.clock.now() + 60_000))
    row = msgspec.structs.replace(stored, **{"state": "queued", **values})
    assert len(offered_now(world, row, read_lines(world, phone))) == jobs


def test_a_phone_that_came_back_after_its_line_was_read_is_offered_nothing(world: World, phone: str) -> None:
    """The job would go out on a connection that is over."""
    stored = world.message(world.send(PEER, scheduled_at=world.clock.now() + 60_000))
    book = read_lines(world, phone)
    world.change(Device, phone, session_no=2)
    row = msgspec.structs.replace(stored, state="queued")
    assert offered_now(world, row, book) == []
    assert row.offered_at is None


def test_a_sender_that_was_not_found_is_told_before_the_offer(world: World, phone: str) -> None:
    message_id = world.send(PEER, sender=ByName("nobody"))
    assert world.kinds(message_id) == ["sender_unknown", "offered"]


@pytest.mark.postgresql
def test_the_phone_cannot_come_back_elsewhere_while_it_is_offered_a_text(world: World, phone: str) -> None:
    """Another hub process that answers its hello would not see the offer, and so not repeat it."""
    if world.db.dialect == "sqlite":
        return  # nobody else writes
    with world.db.write_engine.connect() as other, world.conn.begin():
        accept(world.transaction(), [world.prepare()])
        with pytest.raises(OperationalError), other.begin():
            other.execute(text("select 1 from device where id = :id for update nowait"), {"id": phone})
