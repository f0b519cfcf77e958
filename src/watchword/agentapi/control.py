"""Control of the agent from inside its job: stop, pause, resume (contract agent-api §2.9, trap 25)."""

from dataclasses import dataclass

from watchword.agentapi.jobs import JOB
from watchword.agentapi.wire import PAUSE, STOP
from watchword.domain.errors import NotFound
from watchword.domain.events import Actor
from watchword.domain.ids import AgentId, OrganizationId
from watchword.domain.jobrights import JobRight, require_right
from watchword.edge.http import EMPTY, Request, Response, decode
from watchword.edge.router import Route
from watchword.services.authority import Authority
from watchword.services.context import Caller
from watchword.services.control import Pause


@dataclass(slots=True)
class Control:
    """Handlers of what a job, or its agent, asks of the agent."""

    authority: Authority

    def routes(self) -> list[Route]:
        """The operations and the tokens they take (contract agent-api §1.2)."""
        return [
            Route("POST", "/v3/stop", self.stop, JOB, right=JobRight.AGENT_CONTROL),
            Route("POST", "/v3/pause", self.pause, JOB, right=JobRight.AGENT_CONTROL),
            Route("POST", "/v3/resume", self.resume, JOB, right=JobRight.AGENT_CONTROL),
        ]

    async def stop(self, request: Request) -> Response:
        """Leave after the running job, or, forced, cancel that job too."""
        caller, organization_id, agent_id = await self._agent(request)
        asked = decode(STOP, await request.body() or b"{}")
        await self.authority.controller.stop(caller, organization_id, agent_id, force=bool(asked.force))
        return EMPTY

    async def pause(self, request: Request) -> Response:
        """Take no job for a while; a repeated call counts from now."""
        caller, organization_id, agent_id = await self._agent(request)
        asked = decode(PAUSE, await request.body() or b"{}")
        pause = Pause(asked.note or "", asked.timeout_in_minutes, again=True)
        await self.authority.controller.pause(caller, organization_id, agent_id, pause)
        return EMPTY

    async def resume(self, request: Request) -> Response:
        """Take jobs again; nothing changes for an agent that is not paused."""
        caller, organization_id, agent_id = await self._agent(request)
        await self.authority.controller.resume(caller, organization_id, agent_id, again=True)
        return EMPTY

    async def _agent(self, request: Request) -> tuple[Caller, OrganizationId, AgentId]:
        """The agent that owns the presented token, or that runs its job."""
        presented = await self.authority.verifier.verify(
            request.credential(), JOB, address=request.address, agent=request.agent
        )
        if presented.job is not None:
            require_right(presented.job.token_rights, request.right)
            actor, agent_id = Actor("job", presented.job.id), presented.job.agent_id
        else:
            agent_id = presented.holder.agent_id
            actor = Actor("agent", agent_id or "")
        if agent_id is None:
            raise NotFound("No agent found")
        return Caller(actor, request.address, request.id), presented.organization_id, agent_id
