"""One step of a phone: what to commit, what to send then, and whether the radio may be used; and the draft that gathers it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from device_protocol.errors import CloseReason
from device_protocol.frames import Bye, Config, JobRef, PhoneFrame
from device_protocol.phone_store import (
    DeleteEventsBelow,
    DeleteJob,
    PhoneFacts,
    PhoneJob,
    PhoneStore,
    PutEvent,
    PutFacts,
    PutJob,
    StoredEvent,
    Write,
)
from device_protocol.states import SessionState


@dataclass(frozen=True, slots=True)
class PhoneSession:
    """What a phone forgets when its process ends.

    `goes` are the permissions of the present connection. `sent` is the highest event number sent in it.
    `offset` is the hub's clock minus the phone's, in ms. Times are the phone's steady clock in ms. `strikes` counts
    closes for a bad frame since the last acknowledgement.
    """

    state: SessionState = SessionState.OFFLINE
    session_no: int | None = None
    goes: frozenset[JobRef] = frozenset()
    sent: int = 0
    offset: int = 0
    heard_at: int = 0
    pinged_at: int = 0
    ping: int = 0
    is_recalling: bool = False
    strikes: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """What the shell does, in this order: commit `writes` durably in one transaction (none: no commit), keep `session`,
    send `frames`, apply `config`, hand `permit` to the radio, close the connection when `close` is set.
    """

    session: PhoneSession
    writes: tuple[Write, ...] = ()
    frames: tuple[PhoneFrame, ...] = ()
    close: CloseReason | None = None
    permit: PhoneJob | None = None
    config: Config | None = None


@dataclass(slots=True)
class Draft:
    """A step being made: the store as it will be after the writes gathered so far."""

    session: PhoneSession
    store: PhoneStore
    now: int
    facts: PhoneFacts = field(init=False)
    frames: list[PhoneFrame] = field(default_factory=list)
    close: CloseReason | None = None
    permit: PhoneJob | None = None
    config: Config | None = None
    _jobs: dict[str, PhoneJob | None] = field(default_factory=dict)
    _events: list[StoredEvent] = field(default_factory=list)
    _keep_from: int = 0

    def __post_init__(self) -> None:
        self.facts = self.store.facts()

    def job(self, id: str) -> PhoneJob | None:
        """The job as it will be."""
        return self._jobs[id] if id in self._jobs else self.store.job(id)

    def put_job(self, job: PhoneJob) -> None:
        """Write a job."""
        self._jobs[job.id] = job

    def delete_job(self, id: str) -> None:
        """Remove a job."""
        self._jobs[id] = None

    def put_event(self, event: StoredEvent) -> None:
        """Append an event; the next number moves on in the same commit."""
        self._events.append(event)
        self.facts = replace(self.facts, next_number=event.number + 1)

    def delete_events_below(self, number: int) -> None:
        """Remove old events."""
        self._keep_from = number

    def events(self, first: int, limit: int) -> Sequence[StoredEvent]:
        """Events as they will be."""
        stored = [event for event in self.store.events(first, limit) if event.number >= self._keep_from]
        fresh = [event for event in self._events if event.number >= first]
        return [*stored, *fresh][:limit]

    def oldest_held(self) -> int:
        """The lowest event number on disk; the next number when there is none."""
        oldest = self.events(max(self._keep_from, 0), 1)
        return oldest[0].number if oldest else self.facts.next_number

    def say(self, *frames: PhoneFrame) -> None:
        """Send after the commit."""
        self.frames.extend(frames)

    def hang_up(self, reason: CloseReason) -> None:
        """Close after the commit; permissions of this connection stay until the next hello."""
        self.say(Bye(reason.code, reason.word))
        self.close = reason
        self.session = replace(self.session, state=SessionState.OFFLINE)

    def finish(self) -> Step:
        """The step."""
        return Step(self.session, self._writes(), tuple(self.frames), self.close, self.permit, self.config)

    def _writes(self) -> tuple[Write, ...]:
        writes: list[Write] = [PutEvent(event) for event in self._events]
        for id, job in self._jobs.items():
            writes.append(DeleteJob(id) if job is None else PutJob(job))
        if self._keep_from:
            writes.append(DeleteEventsBelow(self._keep_from))
        if self.facts != self.store.facts():
            writes.append(PutFacts(self.facts))
        return tuple(writes)
