"""The hub's own key stays, its certificate is made anew, and the pin is what an independent tool computes."""

import ssl
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hub import tls
from hub.config import Config, ConfigurationError
from hub.tls import TlsFiles, given, self_signed, with_address

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def test_pin_is_what_openssl_computes(tmp_path: Path) -> None:
    files = self_signed(tmp_path, "https://hub.example.org", NOW)
    der = subprocess.run(
        ["openssl", "pkey", "-in", str(files.key), "-pubout", "-outform", "DER"], check=True, capture_output=True
    ).stdout
    digest = subprocess.run(
        ["openssl", "dgst", "-sha256", "-binary"], input=der, check=True, capture_output=True
    ).stdout
    assert files.pin == digest.hex()


def test_key_survives_a_restart_and_is_private(tmp_path: Path) -> None:
    first = self_signed(tmp_path, "", NOW)
    before = first.certificate.read_bytes()
    second = self_signed(tmp_path, "", NOW)
    assert first.pin == second.pin
    assert before != second.certificate.read_bytes()
    assert first.key.stat().st_mode & 0o777 == 0o600


def test_server_can_load_it(tmp_path: Path) -> None:
    files = self_signed(tmp_path, "https://hub.example.org", NOW)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)


def test_files_that_are_no_certificate_and_key_are_refused_before_the_hub_listens(tmp_path: Path) -> None:
    good = self_signed(tmp_path, "", NOW)
    assert given(good.certificate, good.key) == TlsFiles(good.certificate, good.key, None)
    with pytest.raises(ConfigurationError, match=r"The TLS file .*nowhere\.pem cannot be read: No such file"):
        given(good.certificate, tmp_path / "nowhere.pem")
    with pytest.raises(ConfigurationError, match="HUB_TLS_CERTIFICATE and HUB_TLS_KEY"):
        given(good.key, good.key)
    locked = tmp_path / "locked.pem"
    encrypt = ["openssl", "pkey", "-in", str(good.key), "-aes256", "-passout", "pass:secret", "-out", str(locked)]
    subprocess.run(encrypt, check=True, capture_output=True)
    with pytest.raises(ConfigurationError, match="without a password"):
        given(good.certificate, locked)


def test_a_key_that_is_none_is_a_sentence_and_stays(tmp_path: Path) -> None:
    file = tmp_path / "tls-key.pem"
    file.write_text("junk")
    with pytest.raises(ConfigurationError, match=r"tls-key\.pem is not the key that a hub made: .*move it away"):
        self_signed(tmp_path, "", NOW)
    assert file.read_text() == "junk"


def test_a_hub_that_listens_everywhere_names_an_address_that_phones_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, "lan_addresses", lambda: ["192.168.1.20", "2001:db8::20"])
    assert with_address(Config(host="0.0.0.0", tls="auto", port=8443)).base_url == "https://192.168.1.20:8443"
    named = Config(host="0.0.0.0", public_url="https://sms.example.org")
    assert with_address(named) == named
    assert with_address(Config()) == Config()
    monkeypatch.setattr(tls, "lan_addresses", lambda: ["2001:db8::20"])
    assert with_address(Config(host="::")).base_url == "http://[2001:db8::20]:8080"
