"""Checks logins and makes them: the one place where passwords pass through.

A right password is remembered as a keyed hash (a key of this process), so that a program which sends it with each request costs one
hash instead of 20 ms. A change of any credential empties that memory: at once in the process that made it, within
`credentials.POLL_SECONDS` in the others.
"""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable

import msgspec
from anyio import CapacityLimiter, to_thread

from hub.accounts import logins
from hub.accounts.credentials import TOUCH_EVERY_MS, Credential, Credentials, Principal
from hub.accounts.passwords import hash_password, is_right, nobodys_hash
from hub.accounts.rate import Bucket
from hub.core.clock import Clock, UtcMs
from hub.core.errors import Code, HubError
from hub.core.ids import IdSource
from hub.log import get_logger
from hub.storage.database import Database
from hub.storage.logins import LoginRow, find_login, find_login_by_name

log = get_logger("accounts.logins")

CHECKS_AT_ONCE = 2
MOST_WAITING = 64
"""Checks that may wait for a thread; more are told to come again, so that guessing cannot fill the memory."""
CHECKS_PER_SECOND = 2.5
"""Of one name, after a burst of ten: what is remembered needs no check, so only guessing comes near it."""
MOST_REMEMBERED = 20_000
NAME_TRIES = 8
"""How often a made-up name may turn out to be taken."""


class NewLogin(msgspec.Struct, frozen=True):
    """A login just made or given a new password, which is in this record and nowhere else."""

    row: LoginRow
    password: str

    def __repr__(self) -> str:
        return f"NewLogin({self.row.id})"


