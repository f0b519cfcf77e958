"""One agent token: how it stands, what it can do, who uses it; and its value, where policy keeps a copy."""

from dataclasses import dataclass
from typing import Any

from litestar import get, post
from litestar.handlers import HTTPRouteHandler

from watchword.domain.accounts import Cluster
from watchword.domain.errors import WatchwordError
from watchword.domain.restrictions import load
from watchword.domain.tokens import Token
from watchword.services.access import Access
from watchword.services.agenttokenview import MAX_AGENTS, USE_DAYS, TokenView, view_in
from watchword.services.queries import Unit
from watchword.services.revealing import reveal
from watchword.services.trustedissuers import trust_behind
from watchword.web.agenttokenwords import abilities, banners
from watchword.web.needs import page
from watchword.web.once import first_time, fresh_once
from watchword.web.shownvalue import value_of
from watchword.web.tokenplace import PLACES, Place
from watchword.web.tokenrows import show_token
from watchword.web.visit import Page, Visit, WebRequest


@dataclass(frozen=True, slots=True)
class Found:
    """The cluster and the token of the path."""

    cluster: Cluster | None
    token: Token


async def find(visit: Visit, place: Place) -> Found:
    """The token of the path, in whatever state.

    Raises:
        NotFound: there is none.
    """

    async def work(tx: Unit, access: Access) -> Found:
        return Found(*await place.find(tx, access.id, visit))

    return await visit.read(work)


async def show(visit: Visit, place: Place) -> Page:
    """The token's page."""

    async def work(tx: Unit, access: Access) -> tuple[Cluster | None, TokenView]:
        cluster, token = await place.find(tx, access.id, visit)
        return cluster, await view_in(tx, visit.authority, access, token)

    cluster, view = await visit.read(work)
    return visit.show(
        "agent_tokens/show.html",
        place=place,
        tokens_at=place.at(visit),
        token_at=place.of(visit),
        cluster=cluster,
        view=view,
        token=view.token,
        shown=show_token(visit.path("org"), view.row),
        restrictions=load(view.token.restrictions),
        can=abilities(view.joining),
        banners=banners(view, visit.now),
        use_days=USE_DAYS,
        max_agents=MAX_AGENTS,
    )


async def ask_to_reveal(visit: Visit, place: Place, *errors: WatchwordError) -> Page:
    """The form that asks why somebody must see a value again."""
    found = await find(visit, place)
    values: dict[str, Any] = {
        "place": place,
        "tokens_at": place.at(visit),
        "token_at": place.of(visit),
        "cluster": found.cluster,
        "token": found.token,
        "once": fresh_once(),
    }
    if errors:
        return visit.show_again("agent_tokens/reveal.html", *errors, **values)
    return visit.show("agent_tokens/reveal.html", **values)


async def show_value(visit: Visit, place: Place) -> Page:
    """The value once more; the trail has it before anybody sees it."""
    found = await find(visit, place)
    token = found.token
    if not await first_time(visit, token.organization_id):
        return visit.show(
            "agent_tokens/again.html",
            place=place,
            tokens_at=place.at(visit),
            cluster=found.cluster,
            token_id=token.id,
            description=token.description,
        )
    try:
        _, value = await reveal(
            visit.context,
            visit.caller,
            visit.signed_in,
            token.organization_id,
            token.id,
            visit.form.text("reason"),
        )
    except WatchwordError as error:
        return await ask_to_reveal(visit, place, error)
    return visit.show(
        "agent_tokens/revealed.html",
        place=place,
        tokens_at=place.at(visit),
        cluster=found.cluster,
        token=token,
        **value_of(visit, token, value),
    )


def handlers(place: Place) -> tuple[HTTPRouteHandler, ...]:
    """The pages of one place."""

    @get(place.token, opt=page(place.can("read")))
    async def show_token_of_path(request: WebRequest) -> Page:
        """One token; agents that joined with an identity token lead from here to their trusted issuer."""
        visit = Visit.of(request)
        trust = await visit.read(lambda tx, access: trust_behind(tx, access.id, visit.path("token")))
        if trust is not None:
            path = (
                f"/organizations/{visit.path('org')}/clusters/{trust.cluster_id}/trusted-issuers/{trust.id}"
            )
            return visit.go(path)
        return await show(visit, place)

    @get(place.token + "/reveal", opt=page(place.can("reveal")))
    async def ask_why(request: WebRequest) -> Page:
        """The form of a reveal."""
        return await ask_to_reveal(Visit.of(request), place)

    @post(place.token + "/reveal", opt=page(place.can("reveal"), fresh=True), status_code=200)
    async def reveal_value(request: WebRequest) -> Page:
        """The value."""
        return await show_value(Visit.of(request), place)

    return show_token_of_path, ask_why, reveal_value


HANDLERS = tuple(handler for place in PLACES for handler in handlers(place))
