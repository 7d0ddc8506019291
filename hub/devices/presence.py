"""Whether phones are there, and who is told.

The database says at once what is so (`is_online`, `offline_since`); customers are told later and less often: a phone that is back
within the grace time was never away for them. What they are told is true all the same: `device:offline` carries the time the phone
was lost, not the time the grace ran out, and every connection stands in the phone's history.
"""

from collections.abc import Sequence

import msgspec

from device_protocol.errors import SILENT
from hub.core.clock import UtcMs, rfc3339
from hub.core.effects import ClosePhone, Effect, LiveHint
from hub.core.events import DeviceData, EventType
from hub.core.ids import render
from hub.devices.reading import read_status
from hub.storage import devices as stored
from hub.storage.devices import DeviceRow, Sighting
from hub.storage.transaction import Done, Refused, Tx
from hub.webhooks.outbox import NewEvent, publish

PING_SECONDS = 900
"""How often `system:ping` is told of an online phone."""
MOST = 500
"""Phones looked after in one transaction."""
CLOSED = "closed"
"""The reason of a connection that ended without a word."""


# --- while connected ---------------------------------------------------------------------------------------------------------


class NoteSightings(msgspec.Struct, frozen=True, kw_only=True):
    """Phones of this process that were heard since the last note."""

    sightings: tuple[Sighting, ...]
    watched_by: str | None = None
    """The account whose open dashboards are told to look again."""


def note_sightings(tx: Tx, commands: Sequence[NoteSightings]) -> list[Done[int] | Refused]:
    """Write when phones were last heard, and their last `status`. One command carries many phones; the value is their number."""
    stored.write_sightings(tx.conn, [seen for command in commands for seen in command.sightings])
    return [Done(len(command.sightings), _hints(command)) for command in commands]


def _hints(command: NoteSightings) -> tuple[Effect, ...]:
    if command.watched_by is None:
        return ()
    return tuple(LiveHint(command.watched_by, "device", seen.device_id) for seen in command.sightings)


# --- ends --------------------------------------------------------------------------------------------------------------------


class Goodbye(msgspec.Struct, frozen=True, kw_only=True):
    """A connection is over; `reason` is the protocol's close word, or `closed`."""

    account_id: str
    device_id: str
    session_no: int
    reason: str

    def keys(self) -> tuple[str, ...]:
        """Serial keys of the writer."""
        return (f"device:{self.device_id}",)


def goodbye(tx: Tx, commands: Sequence[Goodbye]) -> list[Done[bool] | Refused]:
    """Note the ends of connections; the phone is offline when it was the one that counts. The value says whether it was."""
    devices = stored.lock_devices(tx.conn, {command.device_id for command in commands})
    stored.close_connections(
        tx.conn, [(command.device_id, command.session_no, tx.now, command.reason) for command in commands]
    )
    outcomes: list[Done[bool] | Refused] = []
    changed: dict[str, DeviceRow] = {}
    for command in commands:
        device = devices.get(command.device_id)
        if device is None or device.session_no != command.session_no or not device.is_online:
            outcomes.append(Done(False))
            continue
        changed[device.id] = device
        outcomes.append(Done(True, mark_offline(device, tx.now, command.reason)))
    stored.write_presence(tx.conn, changed.values())
    return outcomes


def mark_offline(device: DeviceRow, at: UtcMs, reason: str) -> tuple[Effect, ...]:
    """The locked phone is gone since `at`; the caller writes the row. Texts that wait for it look for another line by their own timer."""
    device.is_online, device.online_since = False, None
    device.offline_since, device.offline_reason = at, reason
    return (LiveHint(device.account_id, "device", device.id),)


def cut_off(tx: Tx, device: DeviceRow, word: str, reason: str) -> tuple[Effect, ...]:
    """End the locked phone's connection from our side, at once: whatever it still says on it is fenced off."""
    stored.close_connections(tx.conn, [(device.id, device.session_no, tx.now, word)])
    effects = mark_offline(device, tx.now, word) if device.is_online else ()
    device.session_no += 1
    return (*effects, ClosePhone(device.id, word, reason))


# --- what is told --------------------------------------------------------------------------------------------------------------


