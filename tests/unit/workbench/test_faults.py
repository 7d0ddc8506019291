"""The list of ways to misbehave."""

from itertools import islice

import pytest

from hub.workbench.blocks import mask, shown_body, shown_path
from hub.workbench.faults import FINE, Fault, Plan


def test_plan_is_worked_off_and_then_all_is_well() -> None:
    plan = Plan("500*2, slow:3,hang,redirect,redirect:http://x/,wrong-ack,drop,410,429:30,204*2")
    expected = [
        Fault("status", 500), Fault("status", 500), Fault("slow", argument="3"), Fault("hang"),
        Fault("redirect", 302, "https://example.org/elsewhere"), Fault("redirect", 302, "http://x/"), Fault("wrong-ack"),
        Fault("drop"), Fault("status", 410), Fault("status", 429, "30"), Fault("status", 204), Fault("status", 204), FINE, FINE,
    ]  # fmt: skip
    assert [plan.next() for _ in expected] == expected
    assert all(fault.shown for fault in expected)


def test_a_star_alone_is_for_ever() -> None:
    plan = Plan("503*,200")
    assert {fault.status for fault in islice(iter(plan.next, None), 100)} == {503}


@pytest.mark.parametrize("text", ["600", "50", "slowly", "hang:3", "slow:x", "429:soon", "*3", "drop:now", "500**2"])
def test_what_cannot_be_read_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is no answer this receiver knows"):
        Plan(f"200,{text}")


def test_blocks_mask_what_is_secret() -> None:
    assert mask("Authorization", "Bearer x") == mask("x-api-key", "x") == "••••"
    assert mask("webhook-id", "evt_1") == "evt_1"
    assert shown_path("/hook?token=s3cret&a=1") == "/hook?token=••••&a=1"
    assert shown_body(b'{"a":{"b":"\xc3\xbc"}}') == '{\n  "a": {\n    "b": "ü"\n  }\n}'
    assert "more characters" in shown_body(b"x" * 10_000)
    assert shown_body(b"[" * 100_000).startswith("[[[")
