"""Job answers: everything that an agent needs to run a job (contract agent-api §4)."""

from collections.abc import Mapping
from typing import Any

from watchword.domain.accounts import User
from watchword.domain.buildsteps import BuildStep
from watchword.domain.environment import Surroundings, job_environment
from watchword.domain.errors import NotFound
from watchword.domain.fleet import Agent
from watchword.domain.ids import UserId
from watchword.domain.matrix import permuted
from watchword.domain.pipelines import Build, Job
from watchword.store.base import Transaction


async def describe_job(
    tx: Transaction, url: str, build: Build, job: Job, agent: Agent
) -> tuple[Mapping[str, str], Any]:
    """Variables of a job on an agent, and its step as it was uploaded.

    Raises:
        NotFound: what the build belongs to is gone.
    """
    organization = await tx.accounts.organization(job.organization_id)
    pipeline = await tx.builds.pipeline(job.organization_id, build.pipeline_id)
    if organization is None or pipeline is None:
        raise NotFound("No job found")
    row = await tx.steps.find(job.organization_id, job.step_id) if job.step_id is not None else None
    around = await _surroundings(tx, build, job, row)
    env = job_environment(url, organization, pipeline, build, job, agent, around)
    return env, _document(row)


async def _surroundings(tx: Transaction, build: Build, job: Job, row: BuildStep | None) -> Surroundings:
    organization_id = build.organization_id
    group = unblocker = step = None
    if row is not None:
        step = row.step
        if step.matrix and job.matrix in step.matrix:
            step = permuted(step, step.matrix.index(job.matrix))
        if row.group_id is not None:
            group = await tx.steps.find(organization_id, row.group_id)
        gate = await tx.steps.last_unblocked(organization_id, build.id, row.position)
        unblocker = await _user(tx, gate.unblocked_by) if gate is not None else None
    source = None
    if build.rebuilt_from is not None:
        source = await tx.builds.build(organization_id, build.rebuilt_from)
    cluster = None
    if job.cluster_id is not None:
        cluster = await tx.accounts.cluster(organization_id, job.cluster_id)
    return Surroundings(
        step=step,
        group=group,
        unblocker=unblocker,
        creator=await _user(tx, build.created_by),
        rebuilt_from=source,
        cluster=cluster.name if cluster is not None else "",
    )


async def _user(tx: Transaction, user_id: UserId | None) -> User | None:
    return await tx.accounts.user(user_id) if user_id is not None else None


def _document(row: BuildStep | None) -> Any:  # noqa: ANN401 - decoded JSON
    """The step as uploaded; `secrets` is never null, for that breaks the agent (trap 6)."""
    document = row.step.document if row is not None else None
    if not isinstance(document, dict):
        return None
    return {name: value for name, value in document.items() if name != "secrets" or value is not None}
