"""What an account has decided for itself; what it has not decided comes from the hub's configuration.

Stored as JSON in `account.settings`. Reading tolerates fields of a newer hub (a rolled back version must still start); writing goes
through `changed`, which checks every value.
"""

from __future__ import annotations

import zoneinfo
from functools import lru_cache
from typing import Annotated

import msgspec
import phonenumbers

from hub.core.errors import invalid
from hub.core.quiet import QuietHours, is_wall_time

MAX_TTL_SECONDS = 31_536_000
"""A year: the most a job on the wire to a phone can say."""

Region = Annotated[str, msgspec.Meta(pattern="^[A-Z]{2}$", description="ISO 3166 country code, such as `GB`.")]
ZoneName = Annotated[
    str, msgspec.Meta(min_length=1, max_length=64, description="IANA time zone, such as `Europe/London`.")
]
PoolName = Annotated[str, msgspec.Meta(min_length=1, max_length=64, description="The name of a pool of lines.")]
Ttl = Annotated[int, msgspec.Meta(ge=60, le=MAX_TTL_SECONDS, description="Seconds a text may wait before it expires.")]
MAX_KEEP_DAYS = 36_500
"""A hundred years; who wants longer leaves it to the hub."""
KeepDays = Annotated[int, msgspec.Meta(ge=1, le=MAX_KEEP_DAYS, description="Days a text is kept once it has ended.")]


class AccountSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of an account; None = as the hub is configured."""

    default_region: Region | None = None
    """The country whose national numbers are understood without a country code."""
    time_zone: ZoneName = "UTC"
    """What "today" means for the budgets of SIMs, and how people see times."""
    default_pool: PoolName | None = None
    """The pool that sends what names no line; None = all lines."""
    default_ttl_seconds: Ttl | None = None
    """How long a text may wait when its request does not say."""
    strict_sender: bool = False
    """An unknown `from` is refused, instead of sent from the default pool with a note."""
    quiet_hours: QuietHours | None = None
    """In them bulk texts wait for their end, and the dashboard asks before it sends."""
    retry_generic: bool = False
    """Try again after a failure without a reason. It may send a text twice, so it is off."""
    keep_messages_days: KeepDays | None = None
    """How long texts are kept that have ended, with their timelines and events; never longer than the hub keeps them."""

    def kept_days(self, hubs: int) -> int:
        """How many days texts are kept where the hub keeps them for so many; 0 = for ever."""
        own = self.keep_messages_days
        return hubs if own is None else min(own, hubs or own)


def read_settings(stored: str) -> AccountSettings:
    """The settings of a stored JSON text."""
    return _decode(stored)


@lru_cache(maxsize=4096)
def _decode(stored: str) -> AccountSettings:
    return msgspec.json.decode(stored, type=AccountSettings)


def write_settings(settings: AccountSettings) -> str:
    """What `read_settings` reads."""
    return msgspec.json.encode(settings).decode()


def changed(settings: AccountSettings, change: dict[str, object]) -> AccountSettings:
    """The settings with some values replaced. Raises a `validation` HubError that names the value that cannot be."""
    try:
        merged = msgspec.convert({**msgspec.to_builtins(settings), **msgspec.to_builtins(change)}, AccountSettings)
    except msgspec.ValidationError as error:
        raise invalid("settings", "wrong_value", f"{error}.") from error
    if merged.default_region is not None and merged.default_region not in phonenumbers.SUPPORTED_REGIONS:
        raise invalid(
            "settings.default_region", "unknown", f"{merged.default_region} is not a country with phone numbers."
        )
    if not _is_zone(merged.time_zone):
        raise invalid(
            "settings.time_zone", "unknown", f"{merged.time_zone!r} is not a time zone; give one like Europe/London."
        )
    quiet = merged.quiet_hours
    if quiet is not None and not (is_wall_time(quiet.starts) and is_wall_time(quiet.ends)):
        raise invalid("settings.quiet_hours", "wrong_time", "Give the times of quiet hours like 21:00.")
    return merged


def _is_zone(name: str) -> bool:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
