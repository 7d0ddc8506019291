"""Mails of the hub itself to one person, by the operator's mail server: such as the link that confirms an address."""

from __future__ import annotations

from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid

from hub.core.mail import MAILTO, one_line
from hub.core.ports import RenderedRequest
from hub.core.text import sanitise
from hub.log import get_logger
from hub.webhooks.mail import MailIdentity
from hub.webhooks.mailer import Mailer
from hub.webhooks.sentences import Result

log = get_logger("webhooks.letters")

MAILBOX = "hub"
SECONDS = 20.0


class Letters:
    """Writes and hands in one mail at a time. Nothing is tried again: who waits for the mail asks once more."""

    def __init__(self, mailer: Mailer, identity: MailIdentity) -> None:
        self._mailer, self._identity = mailer, identity

    async def __call__(self, to: str, subject: str, text: str) -> bool:
        """Whether the mail server took it."""
        identity = self._identity
        sender = f"{MAILBOX}@{identity.domain}"
        message = EmailMessage(policy=SMTP)
        message["From"] = Address(one_line(identity.brand), addr_spec=sender)
        message["To"] = Address(addr_spec=to)
        message["Subject"] = f"{one_line(identity.brand)} -- {one_line(subject)}"
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(domain=identity.domain)
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(sanitise(text), charset="utf-8", cte="quoted-printable")
        request = RenderedRequest("MAIL", MAILTO + to, (("from", sender), ("to", to)), message.as_bytes())
        answer = await self._mailer.send(request, SECONDS)
        if answer.result is not Result.OK:
            log.warning("a mail of the hub was not taken", result=str(answer.result), error=answer.error)
        return answer.result is Result.OK
