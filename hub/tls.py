"""A key and a self-signed certificate for a hub that has no name on the internet, and the pin phones trust it by.

Phones pin the *key* (SHA-256 of its SubjectPublicKeyInfo, as in RFC 7469), so the certificate can be made anew, for other addresses or
another year, without enrolling anybody again.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import socket
import ssl
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from hub.certificates import load_pair
from hub.config import Config, ConfigurationError

VALID_DAYS = 397
"""Longest life browsers accept for a certificate they are asked to trust."""


EVERYWHERE = ("0.0.0.0", "::")
OTHER_KEY = "Put a copy of it there, or move it away: then a new one is made, and phones have to be enrolled anew."


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """What the server listens with. `pin` is set when phones must trust the key itself."""

    certificate: Path
    key: Path
    pin: str | None


def self_signed(directory: Path, public_url: str, now: datetime) -> TlsFiles:
    """The hub's own key, made once, and a certificate for its addresses, made anew at each start."""
    directory.mkdir(parents=True, exist_ok=True)
    key_path, certificate_path = directory / "tls-key.pem", directory / "tls-certificate.pem"
    key = _load_or_make_key(key_path)
    certificate_path.write_bytes(_certificate(key, _names(public_url), now).public_bytes(Encoding.PEM))
    return TlsFiles(certificate_path, key_path, spki_pin(key))


def given(certificate: Path, key: Path) -> TlsFiles:
    """The operator's own files, tried. Raises ConfigurationError."""
    try:
        for path in (certificate, key):
            path.read_bytes()
        load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), certificate, key)
    except ssl.SSLError as error:
        raise ConfigurationError(
            f"HUB_TLS_CERTIFICATE and HUB_TLS_KEY ({certificate}, {key}) are no certificate chain and its key without a "
            f"password, both as PEM: {error.reason or error}."
        ) from error
    except OSError as error:
        raise ConfigurationError(f"The TLS file {error.filename} cannot be read: {error.strerror}.") from error
    return TlsFiles(certificate, key, None)


def spki_pin(key: ec.EllipticCurvePrivateKey) -> str:
    """Hex SHA-256 of the public key's SubjectPublicKeyInfo (DER)."""
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def _load_or_make_key(path: Path) -> ec.EllipticCurvePrivateKey:
    if path.exists():
        try:
            key = load_pem_private_key(path.read_bytes(), None)
        except (ValueError, TypeError, OSError) as error:
            raise ConfigurationError(f"{path} is not the key that a hub made: {error}. {OTHER_KEY}") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ConfigurationError(f"{path} holds a key of another kind. {OTHER_KEY}")
        return key
    made = ec.generate_private_key(ec.SECP256R1())
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return made


def _certificate(key: ec.EllipticCurvePrivateKey, names: list[x509.GeneralName], now: datetime) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Handset Hub")])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )


def _names(public_url: str) -> list[x509.GeneralName]:
    """Every name this machine is likely called by: the public one, its host name, its addresses, loopback."""
    texts = {"localhost", "127.0.0.1", "::1", socket.gethostname(), *lan_addresses()}
    if host := urlsplit(public_url).hostname:
        texts.add(host)
    names: list[x509.GeneralName] = []
    for text in sorted(texts):
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(text)))
        except ValueError:
            names.append(x509.DNSName(text))
    return names


def with_address(config: Config) -> Config:
    """The settings, with an address of this machine in QR codes and links where the hub listens on all and nobody named one."""
    if config.public_url or config.host not in EVERYWHERE or not (found := lan_addresses()):
        return config
    host = f"[{found[0]}]" if ":" in found[0] else found[0]
    scheme = "http" if config.tls == "off" else "https"
    return replace(config, public_url=f"{scheme}://{host}:{config.port}")


def lan_addresses() -> list[str]:
    """This machine's own addresses as other machines see them; asking for a route sends nothing."""
    found: list[str] = []
    for family, target in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((target, 9))
            except OSError:
                continue
            found.append(str(probe.getsockname()[0]))
    return found
