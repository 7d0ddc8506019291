"""Encrypts what the hub must be able to read again (webhook signing secrets, vendor tokens), with a key file made on first start.

Encryption is AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce. A sealed blob is

    version (1 byte, 1) · key id (4 bytes) · nonce (12 bytes) · ciphertext and tag

and its `context` is authenticated with it, so that a blob copied to another row or column does not open there. The key file holds one
key a line, `<key id> <base64 of 32 bytes>`, the first of which seals; older ones below it still open, which is how a key is rotated:
put a new line on top, start the hub, and drop the old line when nothing sealed with it is left.

Random secrets that only have to be recognised (API keys, enrolment tokens) are not sealed: their SHA-256 is stored.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hub.config import ConfigurationError

VERSION = 1
KEY_BYTES = 32
NONCE_BYTES = 12
KEY_ID_BYTES = 4
_HEADER = 1 + KEY_ID_BYTES + NONCE_BYTES


class KeyFileBroken(ConfigurationError):
    """The key file is there but cannot be used; its sentence is for the operator."""


class SealBroken(ValueError):
    """A blob that no key of this hub opens: another key file, another context, or changed bytes."""


@dataclass(frozen=True, slots=True)
class _Key:
    id: bytes
    secret: bytes = field(repr=False)

    @classmethod
    def of(cls, secret: bytes) -> _Key:
        return cls(hashlib.sha256(b"handset-hub key id\x00" + secret).digest()[:KEY_ID_BYTES], secret)


class SecretBox:
    """Seals and opens with the keys of one key file, and derives keys for other purposes from them. Safe to share between threads."""

    def __init__(self, keys: Sequence[bytes], *, random: Callable[[int], bytes] = secrets.token_bytes) -> None:
        """`keys` are 32 bytes each, the sealing one first."""
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise ValueError(f"a secret box needs keys of {KEY_BYTES} bytes")
        self._keys = tuple(_Key.of(key) for key in keys)
        self._by_id = {key.id: AESGCM(key.secret) for key in self._keys}
        self._random = random

    @property
    def key_id(self) -> str:
        """Names the sealing key, in hex: for logs, `doctor`, and to see whether a backup's key file is the right one."""
        return self._keys[0].id.hex()

    def holds(self, key_id: str) -> bool:
        """Whether what was sealed with the key of this name can be opened."""
        return any(key.id.hex() == key_id for key in self._keys)

    def seal(self, plain: bytes, context: str) -> bytes:
        """Encrypt; `context` (such as `webhook-secrets:<endpoint id>`) must be the same when it is opened."""
        nonce = self._random(NONCE_BYTES)
        header = bytes([VERSION]) + self._keys[0].id
        return header + nonce + self._by_id[self._keys[0].id].encrypt(nonce, plain, header + context.encode())

    def open(self, blob: bytes, context: str) -> bytes:
        """Decrypt. SealBroken when this is not a blob of this box and context."""
        if len(blob) < _HEADER or blob[0] != VERSION:
            raise SealBroken("not a sealed secret of this hub")
        header, nonce = blob[: 1 + KEY_ID_BYTES], blob[1 + KEY_ID_BYTES : _HEADER]
        cipher = self._by_id.get(header[1:])
        if cipher is None:
            raise SealBroken(f"sealed with key {header[1:].hex()}, which the key file does not hold")
        try:
            return cipher.decrypt(nonce, blob[_HEADER:], header + context.encode())
        except InvalidTag as error:
            raise SealBroken("the sealed secret was changed, or belongs somewhere else") from error

    def is_current(self, blob: bytes) -> bool:
        """Whether the blob was sealed with the first key; others should be sealed again."""
        return blob[1 : 1 + KEY_ID_BYTES] == self._keys[0].id

    def derive(self, purpose: str, length: int = 32) -> bytes:
        """A key for one purpose (`device-token`, `stream-ticket` …), by HKDF-SHA256 (RFC 5869) from the sealing key."""
        return _derive(self._keys[0].secret, purpose, length)

    def derive_each(self, purpose: str, length: int = 32) -> tuple[bytes, ...]:
        """`derive` for every key of the file, newest first: what was signed before a rotation still verifies."""
        return tuple(_derive(key.secret, purpose, length) for key in self._keys)


def _derive(secret: bytes, purpose: str, length: int) -> bytes:
    return HKDF(SHA256(), length, salt=None, info=b"handset-hub " + purpose.encode()).derive(secret)


def open_key_file(path: Path, *, random: Callable[[int], bytes] = secrets.token_bytes) -> SecretBox:
    """The box of a key file; a file that is not there is made, readable by its owner alone (mode 0600), and on disk before use.

    Raises KeyFileBroken for a file that is not a key file: going on with another key would make every stored secret unreadable, one
    by one.
    """
    try:
        text = path.read_text(encoding="ascii")
    except FileNotFoundError:
        text = _make_key_file(path, random)
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileBroken(f"The key file {path} cannot be read: {error}.") from error
    return SecretBox(parse_key_file(text, path), random=random)


def parse_key_file(text: str, path: Path) -> list[bytes]:
    """The keys of a key file's text, the sealing one first. KeyFileBroken names the line that is wrong."""
    keys = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        key = _parse_line(line)
        if key is None:
            raise KeyFileBroken(
                f"Line {number} of the key file {path} is not `<key id> <base64 of 32 bytes>`: put a copy of the file back."
            )
        keys.append(key)
    if not keys:
        raise KeyFileBroken(f"The key file {path} holds no key. Restore it, or remove it to start with a new one.")
    return keys


def _parse_line(line: str) -> bytes | None:
    key_id, _, encoded = line.strip().partition(" ")
    try:
        secret = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return None
    return secret if len(secret) == KEY_BYTES and _Key.of(secret).id.hex() == key_id else None


def key_line(secret: bytes) -> str:
    """The line of a key file for one key."""
    return f"{_Key.of(secret).id.hex()} {base64.b64encode(secret).decode()}\n"


def _make_key_file(path: Path, random: Callable[[int], bytes]) -> str:
    """Write a new key so that a crash leaves a whole file or none; when two processes start at once, the first one's key counts."""
    text = key_line(random(KEY_BYTES))
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{random(6).hex()}.new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        return _put_in_place(draft, path, text)
    finally:
        draft.unlink(missing_ok=True)


def _put_in_place(draft: Path, path: Path, text: str) -> str:
    try:
        os.link(draft, path)
    except FileExistsError:
        return path.read_text(encoding="ascii")
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return text
