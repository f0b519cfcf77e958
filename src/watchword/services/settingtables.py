"""Settings that are lists of tables, in a file as TOML and in a variable as JSON."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from watchword.domain.errors import Invalid

E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")
_MAX_FILE = 16 * 1024


def unfit(setting: str, what: str) -> Invalid:
    """A setting that cannot be used; `what` holds no value, because one may be secret."""
    return Invalid(f"{setting} {what}", code="invalid_setting")


def tables_of(setting: str, given: object, made: type[T]) -> "list[SettingTable | T]":
    """The tables of a setting; what was made of one before passes as it is.

    Raises:
        Invalid: it is no list of tables.
    """
    if isinstance(given, str):
        try:
            given = json.loads(given or "[]")
        except ValueError:
            given = None
    if not isinstance(given, Sequence) or not all(isinstance(one, Mapping | made) for one in given):
        raise unfit(setting, "takes a list of tables, in a variable as JSON")
    return [one if isinstance(one, made) else SettingTable(setting, one) for one in given]


@dataclass(frozen=True, slots=True)
class SettingTable:
    """One table of a setting."""

    setting: str
    table: Mapping[str, Any]

    def unfit(self, what: str) -> Invalid:
        """This setting cannot be used, and why."""
        return unfit(self.setting, what)

    def require_known(self, names: Collection[str]) -> None:
        """Require that the table has no other names.

        Raises:
            Invalid: it has one; those that it may have are told.
        """
        for name in self.table:
            if name not in names:
                raise self.unfit(f"has no {name!r}; it has {', '.join(sorted(names))}")

    def get(self, name: str, default: object) -> object:
        """What stands under a name, whatever it is."""
        return self.table.get(name, default)

    def text(self, name: str) -> str:
        """A text without the space around it; empty where there is none.

        Raises:
            Invalid: something else stands there.
        """
        value = self.table.get(name, "")
        if not isinstance(value, str):
            raise self.unfit(f"takes text as {name}")
        return value.strip()

    def text_or_file(self, name: str) -> str:
        """A text, or the content of the file that `NAME_file` names instead.

        Raises:
            Invalid: it is no text, or the file cannot be read.
        """
        path = self.text(f"{name}_file")
        if not path:
            return self.text(name)
        try:
            with Path(path).open(encoding="utf-8") as file:
                return file.read(_MAX_FILE).strip()
        except (OSError, ValueError):
            raise self.unfit(f"cannot read the {name}_file {path}") from None

    def choice(self, kind: type[E], name: str, default: E | None = None) -> E:
        """One of the words of a kind.

        Raises:
            Invalid: it is none of them.
        """
        text = self.text(name)
        if not text and default is not None:
            return default
        if text not in set(kind):
            raise self.unfit(f"takes as {name} one of {', '.join(kind)}")
        return kind(text)
