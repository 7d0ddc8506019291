"""When to try again, or that it is over: for webhooks and for texts.

Decisions only. Randomness comes in as a number in [0, 1), so that a thousand failures of one moment do not come back in one moment and
a test can say which wait it expects.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Literal, TypeAlias

import msgspec

from hub.core.clock import UtcMs

DEFAULT_MAX_AGE_SECONDS = 96 * 3600
JITTER = 0.2
RETRY_AFTER_MIN_SECONDS = 1.0
RETRY_AFTER_MAX_SECONDS = 86_400.0
TOO_MANY_REQUESTS_SECONDS = 60.0
"""How long a lane rests after a 429 that names no time."""
MAX_WAITS = 50
MAX_WAIT_SECONDS = 7 * 86_400


class Schedule(msgspec.Struct, frozen=True):
    """The waits between tries: one try more than there are waits."""

    name: str
    waits_seconds: tuple[float, ...]
    jitter: float = JITTER
    """Each wait is multiplied by a number in [1 - jitter, 1 + jitter)."""
    max_age_seconds: float | None = DEFAULT_MAX_AGE_SECONDS
    """No try is made later than this after the first; None = only the waits count."""

    @property
    def max_attempts(self) -> int:
        """How often it is tried in all."""
        return len(self.waits_seconds) + 1


def doubling(first_seconds: float, waits: int, *, at_most: float = MAX_WAIT_SECONDS) -> tuple[float, ...]:
    """`first`, twice that, and so on."""
    return tuple(min(first_seconds * 2**n, at_most) for n in range(waits))


PRESETS: Mapping[str, Schedule] = MappingProxyType(
    {
        schedule.name: schedule
        for schedule in (
            Schedule("default", doubling(10, 14)),
            Schedule("fast", (10, 60, 180, 480), max_age_seconds=900),
            Schedule("agile", (900, 900, 900), jitter=0.0),
            Schedule("smsgate", doubling(10, 14), jitter=0.0),
            Schedule("mail", (60, 240, 900, 2400, 3600, 7200, *(14400,) * 10), jitter=0.08, max_age_seconds=48 * 3600),
        )
    }
)
"""`default`: 15 tries in about two days. `fast`: 5 in a quarter of an hour, for what goes stale. `agile`: 4 tries a quarter of an hour
apart, to the second. `smsgate`: what the sms-gate.app phone app does, to the second. `mail`: 17 tries within 48 hours, the
first soon, for servers that turn a stranger's first try away (RFC 5321 §4.5.4.1)."""


class BadSchedule(ValueError):
    """A retry setting that cannot be used; its sentence may be shown to the caller."""


def schedule_of(setting: str | Sequence[float], *, max_age_seconds: float | None = DEFAULT_MAX_AGE_SECONDS) -> Schedule:
    """The schedule of an endpoint's setting: a preset's name, or the list of waits in seconds. Raises BadSchedule."""
    if isinstance(setting, str):
        preset = PRESETS.get(setting)
        if preset is None:
            raise BadSchedule(
                f"{setting[:40]!r} is no schedule: use {', '.join(PRESETS)}, or a list of waits in seconds."
            )
        return _no_older_than(preset, max_age_seconds)
    waits = tuple(setting)
    if len(waits) > MAX_WAITS:
        raise BadSchedule(f"A schedule has at most {MAX_WAITS} waits.")
    for wait in waits:
        if isinstance(wait, bool) or not isinstance(wait, int | float) or not 1 <= wait <= MAX_WAIT_SECONDS:
            raise BadSchedule(f"A wait is between 1 second and {MAX_WAIT_SECONDS} seconds (7 days), not {wait!r}.")
    return Schedule("custom", waits, max_age_seconds=max_age_seconds)


def _no_older_than(schedule: Schedule, max_age_seconds: float | None) -> Schedule:
    ages = [age for age in (schedule.max_age_seconds, max_age_seconds) if age is not None]
    return msgspec.structs.replace(schedule, max_age_seconds=min(ages, default=None))


class RetryAt(msgspec.Struct, frozen=True):
    """Try again then."""

    at: UtcMs
    wait_seconds: float


class GiveUp(msgspec.Struct, frozen=True):
    """It is over."""

    reason: Literal["tries_used_up", "too_old"]


Next: TypeAlias = RetryAt | GiveUp


def next_attempt(
    schedule: Schedule,
    attempts: int,
    first_at: UtcMs,
    now: UtcMs,
    random: float,
    *,
    not_before: UtcMs | None = None,
) -> Next:
    """What follows when the `attempts`-th try (counted from 1) has just failed.

    `first_at` is when the first try was made, `not_before` what the receiver asked for with Retry-After: never earlier than that.
    """
    if attempts > len(schedule.waits_seconds):
        return GiveUp("tries_used_up")
    wait = schedule.waits_seconds[attempts - 1] * spread(schedule.jitter, random)
    at = max(now + round(wait * 1000), not_before or 0)
    if schedule.max_age_seconds is not None and at > first_at + schedule.max_age_seconds * 1000:
        return GiveUp("too_old")
    return RetryAt(at, (at - now) / 1000)


def spread(jitter: float, random: float) -> float:
    """The factor in [1 - jitter, 1 + jitter) that `random` in [0, 1) stands for."""
    return 1 - jitter + 2 * jitter * random


# --- Retry-After (RFC 9110 §10.2.3) --------------------------------------------------------------------------------------------------

_SECONDS = re.compile(r"[0-9]{1,10}", re.ASCII)


def retry_after_seconds(value: str | None, response_date: str | None = None, now: UtcMs | None = None) -> float | None:
    """The wait a Retry-After header asks for, between 1 second and 24 hours; None when there is none that can be read.

    A date is measured against the response's own `Date`, so that our clock does not matter, and against `now` when it has none.
    """
    text = (value or "").strip()
    if _SECONDS.fullmatch(text):
        return _clamped(float(text))
    until = _http_date(text)
    since = _http_date(response_date) or (None if now is None else datetime.fromtimestamp(now / 1000, UTC))
    if until is None or since is None:
        return None
    return _clamped((until - since).total_seconds())


def lane_pause(retry_after: float, now: UtcMs, random: float) -> UtcMs:
    """Until when a whole lane rests: never earlier than asked, up to a tenth later so that lanes do not return together."""
    return now + round(retry_after * (1 + 0.1 * random) * 1000)


def _clamped(seconds: float) -> float:
    return min(max(seconds, RETRY_AFTER_MIN_SECONDS), RETRY_AFTER_MAX_SECONDS)


def _http_date(text: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text or "")
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


# --- texts ---------------------------------------------------------------------------------------------------------------------------

SMS_FIRST_WAIT_SECONDS = 30.0
SMS_LONGEST_WAIT_SECONDS = 900.0


def sms_retry_at(refusals: int, now: UtcMs, random: float) -> UtcMs:
    """When a text that was refused before the air, for the `refusals`-th time, may be offered again: 30 s doubling to 15 min, ±20 %."""
    doublings = float(min(max(refusals, 1) - 1, 32))
    wait = min(SMS_FIRST_WAIT_SECONDS * 2**doublings, SMS_LONGEST_WAIT_SECONDS)
    return now + round(wait * spread(JITTER, random) * 1000)
