"""What a signed-in person changes about themselves: starting and ending sign-ins, the password, the second factor."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from hub.accounts.users import AboutPeople, changed, found, one, told
from hub.core.clock import UtcMs
from hub.core.effects import CredentialsChanged
from hub.core.errors import Code, HubError
from hub.storage import users as rows
from hub.storage.accounts import raise_credentials_version
from hub.storage.transaction import Done, Refused, Tx
from hub.storage.users import SignInRow, UserRow


class StartSignIn(AboutPeople, frozen=True, kw_only=True):
    """A browser is let in. `password_hash` is the one that was verified; `totp_step` and `recovery_hash` are used up by it."""

    id: str
    account_id: str
    user_id: str
    token_sha256: str
    expires_at: UtcMs
    password_hash: str | None
    totp_step: int | None = None
    recovery_hash: str | None = None
    replaces_id: str | None = None
    """The sign-in this browser had before; it ends."""


class EndSignIn(AboutPeople, frozen=True, kw_only=True):
    """Sign one browser out."""

    account_id: str
    user_id: str
    sign_in_id: str


class EndSignIns(AboutPeople, frozen=True, kw_only=True):
    """Sign every browser of a person out, but `keep_id`."""

    account_id: str
    user_id: str
    keep_id: str | None = None


class ChangePassword(AboutPeople, frozen=True, kw_only=True):
    """A new password, by the old one; every browser but this one is signed out."""

    account_id: str
    user_id: str
    old_hash: str | None
    password_hash: str
    keep_id: str


class ChangeSecondFactor(AboutPeople, frozen=True, kw_only=True):
    """Begin (`totp_pending`), confirm (`totp_secret` and the rest) or drop (nothing) the second factor. Secrets are sealed."""

    account_id: str
    user_id: str
    totp_secret: bytes | None = None
    totp_pending: bytes | None = None
    totp_step: int = 0
    recovery_hashes: str = ""


class TouchSignIn(msgspec.Struct, frozen=True, kw_only=True):
    """A browser was used."""

    sign_in_id: str
    user_id: str
    seen_at: UtcMs


def start_sign_ins(tx: Tx, commands: Sequence[StartSignIn]) -> list[Done[UserRow] | Refused]:
    """Let browsers in. Refused: `wrong_login` when the person changed meanwhile, `code_needed` when the code was used already."""
    return [one(tx, _start, command) for command in commands]


def end_sign_ins(tx: Tx, commands: Sequence[EndSignIn]) -> list[Done[None] | Refused]:
    """Sign browsers out; one that is out already stays so."""
    return [one(tx, _end, command) for command in commands]


def end_all_sign_ins(tx: Tx, commands: Sequence[EndSignIns]) -> list[Done[None] | Refused]:
    """Sign people out everywhere."""
    return [one(tx, _end_all, command) for command in commands]


def change_passwords(tx: Tx, commands: Sequence[ChangePassword]) -> list[Done[UserRow] | Refused]:
    """Change passwords. Refused: `conflict` when it was changed meanwhile."""
    return [one(tx, _change_password, command) for command in commands]


def change_second_factors(tx: Tx, commands: Sequence[ChangeSecondFactor]) -> list[Done[UserRow] | Refused]:
    """Begin, confirm or drop second factors."""
    return [one(tx, _change_second_factor, command) for command in commands]


def touch_sign_ins(tx: Tx, commands: Sequence[TouchSignIn]) -> list[Done[None] | Refused]:
    """Note when browsers were used."""
    rows.touch_sign_ins(tx, [(command.sign_in_id, command.user_id, command.seen_at) for command in commands])
    return [Done(None) for _ in commands]


def _start(tx: Tx, command: StartSignIn) -> Done[UserRow]:
    row = rows.find_user(tx.conn, command.account_id, command.user_id)
    if row is None or row.disabled_at is not None or row.password_hash != command.password_hash:
        raise HubError(Code.WRONG_LOGIN)
    values = _used_up(row, command)
    rows.insert_sign_in(
        tx, SignInRow(command.id, row.account_id, row.id, command.token_sha256, tx.now, tx.now, command.expires_at)
    )
    values = {**values, "last_seen_at": tx.now}
    rows.update_user(tx, row.account_id, row.id, values)
    ended = () if command.replaces_id is None else _ended(tx, row.account_id, command.replaces_id)
    return Done(msgspec.structs.replace(row, **values), ended)


def _ended(tx: Tx, account_id: str, sign_in_id: str) -> tuple[CredentialsChanged, ...]:
    rows.delete_sign_in(tx, account_id, sign_in_id)
    raise_credentials_version(tx)
    return (CredentialsChanged(account_id, "user", sign_in_id),)


def _used_up(row: UserRow, command: StartSignIn) -> dict[str, object]:
    """The code counts once, also when two browsers send it at the same moment."""
    if command.totp_step is not None:
        if command.totp_step <= row.totp_step:
            raise HubError(Code.CODE_NEEDED, "This code was used already. Wait for the next one.")
        return {"totp_step": command.totp_step}
    if command.recovery_hash is not None:
        left = row.recovery_hashes.split()
        if command.recovery_hash not in left:
            raise HubError(Code.CODE_NEEDED, "This recovery code was used already.")
        left.remove(command.recovery_hash)
        return {"recovery_hashes": " ".join(left)}
    if row.totp_secret is not None:
        raise HubError(Code.CODE_NEEDED)
    return {}


def _end(tx: Tx, command: EndSignIn) -> Done[None]:
    rows.delete_sign_in(tx, command.account_id, command.sign_in_id)
    return _signed_out(tx, command.account_id, command.user_id)


def _end_all(tx: Tx, command: EndSignIns) -> Done[None]:
    rows.delete_sign_ins(tx, command.account_id, command.user_id, command.keep_id)
    return _signed_out(tx, command.account_id, command.user_id)


def _signed_out(tx: Tx, account_id: str, user_id: str) -> Done[None]:
    row = rows.find_user(tx.conn, account_id, user_id)
    raise_credentials_version(tx)
    return Done(None, () if row is None else (told(row),))


def _change_password(tx: Tx, command: ChangePassword) -> Done[UserRow]:
    row = found(tx, command.account_id, command.user_id)
    if row.password_hash != command.old_hash:
        raise HubError(Code.CONFLICT, "The password was changed meanwhile. Sign in again.")
    rows.delete_sign_ins(tx, row.account_id, row.id, command.keep_id)
    rows.delete_links(tx, row.account_id, row.id)
    return changed(tx, row, {"password_hash": command.password_hash})


def _change_second_factor(tx: Tx, command: ChangeSecondFactor) -> Done[UserRow]:
    row = found(tx, command.account_id, command.user_id)
    values: dict[str, object] = {
        "totp_secret": command.totp_secret,
        "totp_pending": command.totp_pending,
        "totp_step": max(command.totp_step, row.totp_step),
        "recovery_hashes": command.recovery_hashes,
    }
    if command.totp_pending is not None:
        # Beginning anew must not take away the factor that protects the person now.
        values = {"totp_pending": command.totp_pending}
    return changed(tx, row, values)
