"""`cluster`: list, show, create, update and delete clusters."""

from typing import Annotated, Any

from cyclopts import App, Parameter

from watchword.cli.client import AsJson, Client, CommandError, CredentialsFile
from watchword.cli.naming import cluster_path, confirm, given, pick, require_change
from watchword.cli.output import clean, show_fields, show_json, show_table

app = App(name="cluster", help="Manage clusters.")

_Text = Annotated[str | None, Parameter(show_default=False)]
_Yes = Annotated[bool, Parameter(name=("--yes", "-y"), negative=())]


@app.command(name="list")
def list_clusters(*, json: AsJson = False, credentials: CredentialsFile = None) -> None:
    """List clusters.

    Args:
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    clusters = list(Client.connect(credentials).every("clusters"))
    if json:
        show_json(clusters)
        return
    names = ("id", "name", "description", "default_queue_id", "created_at")
    show_table(
        ("Id", "Name", "Description", "Default queue", "Created"),
        [[cluster[name] for name in names] for cluster in clusters],
        empty="There is no cluster. Next: watchword cluster create NAME",
    )


@app.command
def show(
    cluster: str | None = None, /, *, json: AsJson = False, credentials: CredentialsFile = None
) -> None:  # fmt: skip
    """Show a cluster.

    Args:
        cluster: Its id or name; the default cluster unless given.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    _show(client.call("GET", cluster_path(client, cluster)), json=json)


def _show(cluster: dict[str, Any], *, json: bool) -> None:
    if json:
        show_json(cluster)
        return
    show_fields(
        [
            ("Id", cluster["id"]),
            ("Name", cluster["name"]),
            ("Description", cluster["description"]),
            ("Emoji", cluster["emoji"]),
            ("Color", cluster["color"]),
            ("Default queue", cluster["default_queue_id"]),
            ("Created", cluster["created_at"]),
            ("Created by", (cluster["created_by"] or {}).get("email")),
        ]
    )


@app.command
def create(
    name: str,
    /,
    *,
    description: _Text = None,
    emoji: _Text = None,
    color: _Text = None,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Create a cluster without queues.

    Args:
        name: Its name.
        description: What it is for.
        emoji: Its emoji, as :rocket:.
        color: Its color, as #FFE0F1.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    body = given(name=name, description=description, emoji=emoji, color=color)
    made = Client.connect(credentials).call("POST", "clusters", body)
    if json:
        show_json(made)
        return
    print(f"Created {made['id']} ({clean(made['name'])}).")
    print(f"Next: watchword queue create default --cluster {made['id']}")


@app.command
def update(
    cluster: str,
    /,
    *,
    name: _Text = None,
    description: _Text = None,
    emoji: _Text = None,
    color: _Text = None,
    default_queue: _Text = None,
    no_default_queue: Annotated[bool, Parameter(negative=())] = False,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Change a cluster; an empty text clears what it is given for.

    Args:
        cluster: Its id or name.
        name: New name.
        description: What it is for.
        emoji: Its emoji, as :rocket:.
        color: Its color, as #FFE0F1.
        default_queue: Id or key of the queue that takes jobs and agents which name none.
        no_default_queue: Have no such queue.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    if default_queue is not None and no_default_queue:
        raise CommandError("give --default-queue or --no-default-queue, not both", code="two_queues")
    client = Client.connect(credentials)
    path = cluster_path(client, cluster)
    body = given(name=name, description=description, emoji=emoji, color=color)
    if default_queue is not None:
        body["default_queue_id"] = pick(client, f"{path}/queues", default_queue, "key", "queue")["id"]
    elif no_default_queue:
        body["default_queue_id"] = None
    _show(client.call("PATCH", path, require_change(body)), json=json)


@app.command
def delete(cluster: str, /, *, yes: _Yes = False, credentials: CredentialsFile = None) -> None:
    """Delete a cluster with its queues and secrets, and revoke its agent tokens.

    Args:
        cluster: Its id or name.
        yes: Do not ask.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    path = cluster_path(client, cluster)
    found = client.call("GET", path)
    tokens = sum(1 for _ in client.every(f"{path}/tokens"))
    confirm(f"Delete {found['name']!r} and revoke its agent tokens ({tokens})", yes=yes)
    client.call("DELETE", path)
    print(f"Deleted {found['id']} ({clean(found['name'])}); agent tokens revoked: {tokens}.")
