"""A phone proves its secret and gets a short-lived access token; a nonce that changes each time shows a copied phone.

Each answer carries the nonce for the next call. Two phones with one store (a copied app, a restored backup that still has its key)
present nonces of one chain in turn, and the second one's is void: the device is suspended and the operator told, because the hub
cannot know which of the two is the real one. The rules of the chain are `device_protocol.enrolment.rotate_nonce`.
"""

import hmac
from collections.abc import Sequence

import msgspec

from device_protocol.enrolment import NonceMemory, rotate_nonce
from device_protocol.errors import SUSPENDED
from hub.core.effects import CredentialsChanged, Effect, LiveHint
from hub.core.errors import Code, HubError
from hub.devices.presence import cut_off
from hub.devices.tokens import PhoneIdentity
from hub.storage import devices as stored
from hub.storage.devices import DeviceRow, NoticeRow
from hub.storage.transaction import Done, Refused, Tx

CLONE_REASON = "two phones use the same credentials"


class ExchangeSecret(msgspec.Struct, frozen=True, kw_only=True):
    """A phone asks for an access token."""

    device_id: str
    secret_sha256: str
    nonce: str | None
    fresh_nonce: str
    hub_epoch: str

    def keys(self) -> tuple[str, ...]:
        """Serial keys of the writer."""
        return (f"device:{self.device_id}",)

    def __repr__(self) -> str:
        return f"ExchangeSecret({self.device_id})"


class Exchanged(msgspec.Struct, frozen=True, kw_only=True):
    """Who the token is for; `is_clone`: there is none, the device was suspended just now."""

    identity: PhoneIdentity
    is_clone: bool = False


def exchange_secret(tx: Tx, commands: Sequence[ExchangeSecret]) -> list[Done[Exchanged] | Refused]:
    """Move each device's nonce on. A wrong secret and an unknown device are answered alike: `unauthenticated`."""
    devices = stored.lock_devices(tx.conn, {command.device_id for command in commands})
    outcomes = [_exchange(tx, devices.get(command.device_id), command) for command in commands]
    rotated: dict[str, DeviceRow] = {}
    suspended: dict[str, DeviceRow] = {}
    for command, outcome in zip(commands, outcomes, strict=True):
        if isinstance(outcome, Done):
            (suspended if outcome.value.is_clone else rotated)[command.device_id] = devices[command.device_id]
    stored.write_nonces(tx.conn, rotated.values())
    stored.write_devices(tx.conn, suspended.values())
    return outcomes


def _exchange(tx: Tx, device: DeviceRow | None, command: ExchangeSecret) -> Done[Exchanged] | Refused:
    known = device.secret_sha256 if device is not None and device.secret_sha256 is not None else "0" * 64
    # Compared even when the device is unknown, so that the answer takes as long.
    if not hmac.compare_digest(known, command.secret_sha256) or device is None or device.secret_sha256 is None:
        return Refused(HubError(Code.UNAUTHENTICATED, "The device id or its secret is wrong."))
    if device.revoked_at is not None:
        return Refused(HubError(Code.DEVICE_REVOKED))
    if device.suspended_at is not None:
        return Refused(HubError(Code.DEVICE_SUSPENDED))
    memory = NonceMemory(device.nonce, device.nonce_before, device.nonce_epoch)
    rotated = rotate_nonce(memory, command.nonce, command.fresh_nonce, command.hub_epoch)
    if rotated is None:
        return Done(_exchanged(device, is_clone=True), suspend_row(tx, device, CLONE_REASON, kind="cloned"))
    device.nonce, device.nonce_before, device.nonce_epoch = rotated.current, rotated.previous, rotated.hub_epoch
    return Done(_exchanged(device))


def _exchanged(device: DeviceRow, *, is_clone: bool = False) -> Exchanged:
    identity = PhoneIdentity(device_id=device.id, account_id=device.account_id, credential_no=device.credential_no)
    return Exchanged(identity=identity, is_clone=is_clone)


_CLONE_TEXT = (
    "Two phones came with the same credentials, so the hub lets in neither. Remove the app from the copy, then enrol the phone "
    "you keep anew: it keeps its lines and threads."
)


def suspend_row(tx: Tx, device: DeviceRow, reason: str, *, kind: str) -> tuple[Effect, ...]:
    """Suspend a locked device: its tokens are void, its socket closes, the operator reads why. The caller writes the row."""
    device.suspended_at, device.suspended_reason = tx.now, reason
    device.credential_no += 1
    text = _CLONE_TEXT if kind == "cloned" else f"This phone may not connect: {reason}."
    stored.insert_notices(tx.conn, [NoticeRow(tx.new_id(), device.account_id, device.id, kind, text, tx.now)])
    return (
        *cut_off(tx, device, SUSPENDED.word, reason),
        CredentialsChanged(device.account_id, "device", device.id),
        LiveHint(device.account_id, "notice", device.id),
        LiveHint(device.account_id, "device", device.id),
    )
