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
    """Make a gateway of this row."""

    row: GatewayRow

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"gateway:{self.row.name_key}",)


class ChangeGateway(msgspec.Struct, frozen=True, kw_only=True):
    """Set these columns; `is_signed_anew` when the tokens are among them."""

    account_id: str
    gateway_id: str
    values: Mapping[str, Any]
    is_signed_anew: bool = False

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"gateway:{self.gateway_id}",)


def create_gateways(tx: Tx, commands: Sequence[CreateGateway]) -> list[Done[GatewayRow] | Refused]:
    """Store new gateways. Refused: `conflict` when another one has the name or the SID."""
    return [_one(tx, _create, command) for command in commands]


def change_gateways(tx: Tx, commands: Sequence[ChangeGateway]) -> list[Done[GatewayRow] | Refused]:
    """Change gateways; with `deleted_at` among the values, end them. Refused: `not_found`."""
    return [_one(tx, _change, command) for command in commands]


def _one(tx: Tx, apply: Callable[[Tx, CommandT], Done[GatewayRow]], command: CommandT) -> Done[GatewayRow] | Refused:
    try:
        return apply(tx, command)
    except HubError as error:
        return Refused(error)


def _create(tx: Tx, command: CreateGateway) -> Done[GatewayRow]:
    if not rows.insert_gateway(tx, command.row):
        raise HubError(Code.CONFLICT, "There is a gateway of this name, or with this SID, already: choose another.")
    return Done(command.row, (_told(tx, command.row),))


def _change(tx: Tx, command: ChangeGateway) -> Done[GatewayRow]:
    row = rows.find_gateway(tx.conn, command.account_id, command.gateway_id)
    if row is None:
        raise HubError(Code.NOT_FOUND)
    rows.change_gateway(tx, row.account_id, row.id, command.values)
    if command.values.get("deleted_at") is not None:
        forget_gateway(tx, row.account_id, row.id)
    effects: tuple[Effect, ...] = (_told(tx, row),)
    if command.is_signed_anew:
        effects = (*effects, WakeDelivery(tuple(rows.raise_endpoint_versions(tx, row.id))))
    return Done(msgspec.structs.replace(row, **command.values), effects)


def _told(tx: Tx, row: GatewayRow) -> CredentialsChanged:
    raise_credentials_version(tx)
    return CredentialsChanged(row.account_id, "gateway", row.id)
