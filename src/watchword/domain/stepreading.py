"""Pipeline documents: from decoded YAML or JSON to steps. Every refusal names the step and the key."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from watchword.domain import stepkinds
from watchword.domain.stepcommands import read_command
from watchword.domain.stepcommon import read_common, read_priority
from watchword.domain.stepfields import MAX_VALUES, Object, Place, check_values, kind, suggest
from watchword.domain.stepforms import read_group, read_pause, read_trigger, read_wait
from watchword.domain.stepgraph import check_circles, check_keys
from watchword.domain.steprules import read_env, read_rules
from watchword.domain.steps import Document, Step, StepType
from watchword.domain.stepsecrets import merged, read_secrets
from watchword.domain.steptokens import KEY, read_job_token

MAX_STEPS = 500
MAX_JOBS = 2000

_SETTINGS = ("notify", "image", "secrets", "cache", "checkout")


def read_document(value: object) -> Document:
    """Read a pipeline document: a list of steps, or an object with `steps`.

    Keys beside the known ones are ignored at the top, for that is where people keep the anchors of their
    YAML; inside a step an unknown key is refused.

    Raises:
        Invalid: it is no such document; the message names the step by number and key, and the key at fault.
    """
    whole_document = value if isinstance(value, Mapping) else {"steps": value}
    place = Place()
    if not isinstance(value, Mapping | list | tuple):
        raise place.refuse("", f"a pipeline is a list of steps or an object with `steps`, not {kind(value)}.")
    if "steps" not in whole_document:
        near = next((f"; is it `{key}`?" for key in whole_document if suggest(str(key), ("steps",))), ".")
        raise place.refuse("steps", f"is missing{near}")
    check_values(place, "", {key: part for key, part in whole_document.items() if key != "steps"})
    document = Document(
        steps=(),
        env=read_env(place, whole_document.get("env")),
        rules=read_rules(place, whole_document.get("agents")),
        priority=read_priority(place, whole_document) or 0,
        rights=read_job_token(place, whole_document.get(KEY)),
        settings={key: whole_document[key] for key in _SETTINGS if key in whole_document},
        secrets=read_secrets(place, whole_document.get("secrets")),
    )
    steps = _read_steps(whole_document["steps"])
    return replace(document, steps=tuple(_with_defaults(step, document) for step in steps))


def read_step(value: object, number: str = "1") -> Step:
    """Read one step as it stands in a document; a group without the steps it holds.

    Raises:
        Invalid: it is no step.
    """
    place = stepkinds.place_of(number, value)
    check_values(place, "", value)
    return _read_checked(place, value)


def _read_checked(place: Place, value: object) -> Step:
    """Read a step whose values have been checked."""
    found, step = stepkinds.unfold(place, value)
    return replace(_READERS[found](place, step, read_common(place, found, step)), document=value)


def _with_defaults(step: Step, document: Document) -> Step:
    """Give a command step what the document says for all that say nothing."""
    if step.type is not StepType.COMMAND:
        return step
    said = stepkinds.unfold(Place(), step.document)[1]
    rules = step.rules if any(key in said for key in stepkinds.RULES) else document.rules
    priority = step.priority if said.get("priority") is not None else document.priority
    secrets = merged(document.secrets, step.secrets)
    rights = step.rights if said.get(KEY) is not None else document.rights
    return replace(step, rules=rules, priority=priority, secrets=secrets, rights=rights)


def _read_steps(value: object) -> list[Step]:
    """Read all steps, those of groups after their group, and check them against each other."""
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        raise Place().refuse("steps", f"must be a list, not {kind(value)}.")
    steps: list[Step] = []
    places: list[Place] = []
    jobs = values = 0
    for number, part in enumerate(value, 1):
        values += _check_step(str(number), part, MAX_VALUES - values)
        for place, step in _with_members(str(number), part, len(steps)):
            steps.append(step)
            places.append(place)
            jobs += max(step.parallelism, len(step.matrix), 1)
            if len(steps) > MAX_STEPS:
                raise place.refuse("", f"a pipeline has at most {MAX_STEPS} steps; upload the rest in parts.")
            if jobs > MAX_JOBS:
                raise place.refuse("", f"a pipeline makes at most {MAX_JOBS} jobs; upload the rest in parts.")
    check_keys(steps, places)
    check_circles(steps, places)
    return steps


def _check_step(number: str, value: object, allowance: int) -> int:
    """Check the values of a step; those of a group's steps under their own numbers first."""
    seen = 0
    held = value.get("steps") if isinstance(value, Mapping) else None
    for at, part in enumerate(held[: MAX_STEPS + 1] if isinstance(held, list | tuple) else (), 1):
        seen += check_values(stepkinds.place_of(f"{number}.{at}", part), "", part, allowance - seen)
    return seen + check_values(stepkinds.place_of(number, value), "", value, allowance - seen)


def _with_members(number: str, value: object, position: int) -> list[tuple[Place, Step]]:
    """Read a step; after a group, the steps it holds."""
    place = stepkinds.place_of(number, value)
    found = [(place, _read_checked(place, value))]
    if found[0][1].type is not StepType.GROUP or not isinstance(value, Mapping):
        return found
    held = value["steps"]
    for at, part in enumerate(held[: MAX_STEPS + 1], 1):
        inner = stepkinds.place_of(f"{number}.{at}", part)
        step = _read_checked(inner, part)
        if step.type is StepType.GROUP:
            raise inner.refuse("group", "stands inside a group; groups hold no groups.")
        found.append((inner, replace(step, group=position)))
    return found


_READERS: Mapping[StepType, Callable[[Place, Object, Step], Step]] = {
    StepType.COMMAND: read_command,
    StepType.WAIT: read_wait,
    StepType.BLOCK: read_pause,
    StepType.INPUT: read_pause,
    StepType.TRIGGER: read_trigger,
    StepType.GROUP: read_group,
}
