"""API access tokens as an organization sees them: one, those of one member, and the end of their access."""

from contextlib import suppress
from typing import Any

from litestar import get, post

from watchword.domain.accounts import User
from watchword.domain.errors import NotFound
from watchword.domain.ids import TokenId, UserId, is_uuid
from watchword.domain.kinds import Kind
from watchword.domain.leaks import Leak
from watchword.domain.lifecycle import BlastRadius
from watchword.domain.tokenlists import Condition
from watchword.domain.tokens import DAY_US
from watchword.services.abilities import OrganizationAbilities, abilities_in
from watchword.services.apitokens import find_api_token, remove_organization
from watchword.services.leakcases import open_case_of
from watchword.services.lookups import EVERYTHING
from watchword.services.members import members_of
from watchword.services.queries import Access, Unit, people
from watchword.services.tokensearch import MAX_ROWS, Sought, TokenRow
from watchword.services.tokenuse import Usage, usage_of
from watchword.services.verifying import look_at
from watchword.web.needs import page
from watchword.web.owntokens import USED_DAYS
from watchword.web.tokenrows import show_token
from watchword.web.visit import Page, Visit, WebRequest

API_TOKEN = "/organizations/{org:str}/tokens/api/{token:str}"  # noqa: S105 - a path
OF_MEMBER = "/organizations/{org:str}/members/{user:str}/tokens"


def _token_id(visit: Visit) -> TokenId:
    text = visit.path("token").lower()
    if not is_uuid(text):
        raise NotFound("No API access token found")
    return TokenId(text)


async def _read_one(visit: Visit) -> tuple[TokenRow, BlastRadius, bool]:
    """A token that the person may see, what uses it, and whether it is the person's own."""

    async def work(tx: Unit, access: Access) -> tuple[TokenRow, BlastRadius, bool]:
        row = await visit.authority.finder.one_in(tx, access, _token_id(visit))
        if row.token.kind is not Kind.API_ACCESS:
            raise NotFound("No API access token found")
        radius = await visit.authority.blast.radius_in(tx, row.token)
        return row, radius, row.token.user_id == access.user.id

    return await visit.read(work)


@get(API_TOKEN, opt=page("api_token.list"))
async def show_api_token(request: WebRequest) -> Page:
    """One token: what it may do, who used it, whose it is."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> tuple[list[OrganizationAbilities], list[Usage], Leak | None]:
        found = await find_api_token(tx, access, _token_id(visit))
        since = visit.now - USED_DAYS * DAY_US
        return (
            await abilities_in(tx, look_at(found.token), only=access.organization),
            await usage_of(tx, visit.authority.ledger, found.token, since),
            await open_case_of(tx, found.token),
        )

    abilities, usage, leak = await visit.read(work)
    more = {"abilities": abilities, "usage": usage, "days": USED_DAYS, "leak": leak}
    return await _show_one(visit, "tokens/api.html", more)


async def _show_one(visit: Visit, template: str, more: dict[str, Any] | None = None) -> Page:
    row, radius, own = await _read_one(visit)
    slug = visit.path("org")
    return visit.show(
        template,
        at=f"/organizations/{slug}",
        token=show_token(slug, row),
        radius=radius,
        own=own,
        scopes=sorted(row.token.scopes.split()),
        fingerprint=row.token.digest.hex()[:16],
        refused=visit.authority.verifier.refusal_of(look_at(row.token)),
        **(more or {}),
    )


@get(API_TOKEN + "/remove", opt=page("api_token.remove_organization"))
async def ask_to_remove(request: WebRequest) -> Page:
    """What ends if the organization is taken from the token."""
    return await _show_one(Visit.of(request), "tokens/remove.html")


@post(API_TOKEN + "/remove", opt=page("api_token.remove_organization", fresh=True), status_code=200)
async def remove_access(request: WebRequest) -> Page:
    """Take the organization from the token, for good."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> UserId | None:
        found = await find_api_token(tx, access, _token_id(visit))
        await remove_organization(visit.context, tx, access, found)
        return found.token.user_id

    owner = await visit.write(work)
    at = f"/organizations/{visit.path('org')}"
    return visit.go(f"{at}/members/{owner}/tokens" if owner else f"{at}/tokens", done="access-removed")


@get(OF_MEMBER, opt=page("api_token.read"))
async def manage_tokens(request: WebRequest) -> Page:
    """The API access tokens with which somebody reaches the organization."""
    visit = Visit.of(request)
    user_id = _user_id(visit)

    async def work(tx: Unit, access: Access) -> tuple[User, list[TokenRow], list[User], bool]:
        known = await people(tx, [user_id])
        sought = Sought(kinds=(Kind.API_ACCESS,), condition=Condition.CURRENT, owner=user_id, limit=MAX_ROWS)
        page = await visit.authority.finder.page_in(tx, access, sought)
        rows = [row for row in page.rows if row.token.user_id == user_id]
        members = [user for _, user in await members_of(tx, access.id, EVERYTHING)]
        if user_id not in known or (not rows and user_id not in {member.id for member in members}):
            raise NotFound("No member found")
        people_by_name = sorted(members, key=lambda one: (one.name.lower(), one.id))
        return known[user_id], rows, people_by_name, bool(page.after)

    user, rows, members, more = await visit.read(work)
    slug = visit.path("org")
    return visit.show(
        "tokens/member.html",
        at=f"/organizations/{slug}",
        person=user,
        tokens=[show_token(slug, row) for row in rows],
        members=members,
        more=more,
    )


def _user_id(visit: Visit) -> UserId:
    text = visit.path("user").lower()
    if not is_uuid(text):
        raise NotFound("No member found")
    return UserId(text)


@get("/organizations/{org:str}/tokens/manage", opt=page("api_token.read"))
async def choose_member(request: WebRequest) -> Page:
    """The page of the member that a form names, or one's own."""
    visit = Visit.of(request)
    await visit.read(_nothing)
    asked = visit.query.text("user").lower()
    user = asked if is_uuid(asked) else visit.user.id
    return visit.go(f"/organizations/{visit.path('org')}/members/{user}/tokens")


async def _nothing(_tx: Unit, _access: Access) -> None:
    return None


@post(OF_MEMBER, opt=page("api_token.remove_organization", fresh=True), status_code=200)
async def remove_chosen(request: WebRequest) -> Page:
    """Take the organization from the chosen tokens of somebody, in one unit of work."""
    visit = Visit.of(request)
    user_id, chosen = _user_id(visit), visit.form.texts("token")

    async def work(tx: Unit, access: Access) -> None:
        for text in dict.fromkeys(chosen):
            # The other value of an open rotation goes with the first one: it may be gone already.
            with suppress(NotFound):
                found = await find_api_token(tx, access, text)
                if found.token.user_id == user_id:
                    await remove_organization(visit.context, tx, access, found)

    await visit.write(work)
    path = f"/organizations/{visit.path('org')}/members/{user_id}/tokens"
    return visit.go(path, done="accesses-removed" if chosen else "nothing-chosen")


HANDLERS = (show_api_token, ask_to_remove, remove_access, manage_tokens, choose_member, remove_chosen)
