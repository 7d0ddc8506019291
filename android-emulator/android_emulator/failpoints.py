"""Where a test may make the phone die: at the n-th passage of a named point the process kills itself with SIGKILL.

`PHONE_FAILPOINTS="radio.called,event.stored:3"` dies at the first passage of `radio.called` or the third of `event.stored`. SIGKILL
leaves no chance to tidy up, exactly as when Android takes the process away or the battery is pulled.
"""

import os
import signal
from collections.abc import Callable, Mapping
from typing import Final, Literal, get_args

Failpoint = Literal[
    "job.received",
    "job.stored",
    "accepted.sent",
    "go.read",
    "radio.before",
    "radio.called",
    "radio.recorded",
    "event.stored",
    "event.sent",
    "ack.read",
]
NAMES: Final[frozenset[str]] = frozenset(get_args(Failpoint))
VARIABLE: Final = "PHONE_FAILPOINTS"


class Failpoints:
    """Counts passages; without a plan, passing costs one empty look-up."""

    def __init__(self, plan: Mapping[str, int] | None = None, die: Callable[[], None] | None = None) -> None:
        self._left = dict(plan or {})
        self._die = die or _kill_this_process

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "Failpoints":
        return cls(read_plan(environ.get(VARIABLE, "")))

    def passing(self, name: Failpoint) -> None:
        """Die here if the plan says so."""
        left = self._left.get(name)
        if left is None:
            return
        self._left[name] = left - 1
        if left == 1:
            self._die()


def read_plan(text: str) -> dict[str, int]:
    """`name[:n],…` → passages until death. Raises ValueError for a name that no code passes."""
    plan: dict[str, int] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name, _, count = entry.partition(":")
        if name not in NAMES:
            raise ValueError(f"{VARIABLE} names {name!r}, which is none of {', '.join(sorted(NAMES))}")
        plan[name] = int(count or 1)
    return plan


def _kill_this_process() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