class LoginDesk:
    """The logins of this hub. Safe to use from the event loop only."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        ids: IdSource,
        credentials: Credentials,
        *,
        requests_per_second: float,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._db = db
        self._clock = clock
        self._ids = ids
        self._credentials = credentials
        self._per_second = requests_per_second
        self._random = random
        self._pepper = random(32)
        self._seen = credentials.changes
        self._known: OrderedDict[bytes, Credential] = OrderedDict()
        self._guesses: OrderedDict[str, Bucket] = OrderedDict()
        self._touched: dict[str, UtcMs] = {}
        self._limiter: CapacityLimiter | None = None

    # --- checking -------------------------------------------------------------------------------------------------------------

    async def check(self, username: str, password: str) -> Credential:
        """The credential of a login; count a request with `Credentials.take`.

        Raises `wrong_login`, `rate_limited` for a name that is being guessed, `queue_full` when too many checks wait.
        """
        self._forget_if_changed()
        digest = self._digest(username, password)
        known = self._known.get(digest)
        if known is None:
            known = await self._check(username, password, digest)
        await self._touch(known.principal.key_id)
        return known

    async def is_password_of(self, account_id: str, login_id: str, password: str) -> bool:
        """Whether this is the password of one of the account's logins: for whoever wants to change it."""
        row = await self._db.read(find_login, account_id, login_id)
        if row is None:
            return False
        self._count_guess(row.username_key)
        return await self._in_thread(is_right, password, row.password_hash)

    async def _check(self, username: str, password: str, digest: bytes) -> Credential:
        key = logins.name_key(username)
        self._count_guess(key)
        changes = -1
        while changes != self._credentials.changes:
            changes = self._credentials.changes
            row = await self._db.read(find_login_by_name, key)
            stored = nobodys_hash() if row is None else row.password_hash
            is_theirs = await self._in_thread(is_right, password, stored)
        if row is None or not is_theirs:
            raise HubError(Code.WRONG_LOGIN)
        self._forget_if_changed()
        principal = Principal(row.account_id, row.id, row.username, logins.LOGIN_SCOPES)
        known = Credential(principal, None, Bucket(self._per_second, self._clock.monotonic()))
        self._known[digest] = known
        if len(self._known) > MOST_REMEMBERED:
            self._known.popitem(last=False)
        return known

    def _digest(self, username: str, password: str) -> bytes:
        """Recognises a pair that was right; useless without this process's key."""
        name = logins.name_key(username).encode("utf-8", "surrogatepass")
        pair = len(name).to_bytes(4, "big") + name + password.encode("utf-8", "surrogatepass")
        return hmac.digest(self._pepper, pair, "sha256")

    def _forget_if_changed(self) -> None:
        if self._seen != self._credentials.changes:
            self._seen = self._credentials.changes
            self._known.clear()

    def _count_guess(self, key: str) -> None:
        bucket = self._guesses.get(key)
        if bucket is None:
            bucket = self._guesses[key] = Bucket(CHECKS_PER_SECOND, self._clock.monotonic())
        self._guesses.move_to_end(key)
        if len(self._guesses) > MOST_REMEMBERED:
            self._guesses.popitem(last=False)
        wait = bucket.take(self._clock.monotonic())
        if wait > 0:
            raise HubError(
                Code.RATE_LIMITED, "Too many wrong passwords for this name: wait a little.", retry_after_seconds=wait
            )

    async def _in_thread(self, work: Callable[[str, str], bool], password: str, stored: str) -> bool:
        if self._limiter is None:
            self._limiter = CapacityLimiter(CHECKS_AT_ONCE)
        if self._limiter.statistics().tasks_waiting >= MOST_WAITING:
            raise HubError(Code.QUEUE_FULL, "Too many passwords are being checked right now.", retry_after_seconds=1.0)
        return await to_thread.run_sync(work, password, stored, limiter=self._limiter)

    async def _touch(self, login_id: str) -> None:
        """Store the last use, to the minute."""
        now = self._clock.now()
        if now - self._touched.get(login_id, 0) < TOUCH_EVERY_MS:
            return
        self._touched[login_id] = now
        try:
            command = logins.TouchLogin(login_id=login_id, used_at=now)
            await self._db.writer.submit(logins.touch_logins, command, f"login:{login_id}")
        except HubError as error:
            log.warning("the last use of a login was not written", why=error.detail)

    # --- making ---------------------------------------------------------------------------------------------------------------

    async def create(self, account_id: str, username: str | None = None, password: str | None = None) -> NewLogin:
        """Make a login. Raises `validation`, and `conflict` when somebody has the name."""
        if username is not None:
            logins.check_username(username)
        if password is not None:
            logins.check_password(password)
        chosen = password or logins.new_password(self._random)
        password_hash = await to_thread.run_sync(hash_password, chosen)
        for _ in range(1 if username else NAME_TRIES):
            row = await self._store(account_id, username or logins.new_username(self._random), password_hash)
            if row is not None:
                return NewLogin(row, chosen)
        raise HubError(Code.CONFLICT, "There is a login of this name already: choose another one.")

    async def _store(self, account_id: str, username: str, password_hash: str) -> LoginRow | None:
        """None when somebody has the name."""
        login_id = self._ids.next(self._clock.now())
        command = logins.CreateLogin(id=login_id, account_id=account_id, username=username, password_hash=password_hash)
        try:
            return await self._db.writer.submit(logins.create_logins, command, *command.keys())
        except HubError as error:
            if error.code is not Code.CONFLICT:
                raise
        return None

    async def set_password(self, account_id: str, login_id: str, password: str | None = None) -> NewLogin:
        """Give a login another password, chosen or made up. Raises `validation` and `not_found`."""
        if password is not None:
            logins.check_password(password)
        chosen = password or logins.new_password(self._random)
        password_hash = await to_thread.run_sync(hash_password, chosen)
        command = logins.SetPassword(account_id=account_id, login_id=login_id, password_hash=password_hash)
        return NewLogin(await self._db.writer.submit(logins.set_passwords, command, *command.keys()), chosen)

    async def delete(self, account_id: str, login_id: str) -> LoginRow:
        """End a login at once. Raises `not_found`."""
        command = logins.DeleteLogin(account_id=account_id, login_id=login_id)
        return await self._db.writer.submit(logins.delete_logins, command, *command.keys())
