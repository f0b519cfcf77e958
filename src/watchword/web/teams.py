"""Teams: looked through, made, changed, deleted."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from litestar import get, post

from watchword.domain.accounts import Cluster, User
from watchword.domain.errors import Forbidden, Invalid, NotFound, WatchwordError
from watchword.domain.teams import Privacy, Team, TeamMember, TeamRole
from watchword.services.members import members_of
from watchword.services.queries import Access, Unit
from watchword.services.queries import Page as Window
from watchword.services.teammembers import team_members_of
from watchword.services.teams import (
    TeamRequest,
    clusters_of_team,
    create_team,
    delete_team,
    find_team,
    teams_of,
    update_team,
)
from watchword.web.forms import Form, Problem
from watchword.web.needs import page
from watchword.web.paging import Paging
from watchword.web.settings import SETTINGS, base, nothing
from watchword.web.visit import Page, Visit, WebRequest

TEAMS = SETTINGS + "/teams"
TEAM = TEAMS + "/{team:str}"

# The switch that administrators alone turn.
_DEFAULT = "is_default_team"
# How many people a browser proposes while an address is typed.
_PROPOSED = 200


class _Whole(NamedTuple):
    """A team, a page of the people in it, its clusters, and some who might join it."""

    team: Team
    members: Sequence[tuple[TeamMember, User]]
    paging: Paging
    clusters: Sequence[Cluster]
    others: Sequence[User]


@get(TEAMS, opt=page("team.read"))
async def list_teams(request: WebRequest) -> Page:
    """Teams that the person sees, oldest first."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> list[Team]:
        return await teams_of(tx, access, visit.paging.window)

    paging, shown = visit.paging.cut(await visit.read(work))
    return visit.show("settings/teams.html", teams=shown, paging=paging)


def _values(form: Form) -> dict[str, object]:
    """What a form says of a team.

    Raises:
        Invalid: a choice is none of those offered.
    """
    try:
        return {
            "name": form.text("name"),
            "description": form.text("description"),
            "privacy": Privacy(form.text("privacy")),
            "default_member_role": TeamRole(form.text("default_member_role")),
            _DEFAULT: form.ticked(_DEFAULT),
        }
    except ValueError:
        raise Invalid("Choose who sees the team, and the role in it.", code="invalid_choice") from None


def _filled(team: Team) -> Form:
    """A form that says what a team is."""
    given = {
        "name": team.name,
        "description": team.description,
        "privacy": team.privacy.value,
        "default_member_role": team.default_member_role.value,
        _DEFAULT: "1" if team.is_default_team else "",
    }
    return Form(list(given.items()))


@get(TEAMS + "/new", opt=page("team.create"))
async def ask_for_team(request: WebRequest) -> Page:
    """The form of a new team."""
    visit = Visit.of(request)
    await visit.read(nothing)
    return visit.show("settings/team_edit.html", team=None)


@post(TEAMS, opt=page("team.create"), status_code=200)
async def post_team(request: WebRequest) -> Page:
    """Create a team without members."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> Team:
        asked = TeamRequest(**_values(visit.form))  # type: ignore[arg-type] # the names are its fields
        return await create_team(visit.context, tx, access.caller, access.id, asked, access.user.id)

    try:
        team = await visit.write(work)
    except WatchwordError as error:
        return visit.show_again("settings/team_edit.html", error, team=None)
    return visit.go(f"{base(visit)}/teams/{team.id}", done="team-created")


async def read_team(visit: Visit) -> _Whole:
    """A team that the person sees, a page of the people in it, and some who might join it."""

    async def work(tx: Unit, access: Access) -> _Whole:
        team = await find_team(tx, access, visit.path("team"))
        paging, members = visit.paging.cut(await team_members_of(tx, team, visit.paging.window))
        others: list[User] = []
        if access.may("team_member.create", team=team.id):
            inside = {user.id for _, user in members}
            some = await members_of(tx, access.id, Window(_PROPOSED, 0))
            others = [user for _, user in some if user.id not in inside]
        return _Whole(team, members, paging, await clusters_of_team(tx, team), others)

    return await visit.read(work)


async def show_whole(
    visit: Visit, template: str, *errors: WatchwordError | Problem, form: Form | None = None
) -> Page:
    """A page of a team, with what is wrong with the form that was sent from it."""
    whole = await read_team(visit)
    values = {"whole": whole, "team": whole.team, "form": form or visit.form}
    if errors:
        return visit.show_again(template, *errors, **values)
    return visit.show(template, status=200, **values)


@get(TEAM, opt=page("team.read"))
async def show_team(request: WebRequest) -> Page:
    """One team: who is in it, which clusters it maintains."""
    return await show_whole(Visit.of(request), "settings/team.html")


@get(TEAM + "/edit", opt=page("team.update"))
async def ask_for_changes(request: WebRequest) -> Page:
    """The form of a team as it is."""
    visit = Visit.of(request)
    return await show_whole(visit, "settings/team_edit.html", form=_filled((await read_team(visit)).team))


@post(TEAM + "/edit", opt=page("team.update"), status_code=200)
async def patch_team(request: WebRequest) -> Page:
    """Change a team; whether new members join it is for administrators, and stays where others ask."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> None:
        team = await find_team(tx, access, visit.path("team"))
        values = _values(visit.form)
        if not access.standing.admin:
            del values[_DEFAULT]
        await update_team(visit.context, tx, access, team, replace(team, **values))  # type: ignore[arg-type]

    try:
        await visit.write(work)
    except (NotFound, Forbidden):
        raise
    except WatchwordError as error:
        return await show_whole(visit, "settings/team_edit.html", error)
    return visit.go(f"{base(visit)}/teams/{visit.path('team')}", done="team-updated")


@get(TEAM + "/delete", opt=page("team.delete"))
async def ask_to_delete(request: WebRequest) -> Page:
    """What ends with the team."""
    return await show_whole(Visit.of(request), "settings/team_delete.html")


@post(TEAM + "/delete", opt=page("team.delete"), status_code=200)
async def remove_team(request: WebRequest) -> Page:
    """Delete a team; the clusters that it maintained lose it."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> None:
        await delete_team(visit.context, tx, access.caller, await find_team(tx, access, visit.path("team")))

    await visit.write(work)
    return visit.go(f"{base(visit)}/teams", done="team-deleted")


HANDLERS = (
    list_teams,
    ask_for_team,
    post_team,
    show_team,
    ask_for_changes,
    patch_team,
    ask_to_delete,
    remove_team,
)
