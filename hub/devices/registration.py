"""Phones that register by themselves: apps of other makers, which bring a word an operator gave out and are given a token for it.

    operator                     phone                                        hub
       | create_enrolment(transport) ------------------------------------->    |  SHA-256 of the word
       | reads it out, types it     | POST …/device {word, description} --->   |
       |                            | <----------------------- device token    |  the word is this phone's from now on

The word stays in the phone's settings, and the app registers with it again whenever its token was refused. So a word that was used
keeps working for that one phone, which keeps its row and with it its lines and threads. What such a phone held unsent is believed
only when it showed its former token just before: else its memory may have been cleared, and nothing it held is given out again.
"""

import re
from collections.abc import Callable, Sequence

import msgspec

from device_protocol.enrolment import DeviceDescription
from device_protocol.errors import UNAUTHORIZED
from device_protocol.frames import Sim
from hub.accounts.sandbox import NO_REAL_PHONES
from hub.core import reports
from hub.core.effects import CredentialsChanged, Effect, LiveHint, WakeDispatch
from hub.core.errors import Code, HubError
from hub.core.status import Status
from hub.core.text import sanitise
from hub.devices.enrol import NAME_MAX, CreateEnrolment, NewEnrolment, checked_name, code_hash
from hub.devices.lines import SimReport, apply_sims
from hub.devices.presence import cut_off
from hub.messages.ledger import HUB, Ledger
from hub.storage import devices as stored
from hub.storage import devices_app as returns
from hub.storage import devices_enrolment as codes
from hub.storage.accounts import is_sandbox
from hub.storage.devices import DeviceRow, NoticeRow
from hub.storage.devices_app import ReturnRow
from hub.storage.devices_enrolment import EnrolmentRow
from hub.storage.messages_phones import lock_messages_on
from hub.storage.transaction import Done, Refused, Tx


class Register(msgspec.Struct, frozen=True, kw_only=True):
    """A phone asks for a token. By `word_sha256` (a code, or a word used before), or for an account somebody signed in to.

    `shown_secrets`: hashes of void tokens shown to this hub a moment ago: a phone among whose they are still has its memory.
    """

    transport: str
    secret_sha256: str
    """Of the token it will get."""
    device: DeviceDescription
    new_device_id: str
    hub_epoch: str
    word_sha256: str | None = None
    account_id: str | None = None
    sim_unless_told: Sim | None = None
    """What a new phone that tells of no SIM is taken to have."""
    shown_secrets: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"Register({self.new_device_id})"

    def keys(self) -> tuple[str, ...]:
        """Serial keys of the writer."""
        return (f"enrolment:{self.word_sha256 or self.new_device_id}",)


class Registered(msgspec.Struct, frozen=True, kw_only=True):
    """The phone's place in the account. `settings` is the adapter's own JSON about it."""

    device_id: str
    account_id: str
    is_new: bool
    settings: str = "{}"


def register(tx: Tx, commands: Sequence[Register]) -> list[Done[Registered] | Refused]:
    """Let phones in, one after the other: there are few, and two may bring one word.

    Refused: `token_unknown`, `token_used`, `token_expired`, `token_revoked`, `device_revoked`, `device_suspended`,
    `conflict` for an account that is a sandbox.
    """
    outcomes: list[Done[Registered] | Refused] = []
    for command in commands:
        try:
            outcomes.append(_register(tx, command))
        except HubError as error:
            outcomes.append(Refused(error))
    return outcomes


def _register(tx: Tx, command: Register) -> Done[Registered]:
    account_id, known, code = _place_of(tx, command)
    if is_sandbox(tx.conn, account_id):
        raise HubError(Code.CONFLICT, NO_REAL_PHONES)
    device = known or _new_device(tx, command, account_id, code)
    effects = _let_in(tx, device, command, is_new=known is None)
    if code is not None:
        code.used_at, code.used_secret_sha256, code.device_id = tx.now, command.secret_sha256, device.id
        codes.write_enrolments(tx.conn, [code])
        word = ReturnRow(token_sha256=code.token_sha256, account_id=account_id, device_id=device.id, created_at=tx.now)
        returns.put_return(tx.conn, word)
        effects += (LiveHint(account_id, "enrolment", code.id),)
    sims = command.device.sims
    if not sims and known is None and command.sim_unless_told is not None:
        sims = (command.sim_unless_told,)
    effects += apply_sims(tx, [SimReport(device, sims, command.device.permissions)])
    effects += (LiveHint(account_id, "device", device.id), WakeDispatch(account_id))
    value = Registered(device_id=device.id, account_id=account_id, is_new=known is None, settings=device.settings)
    return Done(value, effects)


def _place_of(tx: Tx, command: Register) -> tuple[str, DeviceRow | None, EnrolmentRow | None]:
    """The account, the row the phone has there already, and the unused code it brings. HubError when it may not come in."""
    if command.account_id is not None:
        return command.account_id, None, None
    word = command.word_sha256 or ""
    code = codes.lock_enrolments_by_token(tx.conn, {word}).get(word)
    known = returns.lock_return(tx.conn, word)
    if known is not None:
        device = None if known.device_id is None else _returning(tx, known.device_id)
        return known.account_id, device, None
    if code is None or code.transport != command.transport:
        raise HubError(Code.TOKEN_UNKNOWN)
    if code.revoked_at is not None:
        raise HubError(Code.TOKEN_REVOKED)
    if code.used_at is not None:
        raise HubError(Code.TOKEN_USED)  # another word took its place
    if tx.now >= code.expires_at:
        raise HubError(Code.TOKEN_EXPIRED)
    device = None
    if code.for_device_id is not None:
        device = stored.lock_devices(tx.conn, {code.for_device_id}).get(code.for_device_id)
    return code.account_id, device, code


