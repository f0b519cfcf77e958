"""Statements: written once with SQLAlchemy Core, compiled once per dialect, run on the driver itself."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import ClauseElement, ColumnElement, or_
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.compiler import SQLCompiler

Row = Sequence[Any]


def one_of(column: ColumnElement[str], values: Sequence[str]) -> ColumnElement[bool]:
    """`column IN (…)` for values that are known when the statement is written.

    SQLAlchemy's own lists are rendered at each execution; our statements are compiled once.
    """
    return or_(*(column == value for value in values))


class Statement:
    """A statement and its compiled forms."""

    __slots__ = ("_clause", "_compiled")

    def __init__(self, clause: ClauseElement) -> None:
        self._clause = clause
        self._compiled: dict[str, tuple[str, tuple[str, ...], Mapping[str, Any]]] = {}

    def compiled(self, dialect: Dialect) -> tuple[str, tuple[str, ...], Mapping[str, Any]]:
        """SQL text, names of its positional parameters in order, and values fixed in the statement."""
        found = self._compiled.get(dialect.name)
        if found is None:
            compiled = self._clause.compile(dialect=dialect)
            if not isinstance(compiled, SQLCompiler):
                raise TypeError("a statement is a query or a write, no definition")
            names = tuple(compiled.positiontup or ())
            fixed = {name: value for name, value in compiled.params.items() if value is not None}
            found = self._compiled[dialect.name] = (str(compiled), names, fixed)
        return found


class Connection(Protocol):
    """What a repository needs of a database connection inside a unit of work."""

    async def run(self, statement: Statement, parameters: Mapping[str, Any]) -> int:
        """Execute; the number of rows it touched."""

    async def one(self, statement: Statement, parameters: Mapping[str, Any]) -> Row | None:
        """The first row, or None."""

    async def all(self, statement: Statement, parameters: Mapping[str, Any]) -> list[Row]:
        """All rows."""
