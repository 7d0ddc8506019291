"""The hub's half of job -> accepted -> go: what each word of a phone changes, as decisions storage carries out.

    hub                                     phone
     | job {id, submission, line, to} ------> |  stored
     | <------------------------- accepted    |
     | COMMIT: bound to this phone            |
     | go ----------------------------------> |  COMMIT: submitting, then the radio
     | <---------------- event sms:sent ...   |

Every function is called inside the transaction that has locked the device's row and the job's, takes what it read there,
and returns verdicts to write and frames to send after the commit, on the connection the input came on and no other
(`is_for_connection`). A job is matched on phone *and* submission: an answer about an older offer changes nothing.
"""

from collections.abc import Iterable
from enum import Enum
from typing import TypeAlias

from msgspec import Struct

from device_protocol.frames import Cancel, Drop, Go, HeldJob, HubFrame, JobRef, JobState, Refused, TooLate
from device_protocol.limits import OFFERS_MAX, OFFERS_MAX_SILENT, SILENT_SECONDS
from device_protocol.states import AT_RADIO, HubJobState


class HubJob(Struct, frozen=True):
    """A message as storage has it: its state, the phone it is offered or bound to, and that submission's number."""

    id: str
    state: HubJobState
    submission: int = 0
    device: str | None = None
    is_cancel_requested: bool = False

    @property
    def ref(self) -> JobRef:
        """Names the present submission."""
        return JobRef(self.id, self.submission)


class Phone(Struct, frozen=True):
    """Who speaks. `is_held`: the hub was restored and does not send yet. `has_news`: this phone may know more than the
    restored hub, since its `recall` is not answered to the end.
    """

    device: str
    is_held: bool = False
    has_news: bool = False


class Bind(Struct, frozen=True):
    """Write: bound to this phone."""

    ref: JobRef


class Release(Struct, frozen=True):
    """Write: queued again, or the end of its tries; the submission is over. `reason` is the phone's word."""

    ref: JobRef
    reason: str


class Doubt(Struct, frozen=True):
    """Write: uncertain, this phone's."""

    ref: JobRef
    reason: str


class Adopt(Struct, frozen=True):
    """Write: this phone's and this submission, whatever was remembered, in the status the phone's state means.

    Never `failed` or `accepted`: `submitting`, `partial`, `uncertain` are written as uncertain, `sent` as sent.
    """

    ref: JobRef
    state: JobState


class Conclude(Struct, frozen=True):
    """Write: final, with the phone's word (`cancelled`, `expired`, `uncertain` or `sent`) for this submission."""

    ref: JobRef
    state: JobState


class AskCancel(Struct, frozen=True):
    """Write: `cancel_requested_at`; the state stays."""

    ref: JobRef


class Note(Struct, frozen=True):
    """Write nothing but a line on the message's timeline, marked as not applied."""

    ref: JobRef
    word: str


Verdict: TypeAlias = Bind | Release | Doubt | Adopt | Conclude | AskCancel | Note


class Decision(Struct, frozen=True):
    """Verdicts to write in this transaction, frames to send after its commit, offers to send again."""

    verdicts: tuple[Verdict, ...] = ()
    frames: tuple[HubFrame, ...] = ()
    offer_again: tuple[JobRef, ...] = ()

    def __add__(self, other: "Decision") -> "Decision":
        return Decision(
            self.verdicts + other.verdicts, self.frames + other.frames, self.offer_again + other.offer_again
        )


NOTHING = Decision()


class ReportKind(Enum):
    """What a device event says of a job, for matching; the payload has the details."""

    SENT = "sent"
    """Some segment went out, or was delivered."""
    FAILED = "failed"
    """A segment, or all, refused before the air."""
    UNCERTAIN = "uncertain"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class ReportFate(Enum):
    """What to do with a stored report."""

    APPLY = "apply"
    """Hand it to the status table; this submission's."""
    ADOPT = "adopt"
    """Make the job this phone's and this submission's, then hand it to the status table."""
    DEFER = "defer"
    """Keep it unapplied until the hold ends, then judge it again."""
    IGNORE = "ignore"
    """Stored, on the timeline as not applied."""


