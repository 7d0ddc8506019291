"""What a carrier reports on texts that were sent: folded by the state table like a phone's word, and told on the timeline.

A report names the hub's own id of a text. One that comes twice, too late, or says where the text stood long ago changes nothing; it is
kept on the timeline as not applied. A text that the hub still has cannot have been sent: reports on it are not applied either.
"""

from collections.abc import Sequence

import msgspec

from hub.core.errors import Code, HubError
from hub.core.reports import CarrierReport
from hub.messages.ledger import Actor, Ledger
from hub.messages.outcomes import with_effects
from hub.storage.transaction import Done, Refused, Tx


class CarrierStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One report, as a carrier posted it."""

    account_id: str
    report: CarrierReport
    carrier: str
    """Who posted it, in words."""
    told: str
    """The carrier's own word."""
    raw: str | None = None

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"message:{self.report.message_id}",)


class Reported(msgspec.Struct, frozen=True):
    """What a report did."""

    is_applied: bool
    why_not: str | None


def apply_statuses(tx: Tx, commands: Sequence[CarrierStatus]) -> list[Done[Reported] | Refused]:
    """Apply reports in the order given. Refused: `not_found`, for another account's text and for an inbound one too."""
    ledger = Ledger(tx, [(command.account_id, command.report.message_id) for command in commands])
    outcomes = [_apply(ledger, command) for command in commands]
    return with_effects(outcomes, ledger.close())


def _apply(ledger: Ledger, command: CarrierStatus) -> Done[Reported] | Refused:
    entry = ledger.find(command.account_id, command.report.message_id)
    if entry is None or entry.row.direction != "mt":
        return Refused(HubError(Code.NOT_FOUND))
    # What the carrier failed to send had left the phone, or nobody knows.
    facts = {"carrier": command.carrier, "told": command.told, "is_safe": False}
    decision = ledger.apply(entry, command.report, Actor("network", command.raw), **facts)
    return Done(Reported(decision.is_applied, decision.why_not))
