"""The lines a batch of messages may go by, read once, and the choice among them (`hub.core.routing`).

A choice made when a text is accepted is provisional: it decides which thread the text is in and whose queue it joins. The
offer looks again, and until a phone has it the text can still move.
"""

import zlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection

from hub.accounts.settings import AccountSettings, read_settings
from hub.core.address import is_sealed
from hub.core.clock import UtcMs
from hub.core.commands import AnyLine, ByDevice, ByLine, ByName, Sender
from hub.core.pacing import (
    HOUR_MS,
    MINUTE_MS,
    Allowance,
    Limits,
    Usage,
    allowance,
    day_start,
    from_buckets,
    month_start,
)
from hub.core.routing import Choice, LineView, Routed, RouteRequest, choose
from hub.messages.threads import conversation_id
from hub.storage.conversations import LastContact, last_contacts
from hub.storage.messages_lines import (
    LineRow,
    lines_by_id,
    lines_in_devices,
    lines_of_account,
    sample_of_account,
    settings_of,
)
from hub.storage.messages_queue import queue_depths
from hub.storage.transaction import Tx
from hub.storage.usage import recent_usage, usage_since

AWAY_SECONDS = 60.0
"""How long a phone that lost its connection still counts as there: most come back within seconds."""

DECRYPTING_TRANSPORTS = frozenset({"smsgate"})
"""Transports whose phones know end-to-end encrypted texts."""


class Wish(NamedTuple):
    """A message that wants a line."""

    account_id: str
    sender: Sender
    peer: str
    needs_mms: bool = False


