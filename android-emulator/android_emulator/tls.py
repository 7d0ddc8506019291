"""Whom the phone trusts: exactly the keys pinned in the QR code, or the system's certificate authorities."""

import hashlib
import ssl
from collections.abc import Collection

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


class PinMismatchError(ssl.SSLCertVerificationError):
    """The hub showed a key the QR code did not name: it is not the hub that was scanned."""


def spki_sha256(certificate: bytes) -> str:
    """Hex SHA-256 of a DER certificate's SubjectPublicKeyInfo (RFC 7469 §2.4): stays the same when the certificate is renewed."""
    key = x509.load_der_x509_certificate(certificate).public_key()
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def trust(pins: Collection[str]) -> ssl.SSLContext:
    """A client context for these pins; without pins, that of the system.

    A pinned hub signed its own certificate, so neither its issuer nor its name is looked at; the key is compared at the end of
    the handshake, before a single byte of ours is sent.
    """
    if not pins:
        return ssl.create_default_context()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    allowed = frozenset(pins)

    class PinnedObject(ssl.SSLObject):
        def do_handshake(self) -> None:
            super().do_handshake()
            certificate = self.getpeercert(binary_form=True)
            if certificate is None or spki_sha256(certificate) not in allowed:
                raise PinMismatchError("the hub's key is not the one in the QR code")

    context.sslobject_class = PinnedObject
    return context
