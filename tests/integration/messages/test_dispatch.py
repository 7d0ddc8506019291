"""Offers, and the handover that follows them."""

import pytest

from device_protocol.frames import Accepted, Cancel, Drop, Go, HeldJob, JobState, TooLate
from device_protocol.frames import Refused as RefusedFrame
from device_protocol.wire_types import read_utc
from hub.core.commands import BULK, HIGH, ByLine
from hub.messages.accept import accept
from hub.messages.answers import PhoneAnswer, take_answers
from hub.messages.batches import ChangeBatch, change_batch
from hub.messages.cancel import Cancel as CancelText
from hub.messages.cancel import cancel
from hub.messages.dispatch import OfferTo, Retract, offer, retract
from hub.messages.routes import Reroute, reroute
from hub.storage.schema.devices import Device, Line, LineUsage
from tests.integration.messages.world import ACCOUNT, PEER, STRANGER, Phones, World


def many(count: int) -> list[str]:
    return [f"+4917{number:08d}" for number in range(count)]


def send_many(world: World, count: int, **values: object) -> list[str]:
    accepted = world.do(accept, world.prepare(*many(count), **values))
    return [result.message_id or "" for result in accepted.results]


# --- offers


def test_an_offer_is_committed_before_the_phone_hears_of_it_and_binds_nobody(world: World, phones: Phones) -> None:
    phone = world.phone()
    message_id = world.send(PEER, text="hi", ttl_seconds=600)
    world.clock.advance(100)
    (job,) = phones.offers(phone)
    row = world.message(message_id)
    assert (row.state, row.device_id, row.submission, row.offered_at) == ("queued", phone, 1, world.clock.now())
    assert (job.id, job.submission, job.to, job.text, job.ttl_seconds) == (message_id, 1, PEER, "hi", 500)
    assert read_utc(job.issued) == world.clock.now()
    assert (job.line.subscription_id, job.line.slot, job.line.fingerprint) == (1, 0, "carrier/1234")
    assert world.kinds(message_id) == ["offered"]
    assert phones.offers(phone) == []


def test_at_most_eight_unanswered_offers_a_phone_and_two_when_it_is_silent(world: World, phones: Phones) -> None:
    phone = world.phone(sims=2)
    send_many(world, 30)
    assert len(phones.offers(phone, silent_seconds=15)) == 2
    assert len(phones.offers(phone, silent_seconds=14.9)) == 6
    assert phones.offers(phone) == []


def test_an_older_connection_is_offered_nothing(world: World, phones: Phones) -> None:
    phone = world.phone(session_no=3)
    world.send(PEER)
    assert phones.offers(phone, session_no=2) == []
    assert len(phones.offers(phone, session_no=3)) == 1


def test_a_restored_hub_offers_nothing(world: World, phones: Phones) -> None:
    phone = world.phone()
    world.send(PEER)
    world.hold()
    assert phones.offers(phone) == []


def test_replies_and_codes_overtake_bulk_and_then_the_oldest_goes_first(world: World, phones: Phones) -> None:
    phone = world.phone()
    bulk = world.send(PEER, priority=BULK)
    world.clock.advance(1)
    first = world.send(PEER)
    world.clock.advance(1)
    second = world.send(PEER)
    code = world.send(PEER, priority=HIGH)
    assert [job.id for job in phones.offers(phone)] == [code, first, second, bulk]


@pytest.mark.parametrize(
    "obstacle",
    [{"is_enabled": False}, {"is_present": False}, {"awaiting_confirmation": True}, {"paused_until": 2**50}],
)
def test_a_line_that_cannot_send_does_not_hold_up_the_other(
    world: World, phones: Phones, obstacle: dict[str, object]
) -> None:
    phone = world.phone(sims=2)
    blocked, free = world.lines(phone)
    world.send(PEER, sender=ByLine(blocked))
    here = world.send(PEER, sender=ByLine(free))
    world.change(Line, blocked, **obstacle)
    assert [job.id for job in phones.offers(phone)] == [here]


