"""Job answers: everything that an agent needs to run a job (contract agent-api §4)."""

from collections.abc import Mapping
from typing import Any

from watchword.domain.buildsteps import BuildStep
from watchword.domain.environment import Surroundings, job_environment
from watchword.domain.errors import NotFound
from watchword.domain.fleet import Agent, AgentState
from watchword.domain.ids import AgentId, OrganizationId, TokenId
from watchword.domain.matrix import permuted
from watchword.domain.pipelines import Job
from watchword.domain.stepsecrets import as_documents
from watchword.services.context import Context
from watchword.services.repositorycredentials import provides
from watchword.store.base import Assignment, Transaction

# Stands where an agent's variables are put in, for a job that has none yet.
_NOBODY = Agent(
    organization_id=OrganizationId(""),
    id=AgentId(""),
    cluster_id=None,
    queue_id=None,
    token_id=TokenId(""),
    session_id=TokenId(""),
    name="",
    requested_name="",
    hostname="",
    os="",
    arch="",
    version="",
    build="",
    pid=0,
    machine_id="",
    features=(),
    tags=(),
    priority=0,
    address="",
    script_eval=True,
    ignore_in_dispatches=False,
    counted=False,
    state=AgentState.REGISTERED,
    job_id=None,
    registered_at=0,
    connected_at=0,
    seen_at=0,
    ended_at=0,
)


def describe_job(url: str, found: Assignment, *, credentials: bool = False) -> tuple[Mapping[str, str], Any]:
    """Variables of a job on an agent, and its step as it was uploaded.

    Args:
        url: the installation's public address.
        found: the job, the agent, and what surrounds them.
        credentials: whether the agent may ask for a token for the repository.
    """
    job = found.job
    step = found.step.step if found.step is not None else None
    if step is not None and step.matrix and job.matrix in step.matrix:
        step = permuted(step, step.matrix.index(job.matrix))
    around = Surroundings(
        step=step,
        group=found.group,
        unblocker=found.unblocker,
        creator=found.creator,
        rebuilt_from=found.rebuilt_from,
        cluster=found.cluster.name if found.cluster is not None else "",
        credentials=credentials,
    )
    env = job_environment(url, found.organization, found.pipeline, found.build, job, found.agent, around)
    return env, _document(found.step)


async def environment_of(context: Context, tx: Transaction, job: Job) -> Mapping[str, str]:
    """Variables of a job as its agent got them; of one that no agent has had, those that it brings along."""
    found = None
    if job.agent_id is not None:
        found = await tx.assignments.find(job.organization_id, job.agent_id, job.id)
    if found is not None:
        return describe_job(context.installation.url, found, credentials=await provides(tx, found))[0]
    build = await tx.builds.build(job.organization_id, job.build_id)
    pipeline = await tx.builds.pipeline(job.organization_id, build.pipeline_id) if build is not None else None
    return {
        **(pipeline.env if pipeline is not None else {}),
        **(build.env if build is not None else {}),
        **job.env,
    }


async def environment_ahead(context: Context, tx: Transaction, job: Job) -> Mapping[str, str]:
    """Variables of a job before it has an agent: all but those that tell of the agent.

    Raises:
        NotFound: the job is gone.
    """
    found = await tx.assignments.ahead(job.organization_id, job.id, _NOBODY)
    if found is None:
        raise NotFound("No job found", code="unknown_job")
    env, _ = describe_job(context.installation.url, found)
    return {name: value for name, value in env.items() if not name.startswith("BUILDKITE_AGENT_")}


def _document(row: BuildStep | None) -> Any:  # noqa: ANN401 - decoded JSON
    """The step as uploaded, with all its secrets; they are never null, for that breaks agents (trap 6)."""
    document = row.step.document if row is not None else None
    if row is None or not isinstance(document, dict):
        return None
    secrets = as_documents(row.step.secrets)
    said = {name: value for name, value in document.items() if name != "secrets"}
    return {**said, "secrets": secrets} if secrets else said
