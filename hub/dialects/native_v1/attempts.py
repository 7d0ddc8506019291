"""One try to deliver: what support needs to explain it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from hub.dialects.native_v1.fields import Count, Model, UtcTime, time
from hub.webhooks import records

Milliseconds = Annotated[int | None, Meta(description="Null = it did not come to that.")]


class Timing(Model):
    """How long each step took, in milliseconds."""

    dns: Milliseconds
    connect: Milliseconds
    tls: Milliseconds
    first: Annotated[int | None, Meta(description="From the request to the first byte of the answer.")]
    total: Milliseconds


class Attempt(Model):
    """One HTTP try."""

    number: Annotated[Count, Meta(description="From 1.")]
    is_probe: Annotated[bool, Meta(description="A single try after a pause, to see whether the receiver is back.")]
    started_at: UtcTime
    timing: Timing
    address: Annotated[str | None, Meta(description="The address that was dialled.")]
    status: Annotated[int | None, Meta(description="HTTP status of the answer.")]
    outcome: Annotated[str, Meta(description="`ok`, or the word of why it failed.")]
    explanation: Annotated[str, Meta(description="The same in one sentence.")]
    error: str | None
    request_headers: Annotated[dict[str, str], Meta(description="Secrets masked.")]
    response_headers: dict[str, str]
    response_body: Annotated[str | None, Meta(description="At most the first 4 KiB.")]
    node: Annotated[str, Meta(description="The hub process that tried.")]


def shown_attempt(attempt: records.Attempt) -> Attempt:
    """An attempt as customers see it."""
    timing = attempt.timing
    return Attempt(
        number=attempt.n,
        is_probe=attempt.is_probe,
        started_at=time(attempt.started_at),
        timing=Timing(dns=timing.dns, connect=timing.connect, tls=timing.tls, first=timing.first, total=timing.total),
        address=attempt.address,
        status=attempt.status,
        outcome=attempt.outcome,
        explanation=attempt.explanation,
        error=attempt.error,
        request_headers=attempt.request_headers,
        response_headers=attempt.response_headers,
        response_body=attempt.response_body,
        node=attempt.node,
    )