@pytest.mark.parametrize("stopped", ["paused_at", "suspended_at", "revoked_at"])
def test_a_stopped_phone_is_offered_nothing(world: World, phones: Phones, stopped: str) -> None:
    phone = world.phone()
    world.send(PEER)
    world.change(Device, phone, **{stopped: 1})
    assert phones.offers(phone) == []


def test_a_text_whose_time_is_over_or_that_is_being_cancelled_is_not_offered(world: World, phones: Phones) -> None:
    phone = world.phone()
    world.send(PEER, ttl_seconds=5)
    world.clock.advance(5)
    assert phones.offers(phone) == []


# --- pace


def test_the_pace_counts_segments_and_is_kept_across_a_restart(world: World, phones: Phones) -> None:
    phone = world.phone()
    (line,) = world.lines(phone)
    world.change(Line, line, per_minute=5)
    send_many(world, 4, text="x" * 300)
    jobs = phones.offers(phone)
    assert len(jobs) == 2
    for job in jobs:
        phones.accept(phone, job)
    assert [row["segments"] for row in world.rows(LineUsage)] == [4]
    assert phones.offers(phone) == [], "nothing of the hub's memory was asked"
    outcome = world.do(offer, OfferTo(account_id=ACCOUNT, device_id=phone, session_no=1))
    assert outcome.again_at is not None
    assert world.clock.now() + 60_000 <= outcome.again_at <= world.clock.now() + 65_000
    world.clock.now_ms = outcome.again_at
    assert len(phones.offers(phone)) == 2


def test_open_offers_count_against_the_pace(world: World, phones: Phones) -> None:
    phone = world.phone()
    (line,) = world.lines(phone)
    world.change(Line, line, per_minute=3)
    send_many(world, 6)
    assert len(phones.offers(phone)) == 3
    assert phones.offers(phone) == []


def test_a_text_longer_than_a_minute_goes_alone(world: World, phones: Phones) -> None:
    phone = world.phone()
    (line,) = world.lines(phone)
    world.change(Line, line, per_minute=2)
    world.send(PEER, text="x" * 700)
    assert len(phones.offers(phone)) == 1


def test_a_day_budget_that_is_used_up_holds_the_line(world: World, phones: Phones) -> None:
    phone = world.phone()
    (line,) = world.lines(phone)
    world.change(Line, line, per_day=10)
    world.insert(LineUsage, line_id=line, at=world.clock.now() - 3_600_000, account_id=ACCOUNT, segments=9)
    send_many(world, 3)
    assert len(phones.offers(phone)) == 1


# --- answers


def test_accepted_binds_and_only_then_the_phone_may_send(world: World, phones: Phones) -> None:
    phone = world.phone()
    message_id = world.send(PEER)
    (job,) = phones.offers(phone)
    assert phones.accept(phone, job) == [Go(message_id, 1)]
    row = world.message(message_id)
    assert (row.state, row.bound_at, row.offered_at) == ("dispatched", world.clock.now(), None)
    assert world.kinds(message_id) == ["offered", "bound"]
    assert world.events(message_id) == ["sms:queued"]


def test_a_repeated_accepted_is_told_go_again_and_bound_once(world: World, phones: Phones) -> None:
    phone = world.phone()
    message_id = world.send(PEER)
    (job,) = phones.offers(phone)
    command = PhoneAnswer(account_id=ACCOUNT, device_id=phone, session_no=1, frame=Accepted(job.id, 1))
    world.run(take_answers, [command, command])
    assert world.frames(Go) == [Go(message_id, 1)] * 2
    assert [row["segments"] for row in world.rows(LineUsage)] == [1]
    assert world.kinds(message_id).count("bound") == 1


def test_accepted_of_an_older_connection_changes_nothing(world: World, phones: Phones) -> None:
    phone = world.phone()
    message_id = world.send(PEER)
    (job,) = phones.offers(phone)
    world.change(Device, phone, session_no=2)
    assert phones.accept(phone, job, session_no=1) == []
    assert world.message(message_id).state == "queued"


