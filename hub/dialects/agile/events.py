"""Agile Telecom's inbound texts: a form of four fields, and an answer that has to be `+OK`.

    POST, application/x-www-form-urlencoded; charset=utf-8
    originator=%2B447700900142&destination=%2B447700900001&date_time=20260131090000&text=Yes%21

    2xx whose body, without white space around it, is +OK     taken
    anything else                                             posted again after 15 minutes, three times, then a dead letter

Every post of a text has the same bytes: receivers know a text by a hash of the four values. `date_time` is `YYYYMMDDHHMMSS` in the time
zone of the webhook's setting `time_zone`, else UTC; `destination` is the number of the SIM, or the setting `destination` where the SIM does
not know its number.

A webhook of this format with a `mailto:` address gets the same as a mail, from `smsin@` the hub's mail domain:

    Subject: Handset Hub -- SMS received

    From: +447700900142
    To: +447700900001
    Date/Time: 20260131090000
    Body: Yes!
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from hub.core.clock import UtcMs, parse_rfc3339
from hub.core.events import EventType, ReceivedData, decode
from hub.core.mail import conversation_of
from hub.core.ports import DeliveryView, EndpointView, EventView, Mail, Outcome, RenderedRequest, Secrets

TAKEN = b"+OK"
TIME_ZONE, DESTINATION = "time_zone", "destination"
FORM = (("content-type", "application/x-www-form-urlencoded; charset=utf-8"),)


class Agile:
    """`agile`."""

    name = "agile"
    schedule = "agile"
    """What a webhook of this format gets that names no schedule."""
    is_watched = True

    def takes(self, event: EventType) -> bool:
        """Inbound texts."""
        return event is EventType.SMS_RECEIVED

    def refusal(self, settings: Mapping[str, str]) -> str | None:
        """What is wrong with a webhook's settings."""
        name = settings.get(TIME_ZONE, "")
        return (
            f"{TIME_ZONE} is {name[:40]!r}: use a name such as Europe/Rome." if name and zone_of(name) is None else None
        )

    def render(
        self, endpoint: EndpointView, event: EventView, delivery: DeliveryView, secrets: Secrets, now: UtcMs
    ) -> RenderedRequest:
        """The form of a text."""
        data = decode(event.type, event.data)
        assert isinstance(data, ReceivedData)
        fields = {
            "originator": data.from_,
            "destination": data.to or endpoint.settings.get(DESTINATION, ""),
            "date_time": _date_time(parse_rfc3339(data.received_at), endpoint.settings.get(TIME_ZONE, "")),
            "text": data.text,
        }
        return RenderedRequest("POST", endpoint.url, FORM, urlencode(fields).encode("ascii"))

    def mail(self, endpoint: EndpointView, event: EventView) -> Mail:
        """The same four values, a line each; the text comes last, since it may have lines of its own."""
        data = decode(event.type, event.data)
        assert isinstance(data, ReceivedData)
        sent_at = _date_time(parse_rfc3339(data.received_at), endpoint.settings.get(TIME_ZONE, ""))
        to = data.to or endpoint.settings.get(DESTINATION, "")
        return Mail(
            subject="SMS received",
            is_branded=True,
            text=f"From: {data.from_}\nTo: {to}\nDate/Time: {sent_at}\nBody: {data.text}\n",
            conversation_id=conversation_of(data.conversation_id),
        )

    def read_reply(self, status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
        """`+OK`, and nothing else."""
        if not 200 <= status < 300:
            return Outcome(False, "status")
        return Outcome(True) if body.strip() == TAKEN else Outcome(False, "body")


def _date_time(at: UtcMs, zone: str) -> str:
    return f"{datetime.fromtimestamp(at // 1000, zone_of(zone) or UTC):%Y%m%d%H%M%S}"


def zone_of(name: str) -> tzinfo | None:
    """The zone of that name; None when there is none, or this machine does not know it."""
    try:
        return ZoneInfo(name) if name else None
    except (OSError, ValueError, KeyError):
        return None
