"""What a running job may do to another one of its cluster: find it, write what it has (agent-api §1.2)."""

from dataclasses import dataclass

from watchword.domain.errors import Forbidden, NotFound
from watchword.domain.events import Action
from watchword.domain.ids import JobId
from watchword.domain.jobpolicies import require_cross_job_writes
from watchword.domain.pipelines import Job
from watchword.services.context import Caller, Context
from watchword.store.base import Transaction


@dataclass(frozen=True, slots=True)
class Writer:
    """A job that writes what is another's, and its token's holder as the audit trail names it."""

    job: Job
    caller: Caller


async def require_held(tx: Transaction, job: Job) -> None:
    """Require, inside a unit of work, that the job is still in the hands that its token was given to.

    Raises:
        NotFound: it ended or changed hands since the token was checked.
    """
    current = await tx.builds.job(job.organization_id, job.id)
    if current is None or current.fence != job.fence or not current.state.held:
        raise NotFound("This job has ended or was given to another agent.", code="job_ended")


async def find_neighbour(context: Context, job: Job, job_id: str) -> Job | None:
    """Another job of a job's cluster; None where there is none, in another cluster or organization too."""
    found = await context.store.read(lambda tx: tx.builds.job(job.organization_id, JobId(job_id)))
    return found if found is not None and found.cluster_id == job.cluster_id else None


async def require_writer(
    context: Context, tx: Transaction, job: Job, writer: Writer | None, what: str
) -> None:
    """Require that a job's things may be written now, by itself or by another job; that is recorded.

    Args:
        context: the ground.
        tx: the unit of work that writes.
        job: whose things they are.
        writer: the other job; None where it is the job itself.
        what: what is written, for the trail.

    Raises:
        NotFound: the writing job ended or changed hands meanwhile.
        Forbidden: the policies of one of the two do not let jobs write across.
    """
    if writer is None:
        await require_held(tx, job)
        return
    await require_held(tx, writer.job)
    owner = job.organization_id
    for one in (writer.job, job):
        build = await tx.builds.build(owner, one.build_id)
        if build is None:
            raise Forbidden("The build of this job is gone.", code="cross_job_writes_off")
        require_cross_job_writes(await tx.job_policies.over(owner, build.pipeline_id))
    data = {"what": what, "writer": writer.job.id}
    await context.record(tx, writer.caller, Action.JOB_WROTE_ACROSS, owner, ("job", job.id), data)
