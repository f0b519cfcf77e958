"""A new agent token: the form, and the one page that shows its value."""

from dataclasses import dataclass
from typing import Any

from litestar import get, post
from litestar.handlers import HTTPRouteHandler

from watchword.crypto.values import Secret
from watchword.domain.accounts import Cluster, Queue
from watchword.domain.errors import WatchwordError
from watchword.domain.ids import OrganizationId, TokenId
from watchword.domain.tokens import Token
from watchword.services.access import Access
from watchword.services.issuing import issue_agent_token
from watchword.services.queries import Page as Window
from watchword.services.queries import Unit, any_agent_token, queues_of
from watchword.web.agenttokenwish import PRESETS, Wish, defaults, like, sentences
from watchword.web.forms import Form, Problem
from watchword.web.needs import page
from watchword.web.once import fresh_once, mint_once
from watchword.web.shownvalue import value_of
from watchword.web.tokenplace import PLACES, Place
from watchword.web.visit import Page, Visit, WebRequest

_QUEUES = Window(1_000)


@dataclass(frozen=True, slots=True)
class Ground:
    """What the form stands on; `form` is what it is filled in with."""

    owner: OrganizationId
    cluster: Cluster | None
    queues: list[Queue]
    form: Form


async def _ground(visit: Visit, place: Place) -> Ground:
    async def work(tx: Unit, access: Access) -> Ground:
        cluster = await place.cluster(tx, access.id, visit)
        queues = await queues_of(tx, cluster, _QUEUES) if cluster is not None else []
        example, form = visit.query.text("like"), visit.form
        if example:
            form = like(await any_agent_token(tx, access.id, cluster, example), visit.now)
        elif visit.request.method == "GET":
            # The page's script asks what choices mean by opening the page with them.
            form = visit.query if visit.query.text("expiry") else defaults(queues, cluster)
        return Ground(access.id, cluster, queues, form)

    return await visit.read(work)


def _values(visit: Visit, place: Place, ground: Ground) -> dict[str, Any]:
    """What the form's page shows."""
    try:
        summary = sentences(Wish.read(visit.form, visit.now), ground.cluster, visit.now)
        unclear = ""
    except WatchwordError as error:
        summary, unclear = [], error.message.removeprefix("Validation failed: ")
    return {
        "place": place,
        "tokens_at": place.at(visit),
        "cluster": ground.cluster,
        "named_queues": [(queue.key, queue.key) for queue in ground.queues],
        "presets": PRESETS,
        "summary": summary,
        "unclear": unclear,
        "once": fresh_once(),
        "address": visit.address or "",
    }


async def ask(visit: Visit, place: Place) -> Page:
    """The form; `like` in the query names a token whose choices it takes over."""
    ground = await _ground(visit, place)
    visit.form = ground.form
    return visit.show("agent_tokens/new.html", **_values(visit, place, ground))


async def create(visit: Visit, place: Place) -> Page:
    """Create a token and show its value, here and never again."""
    ground = await _ground(visit, place)
    made: list[Token] = []

    async def work(tx: Unit, access: Access) -> tuple[TokenId, Secret]:
        wish = Wish.read(visit.form, visit.now)
        wanted = wish.request(access.id, ground.cluster)
        issued = await issue_agent_token(visit.context, tx, access.caller, wanted, access.user.id)
        made[:] = [issued.token]
        return issued.token.id, issued.value

    try:
        minted = await mint_once(visit, ground.owner, visit.unit(work))
    except WatchwordError as error:
        return visit.show_again("agent_tokens/new.html", _tied(error), **_values(visit, place, ground))
    if minted.value is None:
        return await shown_before(visit, place, minted.token_id)
    return visit.show(
        "agent_tokens/created.html",
        place=place,
        tokens_at=place.at(visit),
        cluster=ground.cluster,
        token=made[0],
        summary=sentences(Wish.read(visit.form, visit.now), ground.cluster, visit.now),
        **value_of(visit, made[0], minted.value),
    )


def _tied(error: WatchwordError) -> WatchwordError | Problem:
    """An error of this form with its field, where other forms call that otherwise."""
    return Problem.of(error, "queue") if error.code == "invalid_queue_key" else error


async def shown_before(visit: Visit, place: Place, token_id: TokenId) -> Page:
    """What a form gets that is sent again: the token that it made, and not its value."""

    async def work(tx: Unit, access: Access) -> tuple[Cluster | None, str]:
        cluster = await place.cluster(tx, access.id, visit)
        return cluster, (await any_agent_token(tx, access.id, cluster, token_id)).description

    cluster, description = await visit.read(work)
    return visit.show(
        "agent_tokens/again.html",
        place=place,
        tokens_at=place.at(visit),
        cluster=cluster,
        token_id=token_id,
        description=description,
    )


def handlers(place: Place) -> tuple[HTTPRouteHandler, ...]:
    """The pages of one place."""

    @get(place.tokens + "/new", opt=page(place.can("create")))
    async def ask_for_token(request: WebRequest) -> Page:
        """The form of a new token."""
        return await ask(Visit.of(request), place)

    @post(place.tokens + "/new", opt=page(place.can("create"), fresh=True), status_code=200)
    async def create_token(request: WebRequest) -> Page:
        """Create a token and show its value."""
        return await create(Visit.of(request), place)

    return ask_for_token, create_token


HANDLERS = tuple(handler for place in PLACES for handler in handlers(place))
