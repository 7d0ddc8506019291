"""SMS addresses: an MSISDN (E.164), a short code, or an alphanumeric sender.

A number is refused only when it cannot exist (unknown country code, impossible length): the tables of numbers in use age faster than
this hub is updated, and refusing a valid number is worse than a failure reported by the network. Inbound senders are never refused.
"""

import re
from enum import StrEnum
from functools import cache, lru_cache
from typing import NamedTuple

import msgspec
import phonenumbers
from phonenumbers import PhoneNumberFormat, ValidationResult

from hub.core.encoding import GSM7_BASIC
from hub.core.text import sanitise

SENDER_MAX = 11
"""Characters of an alphanumeric sender (3GPP TS 23.040 §9.1.2.5: 7 bytes hold 11 septets)."""
_INPUT_MAX = 64
_CACHED = 32_768

_E164 = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
_IGNORABLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
_SEPARATORS = re.compile(r"[\s().\-/\u2010-\u2015\u2212]+")
_SHORT_CODE = re.compile(r"[0-9]{3,6}", re.ASCII)
_SERVICE_NUMBER = re.compile(r"[0-9]{1,8}", re.ASCII)
"""Digits of a sender that no number is known for: one can answer it as it is."""
_NAME = re.compile(f"[{re.escape(GSM7_BASIC)}]{{1,{SENDER_MAX}}}")


class AddressKind(StrEnum):
    """What an address is; each kind has its own rules for sending."""

    MSISDN = "msisdn"
    """A number in E.164: `+` and 7 to 15 digits."""
    SHORT_CODE = "short_code"
    """3 to 6 digits that mean something inside one country."""
    ALPHANUMERIC = "alphanumeric"
    """A sender's name: nobody can answer it."""
    OPAQUE = "opaque"
    """Passed on untouched: an end-to-end encrypted number, or a sender that fits nothing else."""


class Address(msgspec.Struct, frozen=True):
    """One SMS address in its only spelling."""

    kind: AddressKind
    value: str

    def __str__(self) -> str:
        return self.value


class AddressFault(StrEnum):
    """Why a text is no address to send to."""

    EMPTY = "empty"
    NOT_A_NUMBER = "not_a_number"
    NO_COUNTRY_CODE = "no_country_code"
    UNKNOWN_COUNTRY_CODE = "unknown_country_code"
    NO_AREA_CODE = "no_area_code"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    WRONG_LENGTH = "wrong_length"
    BAD_SENDER = "bad_sender"
    NOT_SEALED = "not_sealed"


_WHAT_TO_DO = {
    AddressFault.EMPTY: "The number is empty. Write it like +491701234567.",
    AddressFault.NOT_A_NUMBER: "{0} is not a phone number. Write only digits after a +, like +491701234567.",
    AddressFault.NO_COUNTRY_CODE: "{0} has no country code. Write it like +491701234567, or set a default region.",
    AddressFault.UNKNOWN_COUNTRY_CODE: "{0} does not begin with a country code that exists. Check the digits after the +.",
    AddressFault.NO_AREA_CODE: "{0} has no area code. Write the whole number with its country code.",
    AddressFault.TOO_SHORT: "{0} has too few digits. Check it for a missing one.",
    AddressFault.TOO_LONG: "{0} has too many digits. Check it for one typed twice.",
    AddressFault.WRONG_LENGTH: "{0} has a number of digits that its country does not use. Check them.",
    AddressFault.NOT_SEALED: "{0} is not encrypted. Encrypt each number too, so that it begins with $aes-256-cbc.",
    AddressFault.BAD_SENDER: "{0} cannot be a sender. Use a number, or 1 to 11 letters, digits and spaces with a letter in them.",
}

LOST_PLUS = " It begins with a space: in a form or a URL a + is written %2B (with curl: --data-urlencode)."
"""What becomes of +49… where nobody has encoded it. It is not put back: a number without it may be meant inside a country."""


class BadAddress(ValueError):
    """A text nobody can send to. Its message is a sentence for the caller; `fault` is for code."""

    def __init__(self, fault: AddressFault, text: str) -> None:
        lost_plus = LOST_PLUS if text[:1] == " " and text[1:2].isdigit() else ""
        super().__init__(_WHAT_TO_DO[fault].format(_shown(text)) + lost_plus)
        self.fault = fault


def parse_recipient(text: str, default_region: str | None = None) -> Address:
    """The address to send to. `default_region` is an ISO 3166 code (`DE`) for numbers written without a country code.

    Raises BadAddress.
    """
    found = _looked_up(text, default_region)
    if isinstance(found, AddressFault):
        raise BadAddress(found, text)
    return found


SEALED = "$"
"""How every end-to-end encrypted number begins (`$aes-256-cbc/…`, `$rsa-oaep-…`); no number and no name does."""
_SEALED = re.compile(r"\$[A-Za-z0-9$/+=_.,:-]{8,511}", re.ASCII)


def sealed_recipient(text: str) -> Address:
    """A number that only the phone that sends can decrypt, passed on untouched. Raises BadAddress."""
    if _SEALED.fullmatch(text) is None:
        raise BadAddress(AddressFault.NOT_SEALED if text else AddressFault.EMPTY, text)
    return Address(AddressKind.OPAQUE, text)


def is_sealed(value: str) -> bool:
    """Whether an address to send to is an encrypted one: only some phones can send to it."""
    return value.startswith(SEALED)


def parse_sender(text: str, default_region: str | None = None) -> Address:
    """The address a request wants to send from: a number, a short code, or a name of 1 to 11 GSM characters. Raises BadAddress."""
    found = _looked_up(text, default_region)
    if isinstance(found, Address):
        return found
    name = text.strip()
    if _NAME.fullmatch(name) and any(character.isalpha() for character in name):
        return Address(AddressKind.ALPHANUMERIC, name)
    raise BadAddress(AddressFault.BAD_SENDER if text.strip() else AddressFault.EMPTY, text)


