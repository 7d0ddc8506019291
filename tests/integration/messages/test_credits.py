"""Credits: charged with the acceptance, refunded once with the failure, and a balance that is always the sum of its ledger."""

import asyncio
from collections import Counter
from random import Random

import pytest

from hub.accounts.credits import SetPrice, TopUp, amount_of, micros_of, set_prices, top_up
from hub.config import Config
from hub.core.errors import Code, HubError
from hub.core.events import EventType, MessageData, decode
from hub.core.ids import IdSource
from hub.core.status import Status
from hub.messages.accept import accept
from hub.messages.cancel import Cancel, cancel
from hub.messages.expire import Timer, TimeUp, time_up
from hub.messages.resend import Replay, Resend, replay, resend
from hub.storage.credits import find_credits
from hub.storage.database import Database
from hub.storage.retention import Retention
from hub.storage.schema.credits import CreditAccount, CreditEntry
from hub.storage.schema.webhooks import WebhookEvent
from tests.databases import PostgresqlDatabases
from tests.fakes import START_MS, FakeClock
from tests.integration.messages.test_promises import TEXTS, Story, history
from tests.integration.messages.world import ACCOUNT, STRANGER, Phones, World

PRICE = 37_500
NULL_PDU, NETWORK = 3, 17


def pay(world: World, texts: int = 10, account_id: str = ACCOUNT) -> None:
    """The account pays from now on, and can pay this many."""
    world.do(set_prices, SetPrice(account_id=account_id, currency="EUR", price_micros=PRICE))
    world.do(top_up, TopUp(id=world.new_id(), account_id=account_id, micros=PRICE * texts))


def balance(world: World, account_id: str = ACCOUNT) -> int:
    """In texts; checked against the ledger on the way."""
    (row,) = [row for row in world.rows(CreditAccount) if row["account_id"] == account_id]
    entries = [row for row in world.rows(CreditEntry) if row["account_id"] == account_id]
    assert row["balance_micros"] == row["settled_micros"] + sum(entry["amount_micros"] for entry in entries)
    assert row["balance_micros"] % PRICE == 0
    return int(row["balance_micros"]) // PRICE


def told(world: World, message_id: str) -> dict[str, bool]:
    """What each event of a text said of a refund."""
    rows = [row for row in world.rows(WebhookEvent) if row["message_id"] == message_id]
    data = {row["type"]: decode(EventType(row["type"]), row["data"]) for row in rows}
    return {type_: one.refunded for type_, one in data.items() if isinstance(one, MessageData)}


def test_M13_without_a_price_nothing_is_charged(world: World) -> None:
    world.phone()
    world.send()
    assert world.rows(CreditEntry) == []


def test_M13_a_text_is_charged_when_it_is_taken_and_only_then(world: World) -> None:
    world.phone()
    pay(world, 3)
    request = world.prepare(idempotency_key="one", request_sha256="x")
    world.do(accept, request)
    world.do(accept, request)
    world.run(accept, [request, request])
    assert balance(world) == 2
    world.send("+491701234501", "+491701234502")
    assert balance(world) == 0
    world.send(account_id=STRANGER)
    for to in (("+491701234503",), ("+491701234504", "+491701234505")):
        assert world.refusal(accept, world.prepare(*to)).code is Code.NO_CREDIT
    assert len(world.messages()) == 4
    assert balance(world) == 0


def test_M13_what_cannot_be_paid_whole_is_refused_whole_and_its_neighbours_are_not(world: World) -> None:
    world.phone()
    pay(world, 2)
    sends = [world.prepare("+491701234501", "+491701234502", "+491701234503"), world.prepare(), world.prepare()]
    outcomes = world.run(accept, [*sends, world.prepare()])
    assert [type(one).__name__ for one in outcomes] == ["Refused", "Done", "Done", "Refused"]
    assert (len(world.messages()), balance(world)) == (2, 0)


