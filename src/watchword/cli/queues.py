"""`queue`: list, show, create, update, delete, pause and resume queues."""

from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from watchword.cli.client import AsJson, Client, CredentialsFile
from watchword.cli.naming import cluster_path, confirm, given, pick, require_change
from watchword.cli.output import clean, show_fields, show_json, show_table

app = App(name="queue", help="Manage queues of a cluster.")

_Text = Annotated[str | None, Parameter(show_default=False)]
_Affinity = Annotated[
    Literal["prefer-warmest", "prefer-different"] | None,
    Parameter(name="--retry-agent-affinity", show_default=False),
]
_Yes = Annotated[bool, Parameter(name=("--yes", "-y"), negative=())]


@app.command(name="list")
def list_queues(
    *, cluster: _Text = None, json: AsJson = False, credentials: CredentialsFile = None
) -> None:  # fmt: skip
    """List queues of a cluster.

    Args:
        cluster: Id or name of the cluster; the default cluster unless set.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    queues = list(client.every(f"{cluster_path(client, cluster)}/queues"))
    if json:
        show_json(queues)
        return
    names = ("id", "key", "description", "retry_agent_affinity")
    show_table(
        ("Id", "Key", "Description", "Retries", "Dispatch"),
        [[*(queue[name] for name in names), _dispatch(queue)] for queue in queues],
        empty="There is no queue. Next: watchword queue create default",
    )


def _dispatch(queue: dict[str, Any]) -> str:
    if not queue["dispatch_paused"]:
        return "on"
    note = queue["dispatch_paused_note"]
    return f"paused since {queue['dispatch_paused_at']}" + (f": {note}" if note else "")


def _path(client: Client, cluster: str | None, queue: str) -> str:
    queues = f"{cluster_path(client, cluster)}/queues"
    return f"{queues}/{pick(client, queues, queue, 'key', 'queue')['id']}"


@app.command
def show(
    queue: str, /, *, cluster: _Text = None, json: AsJson = False, credentials: CredentialsFile = None
) -> None:
    """Show a queue.

    Args:
        queue: Its id or key.
        cluster: Id or name of the cluster; the default cluster unless set.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    _show(client.call("GET", _path(client, cluster, queue)), json=json)


def _show(queue: dict[str, Any], *, json: bool) -> None:
    if json:
        show_json(queue)
        return
    show_fields(
        [
            ("Id", queue["id"]),
            ("Key", queue["key"]),
            ("Description", queue["description"]),
            ("Retries", queue["retry_agent_affinity"]),
            ("Dispatch", _dispatch(queue)),
            ("Created", queue["created_at"]),
            ("Created by", (queue["created_by"] or {}).get("email")),
        ]
    )


@app.command
def create(
    key: str,
    /,
    *,
    description: _Text = None,
    affinity: _Affinity = None,
    cluster: _Text = None,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Create a queue; agents join it by the tag queue=KEY.

    Args:
        key: Letters, digits, - and _.
        description: What it is for.
        affinity: Which agent is preferred for another attempt of a job: prefer-warmest, prefer-different.
        cluster: Id or name of the cluster; the default cluster unless set.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    body = given(key=key, description=description, retry_agent_affinity=affinity)
    made = client.call("POST", f"{cluster_path(client, cluster)}/queues", body)
    if json:
        show_json(made)
        return
    print(f"Created {made['id']} ({made['key']}). Next: watchword agent start --tags queue={made['key']}")


@app.command
def update(
    queue: str,
    /,
    *,
    description: _Text = None,
    affinity: _Affinity = None,
    cluster: _Text = None,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Change a queue; its key stays, because agents name it.

    Args:
        queue: Its id or key.
        description: What it is for; an empty text clears it.
        affinity: Which agent is preferred for another attempt of a job: prefer-warmest, prefer-different.
        cluster: Id or name of the cluster; the default cluster unless set.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    body = require_change(given(description=description, retry_agent_affinity=affinity))
    _show(client.call("PATCH", _path(client, cluster, queue), body), json=json)


@app.command
def delete(
    queue: str, /, *, cluster: _Text = None, yes: _Yes = False, credentials: CredentialsFile = None
) -> None:  # fmt: skip
    """Delete a queue that is not the default one and has neither agents nor unfinished jobs.

    Args:
        queue: Its id or key.
        cluster: Id or name of the cluster; the default cluster unless set.
        yes: Do not ask.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    path = _path(client, cluster, queue)
    found = client.call("GET", path)
    confirm(f"Delete the queue {found['key']!r}", yes=yes)
    client.call("DELETE", path)
    print(f"Deleted {found['id']} ({clean(found['key'])}).")


@app.command
def pause(
    queue: str, /, *, note: _Text = None, cluster: _Text = None, credentials: CredentialsFile = None
) -> None:
    """Hold a queue's jobs back; running ones go on.

    Args:
        queue: Its id or key.
        note: Why.
        cluster: Id or name of the cluster; the default cluster unless set.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    path = f"{_path(client, cluster, queue)}/pause_dispatch"
    found = client.call("POST", path, given(dispatch_paused_note=note))
    print(f"Dispatch of {clean(found['key'])} is paused.")


@app.command
def resume(queue: str, /, *, cluster: _Text = None, credentials: CredentialsFile = None) -> None:
    """Dispatch a queue's jobs again.

    Args:
        queue: Its id or key.
        cluster: Id or name of the cluster; the default cluster unless set.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    found = client.call("POST", f"{_path(client, cluster, queue)}/resume_dispatch")
    print(f"Dispatch of {clean(found['key'])} is on.")
