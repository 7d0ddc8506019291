"""What the use cases call and adapters provide: a webhook format, and the phones that are connected.

A format is pure: it turns an event into the bytes of a request and reads an answer. The loops that send live elsewhere.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import msgspec

from hub.core.clock import UtcMs
from hub.core.effects import ClosePhone, Effect, ToPhone
from hub.core.events import EventType


class EndpointView(msgspec.Struct, frozen=True, kw_only=True):
    """What a format may know of the endpoint it renders for, at the version the delivery pinned."""

    endpoint_id: str
    account_id: str
    url: str
    """Exactly as it was configured, query included; where a delivery carries its own target, that one."""
    kind: str = "http"
    """`http` or `mail`."""
    format: str = "standard"
    template: str | None = None
    settings: Mapping[str, str] = {}
    """The format's own settings: a Twilio account SID, a gateway's name, a header's name."""
    gateway_id: str | None = None
    """The gateway whose token signs."""


class EventView(msgspec.Struct, frozen=True, kw_only=True):
    """The event of a delivery."""

    event_id: str
    seq: int
    type: EventType
    account_id: str
    occurred_at: UtcMs
    data: bytes
    """JSON, as `hub.core.events.encode` wrote it."""
    device_id: str | None = None
    line_id: str | None = None
    message_id: str | None = None
    trace_id: str | None = None


class DeliveryView(msgspec.Struct, frozen=True, kw_only=True):
    """The delivery a request is made for."""

    delivery_id: str
    attempt: int
    """Which try this is, from 1."""
    run: int = 0
    origin: str = "live"
    """`live`, `replay` or `test`."""
    created_at: UtcMs = 0


class Secrets(msgspec.Struct, frozen=True, kw_only=True):
    """What a request is signed with. Never logged."""

    keys: tuple[bytes, ...] = ()
    """HMAC keys alive now, newest first: two while one replaces the other."""
    ed25519: bytes | None = None
    own_key: str | None = None
    """A key the endpoint's owner chose: formats that sign with a text use it instead of the newest made one."""
    headers: Mapping[str, str] = {}
    """The endpoint's own headers."""
    vendor: Mapping[str, str] = {}
    """Vendor credentials a format signs with, such as a Twilio auth token."""

    def __repr__(self) -> str:
        return "Secrets(…)"


class RenderedRequest(msgspec.Struct, frozen=True):
    """A whole request: on every try of a delivery the same but for signatures and time stamps.

    Of a mail (`method` is `MAIL`, `url` begins with `mailto:`) `body` is the whole message, and `headers` are what the log shows of it.
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def is_mail(self) -> bool:
        """It leaves the hub by SMTP."""
        return self.method == "MAIL"


class ReplyText(msgspec.Struct, frozen=True, kw_only=True):
    """A text that a receiver's answer asks for, such as a TwiML `<Message>`."""

    text: str
    to: str | None = None
    """None = whoever sent the text that the event is about."""
    sender: str | None = None
    """None = the line that text came in on."""
    callback_url: str | None = None
    media_urls: tuple[str, ...] = ()
    """What to attach, by where it is."""


class Outcome(msgspec.Struct, frozen=True):
    """What a receiver's answer means."""

    is_success: bool
    why: str | None = None
    """The word of why it was not: `status`, `body`."""
    texts: tuple[ReplyText, ...] = ()
    next_url: str | None = None
    """Where the rest of the answer is (a TwiML `<Redirect>`); may be relative to the URL that gave this one."""


Completing = Callable[[EventView, UtcMs], EventView]
"""Adds to an event what is made when a delivery is: links that expire. The same event and time give the same bytes."""


def as_it_is(event: EventView, made_at: UtcMs) -> EventView:
    """A `Completing` that adds nothing."""
    return event


class WebhookFormat(Protocol):
    """One vendor's way of telling an event."""

    name: str

    def takes(self, event: EventType) -> bool:
        """Whether this format has words for the event; the others are never delivered in it."""
        ...

    def render(
        self, endpoint: EndpointView, event: EventView, delivery: DeliveryView, secrets: Secrets, now: UtcMs
    ) -> RenderedRequest:
        """The request, headers and signatures included."""
        ...

    def read_reply(self, status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
        """What an answer means; `headers` with lower-case names, `body` its first 4 KiB."""
        ...


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """What a format says in a mail. Names and texts of strangers may stand in it: what becomes a header is made one line."""

    subject: str
    text: str
    """The body, in UTF-8; `\\n` ends a line."""
    is_branded: bool = False
    """The subject begins with the hub's brand and ` -- `."""
    mailbox: str = "smsin"
    """The local part it comes from, at the hub's mail domain."""
    conversation_id: str | None = None
    """Mails of one conversation stand together in a mail program, and an answer to one goes out as a text."""


@runtime_checkable
class TellsByMail(Protocol):
    """A format with words for a mail beside those for a request: a webhook in it may have a `mailto:` address."""

    name: str

    def mail(self, endpoint: EndpointView, event: EventView) -> Mail:
        """What the mail says; the same on every try."""
        ...


class AtHand(NamedTuple):
    """A phone that is connected to this process and is offered its texts."""

    session_no: int
    most_open: int
    """Unanswered offers it may have now."""


class PhoneSessions(Protocol):
    """The phones that are connected to this process, whichever transport they came by. Used on the event loop only.

    Nothing here waits: a frame goes into the phone's bounded outbox, and a phone that does not empty it is cut.
    """

    def send(self, device_id: str, session_no: int, frame: object) -> bool:
        """Queue a frame of the device protocol for this very session; False when it is not connected here any more."""
        ...

    def close(self, device_id: str, code: str, reason: str, session_no: int | None = None) -> bool:
        """Say goodbye and close; `code` is a reason word of the device protocol. None = whichever session there is."""
        ...

    def close_all(self, reason: str, code: str = "restarting") -> int:
        """Close every session of this process; returns how many there were."""
        ...

    async def say_goodbye(self, reason: str, patience_seconds: float) -> None:
        """Close every session because the process stops, and wait until they are gone, or for so long."""
        ...

    def is_online(self, device_id: str) -> bool:
        """Whether the phone has a session here that has been welcomed."""
        ...

    def session_no(self, device_id: str) -> int | None:
        """The number of that session, None when there is none here."""
        ...

    def is_offered_to(self, device_id: str) -> bool:
        """Whether the phone is connected here and is offered its texts; False for one that fetches them. Any thread may ask."""
        ...

    def nudge(self, device_id: str) -> bool:
        """Tell a phone that fetches its texts that some wait; False for one that is offered them, or is not connected here."""
        ...

    def silent_for(self, device_id: str) -> float | None:
        """Seconds since the phone's last frame, None when it is not connected here."""
        ...

    def online_devices(self) -> Sequence[str]:
        """Every device with a welcomed session here."""
        ...

    def to_phone(self, effect: ToPhone) -> bool:
        """`send`, as the effect asks for it."""
        ...

    def close_phone(self, effect: ClosePhone) -> bool:
        """`close`, as the effect asks for it."""
        ...


class Effects(Protocol):
    """Where the loops say which effects they want to hear of after a commit."""

    def on(self, kind: type[Any], handler: Callable[[Any], None]) -> None:
        """Call `handler` with each effect of this kind."""
        ...

    def __call__(self, effects: Sequence[Effect]) -> None:
        """Carry these out."""
        ...


class Worker(Protocol):
    """A background loop. It runs until it is cancelled; leaving nothing half done is its own duty."""

    @property
    def name(self) -> str: ...

    async def run(self) -> None: ...
