"""Sends mails by the operator's mail server (a relay, or a provider's submission port). A `Sender` beside that of HTTP.

- One deadline covers connect, TLS, sign-in and the mail; a server that drips lasts no longer.
- 4xx is "not now" and is tried again; 5xx about the mail is "never" and ends it; a server that lets nobody in (no STARTTLS, a wrong
  password, 5xx before a mail was named) is the operator's to mend, so that those mails wait and are tried again (RFC 5321 §4.2.1).
- The server has taken the mail with its 250 after the data: what breaks after that changes nothing.
- TLS is verified, and STARTTLS that is asked for is insisted on.
"""

import asyncio
import contextlib
import ssl
import time
from dataclasses import dataclass, field

import aiosmtplib

from hub.core.mail import MAILTO
from hub.core.ports import RenderedRequest
from hub.core.text import sanitise
from hub.webhooks.answer import KEPT_BODY_BYTES, Answer, timing_of
from hub.webhooks.failures import result_of_error
from hub.webhooks.sentences import Result
from hub.webhooks.trip import Trip

AT_ONCE = 8
"""Connections to the mail server: providers turn away clients that open many."""
QUIT_SECONDS = 2.0
_NOT_LET_IN = frozenset({530, 534, 535, 538})
"""Authentication is required, too weak, wrong, or wants encryption (RFC 4954 §6): not this mail's fault."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where the hub hands in its mails."""

    host: str
    port: int = 587
    tls: str = "starttls"
    """`starttls`, `tls` (from the first byte) or `off`."""
    user: str = ""
    password: str = field(default="", repr=False)
    ca_file: str | None = None
    """Certificates (PEM) trusted beside the system's."""
    own_name: str = "localhost"
    """What the hub calls itself (EHLO)."""


class Mailer:
    """The way out for mails; shared by all lanes of a process. A `Sender`."""

    def __init__(self, server: MailServer) -> None:
        self._server = server
        self._tls = ssl.create_default_context()
        if server.ca_file is not None:
            self._tls.load_verify_locations(server.ca_file)
        self._room = asyncio.Semaphore(AT_ONCE)

    async def send(self, request: RenderedRequest, deadline_seconds: float) -> Answer:
        """See `hub.webhooks.client.Sender`. The time that mails wait for each other is not counted."""
        async with self._room:
            return await self._hand_in(request, deadline_seconds)

    def close(self) -> None:
        """Nothing is kept open between mails."""

    async def _hand_in(self, request: RenderedRequest, deadline_seconds: float) -> Answer:
        trip = Trip()
        client = self._client(deadline_seconds)
        is_in = False
        try:
            async with asyncio.timeout(deadline_seconds):
                trip.dials(self._server.host)
                await client.connect()
                trip.is_up(self._server.host)
                is_in = True
                code, said = await self._mail(client, request)
        except (OSError, aiosmtplib.SMTPException, ValueError) as error:
            return _failure(error, trip, is_in=is_in)
        finally:
            await _part(client)
        return _answer(Result.OK, trip, code, said)

    async def _mail(self, client: aiosmtplib.SMTP, request: RenderedRequest) -> tuple[int, str]:
        """MAIL, RCPT and DATA; the server's last answer."""
        await client.mail(dict(request.headers)["from"])
        await client.rcpt(request.url.removeprefix(MAILTO))
        answer = await client.data(request.body)
        return answer.code, answer.message

    def _client(self, deadline_seconds: float) -> aiosmtplib.SMTP:
        server = self._server
        return aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            use_tls=server.tls == "tls",
            start_tls=server.tls == "starttls",
            username=server.user or None,
            password=server.password or None,
            tls_context=self._tls if server.tls != "off" else None,
            local_hostname=server.own_name,
            timeout=deadline_seconds,
        )


async def _part(client: aiosmtplib.SMTP) -> None:
    """Say goodbye, if there is anybody to say it to."""
    with contextlib.suppress(OSError, aiosmtplib.SMTPException):
        if client.is_connected:
            async with asyncio.timeout(QUIT_SECONDS):
                await client.quit()
    client.close()


def _failure(error: BaseException, trip: Trip, *, is_in: bool) -> Answer:
    """What an error means for the mail."""
    if isinstance(error, aiosmtplib.SMTPResponseException):
        code, said = error.code, error.message
        if 400 <= code < 500:
            return _answer(Result.MAIL_LATER, trip, code, said)
        result = Result.MAIL_REFUSED if is_in and code >= 500 and code not in _NOT_LET_IN else Result.MAIL_SERVER
        return _answer(result, trip, code, said)
    if isinstance(error, aiosmtplib.SMTPServerDisconnected):
        return _answer(Result.RESET, trip, None, "the mail server hung up")
    if isinstance(error, TimeoutError):
        return _answer(Result.TIMEOUT, trip, None, "the mail server took too long")
    if isinstance(error, aiosmtplib.SMTPConnectError):
        return _unreachable(error, trip)
    if isinstance(error, aiosmtplib.SMTPException):
        return _answer(Result.MAIL_SERVER, trip, None, str(error))
    if isinstance(error, ValueError) and not isinstance(error, OSError):
        return _answer(Result.RENDER, trip, None, str(error))
    return _answer(result_of_error(error, trip), trip, None, str(error))


def _unreachable(error: BaseException, trip: Trip) -> Answer:
    """The library wraps what the system said."""
    inner = error.__cause__ or error.__context__ or error
    return _answer(result_of_error(inner, trip), trip, None, str(inner))


def _answer(result: Result, trip: Trip, code: int | None, said: str) -> Answer:
    said = sanitise(said)
    return Answer(
        result,
        code,
        body=said.encode()[:KEPT_BODY_BYTES] if code is not None else b"",
        error=None if result is Result.OK else f"{code} {said}"[:500] if code is not None else said[:500],
        address=trip.address,
        timing=timing_of(trip, trip.up, time.perf_counter()),
    )
