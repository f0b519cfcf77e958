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
    JOB_RESERVATION_EXPIRED = "job.reservation_expired"
    JOB_CANCELING = "job.canceling"
    JOB_TIMING_OUT = "job.timing_out"
    JOB_UPDATED = "job.updated"
    JOB_FAILURE_PROMISED = "job.failure_promised"
    ARTIFACT_DELETED = "artifact.deleted"
    BUILD_EXPIRED = "build.expired"
    AUDIT_EXPIRED = "audit.expired"
    ORGANIZATION_UPDATED = "organization.updated"
    ORGANIZATION_SECURITY_UPDATED = "organization_security.updated"
    ORGANIZATION_TEAMS_ENABLED = "organization_teams.enabled"
    BANNER_CREATED = "banner.created"
    BANNER_UPDATED = "banner.updated"
    BANNER_DELETED = "banner.deleted"
    MEMBER_UPDATED = "member.updated"
    MEMBER_REMOVED = "member.removed"
    INVITATION_CREATED = "invitation.created"
    INVITATION_ACCEPTED = "invitation.accepted"
    INVITATION_REVOKED = "invitation.revoked"
    INVITATION_RESENT = "invitation.resent"
    TEAM_CREATED = "team.created"
    TEAM_UPDATED = "team.updated"
    TEAM_DELETED = "team.deleted"
    TEAM_MEMBER_ADDED = "team_member.added"
    TEAM_MEMBER_UPDATED = "team_member.updated"
    TEAM_MEMBER_REMOVED = "team_member.removed"
    MAINTAINER_ADDED = "maintainer.added"
    MAINTAINER_REMOVED = "maintainer.removed"
    STACK_REGISTERED = "stack.registered"
    STACK_DEREGISTERED = "stack.deregistered"
    STACK_RESERVED = "stack.reserved"
    QUEUE_UPDATED = "queue.updated"
    QUEUE_DELETED = "queue.deleted"
    SECRET_CREATED = "secret.created"  # noqa: S105 - the name of an event
    SECRET_UPDATED = "secret.updated"  # noqa: S105 - the name of an event
    SECRET_VALUE_UPDATED = "secret.value_updated"  # noqa: S105 - the name of an event
    SECRET_DELETED = "secret.deleted"  # noqa: S105 - the name of an event
    SECRET_READ = "secret.read"  # noqa: S105 - the name of an event
    SECRET_REFUSED = "secret.refused"  # noqa: S105 - the name of an event
    REPOSITORY_CREDENTIAL_CREATED = "repository_credential.created"
    REPOSITORY_CREDENTIAL_DELETED = "repository_credential.deleted"
    REPOSITORY_TOKEN_ISSUED = "repository_token.issued"  # noqa: S105 - the name of an event
    REPOSITORY_TOKEN_REFUSED = "repository_token.refused"  # noqa: S105 - the name of an event
    CACHE_REGISTRY_CREATED = "cache_registry.created"
    CACHE_REGISTRY_DELETED = "cache_registry.deleted"
    CACHE_ENTRY_SAVED = "cache_entry.saved"
    CACHE_ENTRY_EXPIRED = "cache_entry.expired"
    TOKEN_IMPORTED = "token.imported"  # noqa: S105 - the name of an event
    TOKEN_REVEALED = "token.revealed"  # noqa: S105 - the name of an event
    TOKEN_ORGANIZATION_REMOVED = "token.organization_removed"  # noqa: S105 - the name of an event
    TOKEN_EXPIRY_REMINDED = "token.expiry_reminded"  # noqa: S105 - the name of an event
    TOKEN_REGISTRATION_BLOCKED = "token.registration_blocked"  # noqa: S105 - the name of an event
    REVOCATION_FINISHED = "revocation.finished"
    ROTATION_STARTED = "rotation.started"
    ROTATION_EXTENDED = "rotation.extended"
    ROTATION_COMMITTED = "rotation.committed"
    ROTATION_ABORTED = "rotation.aborted"
    REVEAL_POLICY_CHANGED = "reveal_policy.changed"
    INCIDENT_OPENED = "incident.opened"
    INCIDENT_CLOSED = "incident.closed"
    AGENT_BLOCKED = "agent.blocked"
    LEAK_OPENED = "leak.opened"
    LEAK_SEEN = "leak.seen"
    LEAK_HELD = "leak.held"
    LEAK_ANSWERED = "leak.answered"
    LEAK_RELEASED = "leak.released"
    LEAK_CLOSED = "leak.closed"
    LEAK_REOPENED = "leak.reopened"
    LEAK_VALUE_TAKEN = "leak.value_taken"
    LEAK_POLICY_UPDATED = "leak_policy.updated"
    DEPLOYMENT_CREATED = "deployment.created"
    DEPLOYMENT_UPDATED = "deployment.updated"
    DEPLOYMENT_DELETED = "deployment.deleted"
    DEPLOYMENT_GRANT_ADDED = "deployment_grant.added"
    DEPLOYMENT_GRANT_REMOVED = "deployment_grant.removed"
    DEPLOYMENT_ROLE_CHANGED = "deployment_role.changed"
    REGISTRY_CREATED = "registry.created"
    REGISTRY_UPDATED = "registry.updated"
    REGISTRY_VISIBILITY_CHANGED = "registry.visibility_changed"
    REGISTRY_DELETED = "registry.deleted"
    PACKAGE_UPLOADED = "package.uploaded"
    PACKAGE_DELETED = "package.deleted"
    DRILL_PASSED = "drill.passed"
    DRILL_FAILED = "drill.failed"
    CODE_LOCATION_ADDED = "code_location.added"
    CODE_LOCATION_UPDATED = "code_location.updated"
    CODE_LOCATION_DELETED = "code_location.deleted"
    JOB_IDENTITY_ISSUED = "job_identity.issued"
    JOB_WROTE_ACROSS = "job.wrote_across"
    JOB_POLICY_UPDATED = "job_policy.updated"
    SIGNING_KEY_ROTATED = "signing_key.rotated"
    SIGNING_KEY_WITHDRAWN = "signing_key.withdrawn"
    USER_SIGNED_IN = "user.signed_in"
    USER_SIGNED_OUT = "user.signed_out"
    USER_SIGN_IN_REFUSED = "user.sign_in_refused"
    USER_STEPPED_UP = "user.stepped_up"
    USER_PASSWORD_CHANGED = "user.password_changed"  # noqa: S105 - the name of an event
    USER_PASSWORD_RESET_REQUESTED = "user.password_reset_requested"  # noqa: S105 - the name of an event
    USER_TOTP_ENABLED = "user.totp_enabled"
    USER_TOTP_DISABLED = "user.totp_disabled"
    USER_RECOVERY_CODES_MADE = "user.recovery_codes_made"
    USER_RECOVERED = "user.recovered"
    USER_DISABLED = "user.disabled"
    USER_ENABLED = "user.enabled"
    USER_SESSIONS_ENDED = "user.sessions_ended"
    USER_PASSKEY_ADDED = "user.passkey_added"
    USER_PASSKEY_RENAMED = "user.passkey_renamed"
    USER_PASSKEY_REMOVED = "user.passkey_removed"
    USER_PASSKEY_REFUSED = "user.passkey_refused"
    USER_IDENTITY_LINKED = "user.identity_linked"
    USER_IDENTITY_UNLINKED = "user.identity_unlinked"
    USER_EMAIL_CHANGE_REQUESTED = "user.email_change_requested"
    USER_EMAIL_CHANGED = "user.email_changed"
    USER_FIRST_LINK_MADE = "user.first_link_made"
    NOTIFICATION_SERVICE_CREATED = "notification_service.created"
    NOTIFICATION_SERVICE_UPDATED = "notification_service.updated"
    NOTIFICATION_SERVICE_DELETED = "notification_service.deleted"
    NOTIFICATION_SERVICE_ENABLED = "notification_service.enabled"
    NOTIFICATION_SERVICE_DISABLED = "notification_service.disabled"
    NOTIFICATION_SERVICE_BROKEN = "notification_service.broken"
    PORTAL_CREATED = "portal.created"
    PORTAL_UPDATED = "portal.updated"
    PORTAL_DELETED = "portal.deleted"
    PORTAL_CODE_AUTHORIZED = "portal_token_code.authorized"
    PORTAL_CODE_DENIED = "portal_token_code.denied"
    PIPELINE_ARCHIVED = "pipeline.archived"
    PIPELINE_UNARCHIVED = "pipeline.unarchived"
    PIPELINE_DELETED = "pipeline.deleted"
    LOG_DELETED = "log.deleted"
    ANNOTATION_CREATED = "annotation.created"
    ANNOTATION_DELETED = "annotation.deleted"
    OAUTH_APPLICATION_CREATED = "oauth_application.created"
    OAUTH_APPLICATION_UPDATED = "oauth_application.updated"
    OAUTH_APPLICATION_DELETED = "oauth_application.deleted"
    OAUTH_GRANT_APPROVED = "oauth_grant.approved"
    OAUTH_GRANT_CREATED = "oauth_grant.created"
    OAUTH_GRANT_REFRESHED = "oauth_grant.refreshed"
    OAUTH_GRANT_REVOKED = "oauth_grant.revoked"
    TRUSTED_ISSUER_CREATED = "trusted_issuer.created"
    TRUSTED_ISSUER_UPDATED = "trusted_issuer.updated"
    TRUSTED_ISSUER_REFUSED = "trusted_issuer.refused"
    EXCHANGE_APPLICATION_CREATED = "exchange_application.created"
    EXCHANGE_APPLICATION_UPDATED = "exchange_application.updated"
    EXCHANGE_APPLICATION_DELETED = "exchange_application.deleted"


