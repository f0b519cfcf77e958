"""Steps of a build: what a pipeline document asked for, where it stands, and how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from watchword.domain.ids import BuildId, JobId, OrganizationId, StepId, UserId
from watchword.domain.steps import Step, StepType


class StepState(StrEnum):
    """Where a step stands (contract agent-api §2.9, attribute `state`).

    Ready: its jobs may run, or it waits for a person.
    """

    WAITING = "waiting_for_dependencies"
    READY = "ready"
    RUNNING = "running"
    ENDED = "finished"


class Outcome(StrEnum):
    """How a step ended; errored: what it depends on failed; neutral: it was left out."""

    NONE = ""
    NEUTRAL = "neutral"
    PASSED = "passed"
    SOFT_FAILED = "soft_failed"
    ERRORED = "errored"
    CANCELED = "canceled"
    HARD_FAILED = "hard_failed"

    @property
    def failed(self) -> bool:
        """Whether what depends on the step does not run."""
        return self in (Outcome.ERRORED, Outcome.CANCELED, Outcome.HARD_FAILED)


WALLS = (StepType.WAIT, StepType.BLOCK)
GATES = (StepType.BLOCK, StepType.INPUT)
_GATE_STATES = {Outcome.ERRORED: "blocked_failed", Outcome.CANCELED: "canceled", Outcome.NEUTRAL: "broken"}
_WAIT_STATES = {Outcome.ERRORED: "waiting_failed", Outcome.CANCELED: "canceled", Outcome.NEUTRAL: "broken"}


@dataclass(frozen=True, slots=True)
class BuildStep:
    """One step of one build.

    Attributes:
        position: its place among the build's steps.
        group_id: the group that holds it.
        step: what the document asked for.
        uploaded_by: the job that uploaded it; None where the pipeline or the request had it.
        unblocked_at: when a person unblocked it, in µs; 0 before.
        unblocked_by: who did.
        fields: what that person filled in.
        edits: keys of the latest changes, so that a repeated one changes nothing.
    """

    organization_id: OrganizationId
    id: StepId
    build_id: BuildId
    position: int
    group_id: StepId | None
    step: Step
    state: StepState = StepState.WAITING
    outcome: Outcome = Outcome.NONE
    uploaded_by: JobId | None = None
    unblocked_at: int = 0
    unblocked_by: UserId | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    edits: tuple[str, ...] = ()
    created_at: int = 0

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self.state is StepState.ENDED

    @property
    def blocked(self) -> bool:
        """Whether it waits for a person."""
        return self.step.type in GATES and self.state is StepState.READY

    @property
    def shown_state(self) -> str:
        """State of a wait, block or input as clients see it among the jobs (contract agent-api §5.6)."""
        if self.step.type in GATES:
            if self.ended:
                return _GATE_STATES.get(self.outcome, "unblocked")
            return "blocked" if self.blocked else "waiting"
        return _WAIT_STATES.get(self.outcome, "finished") if self.ended else "waiting"


class UploadState(StrEnum):
    """Where an upload that is processed in the background stands (contract agent-api §2.8)."""

    PENDING = "pending"
    PROCESSING = "processing"
    APPLIED = "applied"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Upload:
    """One pipeline upload of a job; `id` is the client's, so that a repeated one is done once."""

    organization_id: OrganizationId
    job_id: JobId
    id: str
    state: UploadState
    message: str
    document: str
    replace: bool
    created_at: int
