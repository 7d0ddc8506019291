"""The enrolment code as pictures: what two independent decoders read out of them."""

import io
import xml.etree.ElementTree as ET

import pytest
from PIL import Image, ImageDraw

from device_protocol.enrolment import EnrolmentError, parse_qr_text
from hub.devices.qr import enrolment_text, pin_as_hex, qr_png, qr_svg, qr_terminal
from tests.qr_decoders import DECODERS, Decoder, decoder

TOKEN = "Zm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyZm9"
PIN = "ab" * 32
TEXT = enrolment_text("https://sms.example.org:8443", TOKEN, PIN)


@pytest.fixture(params=DECODERS)
def read(request: pytest.FixtureRequest) -> Decoder:
    return decoder(request.param)


def test_the_text_is_what_a_phone_reads() -> None:
    invitation = parse_qr_text(TEXT)
    assert (invitation.hub_url, invitation.token, invitation.pins) == ("https://sms.example.org:8443", TOKEN, (PIN,))
    assert enrolment_text("http://127.0.0.1:8080/", TOKEN) == f"http://127.0.0.1:8080/enroll#{TOKEN}"


def test_a_pin_may_be_hex_or_base64url() -> None:
    assert pin_as_hex(PIN.upper()) == PIN
    assert pin_as_hex("q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s") == PIN


@pytest.mark.parametrize("pin", ["", "abcd", "not a pin", "ab" * 31])
def test_a_pin_that_is_none_is_refused(pin: str) -> None:
    with pytest.raises(ValueError, match="key pin"):
        pin_as_hex(pin)


@pytest.mark.parametrize("base", ["ftp://hub", "https://hub/path", "https://user@hub"])
def test_an_address_no_phone_would_take_makes_no_code(base: str) -> None:
    with pytest.raises(EnrolmentError):
        enrolment_text(base, TOKEN)


def test_M8_the_png_is_read_by_both_decoders(read: Decoder) -> None:
    assert read(Image.open(io.BytesIO(qr_png(TEXT)))) == TEXT


def test_M8_the_svg_is_read_and_dark_on_white(read: Decoder) -> None:
    root = ET.fromstring(qr_svg(TEXT))
    names = {element.tag.rpartition("}")[2] for element in root}
    assert names == {"rect", "path"}
    side = int(root.attrib["viewBox"].split()[2])
    image = Image.new("L", (side * 6, side * 6), 255)
    draw = ImageDraw.Draw(image)
    path = next(element for element in root if element.tag.endswith("path")).attrib["d"]
    for piece in path.split("M")[1:]:
        x, y = (int(number) for number in piece.split("H")[0].split(","))
        draw.rectangle([x * 6, y * 6, x * 6 + 5, y * 6 + 5], fill=0)
    assert read(image) == TEXT


def test_the_terminal_text_is_read(read: Decoder) -> None:
    rows = qr_terminal(TEXT).split("\n")
    image = Image.new("L", (len(rows[0]) * 6, len(rows) * 12), 0)
    draw = ImageDraw.Draw(image)
    light = {"█": (True, True), "▀": (True, False), "▄": (False, True), " ": (False, False)}
    for y, row in enumerate(rows):
        for x, character in enumerate(row):
            for half, is_light in enumerate(light[character]):
                if is_light:
                    top = y * 12 + half * 6
                    draw.rectangle([x * 6, top, x * 6 + 5, top + 5], fill=255)
    assert read(image) == TEXT