def test_accepted_of_another_submission_phone_or_account_is_dropped(world: World, phones: Phones) -> None:
    phone, other, strangers = world.phone("one"), world.phone("two"), world.phone(account_id=STRANGER)
    message_id = world.send(PEER, sender=ByLine(world.lines(phone)[0]))
    phones.offers(phone)
    assert phones.answer(phone, Accepted(message_id, 2)) == [Drop(message_id, 2)]
    assert phones.answer(other, Accepted(message_id, 1)) == [Drop(message_id, 1)]
    assert phones.answer(strangers, Accepted(message_id, 1), account_id=STRANGER) == [Drop(message_id, 1)]
    assert phones.answer(phone, Accepted("no-such-id", 1)) == [Drop("no-such-id", 1)]
    assert world.message(message_id).state == "queued"
    assert world.kinds(message_id) == ["offered", "-dropped", "-dropped"]


def test_nothing_is_bound_while_a_restored_hub_holds(world: World, phones: Phones) -> None:
    phone = world.phone()
    message_id = world.send(PEER)
    (job,) = phones.offers(phone)
    world.hold()
    assert phones.accept(phone, job) == []
    assert world.message(message_id).state == "queued"


def test_a_cancelled_text_is_dropped_when_the_phone_accepts_it(world: World, phones: Phones) -> None:
    phone = world.phone()
    message_id = world.send(PEER)
    (job,) = phones.offers(phone)
    assert world.do(cancel, CancelText(account_id=ACCOUNT, message_id=message_id)).is_final
    assert phones.accept(phone, job) == [Drop(message_id, 1)]
    assert world.message(message_id).state == "cancelled"


def test_with_a_cancel_open_the_bound_phone_is_told_cancel_instead_of_go(world: World, phones: Phones) -> None:
    phone = world.phone()
    message_id = world.send(PEER)
    job = phones.bound(phone, message_id)
    assert not world.do(cancel, CancelText(account_id=ACCOUNT, message_id=message_id)).is_final
    assert phones.accept(phone, job) == [Cancel(message_id, 1)]


@pytest.mark.parametrize(
    ("reason", "state", "line_is_present", "is_paused"),
    [
        ("no_such_sim", "retried", False, False),
        ("permission_missing", "retried", False, False),
        ("full", "retried", True, True),
        ("paused", "retried", True, True),
        ("no_service", "retried", True, True),
        ("os_rate_limit", "retried", True, True),
        ("stale_submission", "retried", True, False),
        ("too_long", "failed", True, False),
        ("not_supported", "failed", True, False),
        ("a_newer_word", "retried", True, False),
    ],
)
def test_a_refusal_is_acted_on_by_its_reason(
    world: World, phones: Phones, reason: str, state: str, line_is_present: bool, is_paused: bool
) -> None:
    phone = world.phone()
    message_id = world.send(PEER)
    (job,) = phones.offers(phone)
    assert phones.answer(phone, RefusedFrame(job.id, 1, reason)) == []
    (line,) = world.rows(Line)
    assert world.message(message_id).state == state
    assert (line["is_present"], line["paused_until"] is not None) == (line_is_present, is_paused)
    assert len(world.kinds(message_id)) == 2


def test_a_refused_text_goes_to_another_phone_that_can(world: World, phones: Phones) -> None:
    first, second = world.phone("one"), world.phone("two", is_online=False, last_seen_at=0)
    message_id = world.send(PEER)
    (job,) = phones.offers(first)
    world.change(Device, second, is_online=True)
    phones.answer(first, RefusedFrame(job.id, 1, "no_such_sim"))
    row = world.message(message_id)
    assert (row.line_id, row.line_why, row.state) == (world.lines(second)[0], "failover", "retried")
    assert world.kinds(message_id) == ["offered", "refused", "routed"]
    world.clock.advance(60)
    assert [job.submission for job in phones.offers(second)] == [2]


