"""What phones remember that a restored hub forgot: pages of `recalled`, applied like reports."""

from collections.abc import Sequence

import msgspec

from device_protocol.frames import Recalled
from device_protocol.hub_side import DeviceMemory, HubMemory, HubRules
from hub.core.effects import Effect, ToPhone
from hub.core.errors import Code, HubError
from hub.devices.hold import end_hold_if_told
from hub.messages.handover import Settlement, Wanted, jobs_of, settle
from hub.storage import devices as stored
from hub.storage.devices import DeviceRow
from hub.storage.facts import find_fact
from hub.storage.transaction import Done, Refused, Tx

RULES = HubRules()


class TakeRecalled(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a phone's answer."""

    account_id: str
    device_id: str
    session_no: int
    page: Recalled
    hub_epoch: str

    def keys(self) -> tuple[str, ...]:
        """Serial keys of the writer: pages of all phones one after the other, since the last one may end the hold."""
        return ("hold", f"device:{self.device_id}")


def take_recalled(tx: Tx, commands: Sequence[TakeRecalled]) -> list[Done[None] | Refused]:
    """Apply pages; asks for the next one, or, after the last page of the last phone, ends the hold. Refuses `superseded`."""
    return [_take(tx, command) for command in commands]


def _take(tx: Tx, command: TakeRecalled) -> Done[None] | Refused:
    device = stored.lock_devices(tx.conn, {command.device_id}).get(command.device_id)
    if device is None or (device.account_id, device.session_no) != (command.account_id, command.session_no):
        return Refused(HubError(Code.SUPERSEDED))
    wanted = Wanted(device.account_id, device.id, frozenset(job.id for job in command.page.jobs))
    hub = HubMemory(command.hub_epoch, find_fact(tx.conn, "hold") is not None, tx.now)
    memory = DeviceMemory(device.id, device.connect_counter, device.session_no, recalled_epoch=device.recalled_epoch)
    step = RULES.recall_page(memory, hub, command.page, jobs_of(tx, [wanted])[device.id])
    effects: tuple[Effect, ...] = ()
    if step.decision.verdicts:
        settlement = Settlement(device.account_id, device.id, device.session_no, step.decision.verdicts)
        effects += settle(tx, settlement)
    effects += tuple(ToPhone(device.id, device.session_no, frame) for frame in step.decision.frames)
    if step.next_question is not None:
        return Done(None, (*effects, ToPhone(device.id, device.session_no, step.next_question)))
    return Done(None, effects + _finished(tx, device, step.memory.recalled_epoch, command.hub_epoch))


def _finished(tx: Tx, device: DeviceRow, recalled_epoch: str | None, hub_epoch: str) -> tuple[Effect, ...]:
    device.recalled_epoch = recalled_epoch
    stored.write_devices(tx.conn, [device])
    return end_hold_if_told(tx, hub_epoch)