def peer_address(text: str, default_region: str | None = None) -> Address:
    """The address of whoever sent an inbound text. Takes everything: no text is lost over a strange sender."""
    try:
        return parse_sender(text, default_region)
    except BadAddress:
        value = sanitise(text).strip()[:_INPUT_MAX]
    if _SERVICE_NUMBER.fullmatch(value):
        return Address(AddressKind.SHORT_CODE, value)
    return Address(AddressKind.OPAQUE, value or "unknown")


def opaque(text: str) -> Address:
    """An address the hub must pass on as it is, such as an end-to-end encrypted number."""
    return Address(AddressKind.OPAQUE, text)


def mask(address: Address | str) -> str:
    """For logs: `***67` for a number, `A***` for a name."""
    value = str(address)
    if any(character.isdigit() for character in value[-2:]) and len(value) > 4:
        return "***" + value[-2:]
    return f"{value[:1]}***" if value else ""


def is_region(code: str) -> bool:
    """Whether this is an ISO 3166 code (`DE`) whose numbering plan is known."""
    return code in phonenumbers.SUPPORTED_REGIONS


def _looked_up(text: str, region: str | None) -> Address | AddressFault:
    return AddressFault.TOO_LONG if len(text) > _INPUT_MAX else _recipient(text, region)


@lru_cache(maxsize=_CACHED)
def _recipient(text: str, region: str | None) -> Address | AddressFault:
    """The rule of `parse_recipient`, with the fault as a value so that it can be cached."""
    if _E164.fullmatch(text):
        return Address(AddressKind.MSISDN, text) if _is_plain(text) else _number(text, None)
    compact = _SEPARATORS.sub("", _IGNORABLE.sub("", text))
    compact = "".join(_ascii_digit(character) for character in compact)
    if not compact:
        return AddressFault.EMPTY
    if not re.fullmatch(r"\+?[0-9]+", compact, re.ASCII):
        return AddressFault.NOT_A_NUMBER
    return _number(compact, None) if compact.startswith("+") else _local(compact, region)


class _Plan(NamedTuple):
    """What a country's numbering plan says of a number's length."""

    lengths: frozenset[int]
    prefix: re.Pattern[str] | None
    """Digits that some write before the national number and that are no part of it."""


@cache
def _plan(calling_code: str) -> _Plan | None:
    """The plan of a calling code; None when there is no such code, or it belongs to no country (satellites, freephone)."""
    region = phonenumbers.region_code_for_country_code(int(calling_code))
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region, None)
    if metadata is None or metadata.general_desc is None:
        return None
    prefix = metadata.national_prefix_for_parsing
    return _Plan(frozenset(metadata.general_desc.possible_length), re.compile(prefix) if prefix else None)


def _is_plain(text: str) -> bool:
    """Whether `+` and digits are a possible number already in its only spelling: a tenth of the cost of parsing it."""
    for end in (2, 3, 4):
        plan = _plan(text[1:end])
        if plan is not None:
            national = text[end:]
            return len(national) in plan.lengths and (plan.prefix is None or not plan.prefix.match(national))
    return False


def _local(digits: str, region: str | None) -> Address | AddressFault:
    """Digits without a country code: a number of the default region, a short code, or `00` for `+` where no region says otherwise."""
    if region not in phonenumbers.SUPPORTED_REGIONS:
        region = None
    if region is None and digits.startswith("00"):
        return _number("+" + digits[2:], None)
    national = _number(digits, region) if region else AddressFault.NO_COUNTRY_CODE
    if _SHORT_CODE.fullmatch(digits):
        is_number = isinstance(national, Address) and phonenumbers.is_valid_number(phonenumbers.parse(national.value))
        return national if is_number else Address(AddressKind.SHORT_CODE, digits)
    return national if len(digits) > 2 else AddressFault.TOO_SHORT


def _ascii_digit(character: str) -> str:
    """Digits of any script as ASCII, a full-width plus as a plus."""
    if character == "\uff0b":
        return "+"
    return str(int(character)) if character.isdecimal() else character


_LENGTH_FAULTS = {
    ValidationResult.INVALID_COUNTRY_CODE: AddressFault.UNKNOWN_COUNTRY_CODE,
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: AddressFault.NO_AREA_CODE,
    ValidationResult.TOO_SHORT: AddressFault.TOO_SHORT,
    ValidationResult.TOO_LONG: AddressFault.TOO_LONG,
    ValidationResult.INVALID_LENGTH: AddressFault.WRONG_LENGTH,
}


def _number(text: str, region: str | None) -> Address | AddressFault:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException as error:
        return _PARSE_FAULTS.get(error.error_type, AddressFault.NOT_A_NUMBER)
    possible = phonenumbers.is_possible_number_with_reason(number)
    if possible != ValidationResult.IS_POSSIBLE:
        return _LENGTH_FAULTS.get(possible, AddressFault.NOT_A_NUMBER)
    return Address(AddressKind.MSISDN, phonenumbers.format_number(number, PhoneNumberFormat.E164))


_PARSE_FAULTS = {
    phonenumbers.NumberParseException.INVALID_COUNTRY_CODE: AddressFault.UNKNOWN_COUNTRY_CODE,
    phonenumbers.NumberParseException.TOO_SHORT_AFTER_IDD: AddressFault.TOO_SHORT,
    phonenumbers.NumberParseException.TOO_SHORT_NSN: AddressFault.TOO_SHORT,
    phonenumbers.NumberParseException.TOO_LONG: AddressFault.TOO_LONG,
}


def _shown(text: str) -> str:
    return repr(sanitise(text[:32]))
