"""Incidents: retired values that were used again, sessions that two hold. Watchword's own paths."""

from collections.abc import Mapping

import msgspec
from litestar import Response, get, put

from watchword.domain import accounts, incidents
from watchword.domain.ids import UserId
from watchword.rest.bodies import Body
from watchword.rest.call import PAGED, Call, RestRequest, needs
from watchword.rest.formats import instant, maybe_instant
from watchword.rest.users import User, show_person
from watchword.services.alarming import find_incident, incidents_of
from watchword.services.queries import Access, Unit, people

INCIDENTS = "/v2/organizations/{org:str}/incidents"
INCIDENT = INCIDENTS + "/{incident:str}"


class Incident(msgspec.Struct, kw_only=True):
    """An incident: `reuse` of a retired value, or a `clone` of a session.

    `quarantined` are tokens that are held back until it is closed: as a whole, or, where `quarantine_joins`,
    from the addresses alone.
    """

    id: str
    url: str
    kind: str
    state: str
    token_id: str
    agent_id: str | None
    response: str
    quarantined: list[str]
    quarantine_joins: bool
    addresses: list[str]
    count: int
    first_at: str
    last_at: str
    closed_at: str | None
    closed_by: User | None
    note: str | None


class IncidentClosing(Body):
    """What was found out about an incident."""

    note: str | None = None


def show_incident(
    call: Call, slug: str, incident: incidents.Incident, known: Mapping[UserId, accounts.User]
) -> Incident:
    """An incident as JSON."""
    return Incident(
        id=incident.id,
        url=call.site.rest("organizations", slug, "incidents", incident.id),
        kind=incident.kind.value,
        state=incident.state.value,
        token_id=incident.token_id,
        agent_id=incident.agent_id,
        response=incident.response.value,
        quarantined=list(incident.held) if incident.state is incidents.IncidentState.OPEN else [],
        quarantine_joins=incident.shared,
        addresses=list(incident.addresses),
        count=incident.count,
        first_at=instant(incident.first_at),
        last_at=instant(incident.last_at),
        closed_at=maybe_instant(incident.closed_at),
        closed_by=show_person(known, incident.closed_by),
        note=incident.note or None,
    )


async def _shown(call: Call, tx: Unit, access: Access, incident: incidents.Incident) -> Incident:
    return show_incident(call, access.organization.slug, incident, await people(tx, [incident.closed_by]))


@get(INCIDENTS, opt=needs("incident.read", query=PAGED), summary="List incidents")
async def list_incidents(request: RestRequest) -> Response[list[Incident]]:
    """Incidents, latest first, closed ones too."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> tuple[list[incidents.Incident], list[Incident]]:
        rows = await incidents_of(tx, access.id, call.page.window)
        return rows, [await _shown(call, tx, access, row) for row in call.page.cut(rows)]

    rows, items = await call.read(work)
    return call.listed(items, rows)


@get(INCIDENT, opt=needs("incident.read"), summary="Get an incident")
async def get_incident(request: RestRequest) -> Incident:
    """One incident by its id."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> Incident:
        return await _shown(call, tx, access, await find_incident(tx, access.id, call.path("incident")))

    return await call.read(work)


@put(INCIDENT + "/close", opt=needs("incident.close", body=IncidentClosing), summary="Close an incident")
async def close_incident(request: RestRequest) -> Incident:
    """Close an incident; what it held back works again."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> Incident:
        found = await find_incident(tx, access.id, call.path("incident"))
        note = call.decode(IncidentClosing).note or ""
        closed = await call.authority.alarms.close_in(tx, access.caller, found, access.user.id, note)
        return await _shown(call, tx, access, closed)

    return await call.write(work)


HANDLERS = (list_incidents, get_incident, close_incident)
