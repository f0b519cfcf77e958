"""Secrets of a job's cluster and tokens for its repository, for the job itself (contract agent-api §2.10)."""

from dataclasses import dataclass

import msgspec

from watchword.agentapi.jobs import job_caller, verify_job
from watchword.domain.errors import Malformed
from watchword.domain.jobrights import JobRight
from watchword.domain.kinds import Kind
from watchword.domain.pipelines import Job
from watchword.edge.http import Request, Response, decode
from watchword.edge.router import Route
from watchword.services.authority import Authority

OWN_TOKEN = (Kind.JOB,)


class _Repository(msgspec.Struct):
    """`POST jobs/{job}/repository_access_token`."""

    repo_url: str = ""


_REPOSITORY = msgspec.json.Decoder(_Repository)


@dataclass(slots=True)
class Secrets:
    """Handlers of what a job is trusted with."""

    authority: Authority

    def routes(self) -> list[Route]:
        """The operations and the tokens they take: no session token, however old the agent."""
        job = "/v3/jobs/{job_id}"
        return [
            Route("GET", f"{job}/secrets", self.read, OWN_TOKEN, right=JobRight.SECRETS),
            Route(
                "POST",
                f"{job}/repository_access_token",
                self.repository_token,
                OWN_TOKEN,
                right=JobRight.REPOSITORY_TOKEN,
            ),
            # What agents from 3.63 to 3.135 ask for.
            Route(
                "POST",
                f"{job}/github_code_access_token",
                self.repository_token,
                OWN_TOKEN,
                right=JobRight.REPOSITORY_TOKEN,
            ),
        ]

    async def read(self, request: Request, job_id: str) -> Response:
        """One secret by its key."""
        job = await verify_own(self.authority, request, job_id)
        key = request.query().get("key", "")
        if not key:
            raise Malformed("The query needs key, the name of a secret.", code="invalid_secret_key")
        secret, value = await self.authority.job_secrets.read(job_caller(request, job), job, key)
        return Response.json({"key": secret.key, "value": value.reveal(), "uuid": secret.id})

    async def repository_token(self, request: Request, job_id: str) -> Response:
        """A token for the repository that git is about to read."""
        job = await verify_own(self.authority, request, job_id)
        asked = decode(_REPOSITORY, await request.body())
        value = await self.authority.repository_tokens.issue(job_caller(request, job), job, asked.repo_url)
        return Response.json({"token": value.reveal()})


async def verify_own(authority: Authority, request: Request, job_id: str) -> Job:
    """The job of the path, if the presented job token is its own."""
    return await verify_job(authority, request, job_id, OWN_TOKEN)