def mark_online(tx: Tx, device: DeviceRow) -> NewEvent | None:
    """The locked phone said hello; the caller writes the row. The event to publish, when customers believed it away."""
    if not device.is_online:
        device.online_since = tx.now
    device.is_online, device.last_seen_at = True, tx.now
    return None if device.is_announced else _announce_online(tx, device)


def _announce_online(tx: Tx, device: DeviceRow) -> NewEvent:
    device.is_announced, device.pinged_at = True, tx.now
    return _event(tx, device, EventType.DEVICE_ONLINE, tx.now, None)


class LookAfter(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about presence that is due by itself. `stale_seconds`: an online phone not heard for so long lost its process."""

    stale_seconds: float
    grace_seconds: float


class LookedAfter(msgspec.Struct, frozen=True):
    """How many phones were found in each way; `MOST` in any of them means that there may be more."""

    stale: int
    announced: int
    pinged: int

    @property
    def is_more(self) -> bool:
        """Whether to look again at once."""
        return MOST in (self.stale, self.announced, self.pinged)


def look_after(tx: Tx, commands: Sequence[LookAfter]) -> list[Done[LookedAfter] | Refused]:
    """Mark phones whose process died as gone, announce those gone for good, and tell `system:ping` of those that are there."""
    return [_look_after(tx, command) for command in commands]


def _look_after(tx: Tx, command: LookAfter) -> Done[LookedAfter]:
    stale = stored.lock_stale(tx.conn, tx.now - round(command.stale_seconds * 1000), MOST, now=tx.now)
    effects: list[Effect] = []
    for device in stale:
        effects += mark_offline(device, device.last_seen_at or tx.now, SILENT.word)
    stored.close_connections(
        tx.conn, [(row.id, row.session_no, row.offline_since or tx.now, SILENT.word) for row in stale]
    )
    stored.write_presence(tx.conn, stale)
    gone = stored.lock_unannounced(tx.conn, tx.now - round(command.grace_seconds * 1000), MOST)
    events = [_announce_offline(tx, device) for device in gone]
    stored.write_presence(tx.conn, gone)
    back = stored.lock_unannounced_back(tx.conn, MOST)
    events += [_announce_online(tx, device) for device in back]
    stored.write_presence(tx.conn, back)
    due = stored.lock_ping_due(tx.conn, tx.now - PING_SECONDS * 1000, MOST)
    for device in due:
        device.pinged_at = tx.now
        events.append(_event(tx, device, EventType.SYSTEM_PING, tx.now, None))
    stored.write_presence(tx.conn, due)
    effects += publish(tx, events)
    return Done(LookedAfter(len(stale), len(gone), len(due)), tuple(effects))


def _announce_offline(tx: Tx, device: DeviceRow) -> NewEvent:
    device.is_announced = False
    return _event(tx, device, EventType.DEVICE_OFFLINE, device.offline_since or tx.now, device.offline_reason)


def _event(tx: Tx, device: DeviceRow, kind: EventType, at: UtcMs, reason: str | None) -> NewEvent:
    status = read_status(device.status)
    data = DeviceData(
        device_id=render("device", device.id),
        name=device.name,
        last_seen_at=rfc3339(device.last_seen_at) if device.last_seen_at is not None else None,
        reason=reason,
        battery_percent=status.battery_percent,
        is_charging=status.is_charging,
        app_version=device.app_version,
    )
    return NewEvent(tx.new_id(), device.account_id, kind, at, data, device_id=device.id)


class ForgetNode(msgspec.Struct, frozen=True, kw_only=True):
    """A hub process starts: connections that stand open under its name belong to its former life. None = under any name."""

    node: str | None


def forget_node(tx: Tx, commands: Sequence[ForgetNode]) -> list[Done[int] | Refused]:
    """Mark those phones as gone since they were last heard. The value is their number."""
    outcomes: list[Done[int] | Refused] = []
    for command in commands:
        rows = stored.lock_connected_to(tx.conn, command.node)
        effects: list[Effect] = []
        for device in rows:
            effects += mark_offline(device, device.last_seen_at or tx.now, "hub_stopped")
        ends = [(row.id, row.session_no, row.offline_since or tx.now, "hub_stopped") for row in rows]
        stored.close_connections(tx.conn, ends)
        stored.write_presence(tx.conn, rows)
        outcomes.append(Done(len(rows), tuple(effects)))
    return outcomes
