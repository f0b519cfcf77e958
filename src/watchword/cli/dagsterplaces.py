"""`dagster deployment`, `dagster role` and `dagster agent`: over REST."""

from typing import Annotated

from cyclopts import App, Parameter

from watchword.cli.client import AsJson, Client, CredentialsFile
from watchword.cli.naming import confirm, segment
from watchword.cli.output import clean, show_json, show_table
from watchword.domain.ids import is_uuid

deployments = App(name="deployment", help="List, create and delete Dagster+ deployments.")
roles = App(name="role", help="List and set roles of people on Dagster+ deployments.")
agents = App(name="agent", help="List Dagster agents and how they are.")

_Text = Annotated[str | None, Parameter(show_default=False)]
_Yes = Annotated[bool, Parameter(name=("--yes", "-y"), negative=())]
_DEPLOYMENTS = "dagster/deployments"


@deployments.command(name="list")
def list_deployments(
    *, kind: _Text = None, json: AsJson = False, credentials: CredentialsFile = None
) -> None:
    """List full deployments, then branch deployments.

    Args:
        kind: Only full or branch ones.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    given = {} if kind is None else {"kind": kind}
    found = list(Client.connect(credentials).every(_DEPLOYMENTS, **given))
    if json:
        show_json(found)
        return
    show_table(
        ("Number", "Name", "Kind", "Follows", "Created"),
        [[each[name] for name in ("number", "name", "kind", "base", "created_at")] for each in found],
        empty="There is no deployment. Next: watchword dagster deployment create NAME",
    )


@deployments.command
def create(name: str, /, *, json: AsJson = False, credentials: CredentialsFile = None) -> None:
    """Create a full deployment.

    Args:
        name: Its name, part of addresses.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    made = Client.connect(credentials).call("POST", _DEPLOYMENTS, {"name": name})
    if json:
        show_json(made)
    else:
        print(f"Created deployment {clean(made['name'])}.")


@deployments.command
def delete(name: str, /, *, yes: _Yes = False, credentials: CredentialsFile = None) -> None:
    """Delete a deployment with its branches and the permissions and roles on it.

    Args:
        name: Its name.
        yes: Do not ask.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    radius = client.call("GET", f"{_DEPLOYMENTS}/{segment(name)}/blast-radius")
    tokens = radius["agent_tokens"]
    stranded = sum(each["stranded"] for each in tokens)
    told = (
        f"{len(radius['branches'])} branch deployments go with it, {len(tokens)} agent tokens lose a"
        f" permission, {stranded} of them their last one, {radius['roles']} roles end"
    )
    confirm(f"Delete {name} ({told})", yes=yes)
    client.call("DELETE", f"{_DEPLOYMENTS}/{segment(name)}")
    print(f"Deleted {clean(name)}; {told}.")


@roles.command(name="list")
def list_roles(*, json: AsJson = False, credentials: CredentialsFile = None) -> None:
    """List members with their roles; whoever has none is a viewer.

    Args:
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    found = list(Client.connect(credentials).every("dagster/roles"))
    if json:
        show_json(found)
        return
    rows = []
    for each in found:
        given = [f"{name}: {role}" for name, role in each["deployments"].items()]
        given += [f"branch deployments: {each['branches']}"] if each["branches"] else []
        shown = "organization admin" if each["organization_admin"] else ", ".join(given) or "viewer"
        rows.append([each["user_id"], each["email"], shown])
    show_table(("Id", "Email", "Roles"), rows, empty="There is no member.")


@roles.command(name="set")
def set_role(
    user: str,
    role: str,
    /,
    *,
    deployment: _Text = None,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Set a member's role: viewer, launcher, editor or admin; on all branch deployments unless one is named.

    Args:
        user: The member, by id or e-mail address.
        role: The role.
        deployment: Name of a full deployment.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    user_id = user
    if not is_uuid(user):
        named = [each["id"] for each in client.every("members") if each["email"] == user]
        user_id = named[0] if named else user
    body = {"role": role, "deployment": deployment}
    found = client.call("PUT", f"dagster/roles/{segment(user_id)}", body)
    if json:
        show_json(found)
    else:
        print(f"{clean(found['email'])} is {role} on {clean(deployment or 'all branch deployments')}.")


@agents.command(name="list")
def list_agents(*, json: AsJson = False, credentials: CredentialsFile = None) -> None:
    """List agents that were heard of in the last week, the latest first.

    Args:
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    found = list(Client.connect(credentials).every("dagster/agents"))
    if json:
        show_json(found)
        return
    show_table(
        ("Id", "Label", "Status", "Version", "Deployments", "Last heartbeat", "Errors"),
        [
            [
                each["id"],
                each["label"],
                each["status"],
                each["version"],
                ", ".join(each["deployments"]),
                each["last_heartbeat_at"],
                len(each["errors"]),
            ]
            for each in found
        ],
        empty="No agent was heard of in the last week. See docs/dagster.md.",
    )
