"""Taking texts in."""

import pytest

from hub.core.commands import AnyLine, ByDevice, ByLine, ByName, CallbackTarget
from hub.core.effects import WakeAt, WakeDispatch
from hub.core.errors import Code, HubError
from hub.messages.accept import accept
from hub.messages.prepare import SendLimits
from hub.messages.threads import conversation_id
from hub.storage.schema.accounts import Idempotency
from hub.storage.schema.devices import Device, Line, LineUsage
from hub.storage.schema.messages import Batch, Message
from hub.storage.transaction import Done, Refused
from tests.integration.messages.world import ACCOUNT, PEER, STRANGER, World


def test_one_text_is_stored_queued_in_its_thread_with_its_event(world: World) -> None:
    phone = world.phone()
    (line,) = world.lines(phone)
    accepted = world.do(accept, world.prepare("0170 1234567", trace_id="t1", metadata={"k": "v"}))
    (result,) = accepted.results
    row = world.message(result.message_id or "")
    assert (result.to, result.peer, result.state, result.line_why) == ("0170 1234567", PEER, "queued", "only_line")
    assert (row.state, row.peer, row.line_id, row.segments, row.encoding) == ("queued", PEER, line, 1, "gsm7")
    assert (row.due_at, row.expires_at) == (world.clock.now(), world.clock.now() + 3 * 86_400_000)
    assert row.conversation_id == conversation_id(ACCOUNT, line, PEER) == world.conversations()[0]["id"]
    assert world.events() == ["sms:queued"]
    assert WakeDispatch(ACCOUNT, (line,)) in world.effects
    assert accepted.batch_id is None


def test_a_request_to_many_makes_a_batch_and_answers_each_recipient(world: World) -> None:
    world.phone()
    accepted = world.do(accept, world.prepare(PEER, "nonsense", "+491709999999", batch_name="campaign"))
    assert [result.error and result.error.code for result in accepted.results] == [None, "not_a_number", None]
    (batch,) = world.rows(Batch)
    assert (batch["id"], batch["name"], batch["total"], batch["refused"]) == (accepted.batch_id, "campaign", 2, 1)
    assert {row.batch_id for row in world.messages()} == {accepted.batch_id}
    assert len(world.messages()) == 2


def test_all_or_nothing_refuses_the_whole_request(world: World) -> None:
    world.phone()
    with pytest.raises(HubError) as caught:
        world.prepare(PEER, "nonsense", all_or_nothing=True)
    assert caught.value.code == Code.BAD_RECIPIENT
    assert [error.field for error in caught.value.fields] == ["to[1]"]


def test_a_thousand_recipients_pass_and_one_more_does_not(world: World) -> None:
    world.phone()
    numbers = [f"+4917{number:08d}" for number in range(1001)]
    accepted = world.do(accept, world.prepare(*numbers[:1000]))
    assert len(accepted.results) == len(world.messages()) == len(world.conversations()) == 1000
    with pytest.raises(HubError) as caught:
        world.prepare(*numbers)
    assert caught.value.code == Code.TOO_MANY_RECIPIENTS


def test_nul_and_lone_surrogates_are_stored_as_replacement_characters(world: World) -> None:
    world.phone()
    message = world.message(world.send(PEER, text="a\x00b\ud800c", metadata={"k\x00": "v\udfff"}, batch_name="n\x00"))
    assert message.text == "a\ufffdb\ufffdc"
    assert message.metadata_json == '{"k\ufffd":"v\ufffd"}'
    assert world.rows(Batch)[0]["name"] == "n\ufffd"


def test_a_scheduled_text_waits_and_is_announced_when_its_time_comes(world: World) -> None:
    world.phone()
    at = world.clock.now() + 3_600_000
    message = world.message(world.send(PEER, scheduled_at=at, ttl_seconds=60))
    assert (message.state, message.due_at, message.expires_at) == ("scheduled", at, at + 60_000)
    assert world.events() == []
    assert WakeAt(at) in world.effects


# --- which line


