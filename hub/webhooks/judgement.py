"""What follows from one answer: is it done, when is it tried again, does the lane pause, is the endpoint switched off. Pure."""

import msgspec

from hub.core.clock import UtcMs
from hub.core.ports import Outcome, RenderedRequest, WebhookFormat
from hub.core.retry import (
    TOO_MANY_REQUESTS_SECONDS,
    GiveUp,
    Schedule,
    lane_pause,
    next_attempt,
    retry_after_seconds,
)
from hub.webhooks.answer import Answer
from hub.webhooks.sentences import Result, Why

_DOWN_STATUSES = frozenset({408, 429})
_REQUEST_IS_WRONG = frozenset({Result.STATUS, Result.REDIRECT, Result.BODY, Result.RENDER})
"""Failures that blame this request rather than say that the endpoint is down (a 5xx among `STATUS` says so)."""
_MAIL_IS_WRONG = frozenset({Result.MAIL_LATER, Result.MAIL_REFUSED})
"""The mail server is up and speaks of this mail or this mailbox; its numbers mean something else than HTTP's."""


class Judgement(msgspec.Struct, frozen=True):
    """The consequences of a try."""

    is_success: bool = False
    is_down: bool = False
    """A failure that the breaker counts at once."""
    retry_at: UtcMs | None = None
    """When the delivery is due again; None = it ended."""
    gave_up: str | None = None
    """Why it ended as dead."""
    pause_until: UtcMs | None = None
    """The whole lane sends nothing before this."""
    is_gone: bool = False
    """410: the endpoint is switched off, the delivery held."""


DONE = Judgement(is_success=True)


def result_of_status(status: int) -> Result:
    """The word for an answer, as far as its status decides."""
    if 200 <= status < 300:
        return Result.OK
    if 300 <= status < 400:
        return Result.REDIRECT
    return {410: Result.GONE, 429: Result.RATE_LIMITED}.get(status, Result.STATUS)


NO_WISHES = Outcome(is_success=False)
TAKEN = Outcome(is_success=True)


def read_answer(
    answer: Answer, request: RenderedRequest, form: WebhookFormat, prefix: bytes | None
) -> tuple[Answer, Outcome]:
    """The answer as the format and the endpoint's own rule see it (a 2xx may still be no success), and what it asks for."""
    if answer.result is not Result.OK:
        return answer, NO_WISHES
    if request.is_mail:
        return answer, TAKEN
    headers = {name.lower(): value for name, value in answer.headers}
    outcome = form.read_reply(answer.status or 0, headers, answer.body)
    if outcome.is_success and (prefix is None or answer.body.startswith(prefix)):
        return answer, outcome
    return msgspec.structs.replace(answer, result=Result.BODY), NO_WISHES


def says_down(result: Result, status: int | None) -> bool:
    """Whether a failure says that the endpoint is down: no answer at all, 408, 429 or 5xx; a mail server's word on a mail does not."""
    if result in _MAIL_IS_WRONG:
        return False
    if status is not None and (status >= 500 or status in _DOWN_STATUSES):
        return True
    return result not in _REQUEST_IS_WRONG


def judge(
    result: Result,
    status: int | None,
    *,
    schedule: Schedule,
    attempts: int,
    first_at: UtcMs,
    now: UtcMs,
    random: float,
    retry_after: str | None = None,
    date: str | None = None,
) -> Judgement:
    """`attempts` counts this try. `random` is in [0, 1); `retry_after` and `date` are headers of the answer."""
    if result is Result.OK:
        return DONE
    if result is Result.GONE:
        return Judgement(is_gone=True)
    if result is Result.MAIL_REFUSED:
        return Judgement(gave_up=Why.REFUSED)
    pause_until = None if result in _MAIL_IS_WRONG else _pause(status, retry_after, date, now, random)
    following = next_attempt(schedule, attempts, first_at, now, random)
    gave_up = following.reason if isinstance(following, GiveUp) else None
    return Judgement(
        is_down=says_down(result, status),
        retry_at=None if isinstance(following, GiveUp) else following.at,
        gave_up=gave_up,
        pause_until=pause_until,
    )


def _pause(status: int | None, retry_after: str | None, date: str | None, now: UtcMs, random: float) -> UtcMs | None:
    seconds = retry_after_seconds(retry_after, date, now) if retry_after is not None else None
    if seconds is None and status == 429:
        seconds = TOO_MANY_REQUESTS_SECONDS
    return None if seconds is None else lane_pause(seconds, now, random)
