"""What a test makes a phone do wrong on purpose: held back, repeated, swallowed and refused frames."""

from collections.abc import Callable
from dataclasses import dataclass, field

from device_protocol.frames import Accepted, Event, HubFrame, Job, PhoneFrame


@dataclass(slots=True)
class Misbehaviour:
    """Switches, all off. Set them at any time; they hold from the next frame on."""

    refuses: str | None = None
    """Refuse every offer with this reason, a word of `device_protocol.states.REFUSALS`."""
    ignores_jobs: bool = False
    """Offers are read and thrown away: never stored, never answered."""
    accepts_late: bool = False
    """Offers are stored, but `accepted` waits for `release`."""
    repeats: int = 0
    """How many times more each frame is sent."""
    holds_back: set[int] = field(default_factory=set)
    """Numbers of events that wait for `release`, also when the hub asks for them, while later ones go out."""
    is_eager: bool = False
    """Hands texts to the radio even where there is no service, and takes the refusal."""
    spoils: Callable[[str], str] | None = None
    """Changes the JSON text of every frame on its way out."""
    _held: list[PhoneFrame] = field(default_factory=list)

    def swallows(self, frame: HubFrame) -> bool:
        """Whether a frame of the hub is as good as never read."""
        return self.ignores_jobs and isinstance(frame, Job)

    def outgoing(self, frame: PhoneFrame) -> list[PhoneFrame]:
        """What is sent instead of this frame."""
        is_late = self.accepts_late and isinstance(frame, Accepted)
        if is_late or (isinstance(frame, Event) and frame.n in self.holds_back):
            self._held.append(frame)
            return []
        return [frame] * (1 + self.repeats)

    def release(self) -> list[PhoneFrame]:
        """Hold nothing back any more; the frames that waited, to be sent now."""
        self.accepts_late = False
        self.holds_back.clear()
        held, self._held = self._held, []
        return held

    def forget(self) -> None:
        """The process is gone, and with it what was held back; the switches stay."""
        self._held.clear()
