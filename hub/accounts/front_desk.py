"""Letting people in: sign-in with password and code, the first set-up, a new password, the second factor.

Everything slow (Argon2) and everything that is read happens before the one write that decides.
"""

from __future__ import annotations

import secrets

import msgspec

from hub.accounts.chosen_passwords import Passwords, check_password
from hub.accounts.credentials import Principal
from hub.accounts.login_rate import LoginRate
from hub.accounts.second_factor import matching_step, new_recovery_codes, new_totp_secret, recovery_hash, totp_address
from hub.accounts.secretbox import SealBroken, SecretBox
from hub.accounts.sign_ins import (
    ChangePassword,
    ChangeSecondFactor,
    EndSignIn,
    EndSignIns,
    StartSignIn,
    change_passwords,
    change_second_factors,
    end_all_sign_ins,
    end_sign_ins,
    start_sign_ins,
)
from hub.accounts.signed_in import SignedIn, signed_out
from hub.accounts.user_links import ChoosePassword, CreateFirstUser, choose_passwords, create_first_users, link_hash
from hub.accounts.users import username_of
from hub.core.clock import Clock
from hub.core.errors import Code, HubError, invalid
from hub.core.ids import IdSource
from hub.storage.accounts import find_account
from hub.storage.database import Database
from hub.storage.users import UserRow, find_link, find_user, find_user_by_username, is_anybody_there


class LetIn(msgspec.Struct, frozen=True):
    """A browser that was let in: its cookie, how long it lives, and whose it is."""

    cookie: str
    lives_seconds: int
    user: UserRow


class NewSecondFactor(msgspec.Struct, frozen=True):
    """A second factor to be confirmed by its first code."""

    secret: str
    address: str


