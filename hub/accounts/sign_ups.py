"""Signing up: somebody makes an account of their own with a mail address and a password, and confirms the address.

Nothing exists before the confirmation but a row that ends after a day. Confirming takes the link *and* the password: who has only the
mailbox (and never asked) makes no account with a stranger's password, and who has only the password never had the mailbox.
Whether an address has an account already is told to its mailbox alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from hub.accounts.account import CreateAccount, create_accounts
from hub.accounts.chosen_passwords import Passwords, check_password
from hub.accounts.login_rate import LoginRate
from hub.accounts.roles import Role
from hub.accounts.secretbox import SealBroken, SecretBox
from hub.accounts.user_links import link_hash, new_link
from hub.accounts.users import AboutPeople, new_row, one
from hub.core.clock import Clock, UtcMs
from hub.core.effects import CredentialsChanged
from hub.core.errors import Code, HubError, invalid
from hub.core.ids import IdSource
from hub.core.mail import mail_address
from hub.core.text import sanitise
from hub.log import get_logger
from hub.storage import users as rows
from hub.storage.accounts import raise_credentials_version
from hub.storage.database import Database
from hub.storage.transaction import Done, Refused, Tx
from hub.storage.users import SignUpRow, UserRow

log = get_logger("accounts.sign_ups")

LIVES_SECONDS = 24 * 3600
MOST_WAITING = 1000
"""Unconfirmed at a time: what anybody on the internet may make the hub keep."""
BY_MAILBOX = (3, 1200.0)
"""Requests in a row for one address, and seconds until one more: nobody's mailbox is filled by this hub."""
BY_ADDRESS = (10, 360.0)
SUBJECT = "Confirm your address"
_LETTER = """Somebody, probably you, has signed up with this address. To confirm it, open this link and type the password you chose:

{link}

The link works once, for a day. If it was not you, do nothing: without the link there is no account.
"""
_KNOWN = """Somebody, probably you, has signed up with this address. It has an account here already: sign in with it at

{link}

If it was not you, do nothing.
"""
Letters = Callable[[str, str, str], Awaitable[bool]]
"""Sends a mail: to, subject, text; whether the mail server took it."""


class RequestSignUp(AboutPeople, frozen=True, kw_only=True):
    """Keep what somebody signed up with until it is confirmed."""

    sha256: str
    sealed_token: bytes
    username: str
    name: str
    password_hash: str


class ConfirmSignUp(AboutPeople, frozen=True, kw_only=True):
    """The link was opened by whoever knows the password: make the account."""

    sha256: str
    account_id: str
    user_id: str


def request_sign_ups(tx: Tx, commands: Sequence[RequestSignUp]) -> list[Done[bool] | Refused]:
    """Store requests; the value says whether there is one: an address that has an account makes none. Refused: `rate_limited`."""
    return [one(tx, _request, command) for command in commands]


def confirm_sign_ups(tx: Tx, commands: Sequence[ConfirmSignUp]) -> list[Done[UserRow] | Refused]:
    """Make accounts, each with its first person. Refused: `link_ended`."""
    return [one(tx, _confirm, command) for command in commands]


def _request(tx: Tx, command: RequestSignUp) -> Done[bool]:
    if rows.find_user_by_username(tx.conn, command.username) is not None:
        return Done(False)
    if rows.count_sign_ups(tx.conn, tx.now) >= MOST_WAITING:
        raise HubError(Code.RATE_LIMITED, "Too many wait to be confirmed.", retry_after_seconds=3600.0)
    ends_at = tx.now + LIVES_SECONDS * 1000
    row = SignUpRow(
        command.sha256, command.username, command.name, command.password_hash, command.sealed_token, tx.now, ends_at
    )
    rows.insert_sign_up(tx, row)
    return Done(True)


