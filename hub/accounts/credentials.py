"""Verified keys, remembered: most requests cost one hash and one dictionary look-up instead of a database read.

A revocation reaches this cache at once in the process that made it (the `CredentialsChanged` effect runs right after its commit), and
within `POLL_SECONDS` in the others, which watch one number in the database. What was read while something changed
is read again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

import msgspec

from hub.accounts.keys import TouchKey, hash_of, touch_keys
from hub.accounts.rate import Bucket
from hub.accounts.scopes import Scope, parse_scopes
from hub.accounts.settings import AccountSettings, read_settings
from hub.core.clock import Clock, UtcMs
from hub.core.effects import CredentialsChanged
from hub.core.errors import Code, HubError
from hub.log import get_logger
from hub.storage.accounts import KeyRow, credentials_version, find_account, find_key, find_key_by_hash
from hub.storage.database import Database

log = get_logger("accounts.credentials")

POLL_SECONDS = 2.0
"""How often other processes' changes are looked for; a revoked key works at most this long elsewhere."""
TOUCH_EVERY_MS = 60_000
"""`last_used_at` is told to the minute: a write per request would double the hub's work."""
MOST_REMEMBERED = 50_000


class Principal(msgspec.Struct, frozen=True):
    """Who a request acts for, and what it may do."""

    account_id: str
    key_id: str
    """Empty for a person."""
    key_name: str
    scopes: frozenset[Scope]
    user_id: str | None = None
    """The person who is signed in; None for a key."""
    sign_in_id: str | None = None
    """The browser that person is signed in with."""
    line_ids: frozenset[str] | None = None
    """The lines it may see and send by; None = all of the account."""

    def require(self, scope: Scope) -> None:
        """Raise `scope_missing` unless the key, or the person's role, has it."""
        if scope not in self.scopes:
            what = "This key lacks" if self.user_id is None else "Your role lacks"
            raise HubError(Code.SCOPE_MISSING, f"{what} the scope {scope}.")


class Credential:
    """A key that was found alive: what it is, when it ends, and its allowance of requests."""

    __slots__ = ("bucket", "expires_at", "principal")

    def __init__(self, principal: Principal, expires_at: UtcMs | None, bucket: Bucket) -> None:
        self.principal = principal
        self.expires_at = expires_at
        self.bucket = bucket


class Credentials:
    """The keys this process has verified. A background loop: `run` watches other processes and writes down last uses."""

    name = "credentials"

    def __init__(self, db: Database, clock: Clock, *, requests_per_second: float) -> None:
        self._db = db
        self._clock = clock
        self._per_second = requests_per_second
        self._known: OrderedDict[str, Credential] = OrderedDict()
        self._settings: dict[str, AccountSettings] = {}
        self._changes = 0
        self._version: int | None = None
        self._used: dict[str, UtcMs] = {}
        self._written: dict[str, UtcMs] = {}

    async def find(self, token: str) -> Credential:
        """The credential of a key. Raises `unauthenticated`, `key_expired` or `key_revoked`."""
        return self.find_known(token) or self._used_now(await self._read(hash_of(token)))

    def find_known(self, token: str) -> Credential | None:
        """`find` for a key that is remembered; None for others."""
        known = self._known.get(hash_of(token))
        return None if known is None else self._used_now(known)

    def _used_now(self, known: Credential) -> Credential:
        now = self._clock.now()
        if known.expires_at is not None and known.expires_at <= now:
            raise HubError(Code.KEY_EXPIRED)
        self._used[known.principal.key_id] = now
        return known

    def take(self, credential: Credential) -> None:
        """Count one request of a key. Raises `rate_limited` when it has used up its allowance."""
        wait = credential.bucket.take(self._clock.monotonic())
        if wait > 0:
            raise HubError(Code.RATE_LIMITED, "This key has used up its requests for now.", retry_after_seconds=wait)

    @property
    def changes(self) -> int:
        """Rises whenever a credential may have changed: what holds one open looks again when it does."""
        return self._changes

    async def is_alive(self, principal: Principal) -> bool:
        """Whether the key behind a principal still works: for streams, which outlive their first check."""
        row = await self._db.read(find_key, principal.account_id, principal.key_id)
        return row is not None and row.is_alive(self._clock.now())

    async def principal_of(self, account_id: str, key_id: str) -> Principal:
        """The principal of a key by its id, for tickets that were signed for it. Raises as `find` does."""
        return _principal(self._living(await self._db.read(find_key, account_id, key_id)))

    async def settings_of(self, account_id: str) -> AccountSettings:
        """The settings of an account, remembered as its keys are: every text that is sent asks for them."""
        known = self.known_settings_of(account_id)
        if known is not None:
            return known
        changes = -1
        while changes != self._changes:
            changes = self._changes
            row = await self._db.read(find_account, account_id)
        known = read_settings("{}" if row is None else row.settings)
        self._settings[account_id] = known
        return known

    def known_settings_of(self, account_id: str) -> AccountSettings | None:
        """`settings_of` an account whose settings are remembered; None for others."""
        return self._settings.get(account_id)

    def forget(self, change: CredentialsChanged) -> None:
        """A credential changed in this process: the next request with it reads it anew."""
        self._changes += 1
        self._settings.pop(change.account_id, None)
        for key_sha256 in [
            key_sha256 for key_sha256, known in self._known.items() if known.principal.key_id == change.id
        ]:
            del self._known[key_sha256]

    async def run(self) -> None:
        """Watch for changes made by other processes, and write down when keys were used, until cancelled."""
        while True:
            await self.look()
            await self.write_last_uses()
            await asyncio.sleep(POLL_SECONDS)

    async def look(self) -> None:
        """Forget everything if a credential was changed anywhere since the last look."""
        version = await self._db.read(credentials_version)
        if self._version is not None and version != self._version:
            self._changes += 1
            self._known.clear()
            self._settings.clear()
        self._version = version

    async def write_last_uses(self) -> None:
        """Store the last use of the keys whose stored one is older than a minute."""
        latest = self._clock.now() - TOUCH_EVERY_MS
        due = {key_id: at for key_id, at in self._used.items() if self._written.get(key_id, latest) <= latest}
        for key_id in due:
            del self._used[key_id]
        try:
            await asyncio.gather(*(self._touch(key_id, at) for key_id, at in due.items()))
        except HubError as error:
            log.warning("last uses of keys were not written", why=error.detail, keys=len(due))

    async def _touch(self, key_id: str, at: UtcMs) -> None:
        await self._db.writer.submit(touch_keys, TouchKey(key_id=key_id, used_at=at), f"key:{key_id}")
        self._written[key_id] = self._clock.now()

    async def _read(self, key_sha256: str) -> Credential:
        changes = -1
        while changes != self._changes:
            changes = self._changes
            row = self._living(await self._db.read(find_key_by_hash, key_sha256))
        made = Credential(_principal(row), row.expires_at, Bucket(self._per_second, self._clock.monotonic()))
        self._known[key_sha256] = made
        if len(self._known) > MOST_REMEMBERED:
            self._known.popitem(last=False)
        return made

    def _living(self, row: KeyRow | None) -> KeyRow:
        if row is None:
            raise HubError(Code.UNAUTHENTICATED)
        if row.revoked_at is not None:
            raise HubError(Code.KEY_REVOKED)
        if row.expires_at is not None and row.expires_at <= self._clock.now():
            raise HubError(Code.KEY_EXPIRED)
        return row


def _principal(row: KeyRow) -> Principal:
    return Principal(row.account_id, row.id, row.name, parse_scopes(row.scopes))
