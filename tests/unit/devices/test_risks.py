"""What is wrong with a phone, from what is known of it."""

import msgspec
import pytest

from hub.devices.risks import risks_of
from hub.devices.views import DeviceView, LineView

NOW = 1_790_000_000_000
HOUR = 3_600_000
LINE = LineView(
    id="l", account_id="a", name="Line", alias=None, pool=None, number=None, mark=0, device_id="d", device_name="Phone",
    subscription_id=1, slot=0, carrier="EE", fingerprint="ee/", is_present=True, is_enabled=True, is_online=True, paused_until=None,
    paused_reason=None, awaiting_confirmation=False, per_minute=20, per_hour=None, per_day=None, per_month=None, created_at=0,
    removed_at=None,
)  # fmt: skip
WELL = DeviceView(
    id="d", account_id="a", name="Phone", transport="native", state="online", is_online=True, online_since=NOW, offline_since=None,
    last_seen_at=NOW, last_event_at=None, complete_up_to=None, clock_ahead_ms=None, created_at=0, enrolled_at=0, revoked_at=None,
    suspended_at=None, suspended_reason=None, paused_at=None, manufacturer=None, model=None, os_version=None, app_version=None,
    permissions={"send_sms": True, "battery_exemption": True}, battery_percent=80, is_charging=True, signal_percent=(70,),
    queued_events=0, queued_jobs=0, status_at=NOW, quarantined_events=0, missing_events=0, open_gaps=0, lines=(),
)  # fmt: skip


def codes(lines: tuple[LineView, ...] = (LINE,), **change: object) -> list[tuple[str, str]]:
    risks = risks_of(msgspec.structs.replace(WELL, **change), lines, NOW)
    return [(risk.code, risk.severity) for risk in risks]


def test_a_phone_that_is_well_has_none() -> None:
    assert codes() == []


@pytest.mark.parametrize(
    ("change", "risk"),
    [
        ({"battery_percent": 20, "is_charging": False}, ("battery_low", "warning")),
        ({"battery_percent": 5, "is_charging": False}, ("battery_low", "critical")),
        ({"battery_percent": 5}, ("battery_low", "info")),
        ({"permissions": {"send_sms": False}}, ("no_send_permission", "critical")),
        ({"permissions": {"receive_sms": False}}, ("no_receive_permission", "warning")),
        ({"permissions": {"read_phone_state": False}}, ("no_phone_permission", "warning")),
        ({"permissions": {"battery_exemption": False}}, ("battery_optimised", "warning")),
        ({"permissions": {"post_notifications": False}}, ("notifications_off", "info")),
        ({"signal_percent": (0,)}, ("no_service", "critical")),
        ({"signal_percent": (0, None)}, ("no_service", "critical")),
        ({"clock_ahead_ms": 600_000}, ("clock_skew", "warning")),
        ({"quarantined_events": 1}, ("quarantined", "warning")),
        ({"missing_events": 2}, ("holes", "warning")),
        ({"open_gaps": 1}, ("gaps", "info")),
        ({"queued_events": 500}, ("backlog", "warning")),
        ({"suspended_at": NOW, "suspended_reason": "x"}, ("suspended", "critical")),
        ({"is_online": False, "last_seen_at": NOW - 24 * HOUR + 1}, ("offline", "critical")),
        ({"recent_connections": 5}, ("unstable", "warning")),
        ({"is_online": False, "last_seen_at": NOW - 24 * HOUR}, ("silent", "critical")),
        ({"is_online": False, "last_seen_at": None, "enrolled_at": NOW - 24 * HOUR}, ("silent", "critical")),
    ],
)
def test_each_risk_is_found(change: dict[str, object], risk: tuple[str, str]) -> None:
    assert codes(**change) == [risk]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        {"battery_percent": 21, "is_charging": False},
        {"battery_percent": None},
        {"permissions": {}},
        {"signal_percent": (None,)},
        {"signal_percent": ()},
        {"signal_percent": (0, 40)},
        {"clock_ahead_ms": 119_999},
        {"is_online": False, "last_seen_at": NOW - 59_999},
        {"recent_connections": 4},
        {"queued_events": None},
    ],
)
def test_what_is_not_known_or_not_bad_is_no_risk(change: dict[str, object]) -> None:
    assert codes(**change) == []  # type: ignore[arg-type]


