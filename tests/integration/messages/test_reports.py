"""Phones' reports: what they change, what they do not, and who hears of it."""

import pytest

from device_protocol.payloads import SmsCancelled, SmsExpired, SmsFailed, SmsSent, SmsUncertain
from hub.core.commands import ByLine
from hub.core.effects import WakeAt
from hub.messages.cancel import Cancel, cancel
from hub.messages.dispatch import Retract, retract
from hub.messages.known_segments import read_segments
from hub.messages.resend import Replay, replay
from hub.storage.schema.accounts import Account
from hub.storage.schema.devices import Device, Line
from tests.integration.messages.world import ACCOUNT, PEER, STRANGER, Phones, World

OK, GENERIC, RADIO_OFF, NO_SERVICE, LIMIT, NETWORK, PHONE_ERROR, NO_SIM, FDN = -1, 1, 2, 4, 5, 17, 16, 120, 6


def test_sent_and_delivered_move_the_text_and_are_told_once(world: World, phones: Phones) -> None:
    phone = world.phone()
    message_id = world.send(PEER)
    job = phones.bound(phone, message_id)
    world.clock.advance(2)
    assert phones.sent(phone, job).is_applied
    assert not phones.sent(phone, job).is_applied
    world.clock.advance(3)
    assert phones.delivered(phone, job).is_applied
    assert not phones.delivered(phone, job).is_applied
    row = world.message(message_id)
    assert (row.state, row.delivered_at, row.final_at) == ("delivered", world.clock.now(), world.clock.now())
    assert row.sent_at == world.clock.now() - 3000
    assert world.events(message_id) == ["sms:queued", "sms:sent", "sms:delivered"]
    assert world.kinds(message_id) == ["offered", "bound", "sent", "-segment", "delivered", "-segment"]


def test_delivered_before_sent_never_goes_back(world: World, phones: Phones) -> None:
    phone = world.phone()
    message_id = world.send(PEER)
    job = phones.bound(phone, message_id)
    phones.delivered(phone, job)
    assert phones.sent(phone, job).why == "ended"
    assert world.message(message_id).state == "delivered"
    assert world.events(message_id) == ["sms:queued", "sms:delivered"]


def test_n_segments_make_one_status_and_each_keeps_its_evidence(world: World, phones: Phones) -> None:
    phone = world.phone()
    message_id = world.send(PEER, text="x" * 400)
    job = phones.bound(phone, message_id)
    for segment in (2, 0, 1):
        assert world.message(message_id).state == "dispatched"
        phones.sent(phone, job, segment, 3)
    assert world.message(message_id).state == "sent"
    phones.delivered(phone, job, 0, 3)
    phones.delivered(phone, job, 1, 3, tp_status=0x41)
    assert world.message(message_id).state == "undelivered"
    row = world.message(message_id)
    assert [known.letter for known in read_segments(row.segment_reports)] == ["d", "u", "s"]
    assert (row.reason, row.error_code) == ("incompatible_destination", "0x41")
    assert world.events(message_id) == ["sms:queued", "sms:sent", "sms:undelivered"]


def test_some_sent_and_some_refused_is_failed_in_part_and_never_tried_again(world: World, phones: Phones) -> None:
    phone = world.phone()
    message_id = world.send(PEER, text="x" * 300)
    job = phones.bound(phone, message_id)
    phones.sent(phone, job, 0, 2)
    phones.failed(phone, job, NETWORK, 1, 2)
    row = world.message(message_id)
    assert (row.state, row.reason) == ("failed", "partial 1/2")
    assert phones.offers(phone) == []


def test_a_text_is_tried_again_only_when_every_segment_was_refused_before_the_air(world: World, phones: Phones) -> None:
    phone = world.phone()
    message_id = world.send(PEER, text="x" * 300)
    job = phones.bound(phone, message_id)
    phones.failed(phone, job, NETWORK, 0, 2)
    assert world.message(message_id).state == "dispatched"
    phones.failed(phone, job, NETWORK, 1, 2)
    row = world.message(message_id)
    assert (row.state, row.device_id, row.reason, row.error_code, row.tries) == ("retried", None, "network", "17", 1)
    assert 24_000 <= row.due_at - world.clock.now() <= 36_000
    assert WakeAt(row.due_at) in world.effects
    assert phones.offers(phone) == []
    world.clock.now_ms = row.due_at
    (again,) = phones.offers(phone)
    assert again.submission == 2
    phones.accept(phone, again)
    assert world.message(message_id).state == "dispatched"


