"""The git commands of a checkout, and what their failures mean."""

import re
import shlex
from collections.abc import Sequence

from watchword.agent.job.process import Outcome
from watchword.agent.job.shell import JobFailed, JobShell

_START_ANEW = re.compile(r"fatal: bad object|not our ref|unadvertised object", re.IGNORECASE)
_NO_SUCH_REF = re.compile(r"fatal: couldn't find remote ref", re.IGNORECASE)
_BROKEN = 128
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|^-|/$|\.$|\.lock$")


class GitFailed(JobFailed):
    """A git command of a checkout failed.

    Attributes:
        anew: whether another attempt should begin in an empty folder.
    """

    def __init__(self, message: str, outcome: Outcome, *, anew: bool) -> None:
        super().__init__(message, outcome)
        self.anew = anew


class Git:
    """Git in the folder of a job's shell. Every method raises `GitFailed` if its command fails."""

    def __init__(self, shell: JobShell) -> None:
        self._shell = shell

    @property
    def is_repository(self) -> bool:
        """Whether the folder is a clone already."""
        return (self._shell.folder / ".git").exists()

    @property
    def has_submodules(self) -> bool:
        """Whether the checked-out commit has submodules."""
        return (self._shell.folder / ".gitmodules").exists()

    async def clone(self, repository: str) -> None:
        """Clone into the folder, which is empty."""
        await self._git(["clone", *self._flags("CLONE"), "--", repository, "."], "clone", anew=True)

    async def set_origin(self, repository: str) -> None:
        """Let `origin` be this repository."""
        current = await self._shell.capture(["git", "remote", "get-url", "origin"])
        if (current or "").strip() != repository:
            words = ["remote", "add" if current is None else "set-url", "origin", repository]
            await self._git(words, "set the origin of the repository", anew=True)

    async def clean(self) -> None:
        """Remove what does not belong to the repository."""
        await self._git(["clean", *self._flags("CLEAN")], "clean", anew=True)
        if self.has_submodules:
            inner = shlex.join(["git", "clean", *self._flags("CLEAN")])
            await self._git(["submodule", "foreach", "--recursive", inner], "clean submodules", anew=True)

    async def fetch(self, *refs: str) -> None:
        """Fetch these from `origin`."""
        await self._git(["fetch", *self._flags("FETCH"), "--", "origin", *refs], f"fetch {' '.join(refs)}")

    async def fetch_commit(self, *refs: str) -> None:
        """Fetch commits; from a server that gives none by their hash, all branches and tags."""
        try:
            await self.fetch(*refs)
        except GitFailed:
            await self._shell.comment(
                "Fetching the commit alone failed, so all branches and tags are fetched"
            )
            await self.fetch("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")

    async def checkout(self, reference: str) -> None:
        """Check a commit out."""
        if not is_reference(reference):
            raise GitFailed(f"{reference!r} is not a commit, branch or tag", Outcome(1), anew=False)
        words = ["-c", "advice.detachedHead=false", "checkout", *self._flags("CHECKOUT"), reference]
        await self._git(words, f"check out {reference}")

    async def update_submodules(self) -> None:
        """Bring the submodules to what the commit says."""
        await self._git(["submodule", "sync", "--recursive"], "sync submodules")
        await self._git(["submodule", "update", "--init", "--recursive", "--force"], "update submodules")
        await self._git(["submodule", "foreach", "--recursive", "git reset --hard"], "reset submodules")

    async def has_commit(self, commit: str) -> bool:
        """Whether a commit, named by its whole hash, is there."""
        words = ["git", "rev-parse", "--quiet", "--verify", f"{commit}^{{commit}}"]
        return (await self._shell.capture(words) or "").strip() == commit

    async def resolve(self, reference: str) -> str | None:
        """The whole hash of a commit, or None."""
        words = ["git", "rev-parse", "--quiet", "--verify", f"{reference}^{{commit}}"]
        return (await self._shell.capture(words) or "").strip() or None

    async def describe(self, commit: str) -> str | None:
        """The text that servers expect as `buildkite:git:commit` (contract section 4.6), or None."""
        form = "commit %H%nabbrev-commit %h%nAuthor: %an <%ae>%n%n%w(0,4,4)%B"
        words = ["git", "--no-pager", "log", "-1", commit, "-s", "--no-color", f"--format={form}"]
        return await self._shell.capture(words)

    def _flags(self, command: str) -> list[str]:
        name = f"BUILDKITE_GIT_{command}_FLAGS"
        try:
            return shlex.split(self._shell.variable(name))
        except ValueError as error:
            raise GitFailed(f"{name} cannot be split into words: {error}", Outcome(1), anew=False) from None

    async def _git(self, words: Sequence[str], doing: str, *, anew: bool = False) -> None:
        ran = await self._shell.run(["git", *words])
        if ran.outcome.passed:
            return
        broken = ran.outcome.status == _BROKEN and not _NO_SUCH_REF.search(ran.tail)
        anew = anew or broken or bool(_START_ANEW.search(ran.tail))
        raise GitFailed(f"git could not {doing}", ran.outcome, anew=anew)


def is_reference(text: str) -> bool:
    """Whether a text can be the name of a commit, so that git takes it for nothing else."""
    return bool(text) and not _FORBIDDEN.search(text)