def test_a_pinned_text_stays_with_its_line_when_refused(world: World, phones: Phones) -> None:
    first, _ = world.phone("one"), world.phone("two")
    (line,) = world.lines(first)
    message_id = world.send(PEER, sender=ByLine(line))
    (job,) = phones.offers(first)
    phones.answer(first, RefusedFrame(job.id, 1, "no_such_sim"))
    assert world.message(message_id).line_id == line


def test_a_refusal_that_tells_the_radio_had_it_is_believed(world: World, phones: Phones) -> None:
    phone = world.phone()
    message_id = world.send(PEER)
    (job,) = phones.offers(phone)
    held = HeldJob(job.id, 7, JobState.SENT)
    phones.answer(phone, RefusedFrame(job.id, 1, "at_radio", held=held))
    row = world.message(message_id)
    assert (row.state, row.submission, row.device_id) == ("sent", 7, phone)
    assert world.events(message_id) == ["sms:queued", "sms:sent"]


def test_too_late_is_noted_and_a_job_that_is_not_held_becomes_uncertain(world: World, phones: Phones) -> None:
    phone = world.phone()
    message_id = world.send(PEER)
    phones.bound(phone, message_id)
    world.do(cancel, CancelText(account_id=ACCOUNT, message_id=message_id))
    phones.answer(phone, TooLate(message_id, 1, JobState.SUBMITTING))
    assert world.message(message_id).state == "dispatched"
    phones.answer(phone, TooLate(message_id, 1))
    assert world.message(message_id).state == "uncertain"
    assert world.kinds(message_id)[-2:] == ["cancel_too_late", "uncertain"]


# --- taking back and failing over


def take_back(world: World, message_id: str, *, is_deaf: bool = False, age_seconds: float = 15) -> bool:
    before = world.clock.now() - round(age_seconds * 1000)
    command = Retract(account_id=ACCOUNT, message_id=message_id, offered_before=before, is_deaf=is_deaf)
    taken: bool = world.do(retract, command)
    return taken


def test_an_offer_is_taken_back_after_its_time_and_a_late_accepted_is_dropped(world: World, phones: Phones) -> None:
    phone = world.phone()
    message_id = world.send(PEER)
    (job,) = phones.offers(phone)
    world.clock.advance(14)
    assert not take_back(world, message_id)
    world.clock.advance(1)
    assert take_back(world, message_id)
    assert phones.accept(phone, job) == [Drop(message_id, 1)]
    (again,) = phones.offers(phone)
    assert again.submission == 2
    assert phones.accept(phone, job) == [Drop(message_id, 1)]
    assert phones.accept(phone, again) == [Go(message_id, 2)]


def test_a_deaf_phones_offer_goes_to_another_line_and_a_pinned_one_waits(world: World, phones: Phones) -> None:
    deaf, other = world.phone("deaf"), world.phone("other", is_online=False, last_seen_at=0)
    free, pinned = world.send(PEER), world.send(PEER, sender=ByLine(world.lines(deaf)[0]))
    phones.offers(deaf)
    world.change(Device, other, is_online=True)
    world.clock.advance(20)
    assert take_back(world, free, is_deaf=True)
    assert take_back(world, pinned, is_deaf=True)
    assert world.message(free).line_id == world.lines(other)[0]
    assert world.message(pinned).line_id == world.lines(deaf)[0]


def move(world: World, message_id: str, away_seconds: float = 60) -> bool:
    command = Reroute(account_id=ACCOUNT, message_id=message_id, away_seconds=away_seconds)
    moved: bool = world.do(reroute, command)
    return moved


