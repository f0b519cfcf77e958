"""Connected apps: what a person let applications do, and the end of that."""

from litestar import get, post

from watchword.domain.oauth import OAuthGrant
from watchword.domain.scopewords import sentences
from watchword.services.oauthgrants import connected_in, disconnect_in, find_connected_in
from watchword.services.queries import Unit
from watchword.web.needs import PERSONAL, page
from watchword.web.visit import Page, Visit, WebRequest

CONNECTED = "/user/connected-apps"
REVOKE = CONNECTED + "/{grant:str}/revoke"


@get(CONNECTED, opt=page(PERSONAL))
async def list_connected(request: WebRequest) -> Page:
    """What is connected, latest first."""
    visit = Visit.of(request)
    found = await visit.context.store.read(lambda tx: connected_in(tx, visit.authority.ledger, visit.user))
    paging, rows = visit.paging.cut_all(found)
    return visit.show("oauth/connected.html", rows=rows, paging=paging, opens=sentences, at=CONNECTED)


async def _find(tx: Unit, visit: Visit) -> OAuthGrant:
    return await find_connected_in(tx, visit.user.id, visit.path("grant"))


@post(REVOKE, opt=page(PERSONAL, fresh=True), status_code=200)
async def revoke(request: WebRequest) -> Page:
    """End one with all its tokens, at once."""
    visit = Visit.of(request)

    async def work(tx: Unit) -> None:
        await disconnect_in(visit.context, tx, visit.caller, await _find(tx, visit))

    await visit.context.store.write(work)
    return visit.go(CONNECTED, done="app-revoked")


HANDLERS = (list_connected, revoke)
