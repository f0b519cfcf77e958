"""Job identity: the claims by which a relying party knows a job (contract agent-api §2.10).

Relying parties compare `sub` as text, often by its beginning. What people can choose freely (branch, tag,
commit, step) stands in it percent-encoded where it could be taken for the colon between two fields.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from watchword.domain.accounts import Cluster, Organization, Queue
from watchword.domain.errors import Invalid
from watchword.domain.fleet import Agent
from watchword.domain.jobpolicies import check_audience
from watchword.domain.pipelines import Build, Job, Pipeline
from watchword.domain.secretpolicy import Origin, origin_of

DEFAULT_LIFETIME = 300
AWS_TAGS = "https://aws.amazon.com/tags"
MAX_CLAIMS = 50
_SECOND_US = 1_000_000
_AGENT_TAG = "agent_tag:"
_TAG_NAME = re.compile(r"[^\s=]{1,100}")
RUNNER = "self-hosted"
# Before a branch or tag of a fork: git allows no colon there, so that no branch of one's own looks like it.
FORK = "fork:"
# Claims that stand in every token, where the job has them.
STANDARD = (
    "organization_slug",
    "pipeline_slug",
    "build_number",
    "build_branch",
    "build_tag",
    "build_commit",
    "step_key",
    "job_id",
    "agent_id",
    "runner_environment",
    "build_source",
)
# Claims that a job asks for, `agent_tag:NAME` beside them.
OPTIONAL = (
    "organization_id",
    "pipeline_id",
    "build_id",
    "cluster_id",
    "cluster_name",
    "queue_id",
    "queue_key",
)
# What may stand as the whole subject: ids, which nobody chooses and which never change.
SUBJECTS = (
    "organization_id",
    "pipeline_id",
    "cluster_id",
    "queue_id",
    "build_id",
    "job_id",
    "agent_id",
)
REGISTERED = ("iss", "sub", "aud", "exp", "nbf", "iat", "jti")


@dataclass(frozen=True, slots=True)
class Wish:
    """What a job asks for.

    Attributes:
        audience: who the token is for; empty for the organization itself.
        lifetime: in seconds; 0 for the default.
        claims: optional claims to add.
        aws_session_tags: claims that AWS is to take as session tags.
        subject_claim: the claim that stands as the subject; empty for the usual one.
    """

    audience: str = ""
    lifetime: int = 0
    claims: tuple[str, ...] = ()
    aws_session_tags: tuple[str, ...] = ()
    subject_claim: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a job; `cluster` and `queue` are None where it is in none."""

    organization: Organization
    pipeline: Pipeline
    build: Build
    job: Job
    agent: Agent
    cluster: Cluster | None
    queue: Queue | None


def check_wish(wish: Wish, longest: int) -> Wish:
    """Require that a wish can be met.

    Args:
        wish: what is asked for.
        longest: the longest lifetime, in seconds.

    Raises:
        Invalid: an audience, a lifetime, a claim or a subject is not acceptable.
    """
    if wish.audience:
        check_audience(wish.audience)
    if not 0 <= wish.lifetime <= longest:
        raise Invalid(f"Lifetime is 1 to {longest} seconds, or 0 for the default", code="invalid_lifetime")
    for name, known in ((each, OPTIONAL) for each in wish.claims):
        _check_claim(name, known)
    for name in wish.aws_session_tags:
        _check_claim(name, (*STANDARD, *OPTIONAL))
    if len(wish.claims) > MAX_CLAIMS or len(wish.aws_session_tags) > MAX_CLAIMS:
        raise Invalid(f"A token takes at most {MAX_CLAIMS} optional claims", code="too_many_claims")
    if wish.subject_claim and wish.subject_claim not in SUBJECTS:
        raise Invalid(
            f"Subject claim is one of {', '.join(SUBJECTS)}, not {wish.subject_claim!r}",
            code="invalid_subject_claim",
        )
    return wish


def _check_claim(name: str, known: Sequence[str]) -> None:
    tag = name.removeprefix(_AGENT_TAG)
    if name in known or name in STANDARD or (tag != name and _TAG_NAME.fullmatch(tag)):
        return
    raise Invalid(
        f"There is no claim {name!r}; there are {', '.join(known)} and agent_tag:NAME", code="invalid_claim"
    )