class HandoverRules:
    """The rules, each a small method. They hold no state."""

    # --- offering

    def may_offer(self, unanswered: int, silent_seconds: float, *, is_held: bool) -> bool:
        """Whether one more `job` may be committed for a phone with so many offers open."""
        limit = OFFERS_MAX_SILENT if silent_seconds >= SILENT_SECONDS else OFFERS_MAX
        return unanswered < limit and not is_held

    # --- answers to an offer

    def accepted(self, phone: Phone, ref: JobRef, job: HubJob | None) -> Decision:
        """`accepted`: bind and say go, or drop when the offer moved on meanwhile."""
        if job is None or not self._is_match(phone, ref, job):
            return self._drop(ref)
        if job.state is HubJobState.OFFERED:
            return self._bind(phone, job)
        if job.state in _THIS_PHONES:
            return self._permit(phone, job)
        return self._drop(ref)

    def refused(self, phone: Phone, frame: Refused, job: HubJob | None) -> Decision:
        """`refused`: the offer is over, unless the phone carried this id before; then what it tells counts."""
        ref = JobRef(frame.id, frame.submission)
        if job is None or not self._is_match(phone, ref, job) or job.state is not HubJobState.OFFERED:
            return Decision((Note(ref, f"refused {frame.reason}"),))
        if frame.held is not None:
            return self._told(phone, frame.held, job) or Decision((Release(ref, frame.reason),))
        return Decision((Release(ref, frame.reason),))

    def _told(self, phone: Phone, held: HeldJob, job: HubJob) -> Decision | None:
        ref = JobRef(held.id, held.submission)
        if held.state in AT_RADIO:
            return Decision((Adopt(ref, held.state),))
        if held.state in (JobState.CANCELLED, JobState.EXPIRED) and not phone.is_held:
            return Decision((Conclude(ref, held.state),))
        return None

    # --- cancel

    def cancel(self, job: HubJob, *, is_held: bool) -> Decision:
        """A customer cancels: at once while no phone is bound, else the phone is asked and the state stays."""
        if job.state is HubJobState.SETTLED:
            return Decision((Note(job.ref, "cancel too late"),))
        if job.state in _THIS_PHONES:
            return Decision((AskCancel(job.ref),), (Cancel(job.id, job.submission),))
        if self._waits_for_hold(is_held):
            return Decision((AskCancel(job.ref),))
        return Decision((Conclude(job.ref, JobState.CANCELLED),))

    def too_late(self, phone: Phone, frame: TooLate, job: HubJob | None) -> Decision:
        """`too_late`: noted. The reports decide; a phone that does not hold a bound job leaves it uncertain."""
        ref = JobRef(frame.id, frame.submission)
        if job is None or not self._is_match(phone, ref, job) or job.state not in _THIS_PHONES:
            return Decision((Note(ref, "too_late"),))
        if frame.state is JobState.CANCELLED:
            return Decision((Conclude(ref, JobState.CANCELLED),))
        if frame.state is None and job.state is HubJobState.BOUND:
            return Decision((Doubt(ref, "not_held"),))
        return Decision((Note(ref, "too_late"),))

    # --- reports

    def judge_report(self, phone: Phone, ref: JobRef, kind: ReportKind, job: HubJob | None) -> ReportFate:
        """What a stored event about a job does. Matching is on phone and submission; only the truth "sent" goes further:
        it counts for whoever tells it, since a message that went out must not be sent or called failed.
        """
        if job is None:
            return ReportFate.IGNORE
        if not self._is_match(phone, ref, job):
            is_news = kind is ReportKind.SENT and job.state is not HubJobState.SETTLED
            return ReportFate.ADOPT if is_news else ReportFate.IGNORE
        if kind is ReportKind.FAILED and self._defers_failure(phone):
            return ReportFate.DEFER
        if job.state is HubJobState.OFFERED and kind in (ReportKind.SENT, ReportKind.UNCERTAIN):
            return ReportFate.ADOPT
        return ReportFate.APPLY

    def recalled(self, phone: Phone, held: HeldJob, job: HubJob | None) -> Decision:
        """An entry of `recalled`: like a report without details. `failed` says nothing about now: it waits."""
        ref = JobRef(held.id, held.submission)
        if job is None or job.state is HubJobState.SETTLED:
            return NOTHING
        if held.state in AT_RADIO:
            return self._adopt(phone, held, job)
        is_final = held.state in (JobState.CANCELLED, JobState.EXPIRED)
        if is_final and self._is_match(phone, ref, job):
            return Decision((Conclude(ref, held.state),))
        return NOTHING

    # --- hello

    def greet(self, phone: Phone, listed: Iterable[HeldJob], jobs: dict[str, HubJob]) -> "Greeting":
        """Everything hello changes about jobs. `jobs`: all that hello lists and all offered or bound to this phone.

        `welcome`'s lists come apart from the frames, which follow `welcome`.
        """
        entries = {entry.id: entry for entry in listed}
        greeting = Greeting()
        for entry in entries.values():
            greeting += self._greet_entry(phone, entry, jobs.get(entry.id))
        told = {verdict.ref.id for verdict in greeting.decision.verdicts if not isinstance(verdict, Note)}
        for job in jobs.values():
            is_absent = job.id not in told and not self._is_listed(entries.get(job.id), job)
            if job.device == phone.device and is_absent:
                greeting += Greeting(self._greet_absent(phone, job))
        return greeting

    def _greet_entry(self, phone: Phone, entry: HeldJob, job: HubJob | None) -> "Greeting":
        ref = JobRef(entry.id, entry.submission)
        if entry.state is not JobState.ACCEPTED:
            return Greeting(self._greet_beyond(phone, entry, job))
        if job is None or not self._is_match(phone, ref, job):
            return Greeting(drop=(ref,))
        if job.state is HubJobState.OFFERED:
            return self._greet_offered(phone, job)
        if job.state in _THIS_PHONES:
            return Greeting(self._permit_again(phone, job), keep=(ref,))
        return Greeting(drop=(ref,))

    def _greet_offered(self, phone: Phone, job: HubJob) -> "Greeting":
        """Stored by the phone, not bound yet: its `accepted` was lost with the old connection, or comes too late."""
        if self._is_sending(phone):
            bound = self._bind_in_hello(phone, job)
            return Greeting(bound, keep=(job.ref,)) if bound.verdicts else Greeting(drop=(job.ref,))
        return Greeting()

    def _bind_in_hello(self, phone: Phone, job: HubJob) -> Decision:
        return self._bind(phone, job)

    def _greet_beyond(self, phone: Phone, entry: HeldJob, job: HubJob | None) -> Decision:
        """The phone says that a job left `accepted`; its event comes, what counts now is whose the message is."""
        if job is None or job.state is HubJobState.SETTLED or entry.state not in AT_RADIO:
            return NOTHING
        return self._adopt(phone, entry, job)

    def _greet_absent(self, phone: Phone, job: HubJob) -> Decision:
        if job.state is HubJobState.BOUND:
            return self._absent_bound(job)
        if job.state is HubJobState.OFFERED and not phone.is_held:
            return self._absent_offered(job)
        return NOTHING

    def _absent_bound(self, job: HubJob) -> Decision:
        """Bound and not held: the phone's store is gone or older, and it may have sent."""
        return Decision((Doubt(job.ref, "not_held"),))

    def _absent_offered(self, job: HubJob) -> Decision:
        """The offer was lost with the old connection."""
        return Decision(offer_again=(job.ref,))

    def _is_listed(self, entry: HeldJob | None, job: HubJob) -> bool:
        return entry is not None and entry.submission == job.submission

    # --- shared rules

    def is_for_connection(self, effect_session_no: int, live_session_no: int) -> bool:
        """Whether a frame decided on one connection may leave on the one that is live now."""
        return effect_session_no == live_session_no

    def _is_match(self, phone: Phone, ref: JobRef, job: HubJob) -> bool:
        return job.device == phone.device and self._is_same_submission(ref, job)

    def _is_same_submission(self, ref: JobRef, job: HubJob) -> bool:
        return job.submission == ref.submission

    def _bind(self, phone: Phone, job: HubJob) -> Decision:
        if not self._is_sending(phone):
            return NOTHING
        return Decision((Bind(job.ref),)) + self._permit(phone, job)

    def _is_sending(self, phone: Phone) -> bool:
        """In a hold nothing is bound and no `go` said: what a restored hub takes for queued may have been sent."""
        return not phone.is_held

    def _permit(self, phone: Phone, job: HubJob) -> Decision:
        """What a bound job not yet at the radio is told: cancel when that was asked, else go."""
        if job.is_cancel_requested:
            return self._cancel_again(job)
        if not self._is_sending(phone):
            return NOTHING
        return Decision(frames=(Go(job.id, job.submission),))

    def _permit_again(self, phone: Phone, job: HubJob) -> Decision:
        """The same after hello, which voided the last `go`."""
        return self._permit(phone, job)

    def _cancel_again(self, job: HubJob) -> Decision:
        return Decision(frames=(Cancel(job.id, job.submission),))

    def _drop(self, ref: JobRef) -> Decision:
        return Decision(frames=(Drop(ref.id, ref.submission),))

    def _adopt(self, phone: Phone, held: HeldJob, job: HubJob) -> Decision:
        """A message that may have reached this phone's radio is this phone's, whatever submission was remembered.

        One exception: while another phone has it bound, and this hub was not restored, the hub itself took it away from
        this phone, which it only does when nothing of that submission went out or `go` was never said.
        """
        ref = JobRef(held.id, held.submission)
        if self._is_match(phone, ref, job) and job.state in _THIS_PHONES:
            return Decision((Conclude(ref, held.state),)) if held.state is JobState.SENT and phone.has_news else NOTHING
        is_others = job.state in _THIS_PHONES and job.device != phone.device
        if is_others and not phone.has_news:
            return Decision((Note(ref, f"told {held.state.value}"),))
        return Decision((Adopt(ref, held.state),))

    def _defers_failure(self, phone: Phone) -> bool:
        """In a hold a failure may be old news: the message may have been sent again after it."""
        return phone.is_held

    def _waits_for_hold(self, is_held: bool) -> bool:
        """In a hold "no phone is bound" may be old news too."""
        return is_held


class Greeting(Struct, frozen=True):
    """What hello changes about jobs: a decision, and the two lists of `welcome`."""

    decision: Decision = NOTHING
    keep: tuple[JobRef, ...] = ()
    drop: tuple[JobRef, ...] = ()

    def __add__(self, other: "Greeting") -> "Greeting":
        return Greeting(self.decision + other.decision, self.keep + other.keep, self.drop + other.drop)


_THIS_PHONES = frozenset({HubJobState.BOUND, HubJobState.UNCERTAIN})
