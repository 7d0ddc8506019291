"""The radio of an emulated phone: hands segments to the air and tells, per segment, what became of them.

It behaves as Android's SMS stack does: a result per segment, delivery reports that come late or never, and the system's own limit of 30
segments a minute for one app (`sms_outgoing_check_max_count`, AOSP SmsUsageMonitor), above which a dialog nobody sees refuses.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from android_emulator.air import Air, Segment
from android_emulator.cell_network import CellNetwork, Text
from android_emulator.clock import Clock
from android_emulator.magic_numbers import MagicNumbers
from android_emulator.pace import SegmentWindow
from android_emulator.radio_outcomes import LIMIT_EXCEEDED, NO_SERVICE, RADIO_OFF, Outcome, OutcomeScript, Report
from android_emulator.result_codes import ResultCode

TP_DELIVERED: Final = 0x00
TP_STILL_TRYING: Final = 0x20
TP_FAILED: Final = 0x40
"""TP-Status values (3GPP TS 23.040 §9.2.3.15): congestion and still trying; permanent error, no more tries."""


class Service(Enum):
    IN_SERVICE = "in_service"
    NO_SERVICE = "no_service"
    OFF = "off"
    """Airplane mode."""


@dataclass(frozen=True, slots=True)
class RadioCall:
    """One text handed to the radio."""

    sender: str
    """Number of the card it leaves from."""
    recipient: str
    segments: Sequence[str]
    wants_report: bool = True
    media: tuple[str, ...] = ()
    """Of an MMS, as `air.Segment` has them."""

    @property
    def text(self) -> str:
        return "".join(self.segments)


@dataclass(frozen=True, slots=True)
class RadioListener:
    """Whom the radio tells; segments are counted from 0."""

    on_result: Callable[[int, int, int | None], Awaitable[None]]
    """(segment, result code, the network's own cause)."""
    on_report: Callable[[int, int], Awaitable[None]]
    """(segment, TP-Status)."""


class Radio:
    """One phone's radio. Texts leave one after the other; delivery reports are waited for in the background."""

    def __init__(
        self,
        air: Air,
        clock: Clock,
        *,
        network: CellNetwork | None = None,
        script: OutcomeScript | None = None,
        os_segments_per_minute: int = 30,
    ) -> None:
        self.service = Service.IN_SERVICE
        self.script = script or OutcomeScript(MagicNumbers().outcome_for)
        self.os_limit = SegmentWindow(clock, os_segments_per_minute)
        self._air = air
        self._clock = clock
        self._network = network
        self._turn = asyncio.Lock()
        self._reports: set[asyncio.Task[None]] = set()

    async def send(self, call: RadioCall, listener: RadioListener) -> None:
        """Returns once every segment has its result, or at once when none will ever come."""
        async with self._turn:
            outcome = self._outcome(call)
            if outcome.delay_seconds:
                await self._clock.sleep(outcome.delay_seconds)
            for segment in range(len(call.segments)):
                await self._send_segment(call, segment, outcome, listener)
        if all(outcome.is_aired(segment) for segment in range(len(call.segments))):
            self._await_report(call, outcome, listener)

    async def aclose(self) -> None:
        """Stop waiting for delivery reports: the phone is off and will never hear of them."""
        reports = list(self._reports)
        for report in reports:
            report.cancel()
        await asyncio.gather(*reports, return_exceptions=True)

    def _outcome(self, call: RadioCall) -> Outcome:
        if self.service is Service.OFF:
            return RADIO_OFF
        if self.service is Service.NO_SERVICE:
            return NO_SERVICE
        if not self._os_admits(len(call.segments)):
            return LIMIT_EXCEEDED
        return self.script.choose(call.recipient, call.text)

    def _os_admits(self, segments: int) -> bool:
        limit = self.os_limit
        if limit.segments and (segments > limit.segments or limit.wait_seconds(segments) > 0):
            return False
        limit.count(segments)
        return True

    async def _send_segment(self, call: RadioCall, segment: int, outcome: Outcome, listener: RadioListener) -> None:
        if outcome.is_aired(segment):
            await self._air.carry(
                Segment(call.sender, call.recipient, call.text, segment, len(call.segments), media=call.media)
            )
        if not outcome.has_results:
            return
        code = outcome.code_of(segment)
        network_code = outcome.network_code if code == ResultCode.GENERIC_FAILURE else None
        await listener.on_result(segment, code, network_code)

    def _await_report(self, call: RadioCall, outcome: Outcome, listener: RadioListener) -> None:
        task = asyncio.create_task(self._deliver(call, outcome, listener))
        self._reports.add(task)
        task.add_done_callback(self._reports.discard)

    async def _deliver(self, call: RadioCall, outcome: Outcome, listener: RadioListener) -> None:
        if outcome.report is Report.STILL_TRYING:
            await self._report(call, TP_STILL_TRYING, outcome, listener)
        if outcome.report is Report.FAILED:
            return await self._report(call, TP_FAILED, outcome, listener)
        arrived = True
        if self._network is not None:
            arrived = await self._network.carry(Text(call.sender, call.recipient, call.text))
        if outcome.report is not Report.NONE:
            status = TP_DELIVERED if arrived or outcome.report is Report.DELIVERED else TP_FAILED
            await self._report(call, status, outcome, listener)

    async def _report(self, call: RadioCall, status: int, outcome: Outcome, listener: RadioListener) -> None:
        if not call.wants_report:
            return
        if outcome.report_delay_seconds:
            await self._clock.sleep(outcome.report_delay_seconds)
        for segment in range(len(call.segments)):
            await listener.on_report(segment, status)
