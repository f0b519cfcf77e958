"""Steps: a pipeline's or a build's command steps, read from what a client sent, kept as JSON."""

import json
from collections.abc import Mapping
from typing import Any

from watchword.domain.errors import Invalid
from watchword.services.builds import CommandStep

MAX_STEPS = 500
MAX_TEXT = 255
_PRIORITY = 1_000_000
_KEYS = ("command", "label", "key", "env", "agents", "priority")
# What upstream calls the same thing.
_ALIASES = {"name": "label"}


def read_steps(document: Any) -> tuple[CommandStep, ...]:  # noqa: ANN401 - decoded JSON
    """Read a list of command steps, or an object that holds one under `steps`.

    Raises:
        Invalid: a step is of another kind, or has a key or a value that is not known; the message
            names the step and the key.
    """
    steps = document.get("steps") if isinstance(document, dict) else document
    if not isinstance(steps, list):
        raise Invalid("Validation failed: steps must be a list of command steps", code="invalid_steps")
    if len(steps) > MAX_STEPS:
        raise Invalid(f"Validation failed: a build takes at most {MAX_STEPS} steps", code="too_many_steps")
    return tuple(_read_step(number, step) for number, step in enumerate(steps, 1))


def read_configuration(text: str) -> tuple[CommandStep, ...]:
    """Read the steps that a pipeline keeps; none where it keeps none.

    Raises:
        Invalid: the text is no JSON, or a step is not acceptable.
    """
    if not text.strip():
        return ()
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise Invalid(
            "Validation failed: configuration must be JSON with a list of command steps; "
            "YAML is not read by this version",
            code="invalid_configuration",
        ) from None
    return read_steps(document)


def write_configuration(steps: tuple[CommandStep, ...]) -> str:
    """Text of the steps, as a pipeline keeps it."""
    return json.dumps({"steps": [describe(step) for step in steps]}, ensure_ascii=False, indent=2)


def describe(step: CommandStep) -> dict[str, object]:
    """A step as JSON; empty parts are left out."""
    parts = {
        "command": step.command,
        "label": step.label,
        "key": step.key,
        "env": dict(step.env),
        "agents": list(step.agents),
        "priority": step.priority,
    }
    return {name: value for name, value in parts.items() if value}


def _read_step(number: int, step: Any) -> CommandStep:  # noqa: ANN401 - decoded JSON
    if not isinstance(step, dict):
        raise Invalid(
            f"Validation failed: step {number} ({str(step)[:MAX_TEXT]!r}) is not a command step; "
            "only command steps are run by this version",
            code="unknown_step",
        )
    known: dict[str, Any] = {}
    for key, value in step.items():
        name = _ALIASES.get(key, key)
        if name not in _KEYS:
            raise Invalid(
                f"Validation failed: step {number} has the unknown key {key[:MAX_TEXT]!r}; "
                f"a command step takes {', '.join(_KEYS)}",
                code="unknown_step_key",
            )
        known[name] = value
    if "command" not in known:
        raise _invalid(number, "command", "is missing")
    return CommandStep(
        command=_text(number, "command", known["command"], None),
        label=_text(number, "label", known.get("label"), MAX_TEXT),
        key=_text(number, "key", known.get("key"), MAX_TEXT),
        env=_environment(number, known.get("env")),
        agents=_rules(number, known.get("agents")),
        priority=_priority(number, known.get("priority")),
    )


def _invalid(number: int, key: str, problem: str) -> Invalid:
    return Invalid(f"Validation failed: step {number}: {key} {problem}", code="invalid_step")


def _text(number: int, key: str, value: object, limit: int | None) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _invalid(number, key, "must be text")
    if limit is not None and len(value) > limit:
        raise _invalid(number, key, f"takes at most {limit} characters")
    return value


def _environment(number: int, value: object) -> Mapping[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise _invalid(number, "env", "must be an object whose values are text")
    return value


def _rules(number: int, value: object) -> tuple[str, ...]:
    """Rules are written as `["key=value"]` or as `{"key": "value"}`."""
    if value is None:
        return ()
    rules = [f"{key}={text}" for key, text in value.items()] if isinstance(value, dict) else value
    if not isinstance(rules, list) or not all(isinstance(rule, str) and "=" in rule for rule in rules):
        raise _invalid(number, "agents", "must be a list of key=value, or an object")
    if len(rules) > MAX_TEXT or any(len(rule) > MAX_TEXT for rule in rules):
        raise _invalid(number, "agents", f"takes at most {MAX_TEXT} rules of {MAX_TEXT} characters")
    return tuple(rules)


def _priority(number: int, value: object) -> int:
    if value is None:
        return 0
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > _PRIORITY:
        raise _invalid(number, "priority", f"must be a whole number of at most {_PRIORITY}")
    return value
