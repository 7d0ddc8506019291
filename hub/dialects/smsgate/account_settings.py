"""`/settings`: what an account's clients set for its phones, group by group.

The phones of the sms-gate.app kind fetch it from the hub. The signing key and the number of retries hold for the hub's webhooks to the
clients, because it is the hub that sends them; they are not handed on to phones, whose own posts to the hub are signed with another key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from hub.accounts.secretbox import SealBroken
from hub.core.effects import PhoneSettingsChanged
from hub.core.text import is_storable
from hub.dialects.smsgate.answers import wrong
from hub.dialects.smsgate.reading import as_object
from hub.services import Services
from hub.storage.smsgate_accounts import SettingsRow, read_settings, write_settings
from hub.storage.transaction import Done, Refused, Tx

MOST_RETRIES = 50
MOST_SECONDS = 31_536_000
LONGEST_KEY = 128
_CAMEL = re.compile(r"(?<=[a-z0-9])([A-Z])")
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)
_KEY = re.compile(r"[A-Za-z0-9_.~-]{1,128}", re.ASCII)
"""Signs that a phone's storage leaves alone, so that a key can be typed there too."""

Check = Callable[[str, Any], Any]


def _number(least: int, most: int) -> Check:
    def check(name: str, value: Any) -> Any:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise wrong(f"{name} must be a whole number between {least} and {most}.")
        return value

    return check


def _one_of(*words: str) -> Check:
    def check(name: str, value: Any) -> Any:
        if value not in words:
            raise wrong(f"{name} must be one of {', '.join(words)}.")
        return value

    return check


def _flag(name: str, value: Any) -> Any:
    if not isinstance(value, bool):
        raise wrong(f"{name} must be true or false.")
    return value


def _clock(name: str, value: Any) -> Any:
    if not isinstance(value, str) or not _CLOCK.fullmatch(value):
        raise wrong(f"{name} must be a time of day such as 08:30.")
    return value


KEYS: Mapping[str, Mapping[str, Check]] = MappingProxyType(
    {
        "messages": {
            "send_interval_min": _number(1, MOST_SECONDS),
            "send_interval_max": _number(1, MOST_SECONDS),
            "limit_period": _one_of("Disabled", "PerMinute", "Per30Minutes", "PerHour", "PerDay"),
            "limit_value": _number(1, 1_000_000),
            "sim_selection_mode": _one_of("OSDefault", "RoundRobin", "Random"),
            "log_lifetime_days": _number(1, 36_500),
            "processing_order": _one_of("LIFO", "FIFO"),
            "work_hours_enabled": _flag,
            "work_hours_start": _clock,
            "work_hours_end": _clock,
        },
        "ping": {"interval_seconds": _number(1, MOST_SECONDS)},
        "logs": {"lifetime_days": _number(1, 36_500)},
        "webhooks": {"internet_required": _flag, "retry_count": _number(1, MOST_RETRIES)},
        "gateway": {"notification_channel": _one_of("AUTO", "SSE_ONLY")},
        "receiver": {"content_provider_enabled": _flag},
    }
)
"""Groups, keys and what they may be. Other keys are left out, as that API does: a newer client sends ones this hub does not know."""
SECRETS: Mapping[str, Sequence[str]] = MappingProxyType(
    {"encryption": ("passphrase",), "gateway": ("cloud_url", "private_token"), "webhooks": ("signing_key",)}
)
"""Never shown. Only the signing key may be set: the others would take phones away from the hub, or the secret from its owner."""
Groups = dict[str, dict[str, Any]]
_GROUPS: msgspec.json.Decoder[Groups] = msgspec.json.Decoder(Groups)


class Own(NamedTuple):
    """What holds for webhooks to the account's clients."""

    retry_count: int | None
    signing_key: str | None
    is_key_lost: bool = False
    """There is a signing key, sealed with a key file that this hub does not have any more."""


class StoreSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Change an account's settings. `signing_key`: UNSET leaves it, None takes it away."""

    account_id: str
    groups: Groups
    is_whole: bool
    """What is not named goes."""
    signing_key: bytes | msgspec.UnsetType | None = msgspec.UNSET

    def __repr__(self) -> str:
        return f"StoreSettings({self.account_id})"

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"account:{self.account_id}:smsgate",)


