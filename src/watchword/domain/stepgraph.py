"""Dependencies among the steps of one document: unique keys, no circle of steps that wait for each other."""

from collections.abc import Mapping, Sequence

from watchword.domain.errors import Invalid
from watchword.domain.stepfields import Place, shown
from watchword.domain.steps import Step, StepType

_GATES = (StepType.WAIT, StepType.BLOCK)


def check_keys(steps: Sequence[Step], places: Sequence[Place]) -> None:
    """Refuse a key that two steps of the document have.

    Raises:
        Invalid: there is one.
    """
    first: dict[str, Place] = {}
    for step, place in zip(steps, places, strict=True):
        if step.key and first.setdefault(step.key, place) is not place:
            number = first[step.key].number
            raise place.refuse("key", f"{shown(step.key)} is already the key of step {number}.")


def check_circles(steps: Sequence[Step], places: Sequence[Place]) -> None:
    """Refuse steps that wait for each other: none of them could ever start.

    Keys that no step of the document has are left alone: an upload may name steps of earlier ones.

    Raises:
        Invalid: there is a circle; the message names its steps.
    """
    circle = find_circle(needs_of(steps))
    if circle:
        names = [
            f"{place.number} ({place.name})" if place.name else place.number
            for place in (places[at] for at in [*circle, circle[0]])
        ]
        raise Invalid(
            f"{places[circle[0]]}: `depends_on` makes a circle;"
            f" the steps {' → '.join(names)} wait for each other.",
            code="invalid_pipeline",
        )


def needs_of(steps: Sequence[Step]) -> list[list[int]]:
    """Positions of the steps that each step waits for, as far as they are in the document.

    A group waits for its members, and they for what the group waits for. A wait or block without `depends_on`
    waits for the steps between it and the one before; steps without `depends_on` wait for the last one
    before them. Inside a group this holds among its members.
    """
    by_key = {step.key: at for at, step in enumerate(steps) if step.key}
    needs: list[list[int]] = [[] for _ in steps]
    members: dict[int | None, list[int]] = {None: []}
    for at, step in enumerate(steps):
        needs[at] += _named(step, by_key)
        members.setdefault(step.group, []).append(at)
        if step.group is not None:
            needs[step.group].append(at)
            if step.depends_on is None:
                needs[at] += _named(steps[step.group], by_key)
    for among in members.values():
        _add_gates(steps, among, members, needs)
    return needs


def _named(step: Step, by_key: Mapping[str, int]) -> list[int]:
    """Positions of the steps that a step names."""
    return [by_key[dependency.key] for dependency in step.depends_on or () if dependency.key in by_key]


def _add_gates(
    steps: Sequence[Step],
    among: Sequence[int],
    members: Mapping[int | None, list[int]],
    needs: list[list[int]],
) -> None:
    """Add what waits and blocks mean for steps that say nothing themselves."""
    gate: int | None = None
    since: list[int] = []
    for at in among:
        step = steps[at]
        if step.depends_on is None and gate is not None:
            for waiting in (at, *(one for one in members.get(at, ()) if steps[one].depends_on is None)):
                needs[waiting].append(gate)
        if step.type in _GATES:
            if step.depends_on is None:
                needs[at] += since
            gate, since = at, []
        else:
            since.append(at)


def find_circle(needs: Sequence[Sequence[int]]) -> list[int]:
    """Find positions that need each other in a circle; empty where there is none."""
    done: set[int] = set()
    for start in range(len(needs)):
        path: list[int] = []
        on_path: set[int] = set()
        waiting = [(start, iter(needs[start]))] if start not in done else []
        if waiting:
            path, on_path = [start], {start}
        while waiting:
            at, rest = waiting[-1]
            following = next(rest, None)
            if following is None:
                waiting.pop()
                done.add(path.pop())
                on_path.discard(at)
            elif following in on_path:
                return path[path.index(following) :]
            elif following not in done:
                waiting.append((following, iter(needs[following])))
                path.append(following)
                on_path.add(following)
    return []
