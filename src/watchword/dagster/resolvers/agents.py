"""What agents ask and tell: work, heartbeats, each other (contract §5, §9)."""

from collections.abc import Mapping, Sequence
from typing import Any

from watchword.dagster.answers import Barred
from watchword.dagster.binding import Arguments, Audience, field, mutation, query
from watchword.dagster.call import Call
from watchword.dagster.heartbeats import read_fault, read_heartbeat
from watchword.domain.dagsteragents import MAX_ERRORS, DagsterAgent
from watchword.domain.errors import Forbidden
from watchword.services.workitems import Popped

_SECOND_US = 1_000_000


def shown(agent: DagsterAgent, now: int) -> dict[str, Any]:
    """An agent as an object of an answer."""
    facts = {"version": "", **agent.facts, "type": agent.type}
    return {
        "id": agent.id,
        "agentLabel": agent.label or None,
        "status": agent.status_at(now).value,
        "lastHeartbeatTime": agent.seen_at / _SECOND_US,
        "errors": [
            {
                "timestamp": fault.at / _SECOND_US if fault.at else None,
                "error": {
                    "message": fault.text,
                    "className": None,
                    "stack": [],
                    "cause": None,
                    "causes": [],
                },
            }
            for fault in agent.errors
        ],
        "metadata": [{"key": key, "value": value} for key, value in sorted(facts.items()) if value],
    }


def work(popped: Popped) -> dict[str, Any]:
    """A piece of work as an object of an answer."""
    return {
        "requestId": popped.item.id,
        "requestApi": popped.item.api,
        "requestBody": popped.item.body(popped.deployment.name),
        "deploymentName": popped.deployment.name,
        "isBranchDeployment": popped.item.branch,
    }


def take_heartbeats(call: Call, heartbeats: Sequence[Mapping[str, str]], errors: Sequence[str]) -> None:
    """Take heartbeats in, all or none.

    Raises:
        Barred: the token may not serve one of the deployments: the whole call is refused.
        Invalid: one of them is no heartbeat.
    """
    read = [read_heartbeat(one["deploymentName"], one["serializedAgentHeartbeat"]) for one in heartbeats]
    faults = [read_fault(text) for text in errors[:MAX_ERRORS]]
    try:
        call.authority.dagster_fleet.heard(call.guest, read, faults)
    except Forbidden as error:
        raise Barred(error.message, code=error.code) from None


@query("agents", Audience.BOTH)
async def agents(call: Call, arguments: Arguments) -> object:
    """Agents of the deployments that the caller may see, the latest first."""
    since = int((arguments.get("heartbeatedSince") or 0) * _SECOND_US)
    now = call.context.clock.now()
    return [shown(agent, now) for agent in call.authority.dagster_fleet.seen_by(call.guest, since)]


@mutation("userCloudAgent", Audience.AGENTS)
async def user_cloud_agent(_call: Call, _arguments: Arguments) -> object:
    """Where an agent's own fields hang."""
    return {}


@field("UserCloudAgent", "popUserCloudAgentRequests", Audience.AGENTS)
async def pop(call: Call, _source: Any, arguments: Arguments) -> object:  # noqa: ANN401 - an object
    """Work for the agent."""
    popped = await call.authority.work_desk.pop(
        call.guest,
        arguments.get("forFullDeployments") or (),
        branches=bool(arguments.get("forBranchDeployments")),
        queues=arguments.get("agentQueues"),
        limit=arguments.get("limit"),
    )
    return [work(one) for one in popped]


@field("UserCloudAgent", "addAgentHeartbeats", Audience.AGENTS)
async def add_heartbeats(call: Call, _source: Any, arguments: Arguments) -> object:  # noqa: ANN401 - an object
    """Signs of life."""
    take_heartbeats(
        call, arguments.get("serializedAgentHeartbeats") or (), arguments.get("serializedErrors") or ()
    )
    return {"ok": True}
