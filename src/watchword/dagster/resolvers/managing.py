"""Deployments as people manage them: listed, found, made, deleted; those of branches too (contract §11)."""

from typing import Any

from watchword.dagster.binding import Arguments, Audience, field, mutation, query
from watchword.dagster.call import Call
from watchword.dagster.resolvers.deployments import described, visible
from watchword.dagster.rights import actor_of, caller_of, person, require, require_branches
from watchword.dagster.shapes import told
from watchword.domain.dagsteragents import AgentStatus
from watchword.domain.dagsterroles import Act
from watchword.domain.deployments import Deployment
from watchword.domain.errors import Conflict, NotFound
from watchword.services.branchdeployments import branch_name, put_branch_in
from watchword.services.dagstersettings import set_deployment_settings_in
from watchword.services.deployments import create_in, delete_in, is_last_in, read_document
from watchword.services.queries import Unit

NO_DEPLOYMENT = "DeploymentNotFoundError"
_MOST = 1_000
_USUAL = 50


def _seen(call: Call, name: str) -> Deployment:
    """A deployment that the caller sees, by name.

    Raises:
        NotFound: there is none, or the agent token may not serve it.
    """
    for one in visible(call.guest):
        if one.name == name:
            return one
    raise NotFound(f"There is no deployment {name[:100]!r}.", code="no_such_deployment")


@query("fullDeployments", Audience.BOTH)
async def full_deployments(call: Call, _arguments: Arguments) -> object:
    """Full deployments that the caller sees, the oldest first."""
    return [described(one) for one in visible(call.guest) if one.full]


@query("branchDeployments", Audience.BOTH)
async def branch_deployments(call: Call, arguments: Arguments) -> object:
    """Branch deployments that the caller sees, the newest first; `cursor` names the last one seen."""
    status, cursor = arguments.get("pullRequestStatus"), arguments.get("cursor")
    found = [one for one in reversed(visible(call.guest)) if not one.full]
    if status is not None:
        found = [one for one in found if read_document(one.branch).get("pullRequestStatus") == status]
    names = [one.name for one in found]
    start = names.index(cursor) + 1 if cursor in names else 0
    limit = arguments.get("limit")
    end = start + min(max(limit if limit is not None else _USUAL, 0), _MOST)
    return {"nodes": [described(one) for one in found[start:end]], "hasNext": len(found) > end}


@query("deploymentByName", Audience.BOTH)
async def deployment_by_name(call: Call, arguments: Arguments) -> object:
    """A deployment by name."""
    try:
        return described(_seen(call, arguments["name"]))
    except NotFound as error:
        return told(NO_DEPLOYMENT, error)


@query("currentDeployment", Audience.BOTH)
async def current_deployment(call: Call, _arguments: Arguments) -> object:
    """The deployment that address or header name; null where they name none."""
    return described(call.here) if call.named is not None else None


@query("activeAgentCategory", Audience.BOTH)
async def active_agent_category(call: Call, _arguments: Arguments) -> object:
    """What kind of agents run; null while none does."""
    now = call.context.clock.now()
    agents = call.authority.dagster_fleet.seen_by(call.guest)
    return "HYBRID" if any(one.status_at(now) is AgentStatus.RUNNING for one in agents) else None


@mutation("createDeployment", Audience.PEOPLE)
async def create(call: Call, arguments: Arguments) -> object:
    """Make a full deployment."""
    by = person(call, Act.DEPLOYMENTS)
    settings = arguments.get("deploymentSettings")

    async def work(tx: Unit) -> Deployment:
        organization, name = call.guest.place.organization, arguments["deploymentName"]
        made = await create_in(call.context, tx, call.caller, organization, name, by.id)
        if settings is None:
            return made
        return await set_deployment_settings_in(call.context, tx, call.caller, made, settings.get("settings"))

    try:
        return described(await call.write(work))
    except Conflict as error:
        return told("DuplicateDeploymentError", error)


@mutation("deleteDeployment", Audience.BOTH)
async def delete(call: Call, arguments: Arguments) -> object:
    """Delete a deployment: a full one with its branches, or a branch deployment alone."""
    found = [one for one in visible(call.guest) if one.number == arguments["deploymentId"]]
    if not found:
        return told(NO_DEPLOYMENT, NotFound("There is no such deployment."))
    deployment = found[0]
    if deployment.full:
        person(call, Act.DEPLOYMENTS)
    else:
        require(call, Act.EDIT_BRANCHES, deployment)

    async def work(tx: Unit) -> None:
        if deployment.full and await is_last_in(tx, deployment):
            raise Conflict("The last full deployment cannot be deleted.", code="last_deployment")
        await delete_in(call.context, tx, caller_of(call), deployment)

    try:
        await call.write(work)
    except Conflict as error:
        return told("DeleteFinalDeploymentError", error)
    return described(deployment)


@query("getBranchDeploymentName", Audience.BOTH)
async def branch_deployment_name(call: Call, arguments: Arguments) -> object:
    """The name of the deployment of a branch, whether it exists or not."""
    return branch_name(call.guest.id, arguments["repoName"], arguments["branchName"])


@mutation("createOrUpdateBranchDeployment", Audience.BOTH)
async def put_branch(call: Call, arguments: Arguments) -> object:
    """Make the deployment of a branch at its first commit; tell of later ones."""
    require_branches(call)
    by = actor_of(call)
    commit = arguments["commit"]
    branch = {
        **arguments["branchData"],
        **commit,
        "snapshotBaseCondition": arguments.get("snapshotBaseCondition"),
    }

    async def work(tx: Unit) -> Deployment:
        return await put_branch_in(
            call.context,
            tx,
            caller_of(call),
            call.guest.place.organization,
            branch,
            arguments.get("baseDeploymentName"),
            by.id if by is not None else None,
        )

    try:
        return described(await call.write(work))
    except NotFound as error:
        return told(NO_DEPLOYMENT, error)


@field("DagsterCloudDeployment", "deploymentStatus")
async def status(_call: Call, _source: Any, _arguments: Arguments) -> object:  # noqa: ANN401 - an object
    """A deployment's status: those that are deleted are not shown."""
    return "ACTIVE"


@field("DagsterCloudDeployment", "organizationName")
async def organization_name(call: Call, _source: Any, _arguments: Arguments) -> object:  # noqa: ANN401 - an object
    """The organization's name in addresses."""
    return call.guest.place.organization.slug


@field("DagsterCloudDeployment", "parentDeployment")
async def parent(call: Call, source: Any, _arguments: Arguments) -> object:  # noqa: ANN401 - an object
    """The full deployment that a branch deployment follows."""
    base = source["record"].base_id
    found = [one for one in visible(call.guest) if one.id == base]
    return described(found[0]) if found else None


@field("DagsterCloudDeployment", "branchDeploymentGitMetadata")
async def git_metadata(_call: Call, source: Any, _arguments: Arguments) -> object:  # noqa: ANN401 - an object
    """What is known of a branch deployment's branch and commit."""
    deployment: Deployment = source["record"]
    if deployment.full:
        return None
    kept = read_document(deployment.branch)
    names = (
        *("repoName", "branchName", "branchUrl", "commitHash", "commitMessage", "commitUrl"),
        *("pullRequestUrl", "pullRequestStatus", "pullRequestNumber"),
    )
    return {
        "repoName": "",
        "branchName": "",
        **{name: kept.get(name) for name in names if name in kept},
        **{name: None for name in names[2:] if name not in kept},
    }
