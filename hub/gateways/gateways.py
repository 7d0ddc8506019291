"""Use cases of gateways: made, changed, given another token, deleted. What they are given was checked and sealed by the desk."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from hub.core.effects import CredentialsChanged, Effect, WakeDelivery
from hub.core.errors import Code, HubError, invalid
from hub.storage import gateways as rows
from hub.storage.accounts import raise_credentials_version
from hub.storage.gateways import GatewayRow
from hub.storage.inbound_rules import forget_gateway
from hub.storage.transaction import Done, Refused, Tx
from hub.webhooks.endpoints import (
    ChangeEndpoint,
    CreateEndpoint,
    DeleteEndpoint,
    change_endpoints,
    create_endpoints,
    delete_endpoints,
    full,
)

CommandT = TypeVar("CommandT")

_NAME = re.compile(r"[A-Za-z0-9]{1,64}", re.ASCII)
_SID = re.compile(r"AC[0-9a-f]{32}", re.ASCII)
_TOKEN = re.compile(r"[0-9a-f]{32}", re.ASCII)


def check_name(name: str) -> None:
    """Raise `validation` for a name that cannot stand in the gateway's URLs."""
    if not _NAME.fullmatch(name):
        raise invalid("name", "value", "Give 1 to 64 letters and digits, without spaces: the name stands in URLs.")


def check_sid(sid: str) -> None:
    """Raise `validation` for what Twilio's libraries would not take as an account SID."""
    if not _SID.fullmatch(sid):
        raise invalid("account_sid", "value", "Give AC and 32 small hexadecimal digits, or leave it out.")


def check_token(token: str) -> None:
    """Raise `validation` for what Twilio's libraries would not take as an auth token."""
    if not _TOKEN.fullmatch(token):
        raise invalid("auth_token", "value", "Give 32 small hexadecimal digits, or leave it out.")


def name_key(name: str) -> str:
    """What a name is compared by."""
    return name.lower()


class CreateGateway(msgspec.Struct, frozen=True):
    """Make a gateway of this row, and the webhook that its row names."""

    row: GatewayRow
    webhook: CreateEndpoint | None = None

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"gateway:{self.row.name_key}", *_keys_of(self.webhook))


class ChangeGateway(msgspec.Struct, frozen=True, kw_only=True):
    """Set these columns; `is_signed_anew` when the tokens are among them."""

    account_id: str
    gateway_id: str
    values: Mapping[str, Any]
    is_signed_anew: bool = False
    webhook: CreateEndpoint | None = None
    """Made too; `values` name it."""
    changed_webhook: ChangeEndpoint | None = None
    """Changed too, if nobody else has changed it meanwhile; otherwise all of it is refused."""
    ended_webhook_id: str | None = None
    """Deleted too, unless somebody has done so."""

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        ended = () if self.ended_webhook_id is None else (f"endpoint:{self.ended_webhook_id}",)
        return (f"gateway:{self.gateway_id}", *_keys_of(self.webhook), *_keys_of(self.changed_webhook), *ended)


def _keys_of(webhook: CreateEndpoint | ChangeEndpoint | None) -> tuple[str, ...]:
    return () if webhook is None else webhook.keys()


def create_gateways(tx: Tx, commands: Sequence[CreateGateway]) -> list[Done[GatewayRow] | Refused]:
    """Store new gateways with their webhooks. Refused: `conflict` for a name or SID that another one has, and for too many webhooks."""
    return [_one(tx, _create, command) for command in commands]


def change_gateways(tx: Tx, commands: Sequence[ChangeGateway]) -> list[Done[GatewayRow] | Refused]:
    """Change gateways; with `deleted_at` among the values, end them.

    Refused: `not_found`, and `conflict` for too many webhooks or one that somebody else has changed.
    """
    return [_one(tx, _change, command) for command in commands]


def _one(tx: Tx, apply: Callable[[Tx, CommandT], Done[GatewayRow]], command: CommandT) -> Done[GatewayRow] | Refused:
    try:
        return apply(tx, command)
    except HubError as error:
        return Refused(error)


def _create(tx: Tx, command: CreateGateway) -> Done[GatewayRow]:
    row = command.row
    _check_room(tx, row.account_id, command.webhook)
    if not rows.insert_gateway(tx, row):
        raise HubError(Code.CONFLICT, "There is a gateway of this name, or with this SID, already: choose another.")
    return Done(row, (_told(tx, row), *_make(tx, command.webhook)))


def _change(tx: Tx, command: ChangeGateway) -> Done[GatewayRow]:
    row = rows.find_gateway(tx.conn, command.account_id, command.gateway_id)
    if row is None:
        raise HubError(Code.NOT_FOUND)
    _check_room(tx, row.account_id, command.webhook)
    changed = _change_webhook(tx, command.changed_webhook)
    if command.values:
        rows.change_gateway(tx, row.account_id, row.id, command.values)
    if command.values.get("deleted_at") is not None:
        forget_gateway(tx, row.account_id, row.id)
    effects = [
        _told(tx, row),
        *changed,
        *_make(tx, command.webhook),
        *_end(tx, row.account_id, command.ended_webhook_id),
    ]
    if command.is_signed_anew:
        effects.append(WakeDelivery(tuple(rows.raise_endpoint_versions(tx, row.id))))
    return Done(msgspec.structs.replace(row, **command.values), tuple(effects))


def _check_room(tx: Tx, account_id: str, webhook: CreateEndpoint | None) -> None:
    """Before anything is written: what is refused leaves nothing behind."""
    if webhook is not None and (refused := full(tx, account_id)) is not None:
        raise refused.error


def _make(tx: Tx, webhook: CreateEndpoint | None) -> tuple[Effect, ...]:
    if webhook is None:
        return ()
    (made,) = create_endpoints(tx, [webhook])
    assert isinstance(made, Done), "there is room, and it forwards no line"
    return tuple(made.effects)


def _change_webhook(tx: Tx, command: ChangeEndpoint | None) -> tuple[Effect, ...]:
    """Before anything else is written, too: it may be refused."""
    if command is None:
        return ()
    (changed,) = change_endpoints(tx, [command])
    if isinstance(changed, Refused):
        raise changed.error
    return tuple(changed.effects)


def _end(tx: Tx, account_id: str, webhook_id: str | None) -> tuple[Effect, ...]:
    if webhook_id is None:
        return ()
    (ended,) = delete_endpoints(tx, [DeleteEndpoint(account_id, webhook_id)])
    return tuple(ended.effects) if isinstance(ended, Done) else ()


def _told(tx: Tx, row: GatewayRow) -> CredentialsChanged:
    raise_credentials_version(tx)
    return CredentialsChanged(row.account_id, "gateway", row.id)
