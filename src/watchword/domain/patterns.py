"""Regular expressions whose time is bounded: no text makes a pattern run away.

The standard library's engine tries one way after the other, and a pattern such as `(a+)+$` makes it take
hours over thirty characters. Here all ways are followed at once, as sets of states that are remembered, so
that the work is at most the length of the text times that of the pattern, and a budget ends even that.
What such an engine cannot do (looking ahead or behind, repeating what a group found) is refused by name.
"""

from dataclasses import dataclass, field
from enum import Enum

from watchword.domain.errors import Invalid
from watchword.domain.patternreading import Assertion, Chars, Node, Parts, Repeat, Ways, read_pattern

MAX_STATES = 1000
# Moves that are remembered: each holds a set of states, so that they bound the memory of a match.
MAX_MOVES = 250
# Steps that one match, or all matches of one condition, may take: about a tenth of a second.
BUDGET = 200_000


class Side(Enum):
    """What stands beside a place in the text."""

    EDGE = "edge"
    WORD = "word"
    OTHER = "other"


@dataclass(slots=True)
class Budget:
    """Steps that are left.

    Attributes:
        left: how many.
    """

    left: int = BUDGET

    def spend(self, steps: int) -> None:
        """Take steps off.

        Raises:
            Invalid: there are not so many.
        """
        self.left -= steps
        if self.left < 0:
            raise Invalid(
                "A regular expression takes too long on its text; make it simpler.", code="costly_pattern"
            )


@dataclass(frozen=True, slots=True)
class _Take:
    """A state that takes one character."""

    chars: Chars
    following: int


@dataclass(frozen=True, slots=True)
class _Demand:
    """A state that takes nothing and asks for its surroundings."""

    what: Assertion
    following: int


@dataclass(slots=True)
class _Split:
    """A state that goes on in several ways at once."""

    ways: list[int]


_FOUND = 0


@dataclass(slots=True)
class Pattern:
    """A compiled regular expression; state 0 is the end.

    Attributes:
        states: all states.
        start: where it begins.
    """

    states: list[_Take | _Demand | _Split | None]
    start: int
    _moves: dict[tuple[frozenset[int], Side, str], frozenset[int] | None] = field(default_factory=dict)

    def found_in(self, text: str, budget: Budget) -> bool:
        """Whether it matches anywhere in a text.

        Raises:
            Invalid: the budget is used up.
        """
        places = frozenset((self.start,))
        before = Side.EDGE
        for char in text:
            budget.spend(1)
            following = self._move(places, before, char, budget)
            if following is None:
                return True
            places, before = following, _side(char)
        return _FOUND in self._reach(places, before, Side.EDGE, budget)

    def _move(self, places: frozenset[int], before: Side, char: str, budget: Budget) -> frozenset[int] | None:
        """Places after a character; None where a match has ended before it."""
        key = (places, before, char)
        if key not in self._moves:
            reached = self._reach(places, before, _side(char), budget)
            if len(self._moves) >= MAX_MOVES:
                self._moves.clear()
            self._moves[key] = None if _FOUND in reached else self._take(reached, char)
        return self._moves[key]

    def _take(self, reached: set[int], char: str) -> frozenset[int]:
        """Places behind the states that take a character; a match may also begin after it."""
        taken = (self.states[at] for at in reached)
        return frozenset(
            [state.following for state in taken if isinstance(state, _Take) and state.chars.holds(char)]
            + [self.start]
        )

    def _reach(self, places: frozenset[int], before: Side, after: Side, budget: Budget) -> set[int]:
        """Every state that is reached from some places without taking a character."""
        reached: set[int] = set()
        waiting = list(places)
        while waiting:
            at = waiting.pop()
            if at in reached:
                continue
            reached.add(at)
            state = self.states[at]
            if isinstance(state, _Split):
                waiting.extend(state.ways)
            elif isinstance(state, _Demand) and _holds(state.what, before, after):
                waiting.append(state.following)
        budget.spend(len(reached))
        return reached


def compile_pattern(text: str, *, ignore_case: bool = False) -> Pattern:
    """Compile a regular expression.

    Raises:
        Invalid: it is none, is too large, or asks for what cannot be bounded.
    """
    pattern = Pattern([None], _FOUND)
    pattern.start = _add(pattern, read_pattern(text, ignore_case=ignore_case), _FOUND)
    return pattern


def _put(pattern: Pattern, state: _Take | _Demand | _Split) -> int:
    """Add one state."""
    if len(pattern.states) >= MAX_STATES:
        raise Invalid(
            f"The regular expression is too large: it has more than {MAX_STATES} states.",
            code="invalid_pattern",
        )
    pattern.states.append(state)
    return len(pattern.states) - 1


def _add(pattern: Pattern, node: Node, following: int) -> int:
    """Add the states of a node, from its end to its beginning; return where it begins."""
    if isinstance(node, Chars):
        return _put(pattern, _Take(node, following))
    if isinstance(node, Assertion):
        return _put(pattern, _Demand(node, following))
    if isinstance(node, Ways):
        return _put(pattern, _Split([_add(pattern, way, following) for way in node.ways]))
    if isinstance(node, Parts):
        for part in reversed(node.parts):
            following = _add(pattern, part, following)
        return following
    return _add_repeat(pattern, node, following)


def _add_repeat(pattern: Pattern, node: Repeat, following: int) -> int:
    """Add a repetition: what is optional behind what is demanded."""
    at = following
    if node.most is None:
        again = _Split([following])
        at = _put(pattern, again)
        again.ways.append(_add(pattern, node.what, at))
    else:
        for _ in range(node.most - node.least):
            at = _put(pattern, _Split([_add(pattern, node.what, at), following]))
    for _ in range(node.least):
        at = _add(pattern, node.what, at)
    return at


def _side(char: str) -> Side:
    """What a character is for a word's boundary."""
    return Side.WORD if char == "_" or (char.isascii() and char.isalnum()) else Side.OTHER


def _holds(what: Assertion, before: Side, after: Side) -> bool:
    """Whether the surroundings are as asked."""
    if what is Assertion.START:
        return before is Side.EDGE
    if what is Assertion.END:
        return after is Side.EDGE
    boundary = (before is Side.WORD) is not (after is Side.WORD)
    return boundary if what is Assertion.BOUNDARY else not boundary
