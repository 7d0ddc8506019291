"""The app's sender: takes what is pending, one text after the other, newest first unless it was set otherwise, to the radio."""

import asyncio
from collections.abc import Callable

from android_emulator.clock import Clock
from android_emulator.radio import Radio, RadioCall, RadioListener
from android_emulator.result_codes import ResultCode
from android_emulator.segments import divide
from android_emulator.sim import SimTray
from android_emulator.smsgate.memory import Memory, StoredText

PERIODS = {"PerMinute": 60, "Per30Minutes": 1800, "PerHour": 3600, "PerDay": 86_400}
FINAL = frozenset({"Delivered", "Failed", "Cancelled"})


class Sending:
    """The worker. `on_state` hears of each change of a text's state."""

    def __init__(
        self, memory: Memory, radio: Radio, tray: SimTray, clock: Clock, on_state: Callable[[StoredText], None]
    ) -> None:
        self._memory, self._radio, self._tray, self._clock = memory, radio, tray, clock
        self._on_state = on_state
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """There is something pending."""
        self._woken.set()

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            text = self._next()
            if text is None:
                self._woken.clear()
                await self._woken.wait()
                continue
            await self._keep_to_the_limit()
            await self._send(text)

    def _next(self) -> StoredText | None:
        pending = [text for text in self._memory.texts.values() if text.state == "Pending"]
        is_newest_first = self._memory.setting("messages", "processing_order", "LIFO") == "LIFO"
        return min(pending, key=lambda text: -text.created_at if is_newest_first else text.created_at, default=None)

    async def _keep_to_the_limit(self) -> None:
        """So many texts a period, and a wait for the rest of it when they are used up."""
        seconds = PERIODS.get(self._memory.setting("messages", "limit_period", "Disabled"))
        if seconds is None:
            return
        since = self._clock.wall_ms() - seconds * 1000
        done = [at for text in self._memory.texts.values() if (at := text.times.get("Processed", 0)) >= since]
        if len(done) >= self._memory.setting("messages", "limit_value", 1_000_000):
            await self._clock.sleep(seconds - (self._clock.wall_ms() - max(done)) / 1000 + 1)

    async def _send(self, text: StoredText) -> None:
        if text.state != "Pending":
            return
        if text.valid_until is not None and text.valid_until < self._clock.wall_ms():
            return self._enter(text, "Failed", "TTL expired")
        slot = 0 if text.sim_number is None else text.sim_number - 1
        sim = self._tray.in_slot(slot)
        if sim is None:
            return self._enter(text, "Failed", f"Can't send message: SIM {slot + 1} not found")
        segments = divide(text.text)
        call = RadioCall(sim.card.number, text.to, segments, text.wants_report)
        # Noted only when the radio has been called: a process killed in between sends the text again.
        sent = asyncio.ensure_future(self._radio.send(call, self._listener(text, len(segments))))
        self._enter(text, "Processed")
        await sent

    def _listener(self, text: StoredText, segments: int) -> RadioListener:
        async def on_result(segment: int, code: int, _network_code: int | None) -> None:
            if code != ResultCode.OK:
                self._enter(text, "Failed", f"Send result: {_sentence(code)}")
            elif segment == segments - 1 and text.state not in FINAL:
                self._enter(text, "Sent")

        async def on_report(_segment: int, status: int) -> None:
            if status < 0x20:
                self._enter(text, "Delivered")
            elif status >= 0x40:
                self._enter(text, "Failed", f"Delivery result from SC +1: {status}")

        return RadioListener(on_result, on_report)

    def _enter(self, text: StoredText, state: str, error: str | None = None) -> None:
        text.state, text.error = state, error
        text.times[state] = self._clock.wall_ms()
        self._on_state(text)


def _sentence(code: int) -> str:
    try:
        name = ResultCode(code).name
    except ValueError:
        return f"Unknown error code: {code}"
    prefix = "RESULT_ERROR_" if code <= 8 else "RESULT_"
    return f"{prefix}{name} (Failed because of something)"
