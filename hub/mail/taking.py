"""Mails as texts: to whom an address leads, whether this sender may, and the text stored before anybody is told that it was taken.

Both doors (SMTP and HTTP) come through here. An address is looked up before a byte of the mail is read; the mail is parsed in a thread,
because a large one takes a while. What is refused here is refused for good, unless the error says that it may be tried again.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Protocol

import msgspec
from sqlalchemy import Connection

from hub.accounts.credentials import Credentials, Principal
from hub.accounts.rate import Bucket
from hub.accounts.scopes import Scope
from hub.accounts.secretbox import SecretBox
from hub.config import Config
from hub.core.clock import Clock
from hub.core.commands import HIGH, NORMAL, AnyLine, ByLine, CallbackTarget, Sender, SendRequest
from hub.core.errors import Code, HubError
from hub.core.events import EventType
from hub.core.ids import IdSource
from hub.core.mail import (
    MAILTO,
    Thread,
    international,
    is_allowed,
    is_mail,
    is_mailbox_local,
    mailbox_id_of,
    read_reply,
)
from hub.core.mime import BadMail, ReadMail, read_mail
from hub.failpoints import failpoint
from hub.log import get_logger
from hub.messages.accept import take_in
from hub.messages.idempotency import Accepted
from hub.messages.limits import send_limits
from hub.messages.prepare import prepare
from hub.storage.database import Database
from hub.storage.mailboxes import find_addressed_mailbox, find_answered
from hub.storage.messages_search import find_conversation
from hub.webhooks.front import Webhooks
from hub.webhooks.loops import ADDRESS_PURPOSE
from hub.webhooks.mail import NO_REPLIES, REPLIES

log = get_logger("mail")

DOOR = "mail"
REPLY_FROM = "reply_from"
"""The setting of a mail webhook that names who may answer its mails, separated by commas; without it, the address they go to."""
FAILURES = (
    EventType.SMS_UNDELIVERED,
    EventType.SMS_FAILED,
    EventType.SMS_EXPIRED,
    EventType.SMS_DEAD_LETTER,
    EventType.SMS_UNCERTAIN,
)
"""What the sender of a mail is told of its text, by mail."""
MAILS_PER_SECOND = 5.0
"""Of one mailbox, with bursts of four times as many."""
MOST_BUCKETS = 10_000


class Parts(Protocol):
    """What taking mails needs of the hub's services."""

    @property
    def config(self) -> Config: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def ids(self) -> IdSource: ...

    @property
    def db(self) -> Database: ...

    @property
    def secrets(self) -> SecretBox: ...

    @property
    def credentials(self) -> Credentials: ...

    @property
    def webhooks(self) -> Webhooks: ...


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """Where an address leads."""

    account_id: str
    key: str
    """The mailbox, or the thread: what a mail is taken once for."""
    allowed: tuple[str, ...]
    line_id: str | None = None
    peer: str | None = None
    """Whom an answer goes to; None = a mailbox, where the address or the caller names the number."""
    has_subject: bool = False
    needs_key: bool = False
    """Only those who sign in with a key of the account may write here."""

    def admit(self, who: Principal | None) -> None:
        """Raise for who has not signed in where that is needed: `wrong_login`, or `scope_missing` for another account's key."""
        if not self.needs_key:
            return
        if who is None:
            raise HubError(
                Code.WRONG_LOGIN, "This mailbox takes mails only from those who sign in with a key of its account."
            )
        if who.account_id != self.account_id:
            raise HubError(Code.SCOPE_MISSING, "This key is another account's than the mailbox.")
        who.require(Scope.MESSAGES_SEND)


