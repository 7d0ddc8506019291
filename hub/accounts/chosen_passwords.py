"""Passwords that people choose: at least ten characters, and no rules about which.

Length is what makes a password hard to guess; demands for digits and signs make people write "Password1!" (NIST SP 800-63B §5.1.1.2).
Only what everybody tries first is refused, and what the person is called.
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from hub.accounts.passwords import hash_password, is_right, nobodys_hash
from hub.core.errors import Code, HubError, invalid

P = ParamSpec("P")
T = TypeVar("T")

SHORTEST = 10
LONGEST = 512
AT_ONCE = 2
"""Hashes computed at a time: each takes 19 MiB and a core for some 20 ms."""
MOST_WAITING = 64

_FIRST_GUESSES = frozenset(
    {
        "1234567890",
        "0123456789",
        "0987654321",
        "qwertyuiop",
        "password12",
        "password123",
        "passwordpassword",
        "letmeinletmein",
    }
)


class Passwords:
    """Hashes and checks in threads of its own, so that the hub goes on meanwhile."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="hub-password")
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """The hash to store; what the password may be was checked before."""
        return await self._run(hash_password, _plain(password))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether it is the password. Takes as long for nobody (None) as for somebody, so that names cannot be found out by trying."""
        return await self._run(_is_right, _plain(password), stored)

    async def _run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._waiting >= MOST_WAITING:
            raise HubError(Code.QUEUE_FULL, "Too many people sign in at once.", retry_after_seconds=2.0)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: work(*args, **kwargs))
        finally:
            self._waiting -= 1


def _is_right(password: str, stored: str | None) -> bool:
    return is_right(password, nobodys_hash() if stored is None else stored) and stored is not None


def _plain(password: str) -> str:
    """One spelling of what was typed: keyboards differ in how they compose an é (RFC 8265 §4.2)."""
    return unicodedata.normalize("NFC", password)


def check_password(password: str, *called: str, field: str = "password") -> None:
    """Raise a `validation` error that says what to do about a password that cannot be taken. `called` is what the person is called."""
    if len(password) < SHORTEST:
        raise invalid(field, "too_short", f"Use at least {SHORTEST} characters. Four words are easy to keep in mind.")
    if len(password) > LONGEST:
        raise invalid(field, "too_long", f"Use at most {LONGEST} characters.")
    folded = password.casefold()
    if folded in _FIRST_GUESSES or len(set(folded)) < 3 or folded in {name.casefold() for name in called}:
        raise invalid(field, "too_common", "Anybody would try this one first. Use another, such as four words.")
