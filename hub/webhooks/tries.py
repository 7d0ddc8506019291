"""One try: render, sign, send, and hand what came of it to the settler."""

from collections.abc import Awaitable, Callable, Mapping

from hub.core.events import EventType
from hub.core.ports import DeliveryView, EventView, RenderedRequest, ReplyText, WebhookFormat
from hub.failpoints import failpoint
from hub.log import get_logger
from hub.storage.webhooks_due import Due
from hub.webhooks.answer import Answer
from hub.webhooks.engine_clock import EngineClock
from hub.webhooks.judgement import read_answer
from hub.webhooks.lanes import Lane
from hub.webhooks.reading import id_of_number
from hub.webhooks.requests import build_request, endpoint_view
from hub.webhooks.sentences import Result
from hub.webhooks.settling import Settler
from hub.webhooks.template import BadTemplate

log = get_logger("webhooks")

OnTexts = Callable[[EventView, tuple[ReplyText, ...]], Awaitable[None]]
"""Told of texts that a receiver's answer asks for (a TwiML `<Message>`), with the event it answered."""


class Tries:
    """Carries out tries. Raises nothing but cancellation."""

    def __init__(
        self, clock: EngineClock, formats: Mapping[str, WebhookFormat], settler: Settler, on_texts: OnTexts | None
    ) -> None:
        self._clock = clock
        self._formats = formats
        self._settler = settler
        self._on_texts = on_texts

    async def run(self, lane: Lane, due: Due, *, is_probe: bool = False) -> None:
        """Try a delivery that the lane has started."""
        form = self._formats.get(due.format)
        if form is not None and not form.takes(EventType(due.event_type)):
            self._settler.skip(lane, due)
            return
        started_at = self._clock.now()
        event = event_view(due)
        request, answer = self._request(lane, due, form, event)
        texts: tuple[ReplyText, ...] = ()
        if request is not None:
            # On the machine's time, also under a test's scaled clock: networks do not run faster for it.
            answer = await lane.sender.send(request, lane.endpoint.timeout_seconds)
            failpoint("delivery.sent")
            assert form is not None
            answer, texts = read_answer(answer, form, lane.endpoint.success_prefix)
        self._settler.settle(lane, due, request, answer, started_at, is_probe=is_probe)
        log.info(
            "a webhook was tried",
            event_type=due.event_type,
            webhook_event=due.event_id,
            message=due.message_id,
            result=answer.result,
            trace_id=due.trace_id,
        )
        if texts and self._on_texts is not None:
            await self._on_texts(event, texts)

    def _request(
        self, lane: Lane, due: Due, form: WebhookFormat | None, event: EventView
    ) -> tuple[RenderedRequest | None, Answer]:
        """The request, or the answer that stands for there being none."""
        if form is None:
            return None, Answer(Result.RENDER, error=f"this hub has no format {due.format!r}")
        endpoint = lane.endpoint
        if endpoint.kind != "http":
            return None, Answer(Result.NO_SENDER)
        delivery = DeliveryView(
            delivery_id=id_of_number(due.id),
            attempt=due.attempts + 1,
            run=due.run,
            origin="replay" if due.queue else "live",
            created_at=due.created_at,
        )
        view = endpoint_view(endpoint, due.format, due.template, due.target)
        try:
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
        type=EventType(due.event_type),
        account_id=due.account_id,
        occurred_at=due.occurred_at,
        data=due.data.encode(),
        device_id=due.device_id,
        line_id=due.line_id,
        message_id=due.message_id,
        trace_id=due.trace_id,
    )
