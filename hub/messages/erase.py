"""Taking a text's words away, or the whole text, when it has ended: for whoever must not keep what was written.

The words are removed wherever the hub kept them: the message, the events its webhooks are made from, and the phone's own event. What
happened to the text, and when, stays on its timeline; deleting removes that too. Deliveries that are sent or replayed later carry an empty
text.
"""

from collections.abc import Sequence

import msgspec

from hub.core.effects import LiveHint
from hub.core.errors import Code, HubError
from hub.core.status import FINAL, Status
from hub.storage.messages import MessageRow, lock_messages
from hub.storage.messages_erase import delete_messages, erase_words
from hub.storage.transaction import Done, Refused, Tx


class Erase(msgspec.Struct, frozen=True, kw_only=True):
    """Remove the words of a text, or with `is_deleted` all of it."""

    account_id: str
    message_id: str
    is_deleted: bool = False

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"message:{self.message_id}",)


def erase(tx: Tx, commands: Sequence[Erase]) -> list[Done[None] | Refused]:
    """Remove words and texts. Refused: `not_found`, and `conflict` for a text that has not ended.

    A dead letter can be deleted, but not left without its words: somebody may replay it.
    """
    accounts = {command.account_id for command in commands}
    rows = {row.id: row for row in lock_messages(tx.conn, accounts, {command.message_id for command in commands})}
    outcomes: list[Done[None] | Refused] = []
    wordless: dict[str, MessageRow] = {}
    deleted: set[str] = set()
    for command in commands:
        row = rows.get(command.message_id)
        if row is None or row.account_id != command.account_id or row.id in deleted:
            outcomes.append(Refused(HubError(Code.NOT_FOUND)))
        elif not (Status(row.state) in FINAL or (command.is_deleted and row.state == Status.DEAD_LETTER)):
            outcomes.append(Refused(HubError(Code.CONFLICT, "The text has not ended yet: wait, or cancel it first.")))
        else:
            wordless[row.id] = row
            if command.is_deleted:
                deleted.add(row.id)
            outcomes.append(Done(None, (LiveHint(row.account_id, "message", row.id),)))
    erase_words(tx.conn, [(row.id, row.device_id, row.device_event_uuid) for row in wordless.values()], tx.now)
    delete_messages(tx.conn, deleted)
    return outcomes
