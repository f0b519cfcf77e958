"""Brings the repository of a job to its commit (contract section 4.6)."""

import asyncio
import contextlib
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

from watchword.agent.errors import AgentError
from watchword.agent.job.git import Git, GitFailed
from watchword.agent.job.hooks import Hooks
from watchword.agent.job.shell import Interrupted, JobFailed, JobShell
from watchword.agent.jobdata import JobData
from watchword.agent.jobsettings import JobSettings

COMMIT_KEY = "buildkite:git:commit"

_WAITS = (1.0, 2.0, 4.0, 8.0, 16.0)


class Checkout:
    """The checkout phase of one job.

    Args:
        shell: the job's shell.
        hooks: those that run before, instead and after.
        settings: the operator's decisions.
        data: where the commit is told.
        scratch: a folder for a key of the job's.
    """

    def __init__(
        self, shell: JobShell, hooks: Hooks, settings: JobSettings, data: JobData, scratch: Path
    ) -> None:
        self._shell = shell
        self._hooks = hooks
        self._settings = settings
        self._data = data
        self._scratch = scratch
        self._git = Git(shell)

    async def run(self) -> None:
        """Check the commit out, or let a hook do it.

        Raises:
            JobFailed: a hook failed, or every attempt did.
        """
        await self._hooks.of_operator("pre-checkout")
        await self._hooks.of_plugins("pre-checkout")
        if self._shell.is_on("BUILDKITE_CLEAN_CHECKOUT"):
            await self._shell.header("Cleaning pipeline checkout")
            await self._remove()
        await self._shell.header("Preparing working directory")
        self._enter()
        if self._shell.is_on("BUILDKITE_SKIP_CHECKOUT"):
            await self._shell.comment("Skipping checkout: BUILDKITE_SKIP_CHECKOUT is set")
        elif not await self._hooks.instead("checkout", repository=False):
            await self._default()
        before = self._shell.variable("BUILDKITE_BUILD_CHECKOUT_PATH")
        await self._hooks.backward("post-checkout")
        if self._shell.variable("BUILDKITE_BUILD_CHECKOUT_PATH") != before:
            self._enter()

    async def _default(self) -> None:
        if not self._shell.variable("BUILDKITE_REPO"):
            await self._shell.comment("Skipping checkout: BUILDKITE_REPO is empty")
            return
        with self._ssh_key():
            await self._attempts()
        await self._tell_commit()

    async def _attempts(self) -> None:
        """Try until a checkout passes; what may be broken is thrown away in between.

        Raises:
            JobFailed: the last failure.
        """
        for attempt in range(1, self._settings.checkout_attempts + 1):
            try:
                await self._attempt()
            except Interrupted:
                raise
            except GitFailed as error:
                if error.outcome.signal or self._shell.cancelled:
                    raise
                await self._shell.say(
                    f"Checkout failed: {error} (attempt {attempt} of {self._settings.checkout_attempts})"
                )
                if attempt == self._settings.checkout_attempts:
                    raise
                if error.anew:
                    await self._remove()
                    self._enter()
                await self._shell.pause(_WAITS[min(attempt, len(_WAITS)) - 1])
            else:
                return

    async def _attempt(self) -> None:
        git, shell = self._git, self._shell
        repository = shell.variable("BUILDKITE_REPO")
        if git.is_repository:
            await git.set_origin(repository)
        else:
            await git.clone(repository)
        await git.clean()
        await self._fetch()
        commit = shell.variable("BUILDKITE_COMMIT") or "HEAD"
        await git.checkout("FETCH_HEAD" if commit == "HEAD" else commit)
        await self._submodules()
        await git.clean()
        resolved = await git.resolve("HEAD")
        if resolved and resolved != commit:
            await shell.comment(f'BUILDKITE_COMMIT is now "{resolved}"')
            shell.variables["BUILDKITE_COMMIT"] = resolved

    async def _fetch(self) -> None:
        """Fetch what the job names: a refspec, a pull request, a branch's tip, or a commit."""
        git, shell = self._git, self._shell
        commit = shell.variable("BUILDKITE_COMMIT") or "HEAD"
        pull = shell.variable("BUILDKITE_PULL_REQUEST")
        known = [] if commit == "HEAD" else [commit]
        if (
            known
            and shell.is_on("BUILDKITE_GIT_SKIP_FETCH_EXISTING_COMMITS")
            and await git.has_commit(commit)
        ):
            await shell.comment(f"The commit {commit} is here already: nothing to fetch")
        elif refspec := shell.variable("BUILDKITE_REFSPEC"):
            await git.fetch(*shlex.split(refspec))
        elif pull not in ("", "false") and "github" in shell.variable("BUILDKITE_PIPELINE_PROVIDER"):
            merge = shell.is_on("BUILDKITE_PULL_REQUEST_USING_MERGE_REFSPEC")
            await git.fetch_commit(f"refs/pull/{pull}/{'merge' if merge else 'head'}", *known)
        elif known:
            await git.fetch_commit(commit)
        else:
            await git.fetch(shell.variable("BUILDKITE_TAG") or shell.variable("BUILDKITE_BRANCH") or "HEAD")

    async def _submodules(self) -> None:
        if not self._git.has_submodules:
            return
        if self._shell.variable("BUILDKITE_GIT_SUBMODULES").lower() in ("false", "0", "off"):
            await self._shell.comment("This repository has submodules, but this job does without them")
            return
        await self._git.update_submodules()

    async def _tell_commit(self) -> None:
        """Tell the server which commit it is; failing to is no failure of the job."""
        if self._shell.is_on("BUILDKITE_COMMIT_RESOLVED"):
            return
        try:
            if await self._data.exists(COMMIT_KEY):
                return
            text = await self._git.describe(self._shell.variable("BUILDKITE_COMMIT"))
            if text:
                await self._shell.comment("Sending the commit's description to the server")
                await self._data.put(COMMIT_KEY, text)
        except AgentError as error:
            await self._shell.comment(f"The commit's description could not be sent: {error}")

    @contextlib.contextmanager
    def _ssh_key(self) -> Iterator[None]:
        """Let git use a key that the job brings (`BUILDKITE_GIT_SSH_KEY`), for the checkout alone."""
        variables = self._shell.variables
        key = variables.pop("BUILDKITE_GIT_SSH_KEY", "")
        if not key:
            yield
            return
        self._shell.redact(key)
        path, before = self._scratch / "git-key", variables.get("GIT_SSH_COMMAND", "ssh")
        path.touch(0o600)
        path.write_text(f"{key.rstrip()}\n", encoding="utf-8")
        variables["GIT_SSH_COMMAND"] = f"{before} -o IdentitiesOnly=yes -i {shlex.quote(str(path))}"
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
            variables["GIT_SSH_COMMAND"] = before

    def _enter(self) -> None:
        """Go into the checkout's folder.

        Raises:
            JobFailed: it cannot be made.
        """
        folder = Path(self._shell.variable("BUILDKITE_BUILD_CHECKOUT_PATH"))
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise JobFailed(f"cannot make the folder {folder}: {error}") from None
        self._shell.folder = folder

    async def _remove(self) -> None:
        folder = Path(self._shell.variable("BUILDKITE_BUILD_CHECKOUT_PATH"))
        await self._shell.comment(f"Removing {folder}")
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
