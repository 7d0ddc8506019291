"""The QR text, the secret's hash, the bodies, and the chain of nonces that finds a cloned phone."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import device_protocol
from device_protocol.enrolment import (
    EnrolmentError,
    EnrolRequest,
    EnrolResponse,
    NonceMemory,
    QrInvitation,
    TokenRequest,
    build_qr_text,
    is_secret_of,
    parse_qr_text,
    rotate_nonce,
    secret_hash,
)

VECTORS = json.loads(
    (Path(str(device_protocol.__file__)).parent / "vectors" / "enrolment.json").read_text(encoding="utf-8")
)
TOKEN = "r4nd0mT0kenFromTheQrCode"


@pytest.mark.parametrize("vector", VECTORS["qr"], ids=lambda vector: vector["hub_url"])
def test_qr_text_both_ways(vector: dict[str, Any]) -> None:
    invitation = QrInvitation(vector["hub_url"], vector["token"], tuple(vector["pins"]))
    assert parse_qr_text(f" {vector['text']}\n") == invitation
    assert build_qr_text(invitation) == vector["text"]


@pytest.mark.parametrize("text", VECTORS["qr_invalid"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(EnrolmentError):
        parse_qr_text(text)


def test_unknown_options_of_a_qr_text_are_ignored() -> None:
    assert parse_qr_text(VECTORS["qr_unknown_option"]) == QrInvitation("https://hub.example", TOKEN)


def test_cleartext_is_for_the_lab_only() -> None:
    text = f"http://127.0.0.1:8080/enroll#{TOKEN}"
    assert parse_qr_text(text).hub_url == "http://127.0.0.1:8080"
    with pytest.raises(EnrolmentError, match="https"):
        parse_qr_text(text, is_cleartext_allowed=False)


@pytest.mark.parametrize(
    "invitation",
    [
        QrInvitation("https://hub.example/base", TOKEN),
        QrInvitation("https://hub.example", "short"),
        QrInvitation("https://hub.example", f"{TOKEN}&pin={'a' * 64}"),
        QrInvitation("https://hub.example", TOKEN, ("A" * 64,)),
        QrInvitation("hub.example", TOKEN),
    ],
)
def test_a_qr_text_that_would_not_be_read_is_not_built(invitation: QrInvitation) -> None:
    with pytest.raises(EnrolmentError):
        build_qr_text(invitation)


@settings(max_examples=300, deadline=None)
@given(st.text() | st.text().map(lambda text: f"https://hub/enroll#{text}"))
def test_reading_any_text_gives_an_invitation_or_an_enrolment_error(text: str) -> None:
    try:
        invitation = parse_qr_text(text)
    except EnrolmentError:
        return
    assert parse_qr_text(build_qr_text(invitation)) == invitation


def test_secret_is_hashed_as_its_characters() -> None:
    secret = VECTORS["secret"]
    assert secret_hash(secret["text"]) == secret["sha256"]
    assert is_secret_of(secret["text"], secret["sha256"])
    assert not is_secret_of(secret["text"][:-1] + "B", secret["sha256"])
    assert not is_secret_of("é" * 43, secret["sha256"])


@pytest.mark.parametrize("vector", VECTORS["nonces"], ids=lambda vector: vector["name"])
def test_nonce_chain(vector: dict[str, Any]) -> None:
    current, previous = vector["remembered"]
    epoch = None if current is None else "e1"
    after = rotate_nonce(NonceMemory(current, previous, epoch), vector["presented"], "fresh", "e1")
    then = vector["then"]
    assert after == (None if then is None else NonceMemory(then[0], then[1], "e1"))


def test_a_restored_hub_takes_the_first_nonce_it_sees() -> None:
    old = NonceMemory("n2", "n1", "e1")
    after = rotate_nonce(old, "n9", "fresh", "e2")
    assert after == NonceMemory("fresh", "n9", "e2")
    assert rotate_nonce(after, "n9", "fresh2", "e2") is not None
    assert rotate_nonce(after, "n1", "fresh2", "e2") is None


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("AB"), st.booleans()), max_size=12))
def test_of_two_phones_with_one_store_one_is_noticed_before_both_got_on(calls: list[tuple[str, bool]]) -> None:
    """Each call: which of two copies of one phone calls, and whether its answer arrives. One phone alone is never
    suspected; two are, at the latest when both have got an answer and one calls again."""
    memory = NonceMemory("n0", None, "e")
    held = {"A": "n0", "B": "n0"}
    answered = set()
    for count, (phone, arrives) in enumerate(calls, start=1):
        after = rotate_nonce(memory, held[phone], f"n{count}", "e")
        if after is None:
            assert len({name for name, _ in calls[:count]}) == 2
            return
        memory = after
        if arrives:
            held[phone] = f"n{count}"
            answered.add(phone)
    if len(answered) == 2:
        verdicts = [rotate_nonce(memory, nonce, "next", "e") for nonce in held.values()]
        assert None in verdicts


def test_bodies_are_read_strictly_and_unknown_fields_ignored() -> None:
    body = {
        "token": TOKEN,
        "secret_sha256": "a" * 64,
        "device": {"app_version": "1.0", "future": 1},
        "future": True,
    }
    request = msgspec.json.decode(json.dumps(body), type=EnrolRequest)
    assert (request.device.app_version, request.previous_secret) == ("1.0", None)
    for field, bad in (("token", "x"), ("secret_sha256", "A" * 64), ("previous_secret", "short"), ("device", None)):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(json.dumps({**body, field: bad}), type=EnrolRequest)
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode('{"device_id":"d","secret":"short"}', type=TokenRequest)
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(
            '{"device_id":"d","hub_epoch":"e","hub_time":"2026-02-30T00:00:00.000Z"}', type=EnrolResponse
        )
