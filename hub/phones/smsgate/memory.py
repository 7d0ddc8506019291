"""What this process keeps in mind of phones between their calls, all of it hints: a restarted hub asks a little more and loses nothing."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import msgspec

from hub.core.clock import Clock
from hub.core.errors import HubError
from hub.devices.arrival import RememberAboutPhone, read_remembered, remember_about_phone
from hub.log import get_logger
from hub.phones.sessions import Sessions
from hub.phones.smsgate.callers import Caller
from hub.services import Services

log = get_logger("phones.smsgate")

SPOKEN_SECONDS: Final = 600.0
"""A text the phone has spoken of is not listed again for so long; after it, its last report may have got lost."""
MOST_PHONES: Final = 10_000
MOST_TEXTS: Final = 2_000


class _Phone:
    __slots__ = ("clock_ahead_ms", "spoken")

    def __init__(self) -> None:
        self.clock_ahead_ms = 0
        self.spoken: OrderedDict[str, float] = OrderedDict()


class PhoneMemory:
    """By device. Used on the event loop only."""

    def __init__(self, services: Services, sessions: Sessions) -> None:
        self._services = services
        self._sessions = sessions
        self._clock: Clock = services.clock
        self._phones: OrderedDict[str, _Phone] = OrderedDict()
        self.on_settings: Callable[[str], None] = lambda _device_id: None
        """Tells the phone that its settings changed."""

    def _phone(self, device_id: str) -> _Phone:
        phone = self._phones.get(device_id)
        if phone is None:
            phone = self._phones[device_id] = _Phone()
            if len(self._phones) > MOST_PHONES:
                self._phones.popitem(last=False)
        self._phones.move_to_end(device_id)
        return phone

    # --- texts

    def spoke_of(self, device_id: str, message_id: str) -> None:
        """The phone told how a text stands: it has it."""
        spoken = self._phone(device_id).spoken
        spoken[message_id] = self._clock.monotonic()
        spoken.move_to_end(message_id)
        if len(spoken) > MOST_TEXTS:
            spoken.popitem(last=False)

    def spoken_of(self, device_id: str) -> frozenset[str]:
        """What it told of lately."""
        spoken = self._phone(device_id).spoken
        since = self._clock.monotonic() - SPOKEN_SECONDS
        while spoken and next(iter(spoken.values())) < since:
            spoken.popitem(last=False)
        return frozenset(spoken)

    def forget_texts(self, device_id: str) -> None:
        """The phone registered anew: what it holds is asked again."""
        self._phone(device_id).spoken.clear()

    # --- its clock

    def note_clock(self, device_id: str, ahead_ms: int) -> None:
        """How far its clock is ahead, 0 when it is about right."""
        self._phone(device_id).clock_ahead_ms = ahead_ms

    def clock_ahead_ms(self, device_id: str) -> int:
        """As it stamped its last post."""
        return self._phone(device_id).clock_ahead_ms

    # --- what it has fetched

    async def fetched(self, caller: Caller, what: str, value: Any) -> None:
        """Remember, for good, what was served: a phone that has not fetched the present one is told when it connects."""
        mark = mark_of(value)
        if read_remembered(caller.device.settings).get(what) == mark:
            return
        command = RememberAboutPhone(**caller.command(), values={what: mark})
        try:
            await self._services.db.writer.submit(remember_about_phone, command, *command.keys())
        except HubError as error:
            log.info("what a phone has fetched could not be noted", device=caller.device_id, why=error.code)

    def heard(self, device_id: str) -> None:
        """The phone lives: it posted something."""
        session = self._sessions.live(device_id)
        if session is not None:
            session.last_heard = self._clock.monotonic()

    def tell_settings(self, device_id: str) -> None:
        """Ask the phone to fetch its settings."""
        self.on_settings(device_id)


def mark_of(value: Any) -> str:
    """A short hash by which a served document is known again."""
    return hashlib.sha256(msgspec.json.encode(value)).hexdigest()[:16]
