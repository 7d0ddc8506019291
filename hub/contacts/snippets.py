"""Snippets: texts that are sent often."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection

from hub.core.errors import Code, HubError
from hub.core.text import sanitise
from hub.storage import contacts as stored
from hub.storage.contacts import SnippetRow
from hub.storage.transaction import Done, Refused, Tx

MOST_SNIPPETS = 500


class WriteSnippet(msgspec.Struct, frozen=True, kw_only=True):
    """Make a snippet (`is_new`), or write it anew."""

    account_id: str
    snippet_id: str
    name: str
    text: str
    is_new: bool = False

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"snippets:{self.account_id}",)


class DeleteSnippet(msgspec.Struct, frozen=True, kw_only=True):
    """Remove a snippet."""

    account_id: str
    snippet_id: str

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"snippets:{self.account_id}",)


def list_snippets(conn: Connection, account_id: str) -> list[SnippetRow]:
    """All of an account, by name."""
    return stored.list_snippets(conn, account_id)


def write_snippets(tx: Tx, commands: Sequence[WriteSnippet]) -> list[Done[SnippetRow] | Refused]:
    """Make and change snippets. Refused: `not_found`, `conflict` when there are 500 already."""
    return [_write(tx, command) for command in commands]


def _write(tx: Tx, command: WriteSnippet) -> Done[SnippetRow] | Refused:
    if command.is_new and stored.count_snippets(tx.conn, command.account_id) >= MOST_SNIPPETS:
        return Refused(HubError(Code.CONFLICT, f"There are {MOST_SNIPPETS} snippets already. Remove some first."))
    row = SnippetRow(command.snippet_id, command.account_id, sanitise(command.name), sanitise(command.text), tx.now)
    is_there = stored.write_snippet(tx.conn, row, is_new=command.is_new)
    return Done(row) if is_there else Refused(HubError(Code.NOT_FOUND))


def delete_snippets(tx: Tx, commands: Sequence[DeleteSnippet]) -> list[Done[bool] | Refused]:
    """Remove snippets. Refused: `not_found`."""
    return [
        Done(True)
        if stored.delete_snippet(tx.conn, command.account_id, command.snippet_id)
        else Refused(HubError(Code.NOT_FOUND))
        for command in commands
    ]
