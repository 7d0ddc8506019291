"""The lanes of this process: made when their endpoint has work, read again when it changes, given back when they are idle."""

import time
from collections.abc import Iterable, Mapping, Sequence
from secrets import token_bytes

import msgspec

from hub.accounts.secretbox import SealBroken
from hub.core.clock import UtcMs
from hub.log import get_logger
from hub.storage.database import Database
from hub.storage.webhooks_lanes import LaneRow, load_lanes, takeovers_of
from hub.webhooks.breaker import Breaker, BreakerState
from hub.webhooks.client import Client
from hub.webhooks.endpoints import GiveKeys, give_keys
from hub.webhooks.engine_clock import EngineClock
from hub.webhooks.health import Health
from hub.webhooks.lanes import Lane
from hub.webhooks.leases import Leases
from hub.webhooks.opened import OpenEndpoint, open_endpoint
from hub.webhooks.pace import Rate, Window
from hub.webhooks.sealer import Sealer
from hub.webhooks.signing import new_keys
from hub.webhooks.watch import decode_watch

log = get_logger("webhooks")

IDLE_SECONDS = 60.0
UNREADABLE_SECONDS = 60.0
"""Before an endpoint whose secrets could not be opened is looked at again."""
TAKEOVERS_SUSPECT = 3
TAKEOVERS_WITHIN_MS = 600_000
"""As many takeovers without a clean release within ten minutes: something in the lane may be what stops the process."""


class LaneKeeper:
    """Holds the lanes by endpoint id."""

    def __init__(self, db: Database, clock: EngineClock, leases: Leases, client: Client, sealer: Sealer) -> None:
        self.lanes: dict[str, Lane] = {}
        self._db = db
        self._clock = clock
        self._leases = leases
        self._client = client
        self._sealer = sealer
        self._unreadable: dict[str, float] = {}
        self._changed: set[str] = set()

    async def take(self, endpoint_ids: Sequence[str]) -> list[Lane]:
        """Make lanes for those of these endpoints that this process may send to now."""
        now = time.monotonic()
        readable = [endpoint_id for endpoint_id in endpoint_ids if self._unreadable.get(endpoint_id, 0.0) <= now]
        rows = await self._leases.take(readable, len(self.lanes)) if readable else []
        made = []
        for row in await self._with_keys(rows):
            endpoint = self._opened(row)
            if endpoint is not None:
                lane = self._lane(row, endpoint)
                lane.is_stale = lane.id in self._changed
                self.lanes[lane.id] = lane
                made.append(lane)
        self._changed.clear()
        return made

    def changed(self, endpoint_ids: Iterable[str]) -> None:
        """These endpoints may have been changed: nothing of them starts until they have been read again."""
        for endpoint_id in endpoint_ids:
            lane = self.lanes.get(endpoint_id)
            if lane is not None:
                lane.is_stale = True
            else:
                self._changed.add(endpoint_id)  # its lane may be on its way, made from what was read before the change

    def compare(self, versions: Mapping[str, int]) -> bool:
        """Whether any endpoint is newer than its lane."""
        newer = [
            key for key, version in versions.items() if key in self.lanes and version > self.lanes[key].endpoint.version
        ]
        self.changed(newer)
        return bool(newer)

    async def refresh(self) -> None:
        """Read the settings of lanes again whose endpoints were changed."""
        stale = [lane.id for lane in self.lanes.values() if lane.is_stale]
        if not stale:
            return
        for row in await self._db.read(load_lanes, stale):
            lane = self.lanes.get(row.endpoint["id"])
            endpoint = self._opened(row)
            if lane is not None and endpoint is not None:
                _renew(lane, row, endpoint)

    def drop(self, lanes: Iterable[Lane]) -> None:
        """Forget lanes that are another process's now; what they have in flight ends without being written."""
        for lane in lanes:
            if self.lanes.get(lane.id) is lane:
                del self.lanes[lane.id]
            lane.is_lost = True
            lane.forget_ready()
            lane.sender.close()

    async def release_idle(self) -> None:
        """Give back lanes that have had nothing to do for a minute, and those beyond this process's share."""
        before = time.monotonic() - IDLE_SECONDS
        idle = [lane for lane in self.lanes.values() if lane.is_idle and lane.last_used < before]
        surplus = self._leases.surplus(len(self.lanes)) - len(idle)
        if surplus > 0:
            others = [lane for lane in self.lanes.values() if lane not in idle]
            for lane in others:
                if not lane.in_flight and not lane.unrecorded and surplus > 0:
                    idle.append(lane)
                    surplus -= 1
        await self.release(idle)

    async def release(self, lanes: Sequence[Lane]) -> None:
        """Give lanes back in good order."""
        ids = [lane.id for lane in lanes]
        self.drop(lanes)
        await self._leases.release(ids)

    async def drop_foreign(self, node: str) -> None:
        """After a renewal that kept fewer lanes than there are: drop those that are another process's."""
        rows = await self._db.read(load_lanes, list(self.lanes))
        own = {row.endpoint["id"] for row in rows if row.lane["owner"] == node}
        self.drop([lane for lane in list(self.lanes.values()) if lane.id not in own])

    def lost(self, endpoint_ids: Iterable[str]) -> list[Lane]:
        """Lanes of these endpoints; nothing of them starts from now on."""
        found = [lane for lane in map(self.lanes.get, endpoint_ids) if lane is not None]
        for lane in found:
            lane.is_lost = True
        return found

    # --- pieces -------------------------------------------------------------------------------------------------------------------

    async def _with_keys(self, rows: Sequence[LaneRow]) -> list[LaneRow]:
        """Implicit endpoints get their keys before their first delivery."""
        without = [row.endpoint["id"] for row in rows if not row.endpoint["secrets"] and row.gateway_tokens is None]
        if not without:
            return list(rows)
        for endpoint_id in without:
            sealed = self._sealer.seal_keys(endpoint_id, new_keys(self._clock.now(), token_bytes))
            await self._db.writer.submit(give_keys, GiveKeys(endpoint_id, sealed), f"endpoint:{endpoint_id}")
        return await self._db.read(load_lanes, [row.endpoint["id"] for row in rows])

    def _opened(self, row: LaneRow) -> OpenEndpoint | None:
        try:
            return open_endpoint(row, self._sealer)
        except SealBroken as error:
            self._unreadable[row.endpoint["id"]] = time.monotonic() + UNREADABLE_SECONDS
            log.error(
                "a webhook's secrets cannot be read; its deliveries wait", endpoint=row.endpoint["id"], error=str(error)
            )
            return None

    def _lane(self, row: LaneRow, endpoint: OpenEndpoint) -> Lane:
        now = self._clock.now()
        recent = [at for at in takeovers_of(row.lane["takeovers"]) if now - at < TAKEOVERS_WITHIN_MS]
        lane = Lane(
            endpoint=endpoint,
            fence=row.lane["fence"],
            health=_health(row),
            breaker=Breaker(_breaker(row)),
            window=Window(endpoint.max_inflight),
            sender=self._client.pool(),
            watch=decode_watch(row.lane["watch"]),
            paused_until=_paused_until(row),
            careful_until=max(recent) + TAKEOVERS_WITHIN_MS if len(recent) >= TAKEOVERS_SUSPECT else 0,
            suspect_id=row.lane["trying_id"] if row.lane["trying_times"] >= SUSPECT_TIMES else None,
            rate=_rate(endpoint),
            last_used=time.monotonic(),
        )
        lane.written = lane.standing()
        if lane.careful_until:
            log.warning("a webhook lane was left by a crash again and again; it is watched", endpoint=lane.id)
        return lane


