"""Numbers for a range of time: where texts are, why some did not arrive, what waits, and which phones need a person."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from msgspec import Meta

from hub import devices
from hub.accounts.scopes import Scope
from hub.core.errors import invalid
from hub.core.ids import time_of
from hub.core.results import why
from hub.core.status import Status
from hub.dialects.native_v1.devices import DeviceRisk, is_seen, shown_risk
from hub.dialects.native_v1.fields import (
    Count,
    DeviceId,
    Model,
    Query,
    UtcTime,
    WebhookId,
    bare_or_none,
    moment_or_none,
    out,
    out_or_none,
    time,
    time_or_none,
)
from hub.dialects.native_v1.operation import AnyOperation, Call, NoBody, NoQuery, Operation
from hub.storage import overview as stored
from hub.storage.overview import StateCount

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
DEFAULT_DAYS = 7
MOST_DAYS = 92
MOST_PHONES = 1000


class Funnel(Model):
    """How far the texts made in the range have come. Each step counts all that reached it."""

    accepted: Count
    on_phone: Annotated[Count, Meta(description="A phone held it, now or before.")]
    sent: Annotated[Count, Meta(description="The network took it.")]
    delivered: Annotated[Count, Meta(description="The handset confirmed it.")]
    waiting: Annotated[Count, Meta(description="In the hub: queued, scheduled, or between two tries.")]
    on_phone_now: Annotated[Count, Meta(description="On a phone and not yet sent.")]
    unsure: Annotated[Count, Meta(description="May have been sent; nobody knows.")]
    not_sent: Annotated[Count, Meta(description="Failed, expired or given up before the network took it.")]
    not_delivered: Annotated[Count, Meta(description="Sent, and the network gave up delivering it.")]
    without_report: Annotated[Count, Meta(description="Sent, and no word on delivery yet; often the last there is.")]
    cancelled: Count
    received: Annotated[Count, Meta(description="Texts that came in during the range.")]


class Failure(Model):
    """Texts that did not arrive for one reason."""

    state: Status
    reason: str | None
    explanation: str | None
    count: Count
    numbers: Annotated[Count, Meta(description="Different recipients among them.")]
    device_id: Annotated[DeviceId | None, Meta(description="The phone that had them all; null = several, or none.")]
    first_at: Annotated[UtcTime, Meta(description="When the first of them was made.")]


class Span(Model):
    """Texts made in one hour or day."""

    start: UtcTime
    delivered: Count
    open: Annotated[Count, Meta(description="Not ended, or sent without a report.")]
    failed: Count


class DeliverySpeed(Model):
    """From the time a text was due to its confirmation by the handset; the newest 5,000 of the range."""

    measured: Count
    half_within_seconds: float | None
    most_within_seconds: Annotated[float | None, Meta(description="95 of 100.")]


class WebhookLag(Model):
    """What waits for one webhook."""

    webhook_id: WebhookId
    host: str
    state: str
    pending: Annotated[Count, Meta(description="Counted up to 10,000.")]
    waiting_seconds: Annotated[float, Meta(description="How long what is due first has waited; 0 = nothing waits.")]
    failing_since: UtcTime | None


class PhoneAtRisk(Model):
    """A phone that needs a person."""

    device_id: DeviceId
    name: str
    state: str
    risks: list[DeviceRisk]


class Overview(Model):
    """The numbers of a range."""

    since: UtcTime
    until: UtcTime
    span: Literal["hour", "day"]
    funnel: Funnel
    failures: Annotated[list[Failure], Meta(description="Most frequent first.")]
    series: Annotated[list[Span], Meta(description="Every hour or day of the range, in the account's time zone.")]
    speed: DeliverySpeed
    webhooks: list[WebhookLag]
    phones_at_risk: list[PhoneAtRisk]
    phones: Count


class RangeQuery(Query):
    """Which range."""

    since: Annotated[UtcTime | None, Meta(description="Without it: 7 days before `until`.")] = None
    until: Annotated[UtcTime | None, Meta(description="Without it: now.")] = None


class OverviewQuery(RangeQuery):
    """Which range, and of whom."""

    device_id: Annotated[DeviceId | None, Meta(description="Count the texts of this phone alone.")] = None


class PhoneNumbers(Model):
    """How one phone does."""

    device_id: DeviceId
    sent_last_hour: Count
    failed_last_hour: Count
    sent_last_day: Count
    failed_last_day: Count
    waiting: Annotated[Count, Meta(description="Texts in the hub that wait for one of its lines.")]
    pinned: Annotated[
        Count, Meta(description="Of these, how many ask for this phone or line: they move only to a line you name.")
    ]
    on_phone: Annotated[Count, Meta(description="Texts the phone holds or is being offered: they are never moved.")]
    oldest_waiting_at: UtcTime | None


class PhoneNumbersList(Model):
    """Phones that sent, failed to send, or have something waiting in the last day."""

    items: list[PhoneNumbers]


def _funnel(counts: Sequence[StateCount], received: int) -> Funnel:
    by_state: Counter[str] = Counter()
    for one in counts:
        by_state[one.state] += one.count
    sent = sum(one.sent for one in counts)
    return Funnel(
        accepted=by_state.total(),
        on_phone=sum(max(one.bound, one.sent) for one in counts),
        sent=sent,
        delivered=by_state[Status.DELIVERED],
        waiting=by_state[Status.QUEUED] + by_state[Status.SCHEDULED] + by_state[Status.RETRIED],
        on_phone_now=by_state[Status.DISPATCHED],
        unsure=by_state[Status.UNCERTAIN],
        not_sent=by_state[Status.FAILED] + by_state[Status.EXPIRED] + by_state[Status.DEAD_LETTER],
        not_delivered=by_state[Status.UNDELIVERED],
        without_report=by_state[Status.SENT],
        cancelled=by_state[Status.CANCELLED],
        received=received,
    )


FAILURES = (Status.FAILED, Status.UNDELIVERED, Status.EXPIRED, Status.DEAD_LETTER, Status.UNCERTAIN)


def _failures(counts: Sequence[StateCount]) -> list[Failure]:
    failed = [one for one in counts if one.state in FAILURES]
    return [
        Failure(
            state=Status(one.state),
            reason=one.reason,
            explanation=why(one.reason),
            count=one.count,
            numbers=one.peers,
            device_id=out_or_none("device", one.first_device_id if one.first_device_id == one.last_device_id else None),
            first_at=time(time_of(one.first_id)),
        )
        for one in sorted(failed, key=lambda one: (-one.count, one.state, one.reason or ""))
    ]


def _series(buckets: Sequence[stored.BucketCount], since: int, until: int, span: int, shift: int) -> list[Span]:
    by_bucket: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for one in buckets:
        by_bucket[one.bucket][one.state] += one.count
    made = []
    for bucket in range((since + shift) // span, (until - 1 + shift) // span + 1):
        states = by_bucket[bucket]
        failed = sum(states[state] for state in FAILURES)
        delivered = states[Status.DELIVERED]
        still_open = states.total() - failed - delivered - states[Status.CANCELLED]
        made.append(
            Span(start=time(max(bucket * span - shift, 0)), delivered=delivered, open=still_open, failed=failed)
        )
    return made


def _speed(times: Sequence[int]) -> DeliverySpeed:
    def within(share: float) -> float | None:
        return max(times[min(int(len(times) * share), len(times) - 1)], 0) / 1000 if times else None

    return DeliverySpeed(measured=len(times), half_within_seconds=within(0.5), most_within_seconds=within(0.95))


def _lag(lane: stored.LaneState, now: int) -> WebhookLag:
    waiting = 0 if lane.oldest_at is None else max(now - lane.oldest_at, 0)
    return WebhookLag(
        webhook_id=out("endpoint", lane.endpoint_id),
        host=urlsplit(lane.url).hostname or lane.url,
        state=lane.state,
        pending=lane.pending,
        waiting_seconds=waiting / 1000,
        failing_since=time_or_none(lane.failing_since),
    )


def range_of(call: Call[Any, None]) -> tuple[int, int]:
    """The range asked for, in milliseconds. Raises `validation`."""
    until = moment_or_none(call.query.until, "until")
    if until is None:
        until = call.now + 1
    since = moment_or_none(call.query.since, "since")
    if since is None:
        since = max(until - DEFAULT_DAYS * DAY_MS, 0)
    if since >= until:
        raise invalid("since", "empty_range", "since has to lie before until.")
    if until - since > MOST_DAYS * DAY_MS:
        raise invalid("since", "too_long", f"Ask for {MOST_DAYS} days at most.")
    return since, until


async def get_overview(call: Call[OverviewQuery, None]) -> Overview:
    """Read the overview of a range.

    How far texts have come, why some did not arrive, what waits, and which phones need a person. Who sees some lines only is told of
    these, and of no webhook.
    """
    since, until = range_of(call)
    is_short = until - since <= 2 * DAY_MS
    span = HOUR_MS if is_short else DAY_MS
    settings = await call.services.credentials.settings_of(call.account_id)
    offset = ZoneInfo(settings.time_zone).utcoffset(datetime.fromtimestamp(until / 1000, UTC))
    shift = 0 if offset is None else int(offset.total_seconds() * 1000)
    account, phone_id = call.account_id, bare_or_none("device", call.query.device_id, "device_id")
    whose = stored.Whose(account, phone_id, call.line_ids)
    counts = await call.read(stored.count_by_state, whose, since, until)
    buckets = await call.read(stored.count_by_bucket, whose, since, until, span=span, shift=shift)
    listed = (await call.read(devices.list_devices, account, limit=MOST_PHONES, now=call.now)).items
    phones = [phone for phone in listed if is_seen(call, phone)]
    # Webhooks tell of all lines: they are not for somebody who sees some.
    lanes = await call.read(stored.list_lane_states, account) if call.line_ids is None else []
    return Overview(
        since=time(since),
        until=time(until),
        span="hour" if is_short else "day",
        funnel=_funnel(counts, await call.read(stored.count_received, whose, since, until)),
        failures=_failures(counts),
        series=_series(buckets, since, until, span, shift),
        speed=_speed(await call.read(stored.delivery_times, whose, since, until)),
        webhooks=[_lag(lane, call.now) for lane in lanes],
        phones_at_risk=[_at_risk(phone) for phone in phones if _needs_a_person(phone)],
        phones=len(phones),
    )


def _needs_a_person(phone: devices.DeviceView) -> bool:
    return any(risk.severity != "info" for risk in phone.risks)


def _at_risk(phone: devices.DeviceView) -> PhoneAtRisk:
    return PhoneAtRisk(
        device_id=out("device", phone.id),
        name=phone.name,
        state=phone.state,
        risks=[shown_risk(risk) for risk in phone.risks if risk.severity != "info"],
    )


async def get_phone_numbers(call: Call[NoQuery, None]) -> PhoneNumbersList:
    """Read the numbers of each phone.

    How it did in the last hour and day, and what waits for it.
    """
    counts = await call.read(stored.count_by_phone, stored.Whose(call.account_id, None, call.line_ids), call.now)
    return PhoneNumbersList(
        items=[
            PhoneNumbers(
                device_id=out("device", one.device_id),
                sent_last_hour=one.sent_hour,
                failed_last_hour=one.failed_hour,
                sent_last_day=one.sent_day,
                failed_last_day=one.failed_day,
                waiting=one.waiting,
                pinned=one.pinned,
                on_phone=one.on_phone,
                oldest_waiting_at=time_or_none(one.oldest_at),
            )
            for one in counts
        ]
    )


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        knows_lines=True, method="GET", path="/v1/overview", run=get_overview, scope=Scope.ACCOUNT_READ, query=OverviewQuery, body=NoBody,
        returns=Overview,
    ),
    Operation(
        knows_lines=True, method="GET", path="/v1/overview/phones", run=get_phone_numbers, scope=Scope.ACCOUNT_READ, query=NoQuery,
        body=NoBody, returns=PhoneNumbersList,
    ),
)  # fmt: skip
