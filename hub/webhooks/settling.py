"""What an answer means for its delivery, its lane and its endpoint: decided by the pure rules, handed to the recorder."""

import dataclasses
import time
from collections.abc import Callable, Collection
from email.utils import parsedate_to_datetime

from hub.core.clock import UtcMs
from hub.core.events import EventType
from hub.core.ports import RenderedRequest
from hub.storage.webhooks_due import Due
from hub.storage.webhooks_outcomes import CANCELLED, DEAD, HELD, OK, PENDING, AttemptRow, OutcomeRow
from hub.webhooks import metrics
from hub.webhooks.answer import Answer
from hub.webhooks.attempts import attempt_row
from hub.webhooks.engine_clock import EngineClock
from hub.webhooks.health import Turn, after_failure, after_gone, after_success
from hub.webhooks.judgement import Judgement, judge
from hub.webhooks.lanes import Lane
from hub.webhooks.recorder import Recorder
from hub.webhooks.recording import Told
from hub.webhooks.sentences import Result, Why
from hub.webhooks.targets import shown_url
from hub.webhooks.watch import after_try

SAMPLE_SECONDS = 10.0
"""A receiver's clock is looked at this often."""

_COUNTED = {result: metrics.ATTEMPTS.labels(result.value) for result in Result}


class Settler:
    """Draws the consequences of tries."""

    def __init__(
        self,
        clock: EngineClock,
        recorder: Recorder,
        random: Callable[[], float],
        node: str,
        watched: Collection[str] = (),
    ) -> None:
        """`watched` are the formats whose receivers are held to limits."""
        self._watched = watched
        self._clock = clock
        self._recorder = recorder
        self._random = random
        self._node = node

    def settle(
        self,
        lane: Lane,
        due: Due,
        request: RenderedRequest | None,
        answer: Answer,
        started_at: UtcMs,
        *,
        is_probe: bool,
    ) -> None:
        """A try has ended. `request` is None when none could be made of the event."""
        now = self._clock.now()
        _COUNTED[answer.result].inc()
        attempt = attempt_row(
            answer,
            request,
            lane.endpoint.secret_names,
            account_id=due.account_id,
            endpoint_id=due.endpoint_id,
            delivery_id=due.id,
            n=due.attempts + 1,
            is_probe=is_probe,
            started_at=started_at,
            node=self._node,
        )
        if answer.result is Result.OK:
            self._succeeded(lane, due, attempt, started_at, now)
        else:
            self._failed(lane, due, answer, attempt, started_at, now, is_probe)
        if answer.status is not None:
            self._sample_clock(lane, answer)
        standing = lane.standing()
        if standing != lane.written:
            lane.written = standing
            self._recorder.memory(lane, lane.memory())

    def end(self, lane: Lane, due: Due, state: int, why: Why) -> None:
        """End a delivery that is in flight without sending it."""
        now = self._clock.now()
        lane.answered(due, None, 0)
        self._recorder.outcome(lane, OutcomeRow(state, due.attempts, due.due_at, now, now, why, due.id), None)
        if state == DEAD:
            metrics.DEAD.labels(why).inc()

    def skip(self, lane: Lane, due: Due) -> None:
        """The format has no words for this event."""
        self.end(lane, due, CANCELLED, Why.NOT_IN_FORMAT)

    # --- success ------------------------------------------------------------------------------------------------------------------

    def _succeeded(self, lane: Lane, due: Due, attempt: AttemptRow, started_at: UtcMs, now: UtcMs) -> None:
        row = OutcomeRow(OK, due.attempts + 1, due.due_at, started_at, now, Why.OK, due.id)
        lane.answered(due, None, now - started_at)
        self._watch(lane, now, now - started_at, is_success=True)
        self._recorder.outcome(lane, row, attempt)
        metrics.DELIVERY_SECONDS.observe(max(0, now - due.created_at) / 1000)
        if lane.breaker.succeeded(now):
            lane.window.restart()
            self._recorder.reopened(lane, now)
        else:
            lane.window.grow()
        self._turn(lane, after_success(lane.health, now))

    # --- failure --------------------------------------------------------------------------------------------------------------------

    def _failed(
        self, lane: Lane, due: Due, answer: Answer, attempt: AttemptRow, started_at: UtcMs, now: UtcMs, is_probe: bool
    ) -> None:
        first_at = started_at if due.first_at is None else due.first_at
        judgement = judge(
            answer.result,
            answer.status,
            schedule=lane.endpoint.schedule,
            attempts=due.attempts + 1,
            first_at=first_at,
            now=now,
            random=self._random(),
            retry_after=answer.header("retry-after"),
            date=answer.header("date"),
        )
        if answer.result is Result.BLOCKED:
            metrics.BLOCKED.labels((answer.error or "").rpartition(": ")[2][:40]).inc()
        self._watch(lane, now, now - started_at, is_success=False, is_given_up=judgement.gave_up is not None)
        if judgement.is_gone:
            self._gone(lane, due, attempt, first_at, now)
            return
        if is_probe:
            self._probe_failed(lane, due, attempt, judgement, first_at, now)
        else:
            self._try_failed(lane, due, attempt, judgement, first_at, now)
        if judgement.pause_until is not None and judgement.pause_until > lane.paused_until:
            lane.paused_until = judgement.pause_until
            lane.forget_ready()
        self._turn(lane, after_failure(lane.health, now))

    def _try_failed(
        self, lane: Lane, due: Due, attempt: AttemptRow, judgement: Judgement, first_at: UtcMs, now: UtcMs
    ) -> None:
        state, done_at = (PENDING, None) if judgement.gave_up is None else (DEAD, now)
        due_at = due.due_at if judgement.retry_at is None else judgement.retry_at
        row = OutcomeRow(state, due.attempts + 1, due_at, first_at, done_at, judgement.gave_up, due.id)
        lane.answered(due, judgement.retry_at, now - attempt.started_at)
        self._recorder.outcome(lane, row, attempt)
        if judgement.gave_up is not None:
            metrics.DEAD.labels(judgement.gave_up).inc()
        lane.window.shrink()
        if lane.breaker.failed(now, self._random(), is_down=judgement.is_down):
            lane.forget_ready()

    def _probe_failed(
        self, lane: Lane, due: Due, attempt: AttemptRow, judgement: Judgement, first_at: UtcMs, now: UtcMs
    ) -> None:
        """A failed probe is logged and uses up no try, but a delivery can grow too old on it, or be refused for good."""
        lane.breaker.probe_failed(now, self._random())
        if judgement.gave_up in (Why.TOO_OLD, Why.REFUSED):
            row = OutcomeRow(DEAD, due.attempts, due.due_at, first_at, now, judgement.gave_up, due.id)
            lane.answered(due, None, now - attempt.started_at)
            self._recorder.outcome(lane, row, attempt)
            metrics.DEAD.labels(judgement.gave_up).inc()
        else:
            lane.put_back(due)
            self._recorder.attempt(lane, attempt)

    def _gone(self, lane: Lane, due: Due, attempt: AttemptRow, first_at: UtcMs, now: UtcMs) -> None:
        """410: the endpoint is switched off at once, here before in the database; the delivery is held like all others."""
        lane.breaker.is_probing = False
        row = OutcomeRow(HELD, due.attempts + 1, due.due_at, first_at, None, Why.ENDPOINT_DISABLED, due.id)
        lane.answered(due, None, now - attempt.started_at)
        self._recorder.outcome(lane, row, attempt)
        self._turn(lane, after_gone(lane.health, now))

    # --- the endpoint -----------------------------------------------------------------------------------------------------------------

    def _turn(self, lane: Lane, turn: Turn) -> None:
        since = turn.health.failing_since or lane.health.failing_since
        lane.health = turn.health
        if turn.notice is None:
            return
        endpoint = lane.endpoint
        told = Told(endpoint.account_id, endpoint.id, shown_url(endpoint.url), turn.notice, since, turn.disable)
        self._recorder.told(lane, told)
        if turn.disable is not None:
            lane.endpoint = dataclasses.replace(endpoint, state="disabled")
            lane.forget_ready()

    def _watch(self, lane: Lane, now: UtcMs, duration_ms: int, *, is_success: bool, is_given_up: bool = False) -> None:
        """Hold a watched endpoint to its limits."""
        endpoint = lane.endpoint
        if endpoint.format not in self._watched:
            return
        turn = after_try(lane.watch, now, duration_ms, is_success=is_success, is_given_up=is_given_up)
        lane.watch = turn.watch
        url, since = shown_url(endpoint.url), lane.health.failing_since
        for rule in turn.began:
            metrics.ALERTS.labels(rule).inc()
            told = Told(endpoint.account_id, endpoint.id, url, EventType.ENDPOINT_FAILING, since, rule=rule)
            self._recorder.told(lane, told)
        for rule in turn.ended:
            told = Told(endpoint.account_id, endpoint.id, url, EventType.ENDPOINT_RECOVERED, None, rule=rule)
            self._recorder.told(lane, told)

    def _sample_clock(self, lane: Lane, answer: Answer) -> None:
        now = time.monotonic()
        if now - lane.sampled_at < SAMPLE_SECONDS:
            return
        lane.sampled_at = now
        try:
            said = parsedate_to_datetime(answer.header("date") or "")
        except (TypeError, ValueError, IndexError, OverflowError):
            return
        self._clock.receiver_said(answer.address or lane.id, round(said.timestamp() * 1000))
