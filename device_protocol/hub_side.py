"""The hub's side of a connection: what `hello` changes, and the fence that lets only the newest connection write.

Storage calls `HubRules.hello` in the transaction that holds the device's row lock: it raises `session_no`, so that from
its commit on every write for an older connection is refused by `is_current`. The order after that commit is: close the
older connection `superseded`, send `welcome`, then the frames, then the offers, then `resend`.
"""

from dataclasses import dataclass, replace
from typing import TypeAlias

from device_protocol.errors import STALE_HELLO
from device_protocol.frames import AckPoint, Bye, Hello, HubFrame, JobRef, Recall, Recalled, Welcome
from device_protocol.handover import Decision, Greeting, HandoverRules, HubJob, Phone, Verdict
from device_protocol.limits import ACKED_EVENTS_SECONDS
from device_protocol.numbering import Gap, NumberingRules, StreamChoice, StreamMemory
from device_protocol.wire_types import write_utc


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """A device as storage has it, read under its row lock.

    `connect` is the highest connect counter seen, `session_no` the number of the only connection that may write.
    `streams` are the event streams, the current one last. `recalled_epoch` is the hub epoch in which this phone last
    answered `recall` to the end; a device enrolled in this epoch has it from the start.
    """

    device: str
    connect: int = 0
    session_no: int = 0
    streams: tuple[StreamMemory, ...] = ()
    recalled_epoch: str | None = None


@dataclass(frozen=True, slots=True)
class HubMemory:
    """What the hub knows of itself: its epoch (changed by a restore), whether it holds sending, and its clock in ms."""

    epoch: str
    is_held: bool
    now: int


@dataclass(frozen=True, slots=True)
class Welcomed:
    """`hello` is taken. Write `memory`, `gaps` and `verdicts`; after the commit send `frames` and `offer_again` in order.

    `frames` begin with `welcome`. With `is_renumbering` the phone closes after it; nothing else follows.
    """

    memory: DeviceMemory
    welcome: Welcome
    gaps: tuple[Gap, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    frames: tuple[HubFrame, ...] = ()
    offer_again: tuple[JobRef, ...] = ()

    @property
    def is_renumbering(self) -> bool:
        """Whether the phone was told a new stream."""
        return self.welcome.new_stream is not None


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """`hello` changes nothing: send `bye` and close this connection, leave any other alone."""

    bye: Bye


HelloAnswer: TypeAlias = Welcomed | TurnedAway


@dataclass(frozen=True, slots=True)
class RecallStep:
    """A page of `recalled`: verdicts to write, the next question, or the end (then write `memory`)."""

    decision: Decision
    memory: DeviceMemory
    next_question: Recall | None = None


class HubRules(HandoverRules, NumberingRules):
    """All rules of the hub's side; handover.py and numbering.py hold the parts. They keep no state."""

    def phone_of(self, memory: DeviceMemory, hub: HubMemory) -> Phone:
        """Who speaks, for the handover rules."""
        return Phone(memory.device, is_held=hub.is_held, has_news=memory.recalled_epoch != hub.epoch)

    def hello(
        self, memory: DeviceMemory, hub: HubMemory, hello: Hello, jobs: dict[str, HubJob], fresh_stream: str
    ) -> HelloAnswer:
        """Everything one `hello` changes. `jobs` by id: all it lists, and all offered or bound to this device."""
        if not self._is_newer(memory, hello):
            return TurnedAway(self._stale(memory))
        choice = self.choose_stream(memory.streams, hello, fresh_stream)
        raised = replace(memory, connect=hello.connect, session_no=memory.session_no + 1, streams=choice.streams)
        greeting = self.greet(self.phone_of(memory, hub), hello.jobs, jobs)
        return self._welcome(raised, hub, choice, greeting)

    def is_current(self, memory: DeviceMemory, session_no: int) -> bool:
        """The fence: whether an input that came on connection `session_no` may still change anything."""
        return session_no == memory.session_no

    def recall_page(self, memory: DeviceMemory, hub: HubMemory, page: Recalled, jobs: dict[str, HubJob]) -> RecallStep:
        """One page of a phone's memory, applied like reports; the last page ends this phone's part of the hold."""
        phone = self.phone_of(memory, hub)
        decision = Decision()
        for held in page.jobs:
            decision += self.recalled(phone, held, jobs.get(held.id))
        if page.cursor is not None:
            return RecallStep(decision, memory, self._question(hub, page.cursor))
        return RecallStep(decision, replace(memory, recalled_epoch=hub.epoch))

    def may_end_hold(self, devices: tuple[DeviceMemory, ...], hub: HubMemory) -> bool:
        """Whether every enrolled phone has told what it knows. Then deferred reports are judged again, in the same
        transaction, and all phone sockets are closed `hold_ended`: the fresh hellos decide.
        """
        return all(memory.recalled_epoch == hub.epoch for memory in devices)

    def _is_newer(self, memory: DeviceMemory, hello: Hello) -> bool:
        """A hello of an older connection may arrive late; taking it would close the newer one, over and over."""
        return hello.connect > memory.connect

    def _stale(self, memory: DeviceMemory) -> Bye:
        return Bye(STALE_HELLO.code, STALE_HELLO.word, connect=memory.connect)

    def _welcome(self, memory: DeviceMemory, hub: HubMemory, choice: StreamChoice, greeting: Greeting) -> Welcomed:
        current = choice.current
        welcome = Welcome(
            memory.session_no,
            hub.epoch,
            write_utc(hub.now),
            {current.stream: AckPoint(current.contiguous, current.uuid)},
            greeting.keep,
            greeting.drop,
            choice.new_stream,
        )
        decision = greeting.decision
        if choice.new_stream is not None:
            return Welcomed(memory, welcome, choice.gaps, decision.verdicts, (welcome,))
        frames: tuple[HubFrame, ...] = (welcome, *decision.frames)
        frames += (choice.resend,) if choice.resend is not None else ()
        frames += (self._question(hub, None),) if memory.recalled_epoch != hub.epoch else ()
        return Welcomed(memory, welcome, choice.gaps, decision.verdicts, frames, decision.offer_again)

    def _question(self, hub: HubMemory, cursor: int | None) -> Recall:
        return Recall(write_utc(hub.now - ACKED_EVENTS_SECONDS * 1000), cursor)
