"""What the jobs of an organization or of one pipeline may do beyond themselves. A pipeline only narrows."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from watchword.domain.errors import Forbidden, Invalid
from watchword.domain.ids import OrganizationId, UserId

MAX_AUDIENCES = 50
MAX_AUDIENCE = 1024


@dataclass(frozen=True, slots=True)
class JobPolicy:
    """What jobs may do. The defaults are those of a new organization.

    Attributes:
        pipeline_id: the pipeline whose jobs are meant; empty for all of the organization.
        cross_job_writes: whether they write meta-data, annotations and artifacts of other jobs.
        identity: whether they are given identity tokens.
        audiences: for whom these may be, a `*` standing for any text without a slash; empty for anybody.
    """

    organization_id: OrganizationId
    pipeline_id: str = ""
    cross_job_writes: bool = True
    identity: bool = True
    audiences: tuple[str, ...] = ()
    updated_at: int = 0
    updated_by: UserId | None = None


def check_job_policy(policy: JobPolicy) -> JobPolicy:
    """Require that a policy is acceptable.

    Raises:
        Invalid: there are too many audiences, or one that no token could name.
    """
    if len(policy.audiences) > MAX_AUDIENCES:
        raise Invalid(
            f"Validation failed: Audiences takes at most {MAX_AUDIENCES} entries", code="too_many_audiences"
        )
    for each in policy.audiences:
        check_audience(each)
    return policy


def check_audience(text: str) -> str:
    """Require a text that can stand as `aud`.

    Raises:
        Invalid: it is empty, too long, or has white space or control characters.
    """
    if not 1 <= len(text) <= MAX_AUDIENCE or not text.isprintable() or any(map(str.isspace, text)):
        raise Invalid(
            f"Validation failed: Audience has 1 to {MAX_AUDIENCE} printable characters and no white space",
            code="invalid_audience",
        )
    return text


def require_identity(policies: Sequence[JobPolicy], audience: str) -> None:
    """Require that every policy lets a job have an identity token for an audience.

    Raises:
        Forbidden: one has turned them off, or has other audiences.
    """
    if not all(policy.identity for policy in policies):
        raise Forbidden("Identity tokens are turned off for this job's pipeline.", code="job_identity_off")
    for policy in policies:
        if policy.audiences and not any(_fits(each, audience) for each in policy.audiences):
            raise Forbidden(
                f"No identity token is given out for the audience {audience!r}: "
                "the settings of jobs list others.",
                code="audience_not_allowed",
            )


def require_cross_job_writes(policies: Sequence[JobPolicy]) -> None:
    """Require that every policy lets a job write what other jobs have.

    Raises:
        Forbidden: one does not.
    """
    if not all(policy.cross_job_writes for policy in policies):
        raise Forbidden("A job writes here what is its own alone.", code="cross_job_writes_off")


def _fits(pattern: str, text: str) -> bool:
    """Whether a text is what a pattern says; `*` does not reach over a slash, so no host hides in a path."""
    parts = (re.escape(part) for part in pattern.split("*"))
    return re.fullmatch("[^/]*".join(parts), text) is not None
