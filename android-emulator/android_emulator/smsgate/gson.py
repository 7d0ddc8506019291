"""How the app reads the hub's JSON: what its Gson adapters make of times and enumerations, mistakes included.

Written from what the published app (1.68) is seen to do, not from the hub: a hub that sends what this refuses breaks phones in the field.
"""

import re
from typing import Any, Final

EVENTS_SINCE: Final[dict[str, tuple[int, int]]] = {
    "sms:received": (1, 0),
    "system:ping": (1, 16),
    "sms:sent": (1, 18),
    "sms:delivered": (1, 19),
    "sms:failed": (1, 19),
    "sms:data-received": (1, 39),
    "mms:received": (1, 47),
    "mms:downloaded": (1, 56),
    "app:started": (1, 66),
    "sms:cancelled": (1, 67),
    "sms:batch:received": (1, 71),
    "sms:batch:data-received": (1, 71),
    "mms:batch:received": (1, 71),
    "mms:batch:downloaded": (1, 71),
}
WORDS_SINCE: Final[dict[str, dict[str, tuple[int, int]]]] = {
    "limit_period": {
        "Disabled": (1, 0),
        "PerMinute": (1, 0),
        "PerHour": (1, 0),
        "PerDay": (1, 0),
        "Per30Minutes": (1, 67),
    },
    "sim_selection_mode": {"OSDefault": (1, 0), "RoundRobin": (1, 0), "Random": (1, 0)},
    "processing_order": {"LIFO": (1, 46), "FIFO": (1, 46)},
    "notification_channel": {"AUTO": (1, 53), "SSE_ONLY": (1, 53)},
}
KNOWN_GROUPS: Final = frozenset({"encryption", "messages", "ping", "logs", "webhooks", "gateway"})
_TIME: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)?", re.ASCII)


class GsonError(ValueError):
    """The app throws: the whole answer counts for nothing, and its worker tries again."""


def read_time(text: str) -> int:
    """Milliseconds since the epoch, as `yyyy-MM-dd'T'HH:mm:ss.SSSXXX` reads them: all digits of the fraction are milliseconds."""
    match = _TIME.fullmatch(text)
    if match is None or match[8] is None:
        raise GsonError(f"Unparseable date: {text}")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    seconds = (_days(year, month, day) * 24 + hour) * 3600 + minute * 60 + second
    return seconds * 1000 + int(match[7] or 0) - _offset_ms(match[8])


def write_time(at: int, offset_minutes: int = 0, *, is_wrong_west: bool = False) -> str:
    """The app's own spelling, in the phone's zone; Androids below 7 write zones west of Greenwich as `+-5:00`."""
    local = at + offset_minutes * 60_000
    seconds, millis = divmod(local, 1000)
    days, rest = divmod(seconds, 86_400)
    year, month, day = _date(days)
    clock = f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}.{millis:03d}"
    hours, minutes = divmod(abs(offset_minutes), 60)
    if is_wrong_west and offset_minutes < 0:
        zone = f"+-{hours}:{'-' if minutes else ''}{minutes:02d}"
    else:
        zone = f"{'-' if offset_minutes < 0 else '+'}{hours:02d}:{minutes:02d}"
    return f"{year:04d}-{month:02d}-{day:02d}T{clock}{zone}"


def check_hooks(hooks: list[dict[str, Any]], version: tuple[int, int]) -> None:
    """Raise GsonError for an event this version has never heard of: nothing of the list is taken over then."""
    for hook in hooks:
        if EVENTS_SINCE.get(hook["event"], (99, 0)) > version:
            raise GsonError(f"no enum constant for {hook['event']}")


def check_settings(groups: dict[str, Any], version: tuple[int, int]) -> None:
    """Raise GsonError for a null group or a word this version does not know."""
    for name, keys in groups.items():
        if name not in KNOWN_GROUPS:
            continue
        if keys is None:
            raise GsonError(f"null cannot be cast: {name}")
        for key, value in keys.items():
            words = WORDS_SINCE.get(key)
            if words is not None and value is not None and words.get(value, (99, 0)) > version:
                raise GsonError(f"no enum constant for {key}={value}")


def check_texts(items: list[dict[str, Any]]) -> None:
    """Raise GsonError for what fails the whole list: a bad time, a port or priority out of range, an id or number of the wrong kind."""
    for item in items:
        for name in ("validUntil", "scheduleAt", "createdAt"):
            if item.get(name) is not None:
                read_time(item[name])
        if not -128 <= item.get("priority", 0) <= 127:
            raise GsonError("priority is no byte")
        if not 0 <= (item.get("dataMessage") or {}).get("port", 0) <= 65535:
            raise GsonError("port is no unsigned short")
        if not isinstance(item["id"], str) or not all(isinstance(to, str) for to in item["phoneNumbers"]):
            raise GsonError("an id or number is no text")


def _offset_ms(zone: str) -> int:
    if zone == "Z":
        return 0
    minutes = int(zone[1:3]) * 60 + int(zone[4:6])
    return minutes * (-60_000 if zone[0] == "-" else 60_000)


def _days(year: int, month: int, day: int) -> int:
    """Days since 1970 of the proleptic Gregorian calendar."""
    years = year - (month <= 2)
    era = years // 400
    of_era = years - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def _date(days: int) -> tuple[int, int, int]:
    """The inverse of `_days`."""
    days += 719_468
    era = days // 146_097
    of_era = days - era * 146_097
    years = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * years + years // 4 - years // 100)
    shifted = (5 * of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return years + era * 400 + (month <= 2), month, of_year - (153 * shifted + 2) // 5 + 1
