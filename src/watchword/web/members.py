"""Members of the organization: looked through, one of them, another role, removed."""

from litestar import get, post

from watchword.domain.accounts import Member, Role, SsoMode, User
from watchword.domain.errors import Invalid, WatchwordError
from watchword.domain.people import SignInData
from watchword.services.leaving import Holding, holding
from watchword.services.members import (
    DirectoryEntry,
    change_member,
    find_member,
    look_through,
    remove_member,
)
from watchword.services.queries import Access, Unit
from watchword.web.needs import page
from watchword.web.settings import SETTINGS, base
from watchword.web.visit import Page, Visit, WebRequest

MEMBERS = SETTINGS + "/members"
MEMBER = MEMBERS + "/{user:str}"

_Found = tuple[Member, User, SignInData, Holding]


@get(MEMBERS, opt=page("member.read"))
async def list_members(request: WebRequest) -> Page:
    """Members, first come first; `q` is a part of the name or address."""
    visit = Visit.of(request)
    text = visit.query.text("q")

    async def work(tx: Unit, access: Access) -> list[DirectoryEntry]:
        return await look_through(tx, access.id, visit.paging.window, text)

    paging, shown = visit.paging.cut(await visit.read(work))
    return visit.show("settings/members.html", members=shown, paging=paging, q=text)


async def _find(visit: Visit) -> _Found:
    async def work(tx: Unit, access: Access) -> _Found:
        member, user = await find_member(tx, access.id, visit.path("user"))
        data = await tx.people.sign_in_data(user.id)
        return member, user, data, await holding(tx, visit.authority.ledger, access, member)

    return await visit.read(work)


async def _show(visit: Visit, template: str, *errors: WatchwordError) -> Page:
    member, person, data, held = await _find(visit)
    values = {"member": member, "person": person, "data": data, "held": held}
    own = person.id == visit.user.id
    if errors:
        return visit.show_again(template, *errors, **values, own=own)
    return visit.show(template, status=200, **values, own=own)


@get(MEMBER, opt=page("member.read"))
async def show_member(request: WebRequest) -> Page:
    """One member: role, teams, clusters, and for administrators how they come in."""
    return await _show(Visit.of(request), "settings/member.html")


def _choice(visit: Visit) -> tuple[Role, SsoMode]:
    try:
        return Role(visit.form.text("role")), SsoMode(visit.form.text("sso_mode"))
    except ValueError:
        raise Invalid("Choose one of the roles and ways of signing in.", code="invalid_choice") from None


@post(MEMBER, opt=page("member.update", fresh=True), status_code=200)
async def update_member(request: WebRequest) -> Page:
    """Change somebody else's role or way of signing in."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> None:
        member, _ = await find_member(tx, access.id, visit.path("user"))
        role, sso_mode = _choice(visit)
        await change_member(
            visit.context, tx, access.caller, member, access.user.id, role=role, sso_mode=sso_mode
        )

    try:
        await visit.write(work)
    except WatchwordError as error:
        return await _show(visit, "settings/member.html", error)
    return visit.go(f"{base(visit)}/members/{visit.path('user')}", done="member-updated")


@get(MEMBER + "/remove", opt=page("member.remove"))
async def ask_to_remove(request: WebRequest) -> Page:
    """What ends with the membership."""
    return await _show(Visit.of(request), "settings/member_remove.html")


@post(MEMBER + "/remove", opt=page("member.remove", fresh=True), status_code=200)
async def delete_member(request: WebRequest) -> Page:
    """Remove somebody else, with all that the membership gave."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> None:
        member, _ = await find_member(tx, access.id, visit.path("user"))
        await remove_member(visit.context, tx, access.caller, member, access.user.id)

    try:
        await visit.write(work)
    except WatchwordError as error:
        return await _show(visit, "settings/member_remove.html", error)
    return visit.go(f"{base(visit)}/members", done="member-removed")


HANDLERS = (list_members, show_member, update_member, ask_to_remove, delete_member)
