"""The matrix of a step: one job per permutation of its dimensions, with the values put into its texts."""

import itertools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from watchword.domain.stepfields import Place, an_object, kind, known_keys, scalar_text, shown
from watchword.domain.steprules import read_skip, read_soft_fail
from watchword.domain.steps import Step

MAX_DIMENSIONS = 6
MAX_ELEMENTS = 100
MAX_ELEMENT_BYTES = 128
MAX_ADJUSTMENTS = 50
MAX_PERMUTATIONS = 250
# The one dimension of a matrix that is a plain list (contract agent-api §4.1, matrix_permutation).
ANONYMOUS = ""

_TOKEN = re.compile(r"\{\{\s*matrix(?:\.([A-Za-z0-9_\-.]+))?\s*\}\}")
_DIMENSION = re.compile(r"[A-Za-z0-9_\-.]+")
_ADJUSTMENT = ("with", "skip", "soft_fail")

Permutation = Mapping[str, str]
Changes = Mapping[int, Mapping[str, Any]]


def expand(step: Step) -> tuple[Permutation, ...]:
    """Permutations of a step, in order; one empty permutation where it has no matrix.

    Those that an adjustment skips are among them, so that positions are those of `Step.matrix_changes`.
    """
    return step.matrix or ({},)


def permuted(step: Step, position: int) -> Step:
    """Make the step of one permutation: its values in the texts, its adjustment applied.

    Values go into command, label, values of variables, agents, plugins and artifact paths. Key, dependencies
    and concurrency group belong to the step as a whole.
    """
    if not step.matrix:
        return step
    permutation = step.matrix[position]
    made = replace(
        step,
        command=substitute(step.command, permutation),
        label=substitute(step.label, permutation),
        env={name: substitute(value, permutation) for name, value in step.env.items()},
        rules=tuple(substitute(rule, permutation) for rule in step.rules),
        plugins=tuple(substitute_all(plugin, permutation) for plugin in step.plugins),
        artifact_paths=substitute(step.artifact_paths, permutation),
        matrix=(permutation,),
        matrix_changes={},
    )
    return replace(made, **step.matrix_changes.get(position, {}))


def substitute(text: str, permutation: Permutation) -> str:
    """Put the values of a permutation in place of `{{matrix}}` and `{{matrix.name}}`.

    A token that names another dimension stays as it is; the reader of documents has refused it.
    """
    return _TOKEN.sub(lambda found: permutation.get(found[1] or ANONYMOUS, found[0]), text)


def substitute_all(value: object, permutation: Permutation) -> object:
    """Put the values of a permutation into every text of a decoded JSON value, keys included."""
    if isinstance(value, str):
        return substitute(value, permutation)
    if isinstance(value, Mapping):
        return {
            substitute(name, permutation): substitute_all(part, permutation) for name, part in value.items()
        }
    if isinstance(value, list | tuple):
        return [substitute_all(part, permutation) for part in value]
    return value


def unknown_token(text: str, dimensions: Iterable[str]) -> str:
    """First token of a text that names no dimension, or nothing."""
    known = set(dimensions)
    return next((found[0] for found in _TOKEN.finditer(text) if (found[1] or ANONYMOUS) not in known), "")


def read_matrix(place: Place, value: object) -> tuple[tuple[Permutation, ...], Changes]:
    """Read `matrix`: a list of values, or `setup` and `adjustments`.

    Returns:
        The permutations, and by position what an adjustment changes.

    Raises:
        Invalid: it is neither, is over a limit, or an adjustment does not fit the dimensions.
    """
    if value is None:
        return (), {}
    if not isinstance(value, Mapping):
        return _adjusted(place, {ANONYMOUS: _elements(place, "matrix", value)}, None)
    known = an_object(place, "matrix", value, ("setup", "adjustments"))
    return _adjusted(place, _setup(place, known.get("setup")), known.get("adjustments"))


def _setup(place: Place, value: object) -> dict[str, tuple[str, ...]]:
    """Read the dimensions."""
    if not isinstance(value, Mapping):
        return {ANONYMOUS: _elements(place, "matrix.setup", value)}
    if not 1 <= len(value) <= MAX_DIMENSIONS:
        raise place.refuse("matrix.setup", f"must have 1 to {MAX_DIMENSIONS} dimensions, not {len(value)}.")
    for name in value:
        if not _DIMENSION.fullmatch(name) or len(name.encode()) > MAX_ELEMENT_BYTES:
            raise place.refuse(
                "matrix.setup", f"has {shown(name)}; a dimension's name is made of letters, digits, _ - and ."
            )
    return {name: _elements(place, f"matrix.setup.{name}", part) for name, part in value.items()}


