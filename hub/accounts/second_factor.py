"""The optional second factor: six digits from an authenticator app (TOTP, RFC 6238), or one of ten recovery codes.

A code counts for its 30-second step and one step around it, and once: the step that was taken is stored, and neither it nor an
earlier one is taken again (RFC 6238 §5.2).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable

import pyotp

from hub.core.clock import UtcMs

ISSUER = "Handset Hub"
STEP_SECONDS = 30
STEPS_AROUND = 1
"""How far a phone's clock may be off."""
SECRET_BYTES = 20
"""160 bits, as RFC 4226 §4 recommends."""
RECOVERY_CODES = 10
_DIGITS = re.compile(r"[0-9]{6}", re.ASCII)
_LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"


def new_totp_secret(random: Callable[[int], bytes]) -> str:
    """A secret in base32, as authenticator apps read it."""
    return base64.b32encode(random(SECRET_BYTES)).decode()


def totp_address(secret: str, username: str, account_name: str) -> str:
    """The `otpauth://` text of the QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=username, issuer_name=f"{ISSUER} {account_name}"[:60])


def matching_step(secret: str, code: str, now: UtcMs, last_step: int) -> int | None:
    """The step a code is of; None for a wrong code, and for one whose step is not above the last one taken."""
    given = code.replace(" ", "")
    if not _DIGITS.fullmatch(given):
        return None
    totp, present = pyotp.TOTP(secret), now // 1000 // STEP_SECONDS
    for step in range(present - STEPS_AROUND, present + STEPS_AROUND + 1):
        if hmac.compare_digest(totp.generate_otp(step), given) and step > last_step:
            return step
    return None


def new_recovery_codes(random: Callable[[int], bytes]) -> list[str]:
    """Ten codes of 49 random bits, like `k7dp2-m9xwr`: each lets its owner in once, without the app."""
    return [_recovery_code(random(16)) for _ in range(RECOVERY_CODES)]


def _recovery_code(seed: bytes) -> str:
    number, letters = int.from_bytes(seed), []
    for _ in range(10):
        number, place = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[place])
    return "".join(letters[:5]) + "-" + "".join(letters[5:])


def recovery_hash(code: str) -> str:
    """What is stored of a recovery code, and compared: case, spaces and dashes do not count."""
    plain = re.sub(r"[\s-]", "", code.casefold())
    return hashlib.sha256(f"recovery:{plain}".encode("utf-8", "surrogatepass")).hexdigest()
