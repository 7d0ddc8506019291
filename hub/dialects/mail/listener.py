"""The SMTP listener (RFC 5321): takes mails for addresses of this hub, and for no others.

    RCPT TO:<s.dmo…+15550123@sms.example.org>   550 for an address that opens nothing, before a byte of the mail
    DATA                                        250 after the commit · 451 not now · 552 too large · 554 never, with a sentence

Who may send is decided by the address, which is a secret, and by the mail's `From`: senders are other mail servers, which have no
password here. One mail goes to one mailbox or one conversation; to the recipients beyond it the answer is 452, and the sending server
hands them in by themselves. Nothing is relayed: a mail for another domain is refused.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from hub.config import ConfigurationError
from hub.core.errors import Code, HubError
from hub.core.mail import international, one_line
from hub.log import get_logger
from hub.mail.taking import Destination, MailTaker
from hub.services import Services

log = get_logger("mail")

MOST_SESSIONS = 200
"""Connections at once; one more is told to come back."""
IDLE_SECONDS = 60.0
MOST_COMMANDS = 500
"""Of one kind in a session."""
_NOW_NOT = "451 4.3.0 This hub cannot take the mail now. Try again."


class Listener:
    """A background loop (`hub.core.ports.Worker`)."""

    name = "smtp listener"

    def __init__(self, services: Services) -> None:
        self._config = services.config
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
        loop = asyncio.get_running_loop()
        tls = self._tls()
        try:
            server = await loop.create_server(lambda: self._session(tls), host.strip("[]") or None, int(port))
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

    def _tls(self) -> ssl.SSLContext | None:
        config = self._config
        certificate, key = config.smtp_certificate or config.tls_certificate, config.smtp_key or config.tls_key
        if certificate is None or key is None:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(certificate, key, password="")
        except OSError as error:  # ssl's own errors are of this kind
            raise ConfigurationError(
                f"The certificate for mails ({certificate}, {key}) cannot be used: {error.strerror}."
            ) from error
        return context

    def _session(self, tls: ssl.SSLContext | None) -> asyncio.BaseProtocol:
        if self._open >= MOST_SESSIONS:
            return _Busy()
        self._open += 1
        session: asyncio.BaseProtocol = _Server(
            _Handler(self._taker, self._config.mail_host),
            self._has_ended,
            data_size_limit=self._config.mail_max_bytes,
            hostname=self._config.mail_host,
            ident="Handset Hub",
            tls_context=tls,
            timeout=IDLE_SECONDS,
            command_call_limit=MOST_COMMANDS,
            loop=asyncio.get_running_loop(),
        )
        return session

    def _has_ended(self) -> None:
        self._open -= 1


class _Server(SMTP):
    """aiosmtpd's session; says once when it has ended."""

    def __init__(self, handler: _Handler, ended: Callable[[], None], **settings: Any) -> None:
        super().__init__(handler, **settings)
        self._ended: Callable[[], None] | None = ended

    def connection_lost(self, error: Exception | None) -> None:
        if self._ended is not None:
            self._ended()
            self._ended = None
        super().connection_lost(error)


class _Busy(asyncio.Protocol):
    """For whoever comes when there are enough already."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"421 4.3.2 Too many connections. Try again.\r\n")
        transport.close()


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
    return f"554 5.6.0 {sentence}"