def test_sims_that_are_missing_or_wait_are_risks() -> None:
    absent = msgspec.structs.replace(LINE, is_present=False)
    waiting = msgspec.structs.replace(LINE, awaiting_confirmation=True)
    assert codes(lines=()) == codes(lines=(absent,)) == [("no_sim", "critical")]
    assert codes(lines=(waiting,)) == [("sim_unconfirmed", "warning")]


def test_the_worst_comes_first_and_each_says_what_to_do() -> None:
    change = msgspec.structs.replace(WELL, open_gaps=1, permissions={"send_sms": False}, quarantined_events=1)
    risks = risks_of(change, (LINE,), NOW)
    assert [risk.severity for risk in risks] == ["critical", "warning", "info"]
    assert all(risk.text.endswith(".") and risk.fix.endswith(".") for risk in risks)


def sentence(lines: tuple[LineView, ...] = (LINE,), **change: object) -> tuple[str, str]:
    (risk,) = risks_of(msgspec.structs.replace(WELL, **change), lines, NOW)
    return risk.text, risk.fix


def test_an_absence_names_its_likely_cause() -> None:
    away = {"is_online": False, "offline_since": NOW - 92 * 60_000}
    flat = sentence(battery_percent=9, is_charging=False, **away)  # type: ignore[arg-type]
    assert flat[0] == "Probably out of battery: 9 % and not charging when it was last heard, 1 h 32 min ago."
    assert "no mobile service" in sentence(signal_percent=(0,), **away)[0]  # type: ignore[arg-type]
    assert sentence(**away)[0] == "It has been out of reach for 1 h 32 min."  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("limits", "risk", "text"),
    [
        ({"per_day": 500, "used_day": 482}, "budget_low", "Line has 18 segments left for today."),
        ({"per_day": 500, "used_day": 500}, "budget_used", "Line has used its 500 segments for today."),
        ({"per_month": 100, "used_month": 95}, "budget_low", "Line has 5 segments left for this month."),
        ({"per_hour": 10, "used_hour": 10}, "budget_used", "Line has used its 10 segments for this hour."),
        (
            {"paused_until": NOW + 1, "paused_reason": "no_service"},
            "line_paused",
            "Line is paused. The phone had no mobile service.",
        ),
        ({"paused_until": NOW + 1, "paused_reason": "odd"}, "line_paused", "Line is paused. It was paused: odd."),
    ],
)
def test_a_line_that_is_near_its_limit_is_a_risk(limits: dict[str, object], risk: str, text: str) -> None:
    line = msgspec.structs.replace(LINE, **limits)
    assert codes(lines=(line,)) == [(risk, "warning")]
    assert sentence(lines=(line,))[0] == text
    assert codes(lines=(msgspec.structs.replace(LINE, per_day=500, used_day=449),)) == []


@pytest.mark.parametrize(
    ("maker", "menu"),
    [("samsung", "Never sleeping apps"), ("Xiaomi", "Autostart"), ("HUAWEI", "App launch"), ("Fairphone", "")],
)
def test_a_phone_that_may_be_put_to_sleep_names_its_makers_menu(maker: str, menu: str) -> None:
    _, fix = sentence(manufacturer=maker, permissions={"battery_exemption": False})
    assert fix.startswith("Set the app's battery use to Unrestricted.")
    assert menu in fix


def test_a_removed_phone_has_no_risks() -> None:
    assert codes(revoked_at=NOW, battery_percent=1, is_charging=False) == []
