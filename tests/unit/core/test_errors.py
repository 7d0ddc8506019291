"""`hub.core.errors`: a closed catalogue in which every entry says what to do."""

import pytest

from hub.core.errors import CATALOGUE, Code, FieldError, HubError, invalid


def test_every_code_has_an_entry() -> None:
    assert set(CATALOGUE) == set(Code)
    assert all(problem.code is code for code, problem in CATALOGUE.items())


@pytest.mark.parametrize("code", Code)
def test_each_entry_says_what_to_do(code: Code) -> None:
    problem = CATALOGUE[code]
    assert problem.what_to_do.endswith(".")
    assert len(problem.what_to_do) > 12
    assert not problem.title.endswith(".")
    assert 400 <= problem.status <= 599


@pytest.mark.parametrize("code", Code)
def test_no_entry_says_oops(code: Code) -> None:
    words = f"{CATALOGUE[code].title} {CATALOGUE[code].what_to_do}".lower()
    for word in ("error", "oops", "please", "successfully", "invalid"):
        assert word not in words


def test_what_is_busy_may_be_asked_again_and_what_is_wrong_may_not() -> None:
    again = {code for code, problem in CATALOGUE.items() if problem.retryable}
    assert {Code.QUEUE_FULL, Code.RATE_LIMITED, Code.STORAGE_UNAVAILABLE, Code.HELD, Code.SHUTTING_DOWN} <= again
    assert all(CATALOGUE[code].status in {409, 429, 500, 503} for code in again)
    assert all(CATALOGUE[code].retryable for code in CATALOGUE if CATALOGUE[code].status in {429, 503})


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (Code.UNAUTHENTICATED, 401),
        (Code.SCOPE_MISSING, 403),
        (Code.NOT_FOUND, 404),
        (Code.METHOD_NOT_ALLOWED, 405),
        (Code.CANCEL_TOO_LATE, 409),
        (Code.IDEMPOTENCY_CONFLICT, 409),
        (Code.TOKEN_USED, 409),
        (Code.BODY_TOO_LARGE, 413),
        (Code.UNSUPPORTED_MEDIA_TYPE, 415),
        (Code.VALIDATION, 422),
        (Code.RATE_LIMITED, 429),
        (Code.QUEUE_FULL, 503),
    ],
)
def test_statuses(code: Code, status: int) -> None:
    assert HubError(code).status == status


def test_a_problem_carries_its_own_case_or_the_entrys_advice() -> None:
    plain = HubError(Code.NOT_FOUND)
    assert plain.detail == CATALOGUE[Code.NOT_FOUND].what_to_do
    assert plain.fields == ()
    full = HubError(Code.QUEUE_FULL, "4,096 commands are waiting.", retry_after_seconds=2)
    assert str(full) == "queue_full: 4,096 commands are waiting."
    assert full.retry_after_seconds == 2
    assert full.problem.title


def test_a_wrong_field_is_named() -> None:
    problem = invalid("to", "too_short", "The number has too few digits.")
    assert problem.code is Code.VALIDATION
    assert problem.fields == (FieldError("to", "too_short", "The number has too few digits."),)
