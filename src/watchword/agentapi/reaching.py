"""Whose things a call of a job is about: its own, or those of another job or build of its cluster.

Whatever is not to be reached (foreign, of another cluster, never there) is refused alike.
"""

from dataclasses import dataclass

from watchword.agentapi.jobs import JOB, job_caller, verify_job
from watchword.domain.ids import is_uuid
from watchword.domain.jobrights import JobRight, require_right
from watchword.domain.pipelines import Job
from watchword.edge.http import Request
from watchword.services.authority import Authority
from watchword.services.crossjobs import Writer, find_neighbour


@dataclass(frozen=True, slots=True)
class Reached:
    """A job that a call is about; `writer` is None where it is the caller's own."""

    job: Job
    writer: Writer | None = None


async def reach_job(authority: Authority, request: Request, job_id: str, right: JobRight) -> Reached:
    """The job of the path: the caller's own, or with `right` besides the route's one of its cluster.

    Raises:
        Refused: the token does not pass, or the job is neither.
        Forbidden: the token lacks a right.
    """
    presented = await authority.verifier.verify(
        request.credential(), JOB, address=request.address, agent=request.agent
    )
    own = presented.job
    if own is None:  # the session of an agent that knows no job tokens
        return Reached(await verify_job(authority, request, job_id))
    require_right(own.token_rights, request.right)
    if own.id == job_id:
        return Reached(own)
    found = await find_neighbour(authority.context, own, job_id) if is_uuid(job_id) else None
    if found is None:
        return Reached(await verify_job(authority, request, job_id))  # which refuses it, and counts that
    require_right(own.token_rights, right)
    return Reached(found, Writer(own, job_caller(request, own)))


def require_build(job: Job, build_id: str) -> None:
    """Require that a job may read a build: its own, or with the right another one.

    Raises:
        Forbidden: it is another one, and the token lacks the right.
    """
    if build_id.lower() != job.build_id:
        require_right(job.token_rights, JobRight.CROSS_JOB_READ)
