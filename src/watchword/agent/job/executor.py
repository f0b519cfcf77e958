"""The phases of one job, in order: environment, plugins, checkout, command, artifacts, the end."""

import shlex
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from watchword.agent.job.checkout import Checkout
from watchword.agent.job.hooks import Hooks
from watchword.agent.job.plugins import Plugins
from watchword.agent.job.process import Outcome
from watchword.agent.job.secrets import StepSecrets
from watchword.agent.job.shell import JobFailed, JobShell
from watchword.agent.jobsettings import JobSettings


@dataclass(frozen=True, slots=True)
class Ended:
    """How a job ended: what to report, and the signal reason if there is one (contract section 2.3)."""

    outcome: Outcome
    reason: str | None = None


class Executor:
    """Runs a job's phases. What a phase fails with ends the job; `pre-exit` runs in any case.

    Args:
        shell: the job's shell.
        hooks: the job's hooks.
        plugins: the step's plugins.
        checkout: the checkout phase.
        secrets: the step's secrets.
        settings: the operator's decisions.
        command_shell: words in front of the command.
        own_command: how to call this agent's commands.
    """

    def __init__(
        self,
        shell: JobShell,
        hooks: Hooks,
        plugins: Plugins,
        checkout: Checkout,
        secrets: StepSecrets,
        *,
        settings: JobSettings,
        command_shell: Sequence[str],
        own_command: Sequence[str],
    ) -> None:
        self._shell = shell
        self._hooks = hooks
        self._plugins = plugins
        self._checkout = checkout
        self._secrets = secrets
        self._settings = settings
        self._command_shell = command_shell
        self._own_command = own_command

    async def run(self, ignored: Sequence[str]) -> Ended:
        """Run the job.

        Args:
            ignored: variables that the server may not set and did; the log names them.
        """
        ended = await self._guarded(lambda: self._phases(ignored))
        with self._shell.cleaning():
            last = await self._guarded(self._pre_exit)
        return ended if last.outcome.passed else last

    async def _guarded(self, phase: Callable[[], Awaitable[Outcome]]) -> Ended:
        try:
            return Ended(await phase())
        except JobFailed as error:
            await self._shell.say("^^^ +++")
            await self._shell.say(f"Error: {error}")
            return Ended(error.outcome, error.reason)

    async def _phases(self, ignored: Sequence[str]) -> Outcome:
        await self._environment(ignored)
        await self._plugins.prepare()
        await self._checkout.run()
        await self._plugins.prepare_vendored()
        return await self._command()

    async def _environment(self, ignored: Sequence[str]) -> None:
        if ignored:
            await self._shell.header("Detected protected environment variables")
            await self._shell.comment("These are the agent's own; the build may not set them:")
            for name in ignored:
                await self._shell.say(f"Ignored {name}")
        await self._secrets.run()
        await self._hooks.of_operator("environment")

    async def _pre_exit(self) -> Outcome:
        await self._hooks.backward("pre-exit")
        return Outcome(0)

    async def _command(self) -> Outcome:
        """Command and artifacts: the command's end counts, unless a hook fails after it."""
        failure: JobFailed | None = None
        outcome = Outcome(0)
        try:
            outcome = await self._hooked_command()
        except JobFailed as error:
            failure = error
        with self._shell.cleaning():
            stored = await self._artifacts()
        if failure is not None:
            raise failure
        return stored if outcome.passed else outcome

    async def _hooked_command(self) -> Outcome:
        await self._hooks.forward("pre-command")
        failure: JobFailed | None = None
        try:
            outcome = await self._run_command()
        except JobFailed as error:
            outcome, failure = error.outcome, error
        self._shell.variables["BUILDKITE_COMMAND_EXIT_STATUS"] = str(outcome.status)
        if not outcome.passed and failure is None:
            await self._shell.say("^^^ +++")
            how = f"ended by {outcome.signal}" if outcome.signal else f"exited with status {outcome.status}"
            await self._shell.say(f"The command {how}")
        with self._shell.cleaning():
            await self._hooks.backward("post-command")
        if failure is not None:
            raise failure
        return outcome

    async def _run_command(self) -> Outcome:
        if await self._hooks.instead("command", repository=True):
            return Outcome(0)
        text = self._shell.variable("BUILDKITE_COMMAND")
        if not text.strip():
            raise JobFailed("the job has no command: its step needs one, or a command hook")
        script = self._script(text)
        if script is None and not self._settings.command_eval:
            raise JobFailed(
                "this agent runs no shell text (no-command-eval): name a script of the repository instead"
            )
        await self._shell.say("+++ Running script" if script else "+++ Running command")
        words = [*self._command_shell, script or text]
        return (await self._shell.run(words, shown=script or text)).outcome

    def _script(self, text: str) -> str | None:
        """The script that the command names, as a path below the folder; None if it is shell text."""
        name = text.replace("\n", "")
        folder = self._shell.folder
        try:
            path = (folder / name).resolve()
            if not path.is_file():
                return None
            inside = path.is_relative_to(folder.resolve())
            if self._settings.command_eval:
                path.chmod(path.stat().st_mode | 0o100)
        except (OSError, ValueError):
            return None
        if not inside:
            return shlex.quote(name) if self._settings.command_eval else None
        return f"./{shlex.quote(str(Path(name)))}"

    async def _artifacts(self) -> Outcome:
        """Upload what the step names, between its hooks."""
        paths = self._shell.variable("BUILDKITE_ARTIFACT_PATHS")
        if not paths:
            return Outcome(0)
        await self._hooks.forward("pre-artifact")
        await self._shell.header("Uploading artifacts")
        destination = self._shell.variable("BUILDKITE_ARTIFACT_UPLOAD_DESTINATION")
        words = ["artifact", "upload", paths, *([destination] if destination else [])]
        ran = await self._shell.run(
            [*self._own_command, *words], shown=shlex.join(["buildkite-agent", *words])
        )
        if ran.outcome.passed:
            await self._hooks.forward("post-artifact")
        return ran.outcome
