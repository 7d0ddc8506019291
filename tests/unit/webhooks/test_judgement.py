"""What follows from an answer, and how an endpoint's record turns into notices."""

import pytest

from hub.core.events import EventType
from hub.core.retry import schedule_of
from hub.webhooks.health import (
    DISABLE_AFTER_MS,
    DISABLE_TRIES,
    FIRST_NOTICE_MS,
    SECOND_NOTICE_MS,
    Health,
    after_failure,
    after_gone,
    after_success,
)
from hub.webhooks.judgement import Judgement, judge, result_of_status, says_down
from hub.webhooks.sentences import Result, Why, explain_delivery, explain_try

HOUR = 3_600_000
SCHEDULE = schedule_of("default")


def judged(status: int | None, result: Result | None = None, **given: object) -> Judgement:
    values: dict[str, object] = {
        "schedule": SCHEDULE,
        "attempts": 1,
        "first_at": 0,
        "now": 1000,
        "random": 0.5,
        **given,
    }
    return judge(result or result_of_status(status or 0), status, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_2xx_is_success(status: int) -> None:
    assert judged(status).is_success


@pytest.mark.parametrize(
    "status", [101, 300, 301, 302, 304, 307, 400, 401, 403, 404, 408, 409, 422, 429, 500, 502, 503, 599]
)
def test_everything_else_but_410_is_tried_again(status: int) -> None:
    judgement = judged(status)
    assert not judgement.is_success
    assert judgement.retry_at == 1000 + 10_000


def test_410_ends_the_endpoint() -> None:
    assert judged(410).is_gone


@pytest.mark.parametrize(
    ("status", "down"), [(500, True), (503, True), (408, True), (429, True), (400, False), (404, False), (301, False)]
)
def test_which_answers_say_that_the_endpoint_is_down(status: int, down: bool) -> None:
    assert judged(status).is_down is down


@pytest.mark.parametrize(
    "result", [Result.TIMEOUT, Result.REFUSED, Result.DNS, Result.TLS_EXPIRED, Result.CLOSED, Result.BLOCKED]
)
def test_no_answer_says_down(result: Result) -> None:
    assert says_down(result, None)


def test_default_schedule_is_fifteen_tries_doubling_from_ten_seconds() -> None:
    waits, attempts = [], 1
    while (judgement := judged(500, attempts=attempts, now=0)).retry_at is not None:
        waits.append(judgement.retry_at // 1000)
        attempts += 1
    assert waits == [10 * 2**n for n in range(14)]
    assert (attempts, judgement.gave_up) == (15, "tries_used_up")


def test_too_old_is_dead_before_the_tries_are_used_up() -> None:
    assert judged(500, attempts=2, now=96 * HOUR).gave_up == "too_old"


def test_retry_after_holds_the_lane_not_the_delivery() -> None:
    judgement = judged(503, retry_after="120", now=0, random=0.0)
    assert judgement.pause_until == 120_000
    assert judgement.retry_at == 8_000
    assert judged(429, now=0, random=0.0).pause_until == 60_000
    assert judged(503, retry_after="nonsense").pause_until is None
    date = judged(
        429, retry_after="Mon, 21 Sep 2026 14:15:00 GMT", date="Mon, 21 Sep 2026 14:13:00 GMT", now=0, random=0.0
    )
    assert date.pause_until == 120_000


# --- health ---------------------------------------------------------------------------------------------------------------


def test_notices_come_after_an_hour_and_a_day_and_once() -> None:
    health, told = Health(), []
    for now in range(0, 30 * HOUR, HOUR // 4):
        turn = after_failure(health, now)
        health = turn.health
        if turn.notice:
            told.append((now, turn.notice))
    assert told == [(FIRST_NOTICE_MS, EventType.ENDPOINT_FAILING), (SECOND_NOTICE_MS, EventType.ENDPOINT_FAILING)]
    back = after_success(health, 31 * HOUR)
    assert back.notice is EventType.ENDPOINT_RECOVERED
    assert back.health == Health(last_ok_at=31 * HOUR)


def test_recovery_without_a_notice_is_silent() -> None:
    assert after_success(after_failure(Health(), 0).health, 1000).notice is None


def test_five_days_without_success_and_enough_tries_switch_it_off() -> None:
    started = Health(failing_since=0, tries_since_ok=DISABLE_TRIES - 1, noticed=2)
    assert after_failure(started, DISABLE_AFTER_MS - 1).disable is None
    turn = after_failure(started, DISABLE_AFTER_MS)
    assert (turn.disable, turn.notice) == ("failing", EventType.ENDPOINT_DISABLED)
    few = Health(failing_since=0, tries_since_ok=DISABLE_TRIES - 2, noticed=2)
    assert after_failure(few, DISABLE_AFTER_MS).disable is None


def test_gone_switches_it_off_at_once() -> None:
    turn = after_gone(Health(last_ok_at=5), 10)
    assert (turn.disable, turn.notice) == ("gone", EventType.ENDPOINT_DISABLED)


def test_a_busy_endpoints_success_is_not_written_each_time() -> None:
    health = after_success(Health(), 1000).health
    assert after_success(health, 2000).health is health
    assert after_success(health, 60_000).health.last_ok_at == 60_000


# --- sentences ------------------------------------------------------------------------------------------------------------


def test_every_word_has_a_sentence_of_its_own() -> None:
    sentences = [explain_try(result, 418, "it is so") for result in Result]
    assert len(set(sentences)) == len(Result)
    assert all(sentence[0].isupper() and "{" not in sentence for sentence in sentences)
    endings = [explain_delivery("dead", why, 3) for why in Why]
    assert len(set(endings)) == len(Why)


def test_what_waits_is_explained() -> None:
    assert "first try" in explain_delivery("pending", None, 0)
    assert "Failed 3 times" in explain_delivery("pending", None, 3)
