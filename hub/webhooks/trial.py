"""The test button: one sample event, sent now, with the receiver's answer shown. Nothing of it is stored or tried again."""

import asyncio

from hub.core.clock import Clock, UtcMs
from hub.core.errors import Code, HubError
from hub.core.events import EventType
from hub.core.ids import IdSource
from hub.core.mail import is_mail
from hub.core.ports import DeliveryView, RenderedRequest, WebhookFormat
from hub.storage.webhooks_lanes import LaneRow
from hub.webhooks.answer import Answer
from hub.webhooks.attempts import attempt_row, shown_attempt
from hub.webhooks.client import Client
from hub.webhooks.judgement import read_answer
from hub.webhooks.mail import MailIdentity, compose
from hub.webhooks.opened import OpenEndpoint
from hub.webhooks.records import Attempt, TestResult
from hub.webhooks.requests import build_request, endpoint_view
from hub.webhooks.samples import sample_event
from hub.webhooks.sentences import Result
from hub.webhooks.template import BadTemplate

AT_ONCE = 8
"""Test events in flight at once; they wait for nobody's lane and stand in nobody's way."""


class Trials:
    """Sends test events."""

    def __init__(self, client: Client, clock: Clock, ids: IdSource, node: str, identity: MailIdentity) -> None:
        self._client = client
        self._clock = clock
        self._ids = ids
        self._node = node
        self._identity = identity
        self._room = asyncio.Semaphore(AT_ONCE)

    async def send(self, row: LaneRow, endpoint: OpenEndpoint, form: WebhookFormat, event: EventType) -> TestResult:
        """Send and wait; at most the endpoint's timeout and what others take before."""
        now = self._clock.now()
        try:
            request = self._request(row, endpoint, form, event, now)
        except BadTemplate as error:
            raise HubError(Code.VALIDATION, str(error)) from error
        async with self._room:
            pool = self._client.pool()
            try:
                answer = await pool.send(request, float(endpoint.timeout_seconds))
            finally:
                pool.close()
        answer, _ = read_answer(answer, request, form, endpoint.success_prefix)
        body = request.body.decode("utf-8", "replace")
        is_success = answer.result is Result.OK
        return TestResult(attempt=self._shown(answer, request, endpoint, now), is_success=is_success, request_body=body)

    def _request(
        self, row: LaneRow, endpoint: OpenEndpoint, form: WebhookFormat, event: EventType, now: UtcMs
    ) -> RenderedRequest:
        view = endpoint_view(endpoint, row.endpoint["format"], row.endpoint["template"], None)
        sample = sample_event(event, self._ids.next(now), endpoint.account_id, now)
        if is_mail(view.url):
            return compose(self._identity, form, view, sample)
        delivery = DeliveryView(delivery_id=self._ids.next(now), attempt=1, origin="test", created_at=now)
        return build_request(form, endpoint, view, sample, delivery, now)

    def _shown(self, answer: Answer, request: RenderedRequest, endpoint: OpenEndpoint, now: UtcMs) -> Attempt:
        tried = attempt_row(
            answer,
            request,
            endpoint.secret_names,
            account_id=endpoint.account_id,
            endpoint_id=endpoint.id,
            delivery_id=0,
            n=1,
            is_probe=False,
            started_at=now,
            node=self._node,
        )
        return shown_attempt(tried, self._ids.next(now))