def test_M13_a_failed_text_is_refunded_once_and_its_webhook_says_so(world: World, phones: Phones) -> None:
    device = world.phone()
    pay(world)
    message = world.send()
    job = phones.bound(device, message)
    assert balance(world) == 9
    for _ in range(2):
        phones.failed(device, job, NULL_PDU)
    assert Status(world.message(message).state) is Status.FAILED
    assert balance(world) == 10
    assert told(world, message) == {"sms:queued": False, "sms:failed": True}


def test_M13_a_delivered_text_stays_charged(world: World, phones: Phones) -> None:
    device = world.phone()
    pay(world)
    message = world.send()
    job = phones.bound(device, message)
    phones.sent(device, job)
    phones.delivered(device, job)
    phones.failed(device, job, NULL_PDU)
    assert balance(world) == 9
    assert set(told(world, message).values()) == {False}


def test_M13_what_the_network_gave_up_is_refunded_and_what_may_have_been_sent_is_not(
    world: World, phones: Phones
) -> None:
    device = world.phone()
    pay(world)
    given_up, unknown = world.send(), world.send("+491701234502")
    job = phones.bound(device, given_up)
    phones.sent(device, job)
    phones.delivered(device, job, tp_status=0x40)
    assert world.message(given_up).state == "undelivered"
    phones.bound(device, unknown)
    world.clock.advance(10 * 86_400)
    timers: tuple[Timer, ...] = ("overdue", "outcome_unknown")
    for timer in timers:
        world.clock.advance(10 * 86_400)
        world.do(time_up, TimeUp(account_id=ACCOUNT, message_id=unknown, timer=timer))
    assert (world.message(unknown).state, world.message(unknown).reason) == ("failed", "outcome_unknown")
    assert told(world, unknown)["sms:failed"] is False
    assert balance(world) == 9
    assert told(world, given_up)["sms:undelivered"] is True


def test_M13_a_dead_letter_gives_its_price_back_and_pays_again_when_it_is_replayed(
    world: World, phones: Phones
) -> None:
    device = world.phone()
    pay(world, 1)
    message = world.send()
    for _ in range(2):
        assert balance(world) == 0
        use_up_the_tries(world, phones, device, message)
        assert balance(world) == 1
        world.do(replay, Replay(account_id=ACCOUNT, message_id=message))
    use_up_the_tries(world, phones, device, message)
    world.send()
    assert world.refusal(replay, Replay(account_id=ACCOUNT, message_id=message)).code is Code.NO_CREDIT
    assert (world.message(message).state, balance(world)) == ("dead_letter", 0)


def use_up_the_tries(world: World, phones: Phones, device: str, message: str) -> None:
    """The network refuses it until it is a dead letter."""
    while world.message(message).state != "dead_letter":
        phones.failed(device, phones.bound(device, message), NETWORK)
        world.clock.advance(3600)


def test_M13_a_cancelled_text_is_refunded_and_sending_it_again_costs_again(world: World) -> None:
    world.phone()
    pay(world, 1)
    message = world.send()
    for _ in range(2):
        world.run(cancel, [Cancel(account_id=ACCOUNT, message_id=message)] * 2)
    assert balance(world) == 1
    world.do(resend, Resend(account_id=ACCOUNT, message_id=message, new_id=world.new_id()))
    assert balance(world) == 0
    again = Resend(account_id=ACCOUNT, message_id=message, new_id=world.new_id())
    assert world.refusal(resend, again).code is Code.NO_CREDIT


def test_texts_for_a_sandbox_phone_cost_nothing(world: World) -> None:
    world.phone(is_sandbox=True)
    pay(world, 0)
    world.send()
    assert balance(world) == 0


def test_switched_off_it_charges_nothing_more_and_still_refunds(world: World) -> None:
    world.phone()
    pay(world, 1)
    message = world.send()
    world.do(set_prices, SetPrice(account_id=ACCOUNT, currency="EUR", price_micros=PRICE, is_on=False))
    world.send()
    world.do(cancel, Cancel(account_id=ACCOUNT, message_id=message))
    assert balance(world) == 1


