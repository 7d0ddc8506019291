"""Enrolment and access tokens: the QR text, the two HTTP bodies, how a secret is hashed, and the clone check.

phone                                              hub
  | camera reads https://hub.example/enroll#<token>  |
  | POST /device/v1/enroll {token, secret_sha256} -> |   the secret itself never leaves the phone here
  | <- {device_id, hub_epoch, hub_time}              |
  | POST /device/v1/token {device_id, secret} ->     |   every few minutes, with the nonce of last time
  | <- {access_token, expires_in, next_nonce}        |
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from device_protocol.frames import Permissions, Record, Sims
from device_protocol.wire_types import Count, OpaqueId, Sha256Hex, ShortText, UtcTime, read_utc

ENROL_PATH: Final = "/enroll"
_TOKEN: Final = re.compile(r"[0-9A-Za-z_-]{16,128}\Z")
_PIN: Final = re.compile(r"[0-9a-f]{64}\Z")
_HOST: Final = re.compile(r"[0-9A-Za-z.\-]+\Z|\[[0-9A-Fa-f:.]+\]\Z")

SecretText = Annotated[str, Meta(pattern=r"^[0-9A-Za-z_-]{43}\Z")]
"""256 random bits as base64url without padding (RFC 4648 §5)."""
EnrolToken = Annotated[str, Meta(pattern=r"^[0-9A-Za-z_-]{16,128}\Z")]
Nonce = Annotated[str, Meta(pattern=r"^[0-9A-Za-z_-]{16,64}\Z")]


class EnrolmentError(ValueError):
    """A QR text that is not an enrolment of this product; the message is for the person holding the phone."""


@dataclass(frozen=True, slots=True)
class QrInvitation:
    """What a QR code says. `hub_url` is scheme and authority only; `pins` are SHA-256 of SubjectPublicKeyInfo, hex.

    With pins the phone trusts exactly these keys and does not compare the host name (the hub signed its own
    certificate); without them, the system's certificate authorities.
    """

    hub_url: str
    token: str
    pins: tuple[str, ...] = ()


def build_qr_text(invitation: QrInvitation) -> str:
    """`https://HUB/enroll#<token>[&pin=<hex>]...`; a camera app opens a help page, the fragment never leaves it."""
    text = f"{invitation.hub_url.rstrip('/')}{ENROL_PATH}#{invitation.token}"
    text += "".join(f"&pin={pin}" for pin in invitation.pins)
    if parse_qr_text(text) != invitation:
        raise EnrolmentError(f"not a hub address and token: {text}")
    return text


def parse_qr_text(text: str, *, is_cleartext_allowed: bool = True) -> QrInvitation:
    """Read a scanned text; EnrolmentError says what is wrong with it. Unknown `&name=value` parts are ignored."""
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError as error:
        raise EnrolmentError("This is not a web address.") from error
    if parts.scheme != "https" and not (parts.scheme == "http" and is_cleartext_allowed):
        raise EnrolmentError("The address must begin with https://")
    if parts.path != ENROL_PATH or parts.query or "@" in parts.netloc:
        raise EnrolmentError("This is not an enrolment code of a hub.")
    token, *options = parts.fragment.split("&")
    if _TOKEN.match(token) is None:
        raise EnrolmentError("The enrolment code holds no token.")
    return QrInvitation(f"{parts.scheme}://{_authority(parts.netloc, port)}", token, _pins(options))


def _authority(netloc: str, port: int | None) -> str:
    host = netloc if port is None else netloc.rpartition(":")[0]
    if _HOST.match(host) is None:
        raise EnrolmentError("The enrolment code holds no host name.")
    return netloc


def _pins(options: list[str]) -> tuple[str, ...]:
    pins = tuple(option.removeprefix("pin=") for option in options if option.startswith("pin="))
    # A pin that cannot be read must not turn into "no pin": that would trust any certificate authority.
    if any(_PIN.match(pin) is None for pin in pins):
        raise EnrolmentError("The enrolment code holds a key pin that cannot be read.")
    return pins


def secret_hash(secret: str) -> str:
    """Hex SHA-256 of the secret's 43 ASCII characters; enough for 256 random bits, no slow hash is needed."""
    return hashlib.sha256(secret.encode("ascii")).hexdigest()


def is_secret_of(secret: str, stored_sha256: str) -> bool:
    """Whether `secret` has this hash, compared in constant time; False for anything that is no secret."""
    if not secret.isascii():
        return False
    return hmac.compare_digest(secret_hash(secret), stored_sha256)


class DeviceDescription(Record, frozen=True):
    """What the phone is, for the operator's list."""

    app_version: ShortText
    manufacturer: ShortText = ""
    model: ShortText = ""
    os_version: ShortText = ""
    sims: Sims = ()
    permissions: Permissions = msgspec.field(default_factory=dict)


class EnrolRequest(Record, frozen=True):
    """`POST /device/v1/enroll`. `previous_secret` proves an earlier enrolment: the device row and its lines stay."""

    token: EnrolToken
    secret_sha256: Sha256Hex
    device: DeviceDescription
    previous_secret: SecretText | None = None


class EnrolResponse(Record, frozen=True):
    """Answer of `enroll`; the same token and hash again within the token's life give the same answer again."""

    device_id: OpaqueId
    hub_epoch: OpaqueId
    hub_time: UtcTime

    def __post_init__(self) -> None:
        read_utc(self.hub_time)


class TokenRequest(Record, frozen=True):
    """`POST /device/v1/token`. `nonce` is the last `next_nonce`, absent before the first."""

    device_id: OpaqueId
    secret: SecretText
    nonce: Nonce | None = None


class TokenResponse(Record, frozen=True):
    """The phone stores `next_nonce` durably before it uses the token."""

    access_token: Annotated[str, Meta(min_length=1, max_length=4096)]
    expires_in: Count
    next_nonce: Nonce


@dataclass(frozen=True, slots=True)
class NonceMemory:
    """What the hub remembers of a device's nonces: the one it gave last, the one before, and the epoch it did so in."""

    current: str | None = None
    previous: str | None = None
    hub_epoch: str | None = None


def rotate_nonce(memory: NonceMemory, presented: str | None, fresh: str, hub_epoch: str) -> NonceMemory | None:
    """What to store before answering with `fresh`; None when two phones share one secret (suspend the device).

    The current nonce moves the chain on. The one before is taken as well: the phone that sends it did not get, or
    could not store, the last answer. That last answer is void from then on, so a clone never stays hidden: of two
    phones with one store, whoever comes second presents a void nonce. Taking the previous one again and again is
    therefore safe, and a phone that loses two answers in a row is not suspended for a bad network.

    After a restore the hub's own memory is the older one: the first nonce in a new epoch restarts the chain.
    """
    if memory.hub_epoch is not None and memory.hub_epoch != hub_epoch:
        return NonceMemory(fresh, presented, hub_epoch)
    if presented == memory.current:
        return NonceMemory(fresh, memory.current, hub_epoch)
    if presented == memory.previous:
        return NonceMemory(fresh, memory.previous, hub_epoch)
    return None
