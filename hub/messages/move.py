"""Moving what waits for a phone to other lines, because an operator says so: the phone is lost, slow, or wanted for something else.

Only texts that the hub alone has are moved. What a phone holds, or was just offered, is that phone's: moving it could send it twice.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from hub.core.effects import Effect, WakeDispatch
from hub.core.errors import Code, HubError, invalid
from hub.messages.ledger import Entry, Ledger
from hub.messages.outcomes import with_effects
from hub.messages.routes import move_on, put_on
from hub.messages.sent_media import MMS
from hub.messages.threads import merged
from hub.storage.conversations import touch_conversations
from hub.storage.messages_lines import LineRow, lines_by_id, lines_in_devices
from hub.storage.messages_phones import read_phones
from hub.storage.messages_queue import count_held_by, waiting_for
from hub.storage.transaction import Done, Refused, Tx

MOST_AT_ONCE = 1000


class MoveQueue(msgspec.Struct, frozen=True, kw_only=True):
    """Move what waits for a phone's lines: to one line, or (None) each text to the best line that is ready elsewhere."""

    account_id: str
    device_id: str
    to_line_id: str | None = None

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"device:{self.device_id}",)


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """How it went."""

    moved: int
    waiting: int
    """Still waiting for the phone: no other line is ready, they ask for this one, or there were more than move at once."""
    on_phone: int
    """On the phone, or being offered to it: never moved."""


def move_queue(tx: Tx, commands: Sequence[MoveQueue]) -> list[Done[Moved] | Refused]:
    """Move queues. At most `MOST_AT_ONCE` texts a command: ask again while it moves some.

    Without a target line pinned texts stay, and all stay for which no other line is ready. With one, all go there, but for MMS when its
    phone sends none.
    Refused: `not_found` for the phone, `validation` for a line that is not the account's or sits in this phone.
    """
    outcomes: list[Done[Moved] | Refused] = []
    for command in commands:
        try:
            outcomes.append(_move(tx, command))
        except HubError as error:
            outcomes.append(Refused(error))
    return outcomes


def _move(tx: Tx, command: MoveQueue) -> Done[Moved]:
    phone = read_phones(tx.conn, {command.device_id}).get(command.device_id)
    if phone is None or phone.account_id != command.account_id:
        raise HubError(Code.NOT_FOUND)
    own = {line.id for line in lines_in_devices(tx.conn, {command.account_id}, {command.device_id})}
    target = _target(tx, command, own)
    found = waiting_for(tx.conn, command.account_id, own, MOST_AT_ONCE + 1)
    ledger = Ledger(tx, found[:MOST_AT_ONCE])
    entries = [entry for entry in ledger.entries if entry.row.line_id in own and entry.row.offered_at is None]
    effects = move_on(ledger, entries) if target is None else _all_to(ledger, entries, target)
    moved = sum(entry.row.line_id not in own for entry in entries)
    (outcome,) = with_effects(
        [
            Done(
                Moved(
                    moved=moved,
                    waiting=len(found) - moved,
                    on_phone=count_held_by(tx.conn, command.account_id, command.device_id),
                )
            )
        ],
        (*ledger.close(), *effects),
    )
    assert isinstance(outcome, Done)
    return outcome


def _target(tx: Tx, command: MoveQueue, own: set[str]) -> LineRow | None:
    if command.to_line_id is None:
        return None
    found = lines_by_id(tx.conn, {command.account_id}, {command.to_line_id} | own)
    line = found.get(command.to_line_id)
    if line is None or line.id in own:
        raise invalid("to_line_id", "unknown", "Give a line of this account that sits in another phone.")
    if any(found[line_id].is_sandbox != line.is_sandbox for line_id in own & set(found)):
        raise invalid("to_line_id", "sandbox", "Texts never move between a sandbox phone and a real one.")
    return line


def _all_to(ledger: Ledger, entries: Sequence[Entry], line: LineRow) -> tuple[Effect, ...]:
    able = [entry for entry in entries if line.sends_mms or entry.row.kind != MMS]
    touches = [put_on(ledger, entry, line.id, "asked", "An operator moved it there.") for entry in able]
    touch_conversations(ledger.tx, merged(touches))
    return (WakeDispatch(line.account_id, (line.id,)),) if touches else ()
