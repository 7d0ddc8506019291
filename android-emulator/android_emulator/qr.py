"""Read the QR code off a picture, as the phone's camera does, with a decoder that knows nothing of this product (zxing-cpp)."""

import io


class QrError(ValueError):
    """No readable QR code, or nothing to read it with; the text says which."""


def read_qr_png(picture: bytes) -> str:
    """The text of the one QR code in a PNG picture. Needs the packages zxing-cpp and pypng."""
    try:
        import png
        import zxingcpp
    except ImportError as error:
        raise QrError(
            f"reading a QR picture needs the Python package {error.name}: pip install zxing-cpp pypng, or pass the QR text instead"
        ) from error
    try:
        width, height, pixels, _ = png.Reader(file=io.BytesIO(picture)).asRGB8()
        grey = bytes(row[offset] for row in pixels for offset in range(0, width * 3, 3))
    except (png.Error, EOFError) as error:
        raise QrError(f"not a PNG picture: {error}") from error
    found = zxingcpp.read_barcodes(memoryview(grey).cast("B", (height, width)))
    if len(found) != 1:
        raise QrError(f"the picture holds {len(found)} readable QR codes, not one")
    return str(found[0].text)
