"""A small world of one hub and phones around the real rules: every record is immutable, every fault is a step.

The hub part plays storage: it carries out verdicts and refuses what the tables forbid. The phone part plays the shell:
it commits a step's writes, then sends. What stands between them (connections that die with frames in them, old ones
that deliver late, effects that wait in an outbox) is in network.py.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from msgspec import structs

from device_protocol.codec import decode_from_hub, decode_from_phone, encode
from device_protocol.frames import (
    Accepted,
    AnyFrame,
    App,
    Event,
    Gone,
    Hello,
    HubFrame,
    Job,
    JobRef,
    JobState,
    Line,
    Recalled,
    Refused,
    TooLate,
)
from device_protocol.handover import (
    Adopt,
    AskCancel,
    Bind,
    Conclude,
    Decision,
    Doubt,
    HubJob,
    Note,
    Release,
    ReportFate,
    ReportKind,
    Verdict,
)
from device_protocol.hub_side import DeviceMemory, HubMemory, HubRules, TurnedAway
from device_protocol.numbering import Gap, Numbered
from device_protocol.payloads import (
    Payload,
    Quarantined,
    SmsCancelled,
    SmsExpired,
    SmsFailed,
    SmsReceived,
    SmsSent,
    SmsUncertain,
    decode_payload,
)
from device_protocol.phone_side import About, PhoneRules, PhoneSession, Step
from device_protocol.phone_step import Draft
from device_protocol.phone_store import (
    DeleteEventsBelow,
    DeleteJob,
    PhoneFacts,
    PhoneJob,
    PutEvent,
    PutFacts,
    PutJob,
    StoredEvent,
    Write,
    is_settled,
)
from device_protocol.states import HUB_JOB, PHONE_JOB, HubJobState
from device_protocol.wire_types import write_utc

TTL_MS = 1000
"""Time to live of every message in the small world; its clock stands at 0, at TTL_MS, or past the hub's grace."""
ABOUT = About(App("test"))
LINE = Line(1, 0, "carrier/0000")


class Broken(AssertionError):
    """A promise is broken; the trace that led here is the test's message."""


# --- the phone


@dataclass(frozen=True, slots=True)
class FrozenStore:
    """A phone's disk as a value."""

    facts_row: PhoneFacts
    jobs: tuple[PhoneJob, ...] = ()
    log: tuple[StoredEvent, ...] = ()

    def facts(self) -> PhoneFacts:
        return self.facts_row

    def job(self, id: str) -> PhoneJob | None:
        return next((job for job in self.jobs if job.id == id), None)

    def unsettled_jobs(self) -> list[PhoneJob]:
        return [job for job in self.jobs if not is_settled(job, self.facts_row.acked)]

    def past_jobs(self, offset: int, limit: int) -> list[PhoneJob]:
        return [job for job in self.jobs if job.state is not JobState.ACCEPTED][offset : offset + limit]

    def events(self, first: int, limit: int) -> Sequence[StoredEvent]:
        start = bisect_left(self.log, first, key=lambda event: event.number)
        return self.log[start : start + limit]

    def oldest_event(self) -> StoredEvent | None:
        return self.log[0] if self.log else None

    def event_count(self) -> int:
        return len(self.log)

    def after(self, writes: Sequence[Write]) -> "FrozenStore":
        """The disk after one durable commit."""
        store = self
        for write in writes:
            store = store._after(write)
        return store

    def _after(self, write: Write) -> "FrozenStore":
        match write:
            case PutFacts(facts):
                return replace(self, facts_row=facts)
            case PutJob(job):
                self._check_move(job)
                others = tuple(known for known in self.jobs if known.id != job.id)
                return replace(self, jobs=(*others, job))
            case DeleteJob(id):
                return replace(self, jobs=tuple(job for job in self.jobs if job.id != id))
            case PutEvent(event):
                return replace(self, log=(*self.log, event))
            case DeleteEventsBelow(number):
                return replace(self, log=tuple(event for event in self.log if event.number >= number))

    def _check_move(self, job: PhoneJob) -> None:
        known = self.job(job.id)
        if known is None or known.state is job.state:
            return
        assert job.state in PHONE_JOB[known.state], f"phone job {known.state} -> {job.state}"