def test_the_line_of_the_newest_thread_with_the_contact_is_kept(world: World) -> None:
    first, second = world.phone("one"), world.phone("two")
    (one,), (two,) = world.lines(first), world.lines(second)
    world.send(PEER, sender=ByLine(two))
    world.clock.advance(1)
    assert world.message(world.send(PEER)).line_id == two
    world.clock.advance(1)
    world.send(PEER, sender=ByLine(one))
    world.clock.advance(1)
    message = world.message(world.send(PEER))
    assert (message.line_id, message.line_why, message.is_pinned) == (one, "sticky", False)


def test_new_contacts_go_to_the_line_with_the_shortest_queue(world: World) -> None:
    for name in ("one", "two", "three"):
        world.phone(name)
    accepted = world.do(accept, world.prepare(*[f"+4917{number:08d}" for number in range(30)]))
    by_line: dict[str | None, int] = {}
    for result in accepted.results:
        by_line[result.line_id] = by_line.get(result.line_id, 0) + 1
    assert sorted(by_line.values()) == [10, 10, 10]


def test_a_phone_away_for_a_minute_is_passed_over_and_before_that_it_is_not(world: World) -> None:
    gone = world.phone("gone", is_online=False, last_seen_at=world.clock.now())
    (its_line,) = world.lines(gone)
    world.send(PEER, sender=ByLine(its_line))
    other = world.phone("here")
    world.clock.advance(59)
    assert world.message(world.send(PEER)).line_id == its_line
    world.clock.advance(2)
    message = world.message(world.send(PEER))
    assert (message.line_id, message.line_why) == (world.lines(other)[0], "failover")


def test_with_every_phone_away_a_text_still_joins_a_queue(world: World) -> None:
    phone = world.phone(is_online=False, last_seen_at=0)
    assert world.message(world.send(PEER)).line_id == world.lines(phone)[0]


def test_without_any_line_a_text_waits_for_one(world: World) -> None:
    message_id = world.send(PEER)
    message = world.message(message_id)
    assert (message.state, message.line_id, message.conversation_id) == ("queued", None, None)
    assert WakeDispatch(ACCOUNT) in world.effects


@pytest.mark.parametrize("kind", ["line", "device", "name"])
def test_a_named_sender_pins_the_text(world: World, kind: str) -> None:
    world.phone("other")
    phone = world.phone("wanted", is_online=False, last_seen_at=0)
    (line,) = world.lines(phone)
    world.change(Line, line, alias="Shop")
    sender = {"line": ByLine(line), "device": ByDevice(phone, 0), "name": ByName("shop")}[kind]
    message = world.message(world.send(PEER, sender=sender))
    assert (message.line_id, message.is_pinned, message.line_why) == (line, True, "asked")


def test_a_strangers_line_or_phone_is_an_unknown_sender(world: World) -> None:
    world.phone()
    phone = world.phone(account_id=STRANGER)
    (line,) = world.lines(phone)
    for sender in (ByLine(line), ByDevice(phone), ByLine("x" * 24)):
        assert world.refusal(accept, world.prepare(PEER, sender=sender)).code == Code.UNKNOWN_SENDER
    assert world.messages() == []


def test_an_unknown_name_falls_back_with_a_note_unless_the_request_is_strict(world: World) -> None:
    phone = world.phone()
    message_id = world.send(PEER, sender=ByName("Nobody"))
    assert world.kinds(message_id) == ["sender_unknown"]
    assert world.message(message_id).line_id == world.lines(phone)[0]
    strict = world.prepare(PEER, sender=ByName("Nobody"), strict_sender=True)
    assert world.refusal(accept, strict).code == Code.UNKNOWN_SENDER


def test_a_line_over_its_day_budget_is_passed_over(world: World) -> None:
    first, second = world.phone("one"), world.phone("two")
    (one,), (two,) = world.lines(first), world.lines(second)
    world.change(Line, one, per_day=1)
    world.change(Line, two, per_minute=1)
    world.insert(LineUsage, line_id=one, at=world.clock.now() - 300_000, account_id=ACCOUNT, segments=1)
    assert world.message(world.send(PEER)).line_id == two