def claims_of(facts: Facts, wish: Wish, *, issuer: str, now: int, token_id: str) -> Mapping[str, object]:
    """The claims of a token.

    Claims that the job has no value for (a tag, a step's key, a cluster) are left out.

    Args:
        facts: what is known of the job.
        wish: what it asks for, checked.
        issuer: the public address of the server.
        now: in µs.
        token_id: its `jti`.

    Raises:
        Invalid: the job has none of the claim that is to be the subject.
    """
    known = _known(facts)
    if wish.subject_claim and wish.subject_claim not in known:
        raise Invalid(f"This job has no {wish.subject_claim}", code="invalid_subject_claim")
    at = now // _SECOND_US
    end = min(at + (wish.lifetime or DEFAULT_LIFETIME), facts.job.token_expires_at // _SECOND_US)
    said: dict[str, object] = {
        "iss": issuer,
        "sub": known[wish.subject_claim] if wish.subject_claim else subject_of(facts),
        "aud": wish.audience or f"{issuer}/{facts.organization.slug}",
        "exp": end,
        "nbf": at,
        "iat": at,
        "jti": token_id,
    }
    asked = dict.fromkeys((*STANDARD, *wish.claims))
    said.update((name, known[name]) for name in asked if name in known)
    if wish.aws_session_tags:
        tags = {name: [str(known[name])] for name in wish.aws_session_tags if name in known}
        said[AWS_TAGS] = {"principal_tags": tags}
    return said


def subject_of(facts: Facts) -> str:
    """The usual subject; a colon in a field reads `%3A`, so that no field can be made of another's text."""
    build, (branch, tag) = facts.build, _names(facts)
    ref = f"refs/tags/{_field(tag)}" if tag else f"refs/heads/{_field(branch)}"
    return (
        f"organization:{_field(facts.organization.slug)}:pipeline:{_field(facts.pipeline.slug)}:ref:{ref}"
        f":commit:{_field(build.commit)}:step:{_field(facts.job.step_key)}"
    )


def _names(facts: Facts) -> tuple[str, str]:
    """Branch and tag; those of a pull request from another repository are marked as a fork's.

    Whoever opens such a pull request names its branch, `main` if they like: nobody who trusts the branch
    `main` of the pipeline's own repository may take the one for the other.
    """
    build = facts.build
    foreign = origin_of(facts.pipeline.repository, build.pull_request) is Origin.FORK
    mark = FORK if foreign else ""
    return mark + build.branch, mark + build.tag if build.tag else ""


def _field(text: str) -> str:
    """A text without what has a meaning in `sub`; what git allows in names of branches stays as it is."""
    return "".join(
        quote(each, safe="") if each in ":%*?" or each.isspace() or not each.isprintable() else each
        for each in text
    )


def _known(facts: Facts) -> dict[str, object]:
    """Every claim that the job has."""
    organization, pipeline, build, job = facts.organization, facts.pipeline, facts.build, facts.job
    branch, tag = _names(facts)
    known: dict[str, object] = {
        "organization_slug": organization.slug,
        "pipeline_slug": pipeline.slug,
        "build_number": build.number,
        "build_branch": branch,
        "build_tag": tag,
        "build_commit": build.commit,
        "step_key": job.step_key,
        "job_id": job.id,
        "agent_id": facts.agent.id,
        "runner_environment": RUNNER,
        "build_source": build.source,
        "organization_id": organization.id,
        "pipeline_id": pipeline.id,
        "build_id": build.id,
        "cluster_id": facts.cluster.id if facts.cluster is not None else "",
        "cluster_name": facts.cluster.name if facts.cluster is not None else "",
        "queue_id": facts.queue.id if facts.queue is not None else "",
        "queue_key": facts.queue.key if facts.queue is not None else "",
    }
    for tag in reversed(facts.agent.tags):  # of tags with one name the first counts
        name, _, value = tag.partition("=")
        known[_AGENT_TAG + name] = value
    return {name: value for name, value in known.items() if value != ""}
