"""Runs the hooks of the operator, the repository and the plugins, and takes over what they changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from watchword.agent.job import scripts
from watchword.agent.job.process import Outcome
from watchword.agent.job.protected import blocked
from watchword.agent.job.shell import Interrupted, JobFailed, JobShell
from watchword.agent.jobsettings import JobSettings


@dataclass(frozen=True, slots=True)
class PluginHooks:
    """A plugin that is there: its name, its folder of hooks, and the variables its hooks get."""

    name: str
    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)


class Hooks:
    """The hooks of one job.

    Attributes:
        plugins: the plugins that are there so far, in the order of the step.
    """

    def __init__(self, shell: JobShell, settings: JobSettings, scratch: Path) -> None:
        self._shell = shell
        self._settings = settings
        self._scratch = scratch
        self.plugins: list[PluginHooks] = []

    async def forward(self, name: str) -> None:
        """Run a hook of everyone's: operator, repository, plugins.

        Raises:
            JobFailed: one of them failed; the rest does not run.
        """
        await self.of_operator(name)
        await self.of_repository(name)
        await self.of_plugins(name)

    async def backward(self, name: str) -> None:
        """Run a hook of everyone's, the last first. Errors as `forward`."""
        await self.of_plugins(name, backward=True)
        await self.of_repository(name)
        await self.of_operator(name)

    async def instead(self, name: str, *, repository: bool) -> bool:
        """Run the hook that replaces a phase: of the plugins, else the repository's, else the operator's.

        Returns:
            Whether there is one.

        Raises:
            JobFailed: it failed.
        """
        if any(scripts.find_hook(plugin.folder, name) for plugin in self.plugins):
            await self.of_plugins(name, only_first=self._settings.single_hooks)
        elif repository and self._local(name):
            await self.of_repository(name)
        elif any(scripts.find_hook(folder, name) for folder in self._folders()):
            await self.of_operator(name)
        else:
            return False
        return True

    async def of_operator(self, name: str) -> None:
        """Run the operator's hooks of a name. Errors as `forward`."""
        for folder in self._folders():
            if path := scripts.find_hook(folder, name):
                await self._run("agent", name, path)

    async def of_repository(self, name: str) -> None:
        """Run the repository's hook of a name. Errors as `forward`; also if such hooks are forbidden."""
        path = self._local(name)
        if path is None:
            return
        if not self._settings.local_hooks or self._shell.is_on("BUILDKITE_NO_LOCAL_HOOKS"):
            raise JobFailed(f"refusing to run {path}: hooks of the repository are disabled on this agent")
        await self._run("repository", name, path)

    async def of_plugins(
        self,
        name: str,
        *,
        backward: bool = False,
        only_first: bool = False,
        plugins: Sequence[PluginHooks] | None = None,
    ) -> None:
        """Run the plugins' hooks of a name. Errors as `forward`."""
        chosen = list(self.plugins if plugins is None else plugins)
        for plugin in reversed(chosen) if backward else chosen:
            if path := scripts.find_hook(plugin.folder, name):
                await self._run("plugin", name, path, plugin)
                if only_first:
                    return

    def _folders(self) -> list[Path]:
        first = self._settings.hooks_path
        return [*([first] if first else []), *self._settings.additional_hooks_paths]

    def _local(self, name: str) -> Path | None:
        checkout = self._shell.variable("BUILDKITE_BUILD_CHECKOUT_PATH")
        return scripts.find_hook(Path(checkout) / ".buildkite" / "hooks", name) if checkout else None

    async def _run(self, scope: str, name: str, path: Path, plugin: PluginHooks | None = None) -> None:
        title = " ".join(part for part in (scope, plugin.name if plugin else "", name) if part)
        await self._shell.header(f"Running {title} hook")
        extra = {
            **(plugin.variables if plugin else {}),
            "BUILDKITE_HOOK_PHASE": name,
            "BUILDKITE_HOOK_PATH": str(path),
            "BUILDKITE_HOOK_SCOPE": scope,
        }
        try:
            outcome = await self._execute(path, extra)
        except OSError as error:
            raise JobFailed(f"the {title} hook cannot be run: {error}") from None
        self._shell.variables["BUILDKITE_LAST_HOOK_EXIT_STATUS"] = str(outcome.status)
        if not outcome.passed:
            raise _failure(title, outcome, cancelled=self._shell.cancelled)

    async def _execute(self, path: Path, extra: dict[str, str]) -> Outcome:
        if scripts.kind_of(path) == "direct":
            outcome = (await self._shell.run([str(path)], extra=extra)).outcome
            self._shell.take_folder()
            return outcome
        script, saved = scripts.write_wrapper(path, self._scratch)
        words = [*scripts.interpreter(path, self._settings.hooks_shell), str(script)]
        before = {**self._shell.variables, **extra}
        outcome = (await self._shell.run(words, extra=extra, shown=str(path))).outcome
        changes = scripts.read_changes(saved, before)
        saved.unlink(missing_ok=True)
        if changes is not None and outcome.passed:
            await self._apply(changes)
        self._shell.take_folder()
        return outcome

    async def _apply(self, changes: scripts.Changes) -> None:
        """Take over what a hook changed, but for what is not its own to change."""
        refused = blocked(changes.variables, command_eval=self._settings.command_eval)
        if refused:
            await self._shell.comment(f"Changes to these variables are not allowed: {', '.join(refused)}")
        variables = self._shell.variables
        for name, value in changes.variables.items():
            if name in refused:
                continue
            if value is None:
                variables.pop(name, None)
                await self._shell.comment(f"{name} removed")
            else:
                word = "changed" if name in variables else "added"
                variables[name] = value
                await self._shell.comment(f"{name} {word}")
        self._shell.redact_variables()
        if changes.folder is not None and changes.folder.is_dir():
            self._shell.folder = changes.folder


def _failure(title: str, outcome: Outcome, *, cancelled: bool) -> JobFailed:
    how = f"was ended by {outcome.signal}" if outcome.signal else f"exited with status {outcome.status}"
    kind = Interrupted if cancelled else JobFailed
    return kind(f"The {title} hook {how}", outcome)
