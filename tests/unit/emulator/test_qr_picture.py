import builtins
import io
from types import ModuleType

import pytest
import qrcode
from qrcode.image.pure import PyPNGImage

from android_emulator.qr import QrError, read_qr_png

TEXT = "https://hub.example:8443/enroll#one-time-token&pin=abc"


def picture(text: str) -> bytes:
    file = io.BytesIO()
    qrcode.make(text, image_factory=PyPNGImage).save(file)
    return file.getvalue()


def test_the_text_of_a_real_picture_is_read() -> None:
    assert read_qr_png(picture(TEXT)) == TEXT


def test_a_picture_without_a_code_is_refused() -> None:
    import png

    file = io.BytesIO()
    png.from_array([[255] * 50] * 50, "L").write(file)
    with pytest.raises(QrError, match="0 readable"):
        read_qr_png(file.getvalue())


@pytest.mark.parametrize("octets", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n"])
def test_something_else_than_a_picture_is_refused(octets: bytes) -> None:
    with pytest.raises(QrError, match="not a PNG"):
        read_qr_png(octets)


def test_without_a_decoder_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = builtins.__import__

    def without_zxing(name: str, *args: object, **kwargs: object) -> ModuleType:
        if name == "zxingcpp":
            raise ImportError("No module named 'zxingcpp'", name="zxingcpp")
        return real_import(name, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without_zxing)
    with pytest.raises(QrError, match="pip install zxing-cpp"):
        read_qr_png(picture(TEXT))
