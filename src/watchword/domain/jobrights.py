"""Rights of job tokens: what a job may do besides running, as words that steps and agents narrow.

Starting, logging, the state and the end of its own job need none: without them no job could run.
"""

from collections.abc import Collection, Iterable
from enum import StrEnum

from watchword.domain.errors import Forbidden, Invalid


class JobRight(StrEnum):
    """One right; the value is the word in pipelines, in settings of agents and in refusals."""

    ANNOTATE = "annotate"
    ARTIFACTS_READ = "artifacts:read"
    ARTIFACTS_WRITE = "artifacts:write"
    META_DATA_READ = "meta_data:read"
    META_DATA_WRITE = "meta_data:write"
    PIPELINE_UPLOAD = "pipeline_upload"
    STEPS_READ = "steps:read"
    STEPS_WRITE = "steps:write"
    BUILD_CANCEL = "build:cancel"
    JOB_UPDATE = "job:update"
    OIDC = "oidc"
    SECRETS = "secrets"
    REPOSITORY_TOKEN = "repository_token"  # noqa: S105 - the name of a right
    CACHES = "caches"
    AGENT_CONTROL = "agent_control"
    CROSS_JOB_READ = "cross_job_read"
    CROSS_JOB_WRITE = "cross_job_write"


# What a job's row holds: nothing for every right, else the words, this one first, so that none is not all.
_RUN = "run"
TITLES: dict[JobRight, str] = {
    JobRight.ANNOTATE: "Set and remove annotations",
    JobRight.ARTIFACTS_READ: "Search and download artifacts",
    JobRight.ARTIFACTS_WRITE: "Upload artifacts",
    JobRight.META_DATA_READ: "Read meta-data",
    JobRight.META_DATA_WRITE: "Set meta-data",
    JobRight.PIPELINE_UPLOAD: "Add steps to the build; they have no right that this job lacks",
    JobRight.STEPS_READ: "Read steps of the build",
    JobRight.STEPS_WRITE: "Change and cancel steps of the build",
    JobRight.BUILD_CANCEL: "Cancel the build",
    JobRight.JOB_UPDATE: "Change the job's own time-out, promise its failure",
    JobRight.OIDC: "Ask for identity tokens",
    JobRight.SECRETS: "Read secrets of the cluster",
    JobRight.REPOSITORY_TOKEN: "Ask for tokens of repositories",
    JobRight.CACHES: "Use cache registries",
    JobRight.AGENT_CONTROL: "Stop, pause and resume the agent that runs the job",
    JobRight.CROSS_JOB_READ: "Read meta-data and artifacts of other builds of the cluster",
    JobRight.CROSS_JOB_WRITE: "Write meta-data, annotations and artifacts of other jobs of the cluster",
}


def read_rights(words: Iterable[object]) -> frozenset[JobRight]:
    """Rights by their words.

    Raises:
        Invalid: one is unknown; the message lists those that there are.
    """
    known = {right.value: right for right in JobRight}
    found = set()
    for word in words:
        if not isinstance(word, str) or word not in known:
            raise Invalid(f"there is no right {word!r}; there are {', '.join(known)}", code="unknown_right")
        found.add(known[word])
    return frozenset(found)


def keep_rights(rights: Collection[JobRight]) -> str:
    """Rights as a job's row holds them; nothing for all of them, those of later versions included."""
    if len(set(rights)) == len(JobRight):
        return ""
    return " ".join([_RUN, *sorted(right.value for right in rights)])


def kept_rights(kept: str) -> frozenset[JobRight]:
    """Rights from a job's row; words that this version does not know give none."""
    if not kept:
        return frozenset(JobRight)
    words = set(kept.split())
    return frozenset(right for right in JobRight if right.value in words)


def common_rights(first: str, second: str) -> str:
    """What two rows have in common, as a row: neither widens the other."""
    if not first or not second:
        return first or second
    return keep_rights(kept_rights(first) & kept_rights(second))


def require_right(kept: str, right: str) -> None:
    """Require a right of a row.

    Args:
        kept: the job's rights, as its row holds them.
        right: the word; empty needs none.

    Raises:
        Forbidden: it is not among them; the code names it.
    """
    if right and kept and right not in kept.split():
        raise Forbidden(
            f"This job's token lacks the right {right}: its step, or the agent that runs it, asked for less.",
            code=f"job_right_missing.{right}",
        )
