"""Agents (contract rest-graphql §2.10): list and get."""

from collections.abc import Callable, Mapping

import msgspec
from litestar import Response, get

from watchword.domain import accounts, fleet
from watchword.domain.fleet import AgentState
from watchword.domain.ids import QueueId
from watchword.rest.call import PAGED, Call, RestRequest, needs
from watchword.rest.formats import Site, graphql_id, instant, maybe_instant
from watchword.rest.users import User
from watchword.services.queries import Access, Unit, connected_agents, find_agent, queue_keys

AGENTS = "/v2/organizations/{org:str}/agents"
FILTERS = ("name", "hostname", "version", "cluster_queue_id")

_STATES = {
    AgentState.REGISTERED: "never_connected",
    AgentState.CONNECTED: "connected",
    AgentState.DISCONNECTED: "disconnected",
    AgentState.LOST: "lost",
    AgentState.REPLACED: "never_connected",
}


class Agent(msgspec.Struct, kw_only=True):
    """An agent; `agent_token_id`, the token it joined with, is Watchword's own."""

    id: str
    graphql_id: str
    url: str
    web_url: str
    name: str
    connection_state: str
    hostname: str
    ip_address: str
    user_agent: str
    version: str
    os_id: str
    arch: str
    queue: str | None
    creator: User | None
    created_at: str
    connected_at: str | None
    disconnected_at: str | None
    lost_at: str | None
    stopped_at: str | None
    job: None
    last_job_finished_at: str | None
    priority: int | None
    meta_data: list[str]
    paused: bool
    agent_token_id: str


def show_agent(
    site: Site, organization: accounts.Organization, agent: fleet.Agent, keys: Mapping[QueueId, str]
) -> Agent:
    """An agent as JSON; `keys` are those of the queues."""
    at = ("organizations", organization.slug, "agents", agent.id)
    ended = maybe_instant(agent.ended_at)
    named, _ = fleet.split_tags(agent.tags)
    return Agent(
        id=agent.id,
        graphql_id=graphql_id("Agent", agent.id),
        url=site.rest(*at),
        web_url=site.web(*at),
        name=agent.name,
        connection_state=_STATES[agent.state],
        hostname=agent.hostname,
        ip_address=agent.address,
        user_agent=f"buildkite-agent/{agent.version}.{agent.build} ({agent.os}; {agent.arch})",
        version=agent.version,
        os_id=agent.os,
        arch=agent.arch,
        queue=(keys.get(agent.queue_id) if agent.queue_id is not None else None) or named or None,
        creator=None,
        created_at=instant(agent.registered_at),
        connected_at=maybe_instant(agent.connected_at),
        disconnected_at=ended if agent.state is AgentState.DISCONNECTED else None,
        lost_at=ended if agent.state is AgentState.LOST else None,
        stopped_at=None,
        job=None,
        last_job_finished_at=None,
        priority=agent.priority,
        meta_data=list(agent.tags),
        paused=False,
        agent_token_id=agent.token_id,
    )


def _filter(call: Call) -> Callable[[fleet.Agent], bool] | None:
    """The agents that the query asks for; None where it asks for all."""
    asked = {name: values[0] for name in FILTERS if (values := call.query(name))}
    if not asked:
        return None

    def fits(agent: fleet.Agent) -> bool:
        held = (agent.name, agent.hostname, agent.version, agent.queue_id)
        return all(asked.get(name, value) == value for name, value in zip(FILTERS, held, strict=True))

    return fits


@get(AGENTS, opt=needs("read_agents", query=(*FILTERS, *PAGED)), summary="List agents")
async def list_agents(request: RestRequest) -> Response[list[Agent]]:
    """Connected agents, oldest first."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> tuple[list[fleet.Agent], list[Agent]]:
        rows = await connected_agents(tx, access.id, call.page.window, _filter(call))
        page = call.page.cut(rows)
        keys = await queue_keys(tx, page)
        return rows, [show_agent(call.site, access.organization, agent, keys) for agent in page]

    rows, items = await call.read(work)
    return call.listed(items, rows)


@get(AGENTS + "/{agent:str}", opt=needs("read_agents"), summary="Get an agent")
async def get_agent(request: RestRequest) -> Agent:
    """One agent in any state, by its id."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> Agent:
        agent = await find_agent(tx, access.id, call.path("agent"))
        return show_agent(call.site, access.organization, agent, await queue_keys(tx, [agent]))

    return await call.read(work)


HANDLERS = (list_agents, get_agent)
