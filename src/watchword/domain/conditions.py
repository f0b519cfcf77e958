"""Conditions: the language of a step's `if`, and the patterns of its `branches`.

A condition compares variables of the build with values:
`build.branch == "main" && build.message !~ /skip ci/i`. It is checked when it is read, so that a variable
that does not exist, or a number compared with a text, is found before any build: reading asks only for the
text, and `Condition.holds` for the variables. Regular expressions are those of `domain.patterns`, in bounded
time; each condition has one budget for all of its matches.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from watchword.domain.conditionkinds import Kind, Scope, Term
from watchword.domain.conditionreading import Parser
from watchword.domain.patterns import Budget


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that has been read.

    Attributes:
        text: as written.
    """

    text: str
    _term: Term

    def holds(self, variables: Mapping[str, object]) -> bool:
        """Whether the condition holds.

        Args:
            variables: by name, such as `build.branch`; texts, whole numbers, booleans, lists of texts, None.
                One that is missing is null. `build.env` is a mapping of variables to texts.

        Raises:
            Invalid: a regular expression takes too long on its text.
        """
        return self._term.value(Scope(variables, Budget())) is True


def compile_condition(text: str) -> Condition:
    """Read a condition.

    Raises:
        Invalid: it cannot be read, names an unknown variable, compares what never is equal, or its value is
            neither true nor false; the message names the place.
    """
    parser = Parser(text)
    term = parser.choice(0)
    parser.expect_end()
    parser.demand(term, Kind.BOOLEAN, "a condition is")
    return Condition(text, term)


def branch_matches(patterns: str, branch: str) -> bool:
    """Whether a branch is one that `branches` names.

    Patterns stand apart by spaces; `*` is any run of characters, `!` in front turns a pattern. Where there
    are patterns without `!`, one of them must match; those with it must all not match.
    """
    words = patterns.split()
    wanted = [word for word in words if not word.startswith("!")]
    unwanted = [word[1:] for word in words if word.startswith("!")]
    if any(_glob(word, branch) for word in unwanted):
        return False
    return not wanted or any(_glob(word, branch) for word in wanted)


def _glob(pattern: str, text: str) -> bool:
    """Whether a text matches a pattern in which `*` is any run of characters; in one pass."""
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == text
    if not text.startswith(first) or len(text) < len(first) + len(rest[-1]) or not text.endswith(rest[-1]):
        return False
    at, end = len(first), len(text) - len(rest[-1])
    for part in rest[:-1]:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True
