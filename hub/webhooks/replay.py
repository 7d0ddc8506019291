"""Replays: one delivery from the log, or all events that match a filter, as a job that survives restarts and shows its progress.

A replayed event has the same `webhook-id` and, the endpoint's format not having changed, the same bytes as the first time, and the
header `webhook-replay` with its run. It goes behind everything live, in the order of the events.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection

from hub.core.effects import Effect, WakeDelivery
from hub.core.errors import Code, HubError
from hub.storage import webhooks_replays as stored
from hub.storage.transaction import Done, Refused, Tx
from hub.storage.webhooks_outcomes import STATES
from hub.webhooks.records import Replay, ReplayFilter
from hub.webhooks.sentences import Why


@dataclass(frozen=True, slots=True)
class ReplayOne:
    """Deliver again what was delivered, or was not."""

    account_id: str
    delivery_id: int


@dataclass(frozen=True, slots=True)
class CancelOne:
    """End a delivery that waits."""

    account_id: str
    delivery_id: int


@dataclass(frozen=True, slots=True)
class StartReplay:
    """Replay what matches, up to the newest event of now."""

    id: str
    account_id: str
    endpoint_id: str
    filter: ReplayFilter
    up_to: int
    total: int


@dataclass(frozen=True, slots=True)
class CancelReplay:
    """Make no more, and cancel what waits of it."""

    account_id: str
    replay_id: str


@dataclass(frozen=True, slots=True)
class StepReplays:
    """Move every running replay on by one step."""


def replay_one(tx: Tx, commands: Sequence[ReplayOne]) -> list[Done[int] | Refused]:
    """Use case: the number of the new delivery."""
    return [_replay_one(tx, command) for command in commands]


def _replay_one(tx: Tx, command: ReplayOne) -> Done[int] | Refused:
    state = stored.state_of(tx, command.account_id, command.delivery_id)
    if state is None:
        return Refused(HubError(Code.NOT_FOUND))
    if state.deleted_at is not None:
        return Refused(HubError(Code.CONFLICT, "The webhook was deleted."))
    if state.endpoint_state == "disabled":
        return Refused(HubError(Code.ENDPOINT_DISABLED))
    if state.state in (0, 1):
        return Refused(HubError(Code.CONFLICT, "This delivery has not ended yet: it will be sent by itself."))
    new = stored.deliver_again(tx, command.account_id, command.delivery_id)
    return Done(new, (WakeDelivery((state.endpoint_id,)),))


def cancel_one(tx: Tx, commands: Sequence[CancelOne]) -> list[Done[None] | Refused]:
    """Use case."""
    done: list[Done[None] | Refused] = []
    for command in commands:
        if stored.cancel_delivery(tx, command.account_id, command.delivery_id, Why.CANCELLED):
            done.append(Done(None))
        elif stored.state_of(tx, command.account_id, command.delivery_id) is None:
            done.append(Refused(HubError(Code.NOT_FOUND)))
        else:
            done.append(Refused(HubError(Code.CONFLICT, "This delivery has ended already.")))
    return done


def start_replays(tx: Tx, commands: Sequence[StartReplay]) -> list[Done[None]]:
    """Use case. The endpoint was looked at before; if it is gone meanwhile, what is made is cancelled with it."""
    for command in commands:
        row = {
            "id": command.id,
            "account_id": command.account_id,
            "endpoint_id": command.endpoint_id,
            "filter": msgspec.json.encode(command.filter).decode(),
            "up_to": command.up_to,
            "total": command.total,
        }
        stored.insert_replay(tx, row)
    return [Done(None, (WakeDelivery((command.endpoint_id,)),)) for command in commands]


def cancel_replays(tx: Tx, commands: Sequence[CancelReplay]) -> list[Done[None] | Refused]:
    """Use case."""
    return [
        Done(None)
        if stored.end_replay(tx, command.replay_id, "cancelled", Why.CANCELLED)
        else Refused(HubError(Code.CONFLICT, "This replay has ended already."))
        for command in commands
    ]


def step_replays(tx: Tx, commands: Sequence[StepReplays]) -> list[Done[int]]:
    """Use case: how many replays are still running and have something to do now."""
    return [_step_all(tx) for _ in commands]


def _step_all(tx: Tx) -> Done[int]:
    busy, effects = 0, list[Effect]()
    for row in stored.running_replays(tx):
        wanted = wanted_of(row.endpoint_id, decode_filter(row.filter))
        if stored.step(tx, row.id, wanted, row.cursor, row.up_to):
            busy += 1
            effects.append(WakeDelivery((row.endpoint_id,)))
        else:
            stored.end_replay(tx, row.id, "done")
    return Done(busy, tuple(effects))


def decode_filter(text: str) -> ReplayFilter:
    """A stored filter."""
    return msgspec.json.decode(text, type=ReplayFilter)


def wanted_of(endpoint_id: str, asked: ReplayFilter) -> stored.Wanted:
    """A filter as the statements take it."""
    states = ",".join(str(STATES.index(state)) for state in asked.states)
    return stored.Wanted(
        endpoint_id,
        "," + ",".join(asked.types) + "," if asked.types else "",
        f",{states}," if states else "",
        asked.since or 0,
        asked.until or 0,
        asked.message_id or "",
    )


def measure(conn: Connection, account_id: str, wanted: stored.Wanted) -> tuple[int, int]:
    """The number of the newest event, and how many up to it match."""
    up_to = stored.last_event(conn, account_id)
    return up_to, stored.count_matching(conn, wanted, up_to)


def read_replays(conn: Connection, account_id: str, *, replay_id: str = "", endpoint_id: str = "") -> list[Replay]:
    """An account's replays with their progress, newest first."""
    rows = stored.find_replays(conn, account_id, replay_id=replay_id, endpoint_id=endpoint_id)
    return [_shown(row, stored.progress(conn, row.id)) for row in rows]


def _shown(row: Any, progress: dict[int, int]) -> Replay:
    return Replay(
        id=row.id,
        endpoint_id=row.endpoint_id,
        filter=decode_filter(row.filter),
        state=row.state,
        total=row.total,
        created=row.created,
        ok=progress.get(2, 0),
        dead=progress.get(3, 0),
        pending=progress.get(0, 0) + progress.get(1, 0),
        created_at=row.created_at,
        done_at=row.done_at,
    )
