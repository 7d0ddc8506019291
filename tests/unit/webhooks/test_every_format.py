"""What every webhook format has to hold, the built-in ones and those of all dialects."""

import pytest

from hub.core.events import EventType, encode
from hub.core.ports import DeliveryView, EndpointView, EventView, RenderedRequest, Secrets, WebhookFormat
from hub.registry import dialects
from hub.webhooks.formats import formats_with
from hub.webhooks.samples import sample_data

FORMATS = formats_with(*(form for dialect in dialects() for form in dialect.webhook_formats))
NOW = 1_763_000_000_000
URL = "https://x.example/hook?a=%7e1&b={}"


def rendered(form: WebhookFormat, event: EventType, attempt: int = 1, now: int = NOW) -> RenderedRequest:
    data = encode(sample_data(event, NOW)).encode()
    endpoint = EndpointView(endpoint_id="1" * 24, account_id="2" * 24, url=URL, format=form.name)
    view = EventView(event_id="3" * 24, seq=7, type=event, account_id="2" * 24, occurred_at=NOW, data=data)
    delivery = DeliveryView(delivery_id="4" * 24, attempt=attempt)
    return form.render(endpoint, view, delivery, Secrets(keys=(b"k" * 32,)), now)


@pytest.mark.parametrize("form", FORMATS.values(), ids=lambda form: form.name)
def test_it_has_words_for_every_event_it_takes_and_calls_the_url_byte_for_byte(form: WebhookFormat) -> None:
    taken = [event for event in EventType if form.takes(event)]
    assert taken
    for event in taken:
        request = rendered(form, event)
        assert (request.method, request.url) == ("POST", URL)
        assert request.body
        assert "content-type" in {name for name, _ in request.headers}


@pytest.mark.parametrize("form", FORMATS.values(), ids=lambda form: form.name)
def test_a_later_try_has_the_same_bytes(form: WebhookFormat) -> None:
    for event in EventType:
        if form.takes(event):
            assert rendered(form, event).body == rendered(form, event, attempt=4, now=NOW + 3_600_000).body


@pytest.mark.parametrize("form", FORMATS.values(), ids=lambda form: form.name)
def test_it_answers_for_every_answer(form: WebhookFormat) -> None:
    for status in (200, 204, 299, 400, 500):
        for headers in ({}, {"content-type": "text/xml"}, {"content-type": "application/json"}):
            for body in (b"", b"<", b"\xff\x00", b"+OK", b"{}"):
                outcome = form.read_reply(status, headers, body)
                assert not (outcome.is_success and status >= 300)
