"""Job identity: tokens that a job asks for to show to others (contract agent-api §2.10)."""

from dataclasses import dataclass

from watchword.agentapi.jobs import job_caller, verify_job
from watchword.agentapi.wire import IDENTITY_WISH, IdentityWish
from watchword.domain.jobidentity import Wish
from watchword.domain.jobrights import JobRight
from watchword.domain.kinds import Kind
from watchword.edge.http import Request, Response, decode
from watchword.edge.router import Route
from watchword.services.authority import Authority


@dataclass(slots=True)
class Identity:
    """The handler of requests for identity tokens."""

    authority: Authority

    def routes(self) -> list[Route]:
        """Its route; a job's own token alone passes, no session of an agent that knows none."""
        path = "/v3/jobs/{job_id}/oidc/tokens"
        return [Route("POST", path, self.mint, (Kind.JOB,), right=JobRight.OIDC)]

    async def mint(self, request: Request, job_id: str) -> Response:
        """A fresh token at each call; 422 where audience, lifetime, claims or subject are not acceptable."""
        job = await verify_job(self.authority, request, job_id, (Kind.JOB,))
        asked = decode(IDENTITY_WISH, await request.body() or b"{}")
        value = await self.authority.job_identity.mint(job_caller(request, job), job, _wish(asked))
        return Response.json({"token": value.reveal()})


def _wish(asked: IdentityWish) -> Wish:
    return Wish(
        audience=asked.audience or "",
        lifetime=asked.lifetime or 0,
        claims=tuple(asked.claims or ()),
        aws_session_tags=tuple(asked.aws_session_tags or ()),
        subject_claim=asked.subject_claim or "",
    )
