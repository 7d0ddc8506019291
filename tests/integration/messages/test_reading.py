"""Reading texts back: lists, threads, batches, timelines, and the next text that matches."""

from typing import Any

import pytest

from device_protocol.payloads import SmsReceived
from device_protocol.wire_types import write_utc
from hub.core.commands import HIGH, ByLine, CallbackTarget
from hub.core.errors import Code, HubError
from hub.core.ids import render
from hub.messages import batches, conversations, inbox, search, timeline
from hub.messages.accept import accept
from hub.messages.cancel import Cancel, cancel
from hub.messages.conversations import ConversationFilter, UpdateConversation, update_conversation
from hub.messages.inbox import InboxQuery, compile_query
from hub.messages.receive import Incoming, Received, receive
from hub.messages.resend import Resend, resend
from hub.messages.search import MessageFilter
from hub.storage import messages_search
from hub.storage.schema.accounts import Account, HubFact
from hub.storage.schema.devices import Device
from hub.storage.schema.messages import Message
from tests.integration.messages.world import ACCOUNT, PEER, STRANGER, Phones, World

OTHER = "+491707777777"


def ask(world: World, question: Any, *args: Any, **named: Any) -> Any:
    return world.db.read_now(question, *args, **named)


def take(world: World, device_id: str, text: str = "hi", sender: str = PEER, **values: Any) -> Received:
    payload = SmsReceived(
        sender=sender, received_at=write_utc(world.clock.now()), subscription_id=1, text=text, **values
    )
    one = Incoming(
        account_id=ACCOUNT, device_id=device_id, event_uuid=world.new_id(), at=world.clock.now(), payload=payload
    )
    with world.conn.begin():
        (received,) = receive(world.db.transaction(world.conn), [one])
    return received


def ids(page: Any) -> list[str]:
    return [item.id for item in page.items]


def found(world: World, **narrowed: Any) -> list[str]:
    return ids(ask(world, search.list_messages, ACCOUNT, MessageFilter(**narrowed), None, 50))


# --- one text


def test_a_text_is_read_whole(world: World, phones: Phones) -> None:
    phone = world.phone()
    (line,) = world.lines(phone)
    message_id = world.send(
        PEER, priority=HIGH, metadata={"k": "v"}, callback=CallbackTarget("standard", "https://x.org/cb")
    )
    job = phones.bound(phone, message_id)
    phones.delivered(phone, job, tp_status=0x46)
    view = ask(world, search.find_message, ACCOUNT, message_id)
    assert (view.state, view.direction, view.kind, view.priority) == ("undelivered", "mt", "sms", 2)
    assert (view.metadata, view.callback_url) == ({"k": "v"}, "https://x.org/cb")
    assert (view.line_id, view.line_name, view.line_why) == (line, "Pixel 0", "only_line")
    assert view.line_number is not None
    (segment,) = view.segment_reports
    assert (segment.index, segment.state, segment.error_code) == (0, "undelivered", "70")
    assert (view.due_at, view.error_code, view.reason) == (None, "0x46", "validity_expired")


def test_foreign_ids_are_not_there(world: World) -> None:
    world.phone()
    accepted = world.do(accept, world.prepare(PEER, batch_name="b"))
    message_id = accepted.results[0].message_id
    thread = accepted.results[0].conversation_id
    assert ask(world, search.find_message, STRANGER, message_id) is None
    assert ask(world, timeline.read_timeline, STRANGER, message_id) is None
    assert ask(world, conversations.find_conversation, STRANGER, thread) is None
    assert ask(world, conversations.list_thread, STRANGER, thread, None, 10) is None
    assert ask(world, batches.find_batch, STRANGER, accepted.batch_id) is None
    for question in (search.list_messages, conversations.list_conversations):
        asked = MessageFilter() if question is search.list_messages else ConversationFilter()
        assert ids(ask(world, question, STRANGER, asked, None, 10)) == []
    change = UpdateConversation(account_id=STRANGER, conversation_id=thread or "", read=True)
    assert world.refusal(update_conversation, change).code == Code.NOT_FOUND


# --- lists


