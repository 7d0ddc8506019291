"""Time: release, expiry, doubt, and keys that are forgotten; and the cancel that competes with them."""

import pytest

from hub.core.errors import Code
from hub.messages.accept import accept
from hub.messages.batches import ChangeBatch, change_batch
from hub.messages.cancel import Cancel, cancel
from hub.messages.expire import Timer, TimeUp, time_up
from hub.messages.idempotency import forget_old_keys
from hub.messages.resend import Resend, resend
from hub.storage.facts import forget_fact
from hub.storage.messages_queue import (
    cancels_waiting,
    expired_until,
    offers_until,
    overdue_until,
    scheduled_until,
    uncertain_until,
)
from hub.storage.schema.accounts import Idempotency
from hub.storage.schema.messages import Message
from tests.integration.messages.world import ACCOUNT, PEER, STRANGER, Phones, World


def up(world: World, message_id: str, timer: Timer) -> bool:
    changed: bool = world.do(time_up, TimeUp(account_id=ACCOUNT, message_id=message_id, timer=timer))
    return changed


def end_hold(world: World) -> None:
    with world.conn.begin():
        forget_fact(world.conn, "hold")


def test_a_scheduled_text_is_released_at_its_time_and_announced(world: World, phones: Phones) -> None:
    phone = world.phone()
    at = world.clock.now() + 60_000
    message_id = world.send(PEER, scheduled_at=at)
    assert phones.offers(phone) == []
    assert not up(world, message_id, "release")
    world.clock.now_ms = at
    assert up(world, message_id, "release")
    assert not up(world, message_id, "release")
    assert world.kinds(message_id) == ["released"]
    assert world.events(message_id) == ["sms:queued"]
    assert len(phones.offers(phone)) == 1


def test_a_scheduled_text_of_a_paused_batch_is_released_and_waits(world: World, phones: Phones) -> None:
    phone = world.phone()
    at = world.clock.now() + 60_000
    accepted = world.do(accept, world.prepare(PEER, scheduled_at=at, batch_name="b"))
    batch = accepted.batch_id or ""
    world.do(change_batch, ChangeBatch(account_id=ACCOUNT, batch_id=batch, action="pause"))
    world.clock.now_ms = at
    assert up(world, accepted.results[0].message_id or "", "release")
    assert phones.offers(phone) == []
    world.do(change_batch, ChangeBatch(account_id=ACCOUNT, batch_id=batch, action="resume"))
    assert len(phones.offers(phone)) == 1


@pytest.mark.parametrize("is_offered", [False, True])
def test_unbound_and_over_is_expired(world: World, phones: Phones, is_offered: bool) -> None:
    phone = world.phone()
    message_id = world.send(PEER, ttl_seconds=60)
    if is_offered:
        assert len(phones.offers(phone)) == 1
    world.clock.advance(59.9)
    assert not up(world, message_id, "time_over")
    world.clock.advance(0.1)
    assert up(world, message_id, "time_over")
    row = world.message(message_id)
    assert (row.state, row.reason, row.offered_at) == ("expired", "time_over", None)
    assert world.events(message_id) == ["sms:queued", "sms:expired"]


def test_bound_and_over_is_the_phones_until_a_minute_later_and_then_uncertain(world: World, phones: Phones) -> None:
    phone = world.phone()
    message_id = world.send(PEER, ttl_seconds=60)
    job = phones.bound(phone, message_id)
    world.clock.advance(60)
    assert not up(world, message_id, "time_over")
    world.clock.advance(59.9)
    assert not up(world, message_id, "overdue")
    world.clock.advance(0.1)
    assert up(world, message_id, "overdue")
    assert world.message(message_id).state == "uncertain"
    phones.sent(phone, job)
    assert world.message(message_id).state == "sent"


def test_seven_days_of_doubt_end_as_failed_which_may_have_been_sent(world: World, phones: Phones) -> None:
    phone = world.phone()
    message_id = world.send(PEER, ttl_seconds=60)
    phones.bound(phone, message_id)
    world.clock.advance(120)
    up(world, message_id, "overdue")
    world.clock.advance(7 * 86_400 - 1)
    assert not up(world, message_id, "outcome_unknown")
    world.clock.advance(1)
    assert up(world, message_id, "outcome_unknown")
    row = world.message(message_id)
    assert (row.state, row.reason) == ("failed", "outcome_unknown")
    assert phones.offers(phone) == []


def test_nothing_unbound_expires_while_a_restored_hub_holds(world: World) -> None:
    world.phone()
    message_id = world.send(PEER, ttl_seconds=60)
    world.hold()
    world.clock.advance(61)
    assert not up(world, message_id, "time_over")
    assert world.kinds(message_id) == []
    end_hold(world)
    assert up(world, message_id, "time_over")


