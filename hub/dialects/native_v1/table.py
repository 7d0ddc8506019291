"""Every operation of the API, the busiest first: a request is matched against paths in this order."""

from __future__ import annotations

from hub.dialects.native_v1 import (
    account,
    deliveries,
    devices,
    enrolments,
    events,
    keys,
    lines,
    notices,
    overview,
    replays,
    segments,
    stream,
    webhooks,
)
from hub.dialects.native_v1.operation import AnyOperation

OPERATIONS: tuple[AnyOperation, ...] = (
    *segments.OPERATIONS,
    *devices.OPERATIONS,
    *lines.OPERATIONS,
    *enrolments.OPERATIONS,
    *notices.OPERATIONS,
    *events.OPERATIONS,
    *stream.OPERATIONS,
    *webhooks.OPERATIONS,
    *deliveries.OPERATIONS,
    *replays.OPERATIONS,
    *overview.OPERATIONS,
    *keys.OPERATIONS,
    *account.OPERATIONS,
)
