"""The background loops of the storage engine."""

from typing import Protocol

from hub.config import Config
from hub.core.ports import Effects, PhoneSessions, Worker
from hub.storage.database import Database
from hub.storage.hints import KINDS, Hints
from hub.storage.retention import Retention


class _Parts(Protocol):
    """What these loops need of the hub's services."""

    @property
    def config(self) -> Config: ...

    @property
    def db(self) -> Database: ...

    @property
    def effects(self) -> Effects: ...

    @property
    def sessions(self) -> PhoneSessions: ...


def storage_loops(parts: _Parts) -> list[Worker]:
    """Retention, and on PostgreSQL the hints between hub processes."""
    loops: list[Worker] = [Retention(parts.db, parts.config)]
    if parts.db.dialect == "postgresql":
        hints = Hints(parts.db.url, parts.config.node_name, parts.effects, parts.sessions.is_online)
        for kind in KINDS:
            parts.effects.on(kind, hints.tell)
        loops.append(hints)
    return loops
