"""Agents (contract rest-graphql §2.10): list, get, stop, pause, resume."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec
from litestar import Response, get, put

from watchword.domain import accounts, fleet
from watchword.domain.errors import NotFound
from watchword.domain.fleet import AgentState
from watchword.domain.ids import QueueId, UserId
from watchword.domain.tokens import MINUTE_US
from watchword.rest.bodies import Body
from watchword.rest.call import PAGED, Call, RestRequest, needs
from watchword.rest.formats import Site, graphql_id, instant, maybe_instant
from watchword.rest.jobshapes import Job, Place, show_job
from watchword.rest.users import User, show_person
from watchword.services.control import Pause, Told
from watchword.services.queries import (
    Access,
    Unit,
    build_of,
    connected_agents,
    find_agent,
    find_job,
    identity_of,
    people,
    queue_keys,
    token_creators,
)

AGENTS = "/v2/organizations/{org:str}/agents"
FILTERS = ("name", "hostname", "version", "cluster_queue_id")


class Agent(msgspec.Struct, kw_only=True):
    """An agent.

    `agent_token_id`, the token it joined with, and what follows it, its identity and its session token's last
    use, are Watchword's own.
    """

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
    job: Job | None
    last_job_finished_at: str | None
    priority: int | None
    meta_data: list[str]
    paused: bool
    paused_at: str | None
    paused_by: User | None
    paused_note: str | None
    paused_timeout_in_minutes: int | None
    agent_token_id: str
    identity: "AgentIdentity | None" = None
    session_last_used_at: str | None = None
    session_last_used_from: str | None = None


class AgentIdentity(msgspec.Struct, kw_only=True):
    """With which identity an agent joined that joined without an agent token."""

    trusted_issuer_id: str
    issuer: str
    subject: str


class StopAgent(Body):
    """How an agent is stopped; a forced stop cancels its job."""

    force: bool | None = True


class PauseAgent(Body):
    """How an agent is paused; for five minutes unless said otherwise."""

    note: str | None = None
    timeout_in_minutes: int | None = None


def show_agent(
    site: Site,
    organization: accounts.Organization,
    agent: fleet.Agent,
    keys: Mapping[QueueId, str],
    known: Mapping[UserId, accounts.User],
    creator: UserId | None = None,
    job: Job | None = None,
) -> Agent:
    """An agent as JSON.

    Args:
        site: public addresses.
        organization: whose agent it is.
        agent: the agent.
        keys: keys of queues.
        known: people who paused agents or made the tokens that they joined with.
        creator: who made the token that it joined with.
        job: the job that it holds.
    """
    at = ("organizations", organization.slug, "agents", agent.id)
    ended = maybe_instant(agent.ended_at)
    named, _ = fleet.split_tags(agent.tags)
    return Agent(
        id=agent.id,
        graphql_id=graphql_id("Agent", agent.id),
        url=site.rest(*at),
        web_url=site.web(*at),
        name=agent.name,
        connection_state=fleet.connection_state(agent),
        hostname=agent.hostname,
        ip_address=agent.address,
        user_agent=f"buildkite-agent/{agent.version}.{agent.build} ({agent.os}; {agent.arch})",
        version=agent.version,
        os_id=agent.os,
        arch=agent.arch,
        queue=(keys.get(agent.queue_id) if agent.queue_id is not None else None) or named or None,
        creator=show_person(known, creator),
        created_at=instant(agent.registered_at),
        connected_at=maybe_instant(agent.connected_at),
        disconnected_at=ended if agent.state is AgentState.DISCONNECTED else None,
        lost_at=ended if agent.state is AgentState.LOST else None,
        stopped_at=ended if fleet.connection_state(agent) == "stopped" else None,
        job=job,
        last_job_finished_at=maybe_instant(agent.last_job_ended_at),
        priority=agent.priority if agent.priority != fleet.NO_PRIORITY else None,
        meta_data=list(agent.tags),
        paused=bool(agent.paused_at),
        paused_at=maybe_instant(agent.paused_at),
        paused_by=show_person(known, agent.paused_by),
        paused_note=agent.paused_note or None,
        paused_timeout_in_minutes=(
            (agent.paused_until - agent.paused_at) // MINUTE_US if agent.paused_at else None
        ),
        agent_token_id=agent.token_id,
    )


async def show_agents(call: Call, tx: Unit, access: Access, agents: Sequence[fleet.Agent]) -> list[Agent]:
    """Agents as JSON, with their jobs and with who made the tokens that they joined with."""
    keys = await queue_keys(tx, agents)
    creators = await token_creators(tx, agents)
    found = await people(tx, [*creators.values(), *(agent.paused_by for agent in agents)])
    sessions = [(agent.organization_id, agent.session_id) for agent in agents]
    uses = await call.authority.ledger.last_uses_in(tx, sessions)
    shown = []
    for agent, session in zip(agents, sessions, strict=True):
        creator, job = creators.get(agent.token_id), await _job(call, tx, access, agent)
        one = show_agent(call.site, access.organization, agent, keys, found, creator, job)
        one.identity = await _identity(tx, agent)
        if (used := uses.get(session)) is not None:
            one.session_last_used_at = instant(used.last_at)
            one.session_last_used_from = used.address or None
        shown.append(one)
    return shown


async def _identity(tx: Unit, agent: fleet.Agent) -> AgentIdentity | None:
    known = await identity_of(tx, agent)
    if known is None:
        return None
    return AgentIdentity(trusted_issuer_id=known.issuer_id, issuer=known.issuer, subject=known.subject)


async def _job(call: Call, tx: Unit, access: Access, agent: fleet.Agent) -> Job | None:
    """The job that an agent holds."""
    if agent.job_id is None:
        return None
    try:
        job = await find_job(tx, access.id, agent.job_id)
        pipeline, build = await build_of(tx, job)
    except NotFound:
        return None
    return show_job(Place(call.site, access.organization, pipeline, build), job, {agent.id: agent})


def _filter(call: Call) -> Callable[[fleet.Agent], bool] | None:
    """The agents that the query asks for; None where it asks for all."""
    asked = {name: values[0] for name in FILTERS if (values := call.query(name))}
    if not asked:
        return None

    def fits(agent: fleet.Agent) -> bool:
        held = (agent.name, agent.hostname, agent.version, agent.queue_id)
        return all(asked.get(name, value) == value for name, value in zip(FILTERS, held, strict=True))

    return fits


@get(AGENTS, opt=needs("agent.read", query=(*FILTERS, *PAGED)), summary="List agents")
async def list_agents(request: RestRequest) -> Response[list[Agent]]:
    """Connected agents, oldest first."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> tuple[list[fleet.Agent], list[Agent]]:
        rows = await connected_agents(tx, access.id, call.page.window, _filter(call))
        page = call.page.cut(rows)
        return rows, await show_agents(call, tx, access, page)

    rows, items = await call.read(work)
    return call.listed(items, rows)


