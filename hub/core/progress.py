"""How far a long command is: use cases tell it while they work, and know nothing of who listens or how it is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import msgspec


class Step(msgspec.Struct, frozen=True):
    """One step of a command, as far as it is now. The same `what` again is news of the same step; another one begins the next."""

    what: str
    """What is being done, in words: "Copying the database"."""
    done: int = 0
    total: int | None = None
    """Where it ends, above 0; None where nobody knows."""
    unit: Literal["bytes", "rows"] = "rows"


Tell: TypeAlias = Callable[[Step], None]
"""Takes news at once, from any thread. It raises only to end the work: who tells cleans up then as after any fault."""


def unheard(_step: Step) -> None:
    """For work that nobody watches."""