# After these an API access token may reach other organizations, or be called from elsewhere, than before.
REACH_CHANGES = frozenset(
    {
        Action.MEMBER_ADDED,
        Action.MEMBER_REMOVED,
        Action.INVITATION_ACCEPTED,
        Action.ORGANIZATION_SECURITY_UPDATED,
        Action.TOKEN_ORGANIZATION_REMOVED,
        Action.USER_DISABLED,
        Action.USER_ENABLED,
        Action.USER_TOTP_ENABLED,
        Action.USER_TOTP_DISABLED,
        Action.USER_PASSKEY_ADDED,
        Action.USER_PASSKEY_REMOVED,
        Action.USER_RECOVERED,
    }
)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it: user, agent, job, token, portal, trusted_issuer, exchange_application or system."""

    kind: str
    id: str
    name: str = ""


SYSTEM = Actor("system", "", "Watchword")


@dataclass(frozen=True, slots=True)
class Event:
    """One audit event. `sequence` is gap-free in its organization; `data` is JSON without secrets.

    Attributes:
        user_agent: what the client called itself.
        token_id: the API access token behind a call; empty for a browser's session and for agents.
    """

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
    user_agent: str = ""
    token_id: str = ""


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
TOPIC_ROTATION_CHANGED = "rotation.changed"
TOPIC_INCIDENT_CHANGED = "incident.changed"
TOPIC_LEAK_CHANGED = "leak.changed"
# What agent tokens may serve, what people may do, or which deployments there are, has changed.
TOPIC_DEPLOYMENT_CHANGED = "deployment.changed"
# Work waits for Dagster agents; the payload says in which line.
TOPIC_WORK_QUEUED = "work.queued"
# Code locations of a deployment have changed; the payload is its id.
TOPIC_LOCATIONS_CHANGED = "code_locations.changed"
# Which organizations API access tokens reach, or from where these may be called, has changed.
TOPIC_REACH_CHANGED = "reach.changed"
TOPIC_TOKEN_IMPORTED = "token.imported"  # noqa: S105 - the name of a topic
