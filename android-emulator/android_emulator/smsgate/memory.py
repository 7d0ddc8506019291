"""What the app keeps when its process dies: its registration, the texts it was given, and the posts it has not got rid of."""

import secrets
from dataclasses import dataclass, field
from typing import Any

STATES = ("Pending", "Cancelled", "Processed", "Sent", "Delivered", "Failed")


@dataclass(slots=True)
class StoredText:
    """A text the app was given. Each has one recipient here, as this hub gives them."""

    id: str
    to: str
    text: str
    created_at: int
    valid_until: int | None = None
    sim_number: int | None = None
    wants_report: bool = True
    state: str = "Pending"
    error: str | None = None
    times: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Post:
    """A webhook on its way; `body` is the same on every try."""

    url: str
    body: bytes
    tries: int = 0
    next_at: float = 0.0
    """The phone's elapsed seconds."""


@dataclass(slots=True)
class Memory:
    """The app's database and preferences."""

    id: str = ""
    token: str | None = None
    login: str = ""
    password: str | None = None
    texts: dict[str, StoredText] = field(default_factory=dict)
    hooks: list[dict[str, Any]] = field(default_factory=list)
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    posts: list[Post] = field(default_factory=list)
    dropped_posts: int = 0
    """Given up after the last try."""
    own_key: str = field(default_factory=lambda: secrets.token_hex(4))
    """What it signs with until it is given a key."""

    def setting(self, group: str, key: str, default: Any) -> Any:
        """A setting that was fetched, else the app's own."""
        value = self.settings.get(group, {}).get(key)
        return default if value is None else value

    @property
    def signing_key(self) -> str:
        """What posts are signed with now."""
        return str(self.setting("webhooks", "signing_key", self.own_key))
