"""Audit events: the catalogue, and the record of one."""

from dataclasses import dataclass
from enum import StrEnum

from watchword.domain.ids import EventId, OrganizationId


class Action(StrEnum):
    """What happened, as `subject.verb`."""

    ORGANIZATION_CREATED = "organization.created"
    USER_CREATED = "user.created"
    MEMBER_ADDED = "member.added"
    CLUSTER_CREATED = "cluster.created"
    CLUSTER_UPDATED = "cluster.updated"
    CLUSTER_DELETED = "cluster.deleted"
    QUEUE_CREATED = "queue.created"
    QUEUE_PAUSED = "queue.paused"
    QUEUE_RESUMED = "queue.resumed"
    TOKEN_CREATED = "token.created"  # noqa: S105 - the name of an event
    TOKEN_UPDATED = "token.updated"  # noqa: S105 - the name of an event
    TOKEN_REVOKED = "token.revoked"  # noqa: S105 - the name of an event
    AGENT_REGISTERED = "agent.registered"
    AGENT_CONNECTED = "agent.connected"
    AGENT_DISCONNECTED = "agent.disconnected"
    AGENT_LOST = "agent.lost"
    AGENT_EXPIRED = "agent.expired"
    AGENT_STOPPING = "agent.stopping"
    AGENT_PAUSED = "agent.paused"
    AGENT_RESUMED = "agent.resumed"
    PIPELINE_CREATED = "pipeline.created"
    PIPELINE_UPDATED = "pipeline.updated"
    BUILD_CREATED = "build.created"
    BUILD_CANCELED = "build.canceled"
    STEPS_UPLOADED = "steps.uploaded"
    STEP_UPDATED = "step.updated"
    STEP_UNBLOCKED = "step.unblocked"
    STEP_CANCELED = "step.canceled"
    JOB_RETRIED = "job.retried"
    JOB_REPRIORITIZED = "job.reprioritized"
    JOB_ACCEPTED = "job.accepted"
    JOB_STARTED = "job.started"
    JOB_FINISHED = "job.finished"
    JOB_RELEASED = "job.released"
    JOB_CANCELING = "job.canceling"
    JOB_TIMING_OUT = "job.timing_out"
    JOB_UPDATED = "job.updated"
    JOB_FAILURE_PROMISED = "job.failure_promised"
    ARTIFACT_DELETED = "artifact.deleted"
    BUILD_EXPIRED = "build.expired"
    AUDIT_EXPIRED = "audit.expired"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it: `kind` is user, agent, job, token or system."""

    kind: str
    id: str
    name: str = ""


SYSTEM = Actor("system", "", "Watchword")


@dataclass(frozen=True, slots=True)
class Event:
    """One audit event. `sequence` is gap-free in its organization; `data` is JSON without secrets."""

    organization_id: OrganizationId
    sequence: int
    id: EventId
    at: int
    action: Action
    actor_kind: str
    actor_id: str
    actor_name: str
    subject_kind: str
    subject_id: str
    address: str
    request_id: str
    data: str


@dataclass(frozen=True, slots=True)
class Notice:
    """One outbox row: what other parts and nodes must hear of, in commit order."""

    id: int
    at: int
    organization_id: OrganizationId
    topic: str
    payload: str


TOPIC_TOKEN_ENDED = "token.ended"  # noqa: S105 - the name of a topic
TOPIC_TOKEN_CHANGED = "token.changed"  # noqa: S105 - the name of a topic
