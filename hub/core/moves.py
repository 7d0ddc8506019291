"""What the hub itself decides about one message: its timers, its dispatcher, its offers."""

import msgspec

from hub.core.clock import UtcMs


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """What every decision carries."""

    message_id: str
    at: UtcMs


class Release(Move, frozen=True, kw_only=True):
    """The scheduled time has come."""


class Offer(Move, frozen=True, kw_only=True):
    """The message is offered to a phone under a new submission number; nothing is bound yet."""

    device_id: str
    submission: int
    line_id: str | None = None


class Withdraw(Move, frozen=True, kw_only=True):
    """An offer that was not accepted in time is taken back, so that another phone may have it."""

    submission: int


class NoRoute(Move, frozen=True, kw_only=True):
    """No line will ever send it."""

    reason: str = "no_line"


class TimeOver(Move, frozen=True, kw_only=True):
    """The time to live is over."""


class Overdue(Move, frozen=True, kw_only=True):
    """The time to live and 60 seconds are over, and the phone it is bound to has not said how it ended."""


class OutcomeUnknown(Move, frozen=True, kw_only=True):
    """Seven days of uncertainty: the phone no longer remembers the id either."""
