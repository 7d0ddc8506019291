"""What a phone keeps on disk, the writes that change it, and an in-memory store that obeys them.

The rules in phone_side.py only read a store and return writes; the shell commits all writes of one step in one durable
transaction before it sends that step's frames or touches the radio. The disk is excluded from device backups.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Protocol, TypeAlias

from device_protocol.frames import HeldJob, Job, JobRef, JobState
from device_protocol.states import OPEN


@dataclass(frozen=True, slots=True)
class PhoneFacts:
    """The single row of the store. `acked`: the hub has every event up to this number."""

    stream: str
    connect: int = 0
    next_number: int = 1
    acked: int = 0
    hub_epoch: str | None = None
    is_diverged: bool = False


@dataclass(frozen=True, slots=True)
class SegmentResult:
    """What the radio said of one segment; `code` -1 is OK."""

    segment: int
    code: int


@dataclass(frozen=True, slots=True)
class PhoneJob:
    """A job on disk. `final_number` is the number of its last event once it is no longer open.

    `job` is the frame as it came; the shell may blank its text when the job is settled and past.
    """

    job: Job
    state: JobState
    results: tuple[SegmentResult, ...] = ()
    segments: int | None = None
    final_number: int | None = None
    submitted_at: int | None = None
    finished_at: int | None = None

    @property
    def id(self) -> str:
        """The message."""
        return self.job.id

    @property
    def submission(self) -> int:
        """Which offer of it."""
        return self.job.submission

    @property
    def ref(self) -> JobRef:
        """Both."""
        return JobRef(self.job.id, self.job.submission)

    @property
    def held(self) -> HeldJob:
        """As hello and recalled tell it."""
        return HeldJob(self.job.id, self.job.submission, self.state)


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event on disk; `at` in ms, `payload` is JSON."""

    number: int
    uuid: str
    event_type: str
    at: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class PutFacts:
    """Replace the single row."""

    facts: PhoneFacts


@dataclass(frozen=True, slots=True)
class PutJob:
    """Insert or replace the job of this id."""

    job: PhoneJob


@dataclass(frozen=True, slots=True)
class DeleteJob:
    """Remove the job of this id."""

    id: str


@dataclass(frozen=True, slots=True)
class PutEvent:
    """Append an event."""

    event: StoredEvent


@dataclass(frozen=True, slots=True)
class DeleteEventsBelow:
    """Remove events with a lower number; only ever acknowledged ones."""

    number: int


Write: TypeAlias = PutFacts | PutJob | DeleteJob | PutEvent | DeleteEventsBelow


class PhoneStore(Protocol):
    """What the rules read. Jobs come in the order they were first stored, events in number order."""

    def facts(self) -> PhoneFacts:
        """The single row."""

    def job(self, id: str) -> PhoneJob | None:
        """The job of this id."""

    def unsettled_jobs(self) -> Sequence[PhoneJob]:
        """Jobs that are open, or whose final event has a number above `acked`."""

    def past_jobs(self, offset: int, limit: int) -> Sequence[PhoneJob]:
        """Jobs that are not `accepted`, in stored order."""

    def events(self, first: int, limit: int) -> Sequence[StoredEvent]:
        """Events numbered `first` and up, at most `limit`."""

    def oldest_event(self) -> StoredEvent | None:
        """The event with the lowest number."""

    def event_count(self) -> int:
        """All events on disk."""


def is_settled(job: PhoneJob, acked: int) -> bool:
    """Whether the hub has acknowledged everything this job will ever tell."""
    return job.state not in OPEN and (job.final_number or 0) <= acked


class MemoryPhoneStore:
    """A store in memory: for emulated phones and tests. `snapshot` and `restore` play a disk image."""

    def __init__(self, facts: PhoneFacts) -> None:
        self._facts = facts
        self._jobs: dict[str, PhoneJob] = {}
        self._unsettled: dict[str, PhoneJob] = {}
        self._events: list[StoredEvent] = []

    def facts(self) -> PhoneFacts:
        return self._facts

    def job(self, id: str) -> PhoneJob | None:
        return self._jobs.get(id)

    def unsettled_jobs(self) -> list[PhoneJob]:
        return list(self._unsettled.values())

    def past_jobs(self, offset: int, limit: int) -> list[PhoneJob]:
        past = (job for job in self._jobs.values() if job.state is not JobState.ACCEPTED)
        return list(islice(past, offset, offset + limit))

    def events(self, first: int, limit: int) -> list[StoredEvent]:
        start = bisect_left(self._events, first, key=lambda event: event.number)
        return self._events[start : start + limit]

    def oldest_event(self) -> StoredEvent | None:
        return self._events[0] if self._events else None

    def event_count(self) -> int:
        return len(self._events)

    def apply(self, writes: Iterable[Write]) -> None:
        """Carry out one step's writes."""
        for write in writes:
            self._apply(write)

    def _apply(self, write: Write) -> None:
        if isinstance(write, PutFacts):
            self._put_facts(write.facts)
        elif isinstance(write, PutJob):
            self._jobs[write.job.id] = write.job
            self._index(write.job)
        elif isinstance(write, DeleteJob):
            self._jobs.pop(write.id, None)
            self._unsettled.pop(write.id, None)
        elif isinstance(write, PutEvent):
            self._events.append(write.event)
        else:
            del self._events[: bisect_left(self._events, write.number, key=lambda event: event.number)]

    def _put_facts(self, facts: PhoneFacts) -> None:
        went_back = facts.acked < self._facts.acked
        moved = facts.acked != self._facts.acked
        self._facts = facts
        if moved:
            for job in list((self._jobs if went_back else self._unsettled).values()):
                self._index(job)

    def _index(self, job: PhoneJob) -> None:
        if is_settled(job, self._facts.acked):
            self._unsettled.pop(job.id, None)
        else:
            self._unsettled[job.id] = job

    def snapshot(self) -> "MemoryPhoneStore":
        """A copy, as a disk image would hold it."""
        copy = MemoryPhoneStore(replace(self._facts))
        copy._jobs = dict(self._jobs)
        copy._unsettled = dict(self._unsettled)
        copy._events = list(self._events)
        return copy