def test_a_removed_or_revoked_phones_line_is_not_chosen(world: World) -> None:
    gone, here = world.phone("gone"), world.phone("here")
    world.change(Device, gone, revoked_at=1)
    assert {world.message(world.send(f"+49170000000{n}")).line_id for n in range(4)} == {world.lines(here)[0]}


def test_a_fleet_is_sampled_and_its_queues_even_out(world: World) -> None:
    phone = world.phone(sims=0)
    for slot in range(80):
        world.line(phone, slot=slot, name=f"line {slot}")
    ids = set(world.lines(phone))
    used = {world.message(world.send(f"+4917{n:08d}")).line_id for n in range(40)}
    assert used <= ids
    assert len(used) > 20


# --- idempotency


def keyed(world: World, sha: str = "h1", key: str = "k1", **values: object) -> object:
    return world.prepare(PEER, idempotency_key=key, request_sha256=sha, **values)


def test_the_same_key_is_answered_again_and_makes_nothing(world: World) -> None:
    world.phone()
    first = world.do(accept, keyed(world))
    again = world.do(accept, keyed(world))
    assert again.is_replay
    assert again.results == first.results
    assert len(world.messages()) == 1


def test_the_same_key_with_another_body_is_a_conflict(world: World) -> None:
    world.phone()
    world.do(accept, keyed(world))
    assert world.refusal(accept, keyed(world, sha="h2")).code == Code.IDEMPOTENCY_CONFLICT
    assert len(world.messages()) == 1


def test_two_in_one_batch_make_one_message(world: World) -> None:
    world.phone()
    outcomes = world.run(accept, [keyed(world), keyed(world), keyed(world, sha="h2"), keyed(world, key="k2")])
    first, again, conflict, other = outcomes
    assert isinstance(first, Done)
    assert isinstance(again, Done)
    assert isinstance(other, Done)
    assert again.value.results == first.value.results
    assert isinstance(conflict, Refused)
    assert len(world.messages()) == 2


def test_a_key_whose_first_use_was_refused_is_free(world: World) -> None:
    world.phone()
    bad = keyed(world, sender=ByLine("x" * 24))
    outcomes = world.run(accept, [bad, keyed(world, sha="h2"), keyed(world, sha="h2")])
    assert isinstance(outcomes[0], Refused)
    assert [isinstance(outcome, Refused) for outcome in outcomes[1:]] == [False, False]
    assert len(world.messages()) == 1


def test_keys_of_other_accounts_and_doors_are_others(world: World) -> None:
    world.phone()
    world.phone(account_id=STRANGER)
    world.do(accept, keyed(world))
    world.do(accept, keyed(world, account_id=STRANGER))
    assert len(world.messages()) == 2


def test_a_key_lives_a_day_and_as_long_as_its_message_has_not_ended_for_a_day(world: World) -> None:
    world.phone()
    first = world.do(accept, keyed(world))
    world.clock.advance(86_400 + 1)
    assert world.do(accept, keyed(world)).is_replay
    world.change(Message, first.results[0].message_id or "", final_at=world.clock.now(), state="cancelled")
    world.clock.advance(86_400 - 1)
    assert world.do(accept, keyed(world)).is_replay
    world.clock.advance(2)
    assert not world.do(accept, keyed(world, sha="h2")).is_replay
    assert len(world.messages()) == 2
    assert len(world.rows(Idempotency)) == 1


# --- what the rest of the request becomes


def test_callback_priority_and_sender_are_stored(world: World) -> None:
    phone = world.phone()
    message = world.message(
        world.send(
            PEER,
            priority=2,
            callback=CallbackTarget("twilio", "https://example.org/cb"),
            sender=ByDevice(phone),
            want_dlr=False,
            limits=SendLimits(max_tries=7),
        )
    )
    assert (message.priority, message.want_dlr, message.max_tries) == (2, False, 7)
    assert message.callback == '{"format":"twilio","url":"https://example.org/cb"}'
    assert message.sender is not None
    assert '"device_id"' in message.sender
    assert AnyLine() != message.sender
