"""Which line sends a message, and why, in words an operator can act on.

In this order:
 1. a line, phone or SIM that the request names: that one, or nothing until it is ready;
 2. the line this contact was last in touch with, so that a person always hears from the same number;
 3. of the lines that are ready, the one whose queue is shortest in time: queued segments against its pace per minute.

A sandbox phone's line sends what asks for it by line or phone, and everything else only while the account has no phone that is real:
what it "sends" reaches nobody.

A line is ready when it is enabled, not paused, its SIM present, its phone online, and its hour, day and month budgets not used up. A
full minute is not a reason to go elsewhere: it passes in seconds, and moving would break rule 2.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Literal, TypeAlias

import msgspec

from hub.core.clock import UtcMs
from hub.core.commands import AnyLine, ByDevice, ByLine, ByName, Sender


class LineView(msgspec.Struct, frozen=True, kw_only=True):
    """What choosing needs to know of a line."""

    line_id: str
    name: str
    device_id: str | None = None
    device_name: str | None = None
    slot: int | None = None
    number: str | None = None
    alias: str | None = None
    pool: str | None = None
    is_enabled: bool = True
    is_present: bool = True
    """The SIM was in the phone's last list, and whose line it is has been confirmed."""
    is_online: bool = True
    """Its phone is connected to a hub process."""
    is_device_usable: bool = True
    """The phone is not paused, suspended or revoked."""
    paused_until: UtcMs | None = None
    paused_reason: str | None = None
    queued_segments: int = 0
    per_minute: int = 20
    full_until: UtcMs | None = None
    """When the hour, day or month budget that is used up starts anew; None = room left."""
    full_window: str | None = None
    """Which one: `hour`, `day`, `month`."""
    is_sandbox: bool = False
    """Its phone is emulated."""
    is_phone_removed: bool = False
    """Its phone was removed for good."""
    can_decrypt: bool = False
    """Its phone holds the passphrase of end-to-end encrypted texts (or may: only the phone knows)."""
    sends_mms: bool = False
    """Its phone can send attachments."""


class RouteRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What choosing needs to know of a message."""

    sender: Sender = AnyLine()
    segments: int = 1
    is_sealed: bool = False
    """End-to-end encrypted: only lines of phones that decrypt can send it."""
    needs_mms: bool = False
    """It has attachments: only lines of phones that send MMS can send it."""
    strict_sender: bool = False
    default_pool: str | None = None
    avoid: frozenset[str] = frozenset()
    """Lines that refused this message before: others are tried first."""


Why = Literal["asked", "sticky", "least_loaded", "only_line", "failover"]
Block = Literal[
    "no_lines",
    "no_mms_line",
    "unknown_sender",
    "line_disabled",
    "sim_missing",
    "phone_offline",
    "phone_stopped",
    "paused",
    "budget",
]


class Choice(msgspec.Struct, frozen=True):
    """The line to send from."""

    line_id: str
    why: Why
    sentence: str
    has_unknown_sender: bool = False
    """The `from` that was asked for is no line's: the default pool was used instead, and the timeline says so."""


class NoLine(msgspec.Struct, frozen=True):
    """No line can send it now."""

    reason: Block
    sentence: str
    retry_at: UtcMs | None = None
    """When the earliest obstacle passes by itself; None = when something changes."""
    is_permanent: bool = False
    """Waiting will not help: the message fails."""


Routed: TypeAlias = Choice | NoLine

NO_MMS = "No line that it may go by can send attachments. Send the text alone, or enrol a phone whose app sends MMS."


def choose(
    lines: Sequence[LineView], request: RouteRequest, sticky_line_id: str | None = None, *, now: UtcMs
) -> Routed:
    """The line for a message, or why there is none."""
    lines = [line for line in lines if line.can_decrypt] if request.is_sealed else lines
    candidates, is_pinned, is_unknown = _candidates(lines, request)
    if is_unknown and request.strict_sender:
        return NoLine("unknown_sender", _unknown_sentence(request.sender), is_permanent=True)
    if request.needs_mms and (candidates or not is_pinned):
        candidates = [line for line in candidates if line.sends_mms]
        if not candidates:
            return NoLine("no_mms_line", NO_MMS, is_permanent=True)
    if not candidates:
        return _nothing_to_choose_from(request, is_pinned)
    ready = [line for line in candidates if _obstacle(line, now) is None]
    if not ready:
        return _best_obstacle(candidates, now)
    chosen = _pick(ready, candidates, request, sticky_line_id, is_pinned)
    return msgspec.structs.replace(chosen, has_unknown_sender=is_unknown) if is_unknown else chosen


def sender_lines(lines: Sequence[LineView], sender: Sender) -> list[LineView]:
    """The lines a request names; all of them when it names none."""
    match sender:
        case ByLine(line_id):
            return [line for line in lines if line.line_id == line_id]
        case ByDevice(device_id, slot):
            return [line for line in lines if line.device_id == device_id and slot in (None, line.slot)]
        case ByName(name):
            return _by_name(lines, name)
        case AnyLine():
            return list(lines)


def _by_name(lines: Sequence[LineView], name: str) -> list[LineView]:
    """By number, else alias, else pool; a name is compared without regard to case."""
    wanted = name.casefold()
    tests: tuple[Callable[[LineView], str | None], ...] = (
        lambda line: line.number,
        lambda line: line.alias,
        lambda line: line.pool,
    )
    for value_of in tests:
        found = [line for line in lines if (value_of(line) or "").casefold() == wanted]
        if found:
            return found
    return []


