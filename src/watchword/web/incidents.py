"""Incidents: retired values that were used again, sessions that two hold; looked at and closed."""

from collections.abc import Mapping
from dataclasses import dataclass

from litestar import get, post

from watchword.domain.accounts import User
from watchword.domain.errors import WatchwordError
from watchword.domain.ids import TokenId, UserId
from watchword.domain.incidents import Incident, IncidentKind, IncidentState
from watchword.domain.kinds import Kind
from watchword.domain.tokens import Token
from watchword.services.alarming import find_incident, incidents_of
from watchword.services.lookups import token_by_id
from watchword.services.queries import Access, Unit, people
from watchword.web.needs import page
from watchword.web.tokenrows import NO_NAME, token_path
from watchword.web.visit import Page, Visit, WebRequest

INCIDENTS = "/organizations/{org:str}/incidents"
INCIDENT = INCIDENTS + "/{incident:str}"
TITLES = {
    IncidentKind.REUSE: "A retired value was used again",
    IncidentKind.CLONE: "Two hold one session",
}
_ADVICE = {
    IncidentKind.REUSE: (
        "Somebody presented the value of a token that has been rotated. It was refused. Either a program was"
        " forgotten when the token was rotated, or somebody else holds a copy. Look at the addresses: if you"
        " know them, give the program the new value; if not, revoke the successor as well."
    ),
    IncidentKind.CLONE: (
        "One agent's session was used from two addresses that alternate. Either the agent's host goes out"
        " by both, or its session token was copied. Stop the agent and start it anew: the copy is dead then."
    ),
}
_RENEWED = (
    "Somebody presented a refresh token that a connected application had used before. Its connection was"
    " revoked at once, with all its tokens. Ask whose it is; if they know the addresses, they connect the"
    " application anew; if not, somebody else held a copy, and the trail says what was done with it."
)


@dataclass(frozen=True, slots=True)
class ShownIncident:
    """An incident with its token; `held` are the tokens that it holds back."""

    incident: Incident
    title: str
    advice: str
    open: bool
    token: tuple[str, str] | None
    held: tuple[tuple[str, str], ...]
    closed_by: User | None


def _link(slug: str, token: Token | None) -> tuple[str, str] | None:
    """Address and name of a token that has a page."""
    if token is None or token.agent_id is not None or token.kind is Kind.OAUTH_REFRESH:
        return None
    return token_path(slug, token), token.description.strip() or NO_NAME


async def _show(tx: Unit, access: Access, incident: Incident, known: Mapping[UserId, User]) -> ShownIncident:
    slug = access.organization.slug
    held = [await token_by_id(tx, access.id, TokenId(token_id)) for token_id in incident.held]
    token = await token_by_id(tx, access.id, incident.token_id)
    return ShownIncident(
        incident=incident,
        title=TITLES[incident.kind],
        advice=_RENEWED if token is not None and token.of_grant else _ADVICE[incident.kind],
        open=incident.state is IncidentState.OPEN,
        token=_link(slug, token),
        held=tuple(link for each in held if (link := _link(slug, each)) is not None),
        closed_by=known.get(incident.closed_by) if incident.closed_by is not None else None,
    )


@get(INCIDENTS, opt=page("incident.read"))
async def list_incidents(request: WebRequest) -> Page:
    """Incidents, the latest first, closed ones too."""
    visit = Visit.of(request)
    window = visit.paging.window

    async def work(tx: Unit, access: Access) -> list[ShownIncident]:
        found = await incidents_of(tx, access.id, window)
        known = await people(tx, [each.closed_by for each in found])
        return [await _show(tx, access, each, known) for each in found]

    paging, shown = visit.paging.cut(await visit.read(work))
    at = f"/organizations/{visit.path('org')}"
    return visit.show("incidents/index.html", at=at, incidents=shown, paging=paging)


@get(INCIDENT, opt=page("incident.read"))
async def show_incident(request: WebRequest) -> Page:
    """One incident, with the form that closes it."""
    return await _show_one(Visit.of(request))


async def _show_one(visit: Visit, *errors: WatchwordError) -> Page:
    async def work(tx: Unit, access: Access) -> ShownIncident:
        found = await find_incident(tx, access.id, visit.path("incident"))
        return await _show(tx, access, found, await people(tx, [found.closed_by]))

    shown = await visit.read(work)
    at = f"/organizations/{visit.path('org')}"
    if errors:
        return visit.show_again("incidents/one.html", *errors, at=at, shown=shown)
    return visit.show("incidents/one.html", at=at, shown=shown)


@post(INCIDENT + "/close", opt=page("incident.close", fresh=True), status_code=200)
async def close_incident(request: WebRequest) -> Page:
    """Close an incident; what it held back works again."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> Incident:
        found = await find_incident(tx, access.id, visit.path("incident"))
        note = visit.form.text("note")
        return await visit.authority.alarms.close_in(tx, access.caller, found, access.user.id, note)

    try:
        closed = await visit.write(work)
    except WatchwordError as error:
        return await _show_one(visit, error)
    return visit.go(f"/organizations/{visit.path('org')}/incidents/{closed.id}", done="incident-closed")


HANDLERS = (list_incidents, show_incident, close_incident)