def _elements(place: Place, key: str, value: object) -> tuple[str, ...]:
    """Read the values of one dimension; a value that comes twice counts once."""
    if not isinstance(value, list | tuple):
        raise place.refuse(key, f"must be a list, not {kind(value)}.")
    if len(value) > MAX_ELEMENTS:
        raise place.refuse(key, f"takes at most {MAX_ELEMENTS} values, not {len(value)}.")
    return tuple(dict.fromkeys(_element(place, key, part) for part in value))


def _element(place: Place, key: str, value: object) -> str:
    """Read one value of a dimension."""
    found = scalar_text(value)
    if found is None or value is None:
        raise place.refuse(key, f"must hold texts, numbers or booleans, not {kind(value)}.")
    if len(found.encode()) > MAX_ELEMENT_BYTES:
        raise place.refuse(key, f"has a value of more than {MAX_ELEMENT_BYTES} bytes.")
    return found


def _combine(place: Place, setup: Mapping[str, Sequence[str]]) -> list[Permutation]:
    """Cross product of the dimensions; the last one turns fastest."""
    count = math.prod(len(elements) for elements in setup.values())
    if count > MAX_PERMUTATIONS:
        raise place.refuse("matrix", f"makes {count} jobs; at most {MAX_PERMUTATIONS} are possible.")
    return [dict(zip(setup, values, strict=True)) for values in itertools.product(*setup.values())]


def _adjusted(
    place: Place, setup: Mapping[str, Sequence[str]], value: object
) -> tuple[tuple[Permutation, ...], Changes]:
    """Apply the adjustments: each changes a permutation, or adds one."""
    key = "matrix.adjustments"
    if value is not None and not isinstance(value, list | tuple):
        raise place.refuse(key, f"must be a list, not {kind(value)}.")
    if value and len(value) > MAX_ADJUSTMENTS:
        raise place.refuse(key, f"takes at most {MAX_ADJUSTMENTS} entries, not {len(value)}.")
    permutations = _combine(place, setup)
    positions = {_identity(permutation): at for at, permutation in enumerate(permutations)}
    changes: dict[int, dict[str, Any]] = {}
    for part in value or ():
        adjustment = an_object(place, key, part, _ADJUSTMENT)
        change = _change(place, adjustment)
        for permutation in _selected(place, setup, adjustment.get("with")):
            at = positions.setdefault(_identity(permutation), len(permutations))
            if at == len(permutations):
                permutations.append(permutation)
            # An earlier `skip` stands: a later adjustment of the same permutation does not undo it.
            changes[at] = changes.get(at, {}) | change
    if not 1 <= len(permutations) <= MAX_PERMUTATIONS:
        raise place.refuse("matrix", f"makes {len(permutations)} jobs; 1 to {MAX_PERMUTATIONS} are possible.")
    return tuple(permutations), {at: change for at, change in sorted(changes.items()) if change}


def _identity(permutation: Permutation) -> frozenset[tuple[str, str]]:
    """What makes two permutations one."""
    return frozenset(permutation.items())


def _change(place: Place, adjustment: Mapping[str, Any]) -> dict[str, Any]:
    """Read what an adjustment changes."""
    change: dict[str, Any] = {}
    skip = read_skip(place, "matrix.adjustments.skip", adjustment.get("skip"))
    if skip:
        change["skip"] = skip
    if "soft_fail" in adjustment:
        change["soft_fail"] = read_soft_fail(place, "matrix.adjustments.soft_fail", adjustment["soft_fail"])
    return change


def _selected(place: Place, setup: Mapping[str, Sequence[str]], value: object) -> list[Permutation]:
    """Read `with`: one value per dimension; of a plain list also one value or several."""
    key = "matrix.adjustments.with"
    if isinstance(value, Mapping):
        known_keys(place, key, value, tuple(setup))
        missing = [name for name in setup if name not in value]
        if missing:
            raise place.refuse(key, f"names no value for the dimension {shown(missing[0])}.")
        return [{name: _element(place, key, value[name]) for name in setup}]
    if ANONYMOUS not in setup:
        raise place.refuse(key, f"must be an object with {', '.join(setup)}, not {kind(value)}.")
    return [
        {ANONYMOUS: _element(place, key, part)}
        for part in (value if isinstance(value, list | tuple) else [value])
    ]
