"""A small table and a use case that the tests of the writer apply: it counts, refuses, fails and blocks on demand."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    MetaData,
    Table,
    Text,
    bindparam,
    insert,
    select,
    text,
    update,
)

from hub.core.effects import LiveHint
from hub.core.errors import Code, HubError
from hub.storage.direct import run
from hub.storage.transaction import Done, Refused, Tx

METADATA = MetaData()
COUNTER = Table(
    "test_counter",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
    Column("trail", Text, nullable=False),
)

_INSERT = insert(COUNTER)
_UPDATE = update(COUNTER).where(COUNTER.c.name == bindparam("b_name"))

_ADD = text(
    """insert into test_counter (name, value, trail) values (:name, :value, :trail)
on conflict (name) do update set value = test_counter.value + excluded.value, trail = test_counter.trail || excluded.trail"""
)


@dataclass(frozen=True, slots=True)
class Add:
    """Add to a counter; `word` is left on its trail. Refused when the value would fall below zero."""

    name: str
    amount: int
    word: str = "+"


@dataclass(frozen=True, slots=True)
class Poison(Add):
    """Raises while it is applied."""


def create(engine: Engine) -> None:
    """Make the table."""
    METADATA.create_all(engine)


def add(tx: Tx, commands: Sequence[Add]) -> list[Done[int] | Refused]:
    """Fold commands in arrival order; each row is written once."""
    return _fold(tx, commands)


def write_only(tx: Tx, commands: Sequence[Add]) -> list[Done[int] | Refused]:
    """Add without looking, by a statement that waits to be sent."""
    for command in commands:
        run(tx.conn, _ADD, {"name": command.name, "value": command.amount, "trail": command.word})
    return [Done(command.amount) for command in commands]


def add_loudly(tx: Tx, commands: Sequence[Add]) -> list[Done[int] | Refused]:
    """Another use case on the same rows: it leaves its words in capitals."""
    return _fold(tx, [type(command)(command.name, command.amount, command.word.upper()) for command in commands])


def _fold(tx: Tx, commands: Sequence[Add]) -> list[Done[int] | Refused]:
    names = sorted({command.name for command in commands})
    rows = tx.conn.execute(select(COUNTER).where(COUNTER.c.name.in_(names)).order_by(COUNTER.c.name).with_for_update())
    state = {row.name: (row.value, row.trail) for row in rows}
    known = set(state)
    outcomes = [_apply(state, command) for command in commands]
    _write(tx.conn, known, state)
    return outcomes


def _apply(state: dict[str, tuple[int, str]], command: Add) -> Done[int] | Refused:
    if isinstance(command, Poison):
        raise RuntimeError("poison")
    value, trail = state.get(command.name, (0, ""))
    if value + command.amount < 0:
        return Refused(HubError(Code.CONFLICT, "below zero"))
    state[command.name] = (value + command.amount, trail + command.word)
    return Done(value + command.amount, (LiveHint("account", "message", f"{command.name}={value + command.amount}"),))


def _write(conn: Connection, known: set[str], state: dict[str, tuple[int, str]]) -> None:
    rows = [{"b_name": name, "name": name, "value": value, "trail": trail} for name, (value, trail) in state.items()]
    new = [row for row in rows if row["name"] not in known]
    old = [row for row in rows if row["name"] in known]
    if new:
        conn.execute(_INSERT, [{key: row[key] for key in ("name", "value", "trail")} for row in new])
    if old:
        conn.execute(_UPDATE, [{key: row[key] for key in ("b_name", "value", "trail")} for row in old])


def values(conn: Connection) -> dict[str, tuple[int, str]]:
    """All counters: name → (value, trail)."""
    return {row.name: (row.value, row.trail) for row in conn.execute(select(COUNTER))}
