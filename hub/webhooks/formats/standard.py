"""The hub's own format: `{"type", "timestamp", "seq", "data"}`, as Standard Webhooks describes payloads.

`timestamp` is when it happened, not when it was sent; `seq` rises with each event of the hub, so that a receiver that takes events in
any order can sort them. The signature is in the headers that every format carries (`hub.webhooks.signing`).
"""

from collections.abc import Mapping

from hub.core.clock import UtcMs, rfc3339
from hub.core.events import EventType
from hub.core.ids import render
from hub.core.ports import DeliveryView, EndpointView, EventView, Outcome, RenderedRequest, Secrets
from hub.webhooks.template import render_template

JSON = (("content-type", "application/json"),)


def standard_payload(event: EventView) -> bytes:
    """The body of the standard format. `data` is stored JSON and passed on as it is."""
    head = f'{{"type":"{event.type}","timestamp":"{rfc3339(event.occurred_at)}","seq":{event.seq},"data":'
    return b"".join((head.encode(), event.data, b"}"))


def template_input(event: EventView) -> bytes:
    """What a template sees: the standard payload, and the event's id, which otherwise stands in a header."""
    return f'{{"id":"{render("event", event.event_id)}",'.encode() + standard_payload(event)[1:]


class Standard:
    """`standard`: the default. With a template, the body is what that makes of the payload."""

    name = "standard"

    def takes(self, event: EventType) -> bool:
        """Every customer event."""
        return True

    def render(
        self, endpoint: EndpointView, event: EventView, delivery: DeliveryView, secrets: Secrets, now: UtcMs
    ) -> RenderedRequest:
        """A POST of the payload. Raises BadTemplate when the endpoint's template does not fit the event."""
        body = standard_payload(event)
        if endpoint.template is not None:
            body = render_template(endpoint.template, template_input(event))
        return RenderedRequest("POST", endpoint.url, JSON, body)

    def read_reply(self, status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Any 2xx is success."""
        return Outcome(200 <= status < 300, None if 200 <= status < 300 else "status")
