"""Which lanes are this process's: taken when they have work, kept by renewing, shared with other processes, given back.

On SQLite there is one process and all of this is a formality, but for the fence and for finding out what stopped the process before.
On PostgreSQL a lease lasts 15 s on the database's clock and is renewed every 5 s; a process that could not renew for 10 s starts nothing
new, and what it had in flight is written under its fence, so that a process that was frozen writes nothing after another took over.
"""

import time
from collections.abc import Iterable, Sequence

from hub.core.errors import HubError
from hub.log import get_logger
from hub.storage.database import Database
from hub.storage.webhooks_lanes import (
    LaneRow,
    ReleaseLanes,
    Renewed,
    RenewLanes,
    TakeLanes,
    release_lanes,
    renew_lanes,
    take_lanes,
)

log = get_logger("webhooks")

LEASE_SECONDS = 15.0
RENEWALS = 3
"""In the time of a lease; a process that missed two of them starts nothing new."""
KEEP_OFF_SECONDS = 2.0
"""For this long a process does not take back what it has just given to others."""
NOBODY_ELSE_SECONDS = 2.0
"""A lane that nobody took for this long is taken, whatever the shares."""


class Leases:
    """The lanes of one process. Times are the machine's: leases are not scaled with a test's clock."""

    def __init__(self, db: Database, node: str, lease_seconds: float = LEASE_SECONDS) -> None:
        self._db = db
        self._node = node
        self._lease_ms = round(lease_seconds * 1000)
        self._renew_seconds = lease_seconds / RENEWALS
        self._stale_seconds = 2 * lease_seconds / RENEWALS
        self._renewed_at = time.monotonic()
        self._last = Renewed(0, 1, 0)
        self._kept_off: dict[str, float] = {}
        self._seen_free: dict[str, float] = {}

    @property
    def is_fresh(self) -> bool:
        """Whether new tries may start."""
        return self._db.dialect == "sqlite" or time.monotonic() - self._renewed_at < self._stale_seconds

    @property
    def is_renewal_due(self) -> bool:
        """Whether it is time to renew."""
        return self._db.dialect == "postgresql" and time.monotonic() - self._renewed_at >= self._renew_seconds

    async def renew(self) -> int:
        """Keep what is owned; how many lanes that is."""
        asked_at = time.monotonic()
        self._last = await self._db.writer.submit(
            renew_lanes, RenewLanes(self._node, self._lease_ms), f"webhooks:{self._node}"
        )
        self._renewed_at = asked_at
        return self._last.owned

    async def take(self, endpoint_ids: Sequence[str], owned: int) -> list[LaneRow]:
        """Those of these lanes that are now this process's; `owned` is how many it has."""
        wanted = self._wanted(endpoint_ids, owned)
        if not wanted:
            return []
        command = TakeLanes(self._node, tuple(wanted), self._lease_ms)
        rows = await self._db.writer.submit(take_lanes, command, f"webhooks:{self._node}")
        for row in rows:
            self._seen_free.pop(row.endpoint["id"], None)
        return rows

    def _wanted(self, endpoint_ids: Sequence[str], owned: int) -> list[str]:
        if self._db.dialect == "sqlite" or self._last.nodes <= 1:
            return list(endpoint_ids)
        now = time.monotonic()
        share = self._share(len(endpoint_ids)) - owned
        wanted: list[str] = []
        for endpoint_id in endpoint_ids:
            since = self._seen_free.setdefault(endpoint_id, now)
            if self._kept_off.get(endpoint_id, 0.0) > now:
                continue
            if len(wanted) < share or now - since > NOBODY_ELSE_SECONDS:
                wanted.append(endpoint_id)
        return wanted

    def _share(self, free: int) -> int:
        return -(-(self._last.owned_by_all + free) // max(1, self._last.nodes))

    def surplus(self, owned: int) -> int:
        """How many lanes more than its share this process has."""
        return 0 if self._last.nodes <= 1 else max(0, owned - self._share(0))

    async def release(self, endpoint_ids: Iterable[str]) -> None:
        """Others may have these."""
        ids = tuple(endpoint_ids)
        if not ids:
            return
        until = time.monotonic() + KEEP_OFF_SECONDS
        self._kept_off = {key: at for key, at in self._kept_off.items() if at > until - KEEP_OFF_SECONDS}
        self._kept_off.update(dict.fromkeys(ids, until))
        self._seen_free = {key: at for key, at in self._seen_free.items() if at > until - 60.0}
        await self._db.writer.submit(release_lanes, ReleaseLanes(self._node, ids), f"webhooks:{self._node}")

    async def leave(self) -> None:
        """The process stops."""
        try:
            await self._db.writer.submit(release_lanes, ReleaseLanes(self._node, ()), f"webhooks:{self._node}")
        except HubError as error:
            log.info("lanes were not given back; others take them when the lease ends", error=str(error))
