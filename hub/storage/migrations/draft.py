"""Draft a migration.

    python -m hub.storage.migrations.draft            print what a new migration has to do to reach the program's tables
    python -m hub.storage.migrations.draft --first    write the first migration anew (only before the first release)

A draft is a start: read it, move data where a change needs it, and run the tests, which compare migrations and tables on
both databases. It is compared on SQLite, which cannot tell whether an index over an expression changed; what only
PostgreSQL knows stands in a migration by hand.
"""

import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterable
from pathlib import Path

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext
from alembic.operations.ops import CreateIndexOp, CreateTableOp, MigrateOperation, UpgradeOps
from sqlalchemy import Index, Table, TextClause

from hub.storage.connect import open_engine
from hub.storage.migrate import DIRECTORY, migrate
from hub.storage.schema import METADATA

FIRST = DIRECTORY / "versions" / "0001_first.py"
SPELLED_OUT = "sa.Text().with_variant(sa.Text(collation='C'), 'postgresql')"
BELOW = "# From here on: written by hub/storage/migrations/draft.py.\n"


def changes() -> str:
    """What separates the newest migration from the tables."""
    with tempfile.TemporaryDirectory() as directory, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        url = f"sqlite:///{Path(directory) / 'draft.db'}"
        migrate(url)
        with open_engine(url, "write").connect() as connection:
            context = MigrationContext.configure(connection, opts={"include_object": _is_comparable})
            found = produce_migrations(context, METADATA).upgrade_ops
    return _code(found or UpgradeOps([]))


def write_first() -> None:
    """One function per table, in an order that foreign keys allow, below what was written by hand."""
    tables = METADATA.sorted_tables
    by_hand = FIRST.read_text().partition(BELOW)[0]
    functions = "".join(f"\n\ndef _{table.name}() -> None:\n{_indented(_code(_creation(table)))}" for table in tables)
    listed = "\n\nCREATE = (" + ", ".join(f"_{table.name}" for table in tables) + ")\n"
    FIRST.write_text(by_hand + BELOW + functions + listed)
    subprocess.run([sys.executable, "-m", "ruff", "format", "-q", FIRST], check=True)


def _creation(table: Table) -> UpgradeOps:
    ops: list[MigrateOperation] = [CreateTableOp.from_table(table)]
    ops += [CreateIndexOp.from_index(index) for index in sorted(table.indexes, key=lambda index: str(index.name))]
    return UpgradeOps(ops)


def _is_comparable(item: object, _name: str | None, _kind: str, _is_reflected: bool, compared_to: object) -> bool:
    """Not an index over an expression: what SQLite tells of one is not comparable."""
    return not any(
        isinstance(index, Index) and any(isinstance(part, TextClause) for part in index.expressions)
        for index in (item, compared_to)
    )


def _code(ops: UpgradeOps) -> str:
    return "\n".join(_without_comments(render_python_code(ops).replace(SPELLED_OUT, "TEXT").splitlines()))


def _without_comments(lines: Iterable[str]) -> Iterable[str]:
    return (line for line in lines if not line.lstrip().startswith("#"))


def _indented(code: str) -> str:
    return "".join(f"    {line.strip()}\n" for line in code.splitlines())


if __name__ == "__main__":
    if "--first" in sys.argv[1:]:
        write_first()
    else:
        print(changes())
