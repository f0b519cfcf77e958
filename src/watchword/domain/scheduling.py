"""Scheduling: given a build with its steps and jobs, what is to change. Pure, and the same again if repeated.

A step is decided once everything that it depends on has ended. Dependencies are those that it names; where
it names none, the wait or block before it, and for a wait or block every step before it. A group adds
its own to those of the steps that it holds.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from watchword.domain.buildsteps import GATES, WALLS, BuildStep, Outcome, StepState
from watchword.domain.ids import JobId, StepId
from watchword.domain.pipelines import Build, BuildState, Job, JobState, Standing
from watchword.domain.steps import StepType

AnyJob = Job | Standing


@dataclass(frozen=True, slots=True)
class StepChange:
    """A step's new state."""

    id: StepId
    state: StepState
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to change.

    Attributes:
        jobs: new states of jobs; `SCHEDULED` stands for "may run", also where a group limits it.
        steps: new states of steps.
        state: the build's state.
        blocked_state: what a blocked build shows; empty unless it is blocked.
    """

    jobs: Mapping[JobId, JobState]
    steps: tuple[StepChange, ...]
    state: BuildState
    blocked_state: str


class _Turn(Enum):
    """What a step's dependencies say."""

    WAIT = 0
    GO = 1
    FAIL = 2


_GONE = (JobState.SKIPPED, JobState.BROKEN)


def job_outcome(job: AnyJob) -> Outcome:
    """How one ended job counts."""
    if job.state in _GONE:
        return Outcome.NEUTRAL
    if job.state is JobState.WAITING_FAILED:
        return Outcome.ERRORED
    if job.state is JobState.CANCELED:
        return Outcome.CANCELED
    if job.passed:
        return Outcome.PASSED
    return Outcome.SOFT_FAILED if job.soft_failed else Outcome.HARD_FAILED


_WORST = (
    Outcome.HARD_FAILED,
    Outcome.CANCELED,
    Outcome.ERRORED,
    Outcome.SOFT_FAILED,
    Outcome.PASSED,
    Outcome.NEUTRAL,
)


def _worst(outcomes: Iterable[Outcome]) -> Outcome:
    found = set(outcomes)
    return next((outcome for outcome in _WORST if outcome in found), Outcome.PASSED)


@dataclass(slots=True, eq=False)
class _Node:
    """A step with what is planned for it."""

    row: BuildStep
    state: StepState
    outcome: Outcome
    jobs: list[AnyJob] = field(default_factory=list)
    holds: "list[_Node]" = field(default_factory=list)
    group: "_Node | None" = None

    @property
    def ended(self) -> bool:
        return self.state is StepState.ENDED

    @property
    def failed(self) -> bool:
        return self.ended and self.outcome.failed

    def end(self, outcome: Outcome) -> None:
        self.state, self.outcome = StepState.ENDED, outcome


@dataclass(slots=True)
class _Before:
    """What stands before a step on its level: the last wall, and whether all has ended or any failed."""

    wall: _Node | None = None
    ended: bool = True
    failed: bool = False

    def add(self, node: _Node) -> None:
        self.ended = self.ended and node.ended
        self.failed = self.failed or node.failed
        if node.row.step.type in WALLS:
            self.wall = node


def _joined(turns: Iterable[_Turn]) -> _Turn:
    """All go, one waits, or all have ended and one fails."""
    found = set(turns)
    if _Turn.WAIT in found:
        return _Turn.WAIT
    return _Turn.FAIL if _Turn.FAIL in found else _Turn.GO


