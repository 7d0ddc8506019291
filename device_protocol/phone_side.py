"""The phone's side, without I/O: a session, a store to read, one input, and the step that follows.

    step = rules.receive(session, store, frame, now)
    store.commit(step.writes)          # durable, one transaction
    session = step.session
    send(step.frames); ...             # in the order phone_step.Step names

Used by the emulated phones, and the model for an app in another language. `now` is the phone's steady clock in ms
(wall clock at process start plus time elapsed since: it never jumps). Only frames of the present connection are handed
in: a frame read from a connection that was given up is thrown away.
"""

from dataclasses import dataclass, replace
from typing import assert_never

from device_protocol.errors import BAD_FRAME, FRAME_REFUSED, SILENT, STALE_HELLO, ProtocolError
from device_protocol.frames import (
    Ack,
    App,
    Bye,
    Cancel,
    Capabilities,
    Config,
    Drop,
    Go,
    Hello,
    HubFrame,
    Job,
    JobRef,
    JobState,
    Permissions,
    Ping,
    Pong,
    Recall,
    Resend,
    Sims,
    Welcome,
)
from device_protocol.limits import (
    DEAD_SECONDS,
    HTTP_RETRY_FIRST_SECONDS,
    HTTP_RETRY_MAX_SECONDS,
    PING_SECONDS,
    RECONNECT_FIRST_SECONDS,
    RECONNECT_MAX_SECONDS,
)
from device_protocol.payloads import RESULT_OK, Payload, SmsDelivered, SmsFailed
from device_protocol.phone_jobs import PhoneJobRules, failed_segment, sent_segment
from device_protocol.phone_step import Draft, PhoneSession, Step
from device_protocol.phone_store import PhoneJob, PhoneStore, SegmentResult
from device_protocol.states import SessionState, check_hub_frame
from device_protocol.wire_types import read_utc, write_utc

__all__ = ["About", "PhoneRules", "PhoneSession", "Step", "http_retry_delay", "reconnect_delay"]


@dataclass(frozen=True, slots=True)
class About:
    """What hello tells of the phone besides its store."""

    app: App
    sims: Sims = ()
    permissions: Permissions | None = None
    capabilities: Capabilities = ()


