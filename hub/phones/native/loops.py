"""What is done for connected phones by the clock: cutting the silent ones, noting who was heard, and telling customers who is there."""

from __future__ import annotations

import asyncio

from device_protocol.errors import SILENT
from device_protocol.limits import DEAD_SECONDS
from hub.core.errors import HubError
from hub.devices.presence import ForgetNode, LookAfter, NoteSightings, forget_node, look_after, note_sightings
from hub.log import get_logger
from hub.phones.sessions import Sessions
from hub.services import Services

log = get_logger("phones.presence")

ROUND_SECONDS = 5.0
NOTE_SECONDS = 30.0
"""A phone is written as seen at most this often."""
STALE_SECONDS = DEAD_SECONDS + 2 * NOTE_SECONDS
"""An online phone that nobody noted for so long: the process that held it has died."""
SIGHTINGS_IN_ONE = 500


class PresenceLoop:
    """One loop for all phones of this process."""

    name = "phone presence"

    def __init__(self, services: Services, sessions: Sessions) -> None:
        self._services = services
        self._sessions = sessions
        self._noted_at = services.clock.monotonic()
        self._has_forgotten = False

    async def run(self) -> None:
        """Forget what a former life of this process left open, then look after phones until cancelled."""
        if not self._has_forgotten:
            await self._forget_former_life()
            self._has_forgotten = True
        while True:
            await self.look()
            await asyncio.sleep(ROUND_SECONDS)

    async def look(self) -> None:
        """One round."""
        now = self._services.clock.monotonic()
        self._cut_silent(now)
        if now - self._noted_at >= NOTE_SECONDS:
            self._noted_at = now
            await self._note()
        try:
            await self._tell()
        except HubError as error:
            log.warning("presence could not be looked after", why=error.code)

    async def _forget_former_life(self) -> None:
        # Only one process serves a SQLite file: whatever counts as online there is from before.
        node = None if self._services.db.dialect == "sqlite" else self._services.config.node_name
        command = ForgetNode(node=node)
        count = await self._services.db.writer.submit(forget_node, command)
        if count:
            log.info("phones were connected when the hub stopped", phones=count)

    def _cut_silent(self, now: float) -> None:
        for session in self._sessions:
            if now - session.last_heard > DEAD_SECONDS:
                session.end(SILENT, f"nothing heard for {DEAD_SECONDS} s")

    async def _note(self) -> None:
        sightings = [session.sighting() for session in self._sessions if session.last_heard > session.noted_at]
        for start in range(0, len(sightings), SIGHTINGS_IN_ONE):
            command = NoteSightings(sightings=tuple(sightings[start : start + SIGHTINGS_IN_ONE]))
            try:
                await self._services.db.writer.submit(note_sightings, command)
            except HubError as error:
                # The phones are noted again once they said something more.
                log.warning("when phones were seen could not be noted", why=error.code)

    async def _tell(self) -> None:
        command = LookAfter(stale_seconds=STALE_SECONDS, grace_seconds=self._services.config.offline_after_seconds)
        while (await self._services.db.writer.submit(look_after, command)).is_more:
            pass