def test_a_cancel_in_the_hold_is_noted_and_carried_out_after_it(world: World) -> None:
    world.phone()
    message_id = world.send(PEER)
    world.hold()
    result = world.do(cancel, Cancel(account_id=ACCOUNT, message_id=message_id))
    assert (result.state, result.is_final) == ("queued", False)
    assert not up(world, message_id, "cancel_after_hold")
    with world.conn.begin():
        assert cancels_waiting(world.conn, 10) == [(ACCOUNT, message_id)]
    end_hold(world)
    assert up(world, message_id, "cancel_after_hold")
    assert world.message(message_id).state == "cancelled"


def test_the_timers_find_exactly_their_texts(world: World, phones: Phones) -> None:
    phone = world.phone()
    now = world.clock.now()
    waiting = world.send(PEER, ttl_seconds=60)
    later = world.send(PEER, scheduled_at=now + 50_000, ttl_seconds=600)
    bound, offered = world.send(PEER, ttl_seconds=60), world.send(PEER, ttl_seconds=600)
    phones.bound(phone, bound)
    phones.offers(phone)
    doubtful = world.send(PEER, ttl_seconds=600)
    world.change(Message, doubtful, state="uncertain", uncertain_at=now)
    world.clock.advance(60)
    until = world.clock.now()
    with world.conn.begin():
        conn = world.conn
        assert [due.message_id for due in expired_until(conn, until, 9)] == [waiting]
        assert [due.message_id for due in overdue_until(conn, until, 9)] == [bound]
        assert [due.message_id for due in scheduled_until(conn, until, 9)] == [later]
        assert {due.message_id for due in offers_until(conn, until, 9)} == {waiting, offered}
        assert [due.message_id for due in uncertain_until(conn, until, 9)] == [doubtful]
        assert expired_until(conn, now, 9) == []


# --- cancel


def test_a_waiting_or_scheduled_text_is_cancelled_at_once(world: World) -> None:
    world.phone()
    for values in ({}, {"scheduled_at": world.clock.now() + 60_000}):
        message_id = world.send(PEER, **values)
        result = world.do(cancel, Cancel(account_id=ACCOUNT, message_id=message_id, by="operator"))
        assert (result.state, result.is_final) == ("cancelled", True)
        assert world.do(cancel, Cancel(account_id=ACCOUNT, message_id=message_id)).is_final
        assert world.kinds(message_id) == ["cancelled", "-cancel_asked"]
        assert world.events(message_id)[-1] == "sms:cancelled"


def test_a_text_that_was_sent_cannot_be_cancelled(world: World, phones: Phones) -> None:
    phone = world.phone()
    message_id = world.send(PEER)
    phones.sent(phone, phones.bound(phone, message_id))
    assert world.refusal(cancel, Cancel(account_id=ACCOUNT, message_id=message_id)).code == Code.CANCEL_TOO_LATE


def test_foreign_and_unknown_texts_are_not_found(world: World) -> None:
    world.phone()
    message_id = world.send(PEER)
    for account_id, id_ in ((STRANGER, message_id), (ACCOUNT, "x" * 24)):
        assert world.refusal(cancel, Cancel(account_id=account_id, message_id=id_)).code == Code.NOT_FOUND
        again = Resend(account_id=account_id, message_id=id_, new_id=world.new_id())
        assert world.refusal(resend, again).code == Code.NOT_FOUND
    assert world.message(message_id).state == "queued"


# --- again


def test_a_text_that_ended_is_sent_again_as_a_new_one(world: World, phones: Phones) -> None:
    phone = world.phone()
    message_id = world.send(PEER, metadata={"k": "v"}, priority=2, trace_id="t")
    command = Resend(account_id=ACCOUNT, message_id=message_id, new_id=world.new_id())
    assert world.refusal(resend, command).code == Code.NOT_RETRYABLE
    phones.failed(phone, phones.bound(phone, message_id), 6)
    accepted = world.do(resend, command)
    new = world.message(accepted.results[0].message_id or "")
    old = world.message(message_id)
    assert (new.id, new.retry_of, new.state, new.text, new.peer) == (command.new_id, old.id, "queued", old.text, PEER)
    assert (new.metadata_json, new.priority, new.ttl_seconds) == (old.metadata_json, 2, old.ttl_seconds)
    assert (old.state, world.kinds(message_id)[-1]) == ("failed", "resent")


# --- keys


def test_forgotten_keys_are_those_whose_texts_ended_a_day_ago(world: World) -> None:
    world.phone()
    ended = world.do(accept, world.prepare(PEER, idempotency_key="ended", request_sha256="h"))
    world.do(accept, world.prepare(PEER, idempotency_key="open", request_sha256="h"))
    world.change(Message, ended.results[0].message_id or "", state="cancelled", final_at=world.clock.now())
    world.clock.advance(86_400)
    assert world.do(forget_old_keys, 100) == 2
    assert [row["key"] for row in world.rows(Idempotency)] == ["open"]
    assert world.do(forget_old_keys, 100) == 0
    world.clock.advance(3600)
    assert world.do(forget_old_keys, 100) == 1
