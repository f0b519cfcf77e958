"""A new API access token: the form, its presets of scopes, another token like one, and the value, once."""

from typing import Any

from litestar import get, post

from watchword.crypto.values import Secret
from watchword.domain.errors import Invalid, NotFound, WatchwordError
from watchword.domain.ids import OrganizationId, TokenId
from watchword.domain.scopewords import GROUPS, opened_by
from watchword.services.access import belonging, enter_in_person
from watchword.services.apitokens import ApiTokenRequest, mint
from watchword.services.owntokens import Own, Place, find_own, places_to_create
from watchword.services.queries import Unit
from watchword.web.apitokenforms import Draft, in_a_sentence, lives
from watchword.web.needs import PERSONAL, page
from watchword.web.once import Minted, fresh_once, mint_once
from watchword.web.visit import Page, Visit, WebRequest

OWN_TOKENS = "/user/api-access-tokens"
OWN_TOKEN = OWN_TOKENS + "/{token:str}"


@get(OWN_TOKENS + "/new", opt=page(PERSONAL))
async def ask_for_token(request: WebRequest) -> Page:
    """The form of a new token."""
    visit = Visit.of(request)
    places = await _places(visit)
    return _form(visit, places, Draft.empty(places))


@post(OWN_TOKENS + "/new", opt=page(PERSONAL), status_code=200)
async def fill_in(request: WebRequest) -> Page:
    """The form once more with the scopes of a preset; nothing is made."""
    visit = Visit.of(request)
    return _form(visit, await _places(visit), Draft.of(visit.form))


@get(OWN_TOKEN + "/duplicate", opt=page(PERSONAL))
async def ask_for_another(request: WebRequest) -> Page:
    """The form of another token like one of one's own."""
    visit = Visit.of(request)

    async def work(tx: Unit) -> tuple[Own, list[Place]]:
        found = await find_own(tx, visit.authority.ledger, visit.user, visit.path("token"))
        return found, await places_to_create(tx, visit.user, visit.caller)

    model, places = await visit.context.store.read(work)
    return _form(visit, places, Draft.like(model, places), model=model)


@post(OWN_TOKENS, opt=page(PERSONAL, fresh=True), status_code=200)
async def create_token(request: WebRequest) -> Page:
    """Make a token and show its value, in this one answer."""
    visit = Visit.of(request)
    draft = Draft.of(visit.form)
    try:
        minted = await _mint(visit, draft)
    except WatchwordError as error:
        return _form(visit, await _places(visit), draft, error)
    return await show_value(visit, minted)


async def _places(visit: Visit) -> list[Place]:
    return await visit.context.store.read(lambda tx: places_to_create(tx, visit.user, visit.caller))


def _form(
    visit: Visit,
    places: list[Place],
    draft: Draft,
    error: WatchwordError | None = None,
    model: Own | None = None,
) -> Page:
    values: dict[str, Any] = {
        "places": places,
        "draft": draft,
        "groups": GROUPS,
        "opened_by": opened_by,
        "lives": lives(places),
        "once": fresh_once(),
        "address": visit.address or "",
        "model": model,
        "summary": draft.summary(places),
    }
    if error is not None:
        return visit.show_again("apitokens/new.html", error, **values)
    return visit.show("apitokens/new.html", **values)


async def _mint(visit: Visit, draft: Draft) -> Minted:
    """Make what the form asks for.

    Raises:
        WatchwordError: something of it is not acceptable.
    """
    home = await visit.context.store.read(lambda tx: _home(tx, visit, draft))

    async def work(tx: Unit) -> tuple[TokenId, Secret]:
        reached = [await enter_in_person(tx, visit.user, slug, visit.caller) for slug in draft.organizations]
        asked = ApiTokenRequest(
            description=draft.description, wish=draft.wish(visit.now), organizations=reached
        )
        issued = await mint(visit.context, tx, reached[0], asked)
        return issued.token.id, issued.value

    return await mint_once(visit, home, work)


async def _home(tx: Unit, visit: Visit, draft: Draft) -> OrganizationId:
    """Where the token will belong.

    Raises:
        Invalid: no organization is chosen.
        NotFound: the person does not belong there.
    """
    if not draft.organizations:
        raise Invalid("Choose at least one organization that the token opens.", code="organization_missing")
    for organization, _ in await belonging(tx, visit.user):
        if organization.slug == draft.organizations[0]:
            return organization.id
    raise NotFound("No organization found")


async def show_value(visit: Visit, minted: Minted) -> Page:
    """The value of a fresh token; where its form was sent before, that it was shown."""
    own = await visit.context.store.read(
        lambda tx: find_own(tx, visit.authority.ledger, visit.user, minted.token_id)
    )
    if minted.value is None:
        return visit.show("apitokens/shown.html", own=own)
    return visit.show(
        "apitokens/value.html",
        own=own,
        value=minted.value.reveal(),
        summary=in_a_sentence(own),
        url=visit.context.installation.url,
        rotated=minted.token_id in visit.authority.attention.successors,
    )


HANDLERS = (ask_for_token, fill_in, ask_for_another, create_token)
