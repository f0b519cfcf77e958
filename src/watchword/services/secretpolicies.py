"""Access policies of cluster secrets: read from their text, held against jobs, and explained."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from watchword.domain.accounts import Cluster
from watchword.domain.errors import Invalid, NotFound
from watchword.domain.ids import OrganizationId, PipelineId, UserId, is_uuid
from watchword.domain.pipelines import Job, Pipeline
from watchword.domain.secretpolicy import (
    Facts,
    Origin,
    Rule,
    Verdict,
    check_rules,
    judge,
    origin_of,
    read_rules,
)
from watchword.domain.secrets import MAX_POLICY, ClusterSecret
from watchword.services.lines import queue_key
from watchword.store.base import Transaction
from watchword.yamltext import read_yaml

_REMEMBERED = 1024
_UNREADABLE = (Rule(flaw="it is not YAML"),)


def check_policy(text: str) -> str:
    """Require a policy all of whose rules can match; nothing is a policy too.

    Raises:
        Invalid: it is no YAML, too long, or has a rule or claim that is not known.
    """
    if len(text) > MAX_POLICY:
        raise Invalid(
            f"Validation failed: Policy takes at most {MAX_POLICY} characters", code="invalid_policy"
        )
    if text.strip():
        check_rules(read_rules(read_yaml(text)))
    return text


@lru_cache(maxsize=_REMEMBERED)
def rules_of(text: str) -> tuple[Rule, ...]:
    """The rules of a policy that is kept; none where there is no policy. What is not known never matches."""
    if not text.strip():
        return ()
    try:
        return read_rules(read_yaml(text))
    except Invalid:
        return _UNREADABLE


async def facts_of(tx: Transaction, job: Job) -> Facts | None:
    """What is known of a job that an agent holds; None where its build or agent is gone."""
    if job.agent_id is None:
        return None
    found = await tx.assignments.find(job.organization_id, job.agent_id, job.id)
    if found is None:
        return None
    creator, build = found.creator, found.build
    return Facts(
        pipeline_id=found.pipeline.id,
        pipeline_slug=found.pipeline.slug,
        branch=build.branch,
        tag=build.tag,
        origin=origin_of(found.pipeline.repository, build.pull_request),
        source=build.source,
        creator=creator.email if creator is not None else "",
        teams=await _teams(tx, job.organization_id, creator.id if creator is not None else None),
        queue_id=job.queue_id or "",
        queue_key=queue_key(job.rules),
        agent_tags=found.agent.tags,
    )


async def _teams(tx: Transaction, organization_id: OrganizationId, user_id: UserId | None) -> tuple[str, ...]:
    if user_id is None:
        return ()
    return tuple(place.team_id for place in await tx.teams.places(organization_id, user_id))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A job that somebody imagines, to see what a policy says of it.

    Attributes:
        pipeline: slug or id.
        branch: empty for the pipeline's default branch.
        creator: email address.
        queue: key.
        origin: whose code it runs.
        agent_tags: as `key=value` texts.
    """

    pipeline: str
    branch: str = ""
    tag: str = ""
    source: str = "ui"
    creator: str = ""
    queue: str = "default"
    origin: Origin = Origin.NONE
    agent_tags: Sequence[str] = ()


async def explain(tx: Transaction, cluster: Cluster, secret: ClusterSecret, asked: Asked) -> Verdict:
    """Say what a secret's policy makes of a job, and of which rule; nothing is read or recorded.

    Raises:
        NotFound: the cluster has no such pipeline.
    """
    pipeline = await _pipeline(tx, cluster, asked.pipeline)
    organization_id = cluster.organization_id
    found = await tx.members.by_email(organization_id, asked.creator.lower()) if asked.creator else None
    queue = await tx.accounts.queue_by_key(organization_id, cluster.id, asked.queue) if asked.queue else None
    facts = Facts(
        pipeline_id=pipeline.id,
        pipeline_slug=pipeline.slug,
        branch=asked.branch or pipeline.default_branch,
        tag=asked.tag,
        origin=asked.origin,
        source=asked.source,
        creator=asked.creator,
        teams=await _teams(tx, organization_id, found[1].id if found is not None else None),
        queue_id=queue.id if queue is not None else "",
        queue_key=asked.queue,
        agent_tags=tuple(asked.agent_tags),
    )
    return judge(rules_of(secret.policy), facts)


async def _pipeline(tx: Transaction, cluster: Cluster, name: str) -> Pipeline:
    organization_id = cluster.organization_id
    if is_uuid(name):
        found = await tx.builds.pipeline(organization_id, PipelineId(name.lower()))
    else:
        found = await tx.builds.pipeline_by_slug(organization_id, name)
    if found is None or found.cluster_id != cluster.id:
        raise NotFound("No pipeline found")
    return found