def test_tries_used_up_make_a_dead_letter_that_an_operator_may_replay(world: World, phones: Phones) -> None:
    phone = world.phone()
    message_id = world.send(PEER)
    for _ in range(3):
        job = phones.bound(phone, message_id)
        phones.failed(phone, job, NETWORK)
        world.clock.advance(3600)
    row = world.message(message_id)
    assert (row.state, row.reason, row.tries) == ("dead_letter", "network", 3)
    assert row.final_at is not None
    world.clock.advance(86_400 * 30)
    assert world.do(replay, Replay(account_id=ACCOUNT, message_id=message_id)).state == "queued"
    row = world.message(message_id)
    assert (row.state, row.tries, row.final_at, row.reason) == ("queued", 0, None, None)
    assert row.expires_at == world.clock.now() + (row.ttl_seconds or 0) * 1000
    assert world.events(message_id) == ["sms:queued", "sms:dead_letter", "sms:queued"]
    assert phones.bound(phone, message_id).submission == 4


def test_a_permanent_reason_fails_at_once(world: World, phones: Phones) -> None:
    phone = world.phone()
    message_id = world.send(PEER)
    job = phones.bound(phone, message_id)
    phones.failed(phone, job, FDN)
    row = world.message(message_id)
    assert (row.state, row.reason, row.error_code) == ("failed", "blocked_by_phone_policy", "6")


def test_a_generic_failure_is_uncertain_unless_the_account_takes_the_risk(world: World, phones: Phones) -> None:
    phone = world.phone()
    first = world.send(PEER)
    phones.failed(phone, phones.bound(phone, first), GENERIC)
    assert world.message(first).state == "uncertain"
    world.change(Account, ACCOUNT, settings='{"retry_generic":true}')
    second = world.send(PEER)
    phones.failed(phone, phones.bound(phone, second), GENERIC)
    assert world.message(second).state == "retried"
    third = world.send(PEER)
    phones.failed(phone, phones.bound(phone, third), GENERIC, network_error_code=38)
    row = world.message(third)
    assert (row.state, row.reason, row.error_code) == ("failed", "carrier_reject", "1/38")


def test_no_sim_marks_the_line_and_another_phone_takes_over(world: World, phones: Phones) -> None:
    first, second = world.phone("one"), world.phone("two", is_online=False, last_seen_at=0)
    message_id = world.send(PEER)
    job = phones.bound(first, message_id)
    world.change(Device, second, is_online=True)
    phones.failed(first, job, NO_SIM)
    lines = {row["id"]: row for row in world.rows(Line)}
    assert [lines[line]["is_present"] for line in (*world.lines(first), *world.lines(second))] == [False, True]
    assert world.message(message_id).line_id == world.lines(second)[0]
    assert world.kinds(message_id) == ["offered", "bound", "retrying", "routed"]


def test_the_os_limit_pauses_the_line(world: World, phones: Phones) -> None:
    phone = world.phone()
    job = phones.bound(phone, world.send(PEER))
    phones.failed(phone, job, LIMIT)
    (line,) = world.rows(Line)
    assert (line["paused_until"], line["paused_reason"]) == (world.clock.now() + 600_000, "os_rate_limit")


def test_a_line_pause_is_never_shortened(world: World, phones: Phones) -> None:
    phone = world.phone()
    jobs = [phones.bound(phone, world.send(PEER)) for _ in range(2)]
    phones.failed(phone, jobs[0], LIMIT)
    phones.failed(phone, jobs[1], RADIO_OFF)
    assert world.rows(Line)[0]["paused_reason"] == "os_rate_limit"


def test_waiting_for_the_radio_uses_no_try(world: World, phones: Phones) -> None:
    phone = world.phone()
    message_id = world.send(PEER)
    for _ in range(5):
        phones.failed(phone, phones.bound(phone, message_id), NO_SERVICE)
        world.clock.advance(3600)
    row = world.message(message_id)
    assert (row.state, row.tries) == ("retried", 0)


def test_what_the_phone_cannot_tell_is_uncertain_and_a_later_word_settles_it(world: World, phones: Phones) -> None:
    phone = world.phone()
    message_id = world.send(PEER)
    job = phones.bound(phone, message_id)
    phones.report(phone, SmsUncertain(job.id, 1, "restarted"))
    row = world.message(message_id)
    assert (row.state, row.reason, row.uncertain_at) == ("uncertain", "interrupted", world.clock.now())
    assert phones.offers(phone) == []
    phones.sent(phone, job)
    assert world.message(message_id).state == "sent"
    assert world.events(message_id) == ["sms:queued", "sms:uncertain", "sms:sent"]


