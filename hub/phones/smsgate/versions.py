"""Which version of the app understands what (its changelog and source, up to 1.75): an enum value it does not know makes it fail for ever.

An event name it has never heard of fails the whole webhook synchronisation, an unknown setting the whole settings import, and the app
tries again without end. So nothing is sent that the installed version does not know, and an unknown version is taken for an old one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

_AGENT: Final = re.compile(r"me\.capcom\.smsgateway/(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?")
_VERSION: Final = re.compile(r"(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?")


class Version(NamedTuple):
    """A version of the app, to be compared."""

    major: int
    minor: int
    patch: int = 0

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


OLDEST: Final = Version(1, 19)
"""What an app that does not say its version is taken for."""
FLOOR: Final = Version(1, 53, 1)
"""Below it the app neither keeps its webhooks over a restart nor fetches texts when its stream opens."""
CANCELS: Final = Version(1, 67)
"""From here on it knows `Cancelling`; older apps ignore the state and send the text."""
SSE_SETTING: Final = Version(1, 53)
SETTINGS: Final = Version(1, 37)
ORDER: Final = Version(1, 46)
SIGNING: Final = Version(1, 33)
DOWNLOADS_MMS: Final = Version(1, 56)

EVENTS: Final[Mapping[str, Version]] = {
    "sms:received": Version(1, 0),
    "system:ping": Version(1, 16),
    "sms:sent": Version(1, 18),
    "sms:delivered": Version(1, 19),
    "sms:failed": Version(1, 19),
    "sms:data-received": Version(1, 39),
    "mms:received": Version(1, 47),
    "mms:downloaded": DOWNLOADS_MMS,
    "app:started": Version(1, 66),
    "sms:cancelled": CANCELS,
    "sms:batch:received": Version(1, 71),
    "sms:batch:data-received": Version(1, 71),
    "mms:batch:received": Version(1, 71),
    "mms:batch:downloaded": Version(1, 71),
}
"""Event → the first version that knows it."""


def of_agent(user_agent: str) -> Version | None:
    """The version in `User-Agent: me.capcom.smsgateway/<x.y.z>`; None for anything else."""
    return _read(_AGENT.match(user_agent))


def of_stored(text: str | None) -> Version:
    """The version a phone told last; `OLDEST` when it told none."""
    return _read(_VERSION.match(text or "")) or OLDEST


def _read(match: re.Match[str] | None) -> Version | None:
    if match is None:
        return None
    return Version(int(match[1]), int(match[2]), int(match[3] or 0))


def events_for(version: Version) -> tuple[str, ...]:
    """The events to ask this version for. Where it downloads an MMS, the notice that there is one is not asked for besides."""
    known = (event for event, since in EVENTS.items() if since <= version)
    twice = {"mms:received", "mms:batch:received"} if version >= DOWNLOADS_MMS else set()
    return tuple(event for event in known if event not in twice)
