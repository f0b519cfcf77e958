"""Sets up what one job works with: folders, variables, shims, socket, phases."""

import contextlib
import json
import re
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from structlog.typing import FilteringBoundLogger

from watchword.agent.config import Settings
from watchword.agent.job.api import JobSocket
from watchword.agent.job.checkout import Checkout
from watchword.agent.job.executor import Ended, Executor
from watchword.agent.job.folderlock import locked
from watchword.agent.job.hooks import Hooks
from watchword.agent.job.logcopies import log_copies
from watchword.agent.job.plugins import Plugins
from watchword.agent.job.pluginsource import read_plugins
from watchword.agent.job.process import Outcome
from watchword.agent.job.secrets import StepSecrets
from watchword.agent.job.shell import JobFailed, JobShell
from watchword.agent.jobdata import JobData
from watchword.agent.jobenv import OWN_COMMAND, job_environment, job_folder, write_shims
from watchword.agent.jobsettings import JobSettings
from watchword.agent.redaction import Redactor
from watchword.agent.retry import Policy
from watchword.agent.stop import Stop
from watchword.agent.streamer import LogStreamer
from watchword.agent.transport import Connection
from watchword.agent.unixhttp import MAX_PATH, listening
from watchword.agent.wire import Job
from watchword.crypto.values import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What all jobs of one agent share.

    Attributes:
        settings: the agent's settings.
        policy: the clock and the attempts.
        log: the agent's own log.
        stop: asked before and during a job.
        agent_name: the registered name; part of the build folder.
        status_interval: seconds between two looks at a job's state.
        environ: the agent's environment, of which jobs get a few variables.
        own_command: how a job calls this agent.
    """

    settings: Settings
    policy: Policy
    log: FilteringBoundLogger
    stop: Stop
    agent_name: str
    status_interval: float
    environ: Mapping[str, str]
    own_command: Sequence[str] = OWN_COMMAND


class Workplace:
    """One job, ready to run.

    Attributes:
        shell: the job's shell, through which it is cancelled.
    """

    def __init__(self, shell: JobShell, hooks: Hooks, executor: Executor, ignored: Sequence[str]) -> None:
        self.shell = shell
        self._hooks = hooks
        self._executor = executor
        self._ignored = ignored

    async def run(self) -> Ended:
        """Run the job, unless the operator's `pre-bootstrap` hook says no."""
        try:
            await self._hooks.of_operator("pre-bootstrap")
        except JobFailed as error:
            await self.shell.say(f"This agent refuses the job: {error}")
            return Ended(Outcome(-1), "agent_refused")
        return await self._executor.run(self._ignored)


@contextlib.asynccontextmanager
async def workplace(
    job: Job, token: Secret, connection: Connection, host: Host, log: LogStreamer, redactor: Redactor
) -> AsyncIterator[Workplace]:
    """Make everything for a job, and clear it away in the end with whatever the job left running.

    Raises:
        OSError: a folder, a file or the socket cannot be made.
    """
    settings = host.settings
    folder = job_folder(settings, host.agent_name, job)
    async with contextlib.AsyncExitStack() as stack:
        scratch = Path(
            stack.enter_context(
                tempfile.TemporaryDirectory(prefix="watchword-job-", ignore_cleanup_errors=True)
            )
        )
        await stack.enter_async_context(locked(folder, host.policy.sleep, log.say))
        tools = _tools(scratch, host)
        made = job_environment(
            job, token, connection, settings, folder=folder, tools=tools, environ=host.environ
        )
        copies = stack.enter_context(log_copies(log, settings.jobs, scratch))
        variables = made.variables | _environment_files(scratch, job) | copies
        redactor.add(_passwords(job))
        folder.mkdir(parents=True, exist_ok=True)
        shell = JobShell(
            variables, folder, log=log, redactor=redactor, policy=host.policy, settings=settings.jobs
        )
        stack.push_async_callback(shell.close)
        socket = JobSocket(shell, command_eval=settings.jobs.command_eval)
        path = _socket_path(scratch, stack)
        await stack.enter_async_context(listening(path, socket.answer))
        socket.introduce(path)
        hooks = Hooks(shell, settings.jobs, scratch)
        data = JobData(connection, job.id, redactor, host.policy)
        executor = Executor(
            shell,
            hooks,
            Plugins(shell, hooks, settings.jobs),
            Checkout(shell, hooks, settings.jobs, data, scratch),
            StepSecrets(
                shell=shell,
                job=job,
                connection=connection,
                policy=host.policy,
                command_eval=settings.jobs.command_eval,
            ),
            settings=settings.jobs,
            command_shell=settings.shell,
            own_command=host.own_command,
        )
        yield Workplace(shell, hooks, executor, made.ignored)


def refusal(job: Job, settings: JobSettings) -> str | None:
    """Why the operator's lists of what is allowed forbid a job; None if they do not."""
    repository = job.variable("BUILDKITE_REPO")
    if repository and not _allowed(repository, settings.allowed_repositories):
        return f"the repository {repository} is not among the allowed ones"
    for name in job.env:
        if not _allowed(name, settings.allowed_variables):
            return f"the variable {name} is not among the allowed ones"
    if settings.allowed_plugins and (text := job.variable("BUILDKITE_PLUGINS")):
        try:
            labels = [plugin.label for plugin in read_plugins(text)]
        except JobFailed as error:
            return str(error)
        for label in labels:
            if not _allowed(label, settings.allowed_plugins):
                return f"the plugin {label} is not among the allowed ones"
    return None


def _passwords(job: Job) -> list[str]:
    """The password in the repository's address, which git's command line in the log would show."""
    try:
        password = urlsplit(job.variable("BUILDKITE_REPO")).password
    except ValueError:
        return []
    return [password, unquote(password)] if password else []


def _allowed(text: str, patterns: Sequence[re.Pattern[str]]) -> bool:
    return not patterns or any(pattern.search(text) for pattern in patterns)


def _tools(scratch: Path, host: Host) -> Path:
    """The folder of the commands that a job finds first."""
    tools = scratch / "bin"
    tools.mkdir(0o700)
    if host.settings.jobs.shim:
        write_shims(tools, host.own_command, path=host.environ.get("PATH", ""))
    return tools


def _environment_files(scratch: Path, job: Job) -> dict[str, str]:
    """Files with what the server sent, and no token of the agent's: the variables that name them."""
    lines, whole = scratch / "job-env", scratch / "job-env.json"
    for path in (lines, whole):
        path.touch(0o600)
    lines.write_text(
        "".join(f"{name}={json.dumps(value, ensure_ascii=False)}\n" for name, value in job.variables.items()),
        encoding="utf-8",
    )
    whole.write_text(json.dumps(job.variables), encoding="utf-8")
    return {"BUILDKITE_ENV_FILE": str(lines), "BUILDKITE_ENV_JSON_FILE": str(whole)}


def _socket_path(scratch: Path, stack: contextlib.AsyncExitStack) -> Path:
    """Where the job's socket goes: an address has few bytes, so a deep folder for scratch will not do."""
    path = scratch / "job.sock"
    if len(str(path).encode()) > MAX_PATH:
        path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ww-", dir="/tmp"))) / "job.sock"
    return path
