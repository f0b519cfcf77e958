"""Metrics for those who scale agents: what an agent token's queues have (contract agent-api §10.1)."""

from dataclasses import dataclass

from watchword.agentapi import wire
from watchword.agentapi.sessions import AGENT_TOKENS
from watchword.domain.errors import Invalid
from watchword.edge.http import Request, Response
from watchword.edge.router import Route
from watchword.services.authority import Authority
from watchword.services.counting import Counts, QueueCount, count

# The tool that reads them asks no more often than this many seconds.
_POLL_SECONDS = b"10"


@dataclass(slots=True)
class Metrics:
    """Handlers of counts."""

    authority: Authority

    def routes(self) -> list[Route]:
        """The operations and the tokens they take (contract agent-api §1.2)."""
        return [
            Route("GET", "/v3/metrics", self.all, AGENT_TOKENS),
            Route("GET", "/v3/metrics/queue", self.queue, AGENT_TOKENS),
        ]

    async def all(self, request: Request) -> Response:
        """All queues of the token's cluster."""
        counts = await self._count(request, "")
        agents, jobs = _agents(counts.total), _jobs(counts.total)
        shown = wire.Metrics(
            agents=wire.AllAgents(
                idle=agents.idle,
                busy=agents.busy,
                total=agents.total,
                queues={key: _agents(queue) for key, queue in counts.queues.items()},
            ),
            jobs=wire.AllJobs(
                scheduled=jobs.scheduled,
                running=jobs.running,
                waiting=jobs.waiting,
                total=jobs.total,
                queues={key: _jobs(queue) for key, queue in counts.queues.items()},
            ),
            organization={"slug": counts.organization},
            cluster={"name": counts.cluster},
        )
        return _answer(shown)

    async def queue(self, request: Request) -> Response:
        """One queue, by `name`."""
        name = request.query().get("name", "")
        counts = await self._count(request, name, named=True)
        return _answer(
            wire.Metrics(
                agents=_agents(counts.total),
                jobs=_jobs(counts.total),
                organization={"slug": counts.organization},
                cluster={"name": counts.cluster},
            )
        )

    async def _count(self, request: Request, key: str, *, named: bool = False) -> Counts:
        authority = self.authority
        presented = await authority.verifier.verify(
            request.credential(), AGENT_TOKENS, address=request.address, agent=request.agent
        )
        if named and not key:
            raise Invalid("Name a queue: metrics/queue?name=KEY.", code="no_queue")
        return await count(authority.context, authority.fleet, authority.dispatcher, presented.holder, key)


def _answer(shown: wire.Metrics) -> Response:
    response = Response.json(shown)
    response.headers.append((b"buildkite-agent-metrics-poll-duration", _POLL_SECONDS))
    return response


def _agents(queue: QueueCount) -> wire.QueuedAgents:
    return wire.QueuedAgents(idle=queue.idle, busy=queue.busy, total=queue.idle + queue.busy)


def _jobs(queue: QueueCount) -> wire.QueuedJobs:
    return wire.QueuedJobs(
        scheduled=queue.scheduled,
        running=queue.running,
        waiting=queue.waiting,
        # Reserved jobs have not ended, and call for no agent: they stand in the total alone.
        total=queue.scheduled + queue.running + queue.waiting + queue.reserved,
    )
