"""A hub that takes mails: a mailbox, both doors, and a client that hands them in."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiosmtplib
import httpx
from starlette.applications import Starlette

from hub.core.ids import IdSource, parse
from hub.core.mail import Thread, reply_local
from hub.dialects.mail import DIALECT
from hub.dialects.mail.listener import Listener
from hub.storage.database import Database
from hub.storage.schema.messages import Conversation, Message
from tests.fakes import FakeClock
from tests.integration.api.hub_api import Api
from tests.integration.webhooks.certificates import Authority

ANNA, PEER = "anna@example.org", "+447700900123"
DOMAIN = "sms.example.org"
MAIL = {"smtp_listen": "127.0.0.1:0", "mail_domain": DOMAIN, "smtp_host": "mail.example.org", "mail_max_bytes": 20_000}
TYPE = {"content-type": "message/rfc822"}


def letter(text: str = "See you at nine 🙂", sender: str = ANNA, message_id: str = "1", **headers: str) -> bytes:
    message = EmailMessage()
    message["From"] = f"Anna <{sender}>"
    message["Message-ID"] = f"<{message_id}@example.org>"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.policy = message.policy.clone(max_line_length=200)
    message.set_content(text)
    return message.as_bytes()


class House:
    """A hub with a mailbox, both doors, and what it stores."""

    def __init__(self, api: Api, listener: Listener, certificate: Path | None = None) -> None:
        self.api = api
        self.listener = listener
        self.certificate = certificate
        """Where the listener's certificate and its key are, if it has one."""
        self.trusted = ""
        """The file of the authority that signed it."""
        app = Starlette(routes=list(DIALECT.routes(api.services)))
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://hub.example")
        self.local = ""
        self.info: dict[str, Any] = {}

    async def open(self, **more: Any) -> None:
        asked = {"name": "Desk", "allowed_senders": [ANNA, "@shop.example.org"], **more}
        made = await self.api.post("/v1/mailboxes", asked)
        self.local, self.info = made["address"].partition("+")[0], made["info"]

    def address(self, number: str = PEER) -> str:
        return f"{self.local}{number}@{DOMAIN}"

    def texts(self) -> list[dict[str, Any]]:
        return [row for row in self.api.world.rows(Message) if row["direction"] == "mt"]

    async def post(self, raw: bytes, local: str | None = None, **query: Any) -> httpx.Response:
        return await self.http.post(f"/mail/{local or self.local}", params=query, content=raw, headers=TYPE)

    async def hand_in(self, raw: bytes, *to: str, sender: str = ANNA) -> tuple[int, str]:
        """By SMTP; the answer to the data, or to the first recipient that was refused."""
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=self.listener.port, start_tls=False)
        async with client:
            try:
                await client.mail(sender)
                for address in to or (self.address(),):
                    await client.rcpt(address)
                answer = await client.data(raw)
            except aiosmtplib.SMTPResponseException as error:
                return error.code, error.message
            return answer.code, answer.message

    def client(self) -> aiosmtplib.SMTP:
        """One that begins with STARTTLS where the listener has a certificate."""
        if self.certificate is None:
            return aiosmtplib.SMTP(hostname="127.0.0.1", port=self.listener.port, start_tls=False, timeout=60)
        return aiosmtplib.SMTP(
            hostname="127.0.0.1", port=self.listener.port, start_tls=True, cert_bundle=self.trusted, timeout=60
        )

    def certify(self, name: str = "first") -> None:
        """Give the listener's file a certificate of an authority of its own."""
        assert self.certificate is not None
        folder = self.certificate.parent / name
        folder.mkdir()
        authority = Authority(folder)
        authority.server("127.0.0.1")
        self.certificate.write_bytes((folder / "127.0.0.1-False-False.pem").read_bytes())
        self.trusted = str(authority.path)

    async def reply_local(self, **settings: str) -> tuple[str, str]:
        """A webhook to Anna, and the reply address of a mail that told her of a text; with the thread's line."""
        device = self.api.world.phone("Pixel")
        asked = {"url": f"mailto:{ANNA}", "settings": settings}
        webhook = parse("endpoint", (await self.api.post("/v1/webhooks", asked))["webhook"]["id"])
        await self.api.receive(device, "When?", sender=PEER)
        (thread,) = self.api.world.rows(Conversation)
        key = self.api.services.webhooks.identity.reply_key
        assert key is not None
        return reply_local(key, Thread(webhook, thread["id"])), thread["line_id"]


@asynccontextmanager
async def a_house(
    url: str, clock: FakeClock, ids: IdSource, folder: Path, *, has_tls: bool = False, **settings: Any
) -> AsyncIterator[House]:
    database = Database.open(url, clock=clock, ids=ids, reader_threads=2, writer_window_ms=0.2)
    pem = folder / "certificate.pem" if has_tls else None
    api = Api(database, clock, ids, folder, **MAIL, smtp_certificate=pem, smtp_key=pem, **settings)
    listener = Listener(api.services)
    made = House(api, listener, pem)
    if has_tls:
        made.certify()
    task = asyncio.create_task(listener.run())
    await listener.is_listening.wait()
    await made.open()
    yield made
    task.cancel()
    await asyncio.wait([task])
    await made.http.aclose()
    api.world.conn.close()
    database.close()
