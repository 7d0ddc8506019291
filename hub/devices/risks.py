"""What is wrong with a phone, before it costs a text: pure rules over what the phone told and what the hub saw."""

from collections.abc import Callable, Sequence

from hub.core.clock import UtcMs
from hub.core.results import why
from hub.devices.makers import battery_menu
from hub.devices.views import DeviceView, LineView, Risk, Severity

BATTERY_LOW_PERCENT = 20
BATTERY_CRITICAL_PERCENT = 5
SIGNAL_LOST_PERCENT = 0
CLOCK_AHEAD_MS = 120_000
"""Beyond what a slow network explains."""
BACKLOG_EVENTS = 500
SILENT_HOURS = 24
AWAY_MS = 60_000
"""Shorter absences are the network's everyday."""
MANY_CONNECTIONS = 5
"""In an hour: its network comes and goes, or the phone stops the app."""
NEARLY_USED = 0.9
"""The share of a budget from which its end is told."""


def risks_of(device: DeviceView, lines: Sequence[LineView], now: UtcMs) -> tuple[Risk, ...]:
    """Every risk of a phone that is not revoked, worst first. `lines`: those placed in it."""
    if device.revoked_at is not None:
        return ()
    found = [risk for rule in _RULES for risk in rule(device, lines, now)]
    return tuple(sorted(found, key=lambda risk: _ORDER[risk.severity]))


_ORDER: dict[Severity, int] = {"critical": 0, "warning": 1, "info": 2}
Found = list[Risk]


def _risk(code: str, severity: Severity, text: str, fix: str) -> Found:
    return [Risk(code=code, severity=severity, text=text, fix=fix)]


def _suspension(device: DeviceView, _lines: Sequence[LineView], _now: UtcMs) -> Found:
    if device.suspended_at is None:
        return []
    return _risk(
        "suspended",
        "critical",
        f"This phone may not connect: {device.suspended_reason or 'an operator suspended it'}.",
        "Look at its notices, then let it back in or enrol it anew.",
    )


def _silence(device: DeviceView, _lines: Sequence[LineView], now: UtcMs) -> Found:
    since = device.last_seen_at or device.enrolled_at
    hours = (now - since) // 3_600_000
    if device.is_online or hours < SILENT_HOURS:
        return []
    return _risk(
        "silent",
        "critical",
        f"Nothing was heard of this phone for {hours} hours.",
        "Open the app on it, and check power, network and that the phone does not stop background apps.",
    )


def _absence(device: DeviceView, _lines: Sequence[LineView], now: UtcMs) -> Found:
    """Gone for a while: with the likely cause, from the last it told."""
    since = device.offline_since or device.last_seen_at
    if device.is_online or since is None or not now - since >= AWAY_MS or (now - since) // 3_600_000 >= SILENT_HOURS:
        return []
    if device.suspended_at is not None:
        return []
    away = _how_long(now - since)
    level = device.battery_percent
    if level is not None and level <= BATTERY_LOW_PERCENT and not device.is_charging:
        text = f"Probably out of battery: {level} % and not charging when it was last heard, {away} ago."
        return _risk("offline", "critical", text, "Plug it in and open the app.")
    if device.signal_percent and all(one == SIGNAL_LOST_PERCENT for one in device.signal_percent):
        text = f"Probably out of reach: it had no mobile service when it was last heard, {away} ago."
        return _risk("offline", "critical", text, "Move it to where it has signal or Wi-Fi.")
    fix = "Check its power and network, and open the app on it."
    if device.permissions.get("battery_exemption") is False:
        fix = f"Open the app on it; then {_unrestricted(device)[:1].lower()}{_unrestricted(device)[1:]}"
    return _risk("offline", "critical", f"It has been out of reach for {away}.", fix)


def _how_long(milliseconds: int) -> str:
    minutes = milliseconds // 60_000
    hours, rest = divmod(minutes, 60)
    return f"{minutes} min" if hours == 0 else f"{hours} h" if rest == 0 else f"{hours} h {rest} min"


def _flapping(device: DeviceView, _lines: Sequence[LineView], _now: UtcMs) -> Found:
    if device.recent_connections < MANY_CONNECTIONS:
        return []
    menu = battery_menu(device.manufacturer)
    return _risk(
        "unstable",
        "warning",
        f"It lost its connection and came back {device.recent_connections - 1} times in the last hour.",
        "Move it to a better Wi-Fi or switch to mobile data." + (f" {menu}" if menu else ""),
    )


def _budgets(device: DeviceView, lines: Sequence[LineView], now: UtcMs) -> Found:
    found: Found = []
    for line in lines:
        if not line.is_present or not line.is_enabled:
            continue
        if line.paused_until is not None and line.paused_until > now:
            cause = why(line.paused_reason) or f"It was paused: {line.paused_reason or 'no reason was given'}."
            text = f"{line.name} is paused. {cause}"
            found += _risk("line_paused", "warning", text, "It goes on by itself; move what is urgent.")
        found += _nearly_used(device, line)
    return found


def _nearly_used(_device: DeviceView, line: LineView) -> Found:
    windows = (
        ("this month", line.used_month, line.per_month, "the first of next month"),
        ("today", line.used_day, line.per_day, "midnight"),
        ("this hour", line.used_hour, line.per_hour, "the hour is over"),
    )
    for when, used, cap, anew in windows:
        if not cap or used < NEARLY_USED * cap:
            continue
        fix = f"Move its texts to another phone, raise the limit, or wait until {anew}."
        if used >= cap:
            return _risk("budget_used", "warning", f"{line.name} has used its {cap} segments for {when}.", fix)
        return _risk("budget_low", "warning", f"{line.name} has {cap - used} segments left for {when}.", fix)
    return []


