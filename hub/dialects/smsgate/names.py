"""Ids of phones as clients know them: our own spelling, or the id a phone had on the server it was moved in from.

The few ids of former servers are kept in memory: every webhook and every state names a phone.
"""

from __future__ import annotations

import asyncio

from hub.core.ids import BadId, from_smsgate21, to_smsgate21
from hub.services import Services
from hub.storage.smsgate_accounts import AliasRow, all_aliases
from hub.webhooks.formats.smsgate import SmsGate

DEVICE = "device"
LOOK_SECONDS = 5.0


class Names:
    """A background loop that looks for phones moved in, and what it knows of them."""

    name = "smsgate-names"

    def __init__(self, services: Services) -> None:
        self._services = services
        self._looked_at: float | None = None
        self._shown: dict[str, str] = {}
        self._stored: dict[tuple[str, str], str] = {}

    def device(self, device_id: str) -> str:
        """A phone's id as clients see it."""
        return self._shown.get(device_id) or to_smsgate21(device_id)

    def device_id(self, account_id: str, shown_id: str) -> str | None:
        """The phone an id may stand for; whether the account has it is for the look-up to say. None for what is no id."""
        known = self._stored.get((account_id, shown_id))
        if known is not None:
            return known
        try:
            return from_smsgate21(shown_id)
        except BadId:
            return None

    async def refresh(self) -> None:
        """Look, unless that was done a moment ago: before each request."""
        now = self._services.clock.monotonic()
        if self._looked_at is None or now - self._looked_at >= LOOK_SECONDS:
            await self.look()
            self._looked_at = now

    async def look(self) -> None:
        """Read them."""
        self.keep(await self._services.db.read(all_aliases, DEVICE))

    def keep(self, aliases: list[AliasRow]) -> None:
        """From now on these are what is known, here and in the webhooks' format."""
        self._shown = {alias.id: alias.shown_id for alias in aliases}
        self._stored = {(alias.account_id, alias.shown_id): alias.id for alias in aliases}
        form = self._services.webhooks.formats.get(SmsGate.name)
        if isinstance(form, SmsGate):
            form.shown_devices = self._shown

    async def run(self) -> None:
        """Look from time to time, until cancelled: another process may move phones in."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)
