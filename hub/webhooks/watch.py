"""Whether an endpoint that is watched keeps within its limits: what it answered in the last hour, and what is said when it does not.

Rules, over the tries of the last hour (twelve spans of five minutes):

1. `slow`: more than 1 in 100 answers took longer than 5 s, a time-out included.
2. `errors`: more than 1 in 100 tries failed. Fewer than a hundred tries: one failure is enough.
3. `missing`: a text was given up, so that what the receiver has got has a hole (`GET /v1/deliveries?state=dead` names it).

Each is told once when it begins to hold (`endpoint:failing` with the rule's word as its reason) and once when a later try finds
that it no longer does (`endpoint:recovered` with the same reason). Pure; the record lives in `wh_lane`, so that it outlives the process.
"""

from typing import Literal, Protocol, get_args, runtime_checkable

import msgspec

from hub.core.clock import UtcMs

SPAN_MS = 300_000
SPANS = 12
SLOW_MS = 5_000
ONE_IN = 100
"""More than one in so many is too much."""

Rule = Literal["slow", "errors", "missing"]
RULES: tuple[Rule, ...] = get_args(Rule)


@runtime_checkable
class IsWatched(Protocol):
    """A format whose receivers are held to these limits."""

    is_watched: bool


class Span(msgspec.Struct, frozen=True, array_like=True):
    """What happened in five minutes."""

    number: int
    """Which: time // SPAN_MS."""
    tries: int = 0
    failed: int = 0
    slow: int = 0
    slowest_ms: int = 0
    missing: int = 0


class Watch(msgspec.Struct, frozen=True, omit_defaults=True):
    """An endpoint's record."""

    spans: tuple[Span, ...] = ()
    told: tuple[Rule, ...] = ()
    """The rules it is known to break."""


UNWATCHED = Watch()


class Sums(msgspec.Struct, frozen=True):
    """The last hour."""

    tries: int
    failed: int
    slow: int
    slowest_ms: int
    missing: int

    def broken(self) -> tuple[Rule, ...]:
        """The rules that do not hold."""
        is_broken = (self.slow * ONE_IN > self.tries, self.failed * ONE_IN > self.tries, self.missing > 0)
        return tuple(rule for rule, broken in zip(RULES, is_broken, strict=True) if broken)


class Turn(msgspec.Struct, frozen=True):
    """A record after one more try, and what is to be said."""

    watch: Watch
    began: tuple[Rule, ...] = ()
    ended: tuple[Rule, ...] = ()


def sums(watch: Watch, now: UtcMs) -> Sums:
    """What the record says of the hour before now."""
    recent = _recent(watch, now)
    return Sums(
        tries=sum(span.tries for span in recent),
        failed=sum(span.failed for span in recent),
        slow=sum(span.slow for span in recent),
        slowest_ms=max((span.slowest_ms for span in recent), default=0),
        missing=sum(span.missing for span in recent),
    )


def after_try(watch: Watch, now: UtcMs, duration_ms: int, *, is_success: bool, is_given_up: bool) -> Turn:
    """One try ended; `is_given_up` when its text with it."""
    number = now // SPAN_MS
    before = _recent(watch, now)
    span = before[-1] if before and before[-1].number == number else Span(number)
    counted = Span(
        number=number,
        tries=span.tries + 1,
        failed=span.failed + (not is_success),
        slow=span.slow + (duration_ms > SLOW_MS),
        slowest_ms=max(span.slowest_ms, duration_ms),
        missing=span.missing + is_given_up,
    )
    spans = (*(one for one in before if one.number != number), counted)
    broken = sums(Watch(spans), now).broken()
    began = tuple(rule for rule in broken if rule not in watch.told)
    ended = tuple(rule for rule in watch.told if rule not in broken)
    return Turn(Watch(spans, broken), began, ended)


def encode_watch(watch: Watch) -> str:
    """For `wh_lane.watch`."""
    return "{}" if watch is UNWATCHED else msgspec.json.encode(watch).decode()


def decode_watch(stored: str) -> Watch:
    """What `encode_watch` wrote."""
    return UNWATCHED if stored == "{}" else msgspec.json.decode(stored, type=Watch)


def _recent(watch: Watch, now: UtcMs) -> tuple[Span, ...]:
    """The spans of the last hour; one of a clock that was ahead counts as now's."""
    first = now // SPAN_MS - SPANS
    return tuple(span for span in watch.spans if span.number > first)