def test_only_the_phones_word_cancels_or_expires_a_bound_text(world: World, phones: Phones) -> None:
    phone = world.phone()
    first, second = world.send(PEER), world.send(PEER)
    for message_id, payload, state in ((first, SmsCancelled, "cancelled"), (second, SmsExpired, "expired")):
        phones.bound(phone, message_id)
        world.do(cancel, Cancel(account_id=ACCOUNT, message_id=message_id))
        assert world.message(message_id).state == "dispatched"
        phones.report(phone, payload(message_id, 1))
        assert world.message(message_id).state == state


# --- words about something else


def test_a_failure_of_an_older_submission_is_kept_but_not_applied(world: World, phones: Phones) -> None:
    phone = world.phone()
    message_id = world.send(PEER)
    job = phones.bound(phone, message_id)
    phones.failed(phone, job, NETWORK)
    world.clock.advance(3600)
    phones.bound(phone, message_id)
    late = phones.failed(phone, job, FDN)
    assert (late.is_applied, late.why) == (False, "other_submission")
    assert world.message(message_id).state == "dispatched"
    assert world.kinds(message_id)[-1] == "-segment"


def test_a_text_that_went_out_elsewhere_is_never_sent_again(world: World, phones: Phones) -> None:
    """The hub took the offer back and moved on; the first phone then says that the text is on the air."""
    first, second = world.phone("one"), world.phone("two", is_online=False, last_seen_at=0)
    message_id = world.send(PEER)
    (job,) = phones.offers(first)
    world.change(Device, second, is_online=True)
    world.clock.advance(15)
    world.do(
        retract,
        Retract(account_id=ACCOUNT, message_id=message_id, offered_before=world.clock.now() - 15_000, is_deaf=True),
    )
    assert len(phones.offers(second)) == 1
    phones.sent(first, job)
    row = world.message(message_id)
    assert (row.state, row.device_id, row.submission) == ("sent", first, 1)
    assert row.line_id == world.lines(first)[0], "the text is in the thread it really left by"
    assert phones.offers(second) == []


def test_reports_for_foreign_and_unknown_texts_change_nothing(world: World, phones: Phones) -> None:
    phone, strangers = world.phone(), world.phone(account_id=STRANGER)
    message_id = world.send(PEER)
    phones.bound(phone, message_id)
    foreign = phones.report(strangers, SmsSent(message_id, 1, 0, 1), account_id=STRANGER)
    assert (foreign.is_applied, foreign.why) == (False, "unknown_message")
    assert phones.report(phone, SmsSent("unknown", 1, 0, 1)).why == "unknown_message"
    assert world.message(message_id).state == "dispatched"
    assert world.kinds(message_id) == ["offered", "bound"]


def test_a_restored_hub_keeps_failures_for_later_and_believes_what_was_sent(world: World, phones: Phones) -> None:
    phone = world.phone()
    first, second = world.send(PEER), world.send(PEER)
    jobs = [phones.bound(phone, message_id) for message_id in (first, second)]
    world.hold()
    assert phones.failed(phone, jobs[0], NETWORK).why == "held"
    assert phones.sent(phone, jobs[1]).is_applied
    assert [world.message(message_id).state for message_id in (first, second)] == ["dispatched", "sent"]


def test_a_failure_without_a_segment_speaks_of_the_whole_job(world: World, phones: Phones) -> None:
    phone = world.phone()
    (line,) = world.lines(phone)
    message_id = world.send(PEER, sender=ByLine(line), text="x" * 300)
    job = phones.bound(phone, message_id)
    phones.report(phone, SmsFailed(job.id, 1, reason="no_such_sim"))
    assert world.message(message_id).state == "retried"
    assert not world.rows(Line)[0]["is_present"]


@pytest.mark.parametrize("reason", ["store_mismatch", "no_result", "a_newer_word"])
def test_every_word_of_doubt_is_doubt(world: World, phones: Phones, reason: str) -> None:
    phone = world.phone()
    message_id = world.send(PEER)
    phones.bound(phone, message_id)
    phones.report(phone, SmsUncertain(message_id, 1, reason))
    assert world.message(message_id).state == "uncertain"
