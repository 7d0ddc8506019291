"""Dead letters: texts whose tries are used up. `GET /api/v1/dlq` shows them, `POST /api/v1/dlq/replay` puts them back into the queue."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec

from hub.core.errors import Code, HubError, invalid
from hub.core.ids import is_id, render
from hub.dialects.abilit.messages import row_of
from hub.dialects.abilit.words import PROVIDER
from hub.dialects.json_door import Call
from hub.messages.resend import Replay, replay
from hub.messages.search import MessageFilter
from hub.messages.search import list_messages as read_messages
from hub.messages.views import MessageView

PAGE = 50
MOST_REPLAYED = 1000
AT_ONCE = 100
_DEAD = MessageFilter(states=("dead_letter",), direction="mt", is_oldest_first=True)
_PASSED_OVER = frozenset({Code.CONFLICT, Code.NOT_FOUND, Code.NO_CREDIT})


class Replayed(msgspec.Struct):
    """The body; unknown fields are passed over."""

    provider: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST_REPLAYED)] = AT_ONCE


_BODY = msgspec.json.Decoder(Replayed)


async def list_dead(call: Call) -> dict[str, Any]:
    """A page, oldest first: `provider`, `cursor`."""
    _check(call.query("provider"))
    cursor = call.query("cursor")
    if cursor is not None and not is_id(cursor):
        raise HubError(Code.BAD_CURSOR)
    page = await call.services.db.read(read_messages, call.account_id, _DEAD, cursor, PAGE)
    return {"messages": [row_of(view) for view in page.items], "next_cursor": page.next}


async def replay_dead(call: Call) -> dict[str, Any]:
    """Put the oldest ones back, `limit` at most; each gets its tries and its time to live anew. An empty body replays 100."""
    body = call.body(_BODY) if call.raw else Replayed()
    _check(body.provider)
    replayed: list[str] = []
    cursor: str | None = None
    while len(replayed) < body.limit:
        most = min(AT_ONCE, body.limit - len(replayed))
        page = await call.services.db.read(read_messages, call.account_id, _DEAD, cursor, most)
        replayed += await _replay(call, page.items, is_first=not replayed)
        cursor = page.next
        if cursor is None:
            break
    return {"replayed": len(replayed), "message_ids": [render("message", id_) for id_ in replayed]}


async def _replay(call: Call, views: tuple[MessageView, ...], *, is_first: bool) -> list[str]:
    """Those that went back. One that somebody else moved meanwhile is passed over; what the balance does not pay stays dead."""
    commands = [Replay(account_id=call.account_id, message_id=view.id, by="api") for view in views]
    writer = call.services.db.writer
    outcomes = await asyncio.gather(
        *(writer.submit(replay, command, *command.keys()) for command in commands), return_exceptions=True
    )
    done = [one.message_id for one, outcome in zip(commands, outcomes, strict=True) if isinstance(outcome, MessageView)]
    passed_over = _PASSED_OVER if done or not is_first else _PASSED_OVER - {Code.NO_CREDIT}
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and getattr(outcome, "code", None) not in passed_over:
            raise outcome
    return done


def _check(provider: str | None) -> None:
    if provider not in (None, "", PROVIDER):
        raise invalid("provider", "unknown", f"There is no such provider: use {PROVIDER}, or leave it out.")
