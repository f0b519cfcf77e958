"""Code locations as people manage them; how they load is what agents told of them (contract §11)."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from watchword.dagster.binding import Arguments, Audience, field, mutation, query
from watchword.dagster.call import Call
from watchword.dagster.resolvers.deployments import entry
from watchword.dagster.rights import caller_of, require
from watchword.dagster.shapes import seconds, told
from watchword.domain.codelocations import CodeLocation, LoadState, read_location
from watchword.domain.dagsterroles import Act
from watchword.domain.errors import Invalid
from watchword.services.codelocations import Shown, delete_in, list_in, put_in
from watchword.services.deployments import read_document
from watchword.services.queries import Unit

BAD_LOCATION = "InvalidLocationError"
_NOT_LOADED = "This code location could not be loaded."


def fault(message: str) -> dict[str, Any]:
    """A Python error of which only the text is known."""
    return {
        "__typename": "PythonError",
        "message": message,
        "className": None,
        "stack": [],
        "cause": None,
        "causes": [],
        "errorChain": [],
    }


def _status(location: CodeLocation) -> str:
    return "LOADING" if location.state is LoadState.LOADING else "LOADED"


def _id(location: CodeLocation) -> str:
    return f"{location.deployment_id}:{location.name}"


def _loaded(location: CodeLocation) -> dict[str, Any] | None:
    if location.state is LoadState.FAILED:
        return fault(location.error or _NOT_LOADED)
    if location.state is LoadState.LOADING:
        return None
    return {"__typename": "RepositoryLocation", "id": _id(location), "name": location.name}


async def _locations(call: Call) -> list[CodeLocation]:
    require(call, Act.VIEW, call.here)
    return [one.location for one in await call.authority.locations.of(call.here)]


@query("workspaceOrError", Audience.BOTH)
async def workspace_or_error(call: Call, _arguments: Arguments) -> object:
    """The workspace of the deployment that a call is about."""
    require(call, Act.VIEW, call.here)
    return {"__typename": "Workspace", "record": call.here}


@field("Workspace", "locationEntries")
async def location_entries(call: Call, source: Any, _arguments: Arguments) -> object:  # noqa: ANN401 - an object
    """Code locations with how they load."""
    return [
        {
            "id": _id(one.location),
            "name": one.location.name,
            "loadStatus": _status(one.location),
            "updatedTimestamp": seconds(one.location.updated_at),
            "locationOrLoadError": _loaded(one.location),
        }
        for one in await call.authority.locations.of(source["record"])
    ]


@query("locationStatusesOrError", Audience.BOTH)
async def location_statuses(call: Call, _arguments: Arguments) -> object:
    """How the code locations load, in short."""
    entries = [
        {
            "id": _id(one),
            "name": one.name,
            "loadStatus": _status(one),
            "updateTimestamp": seconds(one.updated_at),
        }
        for one in await _locations(call)
    ]
    return {"__typename": "WorkspaceLocationStatusEntries", "entries": entries}


@query("locationsAsDocument", Audience.BOTH)
async def locations_as_document(call: Call, _arguments: Arguments) -> object:
    """The code locations as the document that would make them."""
    return {"document": {"locations": [read_document(one.document) for one in await _locations(call)]}}


@field("PythonError", "errorChain")
async def error_chain(_call: Call, source: Any, _arguments: Arguments) -> object:  # noqa: ANN401 - an object
    """What an error was caused by, as far as that is known."""
    return source.get("errorChain", [])


def _shown(location: CodeLocation) -> dict[str, Any]:
    return {"__typename": "WorkspaceEntry", **entry(Shown(location, location.deploy_metadata))}


async def _put(
    call: Call, documents: Sequence[Mapping[str, Any]], *, alone: bool = False
) -> list[dict[str, Any]]:
    """Write code locations in one unit of work; `alone`, those of no other name stay.

    What is in a list already and is not changed there is not loaded anew.
    """
    here, caller, by = call.here, caller_of(call), call.guest.user
    require(call, Act.EDIT_LOCATIONS, here)
    by_id = by.id if by is not None else None

    async def work(tx: Unit) -> list[CodeLocation]:
        known = {one.name: one for one in await list_in(tx, here)}
        read = [read_location(one) for one in documents]
        found = []
        for name, document in read:
            same = name in known and read_document(known[name].document) == document
            if alone and same:
                found.append(known[name])
            else:
                found.append(await put_in(call.context, tx, caller, here, document, by_id))
        for name in sorted(set(known) - {name for name, _ in read}) if alone else ():
            await delete_in(call.context, tx, caller, here, name)
        return found

    return [_shown(one) for one in await call.write(work)]


def _listed(document: object) -> list[Mapping[str, Any]]:
    """The locations of a document with a list of them, each checked to be an object.

    Raises:
        Invalid: it is no such document, or names a location twice.
    """
    listed = document.get("locations") if isinstance(document, Mapping) else None
    if not isinstance(listed, list) or not all(isinstance(one, Mapping) for one in listed):
        raise Invalid(
            "Validation failed: a document has a list, locations, of objects", code="invalid_document"
        )
    names = [one.get("location_name") for one in listed]
    if len({str(name) for name in names}) != len(names):
        raise Invalid("Validation failed: a document names each location once", code="location_named_twice")
    return listed


@mutation("addOrUpdateLocationFromDocument", Audience.BOTH)
async def add_or_update(call: Call, arguments: Arguments) -> object:
    """Add a code location, or change it; agents load it."""
    try:
        made = await _put(call, _listed({"locations": [arguments["document"]]}))
    except Invalid as error:
        return told(BAD_LOCATION, error)
    return made[0]


@mutation("deleteLocation", Audience.BOTH)
async def delete(call: Call, arguments: Arguments) -> object:
    """Delete a code location."""
    here, name = call.here, arguments["locationName"]
    require(call, Act.EDIT_LOCATIONS, here)
    await call.write(partial(_delete, call, name))
    return {"__typename": "DeleteLocationSuccess", "locationName": name}


async def _delete(call: Call, name: str, tx: Unit) -> None:
    await delete_in(call.context, tx, caller_of(call), call.here, name)


@mutation("reconcileLocationsFromDocument", Audience.BOTH)
async def reconcile(call: Call, arguments: Arguments) -> object:
    """Have the code locations of a document and no others."""
    try:
        made = await _put(call, _listed(arguments["document"]), alone=True)
    except Invalid as error:
        return told(BAD_LOCATION, error)
    return {"__typename": "ReconcileLocationsSuccess", "locations": made}


@mutation("deployLocations", Audience.BOTH)
async def deploy(call: Call, arguments: Arguments) -> object:
    """Write the code locations of a document, beside those that there are; agents load each anew."""
    try:
        made = await _put(call, _listed(arguments["document"]))
    except Invalid as error:
        return told(BAD_LOCATION, error)
    return {"__typename": "DeployLocationsSuccess", "locations": made}


@mutation("pingLocation", Audience.PEOPLE)
async def ping(call: Call, arguments: Arguments) -> object:
    """Queue the work that asks an agent for nothing but an answer."""
    require(call, Act.LAUNCH, call.here)
    item = await call.authority.work_desk.ping(call.here, arguments["locationName"])
    return {"__typename": "PingLocationSuccess", "requestId": item.id}
