"""The SMTP listener (RFC 5321): takes mails for addresses of this hub, and for no others.

    RCPT TO:<s.dmo…+15550123@sms.example.org>   550 for an address that opens nothing, before a byte of the mail
    DATA                                        250 after the commit · 451 not now · 552 too large · 554 never, with a sentence

Who may send is decided by the address, which is a secret, and by the mail's `From`; a mailbox may ask for a key besides (`session`).
One mail goes to one mailbox or one conversation; to the recipients beyond it the answer is 452, and the sending server
hands them in by themselves. Nothing is relayed: a mail for another domain is refused.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from hub.accounts.credentials import Principal
from hub.certificates import Certificate, load_pair
from hub.config import ConfigurationError
from hub.core.errors import Code, HubError
from hub.core.mail import international, one_line
from hub.dialects.mail.session import Busy, SmtpSession
from hub.log import get_logger
from hub.mail.taking import Destination, MailTaker
from hub.services import Services

log = get_logger("mail")

MOST_SESSIONS = 200
"""Connections at once; one more is told to come back."""
_NOW_NOT = "451 4.3.0 This hub cannot take the mail now. Try again."


class Listener:
    """A background loop (`hub.core.ports.Worker`)."""

    name = "smtp listener"

    def __init__(self, services: Services) -> None:
        self._config = services.config
        self._credentials = services.credentials
        self._taker = MailTaker(services)
        self._open = 0
        self.port = 0
        """The port it listens on, once it does."""
        self.is_listening = asyncio.Event()
        # Its own log names addresses and shows what was said; ours names neither.
        logging.getLogger("mail.log").setLevel(logging.CRITICAL)

    async def run(self) -> None:
        """Listen until cancelled; what is being stored then is stored, and its sender told."""
        host, _, port = self._config.smtp_listen.rpartition(":")
        files = self._files()
        tls = None if files is None else self._tls(files)
        certificate = None if files is None or tls is None else Certificate(tls, *files)

        def session() -> asyncio.BaseProtocol:
            if certificate is not None:
                certificate.read_if_changed()
            return self._session(tls)

        try:
            server = await asyncio.get_running_loop().create_server(session, host.strip("[]") or None, int(port))
        except OSError as error:
            raise ConfigurationError(f"HUB_SMTP_LISTEN is {self._config.smtp_listen}: {error.strerror}.") from error
        self.port = int(server.sockets[0].getsockname()[1])
        self.is_listening.set()
        log.info("listening for mails", port=self.port, has_tls=tls is not None)
        try:
            await server.serve_forever()
        finally:
            self.is_listening.clear()
            server.close()

    def _files(self) -> tuple[Path, Path] | None:
        config = self._config
        certificate, key = config.smtp_certificate or config.tls_certificate, config.smtp_key or config.tls_key
        return None if certificate is None or key is None else (certificate, key)

    def _tls(self, files: tuple[Path, Path]) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            load_pair(context, *files)
        except OSError as error:  # ssl's own errors are of this kind
            raise ConfigurationError(
                f"The certificate for mails ({files[0]}, {files[1]}) cannot be used: {error.strerror}."
            ) from error
        return context

    def _session(self, tls: ssl.SSLContext | None) -> asyncio.BaseProtocol:
        if self._open >= MOST_SESSIONS:
            return Busy()
        self._open += 1
        return SmtpSession(
            _Handler(self._taker, self._config.mail_host),
            self._credentials,
            self._has_ended,
            self._config.request_seconds,
            data_size_limit=self._config.mail_max_bytes,
            hostname=self._config.mail_host,
            ident="Handset Hub",
            tls_context=tls,
            loop=asyncio.get_running_loop(),
        )

    def _has_ended(self) -> None:
        self._open -= 1


class _Handler:
    """What aiosmtpd asks of one session."""

    def __init__(self, taker: MailTaker, domain: str) -> None:
        self._taker = taker
        self._domain = domain
        self._envelope: Envelope | None = None
        self._to: Destination | None = None
        self._numbers: list[str] = []

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Look the address up; 550 for one that is not ours or opens nothing."""
        local, _, domain = address.rpartition("@")
        if domain.lower() != self._domain:
            return "550 5.7.1 This hub takes mails for its own addresses only."
        local, _, number = local.partition("+")
        try:
            to = await self._taker.find(local)
            to.admit(session.auth_data if isinstance(session.auth_data, Principal) else None)
        except HubError as error:
            return _answer(error)
        except Exception:
            log.exception("an address could not be looked up")
            return _NOW_NOT
        return self._add(envelope, to, number)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Take the mail: 250 once it is on disk."""
        content = envelope.content
        if envelope is not self._envelope or self._to is None or not isinstance(content, bytes):
            return "503 5.5.1 Name a recipient first."
        if not (envelope.mail_from or "").strip("<>"):
            return "550 5.7.1 Bounces are not sent as texts."
        try:
            await self._taker.take(self._to, content, self._numbers)
        except HubError as error:
            log.info("a mail was not taken", result=error.code)
            return _answer(error)
        except Exception:
            log.exception("a mail failed inside the hub")
            return _NOW_NOT
        return "250 2.0.0 The text is stored and will be sent."

    def _add(self, envelope: Envelope, to: Destination, number: str) -> str:
        """One more recipient of a mail, if it is the same mailbox's."""
        if envelope is not self._envelope:  # another mail of the session
            self._envelope, self._to, self._numbers = envelope, to, []
        elif self._to != to or to.peer is not None or not number or not self._numbers:
            return "452 4.5.3 One mailbox or conversation at a time. Send the mail to the others by itself."
        if number:
            self._numbers.append(international(number))
        envelope.rcpt_tos.append(number)
        return "250 2.1.5 Go on."


def _answer(error: HubError) -> str:
    """The error as SMTP says it: 4yz may succeed later, 5yz never will (RFC 5321 §4.2.1, RFC 3463)."""
    sentence = one_line(error.detail).encode("ascii", "replace").decode()[:400]
    if error.problem.retryable:
        return f"451 4.3.2 {sentence}"
    if error.code is Code.BODY_TOO_LARGE:
        return f"552 5.3.4 {sentence}"
    if error.code is Code.UNAUTHENTICATED:
        return f"550 5.1.1 {sentence}"
    if error.code is Code.WRONG_LOGIN:
        return f"530 5.7.0 {sentence}"  # RFC 4954 §6
    return f"554 5.6.0 {sentence}"