@dataclass(frozen=True, slots=True)
class PhonePart:
    """A phone: disk, memory, the job its driver has in hand, and how many event ids it ever made (survives a disk image,
    as randomness does)."""

    name: int
    store: FrozenStore
    session: PhoneSession = field(default_factory=PhoneSession)
    in_hand: JobRef | None = None
    on_air: JobRef | None = None
    uuids: int = 0
    told: frozenset[tuple[str, int]] = frozenset()
    """(uuid, number) of every event of this disk's history, kept for the check that none is lost."""


def new_phone(name: int) -> PhonePart:
    return PhonePart(name, FrozenStore(PhoneFacts(stream=f"first-{name}")))


@dataclass(frozen=True, slots=True)
class PhoneMove:
    """A phone after one input: the frames it sends, and whether it hangs up."""

    phone: PhonePart
    frames: tuple[str, ...] = ()
    is_closed: bool = False


class PhoneHands:
    """Carries out steps of the phone rules."""

    def __init__(self, rules: type[PhoneRules], refusals: frozenset[str] = frozenset()) -> None:
        self._count = 0
        self._name = 0
        self.rules = rules(self._uuid, lambda job: None)
        self.refusing = rules(self._uuid, lambda job: "no_service")

    def _uuid(self) -> str:
        self._count += 1
        return f"e{self._name}-{self._count}"

    def _begin(self, phone: PhonePart) -> None:
        self._name, self._count = phone.name, phone.uuids

    def _end(self, phone: PhonePart, step: Step) -> PhoneMove:
        in_hand = step.permit.ref if step.permit is not None else phone.in_hand
        fresh = {(write.event.uuid, write.event.number) for write in step.writes if isinstance(write, PutEvent)}
        phone = replace(
            phone,
            store=phone.store.after(step.writes),
            session=step.session,
            uuids=self._count,
            in_hand=in_hand,
            told=phone.told | fresh if fresh else phone.told,
        )
        is_closed = step.close is not None
        return PhoneMove(phone, tuple(encode(frame) for frame in step.frames), is_closed)

    def connect(self, phone: PhonePart, now: int) -> PhoneMove:
        self._begin(phone)
        return self._end(phone, self.rules.connect(phone.session, phone.store, ABOUT, now))

    def receive(self, phone: PhonePart, text: str, now: int, *, refuses: bool = False) -> PhoneMove:
        self._begin(phone)
        rules = self.refusing if refuses else self.rules
        step = rules.receive(phone.session, phone.store, decode_from_hub(text), now)
        move = self._end(phone, step)
        was_open = phone.session.state.value != "offline"
        return replace(move, is_closed=was_open and step.session.state.value == "offline")

    def submit(self, phone: PhonePart, ref: JobRef, now: int) -> PhoneMove:
        self._begin(phone)
        return self._end(phone, self.rules.submit(phone.session, phone.store, ref, now))

    def result(self, phone: PhonePart, ref: JobRef, segment: int, segments: int, code: int, now: int) -> PhoneMove:
        self._begin(phone)
        step = self.rules.segment_result(phone.session, phone.store, ref, segment, segments, code, now)
        return self._end(phone, step)

    def inbound(self, phone: PhonePart, now: int) -> PhoneMove:
        self._begin(phone)
        payload = SmsReceived("+1", write_utc(now), 1, text="x")
        return self._end(phone, self.rules.record(phone.session, phone.store, payload, now))

    def restart(self, phone: PhonePart, now: int, *, is_own_store: bool = True) -> PhonePart:
        """The process died (memory and the driver's hand are empty) and comes up again on its disk."""
        self._begin(phone)
        step = self.rules.start(phone.store, now, is_own_store=is_own_store)
        bare = replace(phone, session=PhoneSession(), in_hand=None, on_air=None)
        return self._end(bare, step).phone

    def age(self, phone: PhonePart, now: int) -> PhonePart:
        """A week passes, as far as the disk is concerned."""
        self._begin(phone)
        draft = Draft(phone.session, phone.store, now + 8 * 24 * 3600 * 1000)
        self.rules._prune(draft)
        return self._end(phone, draft.finish()).phone

    def disconnect(self, phone: PhonePart) -> PhonePart:
        return replace(phone, session=self.rules.disconnected(phone.session))


