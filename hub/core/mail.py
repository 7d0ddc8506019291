"""E-mail addresses: what the hub takes for one, and those it makes itself.

The hub's own addresses say all there is to know and are signed, so that nothing has to be stored to recognise them again:

    r.<endpoint, conversation, mark>@sms.example.org      answers go out as a text in this conversation
    s.<mailbox, mark>+<number>@sms.example.org            a mail goes out as a text to this number

Both are lower-case base32 (RFC 4648 §6) and fit the 64 octets of a local part (RFC 5321 §4.5.3.1.1). The mark is the beginning of an
HMAC-SHA256 with a key of the hub; the same words stand in the Message-ID of each mail, so that an answer is recognised by what it
refers to where a mail system has lost the address.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence

import msgspec

from hub.core.ids import BadId, from_hex30, to_hex30
from hub.core.text import sanitise

MAILTO = "mailto:"
LONGEST_ADDRESS = 254
"""RFC 5321 §4.5.3.1.3, less the angle brackets."""
_LOCAL = re.compile(r"(?=.{1,64}$)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*", re.ASCII)
_LABEL = "[A-Za-z0-9-]{0,61}[A-Za-z0-9]"
_DOMAIN = re.compile(rf"(?=.{{1,253}}$)([A-Za-z0-9]({_LABEL})?\.)*[A-Za-z]({_LABEL})?", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_REPLY = re.compile(r"r\.([a-z2-7]{61})", re.ASCII)
_MAILBOX = re.compile(r"s\.([a-z2-7]{44})", re.ASCII)
_REPLY_MARK_BYTES = 8
_MAILBOX_MARK_BYTES = 12
_ID_BYTES = 15


def is_mail(url: str) -> bool:
    """Whether a webhook's target is a mail address."""
    return url.startswith(MAILTO)


class Thread(msgspec.Struct, frozen=True):
    """What a reply address says."""

    endpoint_id: str
    conversation_id: str


def mailto(text: str) -> str | None:
    """The `mailto:` URL of an address; None for what the hub does not take for one."""
    address = mail_address(text)
    return None if address is None else MAILTO + address


def mail_address(text: str) -> str | None:
    """An address as it is compared (its domain in lower case); None for what the hub does not take for one.

    Quoted local parts, comments and addresses outside ASCII are legal and not taken: no mailbox of a person needs them.
    """
    local, at, domain = text.rpartition("@")
    if not at or len(text) > LONGEST_ADDRESS or not _LOCAL.fullmatch(local) or not _DOMAIN.fullmatch(domain):
        return None
    return f"{local}@{domain.lower()}"


def is_domain(text: str) -> bool:
    """Whether mail can be addressed to it."""
    return _DOMAIN.fullmatch(text) is not None


def one_line(text: str) -> str:
    """A text for a header: no line breaks, no control characters, nothing that no text can hold."""
    return _CONTROL.sub(" ", sanitise(text)).strip()


def is_allowed(address: str, allowed: Sequence[str]) -> bool:
    """Whether a sender is among those: whole addresses, and `@example.org` for everybody there. Case does not matter."""
    lower = address.lower()
    return any(lower == one.lower() or (one.startswith("@") and lower.endswith(one.lower())) for one in allowed)


def sender_pattern(text: str) -> str | None:
    """An entry of a list of senders as it is kept: an address, or `@` and a domain. None for anything else."""
    if text.startswith("@"):
        return text.lower() if is_domain(text[1:]) else None
    return mail_address(text)


# --- the hub's own addresses -----------------------------------------------------------------------------------------------------------


def reply_local(key: bytes, thread: Thread) -> str:
    """The local part that answers to a conversation's mails go to."""
    named = _bytes(thread.endpoint_id) + _bytes(thread.conversation_id)
    return "r." + _base32(named + _mark(key, b"reply", named)[:_REPLY_MARK_BYTES])


def read_reply(keys: Sequence[bytes], text: str) -> Thread | None:
    """The thread of the first reply address in a text that one of these keys made (`In-Reply-To` and `References` name several)."""
    for match in _REPLY.finditer(text.lower()):
        data = _unbase32(match[1])
        named, mark = data[: 2 * _ID_BYTES], data[2 * _ID_BYTES :]
        if _is_ours(keys, b"reply", named, mark, _REPLY_MARK_BYTES):
            return Thread(_id(named[:_ID_BYTES]), _id(named[_ID_BYTES:]))
    return None


def mailbox_local(key: bytes, mailbox_id: str, version: int) -> str:
    """The secret local part of a mailbox; `+` and a number follow it."""
    named = _bytes(mailbox_id)
    return "s." + _base32(named + _mark(key, b"mailbox%d" % version, named)[:_MAILBOX_MARK_BYTES])


def mailbox_id_of(local: str) -> str | None:
    """The mailbox that a local part names, whether or not its mark is right (`is_mailbox_local`)."""
    match = _MAILBOX.fullmatch(local.lower())
    return None if match is None else _id(_unbase32(match[1])[:_ID_BYTES])


def international(number: str) -> str:
    """The number that stands after the `+` of an address: the plus is its own, so that it is never taken for another country's."""
    return "+" + number.lstrip("+")


def is_mailbox_local(keys: Sequence[bytes], local: str, version: int) -> bool:
    """Whether a local part is a mailbox's at this version: what was given out before a change of version opens nothing."""
    match = _MAILBOX.fullmatch(local.lower())
    if match is None:
        return False
    data = _unbase32(match[1])
    return _is_ours(keys, b"mailbox%d" % version, data[:_ID_BYTES], data[_ID_BYTES:], _MAILBOX_MARK_BYTES)


def _mark(key: bytes, purpose: bytes, named: bytes) -> bytes:
    return hmac.digest(key, purpose + b"\0" + named, hashlib.sha256)


def _is_ours(keys: Sequence[bytes], purpose: bytes, named: bytes, mark: bytes, size: int) -> bool:
    return any(hmac.compare_digest(_mark(key, purpose, named)[:size], mark) for key in keys)


def _bytes(id_: str) -> bytes:
    return bytes.fromhex(to_hex30(id_))


def _id(data: bytes) -> str:
    return from_hex30(data.hex())


def _base32(data: bytes) -> str:
    return base64.b32encode(data).decode().rstrip("=").lower()


def _unbase32(text: str) -> bytes:
    """The bytes; empty for letters that no bytes are written with."""
    try:
        return base64.b32decode(text.upper() + "=" * (-len(text) % 8))
    except binascii.Error:
        return b""


def conversation_of(rendered: str | None) -> str | None:
    """The stored id of `cnv_…`, where there is one."""
    id_ = (rendered or "").partition("_")[2]
    try:
        to_hex30(id_)
    except BadId:
        return None
    return id_
