"""Recipient numbers that make the sandbox radio misbehave, for whoever tests against emulated phones.

All are numbers that North America keeps for fiction (555-0100 to 555-0199 in any area code), so nothing real is ever meant:

* `+1 202 555 01NN`: every segment is refused with Android result code NN (`+12025550104` is "no service");
* `+1 203 555 01NN`: the same with result code 100 + NN (the codes of the radio layer, `+12035550120`: SIM absent);
* `+1 212 555 01NN`: the behaviours of `BEHAVIOURS`.
"""

import re
from types import MappingProxyType
from typing import Final

from android_emulator.radio_outcomes import (
    CARRIER_REJECT,
    NEVER_TOLD,
    NO_REPORT,
    NO_SERVICE,
    SENT,
    UNDELIVERED,
    Outcome,
    Report,
    partial,
)
from android_emulator.result_codes import ResultCode

_CODE_BASES: Final = MappingProxyType({"202": 0, "203": 100})
_CODE_NUMBER: Final = re.compile(r"\+1(202|203)55501(\d\d)")

BEHAVIOURS: Final = MappingProxyType(
    {
        "+12125550100": ("goes out, delivered at once", Outcome(report=Report.DELIVERED)),
        "+12125550101": ("goes out, no delivery report ever", NO_REPORT),
        "+12125550102": ("goes out, the delivery report says it failed", UNDELIVERED),
        "+12125550103": (
            "goes out, delivery report after 60 s",
            Outcome(report=Report.DELIVERED, report_delay_seconds=60),
        ),
        "+12125550104": (
            "goes out, the network reports it is still trying, then the outcome",
            Outcome(report=Report.STILL_TRYING),
        ),
        "+12125550110": ("leaves the phone after 5 s", Outcome(delay_seconds=5)),
        "+12125550111": ("goes out, and the phone is never told", NEVER_TOLD),
        "+12125550112": (
            "goes out, and the phone is told it failed",
            Outcome(codes=(ResultCode.GENERIC_FAILURE,), on_air=True, report=Report.NONE),
        ),
        "+12125550120": ("the carrier refuses it", CARRIER_REJECT),
        "+12125550121": ("first segment goes out, the others are refused", partial(1)),
        "+12125550122": (
            "first segment is refused, the others go out",
            Outcome((ResultCode.NETWORK_ERROR, ResultCode.OK)),
        ),
    }
)
"""Number → what happens in words, and the outcome."""

RECOVERS: Final = "+12125550130"
"""No service for the first text to it, then all goes well: shows a retry."""


class MagicNumbers:
    """Looks a recipient up; remembers what `RECOVERS` needs."""

    def __init__(self) -> None:
        self._has_failed_once = False

    def outcome_for(self, recipient: str) -> Outcome | None:
        """None for an ordinary number."""
        if found := _CODE_NUMBER.fullmatch(recipient):
            code = _CODE_BASES[found[1]] + int(found[2])
            return Outcome(codes=(code,)) if code else SENT
        if recipient == RECOVERS and not self._has_failed_once:
            self._has_failed_once = True
            return NO_SERVICE
        behaviour = BEHAVIOURS.get(recipient)
        return behaviour[1] if behaviour else None