@get(AGENTS + "/{agent:str}", opt=needs("agent.read"), summary="Get an agent")
async def get_agent(request: RestRequest) -> Agent:
    """One agent in any state, by its id."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> Agent:
        agent = await find_agent(tx, access.id, call.path("agent"))
        (shown,) = await show_agents(call, tx, access, [agent])
        return shown

    return await call.read(work)


async def _permitted(call: Call, tx: Unit, access: Access) -> fleet.Agent:
    """The agent of the path; whoever may give orders to none learns nothing of which there are.

    Raises:
        Forbidden: the person may not give orders to it.
        NotFound: there is none.
    """
    if not access.standing.admin and not access.standing.clusters:
        access.require(call.operation)
    agent = await find_agent(tx, access.id, call.path("agent"))
    access.require(call.operation, cluster=agent.cluster_id)
    return agent


async def _order(call: Call, give: Callable[[Unit, Access, fleet.Agent], Awaitable[Told]]) -> None:
    """Give an agent an order."""

    async def work(tx: Unit, access: Access) -> Told:
        agent = await _permitted(call, tx, access)
        return await give(tx, access, agent)

    call.authority.controller.settle(await call.write(work, defer=True))


@put(
    AGENTS + "/{agent:str}/stop",
    opt=needs("agent.stop", body=StopAgent),
    status_code=204,
    summary="Stop an agent",
)
async def stop_agent(request: RestRequest) -> None:
    """Ask an agent to leave."""
    call = await Call.with_body(request)

    async def give(tx: Unit, access: Access, agent: fleet.Agent) -> Told:
        force = call.decode(StopAgent).force is not False
        stop = call.authority.controller.stop_in
        return await stop(tx, access.caller, access.id, agent.id, force=force)

    await _order(call, give)


@put(
    AGENTS + "/{agent:str}/pause",
    opt=needs("agent.pause", body=PauseAgent),
    status_code=204,
    summary="Pause an agent",
)
async def pause_agent(request: RestRequest) -> None:
    """Give an agent no jobs for a while."""
    call = await Call.with_body(request)

    async def give(tx: Unit, access: Access, agent: fleet.Agent) -> Told:
        asked = call.decode(PauseAgent)
        pause = Pause(asked.note or "", asked.timeout_in_minutes, by=access.user.id)
        return await call.authority.controller.pause_in(tx, access.caller, access.id, agent.id, pause)

    await _order(call, give)


@put(
    AGENTS + "/{agent:str}/resume",
    opt=needs("agent.resume"),
    status_code=204,
    summary="Resume an agent",
)
async def resume_agent(request: RestRequest) -> None:
    """Give a paused agent jobs again."""
    call = Call.of(request)

    async def give(tx: Unit, access: Access, agent: fleet.Agent) -> Told:
        return await call.authority.controller.resume_in(tx, access.caller, access.id, agent.id)

    await _order(call, give)


HANDLERS = (list_agents, get_agent, stop_agent, pause_agent, resume_agent)
