"""Signed-in browsers, remembered: who a cookie belongs to, and what that person may do at this moment.

A cookie holds `<token>.<mac>`: 256 random bits, of which the hub stores the SHA-256, and a MAC by a key derived from the key file,
so that an invented cookie never reaches the database. What is remembered of a browser is read anew whenever any credential changed
(`Credentials.changes`): signing out, disabling a person, another role or other lines take effect with the next request here, and
within `credentials.POLL_SECONDS` in other processes.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections import OrderedDict

import msgspec

from hub.accounts.credentials import POLL_SECONDS, TOUCH_EVERY_MS, Credentials, Principal
from hub.accounts.rate import Bucket
from hub.accounts.roles import scopes_of
from hub.accounts.secretbox import SecretBox
from hub.accounts.sign_ins import TouchSignIn, touch_sign_ins
from hub.core.clock import Clock, UtcMs
from hub.core.errors import Code, HubError
from hub.log import get_logger
from hub.storage.database import Database
from hub.storage.users import SignInRow, UserRow, find_sign_in, find_sign_in_by_id

log = get_logger("accounts.signed_in")

PURPOSE = "sign-in-cookie"
MOST_REMEMBERED = 10_000
_TOKEN_BYTES = 32


class NewToken(msgspec.Struct, frozen=True):
    """A cookie just made, and what is stored of it."""

    cookie: str
    sha256: str


class _Known:
    __slots__ = ("bucket", "changes", "expires_at", "principal", "seen_at", "written_at")

    def __init__(self, sign_in: SignInRow, principal: Principal, changes: int, bucket: Bucket) -> None:
        self.principal = principal
        self.expires_at = sign_in.expires_at
        self.seen_at = self.written_at = sign_in.seen_at
        self.changes = changes
        self.bucket = bucket


class SignedIn:
    """The browsers this process has let in. A background loop: `run` writes down when they were last used."""

    name = "sign_ins"

    def __init__(
        self,
        db: Database,
        clock: Clock,
        box: SecretBox,
        credentials: Credentials,
        *,
        idle_seconds: float,
        requests_per_second: float,
    ) -> None:
        self._db = db
        self._clock = clock
        self._credentials = credentials
        self._keys = box.derive_each(PURPOSE)
        self._idle_ms = round(idle_seconds * 1000)
        self._per_second = requests_per_second
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def new_token(self) -> NewToken:
        """A cookie that belongs to nobody yet."""
        token = secrets.token_hex(_TOKEN_BYTES)
        return NewToken(f"{token}.{_mac(self._keys[0], token)}", _sha256(token))

    async def find(self, cookie: str) -> Principal:
        """Who is signed in with this cookie. Raises `unauthenticated` when nobody is any more, and `rate_limited`."""
        token, _, mac = cookie.partition(".")
        if not any(hmac.compare_digest(_mac(key, token), mac) for key in self._keys):
            raise signed_out()
        known = await self._fresh(_sha256(token))
        now = self._clock.now()
        if not self._is_alive(known.seen_at, known.expires_at, now):
            raise signed_out()
        known.seen_at = now
        wait = known.bucket.take(self._clock.monotonic())
        if wait > 0:
            raise HubError(Code.RATE_LIMITED, retry_after_seconds=wait)
        return known.principal

    async def principal_of(self, account_id: str, sign_in_id: str) -> Principal:
        """Who a signed-in browser belongs to, by its id: for tickets made for it. Raises `unauthenticated`."""
        found = await self._db.read(find_sign_in_by_id, account_id, sign_in_id)
        return self._living(found)[1]

    async def is_alive(self, principal: Principal) -> bool:
        """Whether the browser is still signed in, with the same rights: for streams, which outlive their first check."""
        try:
            return await self.principal_of(principal.account_id, principal.sign_in_id or "") == principal
        except HubError:
            return False

    async def run(self) -> None:
        """Write down when browsers were last used, until cancelled."""
        while True:
            await self.write_last_uses()
            await asyncio.sleep(POLL_SECONDS)

    async def write_last_uses(self) -> None:
        """Store the last use of the browsers whose stored one is older than a minute."""
        due = [known for known in self._known.values() if known.seen_at - known.written_at >= TOUCH_EVERY_MS]
        for known in due:
            await self._touch(known)

    async def _touch(self, known: _Known) -> None:
        who, seen_at = known.principal, known.seen_at
        command = TouchSignIn(sign_in_id=who.sign_in_id or "", user_id=who.user_id or "", seen_at=seen_at)
        try:
            await self._db.writer.submit(touch_sign_ins, command, "users")
            known.written_at = seen_at
        except HubError as error:
            log.warning("the last use of a sign-in was not written", why=error.detail)

    async def _fresh(self, token_sha256: str) -> _Known:
        known = self._known.get(token_sha256)
        if known is not None and known.changes == self._credentials.changes:
            self._known.move_to_end(token_sha256)
            return known
        changes = -1
        while changes != self._credentials.changes:
            changes = self._credentials.changes
            found = await self._db.read(find_sign_in, token_sha256)
        self._known.pop(token_sha256, None)
        sign_in, principal = self._living(found)
        bucket = known.bucket if known else Bucket(self._per_second, self._clock.monotonic())
        made = self._known[token_sha256] = _Known(sign_in, principal, changes, bucket)
        if known is not None:
            made.seen_at = max(known.seen_at, made.seen_at)
        if len(self._known) > MOST_REMEMBERED:
            self._known.popitem(last=False)
        return made

    def _living(self, found: tuple[SignInRow, UserRow] | None) -> tuple[SignInRow, Principal]:
        if found is None or found[1].disabled_at is not None:
            raise signed_out()
        sign_in, user = found
        if sign_in.expires_at <= self._clock.now():
            raise signed_out()
        return sign_in, _principal(sign_in, user)

    def _is_alive(self, seen_at: UtcMs, expires_at: UtcMs, now: UtcMs) -> bool:
        return now < expires_at and now - seen_at < self._idle_ms


def signed_out() -> HubError:
    """What a request with a cookie of nobody is answered."""
    return HubError(Code.UNAUTHENTICATED, "You are signed out. Sign in again.")


def _principal(sign_in: SignInRow, user: UserRow) -> Principal:
    return Principal(
        account_id=user.account_id,
        key_id="",
        key_name=user.name,
        scopes=scopes_of(user.role),
        user_id=user.id,
        sign_in_id=sign_in.id,
        line_ids=user.lines,
    )


def _sha256(token: str) -> str:
    return hashlib.sha256(f"sign-in:{token}".encode("utf-8", "surrogatepass")).hexdigest()


def _mac(key: bytes, token: str) -> str:
    return hmac.new(key, token.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
