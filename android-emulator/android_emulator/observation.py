"""Looking at an emulated phone, and waiting for what must become true of it."""

from collections.abc import Callable, Sequence
from typing import Final

from android_emulator.channel import Closed
from android_emulator.conditions import PATIENCE_SECONDS, Conditions
from android_emulator.handset import Handset
from android_emulator.store import Store
from android_emulator.uplink import Uplink
from device_protocol.frames import Bye, JobState
from device_protocol.phone_store import PhoneJob, StoredEvent

_ALL: Final = 1_000_000


class ObservedPhone:
    """The part of an emulated phone that changes nothing."""

    _handset: Handset | None = None
    _uplink: Uplink | None = None

    def __init__(self) -> None:
        self._conditions = Conditions(self.describe)

    @property
    def handset(self) -> Handset:
        """The running app. RuntimeError: the phone is off."""
        if self._handset is None:
            raise RuntimeError("this phone is off")
        return self._handset

    @property
    def uplink(self) -> Uplink:
        if self._uplink is None:
            raise RuntimeError("this phone is off")
        return self._uplink

    @property
    def store(self) -> Store:
        return self.handset.store

    @property
    def is_on(self) -> bool:
        return self._handset is not None

    @property
    def is_online(self) -> bool:
        """Whether the hub has welcomed the present connection."""
        return self._handset is not None and self._handset.is_live

    @property
    def last_bye(self) -> Bye | None:
        """How the hub said goodbye."""
        return self.handset.last_bye

    @property
    def last_closed(self) -> Closed | None:
        """How the last connection ended."""
        return self.uplink.last_closed

    def jobs(self, recipient: str | None = None) -> list[PhoneJob]:
        """Jobs in the phone's memory, finished ones too, in the order they came."""
        unsettled = {job.id: job for job in self.store.unsettled_jobs()}
        known = {job.id: job for job in self.store.past_jobs(0, _ALL)} | unsettled
        return [job for job in known.values() if recipient in (None, job.job.to)]

    def events(self, event_type: str | None = None) -> list[StoredEvent]:
        """Events on the phone's disk, acknowledged or not, by number."""
        return [event for event in self.store.events(0, _ALL) if event_type in (None, event.event_type)]

    def describe(self) -> str:
        """One sentence on how things stand, for errors."""
        if self._handset is None:
            return "The phone is off."
        facts = self.store.facts()
        states = ", ".join(f"{job.job.to}={job.state.value}" for job in self.store.unsettled_jobs()) or "none"
        return (
            f"The phone is {self._handset.session.state.value}, connection {facts.connect}, events {facts.acked} of "
            f"{facts.next_number - 1} acknowledged, open jobs: {states}, last end: {self.uplink.last_closed}."
        )

    # --- waiting

    async def until(self, holds: Callable[[], bool], what: str, seconds: float | None = PATIENCE_SECONDS) -> None:
        """Return once `holds()`; looked at after each step of this phone. TimeoutError names `what`."""
        await self._conditions.until(holds, what, seconds)

    def look_again(self) -> None:
        """Something outside the phone changed that somebody may be waiting for with `until`."""
        self._conditions.look_again()

    async def wait_online(self) -> None:
        await self.until(lambda: self.is_online, "the phone is online")

    async def wait_offline(self) -> None:
        await self.until(lambda: not self.is_online, "the phone is offline")

    async def wait_reconnected(self, connections: int) -> None:
        """Online in a later connection than the first `connections` of this process (`uplink.connections`)."""
        await self.until(
            lambda: self.is_online and self.uplink.connections > connections, "the phone has connected again"
        )

    async def wait_job(self, recipient: str, *states: JobState, text: str | None = None) -> PhoneJob:
        """The first job to a recipient in one of these states (any without), optionally with this very text."""
        found: list[PhoneJob] = []

        def holds() -> bool:
            found[:] = [
                job
                for job in self.jobs(recipient)
                if (not states or job.state in states) and text in (None, job.job.text)
            ]
            return bool(found)

        wanted = " or ".join(state.value for state in states) or "known"
        await self.until(holds, f"a job to {recipient} is {wanted}")
        return found[0]

    async def wait_sent(self, recipient: str, *, text: str | None = None) -> PhoneJob:
        """The radio took every segment of a text to this recipient."""
        return await self.wait_job(recipient, JobState.SENT, text=text)

    async def wait_event(self, event_type: str, count: int = 1) -> Sequence[StoredEvent]:
        """So many events of a type are on the phone's disk."""
        await self.until(lambda: len(self.events(event_type)) >= count, f"{count} event(s) {event_type}")
        return self.events(event_type)

    async def wait_acknowledged(self) -> None:
        """The hub has every event of this phone."""
        await self.until(
            lambda: self.store.facts().acked >= self.store.facts().next_number - 1, "every event is acknowledged"
        )
