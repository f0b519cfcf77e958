"""The environment of a job: what the server sent, a clean base, the job token, and nothing of the agent's."""

import os
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from watchword.agent.config import CONFIG_VARIABLE, Settings
from watchword.agent.tokensource import TOKEN_FILE_VARIABLE, TOKEN_VARIABLE
from watchword.agent.transport import Connection, headers_to_variables
from watchword.agent.wire import Job
from watchword.crypto.values import Secret

SHIM_NAMES = ("buildkite-agent", "watchword-agent")
OWN_COMMAND = (sys.executable, "-E", "-P", "-m", "watchword", "agent")
"""How a job calls this agent; `-E -P`: neither PYTHON* variables nor the job's folder change what is run."""

_INHERITED = re.compile(
    r"HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_\w+|TZ|TERM|TMPDIR|XDG_\w+"
    r"|SSL_CERT_(FILE|DIR)|(?i:https?_proxy|no_proxy|all_proxy)"
)
_NEVER = (TOKEN_VARIABLE, TOKEN_FILE_VARIABLE, CONFIG_VARIABLE)
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")


def job_folder(settings: Settings, agent_name: str, job: Job) -> Path:
    """Where the job runs: build path, agent, organization, pipeline; each name made safe for a path."""
    names = (
        agent_name,
        job.variable("BUILDKITE_ORGANIZATION_SLUG"),
        job.variable("BUILDKITE_PIPELINE_SLUG"),
    )
    return settings.build_path.joinpath(*(_UNSAFE.sub("-", name) or "unnamed" for name in names))


def job_environment(
    job: Job,
    token: Secret,
    connection: Connection,
    settings: Settings,
    *,
    folder: Path,
    tools: Path,
    environ: Mapping[str, str],
) -> dict[str, str]:
    """All variables of a job (contract sections 4.4 and 7.1).

    Of the agent's own environment only a short list of harmless variables is handed on, so that no
    setting of the agent's, its token least of all, can reach a job.

    Args:
        job: the accepted job; its variables win over inherited ones.
        token: the job token.
        connection: the endpoint in use, and the headers the server asked for.
        settings: the agent's settings.
        folder: where the job runs.
        tools: folder of the shims, put at the front of `PATH`.
        environ: the agent's environment.
    """
    variables = {name: value for name, value in environ.items() if _INHERITED.fullmatch(name)}
    variables["PATH"] = environ.get("PATH") or _DEFAULT_PATH
    variables |= {"CI": "true", "BUILDKITE": "true"}
    variables |= job.variables
    for name in _NEVER:
        variables.pop(name, None)
    return {
        **variables,
        **headers_to_variables(connection.headers),
        "PATH": f"{tools}{os.pathsep}{variables['PATH']}",
        "BUILDKITE_JOB_ID": job.id,
        "BUILDKITE_AGENT_ACCESS_TOKEN": token.reveal(),
        "BUILDKITE_AGENT_ENDPOINT": connection.endpoint,
        "BUILDKITE_BIN_PATH": str(tools),
        "BUILDKITE_BUILD_PATH": str(settings.build_path),
        "BUILDKITE_BUILD_CHECKOUT_PATH": str(folder),
        "BUILDKITE_SHELL": shlex.join(settings.shell),
    }


def write_shims(folder: Path, command: Sequence[str] = OWN_COMMAND) -> None:
    """Put commands named like the usual agent into a folder; each runs this agent.

    Raises:
        OSError: they cannot be written.
    """
    for name in SHIM_NAMES:
        shim = folder / name
        shim.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n', encoding="utf-8")
        shim.chmod(0o700)