def _candidates(lines: Sequence[LineView], request: RouteRequest) -> tuple[list[LineView], bool, bool]:
    """The lines to choose among, whether the request pinned them, and whether it named a sender nobody knows."""
    named = sender_lines(lines, request.sender)
    is_unknown = isinstance(request.sender, ByName) and not named
    if is_unknown or isinstance(request.sender, AnyLine):
        in_pool = [line for line in lines if request.default_pool and line.pool == request.default_pool]
        return in_pool or _with_phone(without_sandbox(lines)), False, is_unknown
    return named, True, False


def without_sandbox(lines: Sequence[LineView]) -> list[LineView]:
    """The lines whose texts reach somebody; where there are none, those of sandbox phones."""
    if not any(not line.is_sandbox and not line.is_phone_removed for line in lines):
        return list(lines)
    return [line for line in lines if not line.is_sandbox]


def _with_phone(lines: Sequence[LineView]) -> list[LineView]:
    """Without lines that only take in what a carrier posts: such a one sends what names it, once its SIM is in a phone."""
    return [line for line in lines if line.device_id is not None]


def _pick(
    ready: list[LineView],
    candidates: Sequence[LineView],
    request: RouteRequest,
    sticky_line_id: str | None,
    is_pinned: bool,
) -> Choice:
    fresh = [line for line in ready if line.line_id not in request.avoid] or ready
    sticky = next((line for line in fresh if line.line_id == sticky_line_id), None)
    if is_pinned and len(candidates) == 1:
        return Choice(fresh[0].line_id, "asked", f"The request asks for {fresh[0].name}.")
    if sticky is not None:
        return Choice(sticky.line_id, "sticky", f"This contact was last in touch with {sticky.name}.")
    line = min(fresh, key=lambda line: (_load(line, request.segments), line.line_id))
    if any(candidate.line_id == sticky_line_id for candidate in candidates):
        return Choice(line.line_id, "failover", f"The contact's usual line cannot send now, so {line.name} does.")
    if len(candidates) == 1:
        return Choice(line.line_id, "only_line", f"{line.name} is the only line.")
    if len(fresh) < len(ready):
        return Choice(line.line_id, "failover", f"Another line could not send it, so {line.name} does.")
    return Choice(line.line_id, "least_loaded", f"{line.name} has the shortest queue.")


def _load(line: LineView, segments: int) -> float:
    """Minutes until the message would leave this line."""
    return (line.queued_segments + segments) / max(line.per_minute, 1)


def _nothing_to_choose_from(request: RouteRequest, is_pinned: bool) -> NoLine:
    if is_pinned:
        return NoLine("unknown_sender", _unknown_sentence(request.sender), is_permanent=True)
    if request.is_sealed:
        return NoLine("no_lines", "No phone can decrypt it. Enrol one with the sms-gate.app app and it goes out.")
    return NoLine("no_lines", "There is no line yet. Enrol a phone and it goes out.")


def _unknown_sentence(sender: Sender) -> str:
    named = repr(sender.name) if isinstance(sender, ByName) else "the line or phone it asks for"
    return f"No line answers to {named}. Use the number, alias or pool of one of the account's lines."


def _obstacle(line: LineView, now: UtcMs) -> NoLine | None:
    """Why a line is not ready, what lasts longest first."""
    if not line.is_enabled:
        return NoLine("line_disabled", f"{line.name} is switched off. Enable it, or choose another line.")
    if line.device_id is None and line.is_phone_removed:
        return NoLine(
            "sim_missing",
            f"{line.name} is in no phone: it takes in texts and sends none. Put its SIM into a phone, or choose another line.",
        )
    if not line.is_device_usable:
        phone = line.device_name or "its phone"
        return NoLine(
            "phone_stopped",
            f"Sending from {line.name} is stopped at {phone}. Resume the phone, or choose another line.",
        )
    if not line.is_present:
        return NoLine("sim_missing", f"The SIM of {line.name} is in no phone. Put it back, or choose another line.")
    if line.paused_until is not None and line.paused_until > now:
        why = f": {line.paused_reason}" if line.paused_reason else ""
        return NoLine("paused", f"{line.name} is paused{why}. It goes on by itself.", line.paused_until)
    if line.full_until is not None and line.full_until > now:
        window = line.full_window or "day"
        return NoLine(
            "budget", f"{line.name} has used its segments for this {window}. It goes on by itself.", line.full_until
        )
    if not line.is_online:
        phone = line.device_name or f"the phone of {line.name}"
        return NoLine(
            "phone_offline", f"{phone[:1].upper()}{phone[1:]} is offline. It goes out when the phone is back."
        )
    return None


def _best_obstacle(candidates: Collection[LineView], now: UtcMs) -> NoLine:
    """Of the obstacles of all candidates, the one that passes first; one that passes by itself before one that does not."""
    obstacles = [obstacle for line in candidates if (obstacle := _obstacle(line, now)) is not None]
    timed = [obstacle for obstacle in obstacles if obstacle.retry_at is not None]
    if timed:
        return min(timed, key=lambda obstacle: obstacle.retry_at or 0)
    order = ("phone_offline", "phone_stopped", "sim_missing", "line_disabled")
    return min(obstacles, key=lambda obstacle: order.index(obstacle.reason) if obstacle.reason in order else 0)
