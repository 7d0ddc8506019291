"""Writing down what came of tries, in one transaction: outcomes, attempts, what lanes remember, and the notices that follow."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from hub.core.clock import UtcMs, rfc3339
from hub.core.effects import Effect, LiveHint
from hub.core.events import EndpointData, EventType
from hub.core.ids import render
from hub.storage import webhooks_outcomes as stored
from hub.storage.transaction import Done, Tx
from hub.storage.webhooks_endpoints import set_chore
from hub.storage.webhooks_outcomes import AttemptRow, LaneMemory, OutcomeRow, Parked
from hub.webhooks.chores import HoldAll, encode_chore
from hub.webhooks.health import Notice
from hub.webhooks.outbox import NewEvent, publish
from hub.webhooks.targets import shown_url
from hub.webhooks.watch import Rule


@dataclass(frozen=True, slots=True)
class Told:
    """A notice about an endpoint, for the account's other endpoints."""

    account_id: str
    endpoint_id: str
    url: str
    notice: Notice
    failing_since: UtcMs | None
    disable: str | None = None
    """Why the endpoint is switched off with it."""
    rule: Rule | None = None
    """The limit it is about, of those a watched endpoint is held to."""


@dataclass(slots=True)
class Group:
    """What is committed together. Rows of a lane whose fence has been raised since are left out."""

    node: str
    fences: dict[str, int] = field(default_factory=dict)
    outcomes: list[tuple[str, OutcomeRow]] = field(default_factory=list)
    """Endpoint id and row."""
    attempts: list[AttemptRow] = field(default_factory=list)
    memories: dict[str, LaneMemory] = field(default_factory=dict)
    parked: list[Parked] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    reopened: dict[str, UtcMs] = field(default_factory=dict)
    """Endpoints that are back, and when: what waited only for that is due."""

    def __len__(self) -> int:
        return len(self.outcomes)

    def __bool__(self) -> bool:
        return bool(self.outcomes or self.attempts or self.memories or self.parked or self.told)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a commit found out."""

    lost: tuple[str, ...] = ()
    """Lanes that another process owns now."""


MOST_ATTEMPTS_MADE_DUE = 7
"""Of an endpoint that is back: what failed more often than half its tries may be at fault itself, and keeps its own time."""


def record(tx: Tx, commands: Sequence[Group]) -> list[Done[Recorded]]:
    """Use case."""
    return [_record(tx, group) for group in commands]


def _record(tx: Tx, group: Group) -> Done[Recorded]:
    present = stored.fences(tx, group.fences)
    lost = {endpoint_id for endpoint_id, fence in group.fences.items() if present.get(endpoint_id) != fence}
    stored.write_outcomes(tx, [row for endpoint_id, row in group.outcomes if endpoint_id not in lost])
    stored.write_attempts(tx, [row for row in group.attempts if row.endpoint_id not in lost])
    stored.write_memory(tx, [row for row in group.memories.values() if row.endpoint_id not in lost])
    stored.park(tx, group.parked)
    for endpoint_id, now in group.reopened.items():
        if endpoint_id not in lost:
            stored.make_due(tx, endpoint_id, now, MOST_ATTEMPTS_MADE_DUE)
    effects: list[Effect] = []
    for told in group.told:
        if told.endpoint_id not in lost:
            effects += _tell(tx, told)
    return Done(Recorded(tuple(sorted(lost))), tuple(effects))


def _tell(tx: Tx, told: Told) -> tuple[Effect, ...]:
    if told.disable is not None:
        if not stored.disable_endpoint(tx, told.endpoint_id, told.disable):
            return ()
        set_chore(tx, told.endpoint_id, encode_chore(HoldAll()))
    data = EndpointData(
        endpoint_id=render("endpoint", told.endpoint_id),
        url=shown_url(told.url),
        state="active" if told.disable is None else "disabled",
        reason=told.disable or told.rule or told.notice.partition(":")[2],
        failing_since=None if told.failing_since is None else rfc3339(told.failing_since),
        waiting=stored.count_waiting(tx, told.endpoint_id),
    )
    event = NewEvent(tx.new_id(), told.account_id, EventType(told.notice), tx.now, data)
    return *publish(tx, [event]), LiveHint(told.account_id, "endpoint", told.endpoint_id)


@dataclass(frozen=True, slots=True)
class Trying:
    """A delivery of a watched lane is about to be tried."""

    endpoint_id: str
    fence: int
    delivery_id: int


def mark_trying(tx: Tx, commands: Sequence[Trying]) -> list[Done[bool]]:
    """Use case: whether the lane is still the caller's."""
    return [
        Done(stored.mark_trying(tx, command.endpoint_id, command.fence, command.delivery_id)) for command in commands
    ]