class MailTaker:
    """Raises `HubError`: `unauthenticated` for an address that opens nothing, `scope_missing` for a sender who may not.

    Whoever asks for a destination calls its `admit` before a byte of the mail is read.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._keys = parts.secrets.derive_each(ADDRESS_PURPOSE)
        self._buckets: dict[str, Bucket] = {}

    async def find(self, local: str) -> Destination:
        """Where a local part (without `+` and a number) leads."""
        thread = read_reply(self._keys, local)
        if thread is not None:
            return await self._answered(thread)
        mailbox_id = mailbox_id_of(local)
        row = None if mailbox_id is None else await self._parts.db.read(find_addressed_mailbox, mailbox_id)
        if row is None or not is_mailbox_local(self._keys, local, row.version):
            raise _unknown()
        return Destination(
            account_id=row.account_id,
            key=row.id,
            allowed=msgspec.json.decode(row.allowed_senders, type=tuple[str, ...]),
            line_id=row.line_id,
            has_subject=row.has_subject,
            needs_key=row.needs_key,
        )

    async def take(self, to: Destination, raw: bytes, numbers: Sequence[str] = ()) -> Accepted:
        """Store the text of a mail; returns after the commit. `numbers` are for a mailbox only; a thread knows its own.

        A mail that was taken before is answered as it was then, and stored no second time.
        """
        self._count(to)
        try:
            mail = await asyncio.to_thread(read_mail, raw)
        except BadMail as error:
            raise HubError(Code.VALIDATION, str(error)) from error
        if not is_allowed(mail.sender, to.allowed):
            raise HubError(Code.SCOPE_MISSING, "The address in From is not one that may write here.")
        to, numbers = await self._where(to, mail, numbers)
        self._refuse_machines(to, mail)
        return await self._store(to, mail, numbers)

    # --- pieces -------------------------------------------------------------------------------------------------------------------

    async def _answered(self, thread: Thread) -> Destination:
        found = await self._parts.db.read(_thread, thread)
        if found is None:
            raise _unknown()
        return found

    def _count(self, to: Destination) -> None:
        now = self._parts.clock.monotonic()
        if len(self._buckets) >= MOST_BUCKETS:
            self._buckets.clear()
        wait = self._buckets.setdefault(to.key, Bucket(MAILS_PER_SECOND, now)).take(now)
        if wait > 0:
            raise HubError(Code.RATE_LIMITED, "Too many mails came here at once.", retry_after_seconds=wait)

    async def _where(
        self, to: Destination, mail: ReadMail, numbers: Sequence[str]
    ) -> tuple[Destination, Sequence[str]]:
        """Whom a mail is for: the number its address or its recipients name, or whom it answers, if that is this account's."""
        if to.peer is not None:
            return to, (to.peer,)
        numbers = numbers or self._named_in(to, mail)
        if numbers:
            return to, tuple(dict.fromkeys(numbers))
        thread = read_reply(self._keys, mail.references)
        answered = None if thread is None else await self._parts.db.read(_thread, thread)
        if answered is None or answered.account_id != to.account_id or answered.peer is None:
            raise HubError(
                Code.BAD_RECIPIENT, "Put + and the number before the @ of the address, such as …+15550123@…."
            )
        return answered, (answered.peer,)

    def _named_in(self, to: Destination, mail: ReadMail) -> Sequence[str]:
        """The numbers in the mail's own recipients, for mail systems that hand on a mail without its envelope."""
        named = (recipient.rpartition("@")[0].partition("+") for recipient in mail.recipients)
        return [international(number) for local, _, number in named if number and mailbox_id_of(local) == to.key]

    def _refuse_machines(self, to: Destination, mail: ReadMail) -> None:
        """A holiday notice must not become a text, and the hub must not answer itself."""
        own = f"smsin@{self._parts.config.mail_host}"
        if mail.is_answer_of_machine or mail.sender == own or (to.peer is not None and mail.is_automatic):
            raise HubError(Code.VALIDATION, "Automatic answers are not sent as texts.")

    async def _store(self, to: Destination, mail: ReadMail, numbers: Sequence[str]) -> Accepted:
        parts = self._parts
        now = parts.clock.now()
        request = SendRequest(
            account_id=to.account_id,
            door=DOOR,
            recipients=(),
            text=_text(to, mail),
            sender=_sender(to),
            priority=NORMAL if to.peer is None else HIGH,
            idempotency_key=_key(to, mail, numbers),
            request_sha256=mail.identity,
            metadata={"mail_from": mail.sender},
            callback=self._callback(mail.sender),
            all_or_nothing=True,
        )
        limits = send_limits(parts.config, await parts.credentials.settings_of(to.account_id))
        prepared = prepare(request, numbers, limits, now=now, new_id=lambda: parts.ids.next(now))
        accepted = await take_in(parts.db.writer, prepared)
        failpoint("mail.taken")
        log.info("a mail was taken", texts=len(accepted.results), first=accepted.results[0].message_id)
        return accepted

    def _callback(self, sender: str) -> CallbackTarget | None:
        if not self._parts.webhooks.client.has_mail:
            return None
        return CallbackTarget(DOOR, MAILTO + sender, FAILURES, settings={REPLIES: NO_REPLIES})


def _thread(conn: Connection, thread: Thread) -> Destination | None:
    """Where answers in a thread go; None when the webhook is gone or takes none, or the thread is not its account's."""
    webhook = find_answered(conn, thread.endpoint_id)
    if webhook is None or not is_mail(webhook.url):
        return None
    settings = msgspec.json.decode(webhook.settings, type=dict[str, str])
    found = find_conversation(conn, webhook.account_id, thread.conversation_id)
    if found is None or settings.get(REPLIES) == NO_REPLIES:
        return None
    named = settings.get(REPLY_FROM) or webhook.url.removeprefix(MAILTO)
    return Destination(
        account_id=webhook.account_id,
        key=f"{thread.endpoint_id}:{thread.conversation_id}",
        allowed=tuple(one.strip() for one in named.split(",") if one.strip()),
        line_id=found.row.line_id,
        peer=found.row.peer,
    )


def _text(to: Destination, mail: ReadMail) -> str:
    if to.peer is not None or not (to.has_subject or not mail.text):
        return mail.text
    return "\n".join(filter(None, (mail.subject, mail.text)))


def _sender(to: Destination) -> Sender:
    return AnyLine() if to.line_id is None else ByLine(to.line_id)


def _key(to: Destination, mail: ReadMail, numbers: Sequence[str]) -> str:
    """One mail makes one text to the same numbers, however often a mail server hands it in."""
    return hashlib.sha256("\n".join((to.key, mail.identity, *sorted(numbers))).encode()).hexdigest()


def _unknown() -> HubError:
    return HubError(Code.UNAUTHENTICATED, "This address opens nothing at this hub.")
