"""The hub's own words for people: a short mail for each event, and the same as plain text for a URL that takes that.

    Subject: SMS from +15550123                 Subject: Your SMS to +15550123 was not delivered
    Yes, see you at nine.                       …
    --
    From +15550123 to +15550100, 2026-01-31 09:00:00 UTC.

The text comes first and alone, so that a notification on a watch shows it; what follows the line `-- ` is a signature to mail
programs (RFC 3676 §4.3), which leave it out of answers.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from hub.core.clock import UtcMs, rfc3339
from hub.core.events import (
    DeviceData,
    EndpointData,
    EventType,
    MessageData,
    MissedCallData,
    MmsData,
    ReceivedData,
    decode,
)
from hub.core.mail import conversation_of
from hub.core.ports import DeliveryView, EndpointView, EventView, Mail, Outcome, RenderedRequest, Secrets

TEXT = (("content-type", "text/plain; charset=utf-8"),)
ENDS = MappingProxyType(
    {
        EventType.SMS_UNDELIVERED: "was not delivered",
        EventType.SMS_FAILED: "was not sent",
        EventType.SMS_EXPIRED: "was not sent in time",
        EventType.SMS_DEAD_LETTER: "was given up",
        EventType.SMS_UNCERTAIN: "may have been sent",
        EventType.SMS_SENT: "was sent",
        EventType.SMS_DELIVERED: "was delivered",
        EventType.SMS_CANCELLED: "was cancelled",
        EventType.SMS_QUEUED: "waits to be sent",
    }
)
"""What became of a text, after the words "Your SMS to …"."""


class PlainMail:
    """`mail`: what a webhook with a `mailto:` address has when it names no format."""

    name = "mail"
    usual_events = (EventType.SMS_RECEIVED, EventType.MMS_RECEIVED, EventType.CALL_MISSED)
    """What such a webhook hears of when it names no events: what people want a mail for."""

    def takes(self, event: EventType) -> bool:
        """Every event that can be asked for."""
        return True

    def mail(self, endpoint: EndpointView, event: EventView) -> Mail:
        """Subject and text; a conversation's mails can be answered."""
        data = decode(event.type, event.data)
        tell = _TELL.get(type(data), _anything)
        subject, text = tell(event, data)
        thread = conversation_of(getattr(data, "conversation_id", None))
        return Mail(subject=subject, text=text, conversation_id=thread)

    def render(
        self, endpoint: EndpointView, event: EventView, delivery: DeliveryView, secrets: Secrets, now: UtcMs
    ) -> RenderedRequest:
        """The same text as the body of a POST."""
        return RenderedRequest("POST", endpoint.url, TEXT, self.mail(endpoint, event).text.encode())

    def read_reply(self, status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Any 2xx is success."""
        is_success = 200 <= status < 300
        return Outcome(is_success, None if is_success else "status")


def _received(event: EventView, data: ReceivedData) -> tuple[str, str]:
    return f"SMS from {data.from_}", _signed(data.text, _way(data.from_, data.to, data.received_at))


def _mms(event: EventView, data: MmsData) -> tuple[str, str]:
    links = [f"{one.name or one.content_type}: {one.url}" for one in data.media if one.url is not None]
    words = (data.subject, data.text, *links)
    said = "\n".join(filter(None, words)) or "(A picture message; look at it on the phone.)"
    return f"MMS from {data.from_}", _signed(said, _way(data.from_, data.to, data.received_at))


def _missed(event: EventView, data: MissedCallData) -> tuple[str, str]:
    return f"Missed call from {data.from_}", _signed(
        f"{data.from_} called and nobody answered.", _way(data.from_, data.to, data.called_at)
    )


def _message(event: EventView, data: MessageData) -> tuple[str, str]:
    ending = ENDS[event.type]
    lines = [f"Your SMS to {data.to} {ending}."]
    if data.explanation:
        lines.append(data.explanation)
    return f"Your SMS to {data.to} {ending}", _signed("\n".join([*lines, "", data.text]), f"Text {data.id}.")


def _device(event: EventView, data: DeviceData) -> tuple[str, str]:
    state = "is offline" if event.type is EventType.DEVICE_OFFLINE else "is online"
    seen = "" if data.last_seen_at is None else f"\nLast seen {_shown(data.last_seen_at)}."
    return f"Phone {data.name} {state}", f"The phone {data.name} {state}.{seen}\n"


def _endpoint(event: EventView, data: EndpointData) -> tuple[str, str]:
    word = event.type.value.partition(":")[2]
    waiting = "" if data.waiting is None else f"\n{data.waiting} events wait for it."
    return f"Webhook {word}", f"The webhook to {data.url} is {word}.{waiting}\n"


def _anything(event: EventView, data: object) -> tuple[str, str]:
    """An event nobody thought of a mail for."""
    return (
        event.type.value,
        f"{event.type.value} at {rfc3339(event.occurred_at)}\n{msgspec.json.encode(data).decode()}\n",
    )


_TELL: Mapping[type, Callable[[EventView, Any], tuple[str, str]]] = MappingProxyType(
    {
        ReceivedData: _received,
        MmsData: _mms,
        MissedCallData: _missed,
        MessageData: _message,
        DeviceData: _device,
        EndpointData: _endpoint,
    }
)


def _way(sender: str, to: str | None, at: str) -> str:
    return f"From {sender}{f' to {to}' if to else ''}, {_shown(at)}."


def _shown(at: str) -> str:
    """`2026-01-31T09:00:00.123Z` as people write it."""
    return f"{at[:10]} {at[11:19]} UTC"


def _signed(text: str, line: str) -> str:
    return f"{text}\n\n-- \n{line}\n"
