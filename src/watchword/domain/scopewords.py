"""Scopes in words for people: what each opens, by the table that enforces it, and several together."""

from collections.abc import Collection
from dataclasses import dataclass

from watchword.domain.operations import OPERATIONS
from watchword.domain.scopes import GRAPHQL, INTROSPECT, REST_SCOPES

_VERBS = {"read": "Read", "write": "Write", "delete": "Delete"}
_DOES = {"read": "read", "write": "change", "delete": "delete"}


@dataclass(frozen=True, slots=True)
class ScopeRow:
    """One scope.

    Attributes:
        verb: `read`, `write` or `delete`.
        noun: what it is about, in words.
        label: the verb for a form.
        opens: titles of the operations that ask for it; none where this version has no such operation.
    """

    scope: str
    verb: str
    noun: str
    label: str
    opens: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ScopeGroup:
    """The scopes about one noun."""

    noun: str
    rows: tuple[ScopeRow, ...]


def opened_by(scope: str) -> tuple[str, ...]:
    """Titles of the operations that ask for a scope."""
    return tuple(operation.title for operation in OPERATIONS.values() if operation.scope == scope)


def _row(scope: str) -> ScopeRow:
    verb, _, noun = scope.partition("_")
    return ScopeRow(scope, verb, noun.replace("_", " "), _VERBS[verb], opened_by(scope))


def _groups() -> tuple[ScopeGroup, ...]:
    rows = [_row(scope) for scope in REST_SCOPES]
    nouns = sorted({row.noun for row in rows})
    return tuple(ScopeGroup(noun, tuple(row for row in rows if row.noun == noun)) for noun in nouns)


GROUPS: tuple[ScopeGroup, ...] = _groups()


def sentences(scopes: Collection[str]) -> list[str]:
    """What scopes open, in plain sentences' ends: `read everything`, `change agents and builds`."""
    found = []
    for verb, does in _DOES.items():
        every = [row for group in GROUPS for row in group.rows if row.verb == verb]
        held = [row.noun for row in every if row.scope in scopes]
        if held:
            found.append(f"{does} {'everything' if len(held) == len(every) else listed(held)}")
    if GRAPHQL in scopes:
        found.append("use GraphQL for whatever you may do")
    if INTROSPECT in scopes:
        found.append("ask what presented tokens may do")
    return found or ["see what it is itself, and nothing else"]


def listed(words: Collection[str]) -> str:
    """Words as a sentence lists them: `agents, builds and clusters`."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def plainly(scopes: Collection[str], places: Collection[str], *, anywhere: bool, until: str) -> str:
    """A token in one plain sentence.

    Args:
        scopes: what it opens.
        places: names of the organizations that it reaches.
        anywhere: whether it may be used from any address.
        until: how long, as `for 7 days` or `until 2030-01-31 12:00:00 UTC`.
    """
    where = f" in {listed(places)}" if places else ""
    return (
        f"It may {'; '.join(sentences(scopes))}{where}, "
        f"from {'anywhere' if anywhere else 'some networks alone'}, {until}."
    )
