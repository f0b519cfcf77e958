"""`build`: run a command on an agent, follow its log, list and cancel builds."""

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

from cyclopts import App, Parameter

from watchword.cli.client import AsJson, Client, CommandError, CredentialsFile
from watchword.cli.output import clean, say, show_fields, show_json, show_table
from watchword.domain.accounts import slugify
from watchword.yamltext import read_yaml

T = TypeVar("T")

app = App(name="build", help="Run commands on agents.")

ADHOC = "adhoc"
_INTERVAL_S = 0.5
_MAX_STATUS = 255
_NOT_FOUND = 404
_PARTIAL = 206
_NO_MORE = 416
_TAKEN = "taken"
_ENDED = ("passed", "failed", "canceled", "timed_out")
_BUILD_ENDED = ("passed", "failed", "canceled", "not_run")
_NOT_BEGUN = ("waiting", "limited", "waiting_failed", "broken", "skipped")
# A server that restarts is away for a moment; whoever watches waits for it for a minute.
_PASSING = ("unreachable", "unavailable")
_PATIENCE = 120

_Text = Annotated[str | None, Parameter(show_default=False)]
_Texts = Annotated[list[str] | None, Parameter(negative=(), show_default=False)]
_Pipeline = Annotated[str, Parameter(name="--pipeline")]

# Agents mark log lines with their time in an escape sequence that terminals swallow and files do not.
_STAMP = re.compile(rb"\x1b_bk;t=[0-9]+\x07")
_STAMP_BEGUN = re.compile(rb"\x1b(?:_(?:b(?:k(?:;(?:t(?:=[0-9]*)?)?)?)?)?)?\Z")


@app.command
def create(
    *,
    command: Annotated[str | None, Parameter(allow_leading_hyphen=True, show_default=False)] = None,
    steps: Annotated[Path | None, Parameter(show_default=False)] = None,
    pipeline: _Pipeline = ADHOC,
    queue: _Text = None,
    agents: _Texts = None,
    env: Annotated[list[str] | None, Parameter(negative=(), show_default=False)] = None,
    branch: _Text = None,
    commit: _Text = None,
    message: _Text = None,
    watch: Annotated[bool, Parameter(negative=())] = False,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Run a command on an agent, the steps of a file, or else those that the pipeline keeps.

    Args:
        command: What to run.
        steps: Pipeline file, YAML or JSON, whose steps to run.
        pipeline: Name of the pipeline that it counts as; it is created if there is none.
        queue: Queue whose agents may run it; the cluster's default queue unless set.
        agents: Tag that the agent must carry, as os=linux; may be repeated.
        env: Variable of the job's environment, as NAME=VALUE; may be repeated.
        branch: Branch to check out.
        commit: Commit to check out.
        message: What the build says of itself.
        watch: Follow the logs of all jobs and end with the exit status of the first that failed.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    rules = [f"{name}={value}" for name, value in _pairs("--agents", agents).items()]
    if queue is not None:
        rules.append(f"queue={queue}")
    variables = _pairs("--env", env)
    given = {"branch": branch, "commit": commit, "message": message}
    body: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if command is not None and steps is not None:
        raise CommandError("give --command or --steps, not both", code="two_configurations")
    if command is None and rules:
        raise CommandError("--agents and --queue go with --command; steps say their own", code="no_command")
    if command is not None:
        body["steps"] = [{"command": command, "agents": rules, "env": variables}]
    else:
        body |= {"env": variables, **({"steps": _read_steps(steps)} if steps is not None else {})}
    client = Client.connect(credentials)
    slug = _ensure_pipeline(client, pipeline)
    build = client.call("POST", f"pipelines/{slug}/builds", body)
    if json:
        show_json(build)
    elif not watch:
        print(f"Build {build['number']} of {slug} is {build['state']}: {build['url']}")
    if watch:
        sys.exit(follow(client, build))


def _pairs(flag: str, items: list[str] | None) -> dict[str, str]:
    """Read NAME=VALUE words.

    Raises:
        CommandError: one has no name or no equals sign.
    """
    found = {}
    for item in items or ():
        name, equals, value = item.partition("=")
        if not name or not equals:
            raise CommandError(f"{flag} takes NAME=VALUE", code="invalid_pair")
        found[name] = value
    return found


def _read_steps(path: Path) -> Any:  # noqa: ANN401 - a decoded document
    """The pipeline document of a file.

    Raises:
        CommandError: it cannot be read.
        Invalid: it is no YAML.
    """
    try:
        return read_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} cannot be read: {error}", code="unreadable_file") from None


