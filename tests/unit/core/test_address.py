"""`hub.core.address`: one spelling for each address, and sentences for what is none."""

import re

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core import address
from hub.core.address import Address, AddressFault, AddressKind, BadAddress

MSISDN, SHORT, NAME, OPAQUE = (
    AddressKind.MSISDN,
    AddressKind.SHORT_CODE,
    AddressKind.ALPHANUMERIC,
    AddressKind.OPAQUE,
)


@pytest.mark.parametrize(
    ("text", "region", "value"),
    [
        ("+491701234567", None, "+491701234567"),
        ("+49 (0)170 / 123-4567", None, "+491701234567"),
        ("0170 1234567", "DE", "+491701234567"),
        ("170 1234567", "DE", "+491701234567"),
        ("00491701234567", None, "+491701234567"),
        ("00491701234567", "DE", "+491701234567"),
        ("011 49 170 1234567", "US", "+491701234567"),
        ("(415) 555-2671", "US", "+14155552671"),
        ("+39 06 12345678", None, "+390612345678"),
        ("\u202a+49\u00a0170\u20111234567\u202c", None, "+491701234567"),
        ("\uff0b\uff14\uff19\uff11\uff17\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17", None, "+491701234567"),
        ("\u0660\u0661\u0667\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667", "DE", "+491701234567"),
        ("234567", "AD", "234567"),
        ("312345", "AD", "+376312345"),
    ],
)
def test_recipients(text: str, region: str | None, value: str) -> None:
    kind = MSISDN if value.startswith("+") else SHORT
    assert address.parse_recipient(text, region) == Address(kind, value)


@pytest.mark.parametrize("text", ["110", "12345", "70007", "123456", " 12 345 "])
@pytest.mark.parametrize("region", [None, "DE", "US"])
def test_short_codes(text: str, region: str | None) -> None:
    assert address.parse_recipient(text, region) == Address(SHORT, text.replace(" ", ""))


@pytest.mark.parametrize(
    ("text", "region", "fault", "words"),
    [
        ("", None, AddressFault.EMPTY, "is empty"),
        (" - ", None, AddressFault.EMPTY, "is empty"),
        ("hello", None, AddressFault.NOT_A_NUMBER, "only digits"),
        ("1-800-FLOWERS", "US", AddressFault.NOT_A_NUMBER, "only digits"),
        ("*100#", "DE", AddressFault.NOT_A_NUMBER, "only digits"),
        ("+49+170", None, AddressFault.NOT_A_NUMBER, "only digits"),
        ("01701234567", None, AddressFault.NO_COUNTRY_CODE, "no country code"),
        ("01701234567", "XX", AddressFault.NO_COUNTRY_CODE, "no country code"),
        ("+999123456789", None, AddressFault.UNKNOWN_COUNTRY_CODE, "country code that exists"),
        ("5552671", "US", AddressFault.NO_AREA_CODE, "area code"),
        ("+1415555267", None, AddressFault.TOO_SHORT, "too few"),
        ("12", None, AddressFault.TOO_SHORT, "too few"),
        ("+141555526711", None, AddressFault.TOO_LONG, "too many"),
        ("+" + "1" * 400, None, AddressFault.TOO_LONG, "too many"),
        (" 447700900142", None, AddressFault.NO_COUNTRY_CODE, "%2B"),
    ],
)
def test_what_is_no_recipient_is_refused_with_advice(
    text: str, region: str | None, fault: AddressFault, words: str
) -> None:
    with pytest.raises(BadAddress, match=words) as caught:
        address.parse_recipient(text, region)
    assert caught.value.fault is fault


@given(st.text(max_size=80), st.sampled_from([None, "DE", "US", "GB", "IT", "XX"]))
def test_any_text_is_an_address_or_a_bad_one(text: str, region: str | None) -> None:
    try:
        found = address.parse_recipient(text, region)
    except BadAddress:
        return
    assert address.parse_recipient(found.value, region) == found


