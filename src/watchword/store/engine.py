"""Statements: written once with SQLAlchemy Core, compiled once per dialect, run on the driver itself."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, Protocol

from sqlalchemy import (
    ClauseElement,
    ColumnElement,
    Table,
    Text,
    bindparam,
    cast,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.compiler import SQLCompiler

Row = Sequence[Any]


def one_of(column: ColumnElement[str], values: Sequence[str]) -> ColumnElement[bool]:
    """`column IN (…)` for values that are known when the statement is written.

    SQLAlchemy's own lists are rendered at each execution; our statements are compiled once. The values
    stand in the text, so that a plan that is kept for all executions knows how rare they are.
    """
    return or_(*(column == literal_column("'" + value.replace("'", "''") + "'", Text) for value in values))


def in_list(column: ColumnElement[Any], name: str, dialect: str) -> ColumnElement[bool]:
    """Whether a column is in the JSON list of texts that a parameter holds."""
    given = bindparam(name, type_=Text)
    if dialect == "postgresql":
        rows = func.jsonb_array_elements_text(cast(given, JSONB)).table_valued("value", name=name)
    else:
        rows = func.json_each(given).table_valued("value", name=name)
    return column.in_(select(rows.c.value))


def pattern(text: str, *, begins: bool = False, anywhere: bool = False) -> str:
    r"""A pattern of LIKE, with `\` to escape: a text that stands there whole, at the beginning, or anywhere.

    What patterns mean by some characters is taken from them; an empty text makes `%`, which fits all.
    """
    if not text:
        return "%"
    for character in "\\%_":
        text = text.replace(character, f"\\{character}")
    return f"{'%' if anywhere else ''}{text}{'%' if begins or anywhere else ''}"


Clause = ClauseElement | Callable[[str], ClauseElement]


class Statement:
    """A statement and its compiled forms.

    Args:
        clause: the statement, or a function that makes it for a dialect by name.
    """

    __slots__ = ("_clause", "_compiled")

    def __init__(self, clause: Clause) -> None:
        self._clause = clause
        self._compiled: dict[str, tuple[str, tuple[str, ...], Mapping[str, Any]]] = {}

    def clause(self, dialect: str) -> ClauseElement:
        """The statement for a dialect by name."""
        return self._clause if isinstance(self._clause, ClauseElement) else self._clause(dialect)

    def compiled(self, dialect: Dialect) -> tuple[str, tuple[str, ...], Mapping[str, Any]]:
        """SQL text, names of its positional parameters in order, and values fixed in the statement."""
        found = self._compiled.get(dialect.name)
        if found is None:
            compiled = self.clause(dialect.name).compile(dialect=dialect)
            if not isinstance(compiled, SQLCompiler):
                raise TypeError("a statement is a query or a write, no definition")
            names = tuple(compiled.positiontup or ())
            fixed = {name: value for name, value in compiled.params.items() if value is not None}
            found = self._compiled[dialect.name] = (str(compiled), names, fixed)
        return found


def upsert(table: Table, add: Sequence[str], replace: Sequence[str]) -> Statement:
    """Insert a row of the table; where its key is taken, add to some columns and replace others."""

    def clause(dialect: str) -> ClauseElement:
        module = import_module(f"sqlalchemy.dialects.{dialect}")
        made = module.insert(table)
        new = made.excluded
        changes = {name: table.c[name] + new[name] for name in add} | {name: new[name] for name in replace}
        clause: ClauseElement = made.on_conflict_do_update(
            index_elements=[column.name for column in table.primary_key], set_=changes
        )
        return clause

    return Statement(clause)


def insert_missing(table: Table) -> Statement:
    """Insert a row of the table; where one of its unique values is taken, touch nothing: no row."""

    def clause(dialect: str) -> ClauseElement:
        module = import_module(f"sqlalchemy.dialects.{dialect}")
        clause: ClauseElement = module.insert(table).on_conflict_do_nothing()
        return clause

    return Statement(clause)


class Connection(Protocol):
    """What a repository needs of a database connection inside a unit of work."""

    async def run(self, statement: Statement, parameters: Mapping[str, Any]) -> int:
        """Execute; the number of rows it touched."""

    async def run_many(self, statement: Statement, rows: Sequence[Mapping[str, Any]]) -> None:
        """Execute once for each row of parameters."""

    async def one(self, statement: Statement, parameters: Mapping[str, Any]) -> Row | None:
        """The first row, or None."""

    async def all(self, statement: Statement, parameters: Mapping[str, Any]) -> list[Row]:
        """All rows."""
