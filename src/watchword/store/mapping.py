"""Mapping between records (frozen dataclasses) and rows: the codec of each column follows its type."""

import dataclasses
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from operator import attrgetter
from typing import Any, Generic, TypeVar, Union, get_origin, get_type_hints

import msgspec
from sqlalchemy import Column, Table

R = TypeVar("R")
Encode = Callable[[Any], Any]
Decode = Callable[[Any], Any]


def _same(value: Any) -> Any:
    return value


def _dump(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _tuple(text: str) -> tuple[str, ...]:
    return tuple(msgspec.json.decode(text)) if text != "[]" else ()


def _intern(text: str | None) -> str | None:
    return sys.intern(text) if text is not None else None


_REMEMBERED = 4096
# Few values in many records that stay in memory: one copy of each will do.
_SHARED = ("organization_id", "cluster_id")


def _codec(hint: Any) -> tuple[Encode, Decode]:
    """Encoder and decoder for one type of field."""
    if dataclasses.is_dataclass(hint):  # a record inside a record, kept as JSON
        # The same steps are read at every end of a job; records cannot be changed, so one will do for all.
        return _dump, lru_cache(maxsize=_REMEMBERED)(msgspec.json.Decoder(hint).decode)
    return _plain_codec(hint)


def _plain_codec(hint: Any) -> tuple[Encode, Decode]:
    origin = get_origin(hint)
    if origin is Union or origin is types.UnionType:
        return _same, _same  # optional ids: text or None
    if origin is tuple:
        return _dump, _tuple
    if origin is not None and issubclass(origin, Mapping):
        return (lambda value: _dump(dict(value))), msgspec.json.decode
    if hint is bool:
        return int, bool
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return (lambda value: value.value), {each.value: each for each in hint}.__getitem__
    return _same, _same


class Mapper(Generic[R]):
    """One record class and the table that keeps it; columns have the names of the fields."""

    def __init__(self, table: Table, record: type[R]) -> None:
        hints = get_type_hints(record)
        fields = [field.name for field in dataclasses.fields(record)]  # type: ignore[arg-type]
        self.table = table
        self.columns: list[Column[Any]] = [table.c[name] for name in fields]
        self._record = record
        codecs = [(_same, _intern) if name in _SHARED else _codec(hints[name]) for name in fields]
        self._names = tuple(fields)
        self._values = attrgetter(*fields)
        self._encoders = [(at, encode) for at, (encode, _) in enumerate(codecs) if encode is not _same]
        self._decoders = [(at, decode) for at, (_, decode) in enumerate(codecs) if decode is not _same]

    def encode(self, record: R) -> dict[str, Any]:
        """Parameters for an insert or update of the whole record."""
        values = list(self._values(record))
        for at, encode in self._encoders:
            values[at] = encode(values[at])
        return dict(zip(self._names, values, strict=True))

    def decode(self, row: Sequence[Any]) -> R:
        """The record of a row that was selected by `columns`."""
        values = list(row)
        for at, decode in self._decoders:
            values[at] = decode(values[at])
        return self._record(*values)