class LineBook:
    """The lines of a batch's accounts as far as its messages could use them."""

    def __init__(self, tx: Tx, *, away_seconds: float = AWAY_SECONDS) -> None:
        self._tx = tx
        self._away_ms = round(away_seconds * 1000)
        self._settings: dict[str, AccountSettings] = {}
        self._rows: dict[str, dict[str, LineRow]] = {}
        self._views: dict[str, dict[str, LineView]] = {}
        self._sampled: set[str] = set()
        self._last: dict[tuple[str, str], LastContact] = {}
        self._only: dict[tuple[str, Sender, bool, bool, bool], Routed] = {}

    # --- reading

    def read_for(self, wishes: Sequence[Wish], *, also: Collection[str] = ()) -> None:
        """Read the lines these messages could go by, and those with the ids in `also`."""
        accounts = {wish.account_id for wish in wishes}
        named = {w.sender.line_id for w in wishes if isinstance(w.sender, ByLine)} | set(also)
        self._keep(lines_by_id(self._tx.conn, accounts, named).values())
        devices = {w.sender.device_id for w in wishes if isinstance(w.sender, ByDevice)}
        self._keep(lines_in_devices(self._tx.conn, accounts, devices))
        self._read_unnamed([wish for wish in wishes if isinstance(wish.sender, AnyLine | ByName)])
        self._make_views()

    def _read_unnamed(self, wishes: Sequence[Wish]) -> None:
        """A sample of each account's lines, or all where a name or the account's pool may mean any of them, or few may be able to."""
        whole = {wish.account_id for wish in wishes if isinstance(wish.sender, ByName) or wish.needs_mms}
        for wish in wishes:
            if wish.account_id not in whole and wish.account_id not in self._sampled:
                random = zlib.crc32(wish.peer.encode()) / 2**32
                self._sampled.add(wish.account_id)
                self._keep(sample_of_account(self._tx.conn, wish.account_id, self._tx.now, random))
        whole |= {wish.account_id for wish in wishes if self.settings(wish.account_id).default_pool}
        for account_id in sorted(whole):
            self._keep(lines_of_account(self._tx.conn, account_id))
        self._read_sticky([wish for wish in wishes if len(self._rows.get(wish.account_id, ())) > 1])

    def _read_sticky(self, wishes: Sequence[Wish]) -> None:
        if not wishes:
            return
        accounts, peers = {wish.account_id for wish in wishes}, {wish.peer for wish in wishes}
        self._last = last_contacts(self._tx.conn, accounts, peers)
        known = {line_id for rows in self._rows.values() for line_id in rows}
        self._keep(
            lines_by_id(self._tx.conn, accounts, {last.line_id for last in self._last.values()} - known).values()
        )

    def _keep(self, rows: Iterable[LineRow]) -> None:
        for row in rows:
            self._rows.setdefault(row.account_id, {})[row.id] = row
            if row.account_id not in self._settings:
                self._settings[row.account_id] = read_settings(row.account_settings)

    def _make_views(self) -> None:
        fresh = {
            row.id: row
            for account_id, rows in self._rows.items()
            for row in rows.values()
            if row.id not in self._views.get(account_id, ())
        }
        are_many = [row.id for row in fresh.values() if len(self._rows[row.account_id]) > 1]
        depths = queue_depths(self._tx, are_many)
        allowed = budgets(self._tx.conn, self._tx.now, list(fresh.values()))
        for row in fresh.values():
            view = line_view(row, depths.get(row.id, 0), allowed.get(row.id), self._tx.now - self._away_ms)
            self._views.setdefault(row.account_id, {})[row.id] = view

    # --- asking

    def settings(self, account_id: str) -> AccountSettings:
        """What the account has decided."""
        return self._settings.get(account_id) or AccountSettings()

    def line(self, account_id: str, line_id: str | None) -> LineRow | None:
        """A line that was read."""
        return self._rows.get(account_id, {}).get(line_id or "")

    def choose(
        self, wish: Wish, segments: int, *, strict_sender: bool = False, avoid: frozenset[str] = frozenset()
    ) -> Routed:
        """The line that can send it now, or why there is none."""
        return self._choose(list(self._views.get(wish.account_id, {}).values()), wish, segments, strict_sender, avoid)

    def choose_to_wait(self, wish: Wish, segments: int, *, strict_sender: bool = False) -> Routed:
        """The line whose queue it joins: one that can send now, else one that may later. NoLine when there is none at all."""
        if len(self._views.get(wish.account_id, ())) > 1:
            return self._choose_to_wait(wish, segments, strict_sender)
        key = (wish.account_id, wish.sender, strict_sender, is_sealed(wish.peer), wish.needs_mms)
        only = self._only.get(key)
        if only is None:
            only = self._only[key] = self._choose_to_wait(wish, segments, strict_sender)
        return only

    def _choose_to_wait(self, wish: Wish, segments: int, strict_sender: bool) -> Routed:
        now = self.choose(wish, segments, strict_sender=strict_sender)
        if isinstance(now, Choice) or now.is_permanent or now.reason == "no_lines":
            return now
        willing = [_without_obstacle(view) for view in self._views.get(wish.account_id, {}).values()]
        return self._choose(willing, wish, segments, strict_sender, frozenset())

    def _choose(
        self, views: Sequence[LineView], wish: Wish, segments: int, strict_sender: bool, avoid: frozenset[str]
    ) -> Routed:
        settings = self.settings(wish.account_id)
        request = RouteRequest(
            sender=wish.sender,
            segments=segments,
            is_sealed=is_sealed(wish.peer),
            needs_mms=wish.needs_mms,
            strict_sender=strict_sender,
            default_pool=settings.default_pool,
            avoid=avoid,
        )
        last = self._last.get((wish.account_id, wish.peer))
        return choose(views, request, last.line_id if last else None, now=self._tx.now)

    def is_ready(self, account_id: str, line_id: str) -> bool:
        """Whether this line can send now; one that was not read, or was removed, cannot."""
        view = self._views.get(account_id, {}).get(line_id)
        return view is not None and is_ready(view, self._tx.now)

    def join(self, wish: Wish, line_id: str, segments: int) -> None:
        """A message joined this line's queue: the next message of the batch sees that, and the contact's new thread."""
        views = self._views[wish.account_id]
        if len(views) > 1:
            view = views[line_id]
            views[line_id] = msgspec.structs.replace(view, queued_segments=view.queued_segments + segments)
            contact = LastContact(self._tx.now, conversation_id(wish.account_id, line_id, wish.peer), line_id)
            peer = (wish.account_id, wish.peer)
            self._last[peer] = max(contact, self._last.get(peer, contact))


def budgets(conn: Connection, now: UtcMs, rows: Sequence[LineRow]) -> dict[str, Allowance]:
    """What each line with an hour, day or month budget may send now; lines with only a pace are not in it."""
    capped = [row for row in rows if row.per_hour or row.per_day or row.per_month]
    offsets = utc_offsets(capped, now)
    usage = line_usage(conn, now, capped, offsets)
    return {
        row.id: allowance(usage[row.id], limits_of(row), now, utc_offset_seconds=offsets.get(row.account_id, 0))
        for row in capped
    }


def utc_offsets(rows: Sequence[LineRow], now: UtcMs) -> dict[str, int]:
    """By account of these lines: seconds its time zone is ahead of UTC now."""
    return {row.account_id: utc_offset(read_settings(row.account_settings).time_zone, now) for row in rows}


def read_account_settings(conn: Connection, account_ids: Collection[str]) -> dict[str, AccountSettings]:
    """What these accounts have decided."""
    stored = settings_of(conn, account_ids) if account_ids else {}
    return {account_id: read_settings(text) for account_id, text in stored.items()}