SUSPECT_TIMES = 3
"""A delivery that was being tried at three crashes in a row is given up: twice may be chance."""


def _health(row: LaneRow) -> Health:
    lane = row.lane
    return Health(lane["failing_since"], lane["last_ok_at"], lane["tries_since_ok"], lane["noticed"])


def _breaker(row: LaneRow) -> BreakerState:
    return msgspec.json.decode(row.lane["breaker"], type=BreakerState)


def _paused_until(row: LaneRow) -> UtcMs:
    return int(row.lane["paused_until"] or 0)


def _rate(endpoint: OpenEndpoint) -> Rate | None:
    return None if endpoint.rate_per_second is None else Rate(endpoint.rate_per_second)


def _renew(lane: Lane, row: LaneRow, endpoint: OpenEndpoint) -> None:
    """The endpoint was changed: work with its settings of now."""
    if endpoint.version < lane.endpoint.version:
        return
    is_other_way = endpoint.kind != lane.endpoint.kind
    if is_other_way:
        lane.forget_ready()
    if is_other_way or (endpoint.is_sending and not lane.endpoint.is_sending):
        lane.health, lane.breaker, lane.paused_until = _health(row), Breaker(_breaker(row)), _paused_until(row)
    if endpoint.max_inflight != lane.endpoint.max_inflight:
        lane.window.resize(endpoint.max_inflight)
    if endpoint.rate_per_second != lane.endpoint.rate_per_second:
        lane.rate = _rate(endpoint)
    lane.endpoint = endpoint
    lane.is_stale = False