def test_pages_follow_one_another_newest_first_without_a_gap(world: World) -> None:
    world.phone()
    sent = [world.send(PEER) for _ in range(7)]
    pages: list[str] = []
    cursor = None
    while True:
        page = ask(world, search.list_messages, ACCOUNT, MessageFilter(), cursor, 3)
        pages += ids(page)
        cursor = page.next
        if cursor is None:
            break
    assert pages == sent[::-1]
    oldest = ask(world, search.list_messages, ACCOUNT, MessageFilter(is_oldest_first=True), sent[2], 2)
    assert (ids(oldest), oldest.next) == (sent[3:5], sent[4])


def test_every_filter_narrows(world: World, phones: Phones) -> None:
    phone = world.phone(sims=2)
    one, two = world.lines(phone)
    first = world.send(PEER, sender=ByLine(one), text="Your CODE is 1%")
    batched = world.do(accept, world.prepare(OTHER, batch_name="b", sender=ByLine(two)))
    second = batched.results[0].message_id or ""
    phones.sent(phone, phones.bound(phone, second))
    inbound = take(world, phone, "code?").message_id
    before = world.clock.now()
    world.clock.advance(7200)
    late = world.send(PEER, sender=ByLine(one))
    assert found(world, peer=OTHER) == [second]
    assert found(world, peer=PEER) == [late, inbound, first]
    assert found(world, states=("sent", "received")) == [inbound, second]
    assert found(world, direction="mo") == [inbound]
    assert found(world, kind="call") == []
    assert found(world, line_id=two) == [second]
    assert set(found(world, device_id=phone)) == {second, inbound, first}
    assert found(world, batch_id=batched.batch_id) == [second]
    assert found(world, conversation_id=batched.results[0].conversation_id) == [second]
    assert found(world, text="code") == [inbound, first]
    assert found(world, text="1%") == [first]
    assert found(world, text="_ode") == []
    assert found(world, created_from=before + 1) == [late]
    assert set(found(world, created_to=before + 1)) == {first, second, inbound}
    assert ask(world, search.count_messages, ACCOUNT, MessageFilter(direction="mt")) == 3
    assert ask(world, search.count_messages, ACCOUNT, MessageFilter(peer=OTHER)) == 1


def test_a_text_that_has_no_line_yet_is_found_by_its_peer(world: World) -> None:
    message_id = world.send(PEER)
    assert found(world, peer=PEER) == [message_id]


def test_a_search_for_what_is_rare_stops_after_a_window_and_says_where(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages_search, "WINDOW", 4)
    world.phone()
    needle = world.send(PEER, text="needle")
    hay = [world.send(PEER, text="hay") for _ in range(6)]
    page = ask(world, search.list_messages, ACCOUNT, MessageFilter(text="needle"), None, 10)
    assert (ids(page), page.next) == ([], hay[2])
    page = ask(world, search.list_messages, ACCOUNT, MessageFilter(text="needle"), page.next, 10)
    assert (ids(page), page.next) == ([needle], None)


@pytest.mark.parametrize("cursor", ["", "x", "0" * 25, "' or 1=1 --"])
def test_what_is_no_cursor_is_refused(world: World, cursor: str) -> None:
    for question, asked in (
        (search.list_messages, MessageFilter()),
        (conversations.list_conversations, ConversationFilter()),
    ):
        with pytest.raises(HubError) as caught:
            ask(world, question, ACCOUNT, asked, cursor, 10)
        assert caught.value.code == Code.BAD_CURSOR


# --- threads


def test_threads_are_listed_with_their_newest_text_and_narrowed(world: World) -> None:
    phone = world.phone()
    world.send(PEER)
    world.clock.advance(1)
    world.send(OTHER, text="second")
    world.clock.advance(1)
    inbound = take(world, phone, "an answer").message_id
    page = ask(world, conversations.list_conversations, ACCOUNT, ConversationFilter(), None, 1)
    (newest,) = page.items
    assert (newest.peer, newest.unread, newest.last_message.id, newest.last_direction) == (PEER, 1, inbound, "mo")
    rest = ask(world, conversations.list_conversations, ACCOUNT, ConversationFilter(), page.next, 10)
    assert ([item.peer for item in rest.items], rest.next) == ([OTHER], None)

    def peers(**narrowed: Any) -> list[str]:
        asked = ConversationFilter(**narrowed)
        listed = ask(world, conversations.list_conversations, ACCOUNT, asked, None, 10)
        return [item.peer for item in listed.items]

    assert peers(is_unread=True) == [PEER]
    assert peers(is_unread=False) == [OTHER]
    assert peers(peer=OTHER) == [OTHER]
    assert peers(text="SECOND") == [OTHER]
    assert peers(text="7777") == [OTHER]
    assert peers(line_id="x" * 24) == []
    assert peers(is_archived=True) == []


