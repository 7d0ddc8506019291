import pytest

from android_emulator.failpoints import Failpoints, read_plan


def test_the_phone_dies_at_the_passage_that_was_named_and_no_other() -> None:
    died_at: list[str] = []
    points = Failpoints.from_environment({"PHONE_FAILPOINTS": "radio.called:2, event.sent"})
    points._die = lambda: died_at.append("dead")
    points.passing("radio.before")
    points.passing("radio.called")
    assert died_at == []
    points.passing("radio.called")
    assert died_at == ["dead"]
    points.passing("event.sent")
    assert len(died_at) == 2


def test_a_point_that_does_not_exist_is_an_error_not_a_test_that_tests_nothing() -> None:
    with pytest.raises(ValueError, match=r"radio\.calld"):
        read_plan("radio.calld")
