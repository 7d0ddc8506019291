"""Use cases that store what comes from another server. Each does nothing for what is there already, so that a move can be repeated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from device_protocol.frames import Sim
from hub.core.effects import Effect, LiveHint, WakeDispatch
from hub.devices.lines import SimReport, apply_sims
from hub.storage import devices as stored_devices
from hub.storage.devices import DeviceRow
from hub.storage.messages import MessageRow, insert_messages
from hub.storage.smsgate_accounts import AliasRow, find_alias, insert_alias
from hub.storage.smsgate_messages import ParentRow, RecipientRow, insert_parents, insert_recipients, taken_ids
from hub.storage.transaction import Done, Refused, Tx

DEVICE, USER = "device", "user"


class MoveUser(msgspec.Struct, frozen=True, kw_only=True):
    """Remember which login a user of the former server is."""

    alias: AliasRow

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"account:{self.alias.account_id}",)


class MoveDevice(msgspec.Struct, frozen=True, kw_only=True):
    """Store a phone with the token it has."""

    row: DeviceRow
    shown_id: str
    sims: tuple[Sim, ...]

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"account:{self.row.account_id}",)


class MoveMessage(msgspec.Struct, frozen=True, kw_only=True):
    """Store a message with the texts of its recipients."""

    parent: ParentRow
    texts: tuple[MessageRow, ...]
    phone_numbers: tuple[str, ...]

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"smsgate:{self.parent.account_id}:{self.parent.shown_id}",)


def move_users(tx: Tx, commands: Sequence[MoveUser]) -> list[Done[None] | Refused]:
    """Use case."""
    for command in commands:
        insert_alias(tx, command.alias)
    return [Done(None) for _ in commands]


def move_devices(tx: Tx, commands: Sequence[MoveDevice]) -> list[Done[bool] | Refused]:
    """Use case; the value says whether the phone is new."""
    return [_move_device(tx, command) for command in commands]


def _move_device(tx: Tx, command: MoveDevice) -> Done[bool]:
    row = command.row
    if find_alias(tx.conn, row.account_id, DEVICE, command.shown_id) is not None:
        return Done(False)
    stored_devices.insert_devices(tx.conn, [row])
    insert_alias(tx, AliasRow(row.account_id, DEVICE, command.shown_id, row.id))
    effects: tuple[Effect, ...] = apply_sims(tx, [SimReport(row, command.sims, {})])
    return Done(True, (*effects, LiveHint(row.account_id, "device", row.id)))


def move_messages(tx: Tx, commands: Sequence[MoveMessage]) -> list[Done[bool] | Refused]:
    """Use case; the value says whether the message is new."""
    accounts = {command.parent.account_id for command in commands}
    taken = taken_ids(tx.conn, accounts, {command.parent.shown_id for command in commands})
    outcomes: list[Done[bool] | Refused] = []
    fresh: list[MoveMessage] = []
    for command in commands:
        name = (command.parent.account_id, command.parent.shown_id)
        is_new = name not in taken
        taken.add(name)
        if is_new:
            fresh.append(command)
        outcomes.append(Done(is_new, (WakeDispatch(command.parent.account_id),) if _waits(command) and is_new else ()))
    insert_parents(tx, [command.parent for command in fresh])
    insert_messages(tx.conn, [row for command in fresh for row in command.texts])
    insert_recipients(tx, [row for command in fresh for row in _recipients(command)])
    return outcomes


def _waits(command: MoveMessage) -> bool:
    return any(row.state == "queued" for row in command.texts)


def _recipients(command: MoveMessage) -> list[RecipientRow]:
    parent = command.parent
    pairs: Any = zip(command.texts, command.phone_numbers, strict=True)
    return [
        RecipientRow(row.id, parent.account_id, parent.id, position, number)
        for position, (row, number) in enumerate(pairs)
    ]
