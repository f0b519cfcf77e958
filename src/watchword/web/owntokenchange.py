"""Changing one's own API access token: its description and networks; and its end."""

from dataclasses import dataclass

from litestar import get, post

from watchword.domain.errors import WatchwordError
from watchword.domain.lifecycle import BlastRadius
from watchword.domain.restrictions import load, parse_networks
from watchword.domain.rotations import Rotation
from watchword.services.apitokens import edit_api_token
from watchword.services.narrowing import networks_text
from watchword.services.owntokens import Own, children_of, enter_with, find_own, revoke_own
from watchword.services.queries import Unit
from watchword.web.apitokenrows import badges
from watchword.web.needs import PERSONAL, page
from watchword.web.newapitoken import OWN_TOKEN, OWN_TOKENS
from watchword.web.visit import Page, Visit, WebRequest


@dataclass(frozen=True, slots=True)
class Ending:
    """What the end of a token would touch.

    Attributes:
        children: tokens that were made with it; they go on.
        rotation: the open rotation that it is part of.
    """

    own: Own
    radius: BlastRadius
    children: list[Own]
    rotation: Rotation | None


async def _own(tx: Unit, visit: Visit) -> Own:
    return await find_own(tx, visit.authority.ledger, visit.user, visit.path("token"))


@get(OWN_TOKEN + "/edit", opt=page(PERSONAL))
async def ask_for_change(request: WebRequest) -> Page:
    """The form of what may be changed."""
    visit = Visit.of(request)
    own = await visit.context.store.read(lambda tx: _own(tx, visit))
    networks = " ".join(block.text for block in load(own.token.restrictions).networks)
    return visit.show(
        "apitokens/edit.html",
        own=own,
        description=own.token.description,
        networks=networks,
        address=visit.address or "",
    )


@post(OWN_TOKEN, opt=page(PERSONAL, fresh=True), status_code=200)
async def change_token(request: WebRequest) -> Page:
    """Change description and networks."""
    visit = Visit.of(request)
    description, networks = visit.form.text("description"), visit.form.text("allowed_ip_addresses")

    async def work(tx: Unit) -> Own:
        own = await _own(tx, visit)
        access = await enter_with(tx, visit.user, visit.caller, own)
        access.require("api_token.update")
        blocks = parse_networks(networks_text(networks))
        await edit_api_token(visit.context, tx, access, own.token, description, blocks)
        return own

    try:
        own = await visit.context.store.write(work)
    except WatchwordError as error:
        own = await visit.context.store.read(lambda tx: _own(tx, visit))
        return visit.show_again(
            "apitokens/edit.html",
            error,
            own=own,
            description=description,
            networks=networks,
            address=visit.address or "",
        )
    return visit.go(f"{OWN_TOKENS}/{own.token.id}", done="api-token-updated")


@get(OWN_TOKEN + "/revoke", opt=page(PERSONAL))
async def ask_for_end(request: WebRequest) -> Page:
    """What would break, before anything is done."""
    visit = Visit.of(request)

    async def work(tx: Unit) -> Ending:
        own = await _own(tx, visit)
        token = own.token
        return Ending(
            own,
            await visit.authority.blast.radius_in(tx, token),
            await children_of(tx, visit.authority.ledger, visit.user, token),
            await tx.rotations.open_with(token.organization_id, token.id),
        )

    ending = await visit.context.store.read(work)
    return visit.show("apitokens/revoke.html", ending=ending, own=ending.own, badges=badges(visit))


@post(OWN_TOKEN + "/revoke", opt=page(PERSONAL, fresh=True), status_code=200)
async def revoke_token(request: WebRequest) -> Page:
    """Revoke a token everywhere, at once."""
    visit = Visit.of(request)

    async def work(tx: Unit) -> Own:
        own = await _own(tx, visit)
        await revoke_own(visit.context, tx, visit.user, visit.caller, own)
        return own

    own = await visit.context.store.write(work)
    return visit.go(f"{OWN_TOKENS}/{own.token.id}", done="api-token-revoked")


HANDLERS = (ask_for_change, change_token, ask_for_end, revoke_token)
