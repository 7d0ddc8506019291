"""Waiting for an inbound text: what a test of a login flow, or a script with curl, needs."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from hub.accounts.scopes import Scope
from hub.core.errors import Code, HubError
from hub.dialects.native_v1.fields import Address, DeviceId, LineId, Model, Query, bare_or_none
from hub.dialects.native_v1.message_models import Message
from hub.dialects.native_v1.message_models import shown as shown_message
from hub.dialects.native_v1.operation import AnyOperation, Call, NoBody, Operation
from hub.dialects.native_v1.waiting import Waiting, waiting
from hub.messages.inbox import InboxMatcher, InboxQuery, compile_query, latest_cursor, next_text

POLL_SECONDS = 1.0
"""How often the inbox is read without a hint."""
LONGEST_SECONDS = 60
MOST_WAITING = 200
"""Open waits and streams of one account on one process."""


InboxCursor = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=80,
        description="A `cursor` of an earlier answer: texts after it count, also those that came before this call.",
    ),
]


class WaitQuery(Query):
    """What to wait for. Everything that is named must hold."""

    sender: Annotated[Address | None, Meta(description="Exactly this number or name.")] = None
    match: Annotated[
        Literal["any", "literal", "prefix", "glob", "re2"],
        Meta(
            description="How `pattern` is meant: `literal` is part of the text, `glob` knows `*` and `?`, `re2` is RE2 syntax."
        ),
    ] = "any"
    pattern: Annotated[str, Meta(min_length=1, max_length=500)] | None = None
    line_id: LineId | None = None
    device_id: DeviceId | None = None
    after: InboxCursor | None = None
    timeout: Annotated[int, Meta(ge=0, le=LONGEST_SECONDS, description="Seconds to wait; 0 = only look.")] = 30


class Waited(Model):
    """The text that came, or none."""

    message: Annotated[Message | None, Meta(description="null: none matched within the time.")]
    cursor: Annotated[str, Meta(description="Give it as `after` to go on behind this text.")]


async def wait_for_text(call: Call[WaitQuery, None]) -> Waited:
    """Wait for a text.

    The next inbound one that matches is answered. Without `after` only texts that come from now on count. Take the `cursor` of
    a first call with `timeout=0` before you trigger the text, give it as `after`, and it cannot be missed however fast it
    comes.
    """
    query, live = call.query, call.services.live
    matcher = compile_query(
        InboxQuery(
            sender=query.sender,
            kind=query.match,
            pattern=query.pattern,
            line_id=bare_or_none("line", query.line_id, "line_id"),
            device_id=bare_or_none("device", query.device_id, "device_id"),
        )
    )
    if live.watching(call.account_id) >= MOST_WAITING:
        raise HubError(Code.RATE_LIMITED, f"{MOST_WAITING} streams and waits are open already.", retry_after_seconds=10)
    async with waiting(live, call.account_id, call.receive) as hints:
        return await _wait(call, matcher, hints)


async def _wait(call: Call[WaitQuery, None], matcher: InboxMatcher, hints: Waiting) -> Waited:
    clock = call.services.clock
    ends_at = clock.monotonic() + call.query.timeout
    after = call.query.after
    if after is None:
        after = await call.read(latest_cursor, call.account_id)
    while True:
        page = await call.read(next_text, call.account_id, matcher, after)
        if page.message is not None:
            return Waited(message=shown_message(page.message), cursor=page.next)
        if page.next != after:
            after = page.next
            continue
        left = ends_at - clock.monotonic()
        if left <= 0 or hints.was_cut:
            return Waited(message=None, cursor=after)
        await hints.take(min(left, POLL_SECONDS))


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="GET",
        path="/v1/inbox/wait",
        run=wait_for_text,
        scope=Scope.MESSAGES_READ,
        query=WaitQuery,
        body=NoBody,
        returns=Waited,
        errors=(Code.BAD_PATTERN, Code.BAD_CURSOR),
    ),
)
