"""One try: render, sign, send, and hand what came of it to the settler."""

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urljoin

from hub.core.events import EVENT_TYPES
from hub.core.mail import is_mail
from hub.core.ports import (
    Completing,
    DeliveryView,
    EndpointView,
    EventView,
    Outcome,
    RenderedRequest,
    ReplyText,
    WebhookFormat,
)
from hub.failpoints import failpoint
from hub.log import get_logger
from hub.storage.webhooks_due import Due
from hub.webhooks.answer import Answer
from hub.webhooks.engine_clock import EngineClock
from hub.webhooks.judgement import read_answer
from hub.webhooks.lanes import Lane
from hub.webhooks.mail import MailIdentity, compose
from hub.webhooks.reading import id_of_number
from hub.webhooks.requests import build_request, endpoint_view
from hub.webhooks.sentences import Result
from hub.webhooks.settling import Settler
from hub.webhooks.template import BadTemplate

log = get_logger("webhooks")

OnTexts = Callable[[EventView, EndpointView, tuple[ReplyText, ...]], Awaitable[None]]
"""Told of texts that a receiver's answer asks for (a TwiML `<Message>`), with the event it answered and the endpoint that did. Raises
nothing. It is called before the delivery's end is stored: after a crash the receiver is asked again, so it must know its texts again."""
MOST_HOPS = 5
"""Documents one answer may lead to."""


class Tries:
    """Carries out tries. Raises nothing but cancellation."""

    def __init__(
        self,
        clock: EngineClock,
        formats: Mapping[str, WebhookFormat],
        settler: Settler,
        on_texts: OnTexts | None,
        identity: MailIdentity,
        complete: Completing,
    ) -> None:
        self._clock = clock
        self._formats = formats
        self._settler = settler
        self._on_texts = on_texts
        self._identity = identity
        self._complete = complete

    async def run(self, lane: Lane, due: Due, *, is_probe: bool = False) -> None:
        """Try a delivery that the lane has started."""
        form = self._formats.get(due.format)
        if form is not None and not form.takes(EVENT_TYPES[due.event_type]):
            self._settler.skip(lane, due)
            return
        started_at = self._clock.now()
        event = self._complete(event_view(due), due.created_at)
        request, answer = self._request(lane, due, form, event, due.target)
        if request is not None:
            assert form is not None
            answer, outcome = await self._send(lane, form, request)
            failpoint("delivery.sent")
            if self._on_texts is not None and (outcome.texts or outcome.next_url):
                texts = await self._asked_for(lane, due, form, event, request.url, outcome)
                await self._on_texts(event, endpoint_view(lane.endpoint, due.format, None, due.target), texts)
        self._settler.settle(lane, due, request, answer, started_at, is_probe=is_probe)
        log.info(
            "a webhook was tried",
            event_type=due.event_type,
            webhook_event=due.event_id,
            message=due.message_id,
            result=answer.result,
            trace_id=due.trace_id,
        )

    async def _send(self, lane: Lane, form: WebhookFormat, request: RenderedRequest) -> tuple[Answer, Outcome]:
        # On the machine's time, also under a test's scaled clock: networks do not run faster for it.
        answer = await lane.sender.send(request, lane.endpoint.timeout_seconds)
        return read_answer(answer, request, form, lane.endpoint.success_prefix)

    async def _asked_for(
        self, lane: Lane, due: Due, form: WebhookFormat, event: EventView, url: str, outcome: Outcome
    ) -> tuple[ReplyText, ...]:
        """The texts of an answer, and of the documents it leads to."""
        texts = outcome.texts
        for _ in range(MOST_HOPS):
            if outcome.next_url is None:
                break
            url = urljoin(url, outcome.next_url)
            request, answer = self._request(lane, due, form, event, url)
            if request is not None:
                answer, outcome = await self._send(lane, form, request)
            if answer.result is not Result.OK:
                log.warning("a receiver's answer led to no document", endpoint=lane.id, result=answer.result)
                break
            texts += outcome.texts
        return texts

    def _request(
        self, lane: Lane, due: Due, form: WebhookFormat | None, event: EventView, target: str | None
    ) -> tuple[RenderedRequest | None, Answer]:
        """The request, or the answer that stands for there being none."""
        if form is None:
            return None, Answer(Result.RENDER, error=f"this hub has no format {due.format!r}")
        endpoint = lane.endpoint
        delivery = DeliveryView(
            delivery_id=id_of_number(due.id),
            attempt=due.attempts + 1,
            run=due.run,
            origin="replay" if due.queue else "live",
            created_at=due.created_at,
        )
        view = endpoint_view(endpoint, due.format, due.template, target)
        try:
            if is_mail(view.url):
                return compose(self._identity, form, view, event), _UNSENT
            return build_request(form, endpoint, view, event, delivery, self._clock.signing_now()), _UNSENT
        except BadTemplate as error:
            return None, Answer(Result.RENDER, error=str(error))
        except Exception as error:  # a format is an adapter's code: its fault must not stop the others' deliveries
            log.exception("a webhook format failed", format=due.format, event_type=due.event_type)
            return None, Answer(Result.RENDER, error=f"{type(error).__name__}: {error}")


_UNSENT = Answer(Result.CONNECTION)


def event_view(due: Due) -> EventView:
    """A delivery's event as a format is given it."""
    return EventView(
        event_id=due.event_id,
        seq=due.event_seq,
        type=EVENT_TYPES[due.event_type],
        account_id=due.account_id,
        occurred_at=due.occurred_at,
        data=due.data.encode(),
        device_id=due.device_id,
        line_id=due.line_id,
        message_id=due.message_id,
        trace_id=due.trace_id,
    )
