"""`team`: manage teams and who is in them."""

from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from watchword.cli.client import AsJson, Client, CredentialsFile
from watchword.cli.naming import confirm, given, require_change
from watchword.cli.output import clean, show_json, show_table
from watchword.cli.people import pick_person, pick_team

app = App(name="team", help="Manage teams and who is in them.")

_Text = Annotated[str | None, Parameter(show_default=False)]
_Privacy = Annotated[Literal["visible", "secret"] | None, Parameter(show_default=False)]
_Role = Literal["member", "maintainer"]
_MaybeRole = Annotated[_Role | None, Parameter(show_default=False)]
_MaybeSwitch = Annotated[bool | None, Parameter(show_default=False)]
_Yes = Annotated[bool, Parameter(name=("--yes", "-y"), negative=())]


@app.command(name="list")
def list_teams(
    *, member: _Text = None, json: AsJson = False, credentials: CredentialsFile = None
) -> None:  # fmt: skip
    """List teams.

    Args:
        member: Only teams that this person is in, by id or e-mail address.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    query = {"user_id": pick_person(client, member)["id"]} if member is not None else {}
    teams = list(client.every("teams", **query))
    if json:
        show_json(teams)
        return
    names = ("id", "slug", "name", "privacy", "default", "description")
    show_table(
        ("Id", "Slug", "Name", "Privacy", "Default", "Description"),
        [[team[name] for name in names] for team in teams],
        empty="There is no team. Next: watchword team create NAME",
    )


@app.command
def create(
    name: str,
    /,
    *,
    description: _Text = None,
    privacy: _Privacy = None,
    default: _MaybeSwitch = None,
    default_member_role: _MaybeRole = None,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Create a team without members.

    Args:
        name: Its name.
        description: What it is for.
        privacy: Whether everybody sees it (visible), or those in it and administrators (secret).
        default: Whether new members of the organization join it.
        default_member_role: Role of those who join it without one.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    body = given(
        name=name,
        description=description,
        privacy=privacy,
        is_default_team=default,
        default_member_role=default_member_role,
    )
    made = Client.connect(credentials).call("POST", "teams", body)
    if json:
        show_json(made)
        return
    print(f"Created {made['id']} ({clean(made['slug'])}).")
    print(f"Next: watchword team add {made['slug']} EMAIL")


@app.command
def update(
    team: str,
    /,
    *,
    name: _Text = None,
    description: _Text = None,
    privacy: _Privacy = None,
    default: _MaybeSwitch = None,
    default_member_role: _MaybeRole = None,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Change a team; another name makes another slug.

    Args:
        team: Its id or slug.
        name: New name.
        description: What it is for.
        privacy: Whether everybody sees it (visible), or those in it and administrators (secret).
        default: Whether new members of the organization join it.
        default_member_role: Role of those who join it without one.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    body = require_change(
        given(
            name=name,
            description=description,
            privacy=privacy,
            is_default_team=default,
            default_member_role=default_member_role,
        )
    )
    client = Client.connect(credentials)
    changed = client.call("PATCH", f"teams/{pick_team(client, team)['id']}", body)
    if json:
        show_json(changed)
        return
    print(f"Changed {changed['id']} ({clean(changed['slug'])}).")


@app.command
def delete(team: str, /, *, yes: _Yes = False, credentials: CredentialsFile = None) -> None:
    """Delete a team; the clusters that it maintained lose it.

    Args:
        team: Its id or slug.
        yes: Do not ask.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    found = pick_team(client, team)
    people = sum(1 for _ in client.every(f"teams/{found['id']}/members"))
    confirm(f"Delete {found['name']!r}, which {people} people are in", yes=yes)
    client.call("DELETE", f"teams/{found['id']}")
    print(f"Deleted {found['id']} ({clean(found['slug'])}).")


@app.command
def members(team: str, /, *, json: AsJson = False, credentials: CredentialsFile = None) -> None:
    """List who is in a team.

    Args:
        team: Its id or slug.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    rows: list[dict[str, Any]] = list(client.every(f"teams/{pick_team(client, team)['id']}/members"))
    if json:
        show_json(rows)
        return
    names = ("user_id", "user_name", "role", "created_at")
    show_table(
        ("User", "Name", "Role", "Since"),
        [[row[name] for name in names] for row in rows],
        empty=f"Nobody is in it. Next: watchword team add {team} EMAIL",
    )


@app.command
def add(
    team: str,
    member: str,
    /,
    *,
    role: _Role = "member",
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Put a member of the organization into a team.

    Args:
        team: Id or slug of the team.
        member: The person's id or e-mail address.
        role: member or maintainer.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    found, person = pick_team(client, team), pick_person(client, member)
    made = client.call("POST", f"teams/{found['id']}/members", {"user_id": person["id"], "role": role})
    if json:
        show_json(made)
        return
    print(f"{clean(person['email'])} is in {clean(found['slug'])} as {made['role']}.")


@app.command
def remove(team: str, member: str, /, *, credentials: CredentialsFile = None) -> None:
    """Take a person out of a team; what the team gave is gone at the next call.

    Args:
        team: Id or slug of the team.
        member: The person's id or e-mail address.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    found, person = pick_team(client, team), pick_person(client, member)
    client.call("DELETE", f"teams/{found['id']}/members/{person['id']}")
    print(f"{clean(person['email'])} is no longer in {clean(found['slug'])}.")
