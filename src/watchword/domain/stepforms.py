"""Steps that run no command: waits, blocks and inputs with their forms, groups, triggers."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from watchword.domain.stepcommon import MAX_LABEL, MAX_PARALLELISM, read_count, read_priority
from watchword.domain.stepfields import (
    Object,
    Place,
    an_object,
    flag,
    items,
    kind,
    one_of,
    scalar_text,
    shown,
    text,
    texts,
)
from watchword.domain.steprules import MAX_KEY, read_env, read_soft_fail
from watchword.domain.steps import Step

_BLOCKED_STATES = ("passed", "failed", "running")
_FIELD_KEY = re.compile(r"[A-Za-z0-9_\-/:.]+")
_TEXT_FIELD = ("text", "key", "hint", "format", "required", "default")
_SELECT_FIELD = ("select", "key", "hint", "options", "required", "multiple", "default")
_OPTION = ("label", "value", "hint", "required")
_TRIGGERED = ("branch", "commit", "env", "message", "meta_data")


def read_wait(place: Place, step: Object, common: Step) -> Step:
    """Read a wait step."""
    key = "continue_on_failure"
    return replace(common, continue_on_failure=flag(place, key, step.get(key)))


def read_pause(place: Place, step: Object, common: Step) -> Step:
    """Read a block or input step."""
    state = step.get("blocked_state")
    texts(place, "allowed_teams", step.get("allowed_teams"))
    text(place, "submit", step.get("submit"), MAX_LABEL)
    return replace(
        common,
        prompt=text(place, "prompt", step.get("prompt")),
        fields=read_form(place, step.get("fields")),
        blocked_state="passed" if state is None else one_of(place, "blocked_state", state, _BLOCKED_STATES),
    )


def read_group(place: Place, step: Object, common: Step) -> Step:
    """Read a group, the steps it holds aside."""
    held = step.get("steps")
    if not isinstance(held, list | tuple) or not held:
        raise place.refuse("steps", f"must be a list of at least one step, not {kind(held)}.")
    return common


def read_trigger(place: Place, step: Object, common: Step) -> Step:
    """Read a trigger step; which build it makes stays in its document."""
    if not scalar_text(step.get("trigger")):
        raise place.refuse("trigger", "must name the slug of a pipeline.")
    flag(place, "async", step.get("async"))
    build = step.get("build")
    if build is not None:
        _check_triggered(place, build)
    return replace(
        common,
        priority=read_priority(place, step) or 0,
        parallelism=read_count(place, "parallelism", step.get("parallelism"), MAX_PARALLELISM),
        soft_fail=read_soft_fail(place, "soft_fail", step.get("soft_fail")),
    )


def _check_triggered(place: Place, value: object) -> None:
    """Check `build` of a trigger step."""
    build = an_object(place, "build", value, _TRIGGERED)
    for key in ("branch", "commit", "message"):
        text(place, f"build.{key}", build.get(key))
    for key in ("env", "meta_data"):
        read_env(place, build.get(key), f"build.{key}")


def read_form(place: Place, value: object) -> tuple[Any, ...]:
    """Read `fields` of a block or input, to be kept as received.

    Raises:
        Invalid: one is neither a text nor a select field, has no key, or a select has no options.
    """
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        raise place.refuse("fields", f"must be a list, not {kind(value)}.")
    return tuple(items(place, "fields", value, _form_field))


def _form_field(place: Place, key: str, value: object) -> Object:
    """Check one field of a form."""
    select = isinstance(value, Mapping) and "select" in value
    field = an_object(place, key, value, _SELECT_FIELD if select else _TEXT_FIELD)
    name = text(place, f"{key}.key", field.get("key"), MAX_KEY)
    if not _FIELD_KEY.fullmatch(name):
        raise place.refuse(
            f"{key}.key", f"must be made of letters, digits, _ - / : and ., not {shown(name)}."
        )
    for word in ("select", "text", "hint", "format"):
        text(place, f"{key}.{word}", field.get(word))
    for word in ("required", "multiple"):
        flag(place, f"{key}.{word}", field.get(word))
    _check_default(place, f"{key}.default", field.get("default"), select=select)
    if select:
        _check_options(place, f"{key}.options", field.get("options"))
    return field


def _check_default(place: Place, key: str, value: object, *, select: bool) -> None:
    """Check the default of a field: a text, and several for a select."""
    for part in value if select and isinstance(value, list | tuple) else [value]:
        text(place, key, part)


def _check_options(place: Place, key: str, value: object) -> None:
    """Check the options of a select."""
    if not isinstance(value, list | tuple) or not value:
        raise place.refuse(key, "must be a list of at least one option with label and value.")
    for part in value:
        option = an_object(place, key, part, _OPTION)
        for word in ("label", "value"):
            if not scalar_text(option.get(word)):
                raise place.refuse(f"{key}.{word}", "must be a text that is not empty.")
