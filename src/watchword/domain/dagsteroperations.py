"""Operations on what Dagster+ has: rows of `domain.operations`, which alone reads them."""

from watchword.domain.rights import Right, Row

_MEMBER, _ADMIN = Right.MEMBER, Right.ADMIN

DAGSTER_ROWS: tuple[Row, ...] = (
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
)
