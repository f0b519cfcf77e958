"""Deployments of Dagster+, roles on them, and agents as they are heard of; routes of our own."""

import msgspec
from litestar import Response, delete, get, post, put

from watchword.domain.accounts import Role
from watchword.domain.dagsteragents import DagsterAgent
from watchword.domain.dagsterroles import DagsterRole
from watchword.domain.deployments import Deployment, DeploymentKind
from watchword.domain.errors import Invalid, NotFound
from watchword.domain.ids import UserId
from watchword.rest.bodies import Body
from watchword.rest.call import PAGED, Call, RestRequest, needs
from watchword.rest.formats import instant
from watchword.services.dagstercare import affected_in, deployment_in, deployments_in, roles_in
from watchword.services.deployments import begin_in, create_in, delete_in, set_role_in
from watchword.services.members import Person, find_member, members_of
from watchword.services.queries import Access, Unit

_DAGSTER = "/v2/organizations/{org:str}/dagster"
DEPLOYMENTS = _DAGSTER + "/deployments"
DEPLOYMENT = DEPLOYMENTS + "/{deployment:str}"
ROLES = _DAGSTER + "/roles"
AGENTS = _DAGSTER + "/agents"


class DagsterDeployment(msgspec.Struct, kw_only=True):
    """A deployment; `number` is by which Dagster's clients name it, `base` the one that a branch follows."""

    id: str
    number: int
    name: str
    kind: str
    base: str | None
    created_at: str


class NewDagsterDeployment(Body):
    """A new full deployment's name."""

    name: str = ""


class StrandedToken(msgspec.Struct, kw_only=True):
    """An agent token that a deployment's end touches; `stranded` if it may serve nothing else."""

    id: str
    description: str
    stranded: bool


class DagsterDeploymentRadius(msgspec.Struct, kw_only=True):
    """What a deployment's end touches."""

    branches: list[str]
    agent_tokens: list[StrandedToken]
    roles: int


class DagsterMemberRoles(msgspec.Struct, kw_only=True):
    """A member's roles: by deployment, and on all branch deployments; a viewer where none is named.

    Administrators of the organization are `organization_admin` everywhere.
    """

    user_id: str
    name: str
    email: str
    organization_admin: bool
    branches: str | None
    deployments: dict[str, str]


class DagsterRoleChange(Body):
    """A role: viewer, launcher, editor or admin; on all branch deployments where none is named."""

    role: str = ""
    deployment: str | None = None


class DagsterAgentFault(msgspec.Struct, kw_only=True):
    """An error that an agent told of."""

    at: str
    text: str


class DagsterAgentShown(msgspec.Struct, kw_only=True):
    """A Dagster agent as its last heartbeat describes it; `status` is RUNNING or NOT_RUNNING."""

    id: str
    label: str
    type: str
    status: str
    version: str
    token_id: str
    deployments: list[str]
    queues: list[str]
    first_heartbeat_at: str
    last_heartbeat_at: str
    errors: list[DagsterAgentFault]


def _show(found: Deployment, names: dict[str, str]) -> DagsterDeployment:
    return DagsterDeployment(
        id=found.id,
        number=found.number,
        name=found.name,
        kind=found.kind.value,
        base=names.get(found.base_id) if found.base_id is not None else None,
        created_at=instant(found.created_at),
    )


async def _names(tx: Unit, access: Access) -> dict[str, str]:
    return {one.id: one.name for one in await deployments_in(tx, access, DeploymentKind.FULL)}


@get(
    DEPLOYMENTS,
    opt=needs("dagster_deployment.read", query=("kind", *PAGED)),
    summary="List Dagster+ deployments",
)
async def list_deployments(request: RestRequest) -> Response[list[DagsterDeployment]]:
    """Full deployments, then branches, oldest first; of one `kind` (full, branch) where one is named."""
    call = Call.of(request)
    asked = next(iter(call.query("kind")), "")
    if asked not in ("", *DeploymentKind):
        raise Invalid("Validation failed: kind is full or branch", code="invalid_query")

    async def work(tx: Unit, access: Access) -> tuple[list[Deployment], dict[str, str]]:
        kinds = [kind for kind in DeploymentKind if asked in ("", kind.value)]
        every = [one for kind in kinds for one in await deployments_in(tx, access, kind)]
        window = call.page.window
        return every[window.offset : window.offset + window.limit], await _names(tx, access)

    rows, names = await call.read(work)
    return call.listed([_show(one, names) for one in call.page.cut(rows)], rows)


@get(DEPLOYMENT, opt=needs("dagster_deployment.read"), summary="Get a Dagster+ deployment")
async def get_deployment(request: RestRequest) -> DagsterDeployment:
    """One deployment by its name or id."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> DagsterDeployment:
        return _show(await deployment_in(tx, access, call.path("deployment")), await _names(tx, access))

    return await call.read(work)


@post(
    DEPLOYMENTS,
    opt=needs("dagster_deployment.create", body=NewDagsterDeployment, keyed=True),
    summary="Create a Dagster+ deployment",
)
async def create_deployment(request: RestRequest) -> Response[DagsterDeployment]:
    """Create a full deployment; the first one of an organization comes beside `prod`."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> DagsterDeployment:
        by, organization = access.user.id, access.organization
        name = call.decode(NewDagsterDeployment).name
        await begin_in(call.context, tx, access.caller, organization, by)
        return _show(await create_in(call.context, tx, access.caller, organization, name, by), {})

    return await call.create(work)


