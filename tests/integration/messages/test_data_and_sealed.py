"""Data SMS, and texts that only a phone can decrypt: taken, routed to phones that can, and offered as they are."""

import base64

import pytest

from device_protocol.frames import DataContent
from hub.core.address import Address, BadAddress, sealed_recipient
from hub.core.commands import ByDevice, SendRequest
from hub.core.effects import ToPhone
from hub.core.errors import Code, HubError
from hub.messages.accept import accept
from hub.messages.dispatch import OfferTo, offer
from hub.messages.idempotency import Accepted
from hub.messages.prepare import DATA_OCTETS, SendLimits, prepare
from hub.messages.resend import Resend, resend
from hub.messages.search import find_message
from hub.messages.views import MessageView
from hub.storage.schema.devices import Device, Line
from hub.storage.schema.messages import Message
from tests.integration.messages.world import ACCOUNT, PEER, World

SEALED_PEER = "$aes-256-cbc/pbkdf2-sha1$i=75000$c2FsdHNhbHRzYWx0c2E=$bnVtYmVy"
SEALED_TEXT = "$aes-256-cbc/pbkdf2-sha1$i=75000$c2FsdHNhbHRzYWx0c2E=$" + "dGV4dHRleHQ=" * 40
OCTETS = base64.b64encode(b"\x00\x01\xfe\xff").decode()


def send(world: World, *to: str | Address, text: str, **values: object) -> Accepted:
    request = SendRequest(**{"account_id": ACCOUNT, "door": "smsgate", "recipients": (), "text": text, **values})
    prepared = prepare(request, to, SendLimits(default_region="DE"), now=world.clock.now(), new_id=world.new_id)
    return world.do(accept, prepared)


def seen(world: World, accepted: Accepted) -> MessageView:
    view = world.db.read_now(find_message, ACCOUNT, accepted.results[0].message_id or "")
    assert view is not None
    return view


def offered(world: World, device_id: str) -> list[object]:
    """The frames of one round of offers."""
    world.effects.clear()
    world.do(offer, OfferTo(account_id=ACCOUNT, device_id=device_id, session_no=1))
    return [effect.frame for effect in world.effects if isinstance(effect, ToPhone)]


def test_a_data_sms_is_offered_as_octets_for_a_port(world: World) -> None:
    phone = world.phone()
    view = seen(world, send(world, PEER, text=OCTETS, data_port=53739))
    assert (view.kind, view.encoding, view.segments, view.text) == ("data", "8bit", 1, OCTETS)
    (job,) = offered(world, phone)
    assert (getattr(job, "data"), getattr(job, "text")) == (DataContent(OCTETS, 53739), None)  # noqa: B009


def test_data_and_texts_of_one_batch_are_stored_alike(world: World) -> None:
    world.phone()
    limits = SendLimits(default_region="DE")
    commands = []
    for number, port in enumerate((None, 5, None)):
        request = SendRequest(
            account_id=ACCOUNT, door="smsgate", recipients=(), text=OCTETS, data_port=port, priority=number
        )
        commands.append(prepare(request, [PEER], limits, now=world.clock.now(), new_id=world.new_id))
    world.run(accept, commands)
    rows = sorted(world.rows(Message), key=lambda row: row["priority"])
    assert [(row["kind"], row["data_port"], row["state"], row["submission"]) for row in rows] == [
        ("sms", None, "queued", 0),
        ("data", 5, "queued", 0),
        ("sms", None, "queued", 0),
    ]


def test_a_data_sms_that_is_sent_again_keeps_its_port(world: World) -> None:
    world.phone()
    first = send(world, PEER, text=OCTETS, data_port=7)
    message_id = first.results[0].message_id or ""
    world.change(Message, message_id, state="failed", final_at=1)
    again = world.do(
        resend, Resend(account_id=ACCOUNT, message_id=message_id, new_id=world.new_id(), door="v1", by="api")
    )
    row = next(row for row in world.rows(Message) if row["id"] == again.results[0].message_id)
    assert (row["kind"], row["data_port"], row["encoding"]) == ("data", 7, "8bit")


@pytest.mark.parametrize(
    ("text", "port", "code"),
    [
        ("not base64!", 1, Code.VALIDATION),
        (base64.b64encode(b"x" * (DATA_OCTETS + 1)).decode(), 1, Code.TEXT_TOO_LONG),
        (OCTETS, 65_536, Code.VALIDATION),
        (OCTETS, -1, Code.VALIDATION),
        ("", 1, Code.TEXT_EMPTY),
    ],
)
def test_data_no_phone_could_send_is_refused(world: World, text: str, port: int, code: Code) -> None:
    with pytest.raises(HubError) as refused:
        send(world, PEER, text=text, data_port=port)
    assert refused.value.code is code


@pytest.mark.parametrize(
    "text", ["", "+491701234567", "$short", "$aes with spaces in it", "$" + "x" * 512, "$aes\x00aaaaaaaa"]
)
def test_what_is_not_encrypted_is_no_sealed_recipient(text: str) -> None:
    with pytest.raises(BadAddress):
        sealed_recipient(text)


def test_a_sealed_text_goes_by_a_phone_that_decrypts_and_by_no_other(world: World) -> None:
    native, other = world.phone("Native"), world.phone("App", transport="smsgate")
    for _ in range(3):
        view = seen(world, send(world, sealed_recipient(SEALED_PEER), text=SEALED_TEXT))
        assert view.line_id in world.lines(other)
        assert (view.peer, view.text, view.encoding) == (SEALED_PEER, SEALED_TEXT, "8bit")
        assert view.segments > 1
    assert offered(world, native) == []


def test_a_sealed_text_waits_where_no_phone_decrypts(world: World) -> None:
    world.phone()
    view = seen(world, send(world, sealed_recipient(SEALED_PEER), text=SEALED_TEXT))
    assert (view.state, view.line_id) == ("queued", None)
    plain = seen(world, send(world, PEER, text="plain"))
    assert plain.line_id is not None


def test_a_sealed_text_for_a_phone_that_cannot_decrypt_is_refused(world: World) -> None:
    native = world.phone()
    with pytest.raises(HubError) as refused:
        send(world, sealed_recipient(SEALED_PEER), text=SEALED_TEXT, sender=ByDevice(native))
    assert refused.value.code is Code.UNKNOWN_SENDER


def test_a_sealed_text_is_not_offered_to_the_phone_its_sim_has_moved_to(world: World) -> None:
    app = world.phone("App", transport="smsgate")
    accepted = send(world, sealed_recipient(SEALED_PEER), text=SEALED_TEXT)
    native = world.phone("Native", sims=0)
    (line,) = world.lines(app)
    world.change(Line, line, device_id=native)
    assert seen(world, accepted).line_id == line
    assert offered(world, native) == []
    world.change(Device, native, transport="smsgate")
    assert len(offered(world, native)) == 1
