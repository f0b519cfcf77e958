"""Keys that every kind of step has: key, label, dependencies, condition, branches, skip."""

from collections.abc import Sequence

from watchword.domain import stepkinds
from watchword.domain.conditions import compile_condition
from watchword.domain.errors import Invalid
from watchword.domain.stepfields import Object, Place, flag, text, texts, whole
from watchword.domain.steprules import read_dependencies, read_key, read_skip
from watchword.domain.steps import Step, StepType

MAX_LABEL = 1024
MAX_PARALLELISM = 1000
MAX_PRIORITY = 2**31 - 1


def read_common(place: Place, found: StepType, step: Object) -> Step:
    """Read the keys that every kind of step has."""
    condition = text(place, "if", step.get("if")).strip()
    branches = " ".join(texts(place, "branches", step.get("branches"))).strip()
    if condition:
        _check_condition(place, condition)
    if condition and branches:
        raise place.refuse("branches", "cannot stand beside `if`; ask for `build.branch` in the condition.")
    dependencies = read_dependencies(place, step["depends_on"]) if "depends_on" in step else None
    return Step(
        type=found,
        key=_the_key(place, step),
        label=_the_label(place, found, step),
        depends_on=dependencies,
        allow_dependency_failure=flag(
            place, "allow_dependency_failure", step.get("allow_dependency_failure")
        ),
        condition=condition,
        branches=branches,
        skip=read_skip(place, "skip", step.get("skip")),
    )


def _check_condition(place: Place, condition: str) -> None:
    """Refuse an `if` that cannot be read."""
    try:
        compile_condition(condition)
    except Invalid as error:
        raise place.refuse("if", f"is not valid. {error.message}") from None


def first_of(step: Object, keys: Sequence[str]) -> tuple[str, object]:
    """First key of some that a step has, and its value; the first name and null where it has none."""
    return next(((key, step[key]) for key in keys if step.get(key) is not None), (keys[0], None))


def _the_key(place: Place, step: Object) -> str:
    """Read the key of a step; two names with different values would hide one."""
    found = {word: read_key(place, word, step.get(word)) for word in stepkinds.KEY if step.get(word)}
    if len(set(found.values())) > 1:
        raise place.refuse(list(found)[1], f"and `{next(iter(found))}` name different keys.")
    return next(iter(found.values()), "")


def _the_label(place: Place, found: StepType, step: Object) -> str:
    """Read the label: of a group, block, input or wait its own word comes first."""
    own = tuple(word for word, type_ in stepkinds.WORDS.items() if type_ is found)
    words = stepkinds.LABEL if found in (StepType.COMMAND, StepType.TRIGGER) else (*own, *stepkinds.LABEL)
    key, value = first_of(step, words)
    return text(place, key, value, MAX_LABEL)


def read_priority(place: Place, step: Object) -> int | None:
    """Read `priority`, or None."""
    value = step.get("priority")
    return None if value is None else whole(place, "priority", value, -MAX_PRIORITY, MAX_PRIORITY)


def read_count(place: Place, key: str, value: object, high: int, *, low: int = 1) -> int:
    """Read a count; 0 where the step says none."""
    return 0 if value is None else whole(place, key, value, low, high)