def line_usage(
    conn: Connection, now: UtcMs, rows: Sequence[LineRow], utc_offsets: Mapping[str, int]
) -> dict[str, Usage]:
    """What each of these lines has sent, as stored. `utc_offsets` by account; an account that is not in it counts in UTC."""
    if not rows:
        return {}
    recent = _recent(conn, now, rows)
    today = _sums(conn, now, [row for row in rows if row.per_day], utc_offsets, day_start)
    month = _sums(conn, now, [row for row in rows if row.per_month], utc_offsets, month_start)
    return {
        row.id: Usage(
            recent=from_buckets(recent.get(row.id, ())),
            today=today.get(row.id, 0),
            this_month=month.get(row.id, 0),
        )
        for row in rows
    }


def _recent(conn: Connection, now: UtcMs, rows: Sequence[LineRow]) -> dict[str, list[tuple[UtcMs, int]]]:
    """As far back as each line's limits look. A busy line has 720 counts in an hour and 12 in a minute, and every offer reads them."""
    hourly = [row.id for row in rows if row.per_hour is not None]
    others = [row.id for row in rows if row.per_hour is None]
    found = recent_usage(conn, hourly, now - HOUR_MS) if hourly else {}
    return found | (recent_usage(conn, others, now - MINUTE_MS) if others else {})


def limits_of(row: LineRow) -> Limits:
    """A line's pace and budgets."""
    return Limits(per_minute=row.per_minute, per_hour=row.per_hour, per_day=row.per_day, per_month=row.per_month)


def _sums(
    conn: Connection,
    now: UtcMs,
    rows: Sequence[LineRow],
    utc_offsets: Mapping[str, int],
    start_of: Callable[[UtcMs, int], UtcMs],
) -> dict[str, int]:
    by_start: dict[int, list[str]] = {}
    for row in rows:
        start = start_of(now, utc_offsets.get(row.account_id, 0))
        by_start.setdefault(start, []).append(row.id)
    sums: dict[str, int] = {}
    for since, line_ids in by_start.items():
        sums |= usage_since(conn, line_ids, since)
    return sums


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def utc_offset(zone: str, now: UtcMs) -> int:
    """Seconds a time zone is ahead of UTC now."""
    offset = datetime.fromtimestamp(now / 1000, _zone(zone)).utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0


def is_ready(view: LineView, now: UtcMs, *, is_here: bool = False) -> bool:
    """Whether a line can send now. `is_here`: its phone is connected to this process, whatever was written of it."""
    seen = msgspec.structs.replace(view, is_online=True) if is_here else view
    return isinstance(choose([seen], RouteRequest(), now=now), Choice)


def may_send(line: LineRow, now: UtcMs) -> bool:
    """Whether texts may be offered for this line: it is in a phone, and nobody stopped it. (Its pace is another question.)"""
    return (
        line.is_enabled
        and line.is_present
        and line.is_device_usable
        and not line.awaiting_confirmation
        and line.subscription_id is not None
        and not (line.paused_until is not None and line.paused_until > now)
    )


def line_view(row: LineRow, queued: int, allowed: Allowance | None, seen_since: UtcMs) -> LineView:
    """A line as choosing sees it. Its phone counts as there until it has not been heard of since `seen_since`."""
    is_near = bool(row.is_online) or (row.last_seen_at is not None and row.last_seen_at >= seen_since)
    return LineView(
        line_id=row.id,
        name=row.name,
        device_id=row.device_id,
        device_name=row.device_name,
        slot=row.slot,
        number=row.number,
        alias=row.alias,
        pool=row.pool,
        is_enabled=row.is_enabled,
        is_present=row.is_present and not row.awaiting_confirmation,
        is_online=is_near,
        is_device_usable=row.is_device_usable,
        paused_until=row.paused_until,
        paused_reason=row.paused_reason,
        queued_segments=queued,
        per_minute=row.per_minute,
        full_until=allowed.full_until if allowed else None,
        full_window=allowed.which if allowed else None,
        is_sandbox=row.is_sandbox,
        is_phone_removed=row.is_phone_removed,
        can_decrypt=row.transport in DECRYPTING_TRANSPORTS,
        sends_mms=row.sends_mms,
    )


def _without_obstacle(view: LineView) -> LineView:
    return msgspec.structs.replace(
        view,
        is_enabled=True,
        is_present=True,
        is_online=True,
        is_device_usable=True,
        is_phone_removed=False,
        paused_until=None,
        full_until=None,
    )
