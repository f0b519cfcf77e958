"""Steps: what a pipeline document says is to be done, in order; read by `domain.stepreading`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

DEFAULT_RETRIES = 2


class StepType(StrEnum):
    """What a step is. A group holds steps; a block and an input wait for a person."""

    COMMAND = "command"
    WAIT = "wait"
    BLOCK = "block"
    INPUT = "input"
    GROUP = "group"
    TRIGGER = "trigger"


@dataclass(frozen=True, slots=True)
class Dependency:
    """A step that must have ended first, by its key; `allow_failure` lets it have failed."""

    key: str
    allow_failure: bool = False


@dataclass(frozen=True, slots=True)
class RetryRule:
    """One automatic retry rule: what it matches, and how often it may be used.

    Attributes:
        exit_status: exact statuses that match; None matches any.
        signal: names of signals in small letters without `sig`, `none` for no signal; empty matches any.
        signal_reason: `cancel`, `agent_stop`, `agent_lost` …, `none` for no reason; empty matches any.
        limit: retries at most.
    """

    exit_status: tuple[int, ...] | None = None
    signal: tuple[str, ...] = ()
    signal_reason: tuple[str, ...] = ()
    limit: int = DEFAULT_RETRIES


@dataclass(frozen=True, slots=True)
class ManualRetry:
    """Whether a person may retry the step's jobs."""

    allowed: bool = True
    permit_on_passed: bool = True
    reason: str = ""


@dataclass(frozen=True, slots=True)
class StepSecret:
    """A secret of the cluster that fills a variable of the step's jobs."""

    key: str
    variable: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a pipeline document.

    Attributes:
        type: what it is.
        key: its name for `depends_on` and for the agent's `step` commands; may be empty.
        label: what people see.
        group: position of the group step that holds it, counted in the flat list; None outside groups.
        depends_on: steps it waits for; None where it says nothing, so that waits before it count; an
            empty tuple where it says `depends_on: []` or null, so that it waits for nothing.
        allow_dependency_failure: run although a dependency failed.
        condition: text of `if`; empty for always.
        branches: text of `branches`; empty for all.
        skip: why it is skipped (`true` or a reason); empty where it is not.
        command: commands, joined by newlines; may be empty where plugins do the work.
        env: variables of the step.
        rules: `agents`, as `key=value` texts, `queue=KEY` among them.
        priority: of its jobs.
        timeout_minutes: of its jobs; 0 where it says none.
        parallelism: how many jobs; 0 where it says none (one job without index).
        matrix: permutations, each from dimension to value; the anonymous dimension is "". Empty where
            the step has no matrix.
        matrix_changes: `adjustments` of single permutations: by index, the keys that they change
            (`skip`, `soft_fail`).
        retries: automatic retry rules.
        manual: manual retry.
        soft_fail: exit statuses that do not fail the build; None for any, an empty tuple for none.
        concurrency: jobs of the group at a time; 0 for no limit.
        concurrency_group: name of the group, one per organization.
        concurrency_ordered: whether jobs of the group start in the order of their making.
        artifact_paths: globs joined by `;`.
        plugins: as received.
        secrets: what agents fetch before the jobs begin, the document's included.
        cancel_on_build_failing: cancel its jobs as soon as the build is failing.
        continue_on_failure: of a wait: go on after failures.
        prompt: of a block or input.
        fields: of a block or input, as received.
        blocked_state: of a block: what the build shows meanwhile (passed, failed, running).
        rights: what tokens of its jobs may do, as `domain.jobrights` keeps it; empty for everything.
        document: the step as received, to be given back to agents and clients.
    """

    type: StepType
    key: str = ""
    label: str = ""
    group: int | None = None
    depends_on: tuple[Dependency, ...] | None = None
    allow_dependency_failure: bool = False
    condition: str = ""
    branches: str = ""
    skip: str = ""
    command: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[str, ...] = ()
    priority: int = 0
    timeout_minutes: int = 0
    parallelism: int = 0
    matrix: tuple[Mapping[str, str], ...] = ()
    matrix_changes: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    retries: tuple[RetryRule, ...] = ()
    manual: ManualRetry = ManualRetry()
    soft_fail: tuple[int, ...] | None = ()
    concurrency: int = 0
    concurrency_group: str = ""
    concurrency_ordered: bool = True
    artifact_paths: str = ""
    plugins: tuple[Any, ...] = ()
    secrets: tuple[StepSecret, ...] = ()
    cancel_on_build_failing: bool = False
    continue_on_failure: bool = False
    prompt: str = ""
    fields: tuple[Any, ...] = ()
    blocked_state: str = "passed"
    rights: str = ""
    document: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A pipeline document: what holds for all of its steps, and the steps.

    Attributes:
        steps: flat, in order; a group stands before the steps it holds.
        env: variables of every step.
        rules: `agents` of the document; steps that name none have been given them.
        priority: of the document; steps that name none have been given it.
        rights: what tokens of jobs may do; steps that say nothing of it have been given it.
        settings: further keys that are known and kept as received (`notify`, `image`, `secrets`, `cache`,
            `checkout`).
        secrets: of the document; command steps have been given them.
    """

    steps: tuple[Step, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[str, ...] = ()
    priority: int = 0
    rights: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    secrets: tuple[StepSecret, ...] = ()