def _confirm(tx: Tx, command: ConfirmSignUp) -> Done[UserRow]:
    asked = _living(rows.find_sign_up(tx.conn, command.sha256), tx.now)
    if rows.find_user_by_username(tx.conn, asked.username) is not None:
        raise HubError(Code.LINK_ENDED)
    create_accounts(tx, [CreateAccount(id=command.account_id, name=asked.username)])
    row = new_row(tx, command.user_id, command.account_id, asked.username, asked.name, Role.ADMIN)
    row = msgspec.structs.replace(row, password_hash=asked.password_hash)
    rows.insert_user(tx, row)
    rows.delete_sign_ups(tx, asked.username)
    raise_credentials_version(tx)
    return Done(row, (CredentialsChanged(row.account_id, "account", row.account_id),))


def _living(row: SignUpRow | None, now: UtcMs) -> SignUpRow:
    if row is None or row.expires_at <= now:
        raise HubError(Code.LINK_ENDED, "This link no longer works. Sign up once more.")
    return row


class SignUpDesk:
    """What the routes of signing up call. `letters` is None where no mail server is set: the operator then passes the link on."""

    def __init__(
        self, db: Database, clock: Clock, ids: IdSource, box: SecretBox, base_url: str, letters: Letters | None
    ) -> None:
        self._db, self._clock, self._ids, self._box = db, clock, ids, box
        self._base_url, self._letters = base_url, letters
        self._passwords = Passwords()
        self._requests = LoginRate(clock, by_name=BY_MAILBOX, by_address=BY_ADDRESS)
        self._tries = LoginRate(clock)

    async def request(self, email: str, name: str, password: str, *, address: str) -> bool:
        """Keep a request and send its link; whether a mail was sent. Answers and takes as long for an address that is known.

        Raises `validation` and `rate_limited`.
        """
        given = mail_address(email.strip())
        if given is None:
            raise invalid("email", "not_an_address", "Give a mail address such as max@example.org.")
        username = given.casefold()
        check_password(password, username, name)
        self._requests.take(username, address)
        link = new_link()
        command = RequestSignUp(
            sha256=link.sha256,
            sealed_token=self._box.seal(link.token.encode(), _context(link.sha256)),
            username=username,
            name=sanitise(name),
            password_hash=await self._passwords.hash(password),
        )
        is_new = await self._db.writer.submit(request_sign_ups, command, *command.keys())
        if self._letters is None:
            if is_new:
                log.info("somebody signed up; hub user sign-ups shows the link that confirms it")
            return False
        text = _LETTER if is_new else _KNOWN
        where = confirm_address(self._base_url, link.token) if is_new else f"{self._base_url}/ui/login"
        return await self._letters(given, SUBJECT, text.format(link=where))

    async def confirm(self, token: str, password: str, *, address: str) -> UserRow:
        """Make the account. Raises `link_ended`, `wrong_login` for another password, `rate_limited`."""
        sha256 = link_hash(token)
        self._tries.take(sha256, address)
        asked = _living(await self._db.read(rows.find_sign_up, sha256), self._clock.now())
        if not await self._passwords.verify(asked.password_hash, password):
            raise HubError(Code.WRONG_LOGIN, "This is not the password that was chosen with this link.")
        now = self._clock.now()
        command = ConfirmSignUp(sha256=sha256, account_id=self._ids.next(now), user_id=self._ids.next(now))
        made = await self._db.writer.submit(confirm_sign_ups, command, *command.keys())
        self._tries.give_back(sha256, address)
        return made


def confirm_address(base_url: str, token: str) -> str:
    """The address that confirms."""
    return f"{base_url}/ui/confirm#{token}"


def token_of(box: SecretBox, row: SignUpRow) -> str | None:
    """The token of a request, for the operator to pass on; None when the hub's key is another one since."""
    try:
        return box.open(row.sealed_token, _context(row.token_sha256)).decode()
    except SealBroken:
        return None


def _context(sha256: str) -> str:
    return f"sign-up:{sha256}"
