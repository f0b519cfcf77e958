"""Deployments and their code locations, as agents and people read them (contract §5, §9)."""

from collections.abc import Iterable, Sequence
from typing import Any

from watchword.dagster.answers import Barred
from watchword.dagster.binding import Arguments, Audience, field, query
from watchword.dagster.call import Call
from watchword.domain.codelocations import LoadState
from watchword.domain.deployments import Deployment
from watchword.domain.errors import NotFound
from watchword.services.codelocations import Shown
from watchword.services.dagsteragents import not_served
from watchword.services.dagsterdoor import Guest
from watchword.services.workitems import DEFAULT_QUEUE

_SECOND_US = 1_000_000
PRODUCTION, BRANCH = "PRODUCTION", "BRANCH"


def described(deployment: Deployment) -> dict[str, Any]:
    """A deployment as an object of an answer; `record` is what it was made of."""
    return {
        "__typename": "DagsterCloudDeployment",
        "record": deployment,
        "deploymentId": deployment.number,
        "deploymentName": deployment.name,
        "deploymentType": PRODUCTION if deployment.full else BRANCH,
        "isBranchDeployment": not deployment.full,
        "agentType": "HYBRID",
    }


def visible(guest: Guest) -> list[Deployment]:
    """Deployments that a guest sees: of an agent token, those that it may serve."""
    found = sorted(guest.place.deployments.values(), key=lambda one: one.number)
    return [one for one in found if guest.permitted is None or guest.permitted.allows(one)]


def served(guest: Guest, names: Iterable[str], *, for_work: bool) -> list[Deployment]:
    """Of the deployments of these names, those that an agent token may serve (§9).

    Args:
        guest: an agent token.
        names: those that are asked for.
        for_work: whether a running agent asks, which would fall silent if it got none of them.

    Raises:
        Forbidden: a running agent asks, and may serve none of them.
    """
    asked = list(dict.fromkeys(names))
    found = [one for name in asked if (one := guest.serves(name)) is not None]
    if for_work and asked and not found:
        raise not_served(asked)
    return found


def entry(shown: Shown) -> dict[str, Any]:
    """A code location as an object of an answer."""
    location = shown.location
    return {
        "record": location,
        "locationName": location.name,
        "serializedDeploymentMetadata": shown.deploy_metadata,
        "hasOutdatedData": location.outdated,
        "hasLoadError": location.state is LoadState.FAILED,
        "metadataTimestamp": location.metadata_at / _SECOND_US,
    }


def entries_of(shown: Sequence[Shown], queues: Sequence[str | None] | None) -> list[dict[str, Any]]:
    """Code locations that agents of some queues serve; all of them where no queue is named."""
    if queues is None:
        return [entry(one) for one in shown]
    names = {queue or DEFAULT_QUEUE for queue in queues}
    return [entry(one) for one in shown if one.location.queue in names]


@query("deployments", Audience.BOTH)
async def deployments(call: Call, arguments: Arguments) -> object:
    """Deployments by name for agents, those that are seen for everybody."""
    names = arguments.get("deploymentNames")
    if names is None:
        return [described(one) for one in visible(call.guest)]
    if not call.guest.is_agent:
        raise Barred(
            "deployments with deploymentNames is for agents: it takes an agent token, not a user token.",
            code="agents_only",
        )
    for_work = "includeAllServerlessDeployments" in arguments
    return [described(one) for one in served(call.guest, names, for_work=for_work)]


@query("deploymentInfo", Audience.AGENTS)
async def deployment_info(call: Call, _arguments: Arguments) -> object:
    """The deployment of an agent that names none: the only full one that it may serve.

    Raises:
        NotFound: it may serve none, or several.
    """
    if call.deployment is not None:
        return described(call.deployment)
    found = [one for one in visible(call.guest) if one.full]
    if len(found) != 1:
        raise NotFound(
            f"This agent token may serve {len(found)} deployments: name one in dagster_cloud_api.deployment"
            " of the agent's dagster.yaml.",
            code="deployment_ambiguous",
        )
    return described(found[0])


@query("workspace", Audience.BOTH)
async def workspace(call: Call, _arguments: Arguments) -> object:
    """The workspace of the deployment that a call is about."""
    return {"record": call.here}


@field("DagsterCloudDeployment", "workspaceEntries")
async def entries(call: Call, source: Any, arguments: Arguments) -> object:  # noqa: ANN401 - an object
    """Code locations of a deployment."""
    return await _entries(call, source["record"], arguments)


async def _entries(call: Call, deployment: Deployment, arguments: Arguments) -> object:
    return entries_of(await call.authority.locations.of(deployment), arguments.get("agentQueues"))


@field("Workspace", "workspaceEntries")
async def workspace_entries(call: Call, source: Any, arguments: Arguments) -> object:  # noqa: ANN401 - an object
    """Code locations of the workspace's deployment."""
    return await _entries(call, source["record"], arguments)