def _returning(tx: Tx, device_id: str) -> DeviceRow:
    """The phone a word belongs to, if it may come back by it."""
    device = stored.lock_devices(tx.conn, {device_id}).get(device_id)
    if device is None or device.revoked_at is not None:
        raise HubError(Code.DEVICE_REVOKED)
    if device.suspended_at is not None:
        raise HubError(Code.DEVICE_SUSPENDED)
    return device


def _new_device(tx: Tx, command: Register, account_id: str, code: EnrolmentRow | None) -> DeviceRow:
    about = command.device
    words = " ".join(sanitise(f"{about.manufacturer} {about.model}").split())
    name = code.name if code is not None else None
    return DeviceRow(
        id=command.new_device_id,
        account_id=account_id,
        name=name or words[:NAME_MAX] or "Phone",
        transport=command.transport,
        created_at=tx.now,
        enrolled_at=tx.now,
        recalled_epoch=command.hub_epoch,
    )


def _let_in(tx: Tx, device: DeviceRow, command: Register, *, is_new: bool) -> tuple[Effect, ...]:
    """Give the row its new token; the old one ends here."""
    about = command.device
    has_memory = _has_memory(device, command)
    device.former_secret_sha256 = device.secret_sha256 or device.former_secret_sha256
    device.secret_sha256 = command.secret_sha256
    device.enrolled_at = tx.now
    device.revoked_at = device.suspended_at = device.suspended_reason = None
    device.manufacturer, device.model = sanitise(about.manufacturer), sanitise(about.model)
    device.app_version = sanitise(about.app_version) or device.app_version
    device.permissions = msgspec.json.encode(about.permissions).decode()
    if is_new:
        stored.insert_devices(tx.conn, [device])
        return ()
    device.credential_no += 1
    effects = cut_off(tx, device, UNAUTHORIZED.word, "the phone registered again")
    stored.write_devices(tx.conn, [device])
    if device.last_seen_at is None:
        return effects  # its first answer was lost: it was never here
    stored.insert_notices(tx.conn, [_notice(tx, device, has_memory)])
    if not has_memory:
        effects += _doubt(tx, device)
    hints = (
        CredentialsChanged(device.account_id, "device", device.id),
        LiveHint(device.account_id, "notice", device.id),
    )
    return (*effects, *hints)


def _has_memory(device: DeviceRow, command: Register) -> bool:
    return bool({device.secret_sha256, device.former_secret_sha256} & command.shown_secrets)


def _doubt(tx: Tx, device: DeviceRow) -> tuple[Effect, ...]:
    """What the phone held may have been sent, and it may no longer know: nobody sends it again by himself."""
    ledger = Ledger(tx, ())
    for row in lock_messages_on(tx.conn, {device.id}):
        entry = ledger.add(row)
        if entry.status is Status.DISPATCHED:
            word = reports.SubmitReport(
                message_id=row.id,
                device_id=device.id,
                submission=row.submission,
                at=tx.now,
                outcome="uncertain",
                reason="store_replaced",
            )
            ledger.apply(entry, word, HUB)
    return ledger.close()


_TEXTS = {
    True: "The phone's token had become void and it registered again; it kept its place, its lines and what it holds.",
    False: "The phone registered again without showing its former token: its app was set up anew, or another phone uses its "
    "word. Texts it held and had not reported are uncertain. If you did not do this, remove the phone and make a new code.",
}


def _notice(tx: Tx, device: DeviceRow, has_memory: bool) -> NoticeRow:
    return NoticeRow(tx.new_id(), device.account_id, device.id, "registered_again", _TEXTS[has_memory], tx.now)


# --- words ---------------------------------------------------------------------------------------------------------------------

WORD_LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"
"""Without letters that look alike."""
WORD_LENGTH = 12
WORD_SECONDS = 3600
"""How long an unused word lets a phone in: it is typed by hand, on a phone that is being set up."""
_WORD = re.compile(f"[{WORD_LETTERS}]{{{WORD_LENGTH}}}", re.ASCII)


def new_word(
    account_id: str,
    name: str | None,
    *,
    transport: str,
    device_id: str | None = None,
    new_id: Callable[[], str],
    random: Callable[[int], bytes],
) -> NewEnrolment:
    """A fresh word of 59 random bits to type, shown as `abcd-efgh-jkmn`, with the command that stores it."""
    letters = ""
    while len(letters) < WORD_LENGTH:
        # Bytes from 248 on would favour the first letters.
        letters += "".join(WORD_LETTERS[byte % 31] for byte in random(16) if byte < 248)
    word = letters[:WORD_LENGTH]
    command = CreateEnrolment(
        account_id=account_id,
        enrolment_id=new_id(),
        token_sha256=word_hash(word),
        name=checked_name(name) if name is not None else None,
        device_id=device_id,
        transport=transport,
        life_seconds=WORD_SECONDS,
    )
    return NewEnrolment(command, "-".join(word[start : start + 4] for start in range(0, WORD_LENGTH, 4)))


def word_hash(typed: str) -> str:
    """What is stored of a word, however it was typed: in capitals, with or without its hyphens. Other secrets are taken as they are."""
    bare = typed.strip().lower().replace("-", "").replace(" ", "")
    return code_hash(bare if _WORD.fullmatch(bare) else typed.strip())