def test_a_thread_is_read_put_away_and_silenced(world: World) -> None:
    phone = world.phone()
    first, second, third = (take(world, phone, str(number)) for number in range(3))
    thread = first.conversation_id or ""

    def change(**values: Any) -> Any:
        return world.do(update_conversation, UpdateConversation(account_id=ACCOUNT, conversation_id=thread, **values))

    assert change(read_up_to=second.message_id).unread == 1
    assert change(read_up_to=first.message_id).unread == 1, "reading never goes back"
    view = change(read=True)
    assert (view.unread, view.read_up_to) == (0, third.message_id)
    assert change(read=False).unread == 1
    assert change(archived=True).archived_at == world.clock.now()
    assert change(muted=True, archived=False).archived_at is None
    view = ask(world, conversations.find_conversation, ACCOUNT, thread)
    assert (view.muted_at, view.unread) == (world.clock.now(), 1)
    page = ask(world, conversations.list_thread, ACCOUNT, thread, None, 2, oldest_first=True)
    assert ids(page) == [first.message_id, second.message_id]


# --- batches


def test_a_batch_counts_its_texts_by_state(world: World, phones: Phones) -> None:
    phone = world.phone()
    accepted = world.do(accept, world.prepare(PEER, OTHER, "nonsense", batch_name="b"))
    phones.sent(phone, phones.bound(phone, accepted.results[0].message_id or ""))
    view = ask(world, batches.find_batch, ACCOUNT, accepted.batch_id)
    assert (view.name, view.total, view.refused, view.counts) == ("b", 2, 1, {"sent": 1, "queued": 1})
    world.do(accept, world.prepare(PEER, batch_name="later"))
    page = ask(world, batches.list_batches, ACCOUNT, None, 1)
    assert [item.name for item in page.items] == ["later"]
    page = ask(world, batches.list_batches, ACCOUNT, page.next, 5)
    assert [item.name for item in page.items] == ["b"]


# --- the timeline


def sentences(world: World, message_id: str) -> list[str]:
    view = ask(world, timeline.read_timeline, ACCOUNT, message_id)
    return [hop.sentence for hop in view.entries]


def test_a_timeline_tells_the_whole_way_in_plain_words(world: World, phones: Phones) -> None:
    phone = world.phone()
    message_id = world.send(PEER)
    job = phones.bound(phone, message_id)
    phones.sent(phone, job)
    phones.sent(phone, job)
    phones.delivered(phone, job)
    assert sentences(world, message_id) == [
        "The hub took it by v1. 1 segment.",
        "Pixel 0 was chosen. It is the only line.",
        "Offered to Pixel.",
        "Pixel has it and may send it.",
        "Sent from Pixel 0, 1 segment. The network took it.",
        "Segment 1 of 1: sent. Not applied: it was known already.",
        "Delivered. The handset confirmed it.",
    ]
    view = ask(world, timeline.read_timeline, ACCOUNT, message_id)
    assert [(hop.from_state, hop.to_state) for hop in view.entries if hop.to_state] == [
        (None, "queued"),
        ("queued", "dispatched"),
        ("dispatched", "sent"),
        ("sent", "delivered"),
    ]
    assert [hop.actor for hop in view.entries] == ["api", "hub", "hub", "phone", "phone", "phone", "phone"]
    assert view.entries[2].data["device_id"] == render("device", phone)
    assert view.entries[4].raw == "{}"


def test_a_timeline_names_phones_as_they_are_called_today(world: World, phones: Phones) -> None:
    phone = world.phone("Old name")
    message_id = world.send(PEER)
    phones.offers(phone)
    world.change(Device, phone, name="New name")
    assert sentences(world, message_id)[-1] == "Offered to New name."


def test_a_timeline_tells_when_it_goes_again_in_the_accounts_time(world: World, phones: Phones) -> None:
    world.change(Account, ACCOUNT, settings='{"time_zone":"Asia/Tokyo"}')
    phone = world.phone()
    message_id = world.send(PEER)
    phones.failed(phone, phones.bound(phone, message_id), 17)
    assert "Nothing left the phone. It goes again at 23:13." in sentences(world, message_id)[-1]


