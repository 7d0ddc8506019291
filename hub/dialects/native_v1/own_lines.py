"""What somebody who may see some lines only (`Call.line_ids`) is shown, and what they may send by.

A text without a line yet belongs to nobody's lines and is not shown to them; whatever they send themselves has its line from the start.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hub.core.address import BadAddress, parse_recipient
from hub.core.commands import AnyLine, ByLine, Sender
from hub.core.errors import Code, HubError, invalid
from hub.dialects.native_v1.operation import Call, found
from hub.live import Hint
from hub.messages.search import find_message
from hub.messages.views import MessageView
from hub.services import Services
from hub.storage.own_lines import conversations_of, devices_of, messages_of, newest_line_with

AnyCall = Call[Any, Any]


async def own_message(call: AnyCall, message_id: str) -> MessageView:
    """A text of the account, and of the lines of the one who asks. Raises `not_found`."""
    view = found(await call.read(find_message, call.account_id, message_id))
    if call.line_ids is not None and view.line_id not in call.line_ids:
        raise HubError(Code.NOT_FOUND)
    return view


def narrowed(call: AnyCall, line_id: str | None) -> tuple[str, ...] | None:
    """The lines to look at: the one that is asked for, of those that the one who asks may see; None = all."""
    if call.line_ids is None:
        return None if line_id is None else (line_id,)
    return tuple(sorted(call.line_ids if line_id is None else call.line_ids & {line_id}))


async def own_sender(call: AnyCall, sender: Sender, to: str | Sequence[str]) -> Sender:
    """The sender, held to the lines of the one who asks; the hub chooses among theirs when one recipient and no line is named.

    Raises `unknown_sender` for a line that is not theirs, and `validation` when they have to name one.
    """
    if call.line_ids is None:
        return sender
    if isinstance(sender, ByLine):
        if sender.line_id not in call.line_ids:
            raise HubError(Code.UNKNOWN_SENDER)
        return sender
    if isinstance(sender, AnyLine) and len(call.line_ids) == 1:
        return ByLine(min(call.line_ids))
    if isinstance(sender, AnyLine) and isinstance(to, str) and call.line_ids:
        return ByLine(await _line_for(call, call.line_ids, to))
    raise invalid("line_id", "not_yours", "Give line_id: one of the lines you may send by.")


async def _line_for(call: AnyCall, own: frozenset[str], to: str) -> str:
    """The line that the recipient knows, else any."""
    settings = await call.services.credentials.settings_of(call.account_id)
    try:
        peer = parse_recipient(to, settings.default_region or call.services.config.default_region).value
    except BadAddress:
        return min(own)  # the request itself says what is wrong with the number
    return await call.read(newest_line_with, call.account_id, peer, own) or min(own)


async def own_hints(services: Services, account_id: str, own: frozenset[str], hints: Sequence[Hint]) -> list[Hint]:
    """The hints about what is of these lines; of what has no line (batches, webhooks, codes), none."""
    kept: set[tuple[str, str]] = {("line", line_id) for line_id in own}
    messages = [hint.id for hint in hints if hint.kind == "message"]
    conversations = [hint.id for hint in hints if hint.kind == "conversation"]
    if messages:
        found_ids = await services.db.read(messages_of, account_id, messages, own)
        kept |= {("message", id_) for id_ in found_ids}
    if conversations:
        found_ids = await services.db.read(conversations_of, account_id, conversations, own)
        kept |= {("conversation", id_) for id_ in found_ids}
    if any(hint.kind == "device" for hint in hints):
        kept |= {("device", id_) for id_ in await services.db.read(devices_of, account_id, own)}
    return [hint for hint in hints if (hint.kind, hint.id) in kept]
