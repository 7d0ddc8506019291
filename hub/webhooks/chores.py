"""Chores: what is to be done with all that waits for an endpoint, worked off some at a time and remembered until it is done.

An endpoint that is switched off has 200,000 deliveries pending, one that is switched on has as many held: either would be one huge
statement in the transaction of a click. So the click writes down what is to be done (`wh_lane.chore`), and the upkeep loop does it in
steps; a crash in between leaves the rest of it written down.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from hub.core.clock import UtcMs
from hub.core.effects import Effect, LiveHint, WakeDelivery
from hub.storage import webhooks_chores as stored
from hub.storage.transaction import Done, Tx
from hub.storage.webhooks_endpoints import last_held, set_chore, start_anew
from hub.webhooks.records import Held
from hub.webhooks.sentences import Why


class HoldAll(msgspec.Struct, frozen=True, tag="hold"):
    """The endpoint was switched off: what was pending is held."""


class CancelAll(msgspec.Struct, frozen=True, tag="cancel"):
    """The endpoint was deleted: everything that waits is cancelled."""

    why: Why


class LetGo(msgspec.Struct, frozen=True, tag="let_go"):
    """The endpoint was switched on: what was held up to a number is sent, sent from a time on, or dropped."""

    held: Held
    since: UtcMs | None
    up_to: int


class Resume(msgspec.Struct, frozen=True, tag="resume"):
    """A paused endpoint goes on without some of what waits: all of it is held first, so that nothing of it is sent meanwhile; then the
    endpoint is switched on and `LetGo` does the rest."""

    held: Held
    since: UtcMs | None


Chore: TypeAlias = HoldAll | CancelAll | LetGo | Resume
_DECODER: msgspec.json.Decoder[Chore] = msgspec.json.Decoder(Chore)


def encode_chore(chore: Chore) -> str:
    """For `wh_lane.chore`."""
    return msgspec.json.encode(chore).decode()


@dataclass(frozen=True, slots=True)
class DoChore:
    """One step of what is written down for an endpoint."""

    row: stored.ChoreRow


@dataclass(frozen=True, slots=True)
class GiveUpOld:
    """Deliveries that have been due for longer than the endpoint's maximum age are dead."""

    endpoint_id: str
    due_before: UtcMs


@dataclass(frozen=True, slots=True)
class SetChore:
    """Deliveries wait for an endpoint that is off: one was stored just when it was switched off."""

    endpoint_id: str
    version: int
    """Of the endpoint that the caller knows: one that was switched on meanwhile is left alone."""
    chore: Chore


def set_chores(tx: Tx, commands: Sequence[SetChore]) -> list[Done[None]]:
    """Use case. What is written down already stays."""
    for command in commands:
        stored.add_chore(tx, command.endpoint_id, command.version, encode_chore(command.chore))
    return [Done(None) for _ in commands]


def do_chores(tx: Tx, commands: Sequence[DoChore]) -> list[Done[bool]]:
    """Use case: whether something is left of each chore."""
    return [_do(tx, command.row) for command in commands]


def _do(tx: Tx, row: stored.ChoreRow) -> Done[bool]:
    chore = _DECODER.decode(row.chore)
    if isinstance(chore, Resume):
        return _resume(tx, row, chore)
    changed = _step(tx, row.endpoint_id, chore)
    if changed == 0:
        stored.chore_done(tx, row.endpoint_id, row.chore)
    effects: tuple[Effect, ...] = (WakeDelivery((row.endpoint_id,)),) if changed else ()
    return Done(changed > 0, effects)


def _resume(tx: Tx, row: stored.ChoreRow, chore: Resume) -> Done[bool]:
    """Hold some more; once everything is held, switch on and let go."""
    if stored.hold(tx, row.endpoint_id, Why.ENDPOINT_PAUSED) > 0:
        return Done(True)
    last = last_held(tx, row.endpoint_id)
    set_chore(tx, row.endpoint_id, None if last is None else encode_chore(LetGo(chore.held, chore.since, last)))
    stored.switch_on(tx, row.endpoint_id)
    start_anew(tx, row.endpoint_id)
    effects = (WakeDelivery((row.endpoint_id,)), LiveHint(row.account_id, "endpoint", row.endpoint_id))
    return Done(last is not None, effects)


def _step(tx: Tx, endpoint_id: str, chore: HoldAll | CancelAll | LetGo) -> int:
    """How many deliveries were moved on."""
    if isinstance(chore, HoldAll):
        return stored.hold(tx, endpoint_id, Why.ENDPOINT_DISABLED)
    if isinstance(chore, CancelAll):
        return stored.cancel_waiting(tx, endpoint_id, chore.why)
    if chore.held == "drop":
        return stored.drop(tx, endpoint_id, chore.up_to, Why.DROPPED)
    dropped = 0
    if chore.held == "since":
        dropped = stored.drop_older(tx, endpoint_id, chore.up_to, chore.since or 0, Why.DROPPED)
    return dropped + stored.let_go(tx, endpoint_id, chore.up_to)


def give_up_old(tx: Tx, commands: Sequence[GiveUpOld]) -> list[Done[int]]:
    """Use case: how many were given up."""
    return [Done(stored.give_up(tx, command.endpoint_id, command.due_before, Why.TOO_OLD)) for command in commands]


@dataclass(frozen=True, slots=True)
class ExpireHeld:
    """Held deliveries end when their events are no longer kept."""

    before: UtcMs


def expire_held(tx: Tx, commands: Sequence[ExpireHeld]) -> list[Done[int]]:
    """Use case: how many ended."""
    return [Done(stored.expire_held(tx, command.before, Why.EXPIRED)) for command in commands]
