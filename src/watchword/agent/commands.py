"""The `agent` commands: `start`, and those that scripts call inside a job."""

import sys
from typing import Annotated

from cyclopts import App, Parameter

from watchword.agent import jobcommands

app = App(name="agent", help="Run an agent, and talk to the server from inside a job.")
jobcommands.mount(app)

_Text = Annotated[str | None, Parameter(show_default=False)]
_Switch = Annotated[bool | None, Parameter(negative=(), show_default=False)]


@app.command
def start(
    *,
    token: _Text = None,
    token_file: _Text = None,
    config: _Text = None,
    endpoint: _Text = None,
    name: _Text = None,
    tags: Annotated[list[str] | None, Parameter(negative=(), show_default=False)] = None,
    queue: _Text = None,
    priority: Annotated[str | None, Parameter(allow_leading_hyphen=True, show_default=False)] = None,
    build_path: _Text = None,
    shell: Annotated[str | None, Parameter(allow_leading_hyphen=True, show_default=False)] = None,
    disconnect_after_job: _Switch = None,
    no_color: _Switch = None,
    log_format: _Text = None,
) -> None:
    """Register an agent and run jobs until it is told to leave.

    A flag beats its environment variable, which beats the key of the same name in the configuration
    file. The first SIGTERM or SIGINT lets the running job finish; a second one cancels it.

    Args:
        token: Agent token (BUILDKITE_AGENT_TOKEN). Jobs do not see it; others may, for
            the moment until the process has replaced itself: prefer --token-file.
        token_file: File that holds the agent token, or /dev/fd/N (WATCHWORD_AGENT_TOKEN_FILE).
        config: Configuration file (BUILDKITE_AGENT_CONFIG).
        endpoint: Base URL of the agent API (BUILDKITE_AGENT_ENDPOINT); http://127.0.0.1:8080/v3 unless set.
        name: Name of the agent (BUILDKITE_AGENT_NAME); %hostname-%spawn unless set.
        tags: Tags such as os=linux, with commas between them; may be repeated (BUILDKITE_AGENT_TAGS).
        queue: Queue to take jobs from (BUILDKITE_AGENT_QUEUE).
        priority: An integer; higher ones get jobs first (BUILDKITE_AGENT_PRIORITY).
        build_path: Folder below which jobs run (BUILDKITE_BUILD_PATH).
        shell: Words in front of a job's command (BUILDKITE_SHELL); /bin/bash -e -c unless set.
        disconnect_after_job: Leave after one job (BUILDKITE_AGENT_DISCONNECT_AFTER_JOB).
        no_color: No colours in the agent's own log (BUILDKITE_AGENT_NO_COLOR, NO_COLOR).
        log_format: text or json (BUILDKITE_LOG_FORMAT).
    """
    from watchword.agent import start as starting  # noqa: PLC0415 - keeps --help quick

    flags = {
        "token": token,
        "token-file": token_file,
        "config": config,
        "endpoint": endpoint,
        "name": name,
        "tags": None if tags is None else ",".join(tags),
        "queue": queue,
        "priority": priority,
        "build-path": build_path,
        "shell": shell,
        "disconnect-after-job": _switched(disconnect_after_job),
        "no-color": _switched(no_color),
        "log-format": log_format,
    }
    sys.exit(starting.start(flags))


def _switched(value: bool | None) -> str | None:  # noqa: FBT001 - a switch
    return None if value is None else str(value).lower()
