"""Scopes of API access tokens (contract rest-graphql §1.3) and the relation "is narrower than"."""

from collections.abc import Iterable

REST_SCOPES: tuple[str, ...] = (
    "read_agents",
    "write_agents",
    "read_artifacts",
    "write_artifacts",
    "read_audit_events",
    "read_build_logs",
    "write_build_logs",
    "read_builds",
    "write_builds",
    "read_clusters",
    "write_clusters",
    "read_job_env",
    "read_notification_services",
    "write_notification_services",
    "read_organization_invitations",
    "write_organization_invitations",
    "read_organization_repository_connections",
    "read_organization_settings",
    "write_organization_settings",
    "read_organizations",
    "write_organizations",
    "read_packages",
    "write_packages",
    "delete_packages",
    "read_pipeline_templates",
    "write_pipeline_templates",
    "read_pipelines",
    "write_pipelines",
    "read_portals",
    "write_portals",
    "read_registries",
    "write_registries",
    "delete_registries",
    "read_rules",
    "write_rules",
    "read_secrets_details",
    "write_secrets",
    "read_suites",
    "write_suites",
    "read_teams",
    "write_teams",
    "read_test_plan",
    "write_test_plan",
    "read_user",
)
GRAPHQL = "graphql"
# Ours: lets a resource server ask what a token may do (RFC 7662 §2.1 wants the caller authorized).
INTROSPECT = "introspect_tokens"

ALL_SCOPES: frozenset[str] = frozenset((*REST_SCOPES, GRAPHQL, INTROSPECT))

_ALIASES = {
    "read_accounts": "read_organizations",
    "view_teams": "read_teams",
    "read_secret_details": "read_secrets_details",
    "read_build": "read_builds",
}


_READING, _WRITING, _DELETING = (
    frozenset(word for word in REST_SCOPES if word.startswith(verb))
    for verb in ("read_", "write_", "delete_")
)
# Groups of scopes that people choose by one word (contract rest-graphql §1.3).
PRESETS: dict[str, frozenset[str]] = {
    "read_only": _READING,
    "read_write": _READING | _WRITING,
    "full": _READING | _WRITING | _DELETING,
}


def canonical(scopes: Iterable[str]) -> frozenset[str]:
    """Resolve aliases.

    Raises:
        ValueError: a word is not a scope; the message names it.
    """
    words = frozenset(_ALIASES.get(word, word) for word in scopes)
    unknown = sorted(words - ALL_SCOPES)
    if unknown:
        raise ValueError(f"unknown scope {unknown[0]}")
    return words


def is_narrower(inner: frozenset[str], outer: frozenset[str]) -> bool:
    """Whether everything that `inner` opens is opened by `outer` too."""
    return inner <= outer
