"""A list as one bound parameter: the same statement, prepared once, whatever the length of the list.

`IN (?, ?, …)` is another statement for each length, and PostgreSQL plans each of them anew. SQLite reads the list as JSON,
PostgreSQL as an array.
"""

from collections.abc import Sequence
from json.encoder import encode_basestring_ascii
from typing import Any, Self

from sqlalchemy import Boolean, Text, bindparam
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import BindParameter, ColumnElement
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.operators import OperatorType
from sqlalchemy.types import TypeDecorator, TypeEngine


def json_list(values: Sequence[str]) -> str:
    """Texts as one JSON list, in ASCII. `json.dumps` makes an encoder for each list, which costs more than most lists."""
    return f"[{','.join(map(encode_basestring_ascii, values))}]"


class TextArray(TypeDecorator[Sequence[str]]):
    """A list of texts: JSON on SQLite, `text[]` on PostgreSQL."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return ARRAY(Text()) if dialect.name == "postgresql" else Text()

    def process_bind_param(self, value: Sequence[str] | None, dialect: Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return value if value is None else list(value)
        return json_list(value)


def texts(name: str) -> BindParameter[Sequence[str]]:
    """A bound parameter that takes a list of texts."""
    return bindparam(name, type_=TextArray())


class one_of(FunctionElement[bool]):
    """`one_of(column, texts("ids"))`: whether the column's value is in the list."""

    name = "one_of"
    type = Boolean()
    inherit_cache = True

    def __init__(self, column: ColumnElement[Any], values: BindParameter[Sequence[str]]) -> None:
        super().__init__(column, values)

    def self_group(self, against: OperatorType | None = None) -> Self:
        """Stands in a condition as it is.

        SQLAlchemy writes a function that gives a truth value as `… = 1` for SQLite, which has no such type. SQLite would then look
        the list up for every row of the table, instead of looking the rows up by the list.
        """
        return self


@compiles(one_of, "sqlite")
def _one_of_sqlite(element: one_of, compiler: SQLCompiler, **kw: Any) -> str:
    column, values = element.clauses
    return f"{compiler.process(column, **kw)} IN (SELECT value FROM json_each({compiler.process(values, **kw)}))"


@compiles(one_of, "postgresql")
def _one_of_postgresql(element: one_of, compiler: SQLCompiler, **kw: Any) -> str:
    column, values = element.clauses
    return f"{compiler.process(column, **kw)} = ANY ({compiler.process(values, **kw)})"