@given(st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True))
def test_a_number_is_possible_or_refused(text: str) -> None:
    try:
        found = address.parse_recipient(text)
    except BadAddress:
        return
    assert phonenumbers.is_possible_number(phonenumbers.parse(found.value))
    assert found.kind is MSISDN


codes = st.sampled_from(sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)).map(str)


@settings(max_examples=2000)
@given(codes, st.from_regex(r"[0-9]{3,13}", fullmatch=True))
def test_the_short_way_to_a_number_leads_where_the_long_one_does(code: str, national: str) -> None:
    text = f"+{code}{national}"
    if re.fullmatch(r"\+[1-9][0-9]{6,14}", text) and address._is_plain(text):
        assert address._number(text, None) == Address(MSISDN, text)


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_the_short_way_takes_the_example_number_of_each_country(region: str) -> None:
    example = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    if example is None:
        return
    text = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    assert address.parse_recipient(text) == Address(MSISDN, text)
    assert address._is_plain(text) or address._number(text, None) == Address(MSISDN, text)


def test_most_countries_numbers_take_the_short_way() -> None:
    taken = [
        text for text in ("+491701234567", "+14155552671", "+447400123456", "+33612345678") if address._is_plain(text)
    ]
    assert len(taken) == 4


@given(st.text(max_size=200) | st.binary(max_size=40).map(lambda raw: raw.decode("utf-8", "surrogateescape")))
def test_no_sender_of_an_inbound_text_is_refused(text: str) -> None:
    found = address.peer_address(text, "DE")
    assert found.value
    found.value.encode("utf-8")


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("+491701234567", MSISDN, "+491701234567"),
        ("01701234567", MSISDN, "+491701234567"),
        ("22000", SHORT, "22000"),
        ("12", SHORT, "12"),
        ("Vodafone", NAME, "Vodafone"),
        ("My Bank", NAME, "My Bank"),
        ("O2-Team", NAME, "O2-Team"),
        ("Sehr lange Namen", OPAQUE, "Sehr lange Namen"),
        ("", OPAQUE, "unknown"),
        ("\x00", OPAQUE, "\ufffd"),
        ("银行", OPAQUE, "银行"),
    ],
)
def test_inbound_senders(text: str, kind: AddressKind, value: str) -> None:
    assert address.peer_address(text, "DE") == Address(kind, value)


def test_a_service_number_that_is_no_number_can_be_answered() -> None:
    assert address.peer_address("1234567") == Address(SHORT, "1234567")


@pytest.mark.parametrize("text", ["AbilIT", "  Shop 24 ", "A", "Zwölf-Zeich"])
def test_names_to_send_from(text: str) -> None:
    assert address.parse_sender(text) == Address(NAME, text.strip())


@pytest.mark.parametrize("text", ["Twelve chars", "!!!", "银行", "1234567", "a{b"])
def test_names_nobody_can_send_from(text: str) -> None:
    with pytest.raises(BadAddress) as caught:
        address.parse_sender(text)
    assert caught.value.fault is AddressFault.BAD_SENDER


@pytest.mark.parametrize(
    ("value", "masked"),
    [("+491701234567", "***67"), ("70007", "***07"), ("110", "1***"), ("Vodafone", "V***"), ("", "")],
)
def test_mask_keeps_two_digits(value: str, masked: str) -> None:
    assert address.mask(value) == masked
    assert address.mask(Address(OPAQUE, value)) == masked


@given(st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True))
def test_a_masked_number_hides_all_but_two_digits(number: str) -> None:
    assert sum(character.isdigit() for character in address.mask(number)) == 2


def test_regions() -> None:
    assert address.is_region("DE")
    assert not address.is_region("XX")


def test_an_encrypted_number_is_passed_on_as_it_is() -> None:
    value = "$aes-256-cbc/pbkdf2-sha1$i=75000$c2FsdA==$dGV4dA=="
    assert address.opaque(value) == Address(OPAQUE, value)
