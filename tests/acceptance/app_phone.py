"""The shortest phone with the sms-gate.app app: it registers, pulls its texts and reports each as delivered, until it is stopped."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

AGENT = "me.capcom.smsgateway/1.68.0"
PULL_EVERY_SECONDS = 0.1
_SIMS = [{"slotIndex": 0, "simNumber": 1, "phoneNumber": "********9999", "carrierName": "Tele"}]


@dataclass
class AppPhone:
    """One phone, signed in with a login of the account."""

    hub_url: str
    login: tuple[str, str]
    pulled: list[dict[str, Any]] = field(default_factory=list)
    id: str = ""
    is_pulling: bool = True

    async def start(self) -> AppPhone:
        """Register and begin to pull."""
        self._http = httpx.AsyncClient(base_url=self.hub_url + "/api/mobile/v1", headers={"User-Agent": AGENT})
        answer = await self._http.post("/device", json={"name": "Test/Phone", "simCards": _SIMS}, auth=self.login)
        assert answer.status_code == 201, answer.text
        self.id = answer.json()["id"]
        self._http.headers["Authorization"] = f"Bearer {answer.json()['token']}"
        await self._pull()
        self._task = asyncio.create_task(self._run())
        return self

    async def stop(self) -> None:
        """Stop pulling."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        await self._http.aclose()

    async def _run(self) -> None:
        while True:
            if self.is_pulling:
                await self._pull()
            await asyncio.sleep(PULL_EVERY_SECONDS)

    async def _pull(self) -> None:
        answer = await self._http.get("/message?order=fifo")
        assert answer.status_code == 200, answer.text
        for text in answer.json():
            self.pulled.append(text)
            for state in ("Processed", "Sent", "Delivered"):
                await self._report(text, state)

    async def _report(self, text: dict[str, Any], state: str) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        recipients = [{"phoneNumber": number, "state": state} for number in text["phoneNumbers"]]
        body = [{"id": text["id"], "state": state, "recipients": recipients, "states": {state: at}}]
        answer = await self._http.patch("/message", json=body)
        assert answer.is_success, answer.text
