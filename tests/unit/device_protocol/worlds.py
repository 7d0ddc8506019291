"""The small worlds that are searched to the last state. Each names the faults that may strike in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.unit.device_protocol.explorer import Found, explore
from tests.unit.device_protocol.network import Budget, Network

LIMIT: Final = 150_000
"""No complete world here comes near it."""


@dataclass(frozen=True)
class SmallWorld:
    """A budget of faults and what else counts as broken in it (see `Network`)."""

    budget: Budget
    options: Mapping[str, Any] = field(default_factory=dict)

    def search(self, network: type[Network] = Network, **rules: Any) -> Found:
        """All of it, with these rules instead of the real ones."""
        return explore(network(self.budget, **self.options, **rules), LIMIT)


def _world(*, budget: Mapping[str, int], **options: Any) -> SmallWorld:
    return SmallWorld(Budget(**budget), options)


WORLDS: Final[dict[str, SmallWorld]] = {
    # Nothing but bad lines: nobody may be left in doubt.
    "two cuts": _world(budget={"cuts": 2}, certain=True),
    "a cut and a customer's cancel": _world(budget={"cuts": 1, "cancels": 1}, certain=True),
    "the hub dies": _world(budget={"hub_crashes": 1, "cuts": 1, "cancels": 1}, certain=True),
    "an offer times out": _world(budget={"cuts": 1, "offers": 2, "failovers": 1}, certain=True),
    "an offer times out, two phones": _world(budget={"cuts": 1, "offers": 2, "failovers": 1}, phones=2, certain=True),
    "a cancel while the offer moves": _world(
        budget={"cuts": 1, "offers": 2, "failovers": 1, "cancels": 1}, phones=2, certain=True
    ),
    "the phone refuses": _world(budget={"cuts": 1, "offers": 2, "refusals": 1}, phones=2, certain=True),
    "the radio refuses": _world(budget={"cuts": 1, "offers": 2, "radio_refusals": 1}, phones=2, certain=True),
    "the radio refuses, one phone": _world(budget={"offers": 2, "radio_refusals": 1}, ends=True),
    "time runs out": _world(budget={"cuts": 1, "clock": 2, "cancels": 1}),
    # Phones that die, or whose store is not what it was.
    "the phone dies": _world(budget={"cuts": 1, "phone_crashes": 1, "cancels": 1}),
    "a store from a backup": _world(budget={"moved_stores": 1, "cancels": 1}),
    "a store from a backup, refused": _world(budget={"moved_stores": 1, "offers": 2, "refusals": 1}),
    "a phone set back": _world(budget={"rollbacks": 1, "cuts": 1}),
    # A hub that comes back from a backup.
    "restored, one phone": _world(budget={"restores": 1, "offers": 2, "cancels": 1}),
    "restored, the radio refused": _world(budget={"restores": 1, "offers": 3, "radio_refusals": 1}, ends=True),
    "restored, two phones": _world(budget={"restores": 1}, phones=2),
    "restored, the offer had moved": _world(budget={"restores": 1, "offers": 2, "failovers": 1}, phones=2),
    "restored, events forgotten": _world(budget={"restores": 1, "ages": 1}, phones=2),
    # Only events.
    "events over bad lines": _world(budget={"offers": 0, "inbound": 2, "cuts": 2}),
    "events of a phone set back": _world(budget={"offers": 0, "inbound": 2, "cuts": 1, "rollbacks": 1}),
    "events of a phone set back, forgotten": _world(
        budget={"offers": 0, "inbound": 1, "cuts": 1, "rollbacks": 1, "ages": 1}, no_false_gaps=True
    ),
    "events, hub restored": _world(budget={"offers": 0, "inbound": 2, "cuts": 1, "restores": 1, "ages": 1}),
    "events, both set back": _world(budget={"offers": 0, "inbound": 1, "rollbacks": 1, "restores": 1, "ages": 1}),
}
