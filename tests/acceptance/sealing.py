"""End-to-end encryption as the sms-gate.app app and its clients do it, on a library of our own choice: a judge, and what the published
Python client needs to be handed where its optional dependency is not installed.

`$aes-256-cbc/pbkdf2-sha1$i=<iterations>$<base64 salt>$<base64 ciphertext>`; the salt is the initialisation vector too.
https://docs.sms-gate.app/privacy/encryption/
"""

from __future__ import annotations

import os
from base64 import b64decode, b64encode

from android_sms_gateway.encryption import BaseEncryptor
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.padding import PKCS7

ITERATIONS = 1000


class Sealing(BaseEncryptor):
    """Encrypts and decrypts with a passphrase."""

    def __init__(self, passphrase: str) -> None:
        super().__init__(passphrase, iterations=ITERATIONS)

    def encrypt(self, cleartext: str) -> str:
        salt = os.urandom(16)
        padder = PKCS7(128).padder()
        encryptor = self._cipher(salt, self.iterations).encryptor()
        padded = padder.update(cleartext.encode()) + padder.finalize()
        sealed = encryptor.update(padded) + encryptor.finalize()
        return f"$aes-256-cbc/pbkdf2-sha1$i={self.iterations}${b64encode(salt).decode()}${b64encode(sealed).decode()}"

    def decrypt(self, encrypted: str) -> str:
        _, algorithm, iterations, salt, sealed = encrypted.split("$")
        assert algorithm == "aes-256-cbc/pbkdf2-sha1"
        decryptor = self._cipher(b64decode(salt), int(iterations.removeprefix("i="))).decryptor()
        unpadder = PKCS7(128).unpadder()
        padded = decryptor.update(b64decode(sealed)) + decryptor.finalize()
        return (unpadder.update(padded) + unpadder.finalize()).decode()

    def _cipher(self, salt: bytes, iterations: int) -> Cipher[CBC]:
        key = PBKDF2HMAC(SHA1(), 32, salt, iterations).derive(self.passphrase.encode())
        return Cipher(AES(key), CBC(salt))
