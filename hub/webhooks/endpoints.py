"""Use cases of endpoints: made, changed, switched on, deleted. What they are given was checked and sealed before (`subscriptions`).

A change names the version it was made from, so that two people who change one endpoint at once do not undo each other: the second is
refused, and the caller reads again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub.core.clock import UtcMs
from hub.core.effects import Effect, LiveHint, WakeDelivery
from hub.core.errors import Code, HubError
from hub.storage import webhooks_endpoints as stored
from hub.storage.transaction import Done, Refused, Tx
from hub.webhooks.chores import CancelAll, LetGo, Resume, encode_chore
from hub.webhooks.records import Held
from hub.webhooks.sentences import Why
from hub.webhooks.subscriptions import MOST_ENDPOINTS


@dataclass(frozen=True, slots=True)
class CreateEndpoint:
    """Make an endpoint of these columns."""

    row: Mapping[str, Any]

    def keys(self) -> tuple[str, ...]:
        """What orders this command: an account has a limited number."""
        return (f"account:{self.row['account_id']}:endpoints",)


@dataclass(frozen=True, slots=True)
class ChangeEndpoint:
    """Set these columns, if the endpoint is still at `version`."""

    account_id: str
    endpoint_id: str
    version: int
    values: Mapping[str, Any]
    is_reordered: bool = False
    """The order of deliveries changes: those that wait are given their new key."""
    is_other_way: bool = False
    """A URL becomes a mail address, or the other way round: what waits goes the new way, with all its tries before it."""

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"endpoint:{self.endpoint_id}",)


@dataclass(frozen=True, slots=True)
class DeleteEndpoint:
    """Delete an endpoint; what waits for it ends `cancelled`."""

    account_id: str
    endpoint_id: str


@dataclass(frozen=True, slots=True)
class EnableEndpoint:
    """Switch an endpoint on, and say what happens to what was held."""

    account_id: str
    endpoint_id: str
    held: Held
    since: UtcMs | None


def create_endpoints(tx: Tx, commands: Sequence[CreateEndpoint]) -> list[Done[None] | Refused]:
    """Use case."""
    return [_create(tx, command) for command in commands]


def full(tx: Tx, account_id: str) -> Refused | None:
    """Why an account gets no further endpoint; None when it does. For use cases that make one beside something else."""
    if stored.count_endpoints(tx, account_id) < MOST_ENDPOINTS:
        return None
    return Refused(HubError(Code.CONFLICT, f"An account has at most {MOST_ENDPOINTS} webhooks: delete one first."))


def _create(tx: Tx, command: CreateEndpoint) -> Done[None] | Refused:
    account_id = command.row["account_id"]
    if (refused := full(tx, account_id)) is not None:
        return refused
    if not stored.insert_endpoint(tx, command.row):
        return Refused(HubError(Code.CONFLICT, "Texts to this line are forwarded by another webhook already."))
    return Done(None, _told(account_id, command.row["id"]))


def change_endpoints(tx: Tx, commands: Sequence[ChangeEndpoint]) -> list[Done[None] | Refused]:
    """Use case."""
    return [_change(tx, command) for command in commands]


def _change(tx: Tx, command: ChangeEndpoint) -> Done[None] | Refused:
    if not stored.change_endpoint(tx, command.account_id, command.endpoint_id, command.version, command.values):
        return Refused(HubError(Code.CONFLICT, "The webhook was changed by somebody else at the same time."))
    if command.is_reordered:
        stored.reorder(tx, command.endpoint_id)
    if command.is_other_way:
        stored.begin_again(tx, command.endpoint_id)
        stored.start_anew(tx, command.endpoint_id)
    return Done(None, _told(command.account_id, command.endpoint_id))


def delete_endpoints(tx: Tx, commands: Sequence[DeleteEndpoint]) -> list[Done[None] | Refused]:
    """Use case."""
    return [_delete(tx, command) for command in commands]


def _delete(tx: Tx, command: DeleteEndpoint) -> Done[None] | Refused:
    if not stored.delete_endpoint(tx, command.account_id, command.endpoint_id):
        return Refused(HubError(Code.NOT_FOUND))
    stored.set_chore(tx, command.endpoint_id, encode_chore(CancelAll(Why.ENDPOINT_DELETED)))
    return Done(None, _told(command.account_id, command.endpoint_id))


def enable_endpoints(tx: Tx, commands: Sequence[EnableEndpoint]) -> list[Done[None] | Refused]:
    """Use case. Held deliveries are worked off by the upkeep loop, some at a time; the record of that is stored here."""
    return [_enable(tx, command) for command in commands]


def _enable(tx: Tx, command: EnableEndpoint) -> Done[None] | Refused:
    row = stored.one_endpoint(tx, command.account_id, command.endpoint_id)
    if row is None:
        return Refused(HubError(Code.NOT_FOUND))
    if row["state"] == "paused" and command.held != "send":
        stored.set_chore(tx, command.endpoint_id, encode_chore(Resume(command.held, command.since)))
        return Done(None, _told(command.account_id, command.endpoint_id))
    values = {"state": "active", "state_reason": None}
    stored.change_endpoint(tx, command.account_id, command.endpoint_id, row["version"], values)
    last = stored.last_held(tx, command.endpoint_id)
    chore = None if last is None else LetGo(command.held, command.since, last)
    stored.set_chore(tx, command.endpoint_id, None if chore is None else encode_chore(chore))
    stored.start_anew(tx, command.endpoint_id)
    return Done(None, _told(command.account_id, command.endpoint_id))


def _told(account_id: str, endpoint_id: str) -> tuple[Effect, ...]:
    return WakeDelivery((endpoint_id,)), LiveHint(account_id, "endpoint", endpoint_id)


@dataclass(frozen=True, slots=True)
class GiveKeys:
    """The first keys of an endpoint that was made with a message's own target."""

    endpoint_id: str
    secrets: bytes


def give_keys(tx: Tx, commands: Sequence[GiveKeys]) -> list[Done[None]]:
    """Use case. Keys that it has already stay."""
    for command in commands:
        stored.give_secrets(tx, command.endpoint_id, command.secrets)
    return [Done(None) for _ in commands]
