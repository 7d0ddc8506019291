"""One SMTP session, as aiosmtpd speaks it: how long it may take, and who signs in with it.

    EHLO … · STARTTLS · EHLO …
    AUTH PLAIN <base64 of NUL, any name, NUL, a key of the hub>     235 · 535 no such key · 454 not now
    MAIL · RCPT · DATA

Signing in (RFC 4954) is offered inside TLS alone. Most senders are other people's mail servers, which have no key; so nobody has to sign
in but for the mailboxes that say so.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from hub.accounts.credentials import Credentials, Principal
from hub.accounts.scopes import Scope
from hub.core.errors import HubError
from hub.dialects.auth import authenticate_login
from hub.log import get_logger

log = get_logger("mail")

IDLE_SECONDS = 60.0
"""Without a command or, within a mail, without a byte of it (RFC 5321 §4.5.3.2 asks senders for more patience, not servers)."""
COMMANDS = {"*": 500, "AUTH": 3}
"""How often each may come in a session."""
LONGEST_AUTH_PARAMETER = 500
_AUTH_PARAMETER = re.compile(r"\sAUTH=\S*", re.IGNORECASE)


class SmtpSession(SMTP):
    """aiosmtpd's session; says once when it has ended. A mail has `mail_seconds` to arrive, however steadily it comes."""

    def __init__(
        self, handler: object, credentials: Credentials, ended: Callable[[], None], mail_seconds: float, **settings: Any
    ) -> None:
        super().__init__(
            handler, timeout=IDLE_SECONDS, command_call_limit=COMMANDS, authenticator=_as_it_is, **settings
        )
        self._credentials = credentials
        self._ended: Callable[[], None] | None = ended
        self._mail_seconds = mail_seconds
        self._mail_until: float | None = None

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        if self._ended is not None:
            self._ended()
            self._ended = None
        super().connection_lost(error)

    # --- time ---------------------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Bytes: those of a mail keep the session alive, those of a command only once it is whole."""
        super().data_received(data)
        if self._mail_until is not None:
            left = self._mail_until - self.loop.time()
            self._reset_timeout(max(min(left, IDLE_SECONDS), 0.001))

    async def smtp_DATA(self, arg: str) -> None:
        """A mail."""
        self._mail_until = self.loop.time() + self._mail_seconds
        try:
            await super().smtp_DATA(arg)
        finally:
            self._mail_until = None
            if self.transport is not None:
                self._reset_timeout()

    # --- who it is ----------------------------------------------------------------------------------------------------------

    async def smtp_MAIL(self, arg: str | None) -> None:
        """The sender. `AUTH=` (RFC 4954 §5) says on whose behalf a trusted server sends: nobody is trusted with that here."""
        await super().smtp_MAIL(None if arg is None else _AUTH_PARAMETER.sub("", arg))

    async def smtp_EHLO(self, hostname: str) -> None:
        """The greeting."""
        await super().smtp_EHLO(hostname)
        self.command_size_limits["MAIL"] += LONGEST_AUTH_PARAMETER

    async def auth_PLAIN(self, _: object, args: list[str]) -> AuthResult:
        """RFC 4616."""
        return await self._verified(await super().auth_PLAIN(_, args))

    async def auth_LOGIN(self, _: object, args: list[str]) -> AuthResult:
        """What old programs do instead."""
        return await self._verified(await super().auth_LOGIN(_, args))

    async def _verified(self, sent: AuthResult) -> AuthResult:
        if not sent.success or not isinstance(sent.auth_data, LoginPassword):
            return sent  # it was no name and password, and the client was told so
        try:
            who = await self._principal(sent.auth_data)
        except HubError as error:
            log.info("a sign-in by SMTP was refused", result=error.code)
            return _refused(
                "454 4.7.0 Too many requests with this key. Try again." if error.problem.retryable else _WRONG
            )
        except Exception:
            log.exception("a key could not be looked up")
            return _refused("454 4.7.0 This hub cannot check the key now. Try again.")
        return AuthResult(success=True, auth_data=who)

    async def _principal(self, login: LoginPassword) -> Principal:
        who = await authenticate_login(login.login, login.password, self._credentials)
        who.require(Scope.MESSAGES_SEND)
        return who


_WRONG = "535 5.7.8 The password has to be a key of this hub that may send texts."


def _refused(message: str) -> AuthResult:
    return AuthResult(success=False, handled=False, message=message)


def _as_it_is(
    _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: LoginPassword
) -> AuthResult:
    """aiosmtpd asks for a verdict at once; looking up a key takes a moment, so that it comes afterwards."""
    return AuthResult(success=True, auth_data=data)


class Busy(asyncio.Protocol):
    """For whoever comes when there are enough already."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say so, and hang up."""
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"421 4.3.2 Too many connections. Try again.\r\n")
        transport.close()
