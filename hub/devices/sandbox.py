"""Sandbox phones: emulated ones that the hub starts itself, so that everything can be tried without a phone and without costs.

A sandbox phone is asked for like a code: an enrolment is made, and a folder for it. Whatever supervises the folders starts the emulator,
which comes in by the same door as every phone. The folder goes when the phone is removed.

    DATA/sandbox/ENROLMENT_ID/   sandbox.json   what it is        code.txt   the code, until it was used        phone.db   its memory
"""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from sqlalchemy import Connection

from hub.core.errors import Code, HubError
from hub.storage.devices_enrolment import find_enrolment_row
from hub.storage.devices_reading import find_device_info, lines_of

FIRST_NUMBER = "+447700900"
"""Ofcom keeps +44 7700 900000 to 900999 for drama: nobody has such a number."""
NUMBERS = 1000
DEFAULT_NAME = "Sandbox"
EMULATOR = "android_emulator"


class SandboxPhone(msgspec.Struct, frozen=True):
    """What a folder is about."""

    enrolment_id: str
    account_id: str
    number: str


class Standing(msgspec.Struct, frozen=True):
    """What the database says of a sandbox phone."""

    is_wanted: bool
    """False: it was removed, or its code can no longer be used."""
    is_enrolled: bool


def is_possible() -> bool:
    """Whether the emulator is installed beside the hub."""
    return importlib.util.find_spec(EMULATOR) is not None


def folder_of(data_dir: Path, enrolment_id: str) -> Path:
    """Where a sandbox phone lives."""
    return data_dir / "sandbox" / enrolment_id


def check_allowed(data_dir: Path, most: int) -> None:
    """Raises `conflict` with the reason when no further sandbox phone may be started here."""
    if most <= 0:
        raise HubError(Code.CONFLICT, "This hub allows no sandbox phones. Set HUB_SANDBOX_PHONES to allow some.")
    if not is_possible():
        raise HubError(
            Code.CONFLICT, "The Android emulator is not installed beside this hub, so it has no sandbox phones."
        )
    if len(list(sandbox_phones(data_dir))) >= most:
        raise HubError(Code.CONFLICT, f"This hub runs {most} sandbox phones, its most. Remove one first.")


def free_number(conn: Connection, account_id: str, random: Callable[[int], int]) -> str:
    """A number of fiction that no line of the account has. `random(n)` gives 0 to n - 1."""
    taken = {line.number for line in lines_of(conn, account_id)}
    start = random(NUMBERS)
    for step in range(NUMBERS):
        number = f"{FIRST_NUMBER}{(start + step) % NUMBERS:03d}"
        if number not in taken:
            return number
    raise HubError(Code.CONFLICT, "Every number of fiction is taken by one of your lines.")


def lay_out(data_dir: Path, phone: SandboxPhone, qr_text: str) -> None:
    """Make the folder; complete before it has its name, so that nobody finds half of it."""
    folder = folder_of(data_dir, phone.enrolment_id)
    unfinished = folder.with_name(f".{folder.name}")
    unfinished.mkdir(parents=True, mode=0o700)
    (unfinished / "sandbox.json").write_bytes(msgspec.json.encode(phone))
    code = unfinished / "code.txt"
    code.touch(mode=0o600)
    code.write_text(qr_text)
    unfinished.rename(folder)


def sandbox_phones(data_dir: Path) -> Iterator[SandboxPhone]:
    """Those that have a folder here."""
    root = data_dir / "sandbox"
    if not root.is_dir():
        return
    for path in sorted(root.glob("[!.]*/sandbox.json")):
        yield msgspec.json.decode(path.read_bytes(), type=SandboxPhone)


def has_phone(data_dir: Path, account_id: str) -> bool:
    """Whether one of them is this account's."""
    return any(phone.account_id == account_id for phone in sandbox_phones(data_dir))


def clear_away(data_dir: Path, phone: SandboxPhone) -> None:
    """Remove its folder; it must not run any more."""
    shutil.rmtree(folder_of(data_dir, phone.enrolment_id), ignore_errors=True)


def standing_of(conn: Connection, phone: SandboxPhone, now: int) -> Standing:
    """Whether it is to run. A removed phone is not, nor one whose code ran out before it was used."""
    code = find_enrolment_row(conn, phone.account_id, phone.enrolment_id)
    if code is None or code.device_id is None:
        return Standing(code is not None and code.revoked_at is None and now < code.expires_at, is_enrolled=False)
    device = find_device_info(conn, phone.account_id, code.device_id)
    return Standing(device is not None and device.revoked_at is None, is_enrolled=True)
