"""Phones that ask by HTTP calls: when they are there, and since when. Each call proves itself by its token, so nothing is fenced by a
session number; the number only counts the connections in the phone's history.
"""

from collections.abc import Mapping, Sequence

import msgspec

from device_protocol.frames import Sim
from hub.core.effects import LiveHint, WakeDispatch
from hub.core.errors import Code, HubError
from hub.core.text import sanitise
from hub.devices.connect import may_connect
from hub.devices.lines import SimReport, apply_sims
from hub.devices.presence import mark_online
from hub.storage import devices as stored
from hub.storage.devices import ConnectionRow, DeviceRow
from hub.storage.transaction import Done, Refused, Tx
from hub.webhooks.outbox import NewEvent, publish


class OfPhone(msgspec.Struct, frozen=True, kw_only=True):
    """A command that came by a phone's call, with the credential the call was made with."""

    account_id: str
    device_id: str
    credential_no: int

    def keys(self) -> tuple[str, ...]:
        """Serial keys of the writer."""
        return (f"device:{self.device_id}",)


class Arrive(OfPhone, frozen=True, kw_only=True):
    """A phone is heard that was away, opens a stream, or has another version of its app.

    `quiet_seconds`: how long it may be silent from now on; None while it holds a stream.
    """

    node: str
    app_version: str | None
    quiet_seconds: int | None
    opens_stream: bool = False
    sims: tuple[Sim, ...] = ()
    """What is in it, when it tells; none says nothing."""


def admitted(devices: Mapping[str, DeviceRow], command: OfPhone) -> DeviceRow:
    """The locked phone a command came from. HubError as `may_connect` says when its credential does not count any more."""
    device = devices.get(command.device_id)
    error = may_connect(device, command.account_id, command.credential_no)
    if device is None or error is not None:
        raise error or HubError(Code.UNAUTHENTICATED)
    return device


def arrive(tx: Tx, commands: Sequence[Arrive]) -> list[Done[int] | Refused]:
    """Mark phones as there; the value is the number of the connection. Refused as `may_connect` says."""
    devices = stored.lock_devices(tx.conn, {command.device_id for command in commands})
    outcomes: list[Done[int] | Refused] = []
    for command in commands:
        try:
            device = admitted(devices, command)
        except HubError as error:
            outcomes.append(Refused(error))
            continue
        events = _mark(tx, device, command)
        stored.write_devices(tx.conn, [device])
        effects = (*publish(tx, events), *apply_sims(tx, [SimReport(device, command.sims, {})]))
        hints = (LiveHint(device.account_id, "device", device.id), WakeDispatch(device.account_id))
        outcomes.append(Done(device.session_no, (*effects, *hints)))
    return outcomes


def _mark(tx: Tx, device: DeviceRow, command: Arrive) -> list[NewEvent]:
    if command.opens_stream or not device.is_online:
        device.session_no += 1
        row = ConnectionRow(device.id, device.session_no, device.account_id, tx.now, command.node)
        stored.insert_connections(tx.conn, [row])
    event = mark_online(tx, device)
    device.quiet_seconds = command.quiet_seconds
    device.app_version = sanitise(command.app_version) if command.app_version else device.app_version
    return [] if event is None else [event]


class RememberAboutPhone(OfPhone, frozen=True, kw_only=True):
    """Change the adapter's own settings of a phone: keys set to None are forgotten."""

    values: Mapping[str, str | None]


def remember_about_phone(tx: Tx, commands: Sequence[RememberAboutPhone]) -> list[Done[None] | Refused]:
    """Store what an adapter wants to know of a phone the next time. Refused as `may_connect` says."""
    devices = stored.lock_devices(tx.conn, {command.device_id for command in commands})
    outcomes: list[Done[None] | Refused] = []
    for command in commands:
        try:
            device = admitted(devices, command)
        except HubError as error:
            outcomes.append(Refused(error))
            continue
        known = {**read_remembered(device.settings), **command.values}
        kept = {name: value for name, value in known.items() if value is not None}
        device.settings = msgspec.json.encode(kept).decode()
        stored.write_devices(tx.conn, [device])
        outcomes.append(Done(None))
    return outcomes


def read_remembered(settings: str) -> dict[str, str]:
    """What was stored by `remember_about_phone`."""
    return msgspec.json.decode(settings, type=dict[str, str])