def test_texts_leave_a_phone_that_is_away_too_long_and_their_thread_with_them(world: World) -> None:
    away, here = world.phone("away"), world.phone("here", is_online=False, last_seen_at=0)
    message_id = world.send(PEER)
    assert world.message(message_id).line_id == world.lines(away)[0]
    world.change(Device, here, is_online=True)
    world.change(Device, away, is_online=False, last_seen_at=world.clock.now())
    assert not move(world, message_id)
    world.clock.advance(61)
    assert move(world, message_id)
    row = world.message(message_id)
    assert (row.line_id, row.line_why) == (world.lines(here)[0], "failover")
    assert {thread["line_id"] for thread in world.conversations()} == {*world.lines(away), *world.lines(here)}
    assert row.conversation_id in {thread["id"] for thread in world.conversations() if thread["line_id"] == row.line_id}
    assert world.kinds(message_id) == ["routed"]


@pytest.mark.parametrize("obstacle", [{"is_enabled": False}, {"paused_until": 2**50}, {"per_day": 1}])
def test_texts_leave_a_line_that_cannot_send(world: World, obstacle: dict[str, object]) -> None:
    first, second = world.phone("one"), world.phone("two")
    message_id = world.send(PEER)
    line = world.message(message_id).line_id or ""
    world.insert(LineUsage, line_id=line, at=world.clock.now(), account_id=ACCOUNT, segments=1)
    assert not move(world, message_id)
    world.change(Line, line, **obstacle)
    assert move(world, message_id)
    assert world.message(message_id).line_id in {*world.lines(first), *world.lines(second)} - {line}


def test_offered_bound_and_pinned_texts_do_not_move(world: World, phones: Phones) -> None:
    phone, _ = world.phone("one"), world.phone("two")
    (line,) = world.lines(phone)
    pinned = world.send(PEER, sender=ByLine(line))
    world.clock.advance(1)
    offered = world.send(PEER)
    assert {job.id for job in phones.offers(phone)} == {pinned, offered}
    world.change(Line, line, is_enabled=False)
    assert not move(world, pinned)
    assert not move(world, offered)


def test_a_text_that_came_before_any_line_joins_the_first_one(world: World, phones: Phones) -> None:
    message_id = world.send(PEER)
    assert not move(world, message_id)
    phone = world.phone()
    assert move(world, message_id)
    row = world.message(message_id)
    assert (row.line_id, row.line_why) == (world.lines(phone)[0], "only_line")
    assert len(phones.offers(phone)) == 1


def test_a_text_whose_named_line_was_removed_fails(world: World) -> None:
    phone = world.phone()
    (line,) = world.lines(phone)
    message_id = world.send(PEER, sender=ByLine(line))
    world.change(Line, line, removed_at=1)
    move(world, message_id)
    row = world.message(message_id)
    assert (row.state, row.reason, row.final_at) == ("failed", "no_line", world.clock.now())
    assert world.events(message_id) == ["sms:queued", "sms:failed"]


# --- batches


def test_a_paused_batch_is_not_offered_until_it_goes_on(world: World, phones: Phones) -> None:
    phone = world.phone()
    accepted = world.do(accept, world.prepare(*many(3)))
    batch_id = accepted.batch_id or ""
    other = world.send(PEER)
    world.do(change_batch, ChangeBatch(account_id=ACCOUNT, batch_id=batch_id, action="pause"))
    assert [job.id for job in phones.offers(phone)] == [other]
    world.do(change_batch, ChangeBatch(account_id=ACCOUNT, batch_id=batch_id, action="resume"))
    assert len(phones.offers(phone)) == 3


def test_a_cancelled_batch_is_cancelled_where_it_waits_and_asked_for_where_it_is_bound(
    world: World, phones: Phones
) -> None:
    phone = world.phone()
    accepted = world.do(accept, world.prepare(*many(3)))
    batch_id = accepted.batch_id or ""
    jobs = phones.offers(phone)
    phones.accept(phone, jobs[0])
    change = world.do(change_batch, ChangeBatch(account_id=ACCOUNT, batch_id=batch_id, action="cancel"))
    assert (change.cancelled, change.asked, change.too_late) == (2, 1, 0)
    assert sorted(row.state for row in world.messages()) == ["cancelled", "cancelled", "dispatched"]
    assert world.frames(Cancel) == [Cancel(jobs[0].id, 1)]
