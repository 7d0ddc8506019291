"""Taking a message of that API: one id for its recipients, stored in the transaction that stores their texts."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from hub.core.errors import Code, HubError
from hub.core.ids import to_smsgate21
from hub.messages.accept import accept
from hub.messages.prepare import PreparedSend
from hub.storage.smsgate_messages import ParentRow, RecipientRow, insert_parents, insert_recipients, taken_ids
from hub.storage.transaction import Done, Refused, Tx
from hub.webhooks.formats.smsgate import SHOWN_ID

DOOR = "smsgate"
ID_TAKEN = "message with the same ID already exists"


class Take(msgspec.Struct, frozen=True, kw_only=True):
    """Store a message and the texts of its recipients. `phone_numbers` are shown again, in the order of the prepared recipients."""

    parent: ParentRow
    phone_numbers: tuple[str, ...]
    prepared: PreparedSend

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"smsgate:{self.parent.account_id}:{self.parent.shown_id}",)


def own_id(shown_id: str | None, parent_id: str, recipients: int) -> dict[str, str]:
    """The metadata that names a message's id to its webhooks, where that is not the id of its one text."""
    if shown_id is None and recipients == 1:
        return {}
    return {SHOWN_ID: shown_id or to_smsgate21(parent_id)}


def take(tx: Tx, commands: Sequence[Take]) -> list[Done[ParentRow] | Refused]:
    """Store messages. Refused: `conflict` for an id the account has used, and what `accept` refuses."""
    taken = taken_ids(tx.conn, {one.parent.account_id for one in commands}, {one.parent.shown_id for one in commands})
    outcomes: list[Done[ParentRow] | Refused] = [Refused(HubError(Code.CONFLICT, ID_TAKEN))] * len(commands)
    fresh: list[int] = []
    for place, command in enumerate(commands):
        name = (command.parent.account_id, command.parent.shown_id)
        if name not in taken:
            taken.add(name)
            fresh.append(place)
    stored: list[Take] = []
    for place, outcome in zip(fresh, accept(tx, [commands[place].prepared for place in fresh]), strict=True):
        if isinstance(outcome, Refused):
            outcomes[place] = outcome
        else:
            stored.append(commands[place])
            outcomes[place] = Done(commands[place].parent, outcome.effects)
    if insert_parents(tx, [command.parent for command in stored]) != len(stored):
        # Another hub process took one of these ids a moment ago: the writer halves the batch until that one fails alone.
        raise HubError(Code.CONFLICT, ID_TAKEN)
    insert_recipients(tx, [row for command in stored for row in _recipients(command)])
    return outcomes


def _recipients(command: Take) -> list[RecipientRow]:
    parent = command.parent
    recipients = command.prepared.request.recipients
    return [
        RecipientRow(one.message_id, parent.account_id, parent.id, position, phone_number)
        for position, (one, phone_number) in enumerate(zip(recipients, command.phone_numbers, strict=True))
    ]