def store_settings(tx: Tx, commands: Sequence[StoreSettings]) -> list[Done[Groups] | Refused]:
    """Use case: merges key by key; null is a value, handed on to phones as "back to your default"."""
    return [_store(tx, command) for command in commands]


def _store(tx: Tx, command: StoreSettings) -> Done[Groups]:
    row = read_settings(tx.conn, command.account_id)
    groups = {} if command.is_whole else _GROUPS.decode(row.settings)
    for group, values in command.groups.items():
        groups[group] = {**groups.get(group, {}), **values}
    key = row.signing_key if command.signing_key is msgspec.UNSET else command.signing_key
    settings = msgspec.json.encode(groups).decode()
    write_settings(tx, SettingsRow(command.account_id, settings, key, tx.now))
    return Done(groups, (PhoneSettingsChanged(command.account_id),))


class AccountKeeper:
    """Reads and changes accounts' settings; the signing key is sealed with the hub's key file."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def read(self, account_id: str) -> Own:
        """What holds for the account's webhooks."""
        row = await self._services.db.read(read_settings, account_id)
        retries = _GROUPS.decode(row.settings).get("webhooks", {}).get("retry_count")
        try:
            return Own(retries, None if row.signing_key is None else self._open(account_id, row.signing_key))
        except SealBroken:
            return Own(retries, None, is_key_lost=True)

    async def groups(self, account_id: str) -> Groups:
        """What clients are shown."""
        return _GROUPS.decode((await self._services.db.read(read_settings, account_id)).settings)

    async def change(self, account_id: str, body: Any, *, is_whole: bool) -> Groups:
        """Apply a client's settings; the whole of what holds then. Raises 400 for a value that cannot be."""
        groups, signing_key = read_groups(body)
        sealed: bytes | msgspec.UnsetType | None = msgspec.UNSET
        if signing_key is not msgspec.UNSET:
            sealed = self._seal(account_id, signing_key) if signing_key else None
        command = StoreSettings(account_id=account_id, groups=groups, is_whole=is_whole, signing_key=sealed)
        return await self._services.db.writer.submit(store_settings, command, *command.keys())

    def _seal(self, account_id: str, key: str) -> bytes:
        return self._services.secrets.seal(key.encode(), f"smsgate-signing-key:{account_id}")

    def _open(self, account_id: str, sealed: bytes) -> str:
        return self._services.secrets.open(sealed, f"smsgate-signing-key:{account_id}").decode()


def read_groups(body: Any) -> tuple[Groups, str | msgspec.UnsetType | None]:
    """A body as groups of known keys, and the signing key it sets (UNSET when it names none)."""
    groups: Groups = {}
    signing_key: str | msgspec.UnsetType | None = msgspec.UNSET
    for name, value in as_object(body).items():
        group = _snake(name)
        if value is None or (group not in KEYS and group not in SECRETS):
            continue
        given = {_snake(key): item for key, item in as_object(value, group).items()}
        if "signing_key" in given and group == "webhooks":
            signing_key = _signing_key(given["signing_key"])
        for secret in SECRETS.get(group, ()):
            if secret != "signing_key" and given.get(secret):
                raise wrong(f"{group}.{secret} cannot be set here: type it on the phone.")
        known = KEYS.get(group, {})
        kept = {
            key: None if item is None else known[key](f"{group}.{key}", item)
            for key, item in given.items()
            if key in known
        }
        if kept:
            groups[group] = kept
    return groups, signing_key


def _signing_key(value: Any) -> str | None:
    if value in (None, ""):
        return None
    if not isinstance(value, str) or not is_storable(value) or not _KEY.fullmatch(value):
        raise wrong(f"webhooks.signing_key must be 1 to {LONGEST_KEY} letters, digits and signs of - _ . ~")
    return value


def _snake(name: str) -> str:
    """`limitPeriod` → `limit_period`: the TypeScript client writes the one, the others the other."""
    return _CAMEL.sub(r"_\1", name).lower()
