"""Scans git histories."""

from collections.abc import Iterator

from watchword.scan.findings import Finding
from watchword.scan.looking import Look, Skip, Watcher


def scan_history(
    repository: str,
    look: Look,
    *,
    since: str | None = None,
    unreachable: bool = False,
    jobs: int = 1,
    skip: Skip | None = None,
    watcher: Watcher | None = None,
) -> Iterator[Finding]:
    """The findings in every version of every file that a git repository knows, and in its messages.

    Each finding names the first commit that brought it in, and the path it had there. A message of a commit
    has the path `COMMIT_MSG`, one of a tag `TAG_MSG`.

    Args:
        repository: a folder inside the work tree, or a bare repository.
        look: what is looked for, and how.
        since: a revision; only what its successors brought is looked at.
        unreachable: whether objects that no reference reaches any more are looked at too.
        jobs: processes that share the work.
        skip: paths of the repository to leave out of the report.
        watcher: is told how far the scan is, and what cannot be read.

    Raises:
        Invalid: it is no repository, git does not trust its owner, or there is no such revision.
        Unavailable: git is not installed.
    """
    raise NotImplementedError
