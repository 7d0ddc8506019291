"""Asking phones of the sms-gate.app kind to read their inbox again: remembered until the phone was told."""

from collections.abc import Mapping, Sequence

import msgspec

from hub.core.effects import LiveHint
from hub.core.errors import Code, HubError
from hub.devices.arrival import read_remembered
from hub.storage.devices import DeviceRow, lock_devices, write_devices
from hub.storage.transaction import Done, Refused, Tx

EXPORT = "export"
"""Under this name the wish stands in what is remembered of a phone."""


class RequestExport(msgspec.Struct, frozen=True, kw_only=True):
    """Have a phone post the texts in its inbox, of a span of time, as if they came in now. `values` is the event's data, all texts:
    `since`, `until` and, where wanted, `messageTypes`, `triggerWebhooks`, `webhookDelivery`.
    """

    account_id: str
    device_id: str
    transport: str
    values: Mapping[str, str]

    def keys(self) -> tuple[str, ...]:
        """Serial keys of the writer."""
        return (f"device:{self.device_id}",)


def request_export(tx: Tx, commands: Sequence[RequestExport]) -> list[Done[None] | Refused]:
    """Remember the wish; the last one counts. Refused: `not_found`."""
    devices = lock_devices(tx.conn, {command.device_id for command in commands})
    outcomes: list[Done[None] | Refused] = []
    for command in commands:
        device = devices.get(command.device_id)
        if device is None or (device.account_id, device.transport) != (command.account_id, command.transport):
            outcomes.append(Refused(HubError(Code.NOT_FOUND)))
            continue
        _remember(tx, device, command.values)
        outcomes.append(Done(None, (LiveHint(device.account_id, "device", device.id),)))
    return outcomes


def _remember(tx: Tx, device: DeviceRow, values: Mapping[str, str]) -> None:
    known = read_remembered(device.settings)
    known[EXPORT] = msgspec.json.encode(values).decode()
    device.settings = msgspec.json.encode(known).decode()
    write_devices(tx.conn, [device])
