"""Is a webhook genuine, and if not, why not: what a receiver would find out, in sentences that say what to do.

Looks at both signatures a hub may send: Standard Webhooks (`webhook-id`, `webhook-timestamp`, `webhook-signature` with `v1` and `v1a`
entries) and that of the `smsgate` format (`x-timestamp`, `x-signature`). Several secrets may be given: two live while one is rotated.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hub.core.clock import UtcMs
from hub.webhooks.signing import PUBLIC_PREFIX, SECRET_PREFIX, hmac_sha256

TOLERANCE_SECONDS = 300
"""What Standard Webhooks and this documentation advise receivers."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`is_genuine` is None when nothing could be checked."""

    is_genuine: bool | None
    sentence: str


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A secret (`whsec_…`, or any text for the `smsgate` format) or a public key (`whpk_…`)."""

    text: str

    @property
    def hint(self) -> str:
        """What may be shown of it."""
        return f"…{self.text.rstrip('=')[-4:]}"

    @property
    def hmac_key(self) -> bytes | None:
        """The key behind `whsec_`; None when it is another kind of secret."""
        return _after(SECRET_PREFIX, self.text)

    @property
    def public_key(self) -> bytes | None:
        """The key behind `whpk_`."""
        return _after(PUBLIC_PREFIX, self.text)


def read_secret(text: str) -> Secret:
    """A secret as somebody typed it. Raises ValueError with a sentence for them."""
    secret = Secret(text.strip())
    if not secret.text:
        raise ValueError("The secret is empty.")
    if secret.text.startswith(SECRET_PREFIX) and not secret.hmac_key:
        raise ValueError("What follows whsec_ is not base64: was the secret cut off when it was copied?")
    if secret.text.startswith(PUBLIC_PREFIX) and len(secret.public_key or b"") != 32:
        raise ValueError("What follows whpk_ is not the base64 of 32 bytes: was the key cut off when it was copied?")
    return secret


def judge(headers: Mapping[str, str], body: bytes, secrets: Sequence[Secret], now: UtcMs) -> Verdict:
    """`headers` with lower-case names. Every signature that can be checked has to fit."""
    if not secrets:
        return Verdict(None, "not checked: no secret was given")
    verdicts = [_standard(headers, body, secrets, now)]
    if "x-signature" in headers:
        verdicts.append(_smsgate(headers, body, secrets, now))
    checked = [verdict for verdict in verdicts if verdict.is_genuine is not None]
    if not checked:
        return verdicts[0]
    wrong = next((verdict for verdict in checked if not verdict.is_genuine), None)
    return wrong or Verdict(True, "; ".join(verdict.sentence for verdict in checked))


def _standard(headers: Mapping[str, str], body: bytes, secrets: Sequence[Secret], now: UtcMs) -> Verdict:
    missing = [name for name in ("webhook-id", "webhook-timestamp", "webhook-signature") if not headers.get(name)]
    if missing:
        return Verdict(
            False, f"the header {missing[0]} is missing: this does not come from a hub, or a proxy took it away"
        )
    usable = [secret for secret in secrets if secret.hmac_key or secret.public_key]
    if not usable:
        return Verdict(None, "webhook-signature was not checked: the secret given is no whsec_… or whpk_…")
    if (late := _too_far(headers["webhook-timestamp"], "webhook-timestamp", now)) is not None:
        return late
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode("latin-1", "replace") + body
    for token in headers["webhook-signature"].split():
        version, _, given = token.partition(",")
        for secret in usable:
            if _fits(version, given, content, secret):
                return Verdict(True, f"webhook-signature ({version}) fits the secret {secret.hint}")
    hints = " or ".join(secret.hint for secret in usable)
    return Verdict(
        False,
        f"no signature in webhook-signature fits the secret {hints}: it is another webhook's, or the body is not what was signed",
    )


def _fits(version: str, given: str, content: bytes, secret: Secret) -> bool:
    if version == "v1" and secret.hmac_key:
        wanted = base64.b64encode(hmac_sha256(secret.hmac_key, content))
        return hmac.compare_digest(wanted, given.encode())
    if version == "v1a" and secret.public_key:
        try:
            Ed25519PublicKey.from_public_bytes(secret.public_key).verify(base64.b64decode(given), content)
        except (InvalidSignature, ValueError):
            return False
        return True
    return False


def _smsgate(headers: Mapping[str, str], body: bytes, secrets: Sequence[Secret], now: UtcMs) -> Verdict:
    usable = [secret for secret in secrets if not secret.public_key]
    if not usable:
        return Verdict(None, "x-signature was not checked: it needs the secret, not the public key")
    stamp = headers.get("x-timestamp", "")
    if (late := _too_far(stamp, "x-timestamp", now)) is not None:
        return late
    for secret in usable:
        wanted = hmac_sha256(secret.text.encode(), body + stamp.encode("latin-1", "replace")).hex()
        if hmac.compare_digest(wanted.encode(), headers["x-signature"].lower().encode()):
            return Verdict(True, f"x-signature fits the secret {secret.hint}")
    hints = " or ".join(secret.hint for secret in usable)
    return Verdict(
        False, f"x-signature does not fit the secret {hints} (lower-case hex of HMAC over body and x-timestamp)"
    )


def _too_far(text: str, name: str, now: UtcMs) -> Verdict | None:
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        return Verdict(False, f"{name} is not a number of seconds: {text[:20]!r}")
    off = round(now / 1000) - int(text)
    if abs(off) <= TOLERANCE_SECONDS:
        return None
    when = "old" if off > 0 else "in the future"
    return Verdict(
        False, f"{name} is {abs(off)} s {when}, more than 5 minutes: an old request sent again, or a wrong clock"
    )


def _after(prefix: str, text: str) -> bytes | None:
    if not text.startswith(prefix):
        return None
    try:
        return base64.b64decode(text.removeprefix(prefix), validate=True) or None
    except (binascii.Error, ValueError):
        return None
