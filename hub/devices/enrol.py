"""How a phone becomes one of the account's: a one-time code, shown as a QR code, exchanged for a place in the device list.

    operator                 phone                                   hub
       | create_enrolment ----------------------------------------->  |  SHA-256 of the code, 10 minutes
       | QR: https://HUB/enroll#<code>                                 |
       |                       | enrol {code, SHA-256 of a secret} --> |  the secret itself never leaves the phone
       |                       | <------------------------ device id   |

The same code with the same hash, within the code's life, is answered the same: an answer may be lost. Another hash is
`token_used`. A phone that proves an old secret of the same account (or a code made for it) keeps its row, and with it its lines,
threads and event stream.
"""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from device_protocol.enrolment import DeviceDescription, is_secret_of
from device_protocol.errors import UNAUTHORIZED
from hub.accounts.sandbox import NO_REAL_PHONES
from hub.core.clock import UtcMs
from hub.core.effects import CredentialsChanged, Effect, LiveHint
from hub.core.errors import Code, HubError, invalid
from hub.core.text import sanitise
from hub.devices.lines import SimReport, apply_sims
from hub.devices.presence import cut_off
from hub.devices.views import EnrolmentView, enrolment_view
from hub.storage import devices as stored
from hub.storage import devices_enrolment as codes
from hub.storage.accounts import is_sandbox
from hub.storage.devices import DeviceRow
from hub.storage.devices_enrolment import EnrolmentRow
from hub.storage.transaction import Done, Refused, Tx

LIFE_SECONDS = 600
"""How long a code can be used."""
CODE_BYTES = 32
NATIVE = "native"
"""The transport of the hub's own app."""
NAME_MAX = 100


def code_hash(code: str) -> str:
    """What is stored of a code, in hex. 256 random bits need no slow hash."""
    return hashlib.sha256(code.encode()).hexdigest()


class CreateEnrolment(msgspec.Struct, frozen=True, kw_only=True):
    """Make a code. `device_id`: for this phone only, which keeps its row whatever secret it brings."""

    account_id: str
    enrolment_id: str
    token_sha256: str
    name: str | None = None
    device_id: str | None = None
    is_sandbox: bool = False
    """For an emulated phone that the hub starts."""
    transport: str = NATIVE
    life_seconds: int = LIFE_SECONDS

    def keys(self) -> tuple[str, ...]:
        """Serial keys of the writer."""
        return (f"enrolment:{self.token_sha256}",)


@dataclass(frozen=True, slots=True)
class NewEnrolment:
    """A code about to be stored. `token` exists here and in the QR code, nowhere else."""

    command: CreateEnrolment
    token: str

    def __repr__(self) -> str:
        return f"NewEnrolment({self.command.enrolment_id})"


def new_enrolment(
    account_id: str,
    name: str | None,
    *,
    device_id: str | None = None,
    is_sandbox: bool = False,
    new_id: Callable[[], str],
    random: Callable[[int], bytes],
) -> NewEnrolment:
    """A fresh code of 256 random bits, with the command that stores it. HubError(validation) for a name that cannot be shown."""
    token = urlsafe_b64encode(random(CODE_BYTES)).rstrip(b"=").decode()
    command = CreateEnrolment(
        account_id=account_id,
        enrolment_id=new_id(),
        token_sha256=code_hash(token),
        name=checked_name(name) if name is not None else None,
        device_id=device_id,
        is_sandbox=is_sandbox,
    )
    return NewEnrolment(command, token)


def checked_name(name: str) -> str:
    """A name for a phone or a line: 1 to 100 characters on one line."""
    clean = " ".join(sanitise(name).split())
    if not 1 <= len(clean) <= NAME_MAX:
        raise invalid("name", "length", f"A name has 1 to {NAME_MAX} characters.")
    return clean


