"""What an account wants the sms-gate.app app of its phones to be set to: groups of keys in the app's own words, for all of its phones.

Nothing here knows what a key means; the door that takes a change has checked it, and the transport leaves out what a phone's version does
not know. A key set to null is kept as null: the app then goes back to its own default.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection

from hub.core.effects import Effect, LiveHint
from hub.storage import devices_app as stored
from hub.storage.transaction import Done, Refused, Tx

Groups = Mapping[str, Mapping[str, Any]]


class ChangeAppSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Change some keys, or with `replaces` all of them."""

    account_id: str
    transport: str
    groups: Groups
    replaces: bool = False

    def keys(self) -> tuple[str, ...]:
        """Serial keys of the writer."""
        return (f"account:{self.account_id}",)


def read_app_settings(conn: Connection, account_id: str) -> dict[str, dict[str, Any]]:
    """The account's groups."""
    return msgspec.json.decode(stored.find_app_settings(conn, account_id), type=dict[str, dict[str, Any]])


def change_app_settings(
    tx: Tx, commands: Sequence[ChangeAppSettings]
) -> list[Done[dict[str, dict[str, Any]]] | Refused]:
    """Store changes, key by key; the value is what there is then. Connected phones are asked to fetch it."""
    outcomes: list[Done[dict[str, dict[str, Any]]] | Refused] = []
    for command in commands:
        known = {} if command.replaces else read_app_settings(tx.conn, command.account_id)
        for group, keys in command.groups.items():
            known[group] = {**known.get(group, {}), **keys}
        stored.put_app_settings(tx, command.account_id, msgspec.json.encode(known).decode())
        phones = stored.ids_of_transport(tx.conn, command.account_id, command.transport)
        hints: tuple[Effect, ...] = tuple(LiveHint(command.account_id, "device", id_) for id_ in phones)
        outcomes.append(Done(known, hints))
    return outcomes
