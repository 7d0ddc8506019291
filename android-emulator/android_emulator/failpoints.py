"""Where a test may make the phone die: at the n-th passage of a named point the process kills itself with SIGKILL.

`PHONE_FAILPOINTS="radio.called,event.stored:3"` dies at the first passage of `radio.called` or the third of `event.stored`. SIGKILL
leaves no chance to tidy up, exactly as when Android takes the process away or the battery is pulled.
"""

import os
import signal
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Literal, get_args

from device_protocol.frames import Accepted, Ack, Event, Go, HubFrame, Job, JobState, PhoneFrame
from device_protocol.phone_store import PutEvent, PutJob, Write

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

    def reading(self, frame: HubFrame) -> None:
        """A frame of the hub was read and nothing came of it yet."""
        if name := _READ.get(type(frame)):
            self.passing(name)

    def stored(self, writes: Iterable[Write]) -> None:
        """These writes are on disk, and nobody knows."""
        for write in writes:
            if isinstance(write, PutJob) and write.job.state is JobState.ACCEPTED:
                self.passing("job.stored")
            elif isinstance(write, PutEvent):
                self.passing("event.stored")

    def sent(self, frame: PhoneFrame) -> None:
        """This frame is with the network."""
        if name := _SENT.get(type(frame)):
            self.passing(name)


_READ: Final[dict[type[HubFrame], Failpoint]] = {Job: "job.received", Go: "go.read", Ack: "ack.read"}
_SENT: Final[dict[type[PhoneFrame], Failpoint]] = {Accepted: "accepted.sent", Event: "event.sent"}


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
