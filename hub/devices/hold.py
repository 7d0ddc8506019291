"""The hold of a restored hub, and its end.

A hub restored from a backup does not know what it sent since. So it binds and sends nothing until every enrolled phone has said hello and
answered `recall` to the end, or an operator takes the risk. Then, in one transaction: the hold is over, the failures told meanwhile are
judged, and every phone is cut off, so that the fresh hellos decide from what is known now.
"""

from collections.abc import Sequence

import msgspec

from device_protocol.errors import HOLD_ENDED
from hub.core.effects import ClosePhone, Effect, WakeDispatch
from hub.core.errors import Code, HubError
from hub.devices.event_log import judge_deferred
from hub.storage.devices import is_somebody_unrecalled, online_ids
from hub.storage.facts import find_fact, forget_fact
from hub.storage.transaction import Done, Refused, Tx

STILL_MISSING = (
    "Some phones have not told yet what they sent: hub status names the phones. Wait until they are online, revoke one that never comes "
    "back, or end the hold with hub resume --accept-risk: texts that such a phone had already sent may go out twice."
)


class EndHold(msgspec.Struct, frozen=True, kw_only=True):
    """End the hold; `is_risk_accepted` ends it although some phones have not told what they know."""

    hub_epoch: str
    is_risk_accepted: bool = False

    def keys(self) -> tuple[str, ...]:
        """Serial keys of the writer."""
        return ("hold",)


def end_hold(tx: Tx, commands: Sequence[EndHold]) -> list[Done[bool] | Refused]:
    """The value says whether there was a hold. `held` while phones are missing and the risk is not accepted."""
    outcomes: list[Done[bool] | Refused] = []
    for command in commands:
        if find_fact(tx.conn, "hold") is None:
            outcomes.append(Done(False))
        elif not command.is_risk_accepted and is_somebody_unrecalled(tx.conn, command.hub_epoch):
            outcomes.append(Refused(HubError(Code.HELD, STILL_MISSING)))
        else:
            outcomes.append(Done(True, _end(tx)))
    return outcomes


def end_hold_if_told(tx: Tx, hub_epoch: str) -> tuple[Effect, ...]:
    """End the hold when the phone that just answered was the last one; call it in the transaction that wrote its answer."""
    if find_fact(tx.conn, "hold") is None or is_somebody_unrecalled(tx.conn, hub_epoch):
        return ()
    return _end(tx)


def _end(tx: Tx) -> tuple[Effect, ...]:
    forget_fact(tx.conn, "hold")
    judged = judge_deferred(tx)
    closing = (ClosePhone(id_, HOLD_ENDED.word, "the hub sends again") for id_ in online_ids(tx.conn))
    return (*judged, *closing, WakeDispatch())
