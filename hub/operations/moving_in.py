"""The operator's command that moves in from another server: `hub import smsgate`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.core.progress import Tell, unheard
from hub.moving.smsgate import import_smsgate
from hub.operations.accounts import account_of
from hub.services import Services


async def import_from_smsgate(
    services: Services,
    source: str,
    account: str | None = None,
    is_dry: bool = False,
    does_send: bool = False,
    tell: Tell = unheard,
) -> Mapping[str, Any]:
    """`hub import smsgate SOURCE`: users, phones, webhooks and messages of a server of that kind."""
    owner = None if account is None else (await account_of(services, account)).id
    report = await import_smsgate(services, source, owner, is_dry, does_send, tell)
    return {"is_dry_run": is_dry, **report.as_json()}
