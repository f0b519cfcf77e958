r"""Variables in pipeline documents: `$NAME` and `${NAME…}` are replaced before a document is uploaded.

| Written | Becomes |
|---|---|
| `$NAME`, `${NAME}` | the value; nothing where it is not set |
| `${NAME:-text}`, `${NAME-text}` | the text where it is not set, with `:` also where it is empty |
| `${NAME?text}`, `${NAME:?text}` | an error with the text, in the same cases |
| `${NAME:5}`, `${NAME:0:7}`, `${NAME: -7}` | a part: from, length; below zero they count from the end |
| `$$`, `\$` | `$` |

Texts after the operators are replaced in turn. `$(`, a `$` at the end, and one before anything but a letter
stay as they are, so that shell commands survive. Values are not looked into again.
"""

import re
from collections.abc import Mapping, MutableMapping
from typing import NoReturn

from watchword.domain.errors import Invalid
from watchword.domain.stepfields import scalar_text

MAX_NESTING = 30
MAX_RESULT = 4 * 1024 * 1024

# A name begins with a letter: `$_` and `$1` belong to the shell.
_NAME = re.compile(r"[^\W\d_]\w*")
_PLAIN = re.compile(r"[^$\\}]+")
_PLACE = re.compile(r"\s*([-+]?[0-9]{1,9})\s*")


def interpolate(text: str, variables: Mapping[str, str]) -> str:
    """Replace the variables of a text.

    Raises:
        Invalid: a brace is not closed or holds no name, a part is no number, or a variable that is
            demanded is not set.
    """
    reader = _Reader(text, variables)
    return reader.read(0)


def interpolate_document(
    document: object, variables: Mapping[str, str], *, prefer_given: bool = False
) -> object:
    """Replace the variables of every text of a decoded document, names of objects included.

    The variables of its own `env` come first, in order; they hold for those that follow and for the rest.
    Signatures stay as they are.

    Args:
        document: decoded YAML or JSON; it is not changed.
        variables: that are known.
        prefer_given: a known variable wins over one of the document's `env`, not the other way round.

    Raises:
        Invalid: a text cannot be interpolated; the message says where it stands.
    """
    known = dict(variables)
    if not isinstance(document, Mapping):
        return _walk(document, known, "", 0)
    own = document.get("env")
    replaced = _own_variables(own, known, prefer_given=prefer_given) if isinstance(own, Mapping) else own
    result: dict[str, object] = {}
    for key, part in document.items():
        if key == "env":
            result[key] = replaced
        else:
            name = _interpolated(str(key), known, "")
            result[name] = _walk(part, known, name, 0)
    return result


def _own_variables(
    own: Mapping[str, object], known: MutableMapping[str, str], *, prefer_given: bool
) -> dict[str, object]:
    """Replace the variables of `env`, and make them known."""
    result: dict[str, object] = {}
    for key, part in own.items():
        name = _interpolated(str(key), known, "env")
        text = scalar_text(part)
        if text is None:
            result[name] = part
            continue
        value = _interpolated(text, known, f"env.{name}")
        result[name] = value
        if not (prefer_given and name in known):
            known[name] = value
    return result


def _walk(value: object, known: Mapping[str, str], where: str, depth: int) -> object:
    """Replace the variables of a decoded value."""
    if depth > 2 * MAX_NESTING:
        raise Invalid(f"{where}: it is nested more than {2 * MAX_NESTING} deep.", code="invalid_pipeline")
    if isinstance(value, str):
        return _interpolated(value, known, where)
    if isinstance(value, Mapping):
        result: dict[str, object] = {}
        for key, part in value.items():
            name = _interpolated(str(key), known, where)
            inside = f"{where}.{name}" if where else name
            result[name] = part if key == "signature" else _walk(part, known, inside, depth + 1)
        return result
    if isinstance(value, list | tuple):
        return [_walk(part, known, f"{where}[{at}]", depth + 1) for at, part in enumerate(value, 1)]
    return value


