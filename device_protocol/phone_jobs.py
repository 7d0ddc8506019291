"""The phone's half of job -> accepted -> go: what it stores, when the radio may be used, and what it tells.

    job ----> accepted --go--> submitting --results--> sent | partial | failed
                 |                 |
                 |                 +-- process died ---> uncertain
                 +-- cancel -> cancelled, time over -> expired

Each function commits before it speaks. Nothing is handed to the radio but the `permit` of a step whose writes, among
them `submitting`, are on disk.
"""

from collections.abc import Callable
from dataclasses import replace

from device_protocol.frames import (
    Accepted,
    Cancel,
    Go,
    HeldJob,
    Job,
    JobRef,
    JobState,
    Recall,
    Recalled,
    Refused,
    TooLate,
)
from device_protocol.limits import (
    ACKED_EVENTS_SECONDS,
    EVENTS_HELD_MAX,
    JOBS_HELD_MAX,
    RECALL_PAGE_MAX,
    RESULT_SECONDS,
)
from device_protocol.payloads import (
    RESULT_OK,
    Payload,
    SmsCancelled,
    SmsExpired,
    SmsFailed,
    SmsSent,
    SmsUncertain,
)
from device_protocol.phone_events import PhoneEventRules
from device_protocol.phone_step import Draft, PhoneSession
from device_protocol.phone_store import PhoneJob, PhoneStore, SegmentResult, is_settled
from device_protocol.states import AT_RADIO_REASON, OPEN, REPLACEABLE
from device_protocol.wire_types import read_utc

_PRUNED_AT_ONCE = 50

RefuseJob = Callable[[Job], str | None]
"""The shell's own reasons against a job (SIM, permission, length, paused): a word of states.REFUSALS, or None."""


