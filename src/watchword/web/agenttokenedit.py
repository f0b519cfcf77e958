"""Editing an agent token: its description, and its networks with what narrower ones mean for its agents."""

from dataclasses import dataclass
from typing import Any

from litestar import get, post
from litestar.handlers import HTTPRouteHandler

from watchword.domain.accounts import Cluster
from watchword.domain.errors import WatchwordError
from watchword.domain.lifecycle import BlastRadius
from watchword.domain.restrictions import load, narrower, parse_networks
from watchword.domain.tokens import Token
from watchword.services.access import Access
from watchword.services.editing import Edited
from watchword.services.narrowing import networks_text
from watchword.services.queries import Unit
from watchword.web.agenttokenpage import find
from watchword.web.forms import Form
from watchword.web.needs import page
from watchword.web.tokenplace import PLACES, Place
from watchword.web.visit import Page, Visit, WebRequest
from watchword.web.withdrawal import read_withdrawal


@dataclass(frozen=True, slots=True)
class Change:
    """What a form changes; None leaves one as it is."""

    description: str | None
    networks: str | None

    @classmethod
    def read(cls, form: Form, token: Token) -> "Change":
        """Read a form.

        Raises:
            Invalid: the networks cannot be read.
        """
        description = form.text("description")
        networks = networks_text(" ".join(form.lines("allowed_ip_addresses")))
        same = parse_networks(networks) == load(token.restrictions).networks
        # Sent again with a mode, the same networks act on who was left outside before.
        kept = same and not form.text("mode")
        return cls(None if description == token.description else description, None if kept else networks)


def _values(visit: Visit, place: Place, cluster: Cluster | None, token: Token) -> dict[str, Any]:
    return {
        "place": place,
        "tokens_at": place.at(visit),
        "token_at": place.of(visit),
        "cluster": cluster,
        "token": token,
        "radius": None,
        "networks": "\n".join(block.text for block in load(token.restrictions).networks),
        "address": visit.address or "",
    }


async def ask(visit: Visit, place: Place) -> Page:
    """The form."""
    found = await find(visit, place)
    networks = [block.text for block in load(found.token.restrictions).networks]
    given = [("description", found.token.description), ("allowed_ip_addresses", "\n".join(networks))]
    visit.form = Form(given)
    return visit.show("agent_tokens/edit.html", **_values(visit, place, found.cluster, found.token))


async def _outside(visit: Visit, place: Place, change: Change) -> BlastRadius | None:
    """What narrower networks would touch; None where they touch nobody, or widen."""
    if change.networks is None:
        return None
    blocks = parse_networks(change.networks)

    async def work(tx: Unit, access: Access) -> BlastRadius | None:
        _, token = await place.find(tx, access.id, visit)
        if not narrower(blocks, load(token.restrictions).networks):
            return None
        radius = await visit.authority.blast.radius_in(tx, token, blocks)
        return radius if radius.children or radius.callers else None

    return await visit.read(work)


async def change(visit: Visit, place: Place) -> Page:
    """Change the token; where agents would be outside of the new networks, ask first what becomes of them."""
    found = await find(visit, place)
    values = _values(visit, place, found.cluster, found.token)
    try:
        asked = Change.read(visit.form, found.token)
        radius = None if visit.form.text("mode") else await _outside(visit, place, asked)
        if radius is not None:
            return visit.show("agent_tokens/edit.html", **{**values, "radius": radius})
        edited = await _edit(visit, place, asked)
    except WatchwordError as error:
        return visit.show_again("agent_tokens/edit.html", error, **values)
    await _settle(visit, edited)
    return visit.go(place.of(visit), done="agent-token-updated")


async def _edit(visit: Visit, place: Place, asked: Change) -> Edited:
    withdrawal = read_withdrawal(visit.form) if asked.networks is not None else read_withdrawal(Form())

    async def work(tx: Unit, access: Access) -> Edited:
        _, token = await place.find(tx, access.id, visit)
        editor, by = visit.authority.editor, access.user.id
        return await editor.edit_in(
            tx, access.caller, token, by, asked.description, asked.networks, withdrawal
        )

    return await visit.write(work)


async def _settle(visit: Visit, edited: Edited) -> None:
    visit.authority.editor.settle(edited)
    if edited.withdrawn is not None:
        made = edited.withdrawn.revocation
        await visit.authority.revoker.confirm(made.organization_id, made.id)


def handlers(place: Place) -> tuple[HTTPRouteHandler, ...]:
    """The pages of one place."""

    @get(place.token + "/edit", opt=page(place.can("update")))
    async def ask_for_change(request: WebRequest) -> Page:
        """The form."""
        return await ask(Visit.of(request), place)

    @post(place.token + "/edit", opt=page(place.can("update"), fresh=True), status_code=200)
    async def change_token(request: WebRequest) -> Page:
        """Change the token."""
        return await change(Visit.of(request), place)

    return ask_for_change, change_token


HANDLERS = tuple(handler for place in PLACES for handler in handlers(place))
