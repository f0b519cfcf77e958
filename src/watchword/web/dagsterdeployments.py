"""Deployments of Dagster+ and people's roles on them."""

from typing import Any

from litestar import get, post

from watchword.domain.accounts import Role, User
from watchword.domain.dagsterroles import DagsterRole
from watchword.domain.deployments import Deployment, DeploymentKind
from watchword.domain.errors import Invalid, NotFound, WatchwordError
from watchword.domain.ids import UserId
from watchword.services.access import Access
from watchword.services.dagstercare import (
    Affected,
    affected_in,
    deployment_in,
    deployments_in,
    roles_in,
)
from watchword.services.deployments import begin_in, create_in, delete_in, read_document, set_role_in
from watchword.services.lookups import EVERYTHING
from watchword.services.members import find_member, members_of
from watchword.services.queries import Unit, people
from watchword.web.dagstertokens import DAGSTER, base
from watchword.web.forms import Problem
from watchword.web.needs import page
from watchword.web.visit import Page, Visit, WebRequest

DEPLOYMENTS = DAGSTER + "/deployments"
DEPLOYMENT = DEPLOYMENTS + "/{deployment:str}"
ROLES = DAGSTER + "/roles"
_GIVEN = (DagsterRole.VIEWER, DagsterRole.LAUNCHER, DagsterRole.EDITOR, DagsterRole.ADMIN)
# What forms and addresses call all branch deployments.
BRANCHES = ""


async def _list(visit: Visit, *errors: WatchwordError) -> Page:
    async def work(tx: Unit, access: Access) -> tuple[list[Deployment], list[Deployment], dict[UserId, User]]:
        full = await deployments_in(tx, access, DeploymentKind.FULL)
        branches = await deployments_in(tx, access, DeploymentKind.BRANCH)
        return full, branches, await people(tx, [one.created_by for one in (*full, *branches)])

    full, branches, known = await visit.read(work)
    paging, shown = visit.paging.cut_all(branches)
    values: dict[str, Any] = {
        "full": full,
        "names": {one.id: one.name for one in full},
        "branches": [(one, read_document(one.branch)) for one in shown],
        "people": known,
        "paging": paging,
    }
    if errors:
        problems = [
            Problem.of(error, "name") if error.code in _OF_NAME else Problem.of(error) for error in errors
        ]
        return visit.show_again("dagster/deployments.html", *problems, **values)
    return visit.show("dagster/deployments.html", **values)


_OF_NAME = ("invalid_deployment_name", "reserved_deployment_name", "deployment_exists")


@get(DEPLOYMENTS, opt=page("dagster_deployment.read"))
async def list_deployments(request: WebRequest) -> Page:
    """Full deployments, and branches."""
    return await _list(Visit.of(request))


@post(DEPLOYMENTS, opt=page("dagster_deployment.create"), status_code=200)
async def create_deployment(request: WebRequest) -> Page:
    """Make a full deployment; the first one begins with Dagster+."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> None:
        by, organization = access.user.id, access.organization
        await begin_in(visit.context, tx, access.caller, organization, by)
        await create_in(visit.context, tx, access.caller, organization, visit.form.text("name"), by)

    try:
        await visit.write(work)
    except WatchwordError as error:
        return await _list(visit, error)
    return visit.go(f"{base(visit)}/deployments", done="deployment-created")


async def _ending(visit: Visit, *errors: WatchwordError) -> Page:
    async def work(tx: Unit, access: Access) -> tuple[Deployment, Affected, dict[UserId, User]]:
        found = await deployment_in(tx, access, visit.path("deployment"))
        affected = await affected_in(tx, access, found)
        return found, affected, await people(tx, [one.user_id for one in affected.roles])

    found, affected, known = await visit.read(work)
    values: dict[str, Any] = {"deployment": found, "affected": affected, "people": known}
    if errors:
        return visit.show_again("dagster/deployment_delete.html", *errors, **values)
    return visit.show("dagster/deployment_delete.html", **values)


@get(DEPLOYMENT + "/delete", opt=page("dagster_deployment.delete"))
async def ask_to_delete(request: WebRequest) -> Page:
    """What breaks."""
    return await _ending(Visit.of(request))


@post(DEPLOYMENT + "/delete", opt=page("dagster_deployment.delete", fresh=True), status_code=200)
async def delete_deployment(request: WebRequest) -> Page:
    """Delete a deployment with its branches, permissions and roles."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> None:
        found = await deployment_in(tx, access, visit.path("deployment"))
        if visit.form.text("confirm") != found.name:
            raise Invalid("Type the deployment's name.", code="not_confirmed")
        await delete_in(visit.context, tx, access.caller, found)

    try:
        await visit.write(work)
    except WatchwordError as error:
        return await _ending(visit, error)
    return visit.go(f"{base(visit)}/deployments", done="deployment-deleted")


async def _roles(visit: Visit, *errors: WatchwordError) -> Page:
    async def work(tx: Unit, access: Access) -> tuple[list[Any], list[Deployment], Any]:
        members = await members_of(tx, access.id, EVERYTHING)
        return members, await deployments_in(tx, access, DeploymentKind.FULL), await roles_in(tx, access)

    members, places, given = await visit.read(work)
    paging, rows = visit.paging.cut_all(members)
    columns = [(BRANCHES, "All branch deployments"), *((one.id, one.name) for one in places)]
    values: dict[str, Any] = {
        "rows": rows,
        "columns": columns,
        "given": given,
        "paging": paging,
        "admin": Role.ADMIN,
        "viewer": DagsterRole.VIEWER,
        "roles": [(role.value, role.value.capitalize()) for role in _GIVEN],
    }
    if errors:
        return visit.show_again("dagster/roles.html", *errors, **values)
    return visit.show("dagster/roles.html", **values)


@get(ROLES, opt=page("dagster_role.read"))
async def list_roles(request: WebRequest) -> Page:
    """Who is what where."""
    return await _roles(Visit.of(request))


@post(ROLES, opt=page("dagster_role.update", fresh=True), status_code=200)
async def set_role(request: WebRequest) -> Page:
    """Give a member a role; it holds from the next call of their tokens on."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> None:
        member, _ = await find_member(tx, access.id, visit.form.text("user"))
        place = visit.form.text("deployment")
        found = await deployment_in(tx, access, place) if place else None
        await set_role_in(
            visit.context, tx, access.caller, access.id, member.user_id, found, _read(visit), access.user.id
        )

    try:
        await visit.write(work)
    except NotFound:
        raise
    except WatchwordError as error:
        return await _roles(visit, error)
    return visit.go(f"{base(visit)}/roles", done="dagster-role-set")


def _read(visit: Visit) -> DagsterRole:
    try:
        return DagsterRole(visit.form.text("role"))
    except ValueError:
        raise Invalid("Choose one of the roles.", code="invalid_role") from None


HANDLERS = (list_deployments, create_deployment, ask_to_delete, delete_deployment, list_roles, set_role)
