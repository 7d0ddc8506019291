"""Deleting what is old: a few hundred rows at a time, between other people's batches, by one background loop.

Each delete is a command like any other, so it shares commits, keeps the writer's rules and can be killed at any moment.
After each one the loop rests for several times as long as it took: however much has to go, most of the writer's time
stays with the callers who wait for it.
"""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Row, TextClause, text

from hub.config import Config
from hub.core.clock import UtcMs
from hub.core.ids import first_id_at
from hub.log import get_logger
from hub.storage.account_retention import ACCOUNT_SWEEPS, own_seconds
from hub.storage.database import Database
from hub.storage.retention_rules import RULES, Sweep
from hub.storage.transaction import Done, Tx

log = get_logger("storage.retention")

ROWS_AT_ONCE = 500
EVERY_SECONDS = 60.0
SHORTEST_REST_SECONDS = 0.02
REST_PER_WORK = 4.0
ADVISORY_LOCK = 0x48554232
"""Any number, the same in every hub process: one of them sweeps at a time."""

_SWEEPS = {table: rule for table, rule in RULES.items() if isinstance(rule, Sweep)}


@dataclass(frozen=True, slots=True)
class SweepSome:
    """Delete up to `most` rows of a table that are older than `keep_seconds`: everybody's, or one account's."""

    table: str
    keep_seconds: float
    above: int
    most: int
    account_id: str | None = None


@dataclass(frozen=True, slots=True)
class Swept:
    """How many rows went; `above` says where to go on, None when there is nothing more to do now."""

    deleted: int
    above: int | None


def sweep(tx: Tx, commands: Sequence[SweepSome]) -> list[Done[Swept]]:
    """Write use case: delete old rows. Where another hub process sweeps at this moment, this one has nothing to do."""
    if tx.dialect == "postgresql" and not _is_my_turn(tx):
        return [Done(Swept(0, None)) for _ in commands]
    return [Done(_sweep_one(tx, command)) for command in commands]


def _is_my_turn(tx: Tx) -> bool:
    return bool(tx.conn.execute(text("select pg_try_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK}).scalar_one())


def _sweep_one(tx: Tx, command: SweepSome) -> Swept:
    rule = _SWEEPS[command.table] if command.account_id is None else ACCOUNT_SWEEPS[command.table]
    cutoff: UtcMs = tx.now - round(command.keep_seconds * 1000)
    values = {
        "cutoff": cutoff,
        "cutoff_id": first_id_at(cutoff),
        "above": command.above,
        "most": command.most,
        "account_id": command.account_id,
    }
    found = rule.found
    if rule.still and tx.dialect == "postgresql":
        found += f" for update of {command.table} skip locked"
    page = tx.conn.execute(_statement(found), _used(found, values)).all()
    gone = [row for row in page if not rule.is_by_number or (row.is_old and row.may_go)]
    if gone:
        _delete(tx, command.table, rule, [{**row._mapping, "cutoff": cutoff} for row in gone])
    return Swept(len(gone), _where_next(rule, command, page))


def _where_next(rule: Sweep, command: SweepSome, page: Sequence[Row[Any]]) -> int | None:
    if len(page) < command.most:
        return None
    if not rule.is_by_number:
        return 0
    last = page[-1]
    return int(last[0]) if last.is_old else None


def _delete(tx: Tx, table: str, rule: Sweep, rows: Sequence[dict[str, Any]]) -> None:
    still = (rule.still,) if rule.still else ()
    own = f"delete from {table} where " + " and ".join([*(f"{column} = :{column}" for column in rule.key), *still])
    for statement in (*rule.before, own, *rule.after):
        tx.conn.execute(_statement(statement), [_used(statement, row) for row in rows])


@cache
def _statement(sql: str) -> TextClause:
    return text(sql)


def _used(sql: str, values: dict[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in _statement(sql)._bindparams}


class Retention:
    """The background loop: once a minute over all tables, then over the texts of accounts that keep them for less time."""

    name = "retention"

    def __init__(self, db: Database, config: Config) -> None:
        self._db = db
        self._keep = {table: rule.seconds(config) for table, rule in _SWEEPS.items()}

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            await self.sweep_all()

    async def sweep_all(self) -> int:
        """Delete everything that is old now; returns how many rows went (of their own tables, not those that went along)."""
        deleted = 0
        for table, keep_seconds in self._keep.items():
            if keep_seconds:
                deleted += await self._sweep_table(table, keep_seconds)
        for account_id, own in (await self._db.read(own_seconds)).items():
            for table in ACCOUNT_SWEEPS:
                if own < (self._keep[table] or math.inf):
                    deleted += await self._sweep_table(table, own, account_id)
        return deleted

    async def _sweep_table(self, table: str, keep_seconds: float, account_id: str | None = None) -> int:
        deleted = 0
        above: int | None = 0
        while above is not None:
            started = asyncio.get_running_loop().time()
            swept = await self._db.writer.submit(
                sweep, SweepSome(table, keep_seconds, above, ROWS_AT_ONCE, account_id), "retention"
            )
            deleted += swept.deleted
            above = swept.above
            if above is not None:
                took = asyncio.get_running_loop().time() - started
                await asyncio.sleep(max(SHORTEST_REST_SECONDS, took * REST_PER_WORK))
        if deleted:
            log.info("old rows were deleted", table=table, rows=deleted, account_id=account_id)
        return deleted
