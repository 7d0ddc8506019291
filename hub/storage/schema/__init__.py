"""The tables of the hub. Importing this package makes all of them known to `METADATA`."""

from sqlmodel import SQLModel

from hub.storage.schema import (
    accounts,
    contacts,
    credits,
    devices,
    gateways,
    mailboxes,
    media,
    messages,
    smsgate,
    users,
    webhooks,
)

METADATA = SQLModel.metadata

__all__ = [
    "METADATA",
    "accounts",
    "contacts",
    "credits",
    "devices",
    "gateways",
    "mailboxes",
    "media",
    "messages",
    "smsgate",
    "users",
    "webhooks",
]
