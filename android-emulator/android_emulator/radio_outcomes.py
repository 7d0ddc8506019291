"""What the emulated radio does with a text: outcomes, and the script that chooses one.

A script is a list of rules, first match wins; below it stand the magic numbers, and below them the text simply goes out.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from android_emulator.result_codes import ResultCode


class Report(Enum):
    """Which delivery report comes back for a text that went out."""

    NETWORK = "network"
    """What the cell network says: delivered when the other phone has it."""
    NONE = "none"
    """The carrier sends none: `sent` stays the last word."""
    DELIVERED = "delivered"
    FAILED = "failed"
    """A TP-Status of 0x40 or above (3GPP TS 23.040 §9.2.3.15): given up."""
    STILL_TRYING = "still_trying"
    """First a TP-Status between 0x20 and 0x3F, then what the network says."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The fate of one text."""

    codes: tuple[int, ...] = (ResultCode.OK,)
    """One result code per segment; the last one holds for all further segments."""
    network_code: int | None = None
    """The network's cause beside `GENERIC_FAILURE` (3GPP TS 24.011 annex E-2): the carrier refused it."""
    on_air: bool | None = None
    """Whether segments go out: None means those with code OK do. True with a failure code is a phone that is wrong about it."""
    delay_seconds: float = 0.0
    """Before the first segment leaves."""
    has_results: bool = True
    """False: the segments go out and the phone is never told."""
    report: Report = Report.NETWORK
    report_delay_seconds: float = 0.0

    def code_of(self, segment: int) -> int:
        """Result code of a segment, counted from 0."""
        return self.codes[min(segment, len(self.codes) - 1)]

    def is_aired(self, segment: int) -> bool:
        return self.code_of(segment) == ResultCode.OK if self.on_air is None else self.on_air


SENT = Outcome()
GENERIC_FAILURE = Outcome(codes=(ResultCode.GENERIC_FAILURE,))
CARRIER_REJECT = Outcome(codes=(ResultCode.GENERIC_FAILURE,), network_code=38)
NO_SERVICE = Outcome(codes=(ResultCode.NO_SERVICE,))
RADIO_OFF = Outcome(codes=(ResultCode.RADIO_OFF,))
LIMIT_EXCEEDED = Outcome(codes=(ResultCode.LIMIT_EXCEEDED,))
NO_REPORT = Outcome(report=Report.NONE)
UNDELIVERED = Outcome(report=Report.FAILED)
NEVER_TOLD = Outcome(has_results=False, report=Report.NONE)


def partial(sent: int, refused_with: int = ResultCode.NETWORK_ERROR) -> Outcome:
    """The first `sent` segments go out, the others are refused."""
    return Outcome(codes=(ResultCode.OK,) * sent + (refused_with,))


@dataclass(slots=True)
class _Rule:
    matches: Callable[[str, str], bool]
    outcome: Outcome
    times_left: int | None


@dataclass(slots=True)
class OutcomeScript:
    """Chooses the outcome of each text."""

    fallback: Callable[[str], Outcome | None] = field(default=lambda recipient: None)
    """Asked by recipient when no rule matches: the magic numbers."""
    _rules: list[_Rule] = field(default_factory=list)

    def when(
        self, outcome: Outcome, *, recipient: str | None = None, text: str | None = None, times: int | None = None
    ) -> None:
        """Give texts this outcome: to one recipient, containing some words, for so many texts; all by default."""

        def matches(to: str, said: str) -> bool:
            return (recipient is None or to == recipient) and (text is None or text in said)

        self._rules.append(_Rule(matches, outcome, times))

    def clear(self) -> None:
        self._rules.clear()

    def choose(self, recipient: str, text: str) -> Outcome:
        for rule in self._rules:
            if rule.times_left == 0 or not rule.matches(recipient, text):
                continue
            if rule.times_left is not None:
                rule.times_left -= 1
            return rule.outcome
        return self.fallback(recipient) or SENT
