"""Kinds of steps: how each is told, under which names its keys go, and which keys it knows."""

from collections.abc import Mapping
from typing import Any

from watchword.domain.stepfields import Object, Place, kind, known_keys, shown, suggest
from watchword.domain.steps import StepType

# Every word that tells the kind of a step, as a key of its own or as the value of `type`, in the order in
# which keys are looked for: a step with plugins and nothing else runs a command that a plugin brings.
WORDS = {
    "command": StepType.COMMAND,
    "commands": StepType.COMMAND,
    "script": StepType.COMMAND,
    "plugins": StepType.COMMAND,
    "wait": StepType.WAIT,
    "waiter": StepType.WAIT,
    "block": StepType.BLOCK,
    "manual": StepType.BLOCK,
    "input": StepType.INPUT,
    "trigger": StepType.TRIGGER,
    "group": StepType.GROUP,
}
_TYPES = tuple(word for word in WORDS if word != "plugins")
# A step that is one word; a command, a trigger and a group need more than a word.
ALONE = ("wait", "waiter", "block", "input", "manual")
# Steps that may be written as the value of the word: `wait: {continue_on_failure: true}`.
_NESTED = tuple(word for word in _TYPES if word != "group")

_ALWAYS = (
    "key",
    "id",
    "identifier",
    "label",
    "name",
    "type",
    "depends_on",
    "allow_dependency_failure",
    "if",
    "branches",
)
_FORM = ("prompt", "submit", "fields", "blocked_state", "allowed_teams")
KNOWN: Mapping[StepType, tuple[str, ...]] = {
    StepType.COMMAND: (
        "command",
        "commands",
        "script",
        *_ALWAYS,
        "agents",
        "agent_query_rules",
        "artifact_paths",
        "artifacts",
        "cache",
        "cancel_on_build_failing",
        "checkout",
        "concurrency",
        "concurrency_group",
        "concurrency_method",
        "env",
        "if_changed",
        "image",
        "job_token",
        "matrix",
        "notify",
        "parallelism",
        "plugins",
        "priority",
        "retry",
        "secrets",
        "signature",
        "skip",
        "soft_fail",
        "timeout",
        "timeout_in_minutes",
    ),
    StepType.WAIT: ("wait", "waiter", *_ALWAYS, "continue_on_failure"),
    StepType.BLOCK: ("block", "manual", *_ALWAYS, *_FORM),
    StepType.INPUT: ("input", *_ALWAYS, *_FORM),
    StepType.TRIGGER: (
        "trigger",
        *_ALWAYS,
        "async",
        "build",
        "if_changed",
        "parallelism",
        "priority",
        "skip",
        "soft_fail",
    ),
    StepType.GROUP: ("group", "steps", *_ALWAYS, "if_changed", "notify", "skip"),
}
# Keys of which a step may use any one; the first that it has counts.
KEY = ("key", "id", "identifier")
LABEL = ("label", "name")
COMMAND = ("commands", "command", "script")
RULES = ("agents", "agent_query_rules")
ARTIFACTS = ("artifact_paths", "artifacts")
TIMEOUT = ("timeout_in_minutes", "timeout")


def place_of(number: str, value: object) -> Place:
    """Make the place of a step, with its key or label as far as they can be told."""
    if not isinstance(value, Mapping):
        return Place(number)
    names = (value.get(word) for word in (*KEY, *LABEL, "group", "block", "input"))
    return Place(number, next((name for name in names if isinstance(name, str) and name), ""))


def unfold(place: Place, value: object) -> tuple[StepType, Object]:
    """Tell the kind of a step, and bring its short and nested forms into one.

    Raises:
        Invalid: it is no step, of no known kind, or has a key that its kind does not know.
    """
    if isinstance(value, str):
        if value not in ALONE:
            raise place.refuse(
                "",
                f"{shown(value)} is not a step{suggest(value, ALONE)}. One word can be: {', '.join(ALONE)}.",
            )
        return WORDS[value], {}
    if not isinstance(value, Mapping):
        raise place.refuse("", f"a step is an object or one word, not {kind(value)}.")
    if len(value) == 1:
        ((word, inner),) = value.items()
        if word in _NESTED and isinstance(inner, Mapping):
            value = {"type": word, **inner}
    found = _kind(place, value)
    known_keys(place, "", value, KNOWN[found])
    return found, value


def _kind(place: Place, step: Mapping[str, Any]) -> StepType:
    """Tell the kind of a step by its `type`, else by its keys."""
    named = step.get("type")
    if named is not None:
        if not isinstance(named, str) or named not in _TYPES:
            hint = suggest(named, _TYPES) if isinstance(named, str) else ""
            raise place.refuse("type", f"must be one of {', '.join(_TYPES)}, not {shown(named)}{hint}.")
        return WORDS[named]
    found = next((WORDS[word] for word in WORDS if word in step), None)
    if found is None:
        near = next((hint for key in step if (hint := suggest(key, _TYPES))), "")
        keys = ", ".join(shown(key) for key in list(step)[:5]) or "none"
        raise place.refuse(
            "", f"it has none of {', '.join(WORDS)}, which tell what a step is; its keys are {keys}{near}."
        )
    return found
