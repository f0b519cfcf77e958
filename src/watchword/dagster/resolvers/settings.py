"""Settings of organizations and deployments, as command lines read and write them (contract §11)."""

from typing import Any

from watchword.dagster.binding import Arguments, Audience, field, mutation, query
from watchword.dagster.call import Call
from watchword.dagster.resolvers.managing import NO_DEPLOYMENT
from watchword.dagster.rights import person
from watchword.dagster.shapes import told
from watchword.domain.dagsterroles import Act
from watchword.domain.deployments import Deployment
from watchword.domain.errors import NotFound
from watchword.services.dagstersettings import (
    organization_settings_in,
    set_deployment_settings_in,
    set_organization_settings_in,
)
from watchword.services.deployments import read_document
from watchword.services.queries import Unit


@query("organizationSettings", Audience.PEOPLE)
async def organization_settings(call: Call, _arguments: Arguments) -> object:
    """What the organization has set."""
    person(call, Act.VIEW)
    return {"settings": await call.read(lambda tx: organization_settings_in(tx, call.guest.id))}


@mutation("setOrganizationSettings", Audience.PEOPLE)
async def set_organization_settings(call: Call, arguments: Arguments) -> object:
    """Write the organization's settings in place of those that there were."""
    by = person(call, Act.ORGANIZATION_SETTINGS)
    given = arguments["organizationSettings"].get("settings")

    async def work(tx: Unit) -> dict[str, object]:
        organization = call.guest.place.organization
        return await set_organization_settings_in(call.context, tx, call.caller, organization, given, by.id)

    return {"__typename": "OrganizationSettings", "settings": await call.write(work)}


@query("deploymentSettings", Audience.PEOPLE)
async def deployment_settings(call: Call, _arguments: Arguments) -> object:
    """What the deployment has set that the call is about."""
    person(call, Act.VIEW, call.here)
    return {"settings": read_document(call.here.settings)}


@mutation("setDeploymentSettings", Audience.PEOPLE)
async def set_deployment_settings(call: Call, arguments: Arguments) -> object:
    """Write the deployment's settings in place of those that there were."""
    try:
        here = call.here
    except NotFound as error:
        return told(NO_DEPLOYMENT, error)
    person(call, Act.EDIT_SETTINGS, here)
    given = arguments["deploymentSettings"].get("settings")

    async def work(tx: Unit) -> Deployment:
        return await set_deployment_settings_in(call.context, tx, call.caller, here, given)

    return {
        "__typename": "DeploymentSettings",
        "settings": read_document((await call.write(work)).settings),
    }


@field("DagsterCloudDeployment", "deploymentSettings", Audience.PEOPLE)
async def settings_of(_call: Call, source: Any, _arguments: Arguments) -> object:  # noqa: ANN401 - an object
    """What a deployment has set."""
    return {"settings": read_document(source["record"].settings)}
