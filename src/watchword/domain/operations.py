"""The operations: what people and their tools do, each with the scope and the right that it asks for.

REST routes and GraphQL fields name these; the command line goes through REST. A new operation is a new
row here, and the golden matrix of the tests shows who may perform it.
"""

from dataclasses import dataclass
from enum import StrEnum


class Right(StrEnum):
    """What an operation asks of the person behind the token."""

    HOLDER = "holder"  # nothing beyond the live token
    MEMBER = "member"
    TEAM_MAINTAINER = "team_maintainer"  # or administrator
    CLUSTER_MAINTAINER = "cluster_maintainer"  # or administrator
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation.

    Attributes:
        name: `noun.verb`; stable, programs read it.
        scope: what an API access token must have; "" takes any.
        right: what its owner must be.
        graphql: whether GraphQL has it too, where the one scope `graphql` opens everything.
        title: what it is, for people.
    """

    name: str
    scope: str
    right: Right
    graphql: bool
    title: str


_HOLDER, _MEMBER, _ADMIN = Right.HOLDER, Right.MEMBER, Right.ADMIN
_TEAM, _CLUSTER = Right.TEAM_MAINTAINER, Right.CLUSTER_MAINTAINER

_ROWS: tuple[tuple[str, str, Right, bool, str], ...] = (
    ("access_token.read", "", _HOLDER, False, "See what the presented token is"),
    ("access_token.revoke", "", _HOLDER, False, "Revoke the presented token"),
    ("access_token.operations", "", _HOLDER, False, "List what the presented token may do"),
    ("user.read", "read_user", _HOLDER, True, "See whose token it is"),
    ("organization.list", "read_organizations", _HOLDER, True, "List organizations that the token reaches"),
    ("organization.read", "read_organizations", _MEMBER, True, "See an organization"),
    ("organization.limits", "read_organizations", _MEMBER, True, "See the organization's rate limits"),
    ("organization.emojis", "", _MEMBER, False, "List emojis"),
    ("organization_settings.read", "read_organization_settings", _ADMIN, True, "See security settings"),
    ("organization_settings.update", "write_organization_settings", _ADMIN, True, "Change security settings"),
    ("organization_banner.read", "read_organizations", _MEMBER, True, "See the banner"),
    ("organization_banner.update", "write_organizations", _ADMIN, True, "Set or delete the banner"),
    ("member.read", "read_organizations", _MEMBER, True, "See members"),
    ("member.update", "write_organizations", _ADMIN, True, "Change a member's role"),
    ("member.remove", "write_organizations", _ADMIN, True, "Remove a member"),
    ("invitation.read", "read_organization_invitations", _ADMIN, True, "See invitations"),
    ("invitation.create", "write_organization_invitations", _ADMIN, True, "Invite people"),
    ("invitation.revoke", "write_organization_invitations", _ADMIN, True, "Revoke an invitation"),
    ("team.read", "read_teams", _MEMBER, True, "See teams and their members"),
    ("team.create", "write_teams", _ADMIN, True, "Create a team"),
    ("team.update", "write_teams", _TEAM, True, "Change a team"),
    ("team.delete", "write_teams", _ADMIN, True, "Delete a team"),
    ("team.enable", "write_teams", _ADMIN, True, "Turn teams on"),
    ("team_member.create", "write_teams", _TEAM, True, "Add a member to a team"),
    ("team_member.update", "write_teams", _TEAM, True, "Change a member's role in a team"),
    ("team_member.remove", "write_teams", _TEAM, True, "Remove a member from a team"),
    ("cluster.read", "read_clusters", _MEMBER, True, "See clusters"),
    ("cluster.create", "write_clusters", _ADMIN, True, "Create a cluster"),
    ("cluster.update", "write_clusters", _CLUSTER, True, "Change a cluster"),
    ("cluster.delete", "write_clusters", _ADMIN, True, "Delete a cluster"),
    ("maintainer.read", "read_clusters", _MEMBER, True, "See a cluster's maintainers"),
    ("maintainer.create", "write_clusters", _CLUSTER, True, "Add a maintainer to a cluster"),
    ("maintainer.delete", "write_clusters", _CLUSTER, True, "Remove a maintainer from a cluster"),
    ("queue.read", "read_clusters", _MEMBER, True, "See queues"),
    ("queue.create", "write_clusters", _CLUSTER, True, "Create a queue"),
    ("queue.update", "write_clusters", _CLUSTER, True, "Change a queue"),
    ("queue.delete", "write_clusters", _CLUSTER, True, "Delete a queue"),
    ("queue.pause", "write_clusters", _CLUSTER, True, "Pause a queue's dispatch"),
    ("queue.resume", "write_clusters", _CLUSTER, True, "Resume a queue's dispatch"),
    ("network_range.read", "read_clusters", _MEMBER, False, "See a cluster's network ranges"),
    ("secret.read", "read_secrets_details", _CLUSTER, True, "See secrets, never their values"),
    ("secret.create", "write_secrets", _CLUSTER, True, "Create a secret"),
    ("secret.update", "write_secrets", _CLUSTER, True, "Change a secret or its value"),
    ("secret.delete", "write_secrets", _CLUSTER, True, "Delete a secret"),
    ("agent_token.read", "read_clusters", _CLUSTER, True, "See agent tokens, never their values"),
    ("agent_token.create", "write_clusters", _CLUSTER, True, "Create or import an agent token"),
    ("agent_token.update", "write_clusters", _CLUSTER, True, "Change an agent token"),
    ("agent_token.revoke", "write_clusters", _CLUSTER, True, "Revoke an agent token"),
    ("agent_token.rotate", "write_clusters", _CLUSTER, True, "Rotate an agent token"),
    (
        "agent_token.reveal",
        "write_organization_settings",
        _ADMIN,
        False,
        "Reveal an agent token's value, on the console alone, where a copy is kept",
    ),
    (
        "unclustered_agent_token.read",
        "read_agents",
        _ADMIN,
        True,
        "See unclustered agent tokens, never their values",
    ),
    ("unclustered_agent_token.create", "write_agents", _ADMIN, True, "Create an unclustered agent token"),
    ("unclustered_agent_token.update", "write_agents", _ADMIN, True, "Change an unclustered agent token"),
    ("unclustered_agent_token.revoke", "write_agents", _ADMIN, True, "Revoke an unclustered agent token"),
    ("unclustered_agent_token.rotate", "write_agents", _ADMIN, True, "Rotate an unclustered agent token"),
    (
        "unclustered_agent_token.reveal",
        "write_organization_settings",
        _ADMIN,
        False,
        "Reveal an unclustered agent token's value, on the console alone, where a copy is kept",
    ),
    (
        "api_token.read",
        "read_organization_settings",
        _ADMIN,
        True,
        "See everybody's API access tokens, never their values",
    ),
    (
        "api_token.list",
        "read_organization_settings",
        _MEMBER,
        False,
        "See API access tokens of one's own, never their values",
    ),
    (
        "api_token.create",
        "write_organization_settings",
        _MEMBER,
        False,
        "Create an API access token, no wider than the presented one",
    ),
    (
        "api_token.update",
        "write_organization_settings",
        _MEMBER,
        False,
        "Change an API access token of one's own",
    ),
    (
        "api_token.revoke",
        "write_organization_settings",
        _MEMBER,
        False,
        "Revoke an API access token of one's own",
    ),
    (
        "api_token.rotate",
        "write_organization_settings",
        _MEMBER,
        False,
        "Rotate an API access token of one's own",
    ),
    (
        "api_token.remove_organization",
        "write_organization_settings",
        _ADMIN,
        True,
        "Remove the organization from somebody's API access token",
    ),
    (
        "dagster_agent_token.read",
        "read_organization_settings",
        _ADMIN,
        False,
        "See Dagster agent tokens and their permissions, never their values",
    ),
    (
        "dagster_agent_token.create",
        "write_organization_settings",
        _ADMIN,
        False,
        "Create or import a Dagster agent token",
    ),
    (
        "dagster_agent_token.update",
        "write_organization_settings",
        _ADMIN,
        False,
        "Change a Dagster agent token or its permissions",
    ),
    (
        "dagster_agent_token.revoke",
        "write_organization_settings",
        _ADMIN,
        False,
        "Revoke a Dagster agent token",
    ),
    (
        "dagster_agent_token.rotate",
        "write_organization_settings",
        _ADMIN,
        False,
        "Rotate a Dagster agent token",
    ),
    (
        "dagster_agent_token.reveal",
        "write_organization_settings",
        _ADMIN,
        False,
        "Reveal a Dagster agent token's value, on the console alone",
    ),
    (
        "dagster_user_token.list",
        "read_organization_settings",
        _MEMBER,
        False,
        "See Dagster user tokens of one's own, never their values",
    ),
    (
        "dagster_user_token.read",
        "read_organization_settings",
        _ADMIN,
        False,
        "See everybody's Dagster user tokens, never their values",
    ),
    (
        "dagster_user_token.create",
        "write_organization_settings",
        _MEMBER,
        False,
        "Create a Dagster user token of one's own",
    ),
    (
        "dagster_user_token.update",
        "write_organization_settings",
        _MEMBER,
        False,
        "Change a Dagster user token of one's own",
    ),
    (
        "dagster_user_token.revoke",
        "write_organization_settings",
        _MEMBER,
        False,
        "Revoke a Dagster user token of one's own; administrators anybody's",
    ),
    (
        "dagster_user_token.reveal",
        "write_organization_settings",
        _MEMBER,
        False,
        "Reveal a Dagster user token of one's own, on the console alone",
    ),
    ("dagster_deployment.read", "read_organization_settings", _MEMBER, False, "See Dagster+ deployments"),
    (
        "dagster_deployment.create",
        "write_organization_settings",
        _ADMIN,
        False,
        "Create a Dagster+ deployment",
    ),
    (
        "dagster_deployment.delete",
        "write_organization_settings",
        _ADMIN,
        False,
        "Delete a Dagster+ deployment",
    ),
    ("dagster_role.read", "read_organization_settings", _ADMIN, False, "See roles on Dagster+ deployments"),
    (
        "dagster_role.update",
        "write_organization_settings",
        _ADMIN,
        False,
        "Change roles on Dagster+ deployments",
    ),
    (
        "dagster_agent.read",
        "read_organization_settings",
        _MEMBER,
        False,
        "See Dagster agents and how they are",
    ),
    ("hygiene.read", "read_organization_settings", _ADMIN, False, "List tokens that need attention"),
    ("incident.read", "read_organization_settings", _ADMIN, False, "See incidents"),
    (
        "incident.close",
        "write_organization_settings",
        _ADMIN,
        False,
        "Close an incident and lift its quarantine",
    ),
    ("leak.read", "read_organization_settings", _CLUSTER, False, "See leaked tokens"),
    ("leak.report", "write_organization_settings", _MEMBER, False, "Report a leaked token"),
    (
        "leak.respond",
        "write_organization_settings",
        _CLUSTER,
        False,
        "Answer a leak, or release what it holds",
    ),
    ("leak.close", "write_organization_settings", _CLUSTER, False, "Close or reopen the case of a leak"),
    ("leak_policy.read", "read_organization_settings", _ADMIN, False, "See what follows a leak"),
    ("leak_policy.update", "write_organization_settings", _ADMIN, False, "Change what follows a leak"),
    ("agent.read", "read_agents", _MEMBER, True, "See agents"),
    ("agent.stop", "write_agents", _CLUSTER, True, "Stop an agent"),
    ("agent.pause", "write_agents", _CLUSTER, True, "Pause an agent"),
    ("agent.resume", "write_agents", _CLUSTER, True, "Resume an agent"),
    ("pipeline.read", "read_pipelines", _MEMBER, True, "See pipelines"),
    ("pipeline.create", "write_pipelines", _MEMBER, True, "Create a pipeline"),
    ("pipeline.update", "write_pipelines", _MEMBER, True, "Change a pipeline"),
    ("pipeline.archive", "write_pipelines", _MEMBER, True, "Archive or unarchive a pipeline"),
    ("pipeline.delete", "write_pipelines", _ADMIN, True, "Delete a pipeline"),
    ("build.read", "read_builds", _MEMBER, True, "See builds, jobs and annotations"),
    ("build.create", "write_builds", _MEMBER, True, "Create or rebuild a build"),
    ("build.cancel", "write_builds", _MEMBER, True, "Cancel a build"),
    ("job.retry", "write_builds", _MEMBER, True, "Retry jobs"),
    ("job.unblock", "write_builds", _MEMBER, True, "Unblock a step"),
    ("job.reprioritize", "write_builds", _MEMBER, True, "Change a job's priority"),
    ("job.cancel", "write_builds", _MEMBER, True, "Cancel a job"),
    ("job.environment", "read_job_env", _MEMBER, False, "See a job's environment"),
    ("log.read", "read_build_logs", _MEMBER, False, "Read job logs"),
    ("log.delete", "write_build_logs", _MEMBER, False, "Delete job logs"),
    ("annotation.create", "write_builds", _MEMBER, True, "Annotate a build"),
    ("annotation.delete", "write_builds", _MEMBER, True, "Delete an annotation"),
    ("artifact.read", "read_artifacts", _MEMBER, True, "See and download artifacts"),
    ("artifact.delete", "write_artifacts", _MEMBER, True, "Delete artifacts"),
    ("audit_event.read", "read_audit_events", _ADMIN, True, "Read the audit trail"),
    (
        "notification_service.read",
        "read_notification_services",
        _ADMIN,
        True,
        "See webhooks and other notification services",
    ),
    (
        "notification_service.create",
        "write_notification_services",
        _ADMIN,
        False,
        "Create a notification service",
    ),
    (
        "notification_service.update",
        "write_notification_services",
        _ADMIN,
        False,
        "Change, enable or disable a notification service",
    ),
    (
        "notification_service.delete",
        "write_notification_services",
        _ADMIN,
        False,
        "Delete a notification service",
    ),
    ("token.introspect", "introspect_tokens", _MEMBER, False, "Ask what a presented token may do"),
)

OPERATIONS: dict[str, Operation] = {row[0]: Operation(*row) for row in _ROWS}