# --- the hub


@dataclass(frozen=True, slots=True)
class Message:
    """A row of the message table."""

    job: HubJob
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class Deferred:
    """A failure report stored in a hold."""

    device: str
    ref: JobRef


@dataclass(frozen=True, slots=True)
class HubPart:
    """The hub's database as a value."""

    devices: tuple[DeviceMemory, ...]
    messages: tuple[Message, ...]
    epoch: int = 0
    is_held: bool = False
    next_submission: int = 1
    stored: frozenset[str] = frozenset()
    gaps: frozenset[tuple[str, str, int]] = frozenset()
    deferred: tuple[Deferred, ...] = ()
    streams_made: int = 0

    def message(self, id: str) -> Message | None:
        return next((message for message in self.messages if message.job.id == id), None)


@dataclass(frozen=True, slots=True)
class Effect:
    """A frame that waits in the outbox: whose, and decided on which connection."""

    device: int
    session_no: int
    text: str


@dataclass(frozen=True, slots=True)
class HubMove:
    """The hub after one input: effects for the outbox; `session_no` when hello was taken."""

    hub: HubPart
    effects: tuple[Effect, ...] = ()
    session_no: int | None = None
    is_turned_away: bool = False
    closes_all: bool = False


def new_hub(phones: int, messages: int) -> HubPart:
    devices = tuple(DeviceMemory(f"d{index}", recalled_epoch="epoch0") for index in range(phones))
    rows = tuple(Message(HubJob(f"m{index}", HubJobState.QUEUED)) for index in range(messages))
    return HubPart(devices, rows)


