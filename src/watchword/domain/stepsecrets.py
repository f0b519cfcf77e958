"""Secrets of a step: the variables of its jobs that agents fill from the cluster's secrets."""

import re
from collections.abc import Mapping, Sequence

from watchword.domain.environment import AGENT_OWNED
from watchword.domain.secrets import has_key_form
from watchword.domain.stepfields import Object, Place, an_object, kind, shown
from watchword.domain.steps import StepSecret

MAX_SECRETS = 100
_FIELDS = ("key", "environment_variable")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")


def read_secrets(place: Place, value: object) -> tuple[StepSecret, ...]:
    """Read `secrets`: a list of keys, of objects as agents upload them, or an object from variable to key.

    Raises:
        Invalid: it is something else, a name cannot be, or a variable comes twice or is the agent's own.
    """
    if value is None:
        return ()
    if isinstance(value, Mapping):
        found = [_made(place, key, variable) for variable, key in value.items()]
    elif isinstance(value, list | tuple):
        found = [_read(place, part) for part in value]
    else:
        raise place.refuse(
            "secrets", f"must be a list of keys, or an object from variable to key, not {kind(value)}."
        )
    if len(found) > MAX_SECRETS:
        raise place.refuse("secrets", f"takes at most {MAX_SECRETS} secrets.")
    twice = next((one.variable for at, one in enumerate(found) if one.variable in _variables(found[:at])), "")
    if twice:
        raise place.refuse("secrets", f"fills the variable {twice} twice.")
    return tuple(found)


def merged(common: Sequence[StepSecret], own: Sequence[StepSecret]) -> tuple[StepSecret, ...]:
    """Secrets of a whole document and of one step; the step's win where both fill a variable."""
    filled = _variables(own)
    return (*(one for one in common if one.variable not in filled), *own)


def as_documents(secrets: Sequence[StepSecret]) -> list[Object]:
    """As agents read them (contract agent-api §4.7)."""
    return [{"key": one.key, "environment_variable": one.variable} for one in secrets]


def _variables(secrets: Sequence[StepSecret]) -> set[str]:
    return {one.variable for one in secrets}


def _read(place: Place, part: object) -> StepSecret:
    if not isinstance(part, Mapping):
        return _made(place, part, part)
    fields = an_object(place, "secrets", part, _FIELDS)
    key = fields.get("key")
    return _made(place, key, fields.get("environment_variable") or key)


def _made(place: Place, key: object, variable: object) -> StepSecret:
    if not isinstance(key, str) or not has_key_form(key):
        raise place.refuse(
            "secrets",
            f"names a key that no secret has: {shown(key)}. Keys start with a letter and take letters,"
            " digits and _ only.",
        )
    if not isinstance(variable, str) or not _VARIABLE.fullmatch(variable):
        raise place.refuse("secrets", f"names no variable: {shown(variable)}.")
    if variable in AGENT_OWNED:
        raise place.refuse("secrets", f"fills {variable}, which the agent alone sets.")
    return StepSecret(key, variable)