class _Survey:
    """One look at a build."""

    def __init__(self, build: Build, steps: Sequence[BuildStep], jobs: Sequence[AnyJob]) -> None:
        self.build = build
        self.changed: dict[JobId, JobState] = {}
        ordered = sorted(steps, key=lambda step: step.position)
        self.nodes = [_Node(step, step.state, step.outcome) for step in ordered]
        by_id = {node.row.id: node for node in self.nodes}
        self.loose: list[AnyJob] = []  # jobs of builds that are older than steps
        for job in jobs:
            if job.retried_in is not None:
                continue
            node = by_id.get(job.step_id) if job.step_id is not None else None
            (self.loose if node is None else node.jobs).append(job)
        self.top: list[_Node] = []
        for node in self.nodes:
            node.group = by_id.get(node.row.group_id) if node.row.group_id is not None else None
            (self.top if node.group is None else node.group.holds).append(node)
        self.keys = {node.row.step.key: node for node in reversed(self.nodes) if node.row.step.key}

    def state_of(self, job: AnyJob) -> JobState:
        return self.changed.get(job.id, job.state)

    # -- deciding --------------------------------------------------------------------------------

    def run(self) -> Plan:
        for node in self.nodes:
            self._derive(node)
        if self.build.canceled_at:
            self._cancel(self.nodes)
        self._settle()
        if any(node.outcome is Outcome.HARD_FAILED for node in self.nodes if node.ended):
            self._cancel([node for node in self.nodes if node.row.step.cancel_on_build_failing])
            self._settle()
        if self._stuck():
            # Nothing can move any more: a dependency is missing, or steps depend on each other.
            for node in self.nodes:
                if not node.ended and node.row.step.type is not StepType.GROUP:
                    self._fail(node)
            self._settle()
        changes = tuple(
            StepChange(node.row.id, node.state, node.outcome)
            for node in self.nodes
            if (node.state, node.outcome) != (node.row.state, node.row.outcome)
        )
        state, blocked = self._build_state()
        return Plan(self.changed, changes, state, blocked)

    def _settle(self) -> None:
        """Decide steps until nothing changes: the end of one may decide others."""
        while self._round(self.top, _Before()):
            pass

    def _round(self, level: list[_Node], outside: _Before) -> bool:
        before, moved = _Before(), False
        for node in level:
            if node.row.step.type is StepType.GROUP:
                moved = self._round(node.holds, before) or moved
                self._derive(node)
            elif not node.ended:
                moved = self._decide(node, before, outside) or moved
            before.add(node)
        return moved

    def _decide(self, node: _Node, before: _Before, outside: _Before) -> bool:
        kind = node.row.step.type
        waiting = [job for job in node.jobs if self.state_of(job) is JobState.WAITING]
        if kind is StepType.COMMAND and not waiting:
            return False
        if kind in GATES and node.state is StepState.READY:
            if not node.row.unblocked_at:
                return False
            node.end(Outcome.PASSED)
            return True
        turn = self._turn(node, before, outside)
        if turn is _Turn.WAIT:
            return False
        if turn is _Turn.FAIL:
            self._fail(node)
            return True
        if kind is StepType.WAIT:
            node.end(Outcome.PASSED)
        elif kind is StepType.COMMAND:
            for job in waiting:
                self.changed[job.id] = JobState.SCHEDULED
            self._derive(node)
        else:
            node.state = StepState.READY
        return True

    def _turn(self, node: _Node, before: _Before, outside: _Before) -> _Turn:
        """What a step's dependencies say; `before` is on its own level, `outside` before its group."""
        step, group = node.row.step, node.group
        turns = [self._explicit(group)] if group is not None else []
        if step.depends_on is not None:
            return _joined([*turns, self._explicit(node)])
        if group is not None and group.row.step.depends_on is None:
            turns.append(self._wall(outside, node))
        if step.type in WALLS:
            turns.append(
                _joined([_Turn.GO if before.ended else _Turn.WAIT, self._grade(node, before.failed)])
            )
        else:
            turns.append(self._wall(before, node))
        return _joined(turns)

    def _wall(self, before: _Before, node: _Node) -> _Turn:
        if before.wall is None:
            return _Turn.GO
        return self._grade(node, before.wall.failed) if before.wall.ended else _Turn.WAIT

    def _grade(self, node: _Node, failed: bool) -> _Turn:  # noqa: FBT001 - what it is about
        step = node.row.step
        lenient = step.allow_dependency_failure or step.continue_on_failure
        return _Turn.FAIL if failed and not lenient else _Turn.GO

    def _explicit(self, node: _Node) -> _Turn:
        return _joined(
            _Turn.WAIT
            if (found := self.keys.get(each.key)) is None or not found.ended
            else self._grade(node, found.failed and not each.allow_failure)
            for each in node.row.step.depends_on or ()
        )

    def _fail(self, node: _Node) -> None:
        for job in node.jobs:
            if self.state_of(job) is JobState.WAITING:
                self.changed[job.id] = JobState.WAITING_FAILED
        if node.row.step.type is StepType.COMMAND and node.jobs:
            self._derive(node)
        else:
            node.end(Outcome.ERRORED)

    def _derive(self, node: _Node) -> None:
        """State of a command step from its jobs, and of a group from its steps."""
        kind = node.row.step.type
        if kind is StepType.GROUP:
            states = [(one.state, one.outcome) for one in node.holds]
        elif kind is StepType.COMMAND and node.jobs:
            states = [self._job_state(job) for job in node.jobs]
        else:
            return
        if all(state is StepState.ENDED for state, _ in states):
            node.end(_worst(outcome for _, outcome in states))
            return
        begun = any(state in (StepState.RUNNING, StepState.ENDED) for state, _ in states)
        ready = any(state is StepState.READY for state, _ in states)
        node.state = StepState.RUNNING if begun else StepState.READY if ready else StepState.WAITING
        node.outcome = Outcome.NONE

    def _job_state(self, job: AnyJob) -> tuple[StepState, Outcome]:
        state = self.state_of(job)
        if state.ended:
            outcomes = {
                JobState.WAITING_FAILED: Outcome.ERRORED,
                JobState.CANCELED: Outcome.CANCELED,
            }
            return StepState.ENDED, outcomes.get(state) or job_outcome(job)
        if state is JobState.WAITING:
            return StepState.WAITING, Outcome.NONE
        return (StepState.RUNNING if state.held else StepState.READY), Outcome.NONE

    def _cancel(self, nodes: Iterable[_Node]) -> None:
        for node in nodes:
            if node.ended or node.row.step.type is StepType.GROUP:
                continue
            self._cancel_jobs(node.jobs)
            if node.row.step.type is StepType.COMMAND and node.jobs:
                self._derive(node)
            else:
                node.end(Outcome.CANCELED)
        if self.build.canceled_at:
            self._cancel_jobs(self.loose)

    def _cancel_jobs(self, jobs: Iterable[AnyJob]) -> None:
        for job in jobs:
            state = self.state_of(job)
            if state in (JobState.ACCEPTED, JobState.RUNNING):
                self.changed[job.id] = JobState.CANCELING
            elif not state.ended and not state.held:
                self.changed[job.id] = JobState.CANCELED

    # -- the build -------------------------------------------------------------------------------

    def _open(self) -> list[JobState]:
        """States of jobs that have not ended."""
        jobs = [*self.loose, *(job for node in self.nodes for job in node.jobs)]
        return [state for job in jobs if not (state := self.state_of(job)).ended]

    def _stuck(self) -> bool:
        if any(state is not JobState.WAITING for state in self._open()):
            return False
        if self._gates():
            return False
        return not all(node.ended for node in self.nodes)

    def _build_state(self) -> tuple[BuildState, str]:
        """The build's state, and what it shows while it is blocked."""
        still = self._open()
        if self.build.canceled_at:
            return (BuildState.CANCELING if still else BuildState.CANCELED), ""
        failed = any(node.failed for node in self.nodes)
        failed = failed or any(job.state.ended and job_outcome(job).failed for job in self.loose)
        if not still and all(node.ended for node in self.nodes):
            return self._end_state(failed=failed), ""
        gates = self._gates()
        if gates and all(state is JobState.WAITING for state in still):
            return BuildState.BLOCKED, "failed" if failed else gates[0].row.step.blocked_state
        if failed:
            return BuildState.FAILING, ""
        begun = self.build.started_at or any(state.held for state in still)
        return (BuildState.RUNNING if begun else BuildState.SCHEDULED), ""

    def _end_state(self, *, failed: bool) -> BuildState:
        if failed:
            return BuildState.FAILED
        outcomes = {node.outcome for node in self.nodes if node.row.step.type is StepType.COMMAND}
        nothing = not self.loose and outcomes == {Outcome.NEUTRAL}
        return BuildState.NOT_RUN if nothing else BuildState.PASSED

    def _gates(self) -> list[_Node]:
        """Steps that wait for a person."""
        return [n for n in self.nodes if n.row.step.type in GATES and n.state is StepState.READY]


def survey(build: Build, steps: Sequence[BuildStep], jobs: Sequence[AnyJob]) -> Plan:
    """Decide what is to change; applied, a second look finds nothing more.

    Args:
        build: the build; `canceled_at` says that it was cancelled as a whole.
        steps: all of its steps.
        jobs: all of its jobs, retried ones included.
    """
    return _Survey(build, steps, jobs).run()
