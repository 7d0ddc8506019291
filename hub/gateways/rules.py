"""Rules of numbers: to which gateway, webhooks and people the texts to one number go.

A number without a rule is told to every webhook and gateway that asks for its line. A rule takes its place: inbound texts to that number
are told where the rule says and nowhere else, also when the text comes in by a carrier (`hub.gateways.carried`) and whatever lines those
webhooks ask for. A rule whose gateway and webhooks are all gone counts no more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import msgspec

from hub.core.effects import CredentialsChanged
from hub.core.errors import Code, HubError, invalid
from hub.storage import inbound_rules as rows
from hub.storage.accounts import raise_credentials_version
from hub.storage.gateways import find_gateway
from hub.storage.inbound_rules import RuleRow
from hub.storage.transaction import Done, Refused, Tx
from hub.storage.users import find_user
from hub.storage.webhooks_endpoints import find_endpoint

MOST_RULES = 10_000
"""Of one account."""
MOST_NAMED = 50
"""Webhooks, and people, that one rule names."""

_encode = msgspec.json.Encoder().encode


class PutRule(msgspec.Struct, frozen=True, kw_only=True):
    """Say where texts to a number go, in place of what was said before. `number` is as its line's number is written."""

    account_id: str
    number: str
    gateway_id: str | None = None
    webhook_ids: tuple[str, ...] = ()
    user_ids: tuple[str, ...] = ()

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"rules:{self.account_id}",)


class DropRule(msgspec.Struct, frozen=True, kw_only=True):
    """The number is everybody's again."""

    account_id: str
    number: str

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"rules:{self.account_id}",)


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """Where texts to a number go."""

    number: str
    gateway_id: str | None
    webhook_ids: tuple[str, ...]
    user_ids: tuple[str, ...]
    created_at: int
    updated_at: int


def put_rules(tx: Tx, commands: Sequence[PutRule]) -> list[Done[Rule] | Refused]:
    """Store rules. Refused: `validation` naming the field, for what names nothing or something that is not there."""
    return [_put(tx, command) for command in commands]


def drop_rules(tx: Tx, commands: Sequence[DropRule]) -> list[Done[Rule] | Refused]:
    """Remove rules. Refused: `not_found`."""
    outcomes: list[Done[Rule] | Refused] = []
    for command in commands:
        row = rows.find_rule(tx.conn, command.account_id, command.number)
        if row is None:
            outcomes.append(Refused(HubError(Code.NOT_FOUND, f"There is no rule for {command.number}.")))
            continue
        rows.delete_rule(tx, row.account_id, row.number)
        outcomes.append(Done(opened(row), (_people_changed(tx, row.account_id),)))
    return outcomes


def opened(row: RuleRow) -> Rule:
    """A stored rule."""
    return Rule(
        number=row.number,
        gateway_id=row.gateway_id,
        webhook_ids=msgspec.json.decode(row.webhook_ids, type=tuple[str, ...]),
        user_ids=msgspec.json.decode(row.user_ids, type=tuple[str, ...]),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _put(tx: Tx, command: PutRule) -> Done[Rule] | Refused:
    try:
        _check(tx, command)
    except HubError as error:
        return Refused(error)
    row = RuleRow(
        account_id=command.account_id,
        number=command.number,
        gateway_id=command.gateway_id,
        webhook_ids=_encode(tuple(dict.fromkeys(command.webhook_ids))).decode(),
        user_ids=_encode(tuple(dict.fromkeys(command.user_ids))).decode(),
        created_at=tx.now,
        updated_at=tx.now,
    )
    return Done(opened(rows.put_rule(tx, row)), (_people_changed(tx, row.account_id),))


def _check(tx: Tx, command: PutRule) -> None:
    if command.gateway_id is None and not command.webhook_ids and not command.user_ids:
        raise invalid("gateway_id", "names_nothing", "Name a gateway, a webhook or a person, or remove the rule.")
    conn, account_id = tx.conn, command.account_id
    if command.gateway_id is not None:
        gateway = find_gateway(conn, account_id, command.gateway_id)
        if gateway is None:
            raise invalid("gateway_id", "unknown", "There is no such gateway.")
        if gateway.endpoint_id is None:
            raise invalid("gateway_id", "not_told", "This gateway has no inbound_url yet: give it one first.")
    _check_named("webhook_ids", command.webhook_ids, lambda id_: find_endpoint(conn, account_id, id_) is not None)
    _check_named("user_ids", command.user_ids, lambda id_: find_user(conn, account_id, id_) is not None)
    is_new = rows.find_rule(conn, account_id, command.number) is None
    if is_new and rows.count_rules(conn, account_id) >= MOST_RULES:
        raise invalid("number", "too_many", f"An account has at most {MOST_RULES} rules.")


def _check_named(field: str, ids: Collection[str], is_there: Callable[[str], bool]) -> None:
    if len(ids) > MOST_NAMED:
        raise invalid(field, "too_many", f"At most {MOST_NAMED}.")
    if not all(is_there(id_) for id_ in ids):
        raise invalid(field, "unknown", "One of these is not there.")


def _people_changed(tx: Tx, account_id: str) -> CredentialsChanged:
    """What people may see is remembered with their sign-in: it is read anew."""
    raise_credentials_version(tx)
    return CredentialsChanged(account_id, "user", "")