def _battery(device: DeviceView, _lines: Sequence[LineView], _now: UtcMs) -> Found:
    level = device.battery_percent
    if level is None or level > BATTERY_LOW_PERCENT or not device.is_online:
        return []
    if device.is_charging:
        return _risk("battery_low", "info", f"The battery is at {level} % and charging.", "Leave it plugged in.")
    severity: Severity = "critical" if level <= BATTERY_CRITICAL_PERCENT else "warning"
    return _risk("battery_low", severity, f"The battery is at {level} % and not charging.", "Plug the phone in.")


_PERMISSIONS: tuple[tuple[str, str, Severity, str, str], ...] = (
    (
        "send_sms",
        "no_send_permission",
        "critical",
        "The app may not send SMS.",
        "Allow SMS for the app; on Android 15 and later first tap App info, then Allow restricted settings.",
    ),
    (
        "receive_sms",
        "no_receive_permission",
        "warning",
        "The app may not receive SMS: inbound texts never reach the hub.",
        "Allow SMS for the app; on Android 15 and later first tap App info, then Allow restricted settings.",
    ),
    (
        "read_phone_state",
        "no_phone_permission",
        "warning",
        "The app may not see the phone's SIMs.",
        "Allow Phone for the app.",
    ),
    (
        "battery_exemption",
        "battery_optimised",
        "warning",
        "Android may put the app to sleep to save battery: texts wait until the phone is used.",
        "Set the app's battery use to Unrestricted.",
    ),
    (
        "post_notifications",
        "notifications_off",
        "info",
        "The app's notifications are off, so nobody sees on the phone when it stops.",
        "Allow notifications for the app.",
    ),
)
"""Permission word, risk, how bad, what it costs, what to do. A permission the phone does not mention is no risk."""


def _permissions(device: DeviceView, _lines: Sequence[LineView], _now: UtcMs) -> Found:
    return [
        Risk(code=code, severity=severity, text=text, fix=_unrestricted(device) if word == "battery_exemption" else fix)
        for word, code, severity, text, fix in _PERMISSIONS
        if device.permissions.get(word) is False
    ]


def _unrestricted(device: DeviceView) -> str:
    menu = battery_menu(device.manufacturer)
    return "Set the app's battery use to Unrestricted." + (f" {menu}" if menu else "")


def _service(device: DeviceView, lines: Sequence[LineView], _now: UtcMs) -> Found:
    if not any(line.is_present for line in lines):
        if device.permissions.get("read_phone_state") is False:
            return []
        return _risk(
            "no_sim", "critical", "There is no SIM in this phone.", "Put a SIM in, or check that it is not locked."
        )
    if (
        device.is_online
        and device.signal_percent
        and all(level in (SIGNAL_LOST_PERCENT, None) for level in device.signal_percent)
    ):
        if all(level is None for level in device.signal_percent):
            return []
        return _risk(
            "no_service",
            "critical",
            "The phone has no mobile service.",
            "Move it to where it has signal, and check that flight mode is off.",
        )
    return []


def _confirmation(_device: DeviceView, lines: Sequence[LineView], _now: UtcMs) -> Found:
    if not any(line.awaiting_confirmation for line in lines):
        return []
    return _risk(
        "sim_unconfirmed",
        "warning",
        "A SIM without a known number turned up, and may be one of your lines.",
        "Say which line it is, or that it is a new one; until then it sends nothing.",
    )


def _clock(device: DeviceView, _lines: Sequence[LineView], _now: UtcMs) -> Found:
    ahead = device.clock_ahead_ms
    if ahead is None or ahead < CLOCK_AHEAD_MS:
        return []
    return _risk(
        "clock_skew",
        "warning",
        f"The phone's events are dated {ahead // 60_000} minutes in the future.",
        "Switch on automatic date and time on the phone.",
    )


def _evidence(device: DeviceView, _lines: Sequence[LineView], _now: UtcMs) -> Found:
    found: Found = []
    if device.quarantined_events:
        found += _risk(
            "quarantined",
            "warning",
            f"{device.quarantined_events} events of this phone could not be read; they are kept as they came.",
            "Look at them on the phone's page, and update the app or the hub.",
        )
    if device.missing_events:
        found += _risk(
            "holes",
            "warning",
            f"{device.missing_events} events of this phone have not arrived; the hub has asked for them.",
            "Keep the phone online until it has sent them.",
        )
    if device.open_gaps:
        found += _risk(
            "gaps",
            "info",
            f"The phone said {device.open_gaps} times that it no longer has some of its events.",
            "Look at the phone's own messages for the times shown.",
        )
    return found


def _backlog(device: DeviceView, _lines: Sequence[LineView], _now: UtcMs) -> Found:
    if (device.queued_events or 0) < BACKLOG_EVENTS:
        return []
    return _risk(
        "backlog",
        "warning",
        f"{device.queued_events} events wait on the phone.",
        "Keep it online; if the number does not fall, its network is too slow.",
    )


_RULES: tuple[Callable[[DeviceView, Sequence[LineView], UtcMs], Found], ...] = (
    _suspension,
    _silence,
    _absence,
    _flapping,
    _budgets,
    _battery,
    _permissions,
    _service,
    _confirmation,
    _clock,
    _evidence,
    _backlog,
)