class PhoneJobRules(PhoneEventRules):
    """The rules, each a small method."""

    def __init__(self, new_uuid: Callable[[], str], refuse: RefuseJob) -> None:
        super().__init__(new_uuid)
        self._refuse = refuse

    # --- offers

    def _take_job(self, draft: Draft, offer: Job) -> None:
        known = draft.job(offer.id)
        if known is None or self._is_replaced(known, offer):
            self._store(draft, offer)
        elif known.submission == offer.submission and known.state is JobState.ACCEPTED:
            draft.say(Accepted(offer.id, offer.submission))
        elif self._was_at_radio(known):
            draft.say(Refused(offer.id, offer.submission, AT_RADIO_REASON, held=known.held))
        else:
            draft.say(Refused(offer.id, offer.submission, "stale_submission", held=known.held))

    def _is_replaced(self, known: PhoneJob, offer: Job) -> bool:
        """A higher submission takes the place of one that did not go out, and only of that."""
        return self._is_higher(known, offer) and not self._was_at_radio(known)

    def _is_higher(self, known: PhoneJob, offer: Job) -> bool:
        return offer.submission > known.submission

    def _was_at_radio(self, known: PhoneJob) -> bool:
        """The id reached, or may have reached, this phone's radio, or was ended here: never sent again."""
        return known.state not in REPLACEABLE

    def _store(self, draft: Draft, offer: Job) -> None:
        reason = self._refuse(offer) or self._refuse_full(draft)
        if reason is not None:
            draft.say(Refused(offer.id, offer.submission, reason))
            return
        draft.put_job(PhoneJob(offer, JobState.ACCEPTED))
        draft.say(Accepted(offer.id, offer.submission))

    def _refuse_full(self, draft: Draft) -> str | None:
        """`hello` has to list every unsettled job, and events are never dropped to make room."""
        is_full = len(draft.store.unsettled_jobs()) >= JOBS_HELD_MAX
        unsent = draft.facts.next_number - 1 - draft.facts.acked
        return "full" if is_full or unsent >= EVENTS_HELD_MAX else None

    # --- what the hub says about a job

    def _take_go(self, draft: Draft, go: Go) -> None:
        job = self._accepted_job(draft, JobRef(go.id, go.submission))
        if job is not None:
            draft.session = replace(draft.session, goes=draft.session.goes | {job.ref})

    def _take_drop(self, draft: Draft, ref: JobRef) -> None:
        if self._accepted_job(draft, ref) is not None:
            draft.delete_job(ref.id)
            draft.session = replace(draft.session, goes=draft.session.goes - {ref})

    def _take_cancel(self, draft: Draft, cancel: Cancel) -> None:
        ref = JobRef(cancel.id, cancel.submission)
        job = self._accepted_job(draft, ref)
        if job is not None:
            self._end(draft, job, JobState.CANCELLED, SmsCancelled(job.id, job.submission))
            self._flush(draft)
        else:
            self._answer_cancel(draft, ref)

    def _answer_cancel(self, draft: Draft, ref: JobRef) -> None:
        """Too late, or not held: "cancelled" would be a lie, since another submission may be on its way here."""
        known = draft.job(ref.id)
        state = known.state if known is not None and known.submission == ref.submission else None
        draft.say(TooLate(ref.id, ref.submission, state))

    def _accepted_job(self, draft: Draft, ref: JobRef) -> PhoneJob | None:
        """The job meant, if it is stored and not at the radio."""
        job = draft.job(ref.id)
        if job is None or job.state is not JobState.ACCEPTED or not self._is_same_submission(job, ref):
            return None
        return job

    def _is_same_submission(self, job: PhoneJob, ref: JobRef) -> bool:
        return job.submission == ref.submission

    def _take_recall(self, draft: Draft, recall: Recall) -> None:
        """A page of everything known; the hub asks on with the cursor. Nothing is removed meanwhile."""
        offset = recall.cursor or 0
        page = draft.store.past_jobs(offset, RECALL_PAGE_MAX + 1)
        is_last = len(page) <= RECALL_PAGE_MAX
        cursor = None if is_last else offset + RECALL_PAGE_MAX
        draft.session = replace(draft.session, is_recalling=not is_last)
        draft.say(Recalled(tuple(job.held for job in page[:RECALL_PAGE_MAX]), cursor))

    def _listed_jobs(self, draft: Draft) -> tuple[HeldJob, ...]:
        """For hello: open jobs first, then the newest; after a hub restore there may be more than fit."""
        jobs = sorted(draft.store.unsettled_jobs(), key=_listing_order, reverse=True)
        return tuple(job.held for job in jobs[:JOBS_HELD_MAX])

    # --- the radio

    def _permitted(self, session: PhoneSession, store: PhoneStore) -> list[PhoneJob]:
        known = (store.job(ref.id) for ref in session.goes)
        jobs = [job for job in known if job is not None and self._is_permitted(session, job)]
        return sorted(jobs, key=lambda job: (-job.job.priority, job.job.issued, job.id))

    def _is_permitted(self, session: PhoneSession, job: PhoneJob) -> bool:
        """Only a `go` for this very submission, said in the present connection, permits."""
        return job.state is JobState.ACCEPTED and job.ref in session.goes

    def _submit(self, draft: Draft, ref: JobRef) -> None:
        """Permission used: `submitting` is on disk before the radio hears of it."""
        job = draft.job(ref.id)
        if job is None or job.submission != ref.submission or not self._is_permitted(draft.session, job):
            return
        draft.session = replace(draft.session, goes=draft.session.goes - {ref})
        if self._is_over(draft, job):
            self._end(draft, job, JobState.EXPIRED, SmsExpired(job.id, job.submission))
            self._flush(draft)
            return
        draft.permit = replace(job, state=JobState.SUBMITTING, submitted_at=draft.now)
        draft.put_job(draft.permit)

    def _is_over(self, draft: Draft, job: PhoneJob) -> bool:
        """Time to live counts from `issued` on the hub's clock, whatever the phone's own clock says."""
        hub_now = draft.now + draft.session.offset
        return hub_now >= read_utc(job.job.issued) + job.job.ttl_seconds * 1000

    def _take_result(self, draft: Draft, job: PhoneJob, result: SegmentResult, segments: int, report: Payload) -> None:
        """One segment's result; the state changes when all are in."""
        if any(known.segment == result.segment for known in job.results):
            return
        results = (*job.results, result)
        number = self._log(draft, report)
        state = job.state
        if len(results) == segments:
            state = self._outcome(job.state, results)
        is_final = state not in OPEN
        draft.put_job(
            replace(
                job,
                state=state,
                results=results,
                segments=segments,
                final_number=number if is_final else None,
                finished_at=draft.now if is_final else None,
            )
        )
        self._flush(draft)

    def _outcome(self, state: JobState, results: tuple[SegmentResult, ...]) -> JobState:
        taken = sum(result.code == RESULT_OK for result in results)
        if taken == len(results):
            return JobState.SENT
        if taken:
            return JobState.PARTIAL
        # What was uncertain may have gone out before the process died: it stays so.
        return JobState.FAILED if state is JobState.SUBMITTING else state

    def _end(self, draft: Draft, job: PhoneJob, state: JobState, report: Payload) -> None:
        """A job is over; record and event in one commit."""
        number = self._log(draft, report)
        draft.put_job(replace(job, state=state, final_number=number, finished_at=draft.now))
        draft.session = replace(draft.session, goes=draft.session.goes - {job.ref})

    # --- what may have been sent

    def _doubt_submitting(self, draft: Draft) -> None:
        """The process died between the commit and the radio's answer: nobody can tell, so nobody sends again."""
        self._doubt(draft, frozenset({JobState.SUBMITTING}), "restarted")

    def _doubt_all(self, draft: Draft, reason: str) -> None:
        """The store may be older than what this phone did: whatever is unfinished may have been sent."""
        self._doubt(draft, OPEN, reason)

    def _doubt_silent(self, draft: Draft) -> None:
        """The radio never answered."""
        for job in draft.store.unsettled_jobs():
            late = job.submitted_at is not None and draft.now - job.submitted_at >= RESULT_SECONDS * 1000
            if late and job.state is JobState.SUBMITTING:
                self._end(draft, job, JobState.UNCERTAIN, SmsUncertain(job.id, job.submission, "no_result"))

    def _doubt(self, draft: Draft, states: frozenset[JobState], reason: str) -> None:
        for job in draft.store.unsettled_jobs():
            if job.state in states:
                self._end(draft, job, JobState.UNCERTAIN, SmsUncertain(job.id, job.submission, reason))

    # --- keeping

    def _prune_jobs(self, draft: Draft) -> None:
        """Forget finished jobs after 7 days; until then their ids guard against a second sending."""
        if draft.session.is_recalling or not self._may_delete(draft):
            return
        cutoff = draft.now - ACKED_EVENTS_SECONDS * 1000
        for job in draft.store.past_jobs(0, _PRUNED_AT_ONCE):
            is_old = job.finished_at is not None and job.finished_at < cutoff
            if is_old and is_settled(job, draft.facts.acked):
                draft.delete_job(job.id)


def failed_segment(ref: JobRef, segment: int, segments: int, code: int, network_error_code: int | None) -> SmsFailed:
    """The report of a segment the radio refused."""
    return SmsFailed(ref.id, ref.submission, segment, segments, code, network_error_code)


def sent_segment(ref: JobRef, segment: int, segments: int, reference: int | None) -> SmsSent:
    """The report of a segment the radio took."""
    return SmsSent(ref.id, ref.submission, segment, segments, RESULT_OK, reference)


def _listing_order(job: PhoneJob) -> tuple[bool, int]:
    return job.state in OPEN, job.final_number or 0