class PhoneRules(PhoneJobRules):
    """All rules of the phone's side; phone_jobs.py and phone_events.py hold the parts. They keep no state."""

    # --- the process and the connection

    def start(self, store: PhoneStore, now: int, *, is_own_store: bool) -> Step:
        """A process begins. `is_own_store`: the keystore key the store is bound to is there and fits."""
        draft = Draft(PhoneSession(), store, now)
        if is_own_store:
            self._doubt_submitting(draft)
        else:
            self._distrust_store(draft)
        return draft.finish()

    def connect(self, session: PhoneSession, store: PhoneStore, about: About, now: int) -> Step:
        """A connection is open: hello, with a counter that is on disk before it is said. Every `go` is void."""
        draft = Draft(session, store, now)
        draft.facts = replace(draft.facts, connect=draft.facts.connect + 1)
        draft.session = replace(
            session,
            state=SessionState.GREETING,
            goes=self._goes_kept(session),
            session_no=None,
            is_recalling=False,
            heard_at=now,
            pinged_at=now,
        )
        draft.say(self._hello(draft, about))
        return draft.finish()

    def _goes_kept(self, session: PhoneSession) -> frozenset[JobRef]:
        """None: while this phone was away the hub may have heard otherwise, and says go again to what still holds."""
        return frozenset()

    def disconnected(self, session: PhoneSession, close_code: int | None = None) -> PhoneSession:
        """The connection is gone; `close_code` is the websocket's, if the hub closed and no `bye` came before.

        A job permitted in it may still go to the radio until the next hello.
        """
        session = self._strike(session, close_code)
        return replace(session, state=SessionState.OFFLINE)

    def _strike(self, session: PhoneSession, close_code: int | None) -> PhoneSession:
        is_refused = close_code in FRAME_REFUSED and session.state is not SessionState.OFFLINE
        return replace(session, strikes=session.strikes + 1) if is_refused else session

    def _hello(self, draft: Draft, about: About) -> Hello:
        facts = draft.facts
        return Hello(
            connect=facts.connect,
            app=about.app,
            stream=facts.stream,
            oldest_held=draft.oldest_held(),
            next=facts.next_number,
            hub_epoch=facts.hub_epoch,
            is_diverged=facts.is_diverged,
            jobs=self._listed_jobs(draft),
            sims=about.sims,
            permissions=about.permissions or {},
            capabilities=about.capabilities,
        )

    def receive(self, session: PhoneSession, store: PhoneStore, frame: HubFrame, now: int) -> Step:
        """A frame of the hub, in this connection."""
        draft = Draft(replace(session, heard_at=now), store, now)
        try:
            check_hub_frame(session.state, frame)
        except ProtocolError:
            draft.hang_up(BAD_FRAME)
            return draft.finish()
        self._take(draft, frame)
        return draft.finish()

    def _take(self, draft: Draft, frame: HubFrame) -> None:
        match frame:
            case Welcome():
                self._take_welcome(draft, frame)
            case Job():
                self._take_job(draft, frame)
            case Go():
                self._take_go(draft, frame)
            case Drop():
                self._take_drop(draft, JobRef(frame.id, frame.submission))
            case Cancel():
                self._take_cancel(draft, frame)
            case Ack():
                self._take_ack(draft, frame)
            case Resend():
                self._take_resend(draft, frame)
            case Recall():
                self._take_recall(draft, frame)
            case Pong():
                self._take_pong(draft, frame)
            case Config():
                draft.config = frame
            case Bye():
                self._take_bye(draft, frame)
            case _:
                assert_never(frame)

    def _take_welcome(self, draft: Draft, welcome: Welcome) -> None:
        draft.facts = replace(draft.facts, hub_epoch=welcome.hub_epoch)
        if welcome.new_stream is not None:
            self._take_new_stream(draft, welcome.new_stream)
            return
        point = welcome.acks.get(draft.facts.stream)
        number, uuid = (point.n, point.uuid) if point is not None else (0, None)
        if self._is_divergent(draft, number, uuid):
            self._diverge(draft)
            return
        draft.session = replace(
            draft.session,
            state=SessionState.LIVE,
            session_no=welcome.session_no,
            offset=read_utc(welcome.hub_time) - draft.now,
        )
        self._take_first_ack(draft, number)
        for ref in welcome.drop:
            self._take_drop(draft, ref)
        self._flush(draft)

    def _take_pong(self, draft: Draft, pong: Pong) -> None:
        """The hub's clock was read half a round trip ago."""
        if pong.n != draft.session.ping:
            return
        half_trip = (draft.now - draft.session.pinged_at) // 2
        offset = read_utc(pong.hub_time) + half_trip - draft.now
        draft.session = replace(draft.session, offset=offset)

    def _take_bye(self, draft: Draft, bye: Bye) -> None:
        """The hub closes. A stale counter on a living connection means that this store is older than this phone."""
        if bye.code == STALE_HELLO.code and bye.connect is not None and bye.connect >= draft.facts.connect:
            draft.facts = replace(draft.facts, connect=bye.connect)
            self._distrust_old_store(draft)
        draft.session = self.disconnected(draft.session, bye.code)

    def _distrust_store(self, draft: Draft) -> None:
        """Another phone's store, or this one's from a backup: it says nothing about what happened since."""
        self._doubt_all(draft, "store_mismatch")
        draft.facts = replace(draft.facts, is_diverged=True)

    def _distrust_old_store(self, draft: Draft) -> None:
        """The hub saw a higher counter than this store ever gave out: the phone was set back to an older image."""
        self._doubt_all(draft, "store_went_back")
        draft.facts = replace(draft.facts, is_diverged=True)

    # --- time

    def tick(self, session: PhoneSession, store: PhoneStore, now: int) -> Step:
        """Call every few seconds: ping, give up a silent connection, forget what is old."""
        draft = Draft(session, store, now)
        self._doubt_silent(draft)
        self._flush(draft)
        self._prune(draft)
        self._prune_jobs(draft)
        self._keep_alive(draft)
        return draft.finish()

    def _keep_alive(self, draft: Draft) -> None:
        session = draft.session
        if session.state is SessionState.OFFLINE:
            return
        if draft.now - session.heard_at >= DEAD_SECONDS * 1000:
            draft.hang_up(SILENT)
        elif session.state is SessionState.LIVE and draft.now - session.pinged_at >= PING_SECONDS * 1000:
            draft.session = replace(session, ping=session.ping + 1, pinged_at=draft.now)
            draft.say(Ping(draft.session.ping))

    # --- the radio and the world

    def permitted(self, session: PhoneSession, store: PhoneStore) -> list[PhoneJob]:
        """Jobs that may go to the radio now, best first; the shell paces and calls `submit` one by one."""
        return self._permitted(session, store)

    def submit(self, session: PhoneSession, store: PhoneStore, ref: JobRef, now: int) -> Step:
        """Use a permission: hand `step.permit` to the radio after the commit. No permit: it was void or too late."""
        draft = Draft(session, store, now)
        self._submit(draft, ref)
        return draft.finish()

    def segment_result(
        self,
        session: PhoneSession,
        store: PhoneStore,
        ref: JobRef,
        segment: int,
        segments: int,
        code: int,
        now: int,
        *,
        network_error_code: int | None = None,
        reference: int | None = None,
    ) -> Step:
        """The radio's result for one segment (0-based), also after a restart; repeated ones change nothing."""
        draft = Draft(session, store, now)
        job = draft.job(ref.id)
        if job is not None and job.submission == ref.submission and job.state in _AWAITS_RESULTS:
            if code == RESULT_OK:
                report: Payload = sent_segment(ref, segment, segments, reference)
            else:
                report = failed_segment(ref, segment, segments, code, network_error_code)
            self._take_result(draft, job, SegmentResult(segment, code), segments, report)
        return draft.finish()

    def radio_refused(self, session: PhoneSession, store: PhoneStore, ref: JobRef, reason: str, now: int) -> Step:
        """The shell could not even call the radio for a permitted job (SIM gone, permission taken away)."""
        draft = Draft(session, store, now)
        job = draft.job(ref.id)
        if job is not None and job.submission == ref.submission and job.state is JobState.SUBMITTING:
            report = SmsFailed(ref.id, ref.submission, reason=reason)
            self._end(draft, job, JobState.FAILED, report)
            self._flush(draft)
        return draft.finish()

    def delivery_report(
        self,
        session: PhoneSession,
        store: PhoneStore,
        ref: JobRef,
        segment: int,
        segments: int,
        tp_status: int,
        now: int,
    ) -> Step:
        """A delivery report from the network (TP-Status, 3GPP TS 23.040 §9.2.3.15); "still trying" is not told."""
        if _STILL_TRYING <= tp_status < _GIVEN_UP:
            return Step(session)
        delivered_at = write_utc(now + session.offset)
        report = SmsDelivered(ref.id, ref.submission, segment, segments, tp_status, delivered_at)
        return self.record(session, store, report, now)

    def record(self, session: PhoneSession, store: PhoneStore, payload: Payload, now: int) -> Step:
        """Log something the world did (an SMS came, a call was missed, a SIM changed); sent when its turn comes."""
        draft = Draft(session, store, now)
        self._log(draft, payload)
        self._flush(draft)
        return draft.finish()


def reconnect_delay(attempt: int, random: float) -> float:
    """Seconds before connection attempt `attempt` (0 = first after a loss): full jitter, 1 s doubling to 5 min.

    `random` in [0, 1). Full jitter spreads a fleet that lost its hub at one instant.
    """
    return random * float(min(RECONNECT_MAX_SECONDS, RECONNECT_FIRST_SECONDS * 2 ** min(attempt, 16)))


def http_retry_delay(attempt: int) -> float:
    """Seconds before trying a failed fallback call again: 10 s doubling to 15 min, then for ever."""
    return float(min(HTTP_RETRY_MAX_SECONDS, HTTP_RETRY_FIRST_SECONDS * 2 ** min(attempt, 16)))


_AWAITS_RESULTS = frozenset({JobState.SUBMITTING, JobState.UNCERTAIN})
_STILL_TRYING = 0x20
_GIVEN_UP = 0x40
