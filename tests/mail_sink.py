"""A mail server for tests: `aiosmtpd` keeps what it is given, and answers as it is told."""

import asyncio
import email
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP as POLICY
from typing import Any, Self, cast

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


@dataclass(slots=True)
class Taken:
    """One mail as it arrived."""

    sender: str
    recipients: list[str]
    raw: bytes
    has_tls: bool
    login: str | None

    @property
    def message(self) -> EmailMessage:
        return cast(EmailMessage, email.message_from_bytes(self.raw, policy=POLICY))

    @property
    def text(self) -> str:
        """The body, with `\n` at the ends of its lines."""
        return str(self.message.get_content()).replace("\r\n", "\n")


Answers = Callable[["MailSink", Taken], str]


@dataclass
class MailSink:
    """`async with MailSink() as sink`: `sink.port` listens on 127.0.0.1."""

    answer: Answers = field(default=lambda _sink, _taken: "250 taken")
    recipient_answer: str = "250 ok"
    tls: ssl.SSLContext | None = None
    password: str | None = None
    taken: list[Taken] = field(default_factory=list)
    """Those that were answered 250."""
    tries: list[Taken] = field(default_factory=list)
    port: int = 0

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._session, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    def _session(self) -> Any:
        return SMTP(
            self,
            hostname="sink.test",
            tls_context=self.tls,
            require_starttls=self.tls is not None,
            authenticator=self._is_known if self.password else None,
            auth_required=self.password is not None,
            auth_require_tls=self.tls is not None,
            loop=asyncio.get_running_loop(),
        )

    def _is_known(
        self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: LoginPassword
    ) -> AuthResult:
        return AuthResult(success=data.password == (self.password or "").encode(), auth_data=data.login, handled=False)

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        if self.recipient_answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.recipient_answer

    async def handle_DATA(self, _server: Any, session: Any, envelope: Any) -> str:
        login = session.auth_data.decode() if session.auth_data else None
        taken = Taken(envelope.mail_from, list(envelope.rcpt_tos), envelope.content, session.ssl is not None, login)
        self.tries.append(taken)
        answer = self.answer(self, taken)
        if answer.startswith("250"):
            self.taken.append(taken)
        return answer