def create_enrolment(tx: Tx, commands: Sequence[CreateEnrolment]) -> list[Done[EnrolmentView] | Refused]:
    """Store codes. Refused: `not_found` when a code is for a phone that is not the account's, `conflict` for a real phone in a sandbox."""
    meant = stored.lock_devices(tx.conn, {command.device_id for command in commands if command.device_id})
    outcomes: list[Done[EnrolmentView] | Refused] = []
    rows = []
    for command in commands:
        if not command.is_sandbox and is_sandbox(tx.conn, command.account_id):
            outcomes.append(Refused(HubError(Code.CONFLICT, NO_REAL_PHONES)))
            continue
        if command.device_id is not None:
            device = meant.get(command.device_id)
            if device is None or (device.account_id, device.transport) != (command.account_id, command.transport):
                outcomes.append(Refused(HubError(Code.NOT_FOUND)))
                continue
        row = EnrolmentRow(
            id=command.enrolment_id,
            account_id=command.account_id,
            token_sha256=command.token_sha256,
            name=command.name,
            created_at=tx.now,
            expires_at=tx.now + command.life_seconds * 1000,
            for_device_id=command.device_id,
            is_sandbox=command.is_sandbox,
            transport=command.transport,
        )
        rows.append(row)
        outcomes.append(Done(enrolment_view(row, tx.now), (LiveHint(row.account_id, "enrolment", row.id),)))
    codes.insert_enrolments(tx.conn, rows)
    return outcomes


class RevokeEnrolment(msgspec.Struct, frozen=True, kw_only=True):
    """Withdraw a code. The phone that used it already stays."""

    account_id: str
    enrolment_id: str

    def keys(self) -> tuple[str, ...]:
        """Serial keys of the writer."""
        return (f"enrolment:{self.enrolment_id}",)


def revoke_enrolment(tx: Tx, commands: Sequence[RevokeEnrolment]) -> list[Done[EnrolmentView] | Refused]:
    """Withdraw codes; withdrawing one twice is no error."""
    rows = codes.lock_enrolments(tx.conn, {command.enrolment_id for command in commands})
    outcomes: list[Done[EnrolmentView] | Refused] = []
    changed = {}
    for command in commands:
        row = rows.get(command.enrolment_id)
        if row is None or row.account_id != command.account_id:
            outcomes.append(Refused(HubError(Code.NOT_FOUND)))
            continue
        if row.revoked_at is None:
            row.revoked_at = tx.now
            changed[row.id] = row
        outcomes.append(Done(enrolment_view(row, tx.now), (LiveHint(row.account_id, "enrolment", row.id),)))
    codes.write_enrolments(tx.conn, changed.values())
    return outcomes


# --- the phone's side --------------------------------------------------------------------------------------------------------


class Enrol(msgspec.Struct, frozen=True, kw_only=True):
    """A phone uses a code. `new_device_id` is taken when it becomes a row of its own."""

    token_sha256: str
    secret_sha256: str
    device: DeviceDescription
    new_device_id: str
    hub_epoch: str
    previous_secret: str | None = None

    def keys(self) -> tuple[str, ...]:
        """Serial keys of the writer."""
        return (f"enrolment:{self.token_sha256}",)

    def __repr__(self) -> str:
        return f"Enrol({self.token_sha256[:8]}…)"


class Enrolled(msgspec.Struct, frozen=True, kw_only=True):
    """The phone's place in the account."""

    device_id: str
    account_id: str
    is_new: bool
    """False: it kept the row it had."""


def enrol(tx: Tx, commands: Sequence[Enrol]) -> list[Done[Enrolled] | Refused]:
    """Apply enrolments one after the other: there are few, and two of one batch may be about one code."""
    return [_enrol_one(tx, command) for command in commands]


