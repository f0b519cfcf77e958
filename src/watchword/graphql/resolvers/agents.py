"""Agents (contract rest-graphql §3.4, §3.5)."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from watchword.domain import accounts, fleet
from watchword.domain.fleet import AgentState
from watchword.domain.ids import ClusterId
from watchword.domain.tokens import MINUTE_US
from watchword.graphql import ids
from watchword.graphql.binding import Arguments, Thing, field, mutation, nothing, query
from watchword.graphql.call import Call, Order
from watchword.graphql.connections import empty, windowed
from watchword.graphql.finding import at_slug, maybe, node, permission
from watchword.graphql.resolvers.organizations import owned
from watchword.graphql.resolvers.queues import queue_of
from watchword.graphql.resolvers.users import by
from watchword.services.control import Pause, Told
from watchword.services.lookups import EVERYTHING
from watchword.services.queries import Access, Page, Unit, connected_agents, find_agent

MISSING = "No agent found"


def show_agent(agent: fleet.Agent) -> Thing:
    """An agent as an object."""
    state = fleet.connection_state(agent)
    values = {
        "id": ids.encode("Agent", agent.id),
        "uuid": agent.id,
        "name": agent.name,
        "hostname": agent.hostname,
        "ipAddress": agent.address,
        "connectionState": state,
        "createdAt": agent.registered_at,
        "connectedAt": agent.connected_at or None,
        "disconnectedAt": (agent.ended_at or None) if agent.state is AgentState.DISCONNECTED else None,
        "lostAt": (agent.ended_at or None) if agent.state is AgentState.LOST else None,
        "heartbeatAt": agent.seen_at or None,
        "pingedAt": agent.seen_at or None,
        "isDeprecated": False,
        "isRunningJob": agent.job_id is not None,
        "metaData": list(agent.tags),
        "operatingSystem": {"name": agent.os} if agent.os else None,
        "paused": bool(agent.paused_at),
        "pausedAt": agent.paused_at or None,
        "pausedNote": agent.paused_note or None,
        "pausedTimeoutInMinutes": (
            (agent.paused_until - agent.paused_at) // MINUTE_US
            if agent.paused_at
            else fleet.DEFAULT_PAUSE_MINUTES
        ),
        "pid": str(agent.pid) if agent.pid else None,
        "priority": agent.priority if agent.priority != fleet.NO_PRIORITY else None,
        "public": False,
        "stopForcedAt": (agent.stopping_at or None) if agent.stop_forced else None,
        "stoppedAt": (agent.ended_at or None) if state == "stopped" else None,
        "stoppedGracefullyAt": None if agent.stop_forced else agent.stopping_at or None,
        "userAgent": f"buildkite-agent/{agent.version}.{agent.build} ({agent.os}; {agent.arch})",
        "version": agent.version,
        "versionHasKnownIssues": False,
    }
    return Thing("Agent", agent.organization_id, agent, values)


by("Agent", "pausedBy", "paused_by")
owned("Agent")
queue_of("Agent", "queue_id")
# Who asked an agent to stop stands in the audit trail.
nothing("Agent", "stopForcedBy", "stoppedBy", "stoppedGracefullyBy")


def _cluster(agent: fleet.Agent) -> ClusterId | None:
    return agent.cluster_id


@node("Agent", "agent.read")
async def find(tx: Unit, access: Access, uuid: str) -> Thing | None:
    """An agent of an organization in whatever state."""
    agent = await maybe(find_agent(tx, access.id, uuid))
    return show_agent(agent) if agent is not None else None


@query("agent", "agent.read")
async def agent_at(call: Call, arguments: Arguments) -> Thing | None:
    """By `organization-slug/uuid`."""
    return await at_slug(call, str(arguments["slug"]), "Agent")


@field("Agent", "permissions")
async def permissions_of_agent(call: Call, agent: fleet.Agent, _arguments: Arguments) -> object:
    """What the person may do with it."""
    access = await call.access(agent.organization_id)
    names = {"agentStop": "agent.stop", "agentPause": "agent.pause", "agentResume": "agent.resume"}
    return {name: permission(access, asked, cluster=agent.cluster_id) for name, asked in names.items()}


@field("Agent", "jobs", "build.read")
async def jobs_of_agent(_call: Call, _agent: fleet.Agent, _arguments: Arguments) -> object:
    """None are listed by agent."""
    return empty()


def _filter(arguments: Arguments) -> Callable[[fleet.Agent], bool] | None:
    """The agents that are asked for; None where all are."""
    names = ("search", "metaData", "cluster", "clusterQueue", "clustered", "isRunningJob", "paused")
    asked = {name: arguments[name] for name in names if arguments.get(name) is not None}
    if not asked:
        return None
    cluster = _uuid(asked.get("cluster"), "Cluster")
    queues = {_uuid(one, "ClusterQueue") for one in asked.get("clusterQueue", ())}
    searched = str(asked.get("search", "")).lower()

    def fits(agent: fleet.Agent) -> bool:
        return (
            searched in agent.name.lower()
            and set(asked.get("metaData", ())) <= set(agent.tags)
            and ("cluster" not in asked or agent.cluster_id == cluster)
            and ("clusterQueue" not in asked or agent.queue_id in queues)
            and asked.get("clustered", agent.cluster_id is not None) is (agent.cluster_id is not None)
            and asked.get("isRunningJob", agent.job_id is not None) is (agent.job_id is not None)
            and asked.get("paused", bool(agent.paused_at)) is bool(agent.paused_at)
        )

    return fits


def _uuid(given: object, of: str) -> str:
    """The UUID that a filter names, plain or as a global id."""
    text = str(given or "").strip()
    return ids.uuid_of(text, of) or text.lower()


@field("Organization", "agents", "agent.read")
async def agents_of_organization(
    call: Call, organization: accounts.Organization, arguments: Arguments
) -> object:
    """Connected agents, oldest first."""
    fits = _filter(arguments)

    async def fetch(page: Page) -> Sequence[fleet.Agent]:
        return await call.read(lambda tx: connected_agents(tx, organization.id, page, fits))

    async def count() -> int:
        return len(await fetch(EVERYTHING))

    return await windowed(fetch, count, arguments, show_agent)


async def _order(
    order: Order, give: Callable[[Unit, Access, fleet.Agent], Awaitable[Told]]
) -> Mapping[str, object]:
    """Give an agent an order."""
    uuid = ids.uuid_of(str(order.input["id"]), "Agent")

    async def look(tx: Unit, access: Access) -> fleet.Agent | None:
        return await maybe(find_agent(tx, access.id, uuid))

    told = await order.write_found(look, MISSING, give, cluster=_cluster)
    order.call.authority.controller.settle(told)
    return {"agent": show_agent(told.agent)}


@mutation("agentStop", "agent.stop")
async def stop(order: Order) -> Mapping[str, object]:
    """Ask an agent to leave; its job is cancelled unless the stop is graceful."""
    controller = order.call.authority.controller

    async def give(tx: Unit, access: Access, agent: fleet.Agent) -> Told:
        force = order.input.get("graceful") is not True
        return await controller.stop_in(tx, access.caller, access.id, agent.id, force=force)

    return await _order(order, give)


@mutation("agentPause", "agent.pause")
async def pause(order: Order) -> Mapping[str, object]:
    """Give an agent no jobs for a while."""
    controller = order.call.authority.controller

    async def give(tx: Unit, access: Access, agent: fleet.Agent) -> Told:
        asked = Pause(order.text("note"), order.input.get("timeoutInMinutes"), by=access.user.id)
        return await controller.pause_in(tx, access.caller, access.id, agent.id, asked)

    return await _order(order, give)


@mutation("agentResume", "agent.resume")
async def resume(order: Order) -> Mapping[str, object]:
    """Give a paused agent jobs again."""
    controller = order.call.authority.controller

    async def give(tx: Unit, access: Access, agent: fleet.Agent) -> Told:
        return await controller.resume_in(tx, access.caller, access.id, agent.id)

    return await _order(order, give)
