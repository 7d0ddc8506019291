"""What an operator does to a phone: name it, pause it, suspend it, remove it, or make its credentials void."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import msgspec

from device_protocol.errors import REMOVED, UNAUTHORIZED
from device_protocol.frames import Config
from hub.core.effects import CredentialsChanged, Effect, LiveHint, ToPhone, WakeDispatch
from hub.core.errors import Code, HubError
from hub.core.text import sanitise
from hub.devices.credentials import suspend_row
from hub.devices.enrol import checked_name
from hub.devices.presence import cut_off
from hub.devices.reading import find_device
from hub.devices.views import DeviceView
from hub.storage import devices as stored
from hub.storage.devices import DeviceRow
from hub.storage.transaction import Done, Refused, Tx


class _OfDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A command about one phone of an account."""

    account_id: str
    device_id: str

    def keys(self) -> tuple[str, ...]:
        """Serial keys of the writer."""
        return (f"device:{self.device_id}",)


class RenameDevice(_OfDevice, frozen=True, kw_only=True):
    """Call it something else."""

    name: str


class PauseDevice(_OfDevice, frozen=True, kw_only=True):
    """It stays connected and receives, and sends nothing."""


class ResumeDevice(_OfDevice, frozen=True, kw_only=True):
    """End a pause."""


class SuspendDevice(_OfDevice, frozen=True, kw_only=True):
    """It may not connect until it is reinstated; its tokens are void."""

    reason: str = "an operator suspended it"


class ReinstateDevice(_OfDevice, frozen=True, kw_only=True):
    """End a suspension."""


class RevokeDevice(_OfDevice, frozen=True, kw_only=True):
    """Remove it for good: its socket closes at once. Only a new enrolment brings it back."""


class RotateCredentials(_OfDevice, frozen=True, kw_only=True):
    """Its secret and tokens are void at once; it comes back by an enrolment made for it."""


class _DeviceCommand(Protocol):
    @property
    def account_id(self) -> str: ...
    @property
    def device_id(self) -> str: ...


CommandT = TypeVar("CommandT", bound=_DeviceCommand)
Change = Callable[[Tx, DeviceRow, CommandT], tuple[Effect, ...]]


def _each_device(tx: Tx, commands: Sequence[CommandT], change: Change[CommandT]) -> list[Done[DeviceView] | Refused]:
    """Apply a change to each command's phone, in order; write each row once, and answer with the phone as it is after the batch."""
    devices = stored.lock_devices(tx.conn, {command.device_id for command in commands})
    effects: dict[int, tuple[Effect, ...]] = {}
    errors: dict[int, HubError] = {}
    for place, command in enumerate(commands):
        device = devices.get(command.device_id)
        if device is None or device.account_id != command.account_id:
            errors[place] = HubError(Code.NOT_FOUND)
            continue
        try:
            effects[place] = (*change(tx, device, command), LiveHint(device.account_id, "device", device.id))
        except HubError as error:
            errors[place] = error
    stored.write_devices(
        tx.conn, {commands[place].device_id: devices[commands[place].device_id] for place in effects}.values()
    )
    return [
        Refused(errors[place]) if place in errors else Done(_view(tx, command), effects[place])
        for place, command in enumerate(commands)
    ]


def _view(tx: Tx, command: _DeviceCommand) -> DeviceView:
    view = find_device(tx.conn, command.account_id, command.device_id, now=tx.now)
    if view is None:
        raise LookupError(command.device_id)
    return view


def rename_device(tx: Tx, commands: Sequence[RenameDevice]) -> list[Done[DeviceView] | Refused]:
    """`validation` for a name that is empty or too long."""
    return _each_device(tx, commands, _rename)


def _rename(_tx: Tx, device: DeviceRow, command: RenameDevice) -> tuple[Effect, ...]:
    device.name = checked_name(command.name)
    return ()


def pause_device(tx: Tx, commands: Sequence[PauseDevice]) -> list[Done[DeviceView] | Refused]:
    """Texts that wait for its lines go on waiting, or to another line where they may."""
    return _each_device(tx, commands, _pause)


def _pause(tx: Tx, device: DeviceRow, _command: PauseDevice) -> tuple[Effect, ...]:
    if device.paused_at is None:
        device.paused_at = tx.now
    return (*_tell_paused(device), WakeDispatch(device.account_id))


def resume_device(tx: Tx, commands: Sequence[ResumeDevice]) -> list[Done[DeviceView] | Refused]:
    """Resuming what is not paused is no error."""
    return _each_device(tx, commands, _resume)


def _resume(_tx: Tx, device: DeviceRow, _command: ResumeDevice) -> tuple[Effect, ...]:
    device.paused_at = None
    return (*_tell_paused(device), WakeDispatch(device.account_id))


def _tell_paused(device: DeviceRow) -> tuple[Effect, ...]:
    return (ToPhone(device.id, device.session_no, Config(is_paused=device.paused_at is not None)),)


def suspend_device(tx: Tx, commands: Sequence[SuspendDevice]) -> list[Done[DeviceView] | Refused]:
    """Its socket closes at once; what it holds, it keeps."""
    return _each_device(tx, commands, _suspend)


def _suspend(tx: Tx, device: DeviceRow, command: SuspendDevice) -> tuple[Effect, ...]:
    _refuse_revoked(device)
    return suspend_row(tx, device, sanitise(command.reason)[:200], kind="suspended")


def reinstate_device(tx: Tx, commands: Sequence[ReinstateDevice]) -> list[Done[DeviceView] | Refused]:
    """The nonce chain starts anew: whichever phone of a cloned pair comes first is the one."""
    return _each_device(tx, commands, _reinstate)


def _reinstate(_tx: Tx, device: DeviceRow, _command: ReinstateDevice) -> tuple[Effect, ...]:
    _refuse_revoked(device)
    device.suspended_at = device.suspended_reason = None
    # No epoch stands for "any nonce is taken once", as after a restore.
    device.nonce_epoch = "reinstated"
    return (CredentialsChanged(device.account_id, "device", device.id),)


def revoke_device(tx: Tx, commands: Sequence[RevokeDevice]) -> list[Done[DeviceView] | Refused]:
    """Revoking twice is no error. The phone keeps its store, and what it reports later is not taken."""
    return _each_device(tx, commands, _revoke)


def _revoke(tx: Tx, device: DeviceRow, _command: RevokeDevice) -> tuple[Effect, ...]:
    if device.revoked_at is not None:
        return ()
    device.revoked_at = tx.now
    device.credential_no += 1
    return (
        *cut_off(tx, device, REMOVED.word, "the operator removed this phone"),
        CredentialsChanged(device.account_id, "device", device.id),
    )


def rotate_credentials(tx: Tx, commands: Sequence[RotateCredentials]) -> list[Done[DeviceView] | Refused]:
    """The phone has to enrol again with a code made for it (`new_enrolment(device_id=…)`)."""
    return _each_device(tx, commands, _rotate)


def _rotate(tx: Tx, device: DeviceRow, _command: RotateCredentials) -> tuple[Effect, ...]:
    _refuse_revoked(device)
    device.former_secret_sha256 = device.secret_sha256 or device.former_secret_sha256
    device.secret_sha256 = device.nonce = device.nonce_before = device.nonce_epoch = None
    device.credential_no += 1
    return (
        *cut_off(tx, device, UNAUTHORIZED.word, "its credentials were made void"),
        CredentialsChanged(device.account_id, "device", device.id),
    )


def _refuse_revoked(device: DeviceRow) -> None:
    if device.revoked_at is not None:
        raise HubError(Code.CONFLICT, "This phone was removed: enrol it again.")
