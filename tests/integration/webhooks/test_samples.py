"""The verification samples of the documentation, each run by its own language over the same cases, signed as the hub signs."""

import base64
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from hub.webhooks.signing import SigningKey, secret_text, sign
from tests.databases import missing

ROOT = Path(__file__).resolve().parents[3]
SAMPLES = ROOT / "docs" / "webhooks"
DRIVERS = ROOT / "tests" / "samples"
NOW = 1_790_000_000
NEW, OLD, OTHER = (SigningKey(bytes([number]) * 32, 0, ed25519=bytes(32)) for number in (1, 2, 3))
TEXT = '{"type":"sms:received","data":{"text":"Grüße, 世界"}}'.encode()
RAW = b'\xff\xfe{"not":"utf-8"}\r\n\x00\t'


class Case(NamedTuple):
    """One request: as it was signed, as it arrives, and what a receiver has to make of it."""

    name: str
    is_genuine: bool
    secrets: tuple[SigningKey, ...] = (NEW,)
    signed_by: tuple[SigningKey, ...] = (NEW,)
    signed_body: bytes = TEXT
    body: bytes | None = None
    at: int = NOW
    id: str | None = "evt_1"
    timestamp: str | None = None
    signature: str | None = None

    def line(self) -> str:
        """As the drivers read it; `-` stands for a header that is missing."""
        signature = (
            sign(self.signed_by, "evt_1", self.at, self.signed_body) if self.signature is None else self.signature
        )
        timestamp = str(self.at) if self.timestamp is None else self.timestamp
        secrets = " ".join(secret_text(key.hmac) for key in self.secrets)
        body = base64.b64encode(self.signed_body if self.body is None else self.body).decode()
        return "\t".join((str(NOW), secrets, self.id or "-", timestamp or "-", signature or "-", body))


CASES = (
    Case("genuine", True),
    Case("raw bytes that are no text", True, signed_body=RAW),
    Case("empty body", True, signed_body=b""),
    Case("rotation: the hub signs with both, the receiver knows the old one", True, secrets=(OLD,), signed_by=(NEW, OLD)),
    Case("rotation: the receiver knows the new one", True, secrets=(NEW,), signed_by=(NEW, OLD)),
    Case("rotation: the receiver knows both before the hub has the new one", True, secrets=(NEW, OLD), signed_by=(OLD,)),
    Case("another webhook's secret", False, secrets=(OTHER,)),
    Case("neither of two secrets", False, secrets=(OTHER, OLD)),
    Case("no secret", False, secrets=()),
    Case("tampered body", False, body=TEXT.replace(b"received", b"sent")),
    Case("body written anew", False, body=TEXT.replace(b":", b": ")),
    Case("body cut off", False, body=TEXT[:-1]),
    Case("five minutes old", True, at=NOW - 300),
    Case("older", False, at=NOW - 301),
    Case("five minutes ahead", True, at=NOW + 300),
    Case("further ahead", False, at=NOW + 301),
    Case("an old request with a new time stamp", False, at=NOW - 1000, timestamp=str(NOW)),
    Case("another id", False, id="evt_2"),
    Case("no id", False, id=None),
    Case("no time stamp", False, timestamp=""),
    Case("a time stamp that is no number", False, timestamp="soon"),
    Case("a time stamp with a tail", False, timestamp=f"{NOW}x"),
    Case("no signature", False, signature=""),
    Case("a signature without its version", False, signature=sign((NEW,), "evt_1", NOW, TEXT).split()[0].removeprefix("v1,")),
    Case("only the other kind of signature", False, signature=sign((NEW,), "evt_1", NOW, TEXT).split()[1]),
    Case("not base64", False, signature="v1,%%%% v1, v1"),
    Case("the right length, wrong", False, signature="v1," + "A" * 43 + "="),
)  # fmt: skip


def python(_: Path) -> list[str]:
    return [sys.executable, str(DRIVERS / "drive.py"), str(SAMPLES)]


def node(_: Path) -> list[str]:
    return ["node", str(DRIVERS / "drive.mjs"), str(SAMPLES)]


def php(_: Path) -> list[str]:
    return ["php", str(DRIVERS / "drive.php"), str(SAMPLES)]


def ruby(_: Path) -> list[str]:
    return ["ruby", str(DRIVERS / "drive.rb"), str(SAMPLES)]


def go(directory: Path) -> list[str]:
    (directory / "webhook").mkdir()
    (directory / "go.mod").write_text("module sample\n\ngo 1.19\n")
    shutil.copy(SAMPLES / "verify.go", directory / "webhook")
    shutil.copy(DRIVERS / "drive.go", directory)
    environment = {**os.environ, "GOPROXY": "off", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod"}
    subprocess.run(["go", "build", "-o", "drive", "."], cwd=directory, env=environment, check=True)
    return [str(directory / "drive")]


def javac(directory: Path) -> list[str]:
    sources = [str(SAMPLES / "Verify.java"), str(DRIVERS / "Drive.java")]
    subprocess.run(["javac", "-d", str(directory), *sources], check=True)
    return ["java", "-cp", str(directory), "Drive"]


LANGUAGES: dict[str, tuple[Callable[[Path], list[str]], str, str]] = {
    "python": (python, "verify.py", "hmac.compare_digest("),
    "node": (node, "verify.mjs", "timingSafeEqual("),
    "go": (go, "verify.go", "hmac.Equal("),
    "javac": (javac, "Verify.java", "MessageDigest.isEqual("),
    "php": (php, "verify.php", "hash_equals("),
    "ruby": (ruby, "verify.rb", "OpenSSL.secure_compare("),
}
"""How each is run; its file; what it compares in constant time with."""


@pytest.mark.parametrize("language", LANGUAGES)
def test_sample_judges_every_request_rightly(language: str, tmp_path: Path) -> None:
    prepare, file, compares_with = LANGUAGES[language]
    if language != "python" and shutil.which(language) is None:
        missing(language, f"{language} is not installed, so {file} was not run")
    asked = "".join(f"{case.line()}\n" for case in CASES)
    done = subprocess.run(prepare(tmp_path), input=asked, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    answers = done.stdout.split()
    assert len(answers) == len(CASES), done.stdout
    wrong = [case.name for case, told in zip(CASES, answers, strict=True) if (told == "true") is not case.is_genuine]
    assert not wrong
    assert compares_with in (SAMPLES / file).read_text(encoding="utf-8")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_shows_the_sample_as_it_is_run(language: str) -> None:
    file = LANGUAGES[language][1]
    page = (ROOT / "docs" / "webhooks" / "verify.md").read_text(encoding="utf-8")
    assert f"\n{(SAMPLES / file).read_text(encoding='utf-8')}```\n" in page, f"put {file} into verify.md as it is"