def test_a_timeline_tells_of_waiting_for_a_line_of_a_schedule_of_cancel_and_of_sending_again(world: World) -> None:
    message_id = world.send(PEER, scheduled_at=world.clock.now() + 86_400_000)
    world.do(cancel, Cancel(account_id=ACCOUNT, message_id=message_id, by="operator"))
    again = world.new_id()
    world.do(resend, Resend(account_id=ACCOUNT, message_id=message_id, new_id=again))
    assert sentences(world, message_id) == [
        "The hub took it by v1. 1 segment. It waits until 2026-09-22 14:13.",
        "There was no line yet. It waits for one.",
        "Cancelled by an operator. Nothing left the phone, so it is safe to send again.",
        f"Sent again as {render('message', again)}.",
    ]
    assert sentences(world, again)[0] == "The hub took it by v1. 1 segment. It sends an earlier text again."


def test_an_inbound_text_has_a_timeline_too(world: World) -> None:
    phone = world.phone()
    assert sentences(world, take(world, phone).message_id) == ["Received on Pixel 0 by Pixel."]


# --- waiting for a text


def cursor(world: World) -> str:
    told: str = ask(world, inbox.latest_cursor, ACCOUNT)
    return told


def waited(world: World, after: str, **query: Any) -> Any:
    return ask(world, inbox.next_text, ACCOUNT, compile_query(InboxQuery(**query)), after)


def test_the_next_text_is_the_first_one_after_the_cursor(world: World) -> None:
    phone = world.phone()
    take(world, phone, "before")
    start = cursor(world)
    world.send(PEER)
    assert waited(world, start).message is None
    first, second = take(world, phone, "one"), take(world, phone, "two")
    page = waited(world, start)
    assert page.message.id == first.message_id
    assert waited(world, page.next).message.id == second.message_id
    assert waited(world, waited(world, page.next).next).message is None


@pytest.mark.parametrize(
    ("query", "matches"),
    [
        ({}, True),
        ({"sender": PEER}, True),
        ({"sender": "+49 170 1234567"}, True),
        ({"sender": OTHER}, False),
        ({"kind": "literal", "pattern": "code is"}, True),
        ({"kind": "literal", "pattern": "CODE IS"}, False),
        ({"kind": "prefix", "pattern": "Your"}, True),
        ({"kind": "prefix", "pattern": "code"}, False),
        ({"kind": "glob", "pattern": "Your code*12?4*"}, True),
        ({"kind": "glob", "pattern": "code*"}, False),
        ({"kind": "glob", "pattern": "Your code is 1.34."}, False),
        ({"kind": "re2", "pattern": r"\b\d{4}\b"}, True),
        ({"kind": "re2", "pattern": r"^\d"}, False),
        ({"line_id": "x" * 24}, False),
    ],
)
def test_sender_line_and_pattern_must_match(world: World, query: dict[str, Any], matches: bool) -> None:
    phone = world.phone()
    start = cursor(world)
    take(world, phone, "Your code is 1234.\nBye")
    assert (waited(world, start, **query).message is not None) is matches


@pytest.mark.parametrize("pattern", [r"(?=x)", r"(a)\1", "(", "a" * 501, ""])
def test_patterns_that_could_stop_the_process_are_refused(pattern: str) -> None:
    with pytest.raises(HubError) as caught:
        compile_query(InboxQuery(kind="re2", pattern=pattern))
    assert caught.value.code == Code.BAD_PATTERN


@pytest.mark.parametrize("bad", ["", "1.2", "x.1.2", ".a.b", "...", f".{'9' * 30}.1"])
def test_a_cursor_of_another_life_of_the_data_is_refused(world: World, bad: str) -> None:
    with pytest.raises(HubError) as caught:
        waited(world, bad)
    assert caught.value.code == Code.BAD_CURSOR
    start = cursor(world)
    world.insert(HubFact, name="hub_epoch", value="restored")
    with pytest.raises(HubError):
        waited(world, start)
    assert waited(world, cursor(world)).message is None


def test_a_paused_text_shows_no_due_time(world: World) -> None:
    world.phone()
    accepted = world.do(accept, world.prepare(PEER, batch_name="b"))
    world.do(
        batches.change_batch,
        batches.ChangeBatch(account_id=ACCOUNT, batch_id=accepted.batch_id or "", action="pause"),
    )
    (row,) = world.rows(Message)
    assert row["due_at"] == batches.PAUSED_UNTIL
    assert ask(world, search.find_message, ACCOUNT, row["id"]).due_at is None
