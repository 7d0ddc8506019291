"""Reads a query string into a Struct: strictly, and naming each parameter that does not fit.

Repeat a parameter to give several values (`?state=failed&state=expired`), as OpenAPI's default style says.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Generic, TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec import inspect

from hub.core.errors import Code, FieldError, HubError, invalid
from hub.core.text import is_storable
from hub.http import validation

QueryT = TypeVar("QueryT", bound=msgspec.Struct)
Convert = Callable[[str], object]

MOST_PARAMETERS = 64
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_TRUTH = {"true": True, "false": False}


class QueryReader(Generic[QueryT]):
    """Reads the query strings of one operation."""

    def __init__(self, shape: type[QueryT]) -> None:
        self._shape = shape
        info = inspect.type_info(shape)
        assert isinstance(info, inspect.StructType)
        self._lists = {item.encode_name for item in info.fields if _item_of(item.type) is not None}
        self._convert: dict[str, Convert] = {
            item.encode_name: _converter(_item_of(item.type) or item.type) for item in info.fields
        }

    def read(self, query_string: bytes) -> QueryT:
        """The parameters. Raises `validation`."""
        values: dict[str, object] = {}
        for name, text in _pairs(query_string) if query_string else ():
            convert = self._convert.get(name)
            if convert is None:
                raise invalid(name, "unknown", f"There is no query parameter {name!r} here; there is {self._known()}.")
            self._add(values, name, _converted(convert, name, text))
        try:
            return msgspec.convert(values, self._shape)
        except msgspec.ValidationError as error:
            raise validation(str(error)) from error

    def _add(self, values: dict[str, object], name: str, value: object) -> None:
        if name in self._lists:
            known = values.setdefault(name, [])
            assert isinstance(known, list)
            known.append(value)
        elif name in values:
            raise invalid(name, "repeated", f"Give {name} once.")
        else:
            values[name] = value

    def _known(self) -> str:
        return ", ".join(sorted(self._convert)) or "none"


def _pairs(query_string: bytes) -> list[tuple[str, str]]:
    try:
        pairs = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True, max_num_fields=MOST_PARAMETERS)
    except ValueError:
        raise HubError(Code.BAD_REQUEST, f"The query has more than {MOST_PARAMETERS} parameters.") from None
    for name, text in pairs:
        if not is_storable(text) or not is_storable(name):
            raise HubError(
                Code.VALIDATION, "The query holds a NUL character.", (FieldError("", "bad_text", "Leave out NUL."),)
            )
    return pairs


def _converted(convert: Convert, name: str, text: str) -> object:
    try:
        return convert(text)
    except ValueError as error:
        raise invalid(name, "wrong_type", f"{name}: {error}.") from None


def _item_of(kind: inspect.Type) -> inspect.Type | None:
    """What a list holds; None for anything else."""
    kind = _plain(kind)
    return _plain(kind.item_type) if isinstance(kind, inspect.ListType | inspect.VarTupleType) else None


def _plain(kind: inspect.Type) -> inspect.Type:
    """Without metadata, and without the null an absent parameter stands for."""
    if isinstance(kind, inspect.Metadata):
        return _plain(kind.type)
    if isinstance(kind, inspect.UnionType):
        others = [item for item in kind.types if not isinstance(item, inspect.NoneType)]
        return _plain(others[0])
    return kind


def _converter(kind: inspect.Type) -> Convert:
    match _plain(kind):
        case inspect.IntType():
            return _whole_number
        case inspect.FloatType():
            return _number
        case inspect.BoolType():
            return _truth
        case _:
            return str


def _whole_number(text: str) -> int:
    if not _WHOLE_NUMBER.fullmatch(text):
        raise ValueError("give a whole number")
    return int(text)


def _number(text: str) -> float:
    if not re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,15})?", text, re.ASCII):
        raise ValueError("give a number")
    return float(text)


def _truth(text: str) -> bool:
    if text not in _TRUTH:
        raise ValueError("give true or false")
    return _TRUTH[text]
