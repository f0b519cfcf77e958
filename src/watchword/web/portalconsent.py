"""Approving a portal's code: a member lets a program run one portal in their name (contract §5.4).

Following the address does nothing; a click on this page does. Nothing is minted here: the program, which
alone has the code's secret, gets the token.
"""

from litestar import get, post

from watchword.domain.errors import Invalid
from watchword.domain.portals import Portal, PortalCode
from watchword.services.access import Access
from watchword.services.queries import Unit
from watchword.web.needs import page
from watchword.web.portals import PORTAL
from watchword.web.visit import Page, Visit, WebRequest

CODE = PORTAL + "/codes/{code:str}"
_OPERATION = "portal.approve"


@get(CODE, opt=page(_OPERATION))
async def ask(request: WebRequest) -> Page:
    """Who asks, for which portal, what it does and for how long."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> tuple[Portal, PortalCode]:
        door = visit.authority.portal_door
        return await door.shown_in(tx, access, visit.path("portal"), visit.path("code"))

    portal, code = await visit.read(work)
    try:
        operations = visit.authority.portals.outline(portal)
    except Invalid:
        operations = ()
    return visit.show("portals/consent.html", portal=portal, code=code, operations=operations, decided="")


@post(CODE, opt=page(_OPERATION), status_code=200)
async def decide(request: WebRequest) -> Page:
    """Approve or deny; either is final."""
    visit = Visit.of(request)
    approve = visit.form.raw("decision") == "approve"

    async def work(tx: Unit, access: Access) -> Portal:
        door = visit.authority.portal_door
        return await door.decide_in(tx, access, visit.path("portal"), visit.path("code"), approve=approve)

    portal = await visit.write(work)
    decided = "approved" if approve else "denied"
    return visit.show("portals/consent.html", portal=portal, code=None, operations=(), decided=decided)


HANDLERS = (ask, decide)
