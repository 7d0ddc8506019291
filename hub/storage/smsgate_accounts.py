"""What the sms-gate.app dialect keeps of an account beside its messages: settings, ids of a former server, webhooks that never fire."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from hub.core.clock import UtcMs
from hub.storage.schema.smsgate import SmsGateAlias, SmsGateSettings, SmsGateWebhook
from hub.storage.transaction import Tx
from hub.storage.types import table_of

_SETTINGS = table_of(SmsGateSettings)
_ALIAS = table_of(SmsGateAlias)
_WEBHOOK = table_of(SmsGateWebhook)


class SettingsRow(NamedTuple):
    """What an account's clients set for its phones."""

    account_id: str
    settings: str = "{}"
    signing_key: bytes | None = None
    updated_at: UtcMs = 0


class AliasRow(NamedTuple):
    """An id of a former server and what it stands for here."""

    account_id: str
    kind: str
    shown_id: str
    id: str


class UnsentRow(NamedTuple):
    """A webhook for an event this hub never makes."""

    account_id: str
    shown_id: str
    url: str
    event: str
    device_id: str | None
    created_at: UtcMs


def read_settings(conn: Connection, account_id: str) -> SettingsRow:
    """The account's settings; empty ones when nothing was ever set."""
    row = conn.execute(select(_SETTINGS).where(_SETTINGS.c.account_id == account_id)).first()
    return SettingsRow(account_id) if row is None else SettingsRow(*row)


def write_settings(tx: Tx, row: SettingsRow) -> None:
    """Store them."""
    build = sqlite.insert if tx.dialect == "sqlite" else postgresql.insert
    values = row._asdict()
    statement = build(_SETTINGS).values(**values)
    tx.conn.execute(statement.on_conflict_do_update(index_elements=["account_id"], set_=values))


def find_alias(conn: Connection, account_id: str, kind: str, shown_id: str) -> str | None:
    """What an id of a former server stands for."""
    statement = select(_ALIAS.c.id).where(
        _ALIAS.c.account_id == account_id, _ALIAS.c.kind == kind, _ALIAS.c.shown_id == shown_id
    )
    return conn.execute(statement).scalar_one_or_none()


def all_aliases(conn: Connection, kind: str) -> list[AliasRow]:
    """Every one of a kind, in all accounts: there is one per phone or user that was moved in."""
    return [AliasRow(*row) for row in conn.execute(select(_ALIAS).where(_ALIAS.c.kind == kind))]


def insert_alias(tx: Tx, row: AliasRow) -> None:
    """Store one that is not there yet."""
    build = sqlite.insert if tx.dialect == "sqlite" else postgresql.insert
    tx.conn.execute(build(_ALIAS).values(**row._asdict()).on_conflict_do_nothing())


def list_unsent(conn: Connection, account_id: str) -> list[UnsentRow]:
    """The account's webhooks that never fire, oldest first."""
    rows = conn.execute(
        select(_WEBHOOK).where(_WEBHOOK.c.account_id == account_id).order_by(_WEBHOOK.c.created_at, _WEBHOOK.c.shown_id)
    )
    return [UnsentRow(*row) for row in rows]


def put_unsent(tx: Tx, row: UnsentRow) -> None:
    """Store one, in place of what had its id."""
    build = sqlite.insert if tx.dialect == "sqlite" else postgresql.insert
    values = row._asdict()
    kept = {name: values[name] for name in ("url", "event", "device_id")}
    statement = build(_WEBHOOK).values(**values)
    tx.conn.execute(statement.on_conflict_do_update(index_elements=["account_id", "shown_id"], set_=kept))


def delete_unsent(tx: Tx, account_id: str, shown_id: str) -> None:
    """Remove one, if it is there."""
    tx.conn.execute(delete(_WEBHOOK).where(_WEBHOOK.c.account_id == account_id, _WEBHOOK.c.shown_id == shown_id))
