"""The account a key or a person belongs to, and its settings."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

from msgspec import UNSET, Meta, UnsetType

from hub.accounts.account import UpdateAccount, update_accounts
from hub.accounts.scopes import Scope
from hub.accounts.settings import AccountSettings, KeepDays, PoolName, Region, Ttl, ZoneName, read_settings
from hub.core.media import MOST_MEDIA
from hub.core.quiet import quiet_until
from hub.devices.sandbox import is_possible
from hub.dialects.native_v1.fields import (
    AccountId,
    KeyId,
    Model,
    Name,
    Request,
    UtcTime,
    named,
    out,
    time,
    time_or_none,
)
from hub.dialects.native_v1.operation import AnyOperation, Call, NoBody, NoQuery, Operation, found
from hub.media.keeping import allowed_types
from hub.storage.accounts import AccountRow, find_account


class QuietSpan(Request):
    """Every day from one wall time to another, in the account's time zone: bulk texts wait for their end."""

    starts: Annotated[str, Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["21:00"])]
    ends: Annotated[str, Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["08:00"])]


class Settings(Model):
    """What the account has decided; null = as the hub is configured, which `effective` tells."""

    default_region: Region | None
    time_zone: ZoneName
    default_pool: PoolName | None
    default_ttl_seconds: Ttl | None
    strict_sender: Annotated[
        bool, Meta(description="An unknown `from` is refused instead of sent from the default pool.")
    ]
    retry_generic: Annotated[
        bool, Meta(description="Try again after a failure without a reason. It may send a text twice.")
    ]
    quiet_hours: QuietSpan | None
    keep_messages_days: KeepDays | None


class Effective(Model):
    """What holds for this account, the hub's own configuration included."""

    default_region: Region
    default_ttl_seconds: int
    max_segments: int
    max_recipients: int
    quiet_until: Annotated[UtcTime | None, Meta(description="It is quiet hours, until then.")]
    keep_messages_days: Annotated[
        int, Meta(description="Days a text is kept that has ended, with its timeline and events; 0 = for ever.")
    ]
    most_keep_messages_days: Annotated[
        int, Meta(description="The most an account can choose: what the hub is configured for; 0 = for ever.")
    ]
    keep_events_days: Annotated[int, Meta(description="Days this hub keeps events and their deliveries; 0 = for ever.")]
    media_types: Annotated[list[str], Meta(description="Types of attachments this hub keeps and sends.")]
    media_max_bytes: Annotated[int, Meta(description="Largest attachment.")]
    media_max_message_bytes: Annotated[int, Meta(description="All attachments of one text together.")]
    max_media: Annotated[int, Meta(description="Most attachments of one text.")]
    sandbox_phones: Annotated[int, Meta(description="Most sandbox phones of this hub; 0 = it starts none.")]


class Account(Model):
    """The account of this key."""

    id: AccountId
    name: str
    created_at: UtcTime
    settings: Settings
    effective: Effective
    key_id: Annotated[KeyId | None, Meta(description="The key that asks; null for a person who is signed in.")]
    key_name: Annotated[str, Meta(description="What the key, or the person, is called.")]
    scopes: Annotated[list[Scope], Meta(description="What this key or person may do.")]


class SettingsChange(Request):
    """Settings to change; what is not named stays, null = back to the hub's own."""

    default_region: Region | UnsetType | None = UNSET
    time_zone: ZoneName | UnsetType = UNSET
    default_pool: PoolName | UnsetType | None = UNSET
    default_ttl_seconds: Ttl | UnsetType | None = UNSET
    strict_sender: bool | UnsetType = UNSET
    retry_generic: bool | UnsetType = UNSET
    quiet_hours: QuietSpan | UnsetType | None = UNSET
    keep_messages_days: KeepDays | UnsetType | None = UNSET


class AccountChange(Request):
    """What to change; what is not named stays."""

    name: Name | UnsetType = UNSET
    settings: SettingsChange | UnsetType = UNSET


def _shown(call: Call[NoQuery, None] | Call[NoQuery, AccountChange], row: AccountRow) -> Account:
    settings, config = read_settings(row.settings), call.services.config
    return Account(
        id=out("account", row.id),
        name=row.name,
        created_at=time(row.created_at),
        settings=_settings(settings),
        effective=Effective(
            default_region=settings.default_region or config.default_region,
            default_ttl_seconds=settings.default_ttl_seconds or config.default_ttl_seconds,
            max_segments=config.max_segments,
            max_recipients=config.max_recipients,
            quiet_until=time_or_none(_quiet_until(settings, call.now)),
            keep_messages_days=settings.kept_days(config.keep_messages_days),
            most_keep_messages_days=config.keep_messages_days,
            keep_events_days=config.keep_events_days,
            media_types=sorted(allowed_types(config)),
            media_max_bytes=config.media_max_bytes,
            media_max_message_bytes=config.media_max_message_bytes,
            max_media=MOST_MEDIA,
            sandbox_phones=config.sandbox_phones if is_possible() else 0,
        ),
        key_id=out("key", call.who.key_id) if call.who.key_id else None,
        key_name=call.who.key_name,
        scopes=sorted(call.who.scopes),
    )


def _settings(settings: AccountSettings) -> Settings:
    plain = {name: getattr(settings, name) for name in Settings.__struct_fields__ if name != "quiet_hours"}
    quiet = settings.quiet_hours
    return Settings(**plain, quiet_hours=None if quiet is None else QuietSpan(quiet.starts, quiet.ends))


def _quiet_until(settings: AccountSettings, now: int) -> int | None:
    hours = settings.quiet_hours
    return None if hours is None else quiet_until(now, hours, ZoneInfo(settings.time_zone))


async def get_account(call: Call[NoQuery, None]) -> Account:
    """Read the account.

    Its settings, and what this key may do.
    """
    return _shown(call, found(await call.read(find_account, call.account_id)))


async def change_account(call: Call[NoQuery, AccountChange]) -> Account:
    """Change the account.

    Its name, its settings.
    """
    body = call.body
    command = UpdateAccount(
        account_id=call.account_id,
        name=None if isinstance(body.name, UnsetType) else body.name,
        settings={} if isinstance(body.settings, UnsetType) else named(body.settings),
        hub_keeps_days=call.services.config.keep_messages_days,
    )
    return _shown(call, await call.write(update_accounts, command))


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="GET", path="/v1/account", run=get_account, scope=None, query=NoQuery, body=NoBody, returns=Account,
        knows_lines=True,
    ),
    Operation(
        method="PATCH", path="/v1/account", run=change_account, scope=Scope.ACCOUNT_WRITE, query=NoQuery,
        body=AccountChange, returns=Account, example={"settings": {"default_region": "GB", "time_zone": "Europe/London"}},
    ),
)  # fmt: skip
