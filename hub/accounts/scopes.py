"""What a key may do: a closed list of words. Every operation of the native API names the one it needs."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from hub.core.errors import Code, FieldError, HubError


class Scope(StrEnum):
    """One permission of a key."""

    MESSAGES_READ = "messages:read"
    MESSAGES_SEND = "messages:send"
    MESSAGES_POST = "messages:post"
    CONVERSATIONS_WRITE = "conversations:write"
    DEVICES_READ = "devices:read"
    DEVICES_WRITE = "devices:write"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"
    EVENTS_READ = "events:read"
    KEYS_READ = "keys:read"
    KEYS_WRITE = "keys:write"
    USERS_READ = "users:read"
    USERS_WRITE = "users:write"
    ACCOUNT_READ = "account:read"
    ACCOUNT_WRITE = "account:write"


MEANING: dict[Scope, str] = {
    Scope.MESSAGES_READ: "Read texts, batches and conversations, and wait for inbound texts.",
    Scope.MESSAGES_SEND: "Send, cancel and resend texts; pause and resume batches.",
    Scope.MESSAGES_POST: "Post inbound texts into the hub, as a carrier does. A key for a carrier's URL has this scope alone.",
    Scope.CONVERSATIONS_WRITE: "Mark conversations read, archived or muted; keep contacts, snippets and opt-outs.",
    Scope.DEVICES_READ: "Read phones, lines and enrolments.",
    Scope.DEVICES_WRITE: "Enrol, change and remove phones; change lines.",
    Scope.WEBHOOKS_READ: "Read webhooks and their deliveries.",
    Scope.WEBHOOKS_WRITE: "Create, change, test and replay webhooks.",
    Scope.EVENTS_READ: "Read the events of the account and follow its stream.",
    Scope.KEYS_READ: "List keys (never the keys themselves).",
    Scope.KEYS_WRITE: "Make, rotate and revoke keys with no more scopes than one's own.",
    Scope.USERS_READ: "List the people who use the dashboard.",
    Scope.USERS_WRITE: "Invite, change and remove people with no more rights than one's own.",
    Scope.ACCOUNT_READ: "Read the account's settings and statistics.",
    Scope.ACCOUNT_WRITE: "Change the account's settings.",
}

ALL_SCOPES = frozenset(Scope)


def parse_scopes(stored: str) -> frozenset[Scope]:
    """The scopes of a stored, space-separated text; words of a newer hub are left out, so that they allow nothing here."""
    return frozenset(Scope(word) for word in stored.split() if word in ALL_SCOPES)


def store_scopes(scopes: Iterable[Scope]) -> str:
    """What `parse_scopes` reads: sorted and separated by spaces."""
    return " ".join(sorted(set(scopes)))


def refuse_more_than(own: frozenset[Scope], asked: Iterable[Scope]) -> None:
    """A key hands out only what it may do itself. Raises `scope_missing` that names what is beyond it."""
    beyond = sorted(set(asked) - own)
    if beyond:
        words = ", ".join(beyond)
        fields = (FieldError("scopes", "beyond_own", f"This key may not hand out {words}."),)
        raise HubError(
            Code.SCOPE_MISSING, f"A key hands out only scopes it has itself; this one lacks {words}.", fields
        )
