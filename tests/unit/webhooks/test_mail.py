"""The bytes of a mail: whatever stands in names, numbers and texts, its headers are ours and its text comes out as it went in."""

import email
from email.policy import SMTP

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.core.events import EventType, ReceivedData, encode
from hub.core.ids import first_id_at
from hub.core.mail import (
    Thread,
    is_mailbox_local,
    mail_address,
    mailbox_id_of,
    mailbox_local,
    read_reply,
    reply_local,
)
from hub.core.ports import EndpointView, EventView
from hub.core.retry import PRESETS
from hub.dialects.agile.events import Agile
from hub.webhooks.formats.mail import PlainMail
from hub.webhooks.judgement import judge
from hub.webhooks.mail import MailIdentity, compose
from hub.webhooks.sentences import Result

WHATEVER_IT_TAKES = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""What is tested does not depend on how fast the machine is."""
NASTY = st.text(st.sampled_from("\r\n\0\x0b\x85\u2028 <>@,;:\"'=?aB.€🙂é\ud800"), max_size=400) | st.text(max_size=400)
HEADERS = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Reply-To",
    "References",
    "In-Reply-To",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
    "Content-Type",
    "Content-Transfer-Encoding",
    "MIME-Version",
]
ID = first_id_at(1_769_850_000_123)


def composed(sender: str, text: str, brand: str, form: PlainMail | Agile, at: int = 1_769_850_000_123) -> bytes:
    clean = {"from_": sender.encode("utf-8", "replace").decode(), "text": text.encode("utf-8", "replace").decode()}
    data = ReceivedData(id="msg", to="+1", conversation_id=f"cnv_{ID}", received_at="2026-01-31T09:00:00.000Z", **clean)
    event = EventView(
        event_id=ID, seq=1, type=EventType.SMS_RECEIVED, account_id=ID, occurred_at=at, data=encode(data).encode()
    )
    view = EndpointView(endpoint_id=ID, account_id=ID, url="mailto:shop@example.org", kind="mail")
    return compose(MailIdentity("sms.example.org", brand, b"k" * 32), form, view, event).body


@WHATEVER_IT_TAKES
@given(NASTY, NASTY, NASTY, st.sampled_from([PlainMail(), Agile()]))
def test_no_text_reaches_a_header_that_is_not_its_own(sender: str, text: str, brand: str, form: PlainMail) -> None:
    raw = composed(sender, text, brand, form)
    assert b"\0" not in raw
    assert raw.replace(b"\r\n", b"").count(b"\n") == raw.replace(b"\r\n", b"").count(b"\r") == 0
    assert max(map(len, raw.split(b"\r\n"))) <= 998  # RFC 5322 §2.1.1
    message = email.message_from_bytes(raw, policy=SMTP)
    assert sorted(message.keys()) == sorted(HEADERS)
    assert message["Content-Transfer-Encoding"] == "quoted-printable"  # what is plain may lose its spaces on the way
    assert [one.addr_spec for one in message["From"].addresses] == ["smsin@sms.example.org"]
    assert [one.addr_spec for one in message["To"].addresses] == ["shop@example.org"]
    thread = reply_local(b"k" * 32, Thread(ID, ID)).encode()
    assert b"\r\nReferences: <" + thread + b"@sms.example.org>\r\n" in raw  # as mail programs look for it, not encoded
    assert b"\r\nMessage-ID: <" + ID.encode() + b"." + thread + b"@sms.example.org>\r\n" in raw
    assert raw == composed(sender, text, brand, form)


@WHATEVER_IT_TAKES
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=400))
def test_the_text_comes_out_as_it_went_in(text: str) -> None:
    message = email.message_from_bytes(composed("+1", text, "Shop", Agile()), policy=SMTP)
    body = message.get_payload(decode=True)
    assert isinstance(body, bytes)
    assert body.decode().replace("\r\n", "\n").partition("Body: ")[2] == text + "\n"


@WHATEVER_IT_TAKES
@given(st.integers(0, 1 << 47), st.integers(0, 1 << 47), st.text(max_size=20))
def test_an_address_of_the_hub_is_recognised_in_any_case_and_no_other_key_makes_one(
    first: int, second: int, around: str
) -> None:
    thread = Thread(first_id_at(first), first_id_at(second))
    local = reply_local(b"k" * 32, thread)
    assert len(local) <= 64
    assert mail_address(f"{local}@sms.example.org") is not None
    assert read_reply([b"o" * 32, b"k" * 32], f"{around} <1.{local.upper()}@sms.example.org>") == thread
    assert read_reply([b"o" * 32], local) is None
    box = mailbox_local(b"k" * 32, thread.endpoint_id, 3)
    assert mailbox_id_of(box.upper()) == thread.endpoint_id
    assert is_mailbox_local([b"k" * 32], box, 3)
    assert not is_mailbox_local([b"k" * 32], box, 4)
    assert not is_mailbox_local([b"o" * 32], box, 3)
    assert len(f"{box}+{'9' * 15}") <= 64


@pytest.mark.parametrize("place", range(2, 63))
def test_a_changed_letter_opens_nothing(place: int) -> None:
    local = reply_local(b"k" * 32, Thread(ID, first_id_at(1)))
    other = local[:place] + ("a" if local[place] != "a" else "b") + local[place + 1 :]
    # The last letter holds one bit beyond the mark; what differs there alone is the same address.
    assert (read_reply([b"k" * 32], other) is None) or (place == 62 and read_reply([b"k" * 32], other) is not None)


@pytest.mark.parametrize(
    ("result", "status", "is_tried_again", "is_down"),
    [
        (Result.MAIL_LATER, 451, True, False),
        (Result.MAIL_LATER, 429, True, False),  # no HTTP: a number that means nothing here
        (Result.MAIL_REFUSED, 550, False, False),
        (Result.MAIL_SERVER, 535, True, True),
        (Result.NO_SENDER, None, True, True),
    ],
)
def test_what_follows_from_a_mail_servers_answer(
    result: Result, status: int | None, is_tried_again: bool, is_down: bool
) -> None:
    judged = judge(result, status, schedule=PRESETS["mail"], attempts=1, first_at=0, now=0, random=0.5)
    assert ((judged.retry_at is not None), judged.is_down) == (is_tried_again, is_down)
    assert judged.gave_up == (None if is_tried_again else "refused")
    assert judged.pause_until is None


@WHATEVER_IT_TAKES
@given(st.text(max_size=60))
def test_nothing_but_a_plain_address_is_taken(text: str) -> None:
    address = mail_address(text)
    if address is not None:
        assert address.isascii()
        assert address.isprintable()
        assert not set(address) & set(' ,;:<>()[]\\"')