def _slug(name: str) -> str:
    slug = slugify(name)
    if not slug:
        raise CommandError(f"{name!r} cannot be a pipeline's name", code="invalid_name")
    return slug


def _ensure_pipeline(client: Client, name: str) -> str:
    """Slug of the pipeline; one that is missing is created."""
    slug = _slug(name)
    found = client.raw("GET", f"pipelines/{slug}", passing=(_NOT_FOUND,))
    if found.status_code == _NOT_FOUND:
        if found.json().get("message") != "No pipeline found":
            raise CommandError(str(found.json().get("message")), code="not_found")
        body = {"name": name, "cluster_id": client.credentials.cluster_id or None}
        try:
            client.call("POST", "pipelines", body)
        except CommandError as error:
            if error.code != _TAKEN:  # another command was quicker
                raise
    return slug


def follow(client: Client, build: dict[str, Any]) -> int:
    """Write the logs of a build's jobs to standard output, one after another, until the build ends.

    Returns:
        The exit status of the first job that failed; 0 where the build passed or waits for a person.
    """
    say(f"build {build['number']}: {build['url']}")
    path = f"pipelines/{build['pipeline']['slug']}/builds/{build['id']}"
    seen: set[str] = set()
    failed = 0
    try:
        while True:
            job = next((job for job in build["jobs"] if job["id"] not in seen and _to_follow(job)), None)
            if job is not None:
                seen.add(job["id"])
                several = len(build["jobs"]) > 1
                status = _follow_job(client, job, several=several)
                failed = failed or status
            elif build["blocked"]:
                say(f"build blocked: {_waiting_for(build)}")
                say(f"let it go on with: watchword build unblock {build['number']}")
                return failed
            elif build["state"] in _BUILD_ENDED:
                return failed if build["state"] == "failed" else int(build["state"] == "canceled")
            else:
                pause(_INTERVAL_S)
            build = _patiently(lambda: client.call("GET", path))
    except KeyboardInterrupt:
        say(f"the build goes on; cancel it with: watchword build cancel {build['number']}")
        raise


def _to_follow(job: dict[str, Any]) -> bool:
    return job["type"] == "script" and job["state"] not in _NOT_BEGUN


def _waiting_for(build: dict[str, Any]) -> str:
    return ", ".join(
        str(job["name"] or job["step_key"]) for job in build["jobs"] if job["state"] == "blocked"
    )


def _patiently(ask: Callable[[], T]) -> T:
    """Ask again while the server is away, for a minute."""
    failures = 0
    while True:
        try:
            return ask()
        except CommandError as error:
            failures += 1
            if error.code not in _PASSING or failures > _PATIENCE:
                raise
            pause(_INTERVAL_S)


def _follow_job(client: Client, job: dict[str, Any], *, several: bool) -> int:
    """Write one job's log until it ends; returns its exit status, 0 where its failure does not count."""
    name = f" {clean(job['name'] or job['step_key'] or job['command'].splitlines()[0])}" if several else ""
    seen = ""
    position = 0
    held = b""

    def look() -> tuple[dict[str, Any], bytes]:
        # The state is read first: once it is an end, the log that follows is whole.
        found = client.call("GET", f"jobs/{job['id']}")
        return found, _log(client, job["id"], position)

    while True:
        shown, part = _patiently(look)
        position += len(part)
        if shown["state"] != seen:
            seen = shown["state"]
            on = f" on {clean(shown['agent']['name'])}" if shown["agent"] else ""
            say(f"job{name} {seen}{on}")
        held = _write(held + part, last=False)
        if seen in _ENDED and not part:
            _write(held, last=True)
            return 0 if shown["soft_failed"] or shown["retried"] else exit_status(shown)
        if not part:
            pause(_INTERVAL_S)