def _interpolated(text: str, known: Mapping[str, str], where: str) -> str:
    """Replace the variables of a text that stands somewhere."""
    if "$" not in text:
        return text
    try:
        return interpolate(text, known)
    except Invalid as error:
        raise Invalid(f"{where}: {error.message}" if where else error.message, code=error.code) from None


class _Reader:
    """A place in a text, read from left to right."""

    def __init__(self, text: str, variables: Mapping[str, str]) -> None:
        self.text = text
        self.variables = variables
        self.at = 0
        self.made = 0
        self.idle = 0

    def refuse(self, problem: str) -> NoReturn:
        """Refuse the text, with the place."""
        near = self.text[max(self.at - 20, 0) : self.at + 10]
        raise Invalid(
            f"Variables cannot be replaced near `{near}`, character {self.at + 1}: {problem}",
            code="invalid_interpolation",
        )

    def take(self, word: str) -> bool:
        """Whether a word comes next; it is then behind."""
        found = self.text.startswith(word, self.at)
        self.at += len(word) if found else 0
        return found

    def read(self, depth: int) -> str:
        """Read to the end; inside braces to the one that closes them."""
        if depth > MAX_NESTING:
            self.refuse(f"braces are nested more than {MAX_NESTING} deep.")
        found: list[str] = []
        while self.at < len(self.text) and not (depth and self.text[self.at] == "}"):
            found.append(self.piece(depth))
            self.made += len(found[-1])
            if self.made > MAX_RESULT:
                self.refuse("the result is too long.")
        return "".join(found)

    def piece(self, depth: int) -> str:
        """Read an escape, a variable, or text up to the next of them."""
        # A backslash before another stays, and so does that: what follows is then not escaped.
        if self.take("\\\\"):
            return "\\\\"
        if self.take("\\$") or self.take("$$"):
            return "$"
        if self.take("$("):
            return "$("
        if self.take("$"):
            return self.variable(depth)
        plain = _PLAIN.match(self.text, self.at)
        end = plain.end() if plain else self.at + 1
        start, self.at = self.at, end
        return self.text[start:end]

    def variable(self, depth: int) -> str:
        """Read what follows a dollar."""
        if self.take("{"):
            return self.braces(depth)
        name = _NAME.match(self.text, self.at)
        if name is None:
            return "$"
        self.at = name.end()
        return self.variables.get(name[0], "")

    def braces(self, depth: int) -> str:
        """Read what stands in braces."""
        found = _NAME.match(self.text, self.at)
        if found is None:
            self.refuse("a name begins with a letter; write $$ for a dollar that stays.")
        self.at = found.end()
        value = self.operated(found[0], self.variables.get(found[0]), depth)
        if not self.take("}"):
            self.refuse("a brace is not closed.")
        return value

    def operated(self, name: str, value: str | None, depth: int) -> str:
        """Apply the operator behind a name."""
        if self.text.startswith("}", self.at):
            return value or ""
        colon = self.take(":")
        absent = value is None or (colon and not value)
        if self.take("-"):
            text = self.other(depth, needed=absent)
            return text if absent else value or ""
        if self.take("?"):
            text = self.other(depth, needed=absent)
            if absent and not self.idle:
                raise Invalid(f"${name}: {text or 'not set'}", code="variable_not_set")
            return value or ""
        if not colon:
            self.refuse("after a name comes one of } :- - ? :? : .")
        return self.part(value or "")

    def other(self, depth: int, *, needed: bool) -> str:
        """Read the text behind an operator; where it is not needed, it may demand what is not set."""
        self.idle += not needed
        text = self.read(depth + 1)
        self.idle -= not needed
        return text

    def part(self, value: str) -> str:
        """Read a place and a length, and cut the value; what is beyond its ends is left off."""
        start = self.number()
        start = max(start + len(value), 0) if start < 0 else start
        if not self.take(":"):
            return value[start:]
        length = self.number()
        return value[start : start + length] if length >= 0 else value[start : max(length + len(value), 0)]

    def number(self) -> int:
        """Read a number."""
        found = _PLACE.match(self.text, self.at)
        if found is None:
            self.refuse("a place or a length is a whole number.")
        self.at = found.end()
        return int(found[1])
