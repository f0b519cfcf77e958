"""`pipeline`: list, show, create, update, archive, unarchive and delete pipelines."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from watchword.cli.client import AsJson, Client, CommandError, CredentialsFile
from watchword.cli.naming import confirm, given, pick, require_change, segment
from watchword.cli.output import clean, show_fields, show_json, show_table

app = App(name="pipeline", help="Manage pipelines.")

_Text = Annotated[str | None, Parameter(show_default=False)]
_File = Annotated[Path | None, Parameter(show_default=False)]
_Yes = Annotated[bool, Parameter(name=("--yes", "-y"), negative=())]


def _read(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise CommandError(f"cannot read {file}: {error.strerror}", code="unreadable") from None
    except UnicodeDecodeError:
        raise CommandError(f"{file} is no text in UTF-8", code="not_text") from None


def _cluster(client: Client, text: str | None) -> str | None:
    return None if text is None else str(pick(client, "clusters", text, "name", "cluster")["id"])


@app.command(name="list")
def list_pipelines(*, json: AsJson = False, credentials: CredentialsFile = None) -> None:
    """List pipelines.

    Args:
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    pipelines = list(Client.connect(credentials).every("pipelines"))
    if json:
        show_json(pipelines)
        return
    names = ("slug", "name", "repository", "running_builds_count", "scheduled_builds_count", "archived_at")
    show_table(
        ("Slug", "Name", "Repository", "Running", "Scheduled", "Archived"),
        [[pipeline[name] for name in names] for pipeline in pipelines],
        empty="There is no pipeline. Next: watchword pipeline create NAME --repository URL",
    )


@app.command
def show(pipeline: str, /, *, json: AsJson = False, credentials: CredentialsFile = None) -> None:
    """Show a pipeline.

    Args:
        pipeline: Its slug.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    _show(Client.connect(credentials).call("GET", _path(pipeline)), json=json)


def _path(slug: str) -> str:
    return f"pipelines/{segment(slug)}"


def _show(pipeline: dict[str, Any], *, json: bool) -> None:
    if json:
        show_json(pipeline)
        return
    show_fields(
        [
            ("Slug", pipeline["slug"]),
            ("Id", pipeline["id"]),
            ("Name", pipeline["name"]),
            ("Description", pipeline["description"]),
            ("Repository", pipeline["repository"]),
            ("Default branch", pipeline["default_branch"]),
            ("Cluster", pipeline["cluster_id"]),
            ("Tags", " ".join(pipeline["tags"])),
            ("Builds", f"{pipeline['running_builds_count']} running"),
            ("Archived", pipeline["archived_at"]),
            ("Created", pipeline["created_at"]),
        ]
    )


@app.command
def create(
    name: str,
    /,
    *,
    repository: _Text = None,
    steps: _File = None,
    description: _Text = None,
    default_branch: _Text = None,
    cluster: _Text = None,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Create a pipeline.

    Args:
        name: Its name, of which its slug is made.
        repository: Address of its repository.
        steps: Pipeline file, YAML or JSON, whose steps it keeps.
        description: What it is for.
        default_branch: Branch of builds that name none; main unless set.
        cluster: Id or name of its cluster; the organization's default one unless set.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    body = given(
        name=name,
        repository=repository,
        configuration=_read(steps),
        description=description,
        default_branch=default_branch,
        cluster_id=_cluster(client, cluster),
    )
    made = client.call("POST", "pipelines", body)
    if json:
        show_json(made)
        return
    print(f"Created {made['slug']}. Next: watchword build create --pipeline {made['slug']} --watch")


@app.command
def update(
    pipeline: str,
    /,
    *,
    name: _Text = None,
    repository: _Text = None,
    steps: _File = None,
    description: _Text = None,
    default_branch: _Text = None,
    cluster: _Text = None,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Change a pipeline; its slug stays.

    Args:
        pipeline: Its slug.
        name: New name.
        repository: Address of its repository.
        steps: Pipeline file, YAML or JSON, whose steps it keeps from now on.
        description: What it is for.
        default_branch: Branch of builds that name none.
        cluster: Id or name of its cluster.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    body = given(
        name=name,
        repository=repository,
        configuration=_read(steps),
        description=description,
        default_branch=default_branch,
        cluster_id=_cluster(client, cluster),
    )
    _show(client.call("PATCH", _path(pipeline), require_change(body)), json=json)


@app.command
def archive(pipeline: str, /, *, credentials: CredentialsFile = None) -> None:
    """Let a pipeline take no new builds.

    Args:
        pipeline: Its slug.
        credentials: File with the server's address and an API access token.
    """
    found = Client.connect(credentials).call("POST", f"{_path(pipeline)}/archive")
    print(f"{clean(found['slug'])} is archived; it takes no new builds.")


@app.command
def unarchive(pipeline: str, /, *, credentials: CredentialsFile = None) -> None:
    """Let an archived pipeline take builds again.

    Args:
        pipeline: Its slug.
        credentials: File with the server's address and an API access token.
    """
    found = Client.connect(credentials).call("POST", f"{_path(pipeline)}/unarchive")
    print(f"{clean(found['slug'])} takes builds again.")


@app.command
def delete(pipeline: str, /, *, yes: _Yes = False, credentials: CredentialsFile = None) -> None:
    """Delete a pipeline whose builds have all ended, with its builds, logs and artifacts.

    Args:
        pipeline: Its slug.
        yes: Do not ask.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    found = client.call("GET", _path(pipeline))
    confirm(f"Delete the pipeline {found['slug']!r} with its builds, logs and artifacts", yes=yes)
    client.call("DELETE", _path(pipeline))
    print(f"Deleted {clean(found['slug'])}.")
