"""Two programs that read QR codes and share no code: ZXing's C++ port, and ZBar."""

import os
from collections.abc import Callable

import zxingcpp
from PIL import Image

from tests.databases import missing

Decoder = Callable[[Image.Image], str]
"""The text of the one code in a picture."""
DECODERS = ("zxing-cpp", "zbar")


def decoder(name: str) -> Decoder:
    """One of `DECODERS`. The test is skipped where the machine has no ZBar; `HUB_TEST_REQUIRE=zbar` fails it."""
    return _by_zbar() if name == "zbar" else _by_zxing


def same_by_all(image: Image.Image) -> str | None:
    """The text of the one code in a picture, by every decoder that is here; None when they do not all read one, or differ."""
    try:
        found = {decoder(name)(image) for name in DECODERS if name != "zbar" or _has_zbar()}
    except ValueError:
        return None
    return found.pop() if len(found) == 1 else None


def _has_zbar() -> bool:
    if "zbar" in os.environ.get("HUB_TEST_REQUIRE", "").split(","):
        return True
    try:
        import pyzbar.pyzbar  # noqa: F401
    except ImportError:
        return False
    return True


def _by_zxing(image: Image.Image) -> str:
    (code,) = zxingcpp.read_barcodes(image)
    text: str = code.text
    return text


def _by_zbar() -> Decoder:
    try:
        from pyzbar.pyzbar import ZBarSymbol, decode
    except ImportError:
        missing("zbar", "install pyzbar, and Debian's package libzbar0")

    def read(image: Image.Image) -> str:
        (code,) = decode(image.convert("L"), symbols=[ZBarSymbol.QRCODE])
        text: str = code.data.decode()
        return text

    return read
