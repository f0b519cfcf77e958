"""Reading regular expressions: from text to nodes. Classes and escapes are those of RE2, in ASCII."""

import re
from dataclasses import dataclass
from enum import Enum
from typing import NoReturn, Union

from watchword.domain.errors import Invalid

MAX_PATTERN = 1000
MAX_NESTING = 30
MAX_REPEATS = 1000
_LAST = 0x10FFFF

Range = tuple[int, int]


class Assertion(Enum):
    """A place in the text; it takes no character."""

    START = "^"
    END = "$"
    BOUNDARY = "\\b"
    NO_BOUNDARY = "\\B"


@dataclass(frozen=True, slots=True)
class Chars:
    """One character out of some.

    Attributes:
        ranges: code points, both ends among them.
        ignore_case: take a letter in either case.
        inverted: one that is not among them.
    """

    ranges: tuple[Range, ...]
    ignore_case: bool = False
    inverted: bool = False

    def holds(self, char: str) -> bool:
        """Whether a character is one of these."""
        forms = {char, char.lower(), char.upper()} if self.ignore_case else {char}
        points = [ord(form) for form in forms if len(form) == 1]
        return any(low <= point <= high for point in points for low, high in self.ranges) is not self.inverted


@dataclass(frozen=True, slots=True)
class Parts:
    """One part after the other."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Ways:
    """One of several."""

    ways: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """A part, again and again; `most` is None where there is no bound."""

    what: "Node"
    least: int
    most: int | None


Node = Union[Chars, Assertion, Parts, Ways, Repeat]  # noqa: UP007 - names that are defined later

_DIGITS: tuple[Range, ...] = ((0x30, 0x39),)
_WORD: tuple[Range, ...] = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
_SPACES: tuple[Range, ...] = ((0x09, 0x0A), (0x0C, 0x0D), (0x20, 0x20))
_CLASSES = {"d": _DIGITS, "w": _WORD, "s": _SPACES}
_NAMED: dict[str, tuple[Range, ...]] = {
    "alnum": ((0x30, 0x39), (0x41, 0x5A), (0x61, 0x7A)),
    "alpha": ((0x41, 0x5A), (0x61, 0x7A)),
    "ascii": ((0, 0x7F),),
    "blank": ((0x09, 0x09), (0x20, 0x20)),
    "cntrl": ((0, 0x1F), (0x7F, 0x7F)),
    "digit": _DIGITS,
    "graph": ((0x21, 0x7E),),
    "lower": ((0x61, 0x7A),),
    "print": ((0x20, 0x7E),),
    "punct": ((0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E)),
    "space": ((0x09, 0x0D), (0x20, 0x20)),
    "upper": ((0x41, 0x5A),),
    "word": _WORD,
    "xdigit": ((0x30, 0x39), (0x41, 0x46), (0x61, 0x66)),
}
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a", "e": "\x1b"}
_PLACES = {
    "A": Assertion.START,
    "z": Assertion.END,
    "Z": Assertion.END,
    "b": Assertion.BOUNDARY,
    "B": Assertion.NO_BOUNDARY,
}
_UNBOUNDED = {
    "(?=": "looking ahead",
    "(?!": "looking ahead",
    "(?<=": "looking behind",
    "(?<!": "looking behind",
    "(?>": "atomic groups",
    "(?P<": "named groups",
    "(?<": "named groups",
    "(?'": "named groups",
    "(?(": "conditions",
}
_COUNTS = re.compile(r"\{(\d{1,4})(?:(,)(\d{1,4})?)?\}")
_HEX = re.compile(r"x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]{1,6})\})")
_NAME = re.compile(r"\[:(\^?)([a-z]+):\]")


def read_pattern(text: str, *, ignore_case: bool = False) -> Node:
    """Read a regular expression.

    Raises:
        Invalid: it is none, is too long, or asks for what cannot be bounded.
    """
    if len(text) > MAX_PATTERN:
        raise Invalid(
            f"A regular expression takes at most {MAX_PATTERN} characters, not {len(text)}.",
            code="invalid_pattern",
        )
    reader = _Reader(text, ignore_case=ignore_case)
    node = reader.ways(0)
    if reader.at < len(text):
        reader.refuse("a closing parenthesis without an opening one")
    return node


class _Reader:
    """A place in the text of a pattern."""

    def __init__(self, text: str, *, ignore_case: bool) -> None:
        self.text = text
        self.at = 0
        self.ignore_case = ignore_case

    def refuse(self, problem: str) -> NoReturn:
        """Refuse the pattern, with the place."""
        raise Invalid(
            f"The regular expression /{self.text}/ has {problem} at character {self.at + 1}.",
            code="invalid_pattern",
        )

    def peek(self) -> str:
        """Next character; empty at the end."""
        return self.text[self.at : self.at + 1]

    def take(self, word: str) -> bool:
        """Whether a word comes next; it is then behind."""
        found = self.text.startswith(word, self.at)
        self.at += len(word) if found else 0
        return found

    def ways(self, depth: int) -> Node:
        """Read alternatives."""
        if depth > MAX_NESTING:
            self.refuse(f"groups nested more than {MAX_NESTING} deep")
        found = [self.parts(depth)]
        while self.take("|"):
            found.append(self.parts(depth))
        return found[0] if len(found) == 1 else Ways(tuple(found))

    def parts(self, depth: int) -> Node:
        """Read what comes one after the other."""
        found: list[Node] = []
        while self.peek() not in ("", "|", ")"):
            node = self.part(depth)
            if node is not None:
                found.append(self.repeated(node))
        return found[0] if len(found) == 1 else Parts(tuple(found))

    def part(self, depth: int) -> Node | None:
        """Read one part; a comment and a switch are none."""
        if self.peek() == "(":
            return self.group(depth)
        char = self.peek()
        if char in "*+?" or _COUNTS.match(self.text, self.at):
            self.refuse("a repetition with nothing to repeat")
        self.at += 1
        if char == "[":
            return self.chars_of_class()
        if char == "\\":
            return self.escape()
        if char == ".":
            return Chars(((0x0A, 0x0A),), inverted=True)
        if char in "^$":
            return Assertion(char)
        return self.chars(char)

    def chars(self, char: str) -> Chars:
        """One character as it stands."""
        return Chars(((ord(char), ord(char)),), self.ignore_case)

    def group(self, depth: int) -> Node | None:
        """Read a group; it remembers nothing."""
        for word, name in _UNBOUNDED.items():
            if self.text.startswith(word, self.at):
                self.refuse(f"{word}, and {name} are not supported,")
        if self.take("(?#"):
            end = self.text.find(")", self.at)
            self.at = end + 1 if end >= 0 else self.refuse("a comment without an end")
            return None
        if self.take("(?i)"):
            self.ignore_case = True
            return None
        outside = self.ignore_case
        if self.take("(?i:"):
            self.ignore_case = True
        elif not self.take("(?:") and self.take("(") and self.peek() == "?":
            self.refuse("an unknown kind of group")
        node = self.ways(depth + 1)
        if not self.take(")"):
            self.refuse("a group without an end")
        self.ignore_case = outside
        return node

    def repeated(self, node: Node) -> Node:
        """Read repetitions of a node; a lazy one finds the same."""
        while True:
            counts = _COUNTS.match(self.text, self.at)
            if counts:
                self.at = counts.end()
                least = int(counts[1])
                most = int(counts[3]) if counts[3] else (None if counts[2] else least)
                self.check_counts(least, most)
            elif self.peek() and self.peek() in "*+?":
                least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}[self.peek()]
                self.at += 1
            else:
                return node
            if self.peek() == "+":
                self.refuse("a possessive repetition, which is not supported,")
            self.take("?")
            node = Repeat(node, least, most)

    def check_counts(self, least: int, most: int | None) -> None:
        """Refuse counts that are too large, or the wrong way round."""
        if max(least, most or 0) > MAX_REPEATS or (most is not None and most < least):
            self.refuse(f"a count over {MAX_REPEATS}, or a second one below the first,")

    def escape(self) -> Node:
        """Read what follows a backslash, outside a class."""
        place = _PLACES.get(self.peek())
        if place is not None:
            self.at += 1
            return place
        if self.peek().isdigit() and self.peek() != "0":
            self.refuse("a reference to a group, which is not supported,")
        ranges, inverted = self.escaped()
        single = len(ranges) == 1 and ranges[0][0] == ranges[0][1]
        return Chars(ranges, self.ignore_case and single, inverted)

    def escaped(self) -> tuple[tuple[Range, ...], bool]:
        """Read what follows a backslash: ranges, and whether they are inverted."""
        char = self.peek()
        if not char:
            self.refuse("a backslash at its end")
        code = _HEX.match(self.text, self.at)
        if code:
            self.at = code.end()
            point = int(code[1] or code[2], 16)
            if point > _LAST:
                self.refuse("a code that is no character")
            return ((point, point),), False
        self.at += 1
        if char.lower() in _CLASSES:
            return _CLASSES[char.lower()], char.isupper()
        if char.isascii() and char.isalnum() and char not in _LETTERS:
            self.refuse(f"\\{char}, which is not known,")
        point = ord(_LETTERS.get(char, char))
        return ((point, point),), False

    def chars_of_class(self) -> Chars:
        """Read a class, after its opening bracket."""
        inverted = self.take("^")
        ranges: list[Range] = []
        first = True
        while first or self.peek() != "]":
            if not self.peek():
                self.refuse("a class without an end")
            ranges.extend(self.class_item())
            first = False
        self.at += 1
        return Chars(tuple(ranges), self.ignore_case, inverted)

    def class_item(self) -> tuple[Range, ...]:
        """Read one item of a class: a named class, an escape, a character or a range."""
        named = _NAME.match(self.text, self.at)
        if named:
            if named[2] not in _NAMED:
                self.refuse(f"the class {named[2]}, which is not known,")
            self.at = named.end()
            return _inverted(_NAMED[named[2]]) if named[1] else _NAMED[named[2]]
        low, inverted = self.class_char()
        single = len(low) == 1 and low[0][0] == low[0][1] and not inverted
        if single and self.peek() == "-" and self.text[self.at + 1 : self.at + 2] not in ("]", ""):
            self.at += 1
            high, inverted = self.class_char()
            if inverted or len(high) != 1 or high[0][0] != high[0][1] or high[0][0] < low[0][0]:
                self.refuse("a range that is none")
            return ((low[0][0], high[0][0]),)
        return _inverted(low) if inverted else low

    def class_char(self) -> tuple[tuple[Range, ...], bool]:
        """Read one character or escape of a class."""
        if self.take("\\"):
            if self.take("b"):
                return ((0x08, 0x08),), False
            return self.escaped()
        point = ord(self.peek())
        self.at += 1
        return ((point, point),), False


def _inverted(ranges: tuple[Range, ...]) -> tuple[Range, ...]:
    """Ranges of all other characters."""
    found: list[Range] = []
    start = 0
    for low, high in sorted(ranges):
        if low > start:
            found.append((start, low - 1))
        start = max(start, high + 1)
    if start <= _LAST:
        found.append((start, _LAST))
    return tuple(found)