@pytest.mark.parametrize(("written", "micros"), [("0.0375", 37_500), ("-20", -20_000_000), ("100", 100_000_000)])
def test_amounts_are_exact(written: str, micros: int) -> None:
    assert micros_of(written, "amount") == micros
    assert amount_of(micros) == float(written)


@pytest.mark.parametrize("written", ["", "much", "0.0000001", "NaN", "Infinity", "1e99", "1234567890", "+1", "١"])
def test_what_is_no_amount_is_refused(written: str) -> None:
    with pytest.raises(HubError, match="amount"):
        micros_of(written, "amount")


@pytest.mark.anyio
async def test_what_retention_sweeps_stays_in_the_balance(world: World) -> None:
    world.phone()
    pay(world, 3)
    ended, open_ = world.send(), world.send("+491701234502")
    world.do(cancel, Cancel(account_id=ACCOUNT, message_id=ended))
    world.clock.advance(400 * 86_400)
    await Retention(world.db, Config()).sweep_all()
    assert [(row["kind"], row["message_id"]) for row in world.rows(CreditEntry)] == [("charge", open_)]
    assert balance(world) == 2
    world.do(cancel, Cancel(account_id=ACCOUNT, message_id=open_))
    assert balance(world) == 3


class PaidStory(Story):
    """A history of an account that pays."""

    def __init__(self, database: Database, clock: FakeClock) -> None:
        super().__init__(database, clock)
        for number in range(TEXTS):
            self.cancel(number)
        pay(self.world, 100)
        self.texts = [self.world.send(f"+4917000001{number:02d}", ttl_seconds=300) for number in range(TEXTS)]

    def check(self) -> None:
        super().check()
        if self.world.rows(CreditAccount):
            self.check_the_books()

    def check_the_books(self) -> None:
        """Each text has cost its price, or nothing when it failed for sure; and the balance is what is left."""
        kinds = Counter((row["message_id"], row["kind"]) for row in self.world.rows(CreditEntry))
        charged = 0
        for row in self.world.messages():
            if row.id in self.texts:
                is_back = row.state in GIVEN_BACK and row.reason != "outcome_unknown"
                assert (kinds[row.id, "charge"], kinds[row.id, "refund"]) == (1, int(is_back)), row.state
                charged += not is_back
        assert balance(self.world) == 100 - charged


GIVEN_BACK = ("failed", "undelivered", "expired", "cancelled", "dead_letter")


def test_M13_no_order_of_events_makes_a_balance_drift(db: Database, clock: FakeClock) -> None:
    random = Random("credits")
    for _ in range(16 if db.dialect == "sqlite" else 3):
        clock.now_ms = START_MS
        story = PaidStory(db, clock)
        try:
            story.run(history(random))
            story.settle_down()
            story.check()
        finally:
            story.world.conn.close()


@pytest.mark.anyio
async def test_M13_two_hubs_charge_and_refund_once(
    clock: FakeClock, ids: IdSource, postgresql_databases: PostgresqlDatabases
) -> None:
    url = postgresql_databases.create()
    hubs = [Database.open(url, clock=clock, ids=ids, reader_threads=1) for _ in range(2)]
    world = World(hubs[0], clock, ids)
    try:
        world.phone()
        pay(world, 5)
        sends = [world.prepare(f"+4917012345{n:02d}") for n in range(12)]
        taken = await asyncio.gather(
            *(hubs[n % 2].writer.submit(accept, one, f"n:{n}") for n, one in enumerate(sends)), return_exceptions=True
        )
        assert sum(isinstance(one, HubError) and one.code is Code.NO_CREDIT for one in taken) == 7
        assert balance(world) == 0
        stops = [Cancel(account_id=ACCOUNT, message_id=row.id) for row in world.messages()]
        await asyncio.gather(*(hub.writer.submit(cancel, stop, *stop.keys()) for hub in hubs for stop in stops))
        assert balance(world) == 5
    finally:
        world.conn.close()
        for hub in hubs:
            hub.close()
        postgresql_databases.drop(url)


def test_find_credits_is_scoped(world: World) -> None:
    pay(world, 1)
    with world.conn.begin():
        assert find_credits(world.conn, STRANGER) is None
