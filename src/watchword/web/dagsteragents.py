"""Dagster agents as their heartbeats describe them."""

from dataclasses import dataclass

from litestar import get

from watchword.domain.dagsteragents import AgentStatus, DagsterAgent
from watchword.domain.deployments import DeploymentKind
from watchword.domain.tokens import Token
from watchword.services.access import Access
from watchword.services.dagstercare import deployments_in
from watchword.services.queries import Unit
from watchword.web.dagstertokens import DAGSTER
from watchword.web.needs import page
from watchword.web.visit import Page, Visit, WebRequest

AGENTS = DAGSTER + "/agents"


@dataclass(frozen=True, slots=True)
class ShownAgent:
    """One agent.

    Attributes:
        deployments: names of those that it serves.
        token: that it runs with; None where only administrators may know.
    """

    agent: DagsterAgent
    running: bool
    deployments: tuple[str, ...]
    token: Token | None


@get(AGENTS, opt=page("dagster_agent.read"))
async def list_agents(request: WebRequest) -> Page:
    """Agents that were heard of in the last week, the latest first."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> list[ShownAgent]:
        places = [one for kind in DeploymentKind for one in await deployments_in(tx, access, kind)]
        names: dict[str, str] = {one.id: one.name for one in places}
        found = visit.authority.dagster_fleet.known(access.id)
        window, seen = visit.paging.window, access.may("dagster_agent_token.read")
        return [
            ShownAgent(
                agent,
                agent.status_at(visit.now) is AgentStatus.RUNNING,
                tuple(sorted(names[one] for one in agent.deployments if one in names)),
                await tx.tokens.find(access.id, agent.token_id) if seen else None,
            )
            for agent in found[window.offset : window.offset + window.limit]
        ]

    paging, rows = visit.paging.cut(await visit.read(work))
    return visit.show("dagster/agents.html", rows=rows, paging=paging)


HANDLERS = (list_agents,)
