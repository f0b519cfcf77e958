"""`invitation`: list, create and revoke invitations into the organization."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from watchword.cli.client import AsJson, Client, CredentialsFile
from watchword.cli.naming import given, segment
from watchword.cli.output import clean, show_json, show_table
from watchword.cli.people import pick_team

app = App(name="invitation", help="Invite people into the organization.")

_Role = Annotated[Literal["admin", "member"] | None, Parameter(show_default=False)]
_Sso = Annotated[Literal["required", "optional"] | None, Parameter(show_default=False)]
_Texts = Annotated[list[str] | None, Parameter(negative=(), show_default=False)]
_NAMES = ("id", "email", "state", "role", "created_at")
_HEADINGS = ("Id", "Email", "State", "Role", "Created")


def _pending(client: Client) -> Iterator[dict[str, Any]]:
    """Every pending invitation, part after part."""
    path = "invitations"
    while path:
        page = client.call("GET", path) if path.startswith("/") else client.call("GET", path, per_page=100)
        yield from page["items"]
        path = page["links"].get("next", "").removeprefix(client.credentials.url)


@app.command(name="list")
def list_invitations(*, json: AsJson = False, credentials: CredentialsFile = None) -> None:
    """List pending invitations, newest first.

    Args:
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    found = list(_pending(Client.connect(credentials)))
    if json:
        show_json(found)
        return
    show_table(
        _HEADINGS,
        [[one[name] for name in _NAMES] for one in found],
        empty="No invitation is pending. Next: watchword invitation create EMAIL",
    )


@app.command
def create(
    *emails: str,
    role: _Role = None,
    sso_mode: _Sso = None,
    team: _Texts = None,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Invite people by mail: all of them, or none where one cannot be invited.

    Args:
        emails: Their e-mail addresses.
        role: admin or member; member unless given.
        sso_mode: Whether single sign-on is required or optional.
        team: Id or slug of a team to join; may be repeated, and ends in :maintainer for that role.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    teams = [_team(client, text) for text in team or ()]
    body = given(emails=list(emails), role=role, sso_mode=sso_mode, teams=teams or None)
    made = client.call("POST", "invitations", body)
    if json:
        show_json(made)
        return
    for one in made:
        print(f"Invited {clean(one['email'])} as {one['role']}: a mail is on its way ({one['id']}).")


def _team(client: Client, text: str) -> dict[str, str]:
    name, _, role = text.partition(":")
    return {"id": str(pick_team(client, name)["id"]), "role": role or "member"}


@app.command
def revoke(invitation: str, /, *, credentials: CredentialsFile = None) -> None:
    """Revoke a pending invitation.

    Args:
        invitation: Its id.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    path = f"invitations/{segment(invitation)}"
    found = client.call("GET", path)
    client.call("DELETE", path)
    print(f"Revoked {found['id']}: {clean(found['email'])} cannot accept it any more.")
