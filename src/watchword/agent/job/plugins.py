"""Brings the plugins of a step to the machine and tells the hooks about them."""

import asyncio
import shutil
import tempfile
from pathlib import Path

from watchword.agent.job.hooks import Hooks, PluginHooks
from watchword.agent.job.pluginsource import Plugin, read_plugins
from watchword.agent.job.shell import JobFailed, JobShell
from watchword.agent.jobsettings import JobSettings

_ATTEMPTS = 3
_WAIT = 2.0


class Plugins:
    """The plugins of one job's step."""

    def __init__(self, shell: JobShell, hooks: Hooks, settings: JobSettings) -> None:
        self._shell = shell
        self._hooks = hooks
        self._settings = settings
        self._plugins: list[Plugin] = []

    async def prepare(self) -> None:
        """Clone the plugins that are repositories of their own, and run their environment hooks.

        Raises:
            JobFailed: plugins are not allowed, make no sense, or cannot be cloned.
        """
        text = self._shell.variable("BUILDKITE_PLUGINS")
        if not text:
            return
        self._plugins = read_plugins(text)
        if not self._plugins:
            return
        await self._shell.header("Preparing plugins")
        if not self._settings.plugins:
            raise JobFailed("this agent runs no plugins (no-plugins, no-local-hooks or no-command-eval)")
        for plugin in self._plugins:
            if not plugin.vendored:
                folder = await self._cloned(plugin)
                self._hooks.plugins.append(_hooks_of(plugin, folder / plugin.below))
        await self._hooks.of_plugins("environment")

    async def prepare_vendored(self) -> None:
        """Find the plugins that are part of the repository, after the checkout; run their environment hooks.

        Raises:
            JobFailed: one is not where the step says.
        """
        vendored = [plugin for plugin in self._plugins if plugin.vendored]
        checkout = Path(self._shell.variable("BUILDKITE_BUILD_CHECKOUT_PATH"))
        found = [_hooks_of(plugin, _inside(checkout, plugin)) for plugin in vendored]
        self._hooks.plugins += found
        await self._hooks.of_plugins("environment", plugins=found)

    async def _cloned(self, plugin: Plugin) -> Path:
        """The folder of a plugin's clone, which may be there from a job before."""
        parent = self._settings.plugins_path / self._shell.variable("BUILDKITE_AGENT_NAME").replace("/", "-")
        parent.mkdir(parents=True, exist_ok=True)
        folder = parent / plugin.folder
        if self._settings.plugins_fresh or self._shell.is_on("BUILDKITE_PLUGINS_ALWAYS_CLONE_FRESH"):
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        if (folder / ".git").exists():
            await self._shell.comment(f'Plugin "{plugin.label}" is already checked out')
            return folder
        scratch = Path(tempfile.mkdtemp(dir=parent))
        try:
            await self._clone(plugin, scratch)
            await asyncio.to_thread(scratch.rename, folder)
        except OSError as error:
            raise JobFailed(f"the plugin {plugin.label} cannot be put to {folder}: {error}") from None
        finally:
            await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)
        return folder

    async def _clone(self, plugin: Plugin, folder: Path) -> None:
        deep = ["--recursive"] if self._settings.submodules else []
        words = ["git", "clone", "-v", *deep, "--", plugin.repository, "."]
        for attempt in range(1, _ATTEMPTS + 1):
            ran = await self._shell.run(words, folder=folder)
            if ran.outcome.passed:
                break
            if attempt == _ATTEMPTS:
                raise JobFailed(f"the plugin {plugin.label} cannot be cloned", ran.outcome)
            await self._shell.pause(_WAIT)
        if plugin.version:
            words = ["git", "-c", "advice.detachedHead=false", "checkout", "-f", plugin.version]
            ran = await self._shell.run(words, folder=folder)
            if not ran.outcome.passed:
                raise JobFailed(f"the plugin {plugin.name} has no version {plugin.version}", ran.outcome)


def _hooks_of(plugin: Plugin, folder: Path) -> PluginHooks:
    hooks = folder / "hooks"
    if not hooks.is_dir():
        raise JobFailed(f"the plugin {plugin.label} has no folder of hooks")
    return PluginHooks(plugin.name, hooks, plugin.variables())


def _inside(checkout: Path, plugin: Plugin) -> Path:
    folder = (checkout / plugin.location).resolve()
    if not folder.is_relative_to(checkout.resolve()):
        raise JobFailed(f"the plugin {plugin.label} is outside the repository")
    return folder
