"""Columns of the tables: their types, keys and defaults, the same for both databases."""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, MetaData, Table, Text

metadata = MetaData()


def text_column(name: str, *, key: bool = False, null: bool = False) -> Column[str]:
    """Text."""
    return Column(name, Text, primary_key=key, nullable=null)


def number_column(name: str, *, key: bool = False) -> Column[int]:
    """A whole number; times are microseconds."""
    return Column(name, BigInteger, primary_key=key, nullable=False, autoincrement=False)


def later_text_column(name: str, value: str = "") -> Column[str]:
    """Text that came after the first schema; `value` in older rows."""
    return Column(name, Text, nullable=False, server_default=value)


def later_number_column(name: str, value: int = 0) -> Column[int]:
    """A number that came after the first schema; `value` in older rows."""
    return Column(name, BigInteger, nullable=False, server_default=str(value))


def bytes_column(name: str, *, key: bool = False) -> Column[bytes]:
    """Bytes."""
    return Column(name, LargeBinary, primary_key=key, nullable=False)


def owned_table(name: str, *columns: Column[str] | Column[int] | Column[bytes] | Index) -> Table:
    """A table of an organization: its key starts with the organization's."""
    return Table(name, metadata, text_column("organization_id", key=True), *columns, sqlite_with_rowid=False)
