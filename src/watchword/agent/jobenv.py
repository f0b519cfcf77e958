"""The environment of a job: what the server sent, a clean base, the job token, and nothing of the agent's."""

import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from watchword.agent.config import CONFIG_VARIABLE, Settings
from watchword.agent.tokensource import TOKEN_FILE_VARIABLE, TOKEN_VARIABLE
from watchword.agent.transport import Connection, headers_to_variables
from watchword.agent.wire import Job
from watchword.crypto.values import Secret

SHIM_NAMES = ("buildkite-agent", "watchword-agent")
OWN_COMMAND = (sys.executable, "-E", "-P", "-m", "watchword.agent")
"""How a job calls this agent; `-E -P`: neither PYTHON* variables nor the job's folder change what is run."""

_INHERITED = re.compile(
    r"HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_\w+|TZ|TERM|TMPDIR|XDG_\w+|SSH_AUTH_SOCK"
    r"|GIT_(SSH|SSH_COMMAND|CONFIG_\w+|SSL_\w+)|SSL_CERT_(FILE|DIR)|(?i:https?_proxy|no_proxy|all_proxy)"
)
_NEVER = (TOKEN_VARIABLE, TOKEN_FILE_VARIABLE, CONFIG_VARIABLE)
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True, slots=True)
class JobEnvironment:
    """A job's variables, and the names of those that the server sent and may not set."""

    variables: dict[str, str]
    ignored: tuple[str, ...]


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
) -> JobEnvironment:
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
    variables |= {"CI": "true", "BUILDKITE": "true", "GIT_TERMINAL_PROMPT": "0"}
    variables |= {name: value for name, value in _preset(settings).items() if value}
    variables |= job.variables
    for name in _NEVER:
        variables.pop(name, None)
    owned = {
        **headers_to_variables(connection.headers),
        **_settings_variables(settings),
        "BUILDKITE_JOB_ID": job.id,
        "BUILDKITE_AGENT_ACCESS_TOKEN": token.reveal(),
        "BUILDKITE_AGENT_ENDPOINT": connection.endpoint,
        "BUILDKITE_AGENT_PID": str(os.getpid()),
        "BUILDKITE_BIN_PATH": str(tools),
        "BUILDKITE_BUILD_CHECKOUT_PATH": str(folder),
    }
    ignored = sorted(owned.keys() & job.variables.keys() - {"BUILDKITE_JOB_ID"})
    variables |= owned
    variables["PATH"] = f"{tools}{os.pathsep}{variables['PATH']}"
    if settings.jobs.ssh_accept_new:
        ssh = variables.get("GIT_SSH_COMMAND", "ssh")
        variables["GIT_SSH_COMMAND"] = f"{ssh} -o StrictHostKeyChecking=accept-new"
    return JobEnvironment(variables, tuple(ignored))


def write_shims(folder: Path, command: Sequence[str] = OWN_COMMAND, *, path: str = "") -> None:
    """Put commands named like the usual agent into a folder; each runs this agent.

    A name that the operator has a program for on `path` is left to that program.

    Raises:
        OSError: they cannot be written.
    """
    for name in SHIM_NAMES:
        if path and shutil.which(name, path=path):
            continue
        shim = folder / name
        shim.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n', encoding="utf-8")
        shim.chmod(0o700)


def _preset(settings: Settings) -> dict[str, str]:
    """What the operator sets and a job may set otherwise."""
    jobs = settings.jobs
    return {
        "BUILDKITE_SKIP_CHECKOUT": "true" if jobs.skip_checkout else "",
        "BUILDKITE_GIT_SUBMODULES": "" if jobs.submodules else "false",
        "BUILDKITE_GIT_SKIP_FETCH_EXISTING_COMMITS": "true" if jobs.skip_known_commits else "",
        "BUILDKITE_PLUGINS_ALWAYS_CLONE_FRESH": "true" if jobs.plugins_fresh else "",
    }


def _settings_variables(settings: Settings) -> dict[str, str]:
    """The operator's settings, for hooks to see; the server cannot change them."""
    jobs = settings.jobs
    return {
        "BUILDKITE_AGENT_DEBUG": "false",
        "BUILDKITE_BUILD_PATH": str(settings.build_path),
        "BUILDKITE_HOOKS_PATH": str(jobs.hooks_path or ""),
        "BUILDKITE_ADDITIONAL_HOOKS_PATHS": ",".join(map(str, jobs.additional_hooks_paths)),
        "BUILDKITE_PLUGINS_PATH": str(jobs.plugins_path),
        "BUILDKITE_SOCKETS_PATH": str(jobs.sockets_path),
        "BUILDKITE_COMMAND_EVAL": _word(jobs.command_eval),
        "BUILDKITE_LOCAL_HOOKS_ENABLED": _word(jobs.local_hooks),
        "BUILDKITE_PLUGINS_ENABLED": _word(jobs.plugins),
        "BUILDKITE_STRICT_SINGLE_HOOKS": _word(jobs.single_hooks),
        "BUILDKITE_SSH_KEYSCAN": _word(jobs.ssh_accept_new),
        "BUILDKITE_SHELL": shlex.join(settings.shell),
        "BUILDKITE_HOOKS_SHELL": jobs.hooks_shell,
        "BUILDKITE_REDACTED_VARS": ",".join(jobs.redacted),
        "BUILDKITE_GIT_CHECKOUT_FLAGS": jobs.checkout_flags,
        "BUILDKITE_GIT_CLONE_FLAGS": jobs.clone_flags,
        "BUILDKITE_GIT_FETCH_FLAGS": jobs.fetch_flags,
        "BUILDKITE_GIT_CLEAN_FLAGS": jobs.clean_flags,
        "BUILDKITE_CHECKOUT_ATTEMPTS": str(jobs.checkout_attempts),
        "BUILDKITE_CANCEL_SIGNAL": jobs.cancel_signal.name,
        "BUILDKITE_CANCEL_SIGNAL_TIMEOUT": f"{jobs.cancel_grace:g}s",
        "BUILDKITE_CANCEL_CLEANUP_TIMEOUT": f"{jobs.cancel_cleanup:g}s",
    }


def _word(value: bool) -> str:  # noqa: FBT001 - a value
    return "true" if value else "false"
