"""The enrolment code as something a camera reads: SVG, PNG, or half-block characters in a terminal."""

import base64
import binascii
import io
import re
from typing import Any

import qrcode
from qrcode.constants import ERROR_CORRECT_M
from qrcode.image.svg import SvgPathImage

from device_protocol.enrolment import QrInvitation, build_qr_text

_HEX_PIN = re.compile(r"[0-9a-f]{64}")
QUIET_ZONE = 4
"""Modules of white around the code (ISO/IEC 18004 §6.3.8)."""


def enrolment_text(base_url: str, token: str, pin: str | None = None) -> str:
    """`https://HUB/enroll#<token>[&pin=<hex>]`. `base_url` is scheme and authority, `pin` the SHA-256 of the hub's public key."""
    pins = () if pin is None else (pin_as_hex(pin),)
    return build_qr_text(QrInvitation(base_url.rstrip("/"), token, pins))


def pin_as_hex(pin: str) -> str:
    """The SPKI pin as the QR code spells it: 64 hex digits. ValueError when it is no SHA-256 in hex or base64url."""
    if _HEX_PIN.fullmatch(pin.lower()):
        return pin.lower()
    try:
        digest = base64.urlsafe_b64decode(pin + "=" * (-len(pin) % 4))
    except binascii.Error as error:
        raise ValueError("a key pin is a SHA-256 in hex or base64url") from error
    if len(digest) != 32:
        raise ValueError("a key pin is a SHA-256 in hex or base64url")
    return digest.hex()


def qr_svg(text: str) -> bytes:
    """An SVG image, dark on white whatever the page behind it."""
    image = _code(text).make_image(image_factory=_OnWhite)
    out = io.BytesIO()
    image.save(out)
    return out.getvalue()


def qr_png(text: str, *, module_pixels: int = 8) -> bytes:
    """A black and white PNG."""
    code = _code(text)
    code.box_size = module_pixels
    out = io.BytesIO()
    code.make_image().save(out, "PNG")
    return out.getvalue()


def qr_terminal(text: str) -> str:
    """Lines of block characters, two modules high each; light on dark, so that it reads on a dark terminal."""
    rows = _code(text).get_matrix()
    if len(rows) % 2:
        rows = [*rows, [False] * len(rows)]
    pairs = zip(rows[::2], rows[1::2], strict=True)
    return "\n".join("".join(_HALVES[upper, lower] for upper, lower in zip(*pair, strict=True)) for pair in pairs)


_HALVES = {(False, False): "█", (False, True): "▀", (True, False): "▄", (True, True): " "}


class _OnWhite(SvgPathImage):
    background = "white"


def _code(text: str) -> "qrcode.QRCode[Any]":
    code: qrcode.QRCode[Any] = qrcode.QRCode(error_correction=ERROR_CORRECT_M, border=QUIET_ZONE)
    code.add_data(text)
    code.make(fit=True)
    return code
