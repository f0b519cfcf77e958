"""`member`: list, update and remove members of the organization."""

from typing import Annotated, Literal

from cyclopts import App, Parameter

from watchword.cli.client import AsJson, Client, CredentialsFile
from watchword.cli.naming import confirm, given, require_change
from watchword.cli.output import clean, show_json, show_table
from watchword.cli.people import pick_person

app = App(name="member", help="Manage members of the organization.")

_Role = Annotated[Literal["admin", "member"] | None, Parameter(show_default=False)]
_Sso = Annotated[Literal["required", "optional"] | None, Parameter(show_default=False)]
_Yes = Annotated[bool, Parameter(name=("--yes", "-y"), negative=())]


@app.command(name="list")
def list_members(*, json: AsJson = False, credentials: CredentialsFile = None) -> None:
    """List members, first come first.

    Args:
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    members = list(Client.connect(credentials).every("members"))
    if json:
        show_json(members)
        return
    show_table(
        ("Id", "Name", "Email", "Role", "Single sign-on"),
        [
            [member["id"], member["name"], member["email"], member["role"], member.get("sso_mode")]
            for member in members
        ],
    )


@app.command
def update(
    member: str,
    /,
    *,
    role: _Role = None,
    sso_mode: _Sso = None,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Change somebody else's role or way of signing in.

    Args:
        member: The person's id or e-mail address.
        role: admin or member.
        sso_mode: Whether single sign-on is required or optional.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    body = require_change(given(role=role, sso_mode=sso_mode))
    client = Client.connect(credentials)
    changed = client.call("PATCH", f"members/{pick_person(client, member)['id']}", body)
    if json:
        show_json(changed)
        return
    print(f"{clean(changed['email'])} is now {changed['role']}, single sign-on {changed['sso_mode']}.")


@app.command
def remove(member: str, /, *, yes: _Yes = False, credentials: CredentialsFile = None) -> None:
    """Remove somebody else: their tokens reach the organization no more, from the next call on.

    Args:
        member: The person's id or e-mail address.
        yes: Do not ask.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    found = pick_person(client, member)
    confirm(f"Remove {found['email']} with their teams and clusters, and end their tokens' reach", yes=yes)
    client.call("DELETE", f"members/{found['id']}")
    print(f"Removed {found['id']} ({clean(found['email'])}); their tokens no longer reach the organization.")
