"""`maintainer`: who maintains a cluster besides the administrators."""

from typing import Annotated

from cyclopts import App, Parameter

from watchword.cli.client import AsJson, Client, CommandError, CredentialsFile
from watchword.cli.naming import cluster_path, segment
from watchword.cli.output import clean, show_json, show_table
from watchword.cli.people import pick_person, pick_team

app = App(name="maintainer", help="Give clusters to people and teams.")

_Text = Annotated[str | None, Parameter(show_default=False)]


@app.command(name="list")
def list_maintainers(
    *, cluster: _Text = None, json: AsJson = False, credentials: CredentialsFile = None
) -> None:  # fmt: skip
    """List who maintains a cluster.

    Args:
        cluster: Id or name of the cluster; the default cluster unless set.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    rows = list(client.every(f"{cluster_path(client, cluster)}/maintainers"))
    if json:
        show_json(rows)
        return
    show_table(
        ("Id", "Type", "Name", "Email or slug", "User or team"),
        [
            [
                row["id"],
                row["actor"]["type"],
                row["actor"]["name"],
                row["actor"].get("email") or row["actor"].get("slug"),
                row["actor"]["id"],
            ]
            for row in rows
        ],
        empty="Administrators alone maintain it. Next: watchword maintainer add --user EMAIL",
    )


@app.command
def add(
    *,
    user: _Text = None,
    team: _Text = None,
    cluster: _Text = None,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Give a cluster to a person or a team: its tokens, queues, secrets and agents.

    Args:
        user: The person's id or e-mail address.
        team: Id or slug of the team.
        cluster: Id or name of the cluster; the default cluster unless set.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    if user is not None and team is None:
        body = {"user": pick_person(client, user)["id"]}
    elif team is not None and user is None:
        body = {"team": pick_team(client, team)["id"]}
    else:
        raise CommandError("give either --user or --team", code="invalid_maintainer")
    made = client.call("POST", f"{cluster_path(client, cluster)}/maintainers", body)
    if json:
        show_json(made)
        return
    print(f"{clean(made['actor']['name'])} maintains the cluster now ({made['id']}).")


@app.command
def remove(
    maintainer: str, /, *, cluster: _Text = None, credentials: CredentialsFile = None
) -> None:  # fmt: skip
    """Take a cluster from a person or a team, from the next call on.

    Args:
        maintainer: Id of the giving, as `maintainer list` shows it.
        cluster: Id or name of the cluster; the default cluster unless set.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    path = f"{cluster_path(client, cluster)}/maintainers/{segment(maintainer)}"
    found = client.call("GET", path)
    client.call("DELETE", path)
    print(f"{clean(found['actor']['name'])} does not maintain the cluster any more.")
