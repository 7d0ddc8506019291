"""What handsets send us."""

from typing import Any

import msgspec
import pytest

from device_protocol.frames import DataContent
from device_protocol.payloads import CallMissed, MmsReceived, SmsReceived
from device_protocol.wire_types import write_utc
from hub.core.commands import ByLine
from hub.core.effects import LiveHint
from hub.messages.receive import Incoming, Received, receive
from hub.messages.threads import conversation_id
from hub.storage.schema.accounts import Account
from hub.storage.schema.devices import Line
from hub.storage.schema.messages import Conversation
from hub.storage.schema.webhooks import WebhookEvent
from tests.integration.messages.world import ACCOUNT, PEER, World


def take(world: World, device_id: str, *payloads: Any) -> list[Received]:
    given = [
        Incoming(
            account_id=ACCOUNT,
            device_id=device_id,
            event_uuid=world.new_id(),
            at=world.clock.now(),
            payload=payload,
            raw='{"raw":1}',
        )
        for payload in payloads
    ]
    with world.conn.begin():
        received = receive(world.db.transaction(world.conn), given)
    world.effects.extend(effect for one in received for effect in one.effects)
    return received


def sms(world: World, text: str = "hi", sender: str = PEER, **values: Any) -> SmsReceived:
    given = {"sender": sender, "received_at": write_utc(world.clock.now()), "subscription_id": 1, "text": text}
    return SmsReceived(**{**given, **values})


def test_a_text_is_stored_in_its_thread_unread_and_announced(world: World) -> None:
    phone = world.phone()
    (line,) = world.lines(phone)
    centre = world.clock.now() - 5000
    (one,) = take(world, phone, sms(world, segments=2, service_centre_at=write_utc(centre)))
    row = world.message(one.message_id)
    assert (row.direction, row.kind, row.state, row.peer, row.text) == ("mo", "sms", "received", PEER, "hi")
    assert (row.line_id, row.device_id, row.segments, row.sent_at) == (line, phone, 2, centre)
    assert row.conversation_id == one.conversation_id == conversation_id(ACCOUNT, line, PEER)
    (thread,) = world.conversations()
    assert (thread["unread"], thread["last_message_id"], thread["last_direction"]) == (1, row.id, "mo")
    (event,) = world.rows(WebhookEvent)
    data = msgspec.json.decode(event["data"])
    assert (event["type"], event["peer"], data["from"], data["text"]) == ("sms:received", PEER, PEER, "hi")
    assert data["to"] == world.rows(Line)[0]["number"]
    assert LiveHint(ACCOUNT, "conversation", thread["id"]) in world.effects
    assert world.kinds(row.id) == ["received"]


def test_texts_of_one_thread_count_up_and_a_reply_goes_the_same_way(world: World) -> None:
    world.phone("other")
    phone = world.phone()
    (line,) = world.lines(phone)
    take(world, phone, sms(world, "1"), sms(world, "2"))
    take(world, phone, sms(world, "3"))
    (thread,) = world.conversations()
    assert thread["unread"] == 3
    reply = world.message(world.send(PEER))
    assert (reply.line_id, reply.line_why, reply.conversation_id) == (line, "sticky", thread["id"])


def test_the_sim_decides_the_line(world: World) -> None:
    phone = world.phone(sims=2)
    first, second = world.lines(phone)
    received = take(
        world,
        phone,
        sms(world, subscription_id=2),
        sms(world, subscription_id=99, slot=0),
        sms(world, subscription_id=99),
    )
    assert [world.message(one.message_id).line_id for one in received] == [second, first, None]
    assert received[2].conversation_id is None


@pytest.mark.parametrize(
    ("sender", "peer"),
    [("0170 1234567", PEER), ("Bank", "Bank"), ("12345", "12345"), ("???\x00", "???\ufffd"), ("", "anonymous")],
)
def test_no_sender_is_too_strange(world: World, sender: str, peer: str) -> None:
    world.change(Account, ACCOUNT, settings='{"default_region":"DE"}')
    phone = world.phone()
    (one,) = take(world, phone, sms(world, sender=sender))
    assert world.message(one.message_id).peer == peer


def test_texts_no_database_can_store_are_made_storable(world: World) -> None:
    phone = world.phone()
    (one,) = take(world, phone, sms(world, "a\x00b\ud800"))
    assert world.message(one.message_id).text == "a\ufffdb\ufffd"


def test_an_empty_text_and_a_binary_one_are_kept(world: World) -> None:
    phone = world.phone()
    received = take(world, phone, sms(world, ""), sms(world, text=None, data=DataContent("AAEC", 2948)))
    assert [world.message(one.message_id).text for one in received] == ["", "[binary message for port 2948]"]


def test_an_mms_notice_and_a_missed_call_are_in_the_thread(world: World) -> None:
    phone = world.phone()
    at = write_utc(world.clock.now())
    received = take(
        world,
        phone,
        MmsReceived(received_at=at, subscription_id=1, sender=PEER, subject="photo", size_bytes=9),
        CallMissed(called_at=at, sender=PEER, subscription_id=1),
        CallMissed(called_at=at),
    )
    rows = [world.message(one.message_id) for one in received]
    assert [(row.kind, row.peer, row.text) for row in rows] == [
        ("mms", PEER, "photo"),
        ("call", PEER, ""),
        ("call", "anonymous", ""),
    ]
    assert rows[0].conversation_id == rows[1].conversation_id
    assert world.events() == ["mms:received", "call:missed", "call:missed"]


def test_a_new_text_takes_the_thread_out_of_the_archive_and_an_outgoing_one_does_not(world: World) -> None:
    phone = world.phone()
    (line,) = world.lines(phone)
    world.send(PEER, sender=ByLine(line))
    thread = conversation_id(ACCOUNT, line, PEER)
    world.change(Conversation, thread, archived_at=1)
    world.send(PEER)
    assert world.conversations()[0]["archived_at"] == 1
    take(world, phone, sms(world))
    assert world.conversations()[0]["archived_at"] is None
