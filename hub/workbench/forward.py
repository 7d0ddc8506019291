"""`hub webhook forward URL`: a hub's events, posted to a receiver that the hub cannot reach: a laptop behind NAT.

    hub's /v1/stream ──> feed (resumes by cursor) ──> at most 500 wait ──> one after the other: POST, signed as the hub signs

Each request is made by the code that makes the hub's own, so that what works here works there: format, `webhook-id`, headers, signatures,
deadline, success rule. Events keep their order; one that fails is tried again, while the following wait, and after the last try is
given up with the cursor to come back to.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hub.core.clock import Clock, parse_rfc3339
from hub.core.events import EventType
from hub.core.ids import RANDOM_BYTES, new_id, parse
from hub.core.ports import DeliveryView, EventView, RenderedRequest, WebhookFormat
from hub.core.retry import Schedule, retry_after_seconds
from hub.webhooks.answer import Answer
from hub.webhooks.client import HttpClient
from hub.webhooks.judgement import read_answer
from hub.webhooks.opened import OpenEndpoint
from hub.webhooks.requests import build_request, endpoint_view
from hub.webhooks.resolver import Resolver
from hub.webhooks.sentences import Result, explain_try
from hub.webhooks.signing import Keys, SigningKey
from hub.webhooks.targets import Guard
from hub.workbench.blocks import block, shown_body
from hub.workbench.feed import Feed, FeedEvent

MOST_WAITING = 500
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0
LONGEST_ASKED_SECONDS = 300.0
"""A Retry-After is obeyed up to this; a hub obeys up to a day."""
DEADLINE_SECONDS = 30
LOCAL_NETWORKS = ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
"""Whoever runs this chooses the URL himself: his own machine and network are allowed."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where events go, and how they are written."""

    url: str
    form: WebhookFormat
    key: bytes
    """The HMAC key behind the secret."""
    tries: int


class Cursor:
    """The place after the last event that is done with; kept in a file where one is given."""

    def __init__(self, path: Path | None, start: str | None) -> None:
        self._path = path
        kept = path.read_text(encoding="utf-8").strip() if path is not None and path.exists() else ""
        self.value = start or kept or None

    def move(self, value: str) -> None:
        """An event is done with. The file is replaced as a whole."""
        self.value = value
        if self._path is not None:
            new = self._path.with_name(self._path.name + ".new")
            new.write_text(value + "\n", encoding="utf-8")
            os.replace(new, self._path)


class Forwarder:
    """Takes from the feed and posts. `say` is given each block of text."""

    def __init__(self, route: Route, cursor: Cursor, clock: Clock, say: Callable[[str], None]) -> None:
        self._route = route
        self._cursor = cursor
        self._clock = clock
        self._say = say
        self._endpoint = _endpoint(route, clock)
        guard = Guard(LOCAL_NETWORKS)
        self._client = HttpClient(guard, Resolver(guard, threads=2))
        self._pool = self._client.pool()

    async def run(self, feed: Feed) -> None:
        """Until cancelled. Raises `hub.workbench.feed.StreamRefused`."""
        waiting: asyncio.Queue[FeedEvent] = asyncio.Queue(MOST_WAITING)
        reading = asyncio.create_task(_read(feed, waiting))
        posting = asyncio.create_task(self._post_all(waiting))
        try:
            done, _ = await asyncio.wait((reading, posting), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (reading, posting):
                task.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await task
            self._pool.close()
            self._client.close()

    async def _post_all(self, waiting: asyncio.Queue[FeedEvent]) -> None:
        while True:
            event = await waiting.get()
            await self._post(event)
            self._cursor.move(event.cursor)

    async def _post(self, told: FeedEvent) -> None:
        kind = EventType(told.type)
        if not self._route.form.takes(kind):
            self._say(f"   {told.type} {told.id}: not sent, the {self._route.form.name} format has no words for it\n")
            return
        event = _event_view(told, kind)
        for attempt in range(1, self._route.tries + 1):
            request = self._request(event, attempt)
            answer = await self._pool.send(request, DEADLINE_SECONDS)
            answer, _ = read_answer(answer, request, self._route.form, None)
            wait = self._wait_after(answer, attempt)
            self._say(self._shown(told, attempt, request, answer, wait))
            if wait is None:
                return
            await asyncio.sleep(wait)

    def _request(self, event: EventView, attempt: int) -> RenderedRequest:
        """As the hub's lanes make it; signed for now."""
        now = self._clock.now()
        view = endpoint_view(self._endpoint, self._route.form.name, None, None)
        delivery = DeliveryView(delivery_id=event.event_id, attempt=attempt, created_at=event.occurred_at)
        return build_request(self._route.form, self._endpoint, view, event, delivery, now)

    def _wait_after(self, answer: Answer, attempt: int) -> float | None:
        """Seconds until the next try; None when there is none."""
        if answer.result is Result.OK or attempt == self._route.tries:
            return None
        asked = retry_after_seconds(answer.header("retry-after"), answer.header("date"), self._clock.now())
        if asked is not None:
            return min(asked, LONGEST_ASKED_SECONDS)
        return min(FIRST_WAIT_SECONDS * 2.0 ** (attempt - 1), LONGEST_WAIT_SECONDS)

    def _shown(
        self, told: FeedEvent, attempt: int, request: RenderedRequest, answer: Answer, wait: float | None
    ) -> str:
        status = "no answer" if answer.status is None else str(answer.status)
        rows = [
            ("id", told.id),
            ("attempt", str(attempt)),
            (
                "answer",
                f"{status} in {answer.timing.total or 0} ms. {explain_try(answer.result, answer.status, answer.error)}",
            ),
            ("", f"body: {answer.body.decode('utf-8', 'replace')[:200]!r}" if answer.body else ""),
            ("next", self._next(told, answer, wait)),
        ]
        return block(f"{told.type}  → {self._route.url.partition('?')[0]}", rows, shown_body(request.body))

    def _next(self, told: FeedEvent, answer: Answer, wait: float | None) -> str:
        if answer.result is Result.OK:
            return ""
        if wait is not None:
            return f"tried again in {wait:g} s"
        return f"given up after {self._route.tries} tries; to send it again, start with the place before it (--after)"


async def _read(feed: Feed, waiting: asyncio.Queue[FeedEvent]) -> None:
    async for event in feed.events():
        await waiting.put(event)


def _event_view(told: FeedEvent, kind: EventType) -> EventView:
    return EventView(
        event_id=parse("event", told.id),
        seq=told.seq,
        type=kind,
        account_id="",
        occurred_at=parse_rfc3339(told.occurred_at),
        data=bytes(told.data),
        device_id=parse("device", told.device_id) if told.device_id else None,
        line_id=parse("line", told.line_id) if told.line_id else None,
        message_id=parse("message", told.message_id) if told.message_id else None,
        trace_id=told.trace_id,
    )


def _endpoint(route: Route, clock: Clock) -> OpenEndpoint:
    """A webhook as it would be registered, for the one URL."""
    now = clock.now()
    return OpenEndpoint(
        id=new_id(now, secrets.token_bytes(RANDOM_BYTES)),
        account_id="",
        gateway_id=None,
        version=1,
        kind="http",
        url=route.url,
        format="standard",
        state="active",
        is_deleted=False,
        settings={},
        keys=Keys((SigningKey(route.key, now),)),
        own_headers=(),
        secret_names=frozenset(),
        timeout_seconds=DEADLINE_SECONDS,
        max_inflight=1,
        rate_per_second=None,
        read_by="number",
        schedule=Schedule("forward", ()),
        success_prefix=None,
    )