class FrontDesk:
    """What the dashboard's session routes call."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        ids: IdSource,
        box: SecretBox,
        signed_in: SignedIn,
        *,
        lives_seconds: float,
    ) -> None:
        self._db, self._clock, self._ids, self._box = db, clock, ids, box
        self._signed_in = signed_in
        self._lives_seconds = int(lives_seconds)
        self._passwords = Passwords()
        self._rate = LoginRate(clock)

    async def sign_in(
        self, username: str, password: str, code: str | None, *, address: str, old: Principal | None = None
    ) -> LetIn:
        """Let a person in. `old` is who this browser was before.

        Raises `rate_limited`, `wrong_login` (also for a name nobody has, and for somebody disabled) and `code_needed`.
        """
        username = _folded(username)
        self._rate.take(username, address)
        user = await self._db.read(find_user_by_username, username)
        is_right = await self._passwords.verify(user.password_hash if user else None, password)
        if user is None or not is_right or user.disabled_at is not None:
            raise HubError(Code.WRONG_LOGIN)
        start = self._code(user, code, self._begun(user, old))
        let_in = await self._start(user, start)
        self._rate.give_back(username, address)
        return let_in

    def _begun(self, user: UserRow, old: Principal | None = None) -> StartSignIn:
        now = self._clock.now()
        return StartSignIn(
            id=self._ids.next(now),
            account_id=user.account_id,
            user_id=user.id,
            token_sha256="",
            expires_at=now + self._lives_seconds * 1000,
            password_hash=user.password_hash,
            replaces_id=old.sign_in_id if old is not None and old.account_id == user.account_id else None,
        )

    def _code(self, user: UserRow, code: str | None, start: StartSignIn) -> StartSignIn:
        if user.totp_secret is None:
            return start
        if not code:
            raise HubError(Code.CODE_NEEDED)
        hashed = recovery_hash(code)
        if hashed in user.recovery_hashes.split():
            return msgspec.structs.replace(start, recovery_hash=hashed)
        step = matching_step(self._secret(user.id, user.totp_secret), code, self._clock.now(), user.totp_step)
        if step is None:
            raise HubError(Code.CODE_NEEDED, "This code is wrong or was used already. Wait for the next one.")
        return msgspec.structs.replace(start, totp_step=step)

    async def _start(self, user: UserRow, start: StartSignIn) -> LetIn:
        token = self._signed_in.new_token()
        command = msgspec.structs.replace(start, token_sha256=token.sha256)
        row = await self._db.writer.submit(start_sign_ins, command, *command.keys())
        return LetIn(token.cookie, self._lives_seconds, row)

    async def sign_out(self, who: Principal) -> None:
        """End this browser's sign-in."""
        command = EndSignIn(account_id=who.account_id, user_id=who.user_id or "", sign_in_id=who.sign_in_id or "")
        await self._db.writer.submit(end_sign_ins, command, *command.keys())

    async def sign_out_everywhere(self, who: Principal) -> None:
        """End every sign-in of this person, this browser's too."""
        command = EndSignIns(account_id=who.account_id, user_id=who.user_id or "")
        await self._db.writer.submit(end_all_sign_ins, command, *command.keys())

    async def is_setup_needed(self) -> bool:
        """Whether the hub has nobody yet."""
        return not await self._db.read(is_anybody_there)

    async def set_up(
        self,
        token: str,
        username: str,
        name: str,
        password: str,
        *,
        address: str,
        account_name: str | None = None,
        settings: dict[str, object] | None = None,
    ) -> LetIn:
        """Make the first person by the set-up link, and let them in. Raises `link_ended` and `validation`."""
        sha256 = await self._living_link(token, address)
        username = username_of(username)
        check_password(password, username, name)
        command = CreateFirstUser(
            id=self._ids.next(self._clock.now()),
            sha256=sha256,
            username=username,
            name=name,
            password_hash=await self._passwords.hash(password),
            account_name=account_name,
            settings=settings or {},
        )
        user = await self._db.writer.submit(create_first_users, command, *command.keys())
        return await self._start(user, self._begun(user))

    async def choose_password(self, token: str, password: str, *, address: str) -> UserRow:
        """Set a password by a link; the person then signs in with it. Raises `link_ended` and `validation`."""
        sha256 = await self._living_link(token, address)
        check_password(password, *await self._called(sha256))
        command = ChoosePassword(sha256=sha256, password_hash=await self._passwords.hash(password))
        return await self._db.writer.submit(choose_passwords, command, *command.keys())

    async def _called(self, sha256: str) -> tuple[str, ...]:
        link = await self._db.read(find_link, sha256)
        user = await self._db.read(find_user, link.account_id, link.user_id or "") if link else None
        return () if user is None else (user.username, user.name)

    async def _living_link(self, token: str, address: str) -> str:
        """The hash of a link that works now: asked before the slow hash, and again by the write."""
        self._rate.take("link", address)
        sha256 = link_hash(token)
        link = await self._db.read(find_link, sha256)
        if link is None or link.expires_at <= self._clock.now():
            raise HubError(Code.LINK_ENDED)
        self._rate.give_back("link", address)
        return sha256

    async def change_password(self, who: Principal, old: str, new: str, *, address: str) -> None:
        """Replace the password by the old one; other browsers are signed out. Raises `wrong_login`, `validation`, `rate_limited`."""
        user = await self._verified(who, old, address)
        check_password(new, user.username, user.name, field="new_password")
        if new == old:
            raise invalid("new_password", "unchanged", "This is the password you have. Choose another one.")
        command = ChangePassword(
            account_id=user.account_id,
            user_id=user.id,
            old_hash=user.password_hash,
            password_hash=await self._passwords.hash(new),
            keep_id=who.sign_in_id or "",
        )
        await self._db.writer.submit(change_passwords, command, *command.keys())

    async def _verified(self, who: Principal, password: str, address: str) -> UserRow:
        """The person, who has just given the password again."""
        user = await self.person(who)
        self._rate.take(user.username, address)
        if not await self._passwords.verify(user.password_hash, password):
            raise HubError(Code.WRONG_LOGIN, "This is not your password.")
        self._rate.give_back(user.username, address)
        return user

    async def person(self, who: Principal) -> UserRow:
        """Who is signed in, as stored. Raises `unauthenticated` when they are gone."""
        user = await self._db.read(find_user, who.account_id, who.user_id or "")
        if user is None:
            raise signed_out()
        return user

    async def begin_second_factor(self, who: Principal, password: str, *, address: str) -> NewSecondFactor:
        """Make a secret for an authenticator app; the one in use stays until the new one is confirmed."""
        user = await self._verified(who, password, address)
        secret = new_totp_secret(secrets.token_bytes)
        sealed = self._box.seal(secret.encode(), _context(user.id))
        command = ChangeSecondFactor(account_id=user.account_id, user_id=user.id, totp_pending=sealed)
        await self._db.writer.submit(change_second_factors, command, *command.keys())
        account = await self._db.read(find_account, user.account_id)
        return NewSecondFactor(secret, totp_address(secret, user.username, account.name if account else ""))

    async def confirm_second_factor(self, who: Principal, code: str, *, address: str) -> list[str]:
        """Switch the second factor on by its first code; the recovery codes, shown once. Raises `code_needed`, `conflict`."""
        user = await self.person(who)
        if user.totp_pending is None:
            raise HubError(Code.CONFLICT, "Nothing waits for a code. Begin with the QR code.")
        self._rate.take(user.username, address)
        step = matching_step(self._secret(user.id, user.totp_pending), code, self._clock.now(), 0)
        if step is None:
            raise HubError(Code.CODE_NEEDED, "This code is wrong. Check the phone's clock, then take the next code.")
        self._rate.give_back(user.username, address)
        codes = new_recovery_codes(secrets.token_bytes)
        command = ChangeSecondFactor(
            account_id=user.account_id,
            user_id=user.id,
            totp_secret=user.totp_pending,
            totp_step=step,
            recovery_hashes=" ".join(recovery_hash(one) for one in codes),
        )
        await self._db.writer.submit(change_second_factors, command, *command.keys())
        return codes

    async def drop_second_factor(self, who: Principal, password: str, *, address: str) -> None:
        """Switch the second factor off. Raises `wrong_login`."""
        user = await self._verified(who, password, address)
        command = ChangeSecondFactor(account_id=user.account_id, user_id=user.id)
        await self._db.writer.submit(change_second_factors, command, *command.keys())

    def _secret(self, user_id: str, sealed: bytes) -> str:
        try:
            return self._box.open(sealed, _context(user_id)).decode()
        except SealBroken as error:
            detail = "The key file of this hub is another one than when this code was set up. Ask an administrator."
            raise HubError(Code.CONFLICT, detail) from error


def _folded(typed: str) -> str:
    """The username that is meant; what cannot be one is nobody's, and is answered like that."""
    try:
        return username_of(typed)
    except HubError:
        return ""


def _context(user_id: str) -> str:
    return f"totp:{user_id}"
