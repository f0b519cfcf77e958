"""Variables of conditions, and the kinds of values that they have."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Flag, auto

from watchword.domain.patterns import Budget, Pattern


class Kind(Flag):
    """Kinds of values. A variable may always be null as well."""

    TEXT = auto()
    NUMBER = auto()
    BOOLEAN = auto()
    LIST = auto()
    NULL = auto()
    PATTERN = auto()


_TEXTS = (
    "build.author.email",
    "build.author.id",
    "build.author.name",
    "build.blocked_state",
    "build.branch",
    "build.commit",
    "build.creator.email",
    "build.creator.id",
    "build.creator.name",
    "build.id",
    "build.merge_queue.base_branch",
    "build.merge_queue.base_commit",
    "build.message",
    "build.pull_request.base_branch",
    "build.pull_request.id",
    "build.pull_request.label",
    "build.pull_request.repository",
    "build.source",
    "build.source_action",
    "build.source_event",
    "build.state",
    "build.tag",
    "organization.id",
    "organization.slug",
    "pipeline.default_branch",
    "pipeline.id",
    "pipeline.repository",
    "pipeline.slug",
)
# Every variable that a condition may name. One that the build does not have is null.
VARIABLES: Mapping[str, Kind] = {
    **dict.fromkeys(_TEXTS, Kind.TEXT),
    "build.author.teams": Kind.LIST,
    "build.creator.teams": Kind.LIST,
    "build.creator.verified": Kind.BOOLEAN,
    "build.fixed": Kind.BOOLEAN,
    "build.number": Kind.NUMBER,
    "build.pull_request.draft": Kind.BOOLEAN,
    "build.pull_request.labels": Kind.LIST,
    "build.pull_request.repository.fork": Kind.BOOLEAN,
    "pipeline.started_failing": Kind.BOOLEAN,
    "pipeline.started_passing": Kind.BOOLEAN,
}
# Functions of one name; `env` answers an empty text where `build.env` answers null.
ENVIRONMENT = "build.env"
FUNCTIONS = {ENVIRONMENT: None, "env": ""}
NAMES = {Kind.TEXT: "a text", Kind.NUMBER: "a number", Kind.BOOLEAN: "true or false", Kind.LIST: "a list"}


@dataclass(frozen=True, slots=True)
class Scope:
    """What a condition is asked about."""

    variables: Mapping[str, object]
    budget: Budget


@dataclass(frozen=True, slots=True)
class Term:
    """A part of a condition: its kind, and how it is evaluated.

    Attributes:
        kind: of its value.
        at: its place in the text.
        value: gives the value.
        pattern: of a regular expression.
    """

    kind: Kind
    at: int
    value: Callable[[Scope], object]
    pattern: Pattern | None = None


def named(kind: Kind) -> str:
    """Name a kind for people."""
    return next((name for one, name in NAMES.items() if one in kind), "null")


def same(one: object, other: object) -> bool:
    """Whether two values are equal and of one kind; to Python, true is 1."""
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return list(one) == list(other)
    return type(one) is type(other) and one == other
