"""Rows of a MySQL or MariaDB dump, as `mysqldump` and `mariadb-dump` write it: read line by line, so that its size does not matter.

https://dev.mysql.com/doc/refman/8.4/en/mysqldump.html; string escapes: https://dev.mysql.com/doc/refman/8.4/en/string-literals.html
"""

from __future__ import annotations

import gzip
import io
import re
from collections.abc import Collection, Generator, Iterator
from pathlib import Path
from typing import BinaryIO, TextIO, TypeAlias

from hub.core.progress import Step, Tell, unheard

Row: TypeAlias = dict[str, str | None]
"""Column → value as text; None for NULL."""

_CREATE = re.compile(r"CREATE TABLE (?:IF NOT EXISTS )?`((?:[^`]|``)+)` \(", re.IGNORECASE)
_COLUMN = re.compile(r"\s*`((?:[^`]|``)+)` ")
_INSERT = re.compile(
    r"(?:INSERT|REPLACE)(?: IGNORE)? INTO `((?:[^`]|``)+)`\s*(?:\(([^)]*)\)\s*)?VALUES\s*", re.IGNORECASE
)
_VALUE = re.compile(
    r"\s*(?:(?P<null>NULL)|(?:_[a-z0-9]+\s*)?'(?P<text>(?:[^'\\]|\\.|'')*)'|0x(?P<hex>[0-9A-Fa-f]*)|(?P<plain>[^\s',()]+))"
    r"\s*(?P<end>[,)])",
    re.DOTALL | re.IGNORECASE,
)
_ESCAPE = re.compile(r"\\(.)|''", re.DOTALL)
_ESCAPED = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a"}
_GZIP = b"\x1f\x8b"
TOLD_BYTES = 1 << 20
READING = "Reading the dump"


class BadDump(ValueError):
    """A file that is no such dump, or was cut off; its sentence names the line."""


def rows_of_dump(path: Path, tables: Collection[str], tell: Tell = unheard) -> Iterator[tuple[str, Row]]:
    """Every row of these tables, in the order of the file. Raises BadDump, and OSError for a file that cannot be read.

    It tells how much of the file, packed or not, has been read.
    """
    with path.open("rb") as file, _lines(file) as lines:
        yield from _rows(_told(lines, file, path.stat().st_size, tell), tables)


def _told(lines: TextIO, file: BinaryIO, total: int, tell: Tell) -> Iterator[str]:
    """The lines, telling of each MiB of the file that is behind them."""
    told = 0
    for line in lines:
        if (at := file.tell()) >= told + TOLD_BYTES:
            told = at
            tell(Step(READING, at, total, "bytes"))
        yield line
    if total:
        tell(Step(READING, total, total, "bytes"))


def _lines(file: BinaryIO) -> TextIO:
    is_packed = file.read(2) == _GZIP
    file.seek(0)
    unpacked = io.BufferedReader(gzip.GzipFile(fileobj=file)) if is_packed else file
    return io.TextIOWrapper(unpacked, encoding="utf-8", errors="replace", newline="\n")


def _rows(lines: Iterator[str], tables: Collection[str]) -> Iterator[tuple[str, Row]]:
    columns: dict[str, list[str]] = {}
    creating: str | None = None
    inserting: tuple[str, list[str]] | None = None
    for number, line in enumerate(lines, 1):
        if inserting is not None:
            inserting = yield from _values(line, 0, inserting, number)
        elif match := _INSERT.match(line):
            table = match[1].replace("``", "`")
            if table in tables:
                named = [name.strip().strip("`") for name in match[2].split(",")] if match[2] else columns.get(table)
                if named is None:
                    raise BadDump(f"Line {number} fills the table {table}, which the dump does not describe before.")
                inserting = yield from _values(line, match.end(), (table, named), number)
        elif match := _CREATE.match(line):
            creating = match[1].replace("``", "`")
            columns[creating] = []
        elif creating is not None:
            if match := _COLUMN.match(line):
                columns[creating].append(match[1].replace("``", "`"))
            elif line.startswith(")"):
                creating = None
    if inserting is not None:
        raise BadDump(f"The dump ends in the middle of the table {inserting[0]}: it was cut off.")


def _values(
    line: str, at: int, into: tuple[str, list[str]], number: int
) -> Generator[tuple[str, Row], None, tuple[str, list[str]] | None]:
    """The rows of one line; returns what the next line goes on with, None when the statement ended."""
    table, columns = into
    while True:
        while at < len(line) and line[at] in " ,\r\n\t":
            at += 1
        if at >= len(line):
            return into
        if line[at] == ";":
            return None
        if line[at] != "(":
            raise BadDump(f"Line {number} is no row of the table {table}.")
        values, at = _tuple(line, at + 1, table, number)
        if len(values) != len(columns):
            raise BadDump(f"Line {number} has a row of {len(values)} values for the {len(columns)} columns of {table}.")
        yield table, dict(zip(columns, values, strict=True))


def _tuple(line: str, at: int, table: str, number: int) -> tuple[list[str | None], int]:
    values: list[str | None] = []
    while True:
        match = _VALUE.match(line, at)
        if match is None:
            raise BadDump(f"Line {number} has a value of the table {table} that cannot be read; was the dump cut off?")
        values.append(_value(match))
        at = match.end()
        if match["end"] == ")":
            return values, at


def _value(match: re.Match[str]) -> str | None:
    if match["null"] is not None:
        return None
    if match["text"] is not None:
        return _ESCAPE.sub(lambda found: "'" if found[1] is None else _ESCAPED.get(found[1], found[1]), match["text"])
    if match["hex"] is not None:
        return bytes.fromhex(match["hex"]).decode("utf-8", "replace")
    return match["plain"]
