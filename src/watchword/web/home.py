"""The first page: where a person belongs."""

from litestar import get

from watchword.services.access import Access, belonging
from watchword.services.queries import Unit
from watchword.web.needs import PERSONAL, page
from watchword.web.visit import Page, Visit, WebRequest


@get("/", opt=page(PERSONAL))
async def first_page(request: WebRequest) -> Page:
    """The person's only organization, or a choice of several."""
    visit = Visit.of(request)
    found = await visit.context.store.read(lambda tx: belonging(tx, visit.user))
    if len(found) == 1:
        return visit.go(f"/organizations/{found[0][0].slug}")
    return visit.show("home.html", belonging=found)


@get("/{org:str}", opt=page("organization.read"))
async def short_address(request: WebRequest) -> Page:
    """The address of an organization as REST gives it out."""
    visit = Visit.of(request)
    organization = await visit.read(_organization)
    return visit.go(f"/organizations/{organization}")


async def _organization(_tx: Unit, access: Access) -> str:
    return access.organization.slug


HANDLERS = (first_page, short_address)
