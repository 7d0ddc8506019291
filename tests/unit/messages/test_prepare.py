"""What is checked before a request is queued."""

from itertools import count

import pytest

from hub.core.address import Address, AddressKind
from hub.core.commands import SendRequest
from hub.core.errors import Code, HubError
from hub.messages.prepare import FURTHEST_SCHEDULE_SECONDS, PreparedSend, SendLimits, prepare

NOW = 1_790_000_000_000
LIMITS = SendLimits(default_region="DE")


def make(*to: str | Address, text: str = "hi", limits: SendLimits = LIMITS, **values: object) -> PreparedSend:
    ids = count(1)
    request = SendRequest(**{"account_id": "a", "door": "v1", "recipients": (), "text": text, **values})
    return prepare(request, to, limits, now=NOW, new_id=lambda: f"id{next(ids)}")


def code_of(*to: str, **values: object) -> Code:
    with pytest.raises(HubError) as caught:
        make(*to, **values)
    return caught.value.code


def test_recipients_get_ids_in_their_order_and_bad_ones_a_reason() -> None:
    prepared = make("0170 1234567", "12", "+49 170 7654321")
    assert [(one.text, one.message_id, one.error and one.error.code) for one in prepared.given] == [
        ("0170 1234567", "id1", None),
        ("12", None, "too_short"),
        ("+49 170 7654321", "id2", None),
    ]
    assert [str(recipient.address) for recipient in prepared.request.recipients] == ["+491701234567", "+491707654321"]
    assert (prepared.request.batch_id, prepared.request.refused) == ("id3", 1)


def test_one_recipient_is_no_batch_unless_it_is_named() -> None:
    assert make("+491701234567").request.batch_id is None
    assert make("+491701234567", batch_name="b").request.batch_id == "id2"


def test_an_address_is_taken_as_it_is() -> None:
    opaque = Address(AddressKind.OPAQUE, "encrypted")
    assert make(opaque).request.recipients[0].address is opaque


@pytest.mark.parametrize(
    ("to", "values", "code"),
    [
        ((), {}, Code.VALIDATION),
        (("nonsense",), {}, Code.BAD_RECIPIENT),
        (("+491701234567", "x"), {"all_or_nothing": True}, Code.BAD_RECIPIENT),
        (("+491701234567",) * 3, {"limits": SendLimits(max_recipients=2)}, Code.TOO_MANY_RECIPIENTS),
        (("+491701234567",), {"text": ""}, Code.TEXT_EMPTY),
        (("+491701234567",), {"text": "x" * 161, "limits": SendLimits(max_segments=1)}, Code.TEXT_TOO_LONG),
        (("+491701234567",), {"text": "x" * 11, "limits": SendLimits(max_characters=10)}, Code.TEXT_TOO_LONG),
        (("+491701234567",), {"ttl_seconds": 0}, Code.VALIDATION),
        (("+491701234567",), {"ttl_seconds": 31_536_001}, Code.VALIDATION),
        (("+491701234567",), {"scheduled_at": NOW - 301_000}, Code.SCHEDULE_OUT_OF_RANGE),
        (
            ("+491701234567",),
            {"scheduled_at": NOW + (FURTHEST_SCHEDULE_SECONDS + 1) * 1000},
            Code.SCHEDULE_OUT_OF_RANGE,
        ),
        (("+491701234567",), {"metadata": {str(n): "" for n in range(51)}}, Code.VALIDATION),
        (("+491701234567",), {"metadata": {"k" * 65: ""}}, Code.VALIDATION),
        (("+491701234567",), {"metadata": {"k": "v" * 513}}, Code.VALIDATION),
    ],
)
def test_what_cannot_be_sent_is_refused(to: tuple[str, ...], values: dict[str, object], code: Code) -> None:
    assert code_of(*to, **values) == code


def test_a_time_just_over_means_now() -> None:
    assert make("+491701234567", scheduled_at=NOW - 1000).request.scheduled_at is None
    assert make("+491701234567", scheduled_at=NOW + 1).request.scheduled_at == NOW + 1


def test_a_request_with_a_key_waits_for_others_with_the_same() -> None:
    assert make("+491701234567").keys() == ()
    assert make("+491701234567", idempotency_key="k").keys() == ("idem:a:v1:k",)


def test_nothing_a_database_refuses_gets_in() -> None:
    prepared = make("+491701234567", "x\x00\ud800", text="a\x00\ud800", metadata={"\x00": "\udfff"}, batch_name="\x00")
    assert prepared.request.text == "a\ufffd\ufffd"
    assert prepared.request.metadata == {"\ufffd": "\ufffd"}
    assert prepared.request.batch_name == "\ufffd"
    assert prepared.given[1].text == "x\ufffd\ufffd"
    assert "\x00" not in str(prepared.given[1].error)
