"""Many phones in one process: for load, and for a sandbox with more than one number.

Phones of a fleet keep their memory in this process, share one clock look every few seconds, and connect a few at a time. A phone costs
about twenty KiB besides its socket.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Final, Self

from android_emulator.air import Air, MemoryAir
from android_emulator.cell_network import CellNetwork
from android_emulator.phone import EmulatedPhone
from android_emulator.report import Report, report_on
from android_emulator.sim import SimCard
from android_emulator.uplink import Timing, Transport

Invite = Callable[[int], Awaitable[str]]
"""Gives the QR text for the phone of this index."""
CONNECTING_AT_ONCE: Final = 64
TICKED_AT_ONCE: Final = 100


def fleet_number(index: int) -> str:
    """A number for each phone of a fleet: +1 500 NXX XXXX, which North America gives to no subscriber line."""
    return f"+1500{2_000_000 + index:07d}"


class Fleet:
    """`async with Fleet(5000, invite) as fleet` enrols all of them and waits until they are online."""

    def __init__(
        self,
        count: int,
        invite: Invite,
        *,
        air: Air | None = None,
        network: CellNetwork | None = None,
        timing: Timing | None = None,
        transport: Transport = "websocket",
        os_segments_per_minute: int = 0,
        say: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        self.air = air or MemoryAir()
        self.network = network or CellNetwork()
        self.timing = timing or Timing()
        self._invite = invite
        self._say = say
        self._ticking: asyncio.Task[None] | None = None
        self.phones: Sequence[EmulatedPhone] = [
            EmulatedPhone(
                sims=[SimCard(f"fleet-{index}", fleet_number(index))],
                network=self.network,
                air=self.air,
                timing=self.timing,
                transport=transport,
                os_segments_per_minute=os_segments_per_minute,
                is_ticking=False,
            )
            for index in range(count)
        ]

    async def __aenter__(self) -> Self:
        await self.switch_on()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.switch_off()

    async def switch_on(self) -> None:
        """Enrol what is not enrolled, connect, and return when everyone is online."""
        self._ticking = asyncio.create_task(self._tick_for_ever())
        await self._each(self._bring_online)

    async def switch_off(self) -> None:
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.gather(self._ticking, return_exceptions=True)
        await self._each(_switch_off)

    @property
    def online(self) -> int:
        return sum(phone.is_online for phone in self.phones)

    def report(self) -> Report:
        """What was sent, received, lost and doubled so far."""
        aired = self.air.aired if isinstance(self.air, MemoryAir) else []
        return report_on(self.phones, aired)

    async def _bring_online(self, phone: EmulatedPhone) -> None:
        await phone.switch_on()
        if phone.device_id is None:
            await phone.enrol(await self._invite(self.phones.index(phone)))
        await phone.wait_online()

    async def _each(self, act: Callable[[EmulatedPhone], Awaitable[None]]) -> None:
        turns = asyncio.Semaphore(CONNECTING_AT_ONCE)
        done = 0

        async def take_turn(phone: EmulatedPhone) -> None:
            nonlocal done
            async with turns:
                await act(phone)
            done += 1
            if done % 500 == 0 or done == len(self.phones):
                self._say(f"{done} of {len(self.phones)} phones")

        try:
            async with asyncio.TaskGroup() as group:
                for phone in self.phones:
                    group.create_task(take_turn(phone))
        except ExceptionGroup as errors:
            # What stops one phone stops them all the same way: one of the errors says it.
            raise errors.exceptions[0] from errors

    async def _tick_for_ever(self) -> None:
        while True:
            pause = self.timing.tick / max(1, len(self.phones) // TICKED_AT_ONCE)
            for index, phone in enumerate(self.phones):
                if phone.is_on:
                    phone.tick()
                if index % TICKED_AT_ONCE == TICKED_AT_ONCE - 1:
                    await asyncio.sleep(pause)
            await asyncio.sleep(pause)


async def _switch_off(phone: EmulatedPhone) -> None:
    if phone.is_on:
        await phone.switch_off()
