"""Secrets of a job's cluster, for the job itself while it runs (contract agent-api §2.10)."""

from dataclasses import dataclass

from watchword.agentapi.jobs import job_caller, verify_job
from watchword.domain.errors import Malformed
from watchword.domain.jobrights import JobRight
from watchword.domain.kinds import Kind
from watchword.domain.pipelines import Job
from watchword.edge.http import Request, Response
from watchword.edge.router import Route
from watchword.services.authority import Authority

OWN_TOKEN = (Kind.JOB,)


@dataclass(slots=True)
class Secrets:
    """Handlers of what a job is trusted with."""

    authority: Authority

    def routes(self) -> list[Route]:
        """The operations and the tokens they take: no session token, however old the agent."""
        return [Route("GET", "/v3/jobs/{job_id}/secrets", self.read, OWN_TOKEN, right=JobRight.SECRETS)]

    async def read(self, request: Request, job_id: str) -> Response:
        """One secret by its key."""
        job = await verify_own(self.authority, request, job_id)
        key = request.query().get("key", "")
        if not key:
            raise Malformed("The query needs key, the name of a secret.", code="invalid_secret_key")
        secret, value = await self.authority.job_secrets.read(job_caller(request, job), job, key)
        return Response.json({"key": secret.key, "value": value.reveal(), "uuid": secret.id})


async def verify_own(authority: Authority, request: Request, job_id: str) -> Job:
    """The job of the path, if the presented job token is its own."""
    return await verify_job(authority, request, job_id, OWN_TOKEN)