def pause(seconds: float) -> None:
    """Wait before the next look."""
    time.sleep(seconds)


def _log(client: Client, job_id: str, position: int) -> bytes:
    response = client.raw(
        "GET", f"jobs/{job_id}/log.txt", headers={"Range": f"bytes={position}-"}, passing=(_NO_MORE,)
    )
    return response.content if response.status_code == _PARTIAL else b""


def _write(log: bytes, *, last: bool) -> bytes:
    """Write a piece of a log without time stamps; returns the begun stamp at its end, if any."""
    shown = _STAMP.sub(b"", log)
    begun = None if last else _STAMP_BEGUN.search(shown)
    end = begun.start() if begun is not None else len(shown)
    sys.stdout.buffer.write(shown[:end])
    sys.stdout.buffer.flush()
    return shown[end:]


def exit_status(job: dict[str, Any]) -> int:
    """The exit status of an ended job; never 0 unless it passed, never more than a process can have."""
    if job["state"] == "passed":
        return 0
    status = job["exit_status"]
    return status if isinstance(status, int) and 0 < status <= _MAX_STATUS else 1


@app.command(name="list")
def list_builds(
    *,
    pipeline: _Text = None,
    state: _Text = None,
    limit: int = 30,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """List builds, newest first.

    Args:
        pipeline: Only builds of this pipeline.
        state: Only builds in this state.
        limit: How many at most, up to 100.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    path = f"pipelines/{_slug(pipeline)}/builds" if pipeline else "builds"
    query: dict[str, Any] = {"per_page": limit, "exclude_jobs": "true"}
    if state:
        query["state"] = state
    builds = client.call("GET", path, **query)
    if json:
        show_json(builds)
        return
    names = ("number", "state", "branch", "message", "created_at", "finished_at")
    show_table(
        ("Pipeline", "Number", "State", "Branch", "Message", "Created", "Finished"),
        [[build["pipeline"]["slug"], *(build[name] for name in names)] for build in builds],
        empty="There is no build. Next: watchword build create --command 'echo hello' --watch",
    )


def path_of(pipeline: str, number: str) -> str:
    """Where REST has a build, inside its organization."""
    return f"pipelines/{_slug(pipeline)}/builds/{quote(number, safe='')}"


@app.command
def show(
    number: str,
    /,
    *,
    pipeline: _Pipeline = ADHOC,
    log: Annotated[bool, Parameter(negative=())] = False,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Show a build and its jobs.

    Args:
        number: Number or id of the build.
        pipeline: Its pipeline.
        log: Print the logs of its jobs instead.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    build = client.call("GET", path_of(pipeline, number))
    if log:
        for job in build["jobs"]:
            if job["type"] != "script":
                continue
            _write(client.raw("GET", f"jobs/{job['id']}/log.txt").content, last=True)
    elif json:
        show_json(build)
    else:
        _show(build)


def _show(build: dict[str, Any]) -> None:
    show_fields(
        [
            ("Build", f"{build['number']} of {build['pipeline']['slug']}"),
            ("State", build["state"]),
            ("Branch", build["branch"]),
            ("Commit", build["commit"]),
            ("Message", build["message"]),
            ("Created", build["created_at"]),
            ("Created by", (build["creator"] or {}).get("email")),
            ("Finished", build["finished_at"]),
        ]
    )
    print()
    show_table(
        ("Job", "Step", "State", "Exit", "Agent", "Command"),
        [
            [
                job["id"],
                job["name"] or job["step_key"],
                job["state"],
                job["exit_status"],
                (job["agent"] or {}).get("name"),
                job["command"] if job["type"] == "script" else f"({job['type']})",
            ]
            for job in build["jobs"]
        ],
    )


@app.command
def cancel(number: str, /, *, pipeline: _Pipeline = ADHOC, credentials: CredentialsFile = None) -> None:
    """Cancel a build: waiting jobs end at once, running ones are told by their agents.

    Args:
        number: Number or id of the build.
        pipeline: Its pipeline.
        credentials: File with the server's address and an API access token.
    """
    build = Client.connect(credentials).call("PUT", f"{path_of(pipeline, number)}/cancel")
    print(f"Build {build['number']} is {build['state']}.")
