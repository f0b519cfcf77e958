"""Agent tokens, of a cluster or of none: the list."""

from litestar import get
from litestar.handlers import HTTPRouteHandler

from watchword.domain.accounts import Cluster
from watchword.domain.tokenlists import Condition, Order
from watchword.services.access import Access
from watchword.services.queries import Unit
from watchword.services.tokensearch import Sought, TokenPage
from watchword.web.needs import page
from watchword.web.tokenplace import PLACES, Place
from watchword.web.tokenrows import show_token
from watchword.web.tokens import STATES, Listing
from watchword.web.visit import Page, Visit, WebRequest


def _sought(place: Place, cluster: Cluster | None, listing: Listing) -> Sought:
    """What an address asks for; what cannot be read asks for nothing, so that no link is dead."""
    order, descending = listing.order
    state = listing.get("state")
    return Sought(
        kinds=(place.kind,),
        condition=Condition(state) if state in STATES else Condition.CURRENT,
        text=listing.get("q"),
        cluster=cluster.id if cluster is not None else None,
        order=order,
        descending=descending,
        cursor=listing.get("at"),
    )


async def show_list(visit: Visit, place: Place) -> Page:
    """Tokens of one state, newest first; unless one is named, those that were neither revoked nor rotated."""
    listing = Listing.of(place.at(visit), visit.query)

    async def work(tx: Unit, access: Access) -> tuple[Cluster | None, TokenPage]:
        cluster = await place.cluster(tx, access.id, visit)
        return cluster, await visit.authority.finder.page_in(tx, access, _sought(place, cluster, listing))

    cluster, found = await visit.read(work)
    return visit.show(
        "agent_tokens/index.html",
        place=place,
        tokens_at=listing.path,
        cluster=cluster,
        listing=listing,
        tokens=[show_token(visit.path("org"), row) for row in found.rows],
        found=found,
        states=list(STATES.items()),
        order=Order,
    )


def handlers(place: Place) -> tuple[HTTPRouteHandler, ...]:
    """The pages of one place."""

    @get(place.tokens, opt=page(place.can("read")))
    async def list_tokens(request: WebRequest) -> Page:
        """The list."""
        return await show_list(Visit.of(request), place)

    return (list_tokens,)


HANDLERS = tuple(handler for place in PLACES for handler in handlers(place))
