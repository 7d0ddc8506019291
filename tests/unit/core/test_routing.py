"""`hub.core.routing`: which line, and why."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.commands import AnyLine, ByDevice, ByLine, ByName, Sender
from hub.core.routing import Choice, LineView, NoLine, Routed, RouteRequest, choose

NOW = 1_790_000_000_000


def line(line_id: str, **more: Any) -> LineView:
    """A line that is ready."""
    facts: dict[str, Any] = {
        "name": f"Line {line_id}",
        "device_id": f"dev-{line_id}",
        "device_name": f"Phone {line_id}",
        "slot": 0,
    }
    return LineView(line_id=line_id, **(facts | more))


def route(lines: list[LineView], sender: Sender | None = None, sticky: str | None = None, **more: Any) -> Routed:
    """The choice for a message of one segment."""
    return choose(lines, RouteRequest(sender=sender or AnyLine(), **more), sticky, now=NOW)


def chosen(routed: Routed) -> tuple[str, str]:
    """Line and why."""
    assert isinstance(routed, Choice), routed
    return routed.line_id, routed.why


def refused(routed: Routed) -> NoLine:
    """Why there is none."""
    assert isinstance(routed, NoLine), routed
    return routed


OBSTACLES: dict[str, dict[str, Any]] = {
    "line_disabled": {"is_enabled": False},
    "phone_stopped": {"is_device_usable": False},
    "sim_missing": {"is_present": False},
    "paused": {"paused_until": NOW + 60_000, "paused_reason": "Android's send limit"},
    "budget": {"full_until": NOW + 3_600_000, "full_window": "day"},
    "phone_offline": {"is_online": False},
}


def test_the_only_line_is_taken() -> None:
    assert chosen(route([line("a")])) == ("a", "only_line")


def test_a_line_that_is_asked_for_is_taken_whatever_is_sticky_or_busier() -> None:
    lines = [line("a", queued_segments=900), line("b")]
    for sender in (ByLine("a"), ByDevice("dev-a"), ByDevice("dev-a", 0)):
        assert chosen(route(lines, sender, sticky="b")) == ("a", "asked")


@pytest.mark.parametrize("sender", [ByLine("z"), ByDevice("dev-z"), ByDevice("dev-a", 1)])
def test_a_line_that_is_asked_for_and_does_not_exist_is_an_end(sender: Sender) -> None:
    routed = refused(route([line("a"), line("b")], sender))
    assert (routed.reason, routed.is_permanent) == ("unknown_sender", True)


@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_a_line_that_is_asked_for_is_waited_for(obstacle: str) -> None:
    routed = refused(route([line("a", **OBSTACLES[obstacle]), line("b")], ByLine("a")))
    assert (routed.reason, routed.is_permanent) == (obstacle, False)


def test_a_phone_without_a_sim_named_chooses_among_its_sims() -> None:
    lines = [line("a", device_id="d", slot=0, queued_segments=9), line("b", device_id="d", slot=1), line("c")]
    assert chosen(route(lines, ByDevice("d"))) == ("b", "least_loaded")
    assert chosen(route(lines, ByDevice("d"), sticky="a")) == ("a", "sticky")
    assert chosen(route(lines, ByDevice("d", 0))) == ("a", "asked")


def test_a_sender_is_found_by_number_then_alias_then_pool() -> None:
    lines = [
        line("a", number="+491700000001", alias="Shop", pool="sales"),
        line("b", alias="Desk", pool="sales"),
        line("c", pool="desk"),
    ]
    assert chosen(route(lines, ByName("+491700000001"))) == ("a", "asked")
    known = route(lines, ByName("shop"))
    assert chosen(known) == ("a", "asked")
    assert not getattr(known, "has_unknown_sender", True)
    assert chosen(route(lines, ByName("DESK"))) == ("b", "asked")
    assert chosen(route(lines, ByName("sales"), sticky="b")) == ("b", "sticky")
    assert chosen(route(lines, ByName("sales"), sticky="c")) == ("a", "least_loaded")


def test_an_unknown_sender_falls_back_to_the_default_pool_and_says_so() -> None:
    lines = [line("a"), line("b", pool="front"), line("c", pool="front", queued_segments=5)]
    routed = route(lines, ByName("AbilIT"), default_pool="front")
    assert chosen(routed) == ("b", "least_loaded")
    assert isinstance(routed, Choice)
    assert routed.has_unknown_sender
    assert chosen(route(lines, ByName("AbilIT")))[0] == "a"


def test_an_unknown_sender_is_an_end_when_the_account_is_strict() -> None:
    routed = refused(route([line("a")], ByName("AbilIT"), strict_sender=True))
    assert (routed.reason, routed.is_permanent) == ("unknown_sender", True)
    assert "AbilIT" in routed.sentence


def test_a_contact_hears_from_the_line_it_knows() -> None:
    lines = [line("a"), line("b", queued_segments=500)]
    assert chosen(route(lines, sticky="b")) == ("b", "sticky")


@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_when_the_usual_line_cannot_send_another_does(obstacle: str) -> None:
    lines = [line("a", **OBSTACLES[obstacle]), line("b")]
    routed = route(lines, sticky="a")
    assert chosen(routed) == ("b", "failover")


def test_a_line_that_refused_this_text_is_left_for_another() -> None:
    lines = [line("a"), line("b", queued_segments=100)]
    assert chosen(route(lines, avoid=frozenset({"a"}))) == ("b", "failover")
    assert chosen(route(lines, sticky="a", avoid=frozenset({"a"}))) == ("b", "failover")
    assert chosen(route([line("a")], avoid=frozenset({"a"}))) == ("a", "only_line")


def test_load_is_time_not_segments() -> None:
    lines = [line("a", queued_segments=30, per_minute=60), line("b", queued_segments=20, per_minute=10)]
    assert chosen(route(lines)) == ("a", "least_loaded")


def test_load_counts_the_text_itself() -> None:
    lines = [line("a", queued_segments=0, per_minute=1), line("b", queued_segments=30, per_minute=20)]
    assert chosen(route(lines, segments=1)) == ("a", "least_loaded")
    assert chosen(route(lines, segments=9)) == ("b", "least_loaded")


def test_the_first_of_equals_is_taken() -> None:
    assert chosen(route([line("b"), line("a"), line("c")])) == ("a", "least_loaded")


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"is_enabled": False}, "Line a is switched off. Enable it, or choose another line."),
        (
            {"is_device_usable": False},
            "Sending from Line a is stopped at Phone a. Resume the phone, or choose another line.",
        ),
        ({"is_present": False}, "The SIM of Line a is in no phone. Put it back, or choose another line."),
        ({"paused_until": NOW + 1}, "Line a is paused. It goes on by itself."),
        (
            {"paused_until": NOW + 1, "paused_reason": "Android's send limit"},
            "Line a is paused: Android's send limit. It goes on by itself.",
        ),
        (
            {"full_until": NOW + 1, "full_window": "hour"},
            "Line a has used its segments for this hour. It goes on by itself.",
        ),
        ({"is_online": False}, "Phone a is offline. It goes out when the phone is back."),
        (
            {"is_online": False, "device_name": None},
            "The phone of Line a is offline. It goes out when the phone is back.",
        ),
    ],
)
def test_each_obstacle_says_what_to_do(facts: dict[str, Any], says: str) -> None:
    assert refused(route([line("a", **facts)])).sentence == says


def test_no_lines_at_all_waits_for_a_phone() -> None:
    routed = refused(route([]))
    assert (routed.reason, routed.is_permanent, routed.retry_at) == ("no_lines", False, None)


def test_the_obstacle_that_passes_first_is_named() -> None:
    lines = [
        line("a", full_until=NOW + 9_000, full_window="hour"),
        line("b", paused_until=NOW + 5_000),
        line("c", is_online=False),
    ]
    routed = refused(route(lines))
    assert (routed.reason, routed.retry_at) == ("paused", NOW + 5_000)
    assert refused(route([line("a", is_enabled=False), line("b", is_online=False)])).reason == "phone_offline"


def test_an_obstacle_that_is_over_is_none() -> None:
    assert chosen(route([line("a", paused_until=NOW, full_until=NOW)])) == ("a", "only_line")


@given(
    st.lists(
        st.builds(
            line,
            st.sampled_from("abcdefgh"),
            is_enabled=st.booleans(),
            is_present=st.booleans(),
            is_online=st.booleans(),
            is_device_usable=st.booleans(),
            paused_until=st.none() | st.integers(NOW - 5, NOW + 5),
            full_until=st.none() | st.integers(NOW - 5, NOW + 5),
            queued_segments=st.integers(0, 50),
            per_minute=st.integers(0, 60),
            pool=st.sampled_from([None, "p"]),
        ),
        max_size=8,
        unique_by=lambda view: view.line_id,
    ),
    st.sampled_from([AnyLine(), ByLine("a"), ByDevice("dev-b"), ByName("p"), ByName("x")]),
    st.sampled_from([None, "a", "b"]),
    st.frozensets(st.sampled_from("abcd")),
)
def test_whatever_is_chosen_can_send_and_is_what_was_asked_for(
    lines: list[LineView], sender: Sender, sticky: str | None, avoid: frozenset[str]
) -> None:
    routed = route(lines, sender, sticky, avoid=avoid)
    assert routed.sentence.endswith(".")
    if isinstance(routed, NoLine):
        return
    view = next(view for view in lines if view.line_id == routed.line_id)
    assert view.is_enabled
    assert view.is_online
    assert view.is_present
    assert view.is_device_usable
    assert (view.paused_until or 0) <= NOW
    assert (view.full_until or 0) <= NOW
    if isinstance(sender, ByLine):
        assert view.line_id == sender.line_id
    if isinstance(sender, ByDevice):
        assert view.device_id == sender.device_id


def test_attachments_go_by_a_line_that_sends_mms_or_by_none() -> None:
    plain, able = line("a"), line("b", sends_mms=True, queued_segments=99)
    assert chosen(route([plain, able], needs_mms=True)) == ("b", "only_line")
    assert chosen(route([plain, able], sticky="a", needs_mms=True))[0] == "b"
    for lines, sender in (([plain], None), ([], None), ([plain, able], ByLine("a")), ([plain], ByName("nobody"))):
        none = refused(route(lines, sender, needs_mms=True))
        assert (none.reason, none.is_permanent) == ("no_mms_line", True)
    assert refused(route([plain], ByLine("x"), needs_mms=True)).reason == "unknown_sender"
    assert refused(route([line("b", sends_mms=True, is_online=False)], needs_mms=True)).reason == "phone_offline"


def test_a_sandbox_line_sends_only_what_asks_for_it_while_there_is_a_real_one() -> None:
    real, sandbox = line("real", pool="shop"), line("sand", is_sandbox=True, alias="Sandbox")
    assert chosen(route([real, sandbox], sticky="sand")) == ("real", "only_line")
    away = line("real", is_online=False)
    assert refused(route([away, sandbox])).reason == "phone_offline"
    assert chosen(route([away, sandbox], ByLine("sand"))) == ("sand", "asked")
    assert chosen(route([away, sandbox], ByName("sandbox")))[0] == "sand"
    assert refused(route([away, sandbox], ByName("nobody"))).reason == "phone_offline"


def test_a_line_in_no_phone_holds_up_no_text_and_says_so_when_it_is_asked_for() -> None:
    carried = line("carried", device_id=None, device_name=None, is_device_usable=False, is_phone_removed=True)
    away = line("a", is_online=False)
    assert chosen(route([line("a"), carried], sticky="carried")) == ("a", "only_line")
    assert refused(route([away, carried], sticky="carried")).reason == "phone_offline"
    asked = refused(route([line("a"), carried], ByLine("carried")))
    assert (asked.reason, asked.is_permanent) == ("sim_missing", False)
    assert "takes in texts and sends none" in asked.sentence
    assert refused(route([carried])).reason == "no_lines"


def test_a_sandbox_line_sends_everything_while_it_is_alone() -> None:
    sandbox = line("sand", is_sandbox=True)
    assert chosen(route([sandbox])) == ("sand", "only_line")
    removed = line("real", is_device_usable=False, is_phone_removed=True)
    assert chosen(route([removed, sandbox]))[0] == "sand"
