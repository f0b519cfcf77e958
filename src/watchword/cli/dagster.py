"""`dagster`: tokens of agents and people, what they may serve, deployments, roles, agents."""

from cyclopts import App

app = App(name="dagster", help="Manage Dagster+ tokens, permissions, deployments and roles.")
for _name, _where, _help in (
    (
        "token",
        "dagstertokens:agent_tokens",
        "Create, import, list, describe, permit, forbid, rotate and revoke agent tokens.",
    ),
    ("user-token", "dagsterusertokens:user_tokens", "Create, list, describe and revoke your user tokens."),
    ("deployment", "dagsterplaces:deployments", "List, create and delete deployments."),
    ("role", "dagsterplaces:roles", "List and set roles of people on deployments."),
    ("agent", "dagsterplaces:agents", "List agents and how they are."),
):
    # By name, so that a command imports what it needs and nothing else.
    app.command(f"watchword.cli.{_where}", name=_name, help=_help)
