"""The catalogue of audit events: our actions by the words that clients know (contract rest-graphql §2.14).

A word is that of the GraphQL enum, `CLUSTER_TOKEN_CREATED`; REST writes the same class-style,
`ClusterTokenCreatedEvent`. What the contract has no word for keeps our own in the same form.
"""

from watchword.domain.events import Action
from watchword.domain.kinds import Kind

# Changes that widen what somebody may do, or show what is secret: they wait while the trail is not published.
# A revocation never waits.
PRIVILEGED: frozenset[Action] = frozenset(
    {
        Action.TOKEN_CREATED,
        Action.OAUTH_APPLICATION_CREATED,
        Action.OAUTH_APPLICATION_UPDATED,
        Action.OAUTH_GRANT_APPROVED,
        Action.OAUTH_GRANT_CREATED,
        Action.OAUTH_GRANT_REFRESHED,
        Action.TOKEN_IMPORTED,
        Action.TOKEN_REVEALED,
        Action.ROTATION_STARTED,
        Action.LEAK_RELEASED,
        Action.LEAK_VALUE_TAKEN,
        Action.LEAK_POLICY_UPDATED,
        Action.DEPLOYMENT_GRANT_ADDED,
        Action.DEPLOYMENT_ROLE_CHANGED,
        Action.REVEAL_POLICY_CHANGED,
        Action.REGISTRY_VISIBILITY_CHANGED,
        Action.ORGANIZATION_SECURITY_UPDATED,
        Action.JOB_IDENTITY_ISSUED,
        Action.JOB_POLICY_UPDATED,
        Action.MEMBER_ADDED,
        Action.MEMBER_UPDATED,
        Action.INVITATION_CREATED,
        Action.INVITATION_ACCEPTED,
        Action.INVITATION_RESENT,
        Action.TEAM_MEMBER_ADDED,
        Action.TEAM_MEMBER_UPDATED,
        Action.MAINTAINER_ADDED,
        Action.SECRET_CREATED,
        Action.SECRET_VALUE_UPDATED,
        Action.SECRET_READ,
        Action.REPOSITORY_CREDENTIAL_CREATED,
        Action.REPOSITORY_TOKEN_ISSUED,
        Action.PORTAL_CREATED,
        Action.PORTAL_UPDATED,
        Action.PORTAL_CODE_AUTHORIZED,
        Action.USER_CREATED,
        Action.USER_RECOVERED,
        Action.USER_FIRST_LINK_MADE,
        Action.TRUSTED_ISSUER_CREATED,
        Action.TRUSTED_ISSUER_UPDATED,
        Action.EXCHANGE_APPLICATION_CREATED,
        Action.EXCHANGE_APPLICATION_UPDATED,
    }
)

# Nouns of tokens by their kind.
_TOKENS = {
    Kind.AGENT.value: "CLUSTER_TOKEN",
    Kind.UNCLUSTERED_AGENT.value: "AGENT_TOKEN",
    Kind.API_ACCESS.value: "API_ACCESS_TOKEN",
    Kind.REGISTRY.value: "REGISTRY_TOKEN",
    Kind.PORTAL_SERVICE.value: "PORTAL_TOKEN",
    Kind.PORTAL_EPHEMERAL.value: "PORTAL_TOKEN",
    Kind.PORTAL_USER.value: "PORTAL_TOKEN",
    Kind.PORTAL_SECRET.value: "PORTAL_SECRET",
    Kind.TRUSTED_ISSUER.value: "TRUSTED_ISSUER",
}
_TOKEN = "TOKEN"  # noqa: S105 - a noun
_SUBJECTS = {
    "queue": "CLUSTER_QUEUE",
    "maintainer": "CLUSTER_PERMISSION",
    "member": "ORGANIZATION_MEMBER",
    "invitation": "ORGANIZATION_INVITATION",
    "banner": "ORGANIZATION_BANNER",
    "security_policy": "ORGANIZATION_SECURITY_SETTING",
}
_WORDS = {
    Action.MEMBER_ADDED: "ORGANIZATION_MEMBER_CREATED",
    Action.MEMBER_UPDATED: "ORGANIZATION_MEMBER_UPDATED",
    Action.MEMBER_REMOVED: "ORGANIZATION_MEMBER_DELETED",
    Action.ORGANIZATION_SECURITY_UPDATED: "ORGANIZATION_SECURITY_SETTINGS_UPDATED",
    Action.REVEAL_POLICY_CHANGED: "ORGANIZATION_SECURITY_SETTINGS_UPDATED",
    Action.TEAM_MEMBER_ADDED: "TEAM_MEMBER_CREATED",
    Action.TEAM_MEMBER_REMOVED: "TEAM_MEMBER_DELETED",
    Action.MAINTAINER_ADDED: "CLUSTER_PERMISSION_CREATED",
    Action.MAINTAINER_REMOVED: "CLUSTER_PERMISSION_DELETED",
    Action.TOKEN_ORGANIZATION_REMOVED: "API_ACCESS_TOKEN_ORGANIZATION_ACCESS_REVOKED",
    Action.USER_TOTP_ENABLED: "USER_TOTP_CREATED",
    Action.USER_TOTP_DISABLED: "USER_TOTP_DELETED",
}
# Nouns of ours that the contract writes longer.
_NOUNS = {
    "queue": "CLUSTER_QUEUE",
    "invitation": "ORGANIZATION_INVITATION",
    "banner": "ORGANIZATION_BANNER",
}
_REVOKED = {
    "CLUSTER_TOKEN": "DELETED",
    "API_ACCESS_TOKEN": "DELETED",
    "REGISTRY_TOKEN": "DELETED",
    "PORTAL_TOKEN": "DELETED",
    "PORTAL_SECRET": "DELETED",
}


def type_word(action: Action, token_kind: str = "") -> str:
    """The word of an event as the GraphQL enum has it.

    Args:
        action: what was done.
        token_kind: kind of the token that it was done to, where it was one.
    """
    if action in _WORDS:
        return _WORDS[action]
    noun, _, verb = action.value.partition(".")
    if noun == "token":
        name = _TOKENS.get(token_kind, _TOKEN)
        done = _REVOKED.get(name, "REVOKED") if action is Action.TOKEN_REVOKED else verb.upper()
        return f"{name}_{done}"
    return f"{_NOUNS.get(noun, noun.upper())}_{verb.upper()}"


def subject_word(kind: str, token_kind: str = "") -> str:
    """The word of a subject's type as the GraphQL enum has it."""
    if kind == "token":
        return _TOKENS.get(token_kind, _TOKEN)
    return _SUBJECTS.get(kind, kind.upper())


def class_style(word: str) -> str:
    """A word of the enum as REST writes it: `CLUSTER_TOKEN` becomes `ClusterToken`."""
    plain = "".join(part.capitalize() for part in word.split("_"))
    return plain.replace("Api", "API", 1) if plain.startswith("Api") else plain


def every_word() -> list[str]:
    """All words that events can have, in order."""
    kinds = ("", *_TOKENS)
    return sorted({type_word(action, kind) for action in Action for kind in kinds})
