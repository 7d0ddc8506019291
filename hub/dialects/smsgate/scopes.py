"""What a caller may do, in that API's words. A login may do everything, a token what it was made for, a key of the hub what it may."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from hub.accounts.scopes import Scope

ALL = "all:any"
REFRESH = "tokens:refresh"
"""Of refresh tokens alone; `all:any` does not hold it."""
MANAGE = "tokens:manage"

NATIVE: Mapping[str, Scope] = MappingProxyType(
    {
        "messages:send": Scope.MESSAGES_SEND,
        "messages:cancel": Scope.MESSAGES_SEND,
        "messages:read": Scope.MESSAGES_READ,
        "messages:list": Scope.MESSAGES_READ,
        "messages:export": Scope.MESSAGES_READ,
        "inbox:list": Scope.MESSAGES_READ,
        "inbox:read": Scope.MESSAGES_READ,
        "inbox:refresh": Scope.MESSAGES_READ,
        "devices:list": Scope.DEVICES_READ,
        "devices:delete": Scope.DEVICES_WRITE,
        "webhooks:list": Scope.WEBHOOKS_READ,
        "webhooks:write": Scope.WEBHOOKS_WRITE,
        "webhooks:delete": Scope.WEBHOOKS_WRITE,
        "settings:read": Scope.ACCOUNT_READ,
        "settings:write": Scope.ACCOUNT_WRITE,
        "logs:read": Scope.EVENTS_READ,
    }
)
"""Theirs → ours. Tokens are made with logins only."""
KNOWN = frozenset({ALL, MANAGE, *NATIVE})
"""What a token may be asked to hold."""


def of_key(scopes: frozenset[Scope]) -> frozenset[str]:
    """What a key of the hub may do here."""
    return frozenset(word for word, scope in NATIVE.items() if scope in scopes)


def holds(scopes: frozenset[str], wanted: str) -> bool:
    """Whether these scopes allow it."""
    return wanted in scopes or (ALL in scopes and wanted != REFRESH)
