"""`/settings`: what the phone is set to by the hub, and by its account.

The account's keys stand over the usual ones, and the hub's own over both: without those the phone would not be woken and its posts not be
signed. A pace that the account sets changes how the phone sends; what it is given follows its lines all the same.

- A group that has nothing to say is left out: a null group makes the app try for ever.
- `gateway.cloud_url` and `gateway.private_token` are never sent: null would take the phone away from this hub, or its way back.
- A value that the phone's version does not know is left out, for the same reason as an unknown event.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from hub.phones.smsgate.answers import answer
from hub.phones.smsgate.callers import Callers
from hub.phones.smsgate.memory import PhoneMemory
from hub.phones.smsgate.secrets_of import PhoneSecrets
from hub.phones.smsgate.versions import CANCELS, ORDER, SIGNING, SSE_SETTING, Version
from hub.services import Services
from hub.storage.devices import DeviceRow
from hub.storage.messages_lines import lines_in_devices
from hub.storage.smsgate_accounts import read_settings

Groups = Mapping[str, Mapping[str, Any]]
_decoder = msgspec.json.Decoder(dict[str, dict[str, Any]])

RETRIES: Final = 18
"""Posts of the phone: the last of 19 comes two weeks after the first, where the app's own 16 end after two days."""
REMEMBERS_DAYS: Final = 30
"""How long the phone knows the ids of texts, which is what keeps it from sending one twice."""
NEVER_SENT: Final = frozenset({("gateway", "cloud_url"), ("gateway", "private_token"), ("encryption", "passphrase")})

_ALWAYS: Final = Version(0, 0)
_WORK_HOURS: Final = Version(1, 69)
_WORDS: Final[Mapping[tuple[str, str], Mapping[str, Version]]] = {
    ("messages", "limit_period"): {
        "Disabled": _ALWAYS,
        "PerMinute": _ALWAYS,
        "Per30Minutes": CANCELS,
        "PerHour": _ALWAYS,
        "PerDay": _ALWAYS,
    },
    ("messages", "sim_selection_mode"): {"OSDefault": _ALWAYS, "RoundRobin": _ALWAYS, "Random": _ALWAYS},
    ("messages", "processing_order"): {"LIFO": ORDER, "FIFO": ORDER},
    ("gateway", "notification_channel"): {"AUTO": SSE_SETTING, "SSE_ONLY": SSE_SETTING},
}
"""Keys that take one of a few words, and the first version that knows each word."""
_KEYS_SINCE: Final[Mapping[tuple[str, str], Version]] = {
    ("messages", "work_hours_enabled"): _WORK_HOURS,
    ("messages", "work_hours_start"): _WORK_HOURS,
    ("messages", "work_hours_end"): _WORK_HOURS,
    ("webhooks", "signing_key"): SIGNING,
}


class AppSettings:
    """The route, and what it serves."""

    def __init__(self, services: Services, callers: Callers, secrets: PhoneSecrets, memory: PhoneMemory) -> None:
        self._services = services
        self._callers = callers
        self._secrets = secrets
        self._memory = memory

    async def read(self, request: Request) -> Response:
        """`GET /settings`."""
        caller = await self._callers.identify(request)
        groups = await self.groups_for(caller.device, caller.version)
        await self._memory.fetched(caller, "settings", groups)
        return answer(groups)

    async def groups_for(self, device: DeviceRow, version: Version) -> dict[str, dict[str, Any]]:
        """What this phone is served."""
        row = await self._services.db.read(read_settings, device.account_id)
        account: Groups = _decoder.decode(row.settings)
        lines = await self._services.db.read(lines_in_devices, {device.account_id}, {device.id})
        per_minute = sum(line.per_minute for line in lines if line.is_present)
        usual = self._usual(per_minute)
        if "limit_period" in account.get("messages", {}):
            usual["messages"].pop("limit_value", None)
        return known_to(version, merged(usual, account, self._own(device.id)))

    def _usual(self, per_minute: int) -> dict[str, dict[str, Any]]:
        """What holds until the account says otherwise."""
        messages: dict[str, Any] = {"processing_order": "FIFO", "log_lifetime_days": REMEMBERS_DAYS}
        if per_minute > 0:
            messages |= {"limit_period": "PerMinute", "limit_value": per_minute}
        ping = self._services.config.smsgate_ping_seconds
        return {"messages": messages, **({"ping": {"interval_seconds": ping}} if ping else {})}

    def _own(self, device_id: str) -> dict[str, dict[str, Any]]:
        """What the hub decides. The account's own signing key and retries are for the hub's webhooks to its customers."""
        return {
            "webhooks": {"signing_key": self._secrets.signing_key(device_id), "retry_count": RETRIES},
            "gateway": {"notification_channel": "SSE_ONLY"},
        }


def merged(*layers: Groups) -> dict[str, dict[str, Any]]:
    """Groups key by key, later layers over earlier ones."""
    names = sorted({name for layer in layers for name in layer})
    return {name: {key: value for layer in layers for key, value in layer.get(name, {}).items()} for name in names}


def known_to(version: Version, groups: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Without what this version does not know, what must never be sent, and groups that are empty then."""
    served = {
        name: {key: value for key, value in keys.items() if _is_known(version, (name, key), value)}
        for name, keys in groups.items()
    }
    return {name: keys for name, keys in served.items() if keys}


def _is_known(version: Version, key: tuple[str, str], value: Any) -> bool:
    if key in NEVER_SENT or version < _KEYS_SINCE.get(key, _ALWAYS):
        return False
    words = _WORDS.get(key)
    if words is None:
        return True
    return value is None or (value in words and version >= words[value])
