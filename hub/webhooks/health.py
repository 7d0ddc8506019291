"""How an endpoint is doing over hours and days, and what is said about it. Pure; the numbers live in `wh_lane`.

Rules:

1. Failing for an hour: a notice. Failing for a day: a second one.
2. Five days without any success and at least 20 tries: switched off. So is an endpoint that answers 410.
3. Back after a notice: a notice that it recovered.

Notices are `endpoint:…` events to the account's other endpoints. Nothing is discarded while an endpoint is off: what happens is held.
"""

from typing import Literal

import msgspec

from hub.core.clock import UtcMs
from hub.core.events import EventType

FIRST_NOTICE_MS = 3_600_000
SECOND_NOTICE_MS = 24 * 3_600_000
DISABLE_AFTER_MS = 5 * 24 * 3_600_000
DISABLE_TRIES = 20
OK_WRITTEN_EVERY_MS = 30_000
"""A busy endpoint's last success is written this often, not with every commit."""

Notice = Literal[EventType.ENDPOINT_FAILING, EventType.ENDPOINT_DISABLED, EventType.ENDPOINT_RECOVERED]


class Health(msgspec.Struct, frozen=True):
    """An endpoint's record."""

    failing_since: UtcMs | None = None
    last_ok_at: UtcMs | None = None
    tries_since_ok: int = 0
    noticed: int = 0


class Turn(msgspec.Struct, frozen=True):
    """A record after one more result, and what is to be said."""

    health: Health
    notice: Notice | None = None
    disable: str | None = None
    """Why the endpoint is switched off: `failing` or `gone`."""


def after_success(health: Health, now: UtcMs) -> Turn:
    """One request succeeded."""
    if health.failing_since is None and health.last_ok_at is not None and now - health.last_ok_at < OK_WRITTEN_EVERY_MS:
        return Turn(health)
    return Turn(Health(last_ok_at=now), EventType.ENDPOINT_RECOVERED if health.noticed else None)


def after_failure(health: Health, now: UtcMs) -> Turn:
    """One request failed, a probe included."""
    since = now if health.failing_since is None else health.failing_since
    noticed = 2 if now - since >= SECOND_NOTICE_MS else 1 if now - since >= FIRST_NOTICE_MS else 0
    turned = Health(since, health.last_ok_at, health.tries_since_ok + 1, max(noticed, health.noticed))
    if now - since >= DISABLE_AFTER_MS and turned.tries_since_ok >= DISABLE_TRIES:
        return Turn(turned, EventType.ENDPOINT_DISABLED, "failing")
    return Turn(turned, EventType.ENDPOINT_FAILING if noticed > health.noticed else None)


def after_gone(health: Health, now: UtcMs) -> Turn:
    """The receiver answered 410 Gone."""
    turned = after_failure(health, now).health
    return Turn(turned, EventType.ENDPOINT_DISABLED, "gone")