class HubHands:
    """Carries out decisions of the hub rules, as storage would, and checks each against the table."""

    def __init__(self, rules: HubRules, job_frame: Callable[[JobRef], Job] | None = None) -> None:
        self.rules = rules
        self.job_frame = job_frame or short_lived_job

    def memory(self, hub: HubPart, now: int) -> HubMemory:
        return HubMemory(f"epoch{hub.epoch}", hub.is_held, now)

    # --- verdicts

    def write(self, hub: HubPart, device: str, verdicts: Sequence[Verdict]) -> HubPart:
        for verdict in verdicts:
            hub = self._write(hub, device, verdict)
        return hub

    def _write(self, hub: HubPart, device: str, verdict: Verdict) -> HubPart:
        message = hub.message(verdict.ref.id)
        if message is None or isinstance(verdict, Note):
            return hub
        job, ref = message.job, verdict.ref
        match verdict:
            case Bind():
                return self._put(hub, message, HubJobState.BOUND)
            case Release():
                return self._put(hub, message, HubJobState.QUEUED)
            case Doubt():
                return self._put(hub, message, HubJobState.UNCERTAIN)
            case AskCancel():
                return self._swap(hub, replace(message, job=structs.replace(job, is_cancel_requested=True)))
            case Adopt(state=state):
                adopted = structs.replace(job, device=device, submission=ref.submission)
                if state is JobState.SENT:
                    return self._settle(hub, replace(message, job=adopted), "sent")
                return self._put(hub, replace(message, job=adopted), HubJobState.UNCERTAIN)
            case Conclude(state=state):
                return self._settle(hub, message, state.value)

    def _put(self, hub: HubPart, message: Message, state: HubJobState) -> HubPart:
        old = message.job.state
        assert state is old or state in HUB_JOB[old], f"hub job {old} -> {state}"
        device = None if state is HubJobState.QUEUED else message.job.device
        return self._swap(hub, replace(message, job=structs.replace(message.job, state=state, device=device)))

    def _settle(self, hub: HubPart, message: Message, outcome: str) -> HubPart:
        if message.job.state is HubJobState.SETTLED:
            return hub
        return self._put(hub, replace(message, outcome=outcome), HubJobState.SETTLED)

    def _swap(self, hub: HubPart, message: Message) -> HubPart:
        rows = tuple(message if row.job.id == message.job.id else row for row in hub.messages)
        return replace(hub, messages=rows)

    # --- what the hub does by itself

    def offer(self, hub: HubPart, id: str, device: int) -> HubMove | None:
        message = hub.message(id)
        if message is None or message.job.state is not HubJobState.QUEUED:
            return None
        if not self.rules.may_offer(0, 0.0, is_held=hub.is_held):
            return None
        memory = hub.devices[device]
        job = structs.replace(
            message.job, state=HubJobState.OFFERED, device=memory.device, submission=hub.next_submission
        )
        hub = replace(self._swap(hub, replace(message, job=job)), next_submission=hub.next_submission + 1)
        return HubMove(hub, (Effect(device, memory.session_no, encode(self.job_frame(job.ref))),))

    def fail_over(self, hub: HubPart, id: str) -> HubMove | None:
        message = hub.message(id)
        if message is None or message.job.state is not HubJobState.OFFERED or hub.is_held:
            return None
        return HubMove(self._put(hub, message, HubJobState.QUEUED))

    def cancel(self, hub: HubPart, id: str) -> HubMove | None:
        message = hub.message(id)
        if message is None or message.job.state is HubJobState.SETTLED or message.job.is_cancel_requested:
            return None
        decision = self.rules.cancel(message.job, is_held=hub.is_held)
        device = message.job.device
        hub = self.write(hub, device or "", decision.verdicts)
        if device is None:
            return HubMove(hub)
        index = int(device[1:])
        session_no = hub.devices[index].session_no
        return HubMove(hub, _effects(index, session_no, decision.frames))

    def expire(self, hub: HubPart, id: str) -> HubMove | None:
        """Time to live over: unbound messages expire, in a hold they wait."""
        message = hub.message(id)
        unbound = (HubJobState.QUEUED, HubJobState.OFFERED)
        if message is None or message.job.state not in unbound or hub.is_held:
            return None
        return HubMove(self._settle(hub, message, "expired"))

    def doubt(self, hub: HubPart, id: str) -> HubMove | None:
        """Time to live and the grace over: the bound become uncertain."""
        message = hub.message(id)
        if message is None or message.job.state is not HubJobState.BOUND:
            return None
        return HubMove(self._put(hub, message, HubJobState.UNCERTAIN))

    def restore(self, backup: HubPart, lost: HubPart, raise_by: int) -> HubPart:
        """A backup comes back: new epoch, sequences raised, sending held."""
        return replace(
            backup,
            epoch=lost.epoch + 1,
            is_held=True,
            next_submission=backup.next_submission + raise_by,
            streams_made=lost.streams_made,
        )

    # --- frames of a phone; several moves where the message table may decide either way

    def receive(self, hub: HubPart, device: int, session_no: int | None, text: str, now: int) -> Iterator[HubMove]:
        frame = decode_from_phone(text)
        memory = hub.devices[device]
        if isinstance(frame, Hello):
            if session_no is None:
                yield self._hello(hub, device, frame, now)
            return
        if session_no is None or not self.rules.is_current(memory, session_no):
            yield HubMove(hub)
            return
        yield from self._take(hub, device, session_no, frame, now)

    def _hello(self, hub: HubPart, device: int, hello: Hello, now: int) -> HubMove:
        memory = hub.devices[device]
        jobs = {row.job.id: row.job for row in hub.messages}
        fresh = f"made-{hub.streams_made}"
        answer = self.rules.hello(memory, self.memory(hub, now), hello, jobs, fresh)
        if isinstance(answer, TurnedAway):
            return HubMove(hub, (Effect(device, 0, encode(answer.bye)),), is_turned_away=True)
        made = hub.streams_made + (answer.welcome.new_stream is not None)
        hub = replace(self._put_device(hub, device, answer.memory), streams_made=made)
        hub = self._put_gaps(hub, memory.device, answer.gaps)
        hub = self.write(hub, memory.device, answer.verdicts)
        frames = (*answer.frames, *(self.job_frame(ref) for ref in answer.offer_again))
        session_no = answer.memory.session_no
        return HubMove(hub, _effects(device, session_no, frames), session_no)

    def _take(self, hub: HubPart, device: int, session_no: int, frame: AnyFrame, now: int) -> Iterator[HubMove]:
        memory = hub.devices[device]
        phone = self.rules.phone_of(memory, self.memory(hub, now))
        match frame:
            case Accepted(id=id, submission=submission):
                decision = self.rules.accepted(phone, JobRef(id, submission), self._job(hub, id))
            case Refused():
                decision = self.rules.refused(phone, frame, self._job(hub, frame.id))
            case TooLate():
                decision = self.rules.too_late(phone, frame, self._job(hub, frame.id))
            case Recalled():
                yield self._recalled(hub, device, session_no, frame, now)
                return
            case Event():
                yield from self._event(hub, device, session_no, frame, now)
                return
            case Gone():
                yield self._gone(hub, device, session_no, frame)
                return
            case _:
                decision = Decision()
        hub = self.write(hub, memory.device, decision.verdicts)
        yield HubMove(hub, _effects(device, session_no, decision.frames))

    def _job(self, hub: HubPart, id: str) -> HubJob | None:
        message = hub.message(id)
        return message.job if message is not None else None

    def _recalled(self, hub: HubPart, device: int, session_no: int, page: Recalled, now: int) -> HubMove:
        jobs = {row.job.id: row.job for row in hub.messages}
        step = self.rules.recall_page(hub.devices[device], self.memory(hub, now), page, jobs)
        hub = self.write(hub, hub.devices[device].device, step.decision.verdicts)
        hub = self._put_device(hub, device, step.memory)
        if step.next_question is not None:
            return HubMove(hub, _effects(device, session_no, (step.next_question,)))
        if hub.is_held and self.rules.may_end_hold(hub.devices, self.memory(hub, now)):
            return HubMove(self._end_hold(hub), closes_all=True)
        return HubMove(hub)

    def _end_hold(self, hub: HubPart) -> HubPart:
        """Deferred reports are judged again. (The retry policy here: a failure is final.)"""
        hub = replace(hub, is_held=False)
        for report in hub.deferred:
            hub = self._apply_failure(hub, report.device, report.ref, retries=False)
        return replace(hub, deferred=())

    def _event(self, hub: HubPart, device: int, session_no: int, event: Event, now: int) -> Iterator[HubMove]:
        memory = hub.devices[device]
        stream = memory.streams[-1]
        if event.uuid in hub.stored:
            applied = [hub]
        else:
            hub = replace(hub, stored=hub.stored | {event.uuid})
            applied = self._apply(hub, device, event, now)
        for after in applied:
            if event.stream != stream.stream:
                yield HubMove(after)
                continue
            numbered = self.rules.take_events(stream, [(event.n, event.uuid)])
            yield self._numbered(after, device, session_no, numbered)

    def _gone(self, hub: HubPart, device: int, session_no: int, gone: Gone) -> HubMove:
        stream = hub.devices[device].streams[-1]
        if gone.stream != stream.stream:
            return HubMove(hub)
        numbered = self.rules.take_gone(stream, gone.first, gone.last, gone.reason)
        return self._numbered(hub, device, session_no, numbered)

    def _numbered(self, hub: HubPart, device: int, session_no: int, numbered: Numbered) -> HubMove:
        memory = hub.devices[device]
        streams = (*memory.streams[:-1], numbered.memory)
        hub = self._put_device(hub, device, replace(memory, streams=streams))
        hub = self._put_gaps(hub, memory.device, numbered.gaps)
        frames: tuple[HubFrame, ...] = (numbered.ack,)
        if numbered.resend is not None:
            frames += (numbered.resend,)
        return HubMove(hub, _effects(device, session_no, frames))

    def _apply(self, hub: HubPart, device: int, event: Event, now: int) -> list[HubPart]:
        payload = decode_payload(event.event_type, event.payload)
        assert not isinstance(payload, Quarantined), payload
        kind = _kind(payload)
        if kind is None:
            return [hub]
        memory = hub.devices[device]
        phone = self.rules.phone_of(memory, self.memory(hub, now))
        ref = JobRef(payload.id, payload.submission)  # type: ignore[union-attr]
        job = self._job(hub, ref.id)
        match self.rules.judge_report(phone, ref, kind, job):
            case ReportFate.IGNORE:
                return [hub]
            case ReportFate.DEFER:
                return [replace(hub, deferred=(*hub.deferred, Deferred(memory.device, ref)))]
            case ReportFate.ADOPT:
                hub = self.write(hub, memory.device, (Adopt(ref, JobState.UNCERTAIN),))
        if kind is ReportKind.FAILED:
            retried = self._apply_failure(hub, memory.device, ref, retries=True)
            return [self._apply_failure(hub, memory.device, ref, retries=False), retried]
        return [self._apply_word(hub, ref, kind)]

    def _apply_word(self, hub: HubPart, ref: JobRef, kind: ReportKind) -> HubPart:
        message = hub.message(ref.id)
        assert message is not None
        if kind is ReportKind.UNCERTAIN:
            doubtful = message.job.state in (HubJobState.BOUND, HubJobState.OFFERED)
            return self._put(hub, message, HubJobState.UNCERTAIN) if doubtful else hub
        return self._settle(hub, message, kind.value)

    def _apply_failure(self, hub: HubPart, device: str, ref: JobRef, *, retries: bool) -> HubPart:
        message = hub.message(ref.id)
        if message is None or (message.job.device, message.job.submission) != (device, ref.submission):
            return hub
        if retries and message.job.state in (HubJobState.BOUND, HubJobState.OFFERED):
            return self._put(hub, message, HubJobState.QUEUED)
        return self._settle(hub, message, "failed")

    def _put_device(self, hub: HubPart, device: int, memory: DeviceMemory) -> HubPart:
        devices = tuple(memory if index == device else known for index, known in enumerate(hub.devices))
        return replace(hub, devices=devices)

    def _put_gaps(self, hub: HubPart, device: str, gaps: Sequence[Gap]) -> HubPart:
        numbers = {(device, gap.stream, n) for gap in gaps for n in range(gap.first, gap.last + 1)}
        return replace(hub, gaps=hub.gaps | numbers) if numbers else hub


def short_lived_job(ref: JobRef) -> Job:
    return Job(ref.id, ref.submission, write_utc(0), TTL_MS // 1000, LINE, "+1", text="x")


def _effects(device: int, session_no: int, frames: Sequence[HubFrame]) -> tuple[Effect, ...]:
    return tuple(Effect(device, session_no, encode(frame)) for frame in frames)


def _kind(payload: Payload) -> ReportKind | None:
    kinds: dict[type, ReportKind] = {
        SmsSent: ReportKind.SENT,
        SmsFailed: ReportKind.FAILED,
        SmsUncertain: ReportKind.UNCERTAIN,
        SmsCancelled: ReportKind.CANCELLED,
        SmsExpired: ReportKind.EXPIRED,
    }
    return kinds.get(type(payload))
