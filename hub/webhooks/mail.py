"""From what a format says to the bytes of a mail: RFC 5322 with everything that a mail of a machine should carry.

- The same bytes on every try: the date is the event's, the Message-ID is made of the event and where it goes.
- What strangers wrote never reaches a header by itself: a header is one line, and `email` encodes and folds it (RFC 2047).
- Mails of one conversation refer to one root, so that mail programs show them as a thread; `Reply-To` leads back into it.
- `Auto-Submitted` keeps holiday notices from answering (RFC 3834 §5).
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.headerregistry import Address, HeaderRegistry, MessageIDHeader
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any, cast

from hub.core.mail import MAILTO, Thread, one_line, reply_local
from hub.core.ports import EndpointView, EventView, Mail, RenderedRequest, TellsByMail, WebhookFormat
from hub.core.text import sanitise
from hub.webhooks.formats.mail import PlainMail

REPLIES, NO_REPLIES = "replies", "off"
"""The setting of a mail webhook that says whether its mails may be answered; anything but `off` says yes."""
LONGEST_SUBJECT = 200
_HEADERS = HeaderRegistry()
for _name in ("in-reply-to", "references"):
    # Else `email` takes them for prose, and encodes what does not fit a line: no mail program finds its thread then.
    _HEADERS.map_to_type(_name, cast(Any, MessageIDHeader))
_POLICY = SMTP.clone(header_factory=_HEADERS)
_GENERAL = PlainMail()


@dataclass(frozen=True, slots=True)
class MailIdentity:
    """Who the hub is when it writes mails."""

    domain: str = "localhost"
    brand: str = "Handset Hub"
    reply_key: bytes | None = field(default=None, repr=False)
    """Marks reply addresses; None = no mail reaches this hub, so none can be answered."""


def compose(identity: MailIdentity, form: WebhookFormat, view: EndpointView, event: EventView) -> RenderedRequest:
    """The mail of an event. A format without words for mails (a webhook that was a URL before) leaves them to the general one."""
    words = form if isinstance(form, TellsByMail) else _GENERAL
    mail = words.mail(view, event)
    to = view.url.removeprefix(MAILTO)
    thread = _thread(identity, view, mail)
    message = EmailMessage(policy=_POLICY)
    sender = f"{mail.mailbox}@{identity.domain}"
    message["From"] = Address(one_line(identity.brand), addr_spec=sender)
    message["To"] = Address(addr_spec=to)
    message["Subject"] = one_line(f"{identity.brand} -- {mail.subject}" if mail.is_branded else mail.subject)[
        :LONGEST_SUBJECT
    ]
    message["Date"] = datetime.fromtimestamp(event.occurred_at // 1000, UTC)
    message_id = f"<{event.event_id}.{thread or view.endpoint_id}@{identity.domain}>"
    message["Message-ID"] = message_id
    if thread is not None:
        message["Reply-To"] = Address(addr_spec=f"{thread}@{identity.domain}")
        message["In-Reply-To"] = message["References"] = f"<{thread}@{identity.domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    # Quoted-printable also where ASCII would do: servers on the way may strip spaces at a line's end from anything else.
    message.set_content(sanitise(mail.text), charset="utf-8", cte="quoted-printable")
    shown = (("from", sender), ("to", to), ("message-id", message_id))
    return RenderedRequest("MAIL", view.url, shown, message.as_bytes())


def _thread(identity: MailIdentity, view: EndpointView, mail: Mail) -> str | None:
    """The local part of the reply address, where answers can be taken."""
    if identity.reply_key is None or mail.conversation_id is None or view.settings.get(REPLIES) == NO_REPLIES:
        return None
    return reply_local(identity.reply_key, Thread(view.endpoint_id, mail.conversation_id))