def _enrol_one(tx: Tx, command: Enrol) -> Done[Enrolled] | Refused:
    code = codes.lock_enrolments_by_token(tx.conn, {command.token_sha256}).get(command.token_sha256)
    if code is None or code.transport != NATIVE:
        return Refused(HubError(Code.TOKEN_UNKNOWN))
    problem = _why_not(code, command, tx.now)
    if problem is not None:
        return Refused(HubError(problem))
    if not code.is_sandbox and is_sandbox(tx.conn, code.account_id):
        return Refused(HubError(Code.CONFLICT, NO_REAL_PHONES))
    if code.used_at is not None:
        return Done(Enrolled(device_id=code.device_id or "", account_id=code.account_id, is_new=False))
    known = _known_device(tx, code, command)
    device = known or _new_device(tx, code, command)
    effects = _let_in(tx, device, command, is_new=known is None)
    code.used_at, code.used_secret_sha256, code.device_id = tx.now, command.secret_sha256, device.id
    codes.write_enrolments(tx.conn, [code])
    effects += apply_sims(tx, [SimReport(device, command.device.sims, command.device.permissions)])
    effects += (LiveHint(device.account_id, "enrolment", code.id), LiveHint(device.account_id, "device", device.id))
    return Done(Enrolled(device_id=device.id, account_id=device.account_id, is_new=known is None), effects)


def _why_not(code: EnrolmentRow, command: Enrol, now: UtcMs) -> Code | None:
    if code.revoked_at is not None:
        return Code.TOKEN_REVOKED
    if code.used_at is not None and code.used_secret_sha256 != command.secret_sha256:
        return Code.TOKEN_USED
    return Code.TOKEN_EXPIRED if now >= code.expires_at else None


def _known_device(tx: Tx, code: EnrolmentRow, command: Enrol) -> DeviceRow | None:
    """The row this phone has in the code's account: the one the code was made for, or one whose secret it proves.

    A phone that sends the hash it is already known by lost its answer for longer than its code lived: it is the same phone too.
    """
    if code.for_device_id is not None:
        return stored.lock_devices(tx.conn, {code.for_device_id}).get(code.for_device_id)
    proofs = {command.secret_sha256}
    if command.previous_secret is not None:
        proofs.add(code_hash(command.previous_secret))
    found = stored.lock_devices_by_secret(tx.conn, code.account_id, proofs)
    proven = [device for device in found if _is_proof(device, command)]
    return max(proven, key=lambda device: device.enrolled_at, default=None)


def _is_proof(device: DeviceRow, command: Enrol) -> bool:
    if device.secret_sha256 is None:
        return False
    if command.previous_secret is not None and is_secret_of(command.previous_secret, device.secret_sha256):
        return True
    return device.secret_sha256 == command.secret_sha256


def _new_device(tx: Tx, code: EnrolmentRow, command: Enrol) -> DeviceRow:
    return DeviceRow(
        id=command.new_device_id,
        account_id=code.account_id,
        name=code.name or _own_name(command.device),
        created_at=tx.now,
        enrolled_at=tx.now,
        # A phone that is new in this life of the hub knows nothing an older life forgot.
        recalled_epoch=command.hub_epoch,
        is_sandbox=code.is_sandbox,
    )


def _own_name(device: DeviceDescription) -> str:
    words = " ".join(sanitise(f"{device.manufacturer} {device.model}").split())
    return words[:NAME_MAX] or "Phone"


def _let_in(tx: Tx, device: DeviceRow, command: Enrol, *, is_new: bool) -> tuple[Effect, ...]:
    """Give the row its new secret; every token and socket of the old one ends here."""
    about = command.device
    device.secret_sha256 = command.secret_sha256
    device.nonce = device.nonce_before = device.nonce_epoch = None
    device.enrolled_at = tx.now
    device.revoked_at = device.suspended_at = device.suspended_reason = None
    device.manufacturer, device.model = sanitise(about.manufacturer), sanitise(about.model)
    device.os_version, device.app_version = sanitise(about.os_version), sanitise(about.app_version)
    device.permissions = msgspec.json.encode(about.permissions).decode()
    if is_new:
        stored.insert_devices(tx.conn, [device])
        return ()
    device.credential_no += 1
    effects = cut_off(tx, device, UNAUTHORIZED.word, "the phone was enrolled anew")
    stored.write_devices(tx.conn, [device])
    return (*effects, CredentialsChanged(device.account_id, "device", device.id))
