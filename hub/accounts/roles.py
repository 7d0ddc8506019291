"""What a person may do: three roles, each a set of the scopes that keys have."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from hub.accounts.scopes import ALL_SCOPES, Scope


class Role(StrEnum):
    """One of three: more would have to be explained."""

    ADMIN = "admin"
    MEMBER = "member"
    READ_ONLY = "read_only"


_READ = frozenset({Scope.MESSAGES_READ, Scope.DEVICES_READ, Scope.EVENTS_READ, Scope.ACCOUNT_READ})

SCOPES_OF: Mapping[Role, frozenset[Scope]] = MappingProxyType(
    {
        Role.ADMIN: ALL_SCOPES,
        Role.MEMBER: _READ | {Scope.MESSAGES_SEND, Scope.CONVERSATIONS_WRITE},
        Role.READ_ONLY: _READ,
    }
)

MEANING: Mapping[Role, str] = MappingProxyType(
    {
        Role.ADMIN: "Everything: phones, webhooks, keys, people and settings too.",
        Role.MEMBER: "Reads and sends texts, looks after conversations, and sees how the phones are.",
        Role.READ_ONLY: "Reads texts and sees how the phones are.",
    }
)


def scopes_of(stored: str) -> frozenset[Scope]:
    """The scopes of a stored role; a role of a newer hub allows nothing here."""
    return SCOPES_OF[Role(stored)] if stored in SCOPES_OF else frozenset()
