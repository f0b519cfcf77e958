"""People in a team: put in, given another role, taken out."""

from litestar import post

from watchword.domain.errors import Conflict, Invalid
from watchword.domain.teams import TeamRole
from watchword.services.members import find_member_by_email
from watchword.services.queries import Access, Unit
from watchword.services.teammembers import (
    add_team_member,
    change_team_role,
    find_team_member,
    remove_team_member,
)
from watchword.services.teams import find_team
from watchword.web.forms import Form, Problem
from watchword.web.needs import page
from watchword.web.settings import base
from watchword.web.teams import TEAM, show_whole
from watchword.web.visit import Page, Visit, WebRequest, Work

MEMBERS = TEAM + "/members"
MEMBER = MEMBERS + "/{user:str}"
# What is wrong with the address of who is to join.
_FIELDS = {"already_added": "email", "unknown_user": "email"}
_REMOVED = "team-member-removed"


def _role(form: Form) -> TeamRole:
    try:
        return TeamRole(form.text("role"))
    except ValueError:
        raise Invalid("Choose a role in the team.", code="invalid_choice") from None


async def _do(visit: Visit, work: Work[None], done: str) -> Page:
    try:
        await visit.write(work)
    except (Invalid, Conflict) as error:
        return await show_whole(visit, "settings/team.html", Problem.of(error, _FIELDS.get(error.code, "")))
    # Whoever leaves a secret team sees it no more.
    own = done == _REMOVED and visit.path("user").lower() == visit.user.id
    return visit.go(f"{base(visit)}/teams" + ("" if own else f"/{visit.path('team')}"), done=done)


@post(MEMBERS, opt=page("team_member.create"), status_code=200)
async def post_team_member(request: WebRequest) -> Page:
    """Put a member of the organization into the team."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> None:
        team = await find_team(tx, access, visit.path("team"))
        found = await find_member_by_email(tx, access.id, visit.form.text("email"))
        if found is None:
            raise Invalid("Nobody in the organization has this address.", code="unknown_user")
        user_id, role = found[0].user_id, _role(visit.form)
        await add_team_member(visit.context, tx, access.caller, team, user_id, role, access.user.id)

    return await _do(visit, work, "team-member-added")


@post(MEMBER, opt=page("team_member.update"), status_code=200)
async def patch_team_member(request: WebRequest) -> Page:
    """Change a person's role in the team."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> None:
        team = await find_team(tx, access, visit.path("team"))
        place = await find_team_member(tx, team, visit.path("user"))
        await change_team_role(visit.context, tx, access.caller, place, _role(visit.form))

    return await _do(visit, work, "team-member-updated")


@post(MEMBER + "/remove", opt=page("team_member.remove"), status_code=200)
async def delete_team_member(request: WebRequest) -> Page:
    """Take a person out of the team; what the team gave is gone at the next request."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> None:
        team = await find_team(tx, access, visit.path("team"))
        place = await find_team_member(tx, team, visit.path("user"))
        await remove_team_member(visit.context, tx, access.caller, place)

    return await _do(visit, work, _REMOVED)


HANDLERS = (post_team_member, patch_team_member, delete_team_member)
