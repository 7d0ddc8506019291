"""Every operation of the API, the busiest first: a request is matched against paths in this order."""

from __future__ import annotations

from hub.dialects.native_v1 import (
    account,
    batches,
    conversations,
    deliveries,
    device_actions,
    device_history,
    devices,
    enrolments,
    events,
    forecast,
    inbox,
    keys,
    lines,
    messages,
    notices,
    overview,
    replays,
    segments,
    sending,
    stream,
    webhook_lag,
    webhooks,
)
from hub.dialects.native_v1.operation import AnyOperation

OPERATIONS: tuple[AnyOperation, ...] = (
    *sending.OPERATIONS,
    *messages.OPERATIONS,
    *inbox.OPERATIONS,
    *conversations.OPERATIONS,
    *batches.OPERATIONS,
    *segments.OPERATIONS,
    *forecast.OPERATIONS,
    *devices.OPERATIONS,
    *device_history.OPERATIONS,
    *device_actions.OPERATIONS,
    *lines.OPERATIONS,
    *enrolments.OPERATIONS,
    *notices.OPERATIONS,
    *events.OPERATIONS,
    *stream.OPERATIONS,
    *webhooks.OPERATIONS,
    *deliveries.OPERATIONS,
    *replays.OPERATIONS,
    *overview.OPERATIONS,
    *webhook_lag.OPERATIONS,
    *keys.OPERATIONS,
    *account.OPERATIONS,
)