@get(
    DEPLOYMENT + "/blast-radius",
    opt=needs("dagster_deployment.delete"),
    summary="See what the end of a Dagster+ deployment would touch",
)
async def deployment_radius(request: RestRequest) -> DagsterDeploymentRadius:
    """Branches, agent tokens and roles that go with a deployment."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> DagsterDeploymentRadius:
        found = await affected_in(tx, access, await deployment_in(tx, access, call.path("deployment")))
        return DagsterDeploymentRadius(
            branches=[one.name for one in found.branches],
            agent_tokens=[
                StrandedToken(id=one.id, description=one.description, stranded=one in found.stranded)
                for one in found.tokens
            ],
            roles=len(found.roles),
        )

    return await call.read(work)


@delete(
    DEPLOYMENT, opt=needs("dagster_deployment.delete", keyed=True), summary="Delete a Dagster+ deployment"
)
async def delete_deployment(request: RestRequest) -> None:
    """Delete a deployment with its branches, the permissions and roles on it."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> bytes:
        found = await deployment_in(tx, access, call.path("deployment"))
        await delete_in(call.context, tx, access.caller, found)
        return b""

    await call.once(work)


async def _roles_of(tx: Unit, access: Access, rows: list[Person]) -> list[DagsterMemberRoles]:
    given, names = await roles_in(tx, access), await _names(tx, access)
    found = []
    for member, user in rows:
        theirs = given.get(user.id, {})
        named = {names[place]: role.value for place, role in theirs.items() if place in names}
        found.append(
            DagsterMemberRoles(
                user_id=user.id,
                name=user.name,
                email=user.email,
                organization_admin=member.role is Role.ADMIN,
                branches=theirs[""].value if "" in theirs else None,
                deployments=named,
            )
        )
    return found


@get(ROLES, opt=needs("dagster_role.read", query=PAGED), summary="List roles on Dagster+ deployments")
async def list_roles(request: RestRequest) -> Response[list[DagsterMemberRoles]]:
    """Members with their roles, first come first."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> tuple[list[Person], list[DagsterMemberRoles]]:
        rows = await members_of(tx, access.id, call.page.window)
        return rows, await _roles_of(tx, access, call.page.cut(rows))

    rows, items = await call.read(work)
    return call.listed(items, rows)


@put(
    ROLES + "/{user:str}",
    status_code=200,
    opt=needs("dagster_role.update", body=DagsterRoleChange),
    summary="Set a member's role on a Dagster+ deployment",
)
async def set_role(request: RestRequest) -> DagsterMemberRoles:
    """Set a role; it holds from the next call of the member's tokens on."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> DagsterMemberRoles:
        person = await find_member(tx, access.id, call.path("user"))
        asked = call.decode(DagsterRoleChange)
        place = await _place(tx, access, asked.deployment)
        user_id: UserId = person[1].id
        await set_role_in(
            call.context, tx, access.caller, access.id, user_id, place, _role(asked.role), access.user.id
        )
        (shown,) = await _roles_of(tx, access, [person])
        return shown

    return await call.write(work)


async def _place(tx: Unit, access: Access, name: str | None) -> Deployment | None:
    try:
        return await deployment_in(tx, access, name) if name is not None else None
    except NotFound:
        raise Invalid("Validation failed: There is no such deployment", code="unknown_deployment") from None


def _role(text: str) -> DagsterRole:
    try:
        return DagsterRole(text)
    except ValueError:
        raise Invalid(
            "Validation failed: Role is viewer, launcher, editor or admin", code="invalid_role"
        ) from None


@get(AGENTS, opt=needs("dagster_agent.read", query=PAGED), summary="List Dagster agents")
async def list_agents(request: RestRequest) -> Response[list[DagsterAgentShown]]:
    """Agents that were heard of in the last week, the latest first."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> tuple[list[DagsterAgent], dict[str, str]]:
        window = call.page.window
        every = call.authority.dagster_fleet.known(access.id)
        branches = await deployments_in(tx, access, DeploymentKind.BRANCH)
        names = await _names(tx, access) | {one.id: one.name for one in branches}
        return every[window.offset : window.offset + window.limit], names

    rows, names = await call.read(work)
    return call.listed([_show_agent(call, one, names) for one in call.page.cut(rows)], rows)


def _show_agent(call: Call, agent: DagsterAgent, names: dict[str, str]) -> DagsterAgentShown:
    return DagsterAgentShown(
        id=agent.id,
        label=agent.label,
        type=agent.type,
        status=agent.status_at(call.context.clock.now()).value,
        version=agent.facts.get("version", ""),
        token_id=agent.token_id,
        deployments=sorted(names[one] for one in agent.deployments if one in names),
        queues=list(agent.queues),
        first_heartbeat_at=instant(agent.first_at),
        last_heartbeat_at=instant(agent.seen_at),
        errors=[DagsterAgentFault(at=instant(one.at), text=one.text) for one in agent.errors],
    )


HANDLERS = (
    list_deployments,
    get_deployment,
    create_deployment,
    deployment_radius,
    delete_deployment,
    list_roles,
    set_role,
    list_agents,
)
