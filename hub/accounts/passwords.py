"""Passwords of logins: hashed with Argon2id (RFC 9106), or with bcrypt where they were moved in from another server.

One Argon2id check takes 19 MiB and some 20 ms of a core (OWASP's second recommended setting), so checks run in threads, a few at a
time, and what was checked is remembered (`hub.accounts.logins`).
"""

from __future__ import annotations

import re
from functools import cache

import bcrypt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MEMORY_KIB = 19 * 1024
PASSES = 2
LANES = 1
BCRYPT_BYTES = 72
"""bcrypt reads no more of a password; Go's leaves the rest out too."""
_BCRYPT = re.compile(r"\$2[aby]\$(0[4-9]|1[0-9]|2[0-9]|3[01])\$[./A-Za-z0-9]{53}", re.ASCII)
_HASHER = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)


def hash_password(password: str) -> str:
    """The Argon2id hash to store. Takes some 20 ms: call it in a thread."""
    return _HASHER.hash(password.encode("utf-8", "surrogatepass"))


def is_right(password: str, stored: str) -> bool:
    """Whether this is the password of a stored hash. Takes some 20 ms or more: call it in a thread."""
    given = password.encode("utf-8", "surrogatepass")
    try:
        if _BCRYPT.fullmatch(stored):
            return bcrypt.checkpw(given[:BCRYPT_BYTES], stored.encode())
        return _HASHER.verify(stored, given)
    except (VerificationError, InvalidHashError, ValueError):
        return False


def can_be_checked(stored: str) -> bool:
    """Whether a hash of another server is of a kind that `is_right` understands: bcrypt."""
    return _BCRYPT.fullmatch(stored) is not None


@cache
def nobodys_hash() -> str:
    """What the password of an unknown user is checked against, so that the answer takes as long as for a known one."""
    return hash_password("nobody has this login")
