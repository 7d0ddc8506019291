"""How sending to one webhook went in the last day, and what waits."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from hub.accounts.scopes import Scope
from hub.dialects.native_v1.fields import Count, DeliveryId, Model, UtcTime, WebhookId, out, time, time_or_none
from hub.dialects.native_v1.operation import AnyOperation, Call, NoBody, NoQuery, Operation
from hub.storage import webhooks_statistics as stored
from hub.webhooks.reading import id_of_number
from hub.webhooks.sentences import explain_try

DAY_MS = 86_400_000
SPAN_MS = 1_800_000
_OK, _DEAD, _CANCELLED = 2, 3, 4


class WebhookSpan(Model):
    """Deliveries made in one half hour."""

    start: UtcTime
    ok: Count
    failed: Annotated[Count, Meta(description="Ended without success, or tried in vain so far.")]


class LastGoodAnswer(Model):
    """The newest answer that counted."""

    delivery_id: DeliveryId
    at: UtcTime
    status: int | None
    milliseconds: int | None


class LastFailedTry(Model):
    """The newest try that failed."""

    delivery_id: DeliveryId
    at: UtcTime
    status: int | None
    outcome: Annotated[str, Meta(description="The word of why.")]
    explanation: Annotated[str, Meta(description="The same in one sentence.")]


class WebhookStatistics(Model):
    """The last 24 hours of a webhook; at most its newest 20,000 deliveries."""

    webhook_id: WebhookId
    since: UtcTime
    total: Count
    ok: Count
    dead: Annotated[Count, Meta(description="Ended without success.")]
    cancelled: Count
    waiting: Annotated[Count, Meta(description="Not ended, whenever they were made.")]
    failing: Annotated[Count, Meta(description="Of these, tried in vain so far.")]
    oldest_waiting_at: UtcTime | None
    next_try_at: UtcTime | None
    half_within_ms: Annotated[int | None, Meta(description="Half of the good answers came within this.")]
    most_within_ms: Annotated[int | None, Meta(description="95 of 100.")]
    last_good: LastGoodAnswer | None
    last_problem: Annotated[LastFailedTry | None, Meta(description="Of what waits, or ended in vain.")]
    spans: Annotated[list[WebhookSpan], Meta(description="Every half hour of the day, oldest first.")]


async def get_webhook_statistics(call: Call[NoQuery, None]) -> WebhookStatistics:
    """Read how sending to a webhook goes.

    The last 24 hours in half hours, how fast the receiver answers, and what waits.
    """
    account, endpoint = call.account_id, call.path["webhook_id"]
    await call.services.webhooks.get(account, endpoint)
    now = call.now
    first = now // SPAN_MS - DAY_MS // SPAN_MS + 1
    since = max(first * SPAN_MS, 0)
    spans = await call.read(stored.count_spans, account, endpoint, since, SPAN_MS)
    waiting = await call.read(stored.backlog, account, endpoint)
    times = await call.read(stored.answer_times, account, endpoint, since)
    good = await call.read(stored.last_good, account, endpoint)
    problem = await call.read(stored.last_problem, account, endpoint)
    states: Counter[int] = Counter()
    for one in spans:
        states[one.state] += one.deliveries
    return WebhookStatistics(
        webhook_id=out("endpoint", endpoint),
        since=time(since),
        total=states.total(),
        ok=states[_OK],
        dead=states[_DEAD],
        cancelled=states[_CANCELLED],
        waiting=waiting.pending,
        failing=waiting.failing,
        oldest_waiting_at=time_or_none(waiting.oldest_at),
        next_try_at=time_or_none(waiting.next_at),
        half_within_ms=_within(times, 0.5),
        most_within_ms=_within(times, 0.95),
        last_good=None if good is None else _last_good(good),
        last_problem=None if problem is None else _last_problem(problem),
        spans=_spans(spans, first, now // SPAN_MS),
    )


def _within(times: Sequence[int], share: float) -> int | None:
    return times[min(int(len(times) * share), len(times) - 1)] if times else None


def _last_good(good: stored.LastGood) -> LastGoodAnswer:
    return LastGoodAnswer(
        delivery_id=out("delivery", id_of_number(good.delivery_id)),
        at=time(good.at),
        status=good.status,
        milliseconds=good.milliseconds,
    )


def _last_problem(problem: stored.LastProblem) -> LastFailedTry:
    return LastFailedTry(
        delivery_id=out("delivery", id_of_number(problem.delivery_id)),
        at=time(problem.at),
        status=problem.status,
        outcome=problem.outcome,
        explanation=explain_try(problem.outcome, problem.status, None),
    )


def _spans(counts: Sequence[stored.SpanCount], first: int, last: int) -> list[WebhookSpan]:
    ok: defaultdict[int, int] = defaultdict(int)
    failed: defaultdict[int, int] = defaultdict(int)
    for one in counts:
        if one.state == _OK:
            ok[one.bucket] += one.deliveries
        elif one.state == _DEAD or (one.state < _OK and one.is_tried):
            failed[one.bucket] += one.deliveries
    return [
        WebhookSpan(start=time(max(bucket * SPAN_MS, 0)), ok=ok[bucket], failed=failed[bucket])
        for bucket in range(first, last + 1)
    ]


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="GET", path="/v1/webhooks/{webhook_id}/statistics", run=get_webhook_statistics, scope=Scope.WEBHOOKS_READ,
        query=NoQuery, body=NoBody, returns=WebhookStatistics,
    ),
)  # fmt: skip
