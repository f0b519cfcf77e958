"""Maintainers of a cluster: who they are, another one, and one fewer."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from litestar import get, post

from watchword.domain.accounts import Cluster
from watchword.domain.errors import Invalid, NotFound, WatchwordError
from watchword.services.maintainers import (
    Appointment,
    appoint,
    appointments_of,
    dismiss,
    find_appointment,
)
from watchword.services.members import find_member_by_email, members_of
from watchword.services.queries import Access, Unit
from watchword.services.queries import Page as Window
from watchword.services.teams import find_team_by_slug, teams_of
from watchword.web.clusters import CLUSTER, cluster_here, home
from watchword.web.needs import page
from watchword.web.visit import Page, Visit, WebRequest

MAINTAINERS = CLUSTER + "/maintainers"
# So many people and teams are suggested; all others can be typed.
_SUGGESTED = Window(200)


@dataclass(frozen=True, slots=True)
class Listed:
    """The maintainers of a cluster, and who else might become one."""

    cluster: Cluster
    maintainers: Sequence[Appointment]
    suggested: Sequence[tuple[str, str]]


async def _list(visit: Visit, tx: Unit, access: Access) -> Listed:
    cluster = await cluster_here(visit, tx, access)
    given = await appointments_of(tx, access, cluster)
    if not access.may("maintainer.create", cluster=cluster.id):
        return Listed(cluster, given, ())
    known = {one.maintainer.user_id for one in given} | {one.maintainer.team_id for one in given}
    people = [
        (person.email, person.name)
        for _, person in await members_of(tx, access.id, _SUGGESTED)
        if person.id not in known
    ]
    teams = [
        (team.slug, f"{team.name} (team)")
        for team in await teams_of(tx, access, _SUGGESTED)
        if team.id not in known
    ]
    return Listed(cluster, given, [*teams, *people])


async def _show(visit: Visit, *errors: WatchwordError) -> Page:
    listed = await visit.read(partial(_list, visit))
    return visit.show_again("maintainers/index.html", *errors, listed=listed, cluster=listed.cluster)


@get(MAINTAINERS, opt=page("maintainer.read"))
async def list_maintainers(request: WebRequest) -> Page:
    """Maintainers of the cluster, oldest first, and a form for another one."""
    return await _show(Visit.of(request))


@post(MAINTAINERS, opt=page("maintainer.create", fresh=True), status_code=200)
async def add_maintainer(request: WebRequest) -> Page:
    """Give the cluster to a member, by email, or to a team, by slug."""
    visit = Visit.of(request)
    who = visit.form.text("who")

    async def work(tx: Unit, access: Access) -> None:
        cluster = await cluster_here(visit, tx, access)
        user, team = await _find(tx, access, who)
        await appoint(visit.context, tx, access, cluster, user, team)

    try:
        await visit.write(work)
    except WatchwordError as error:
        return await _show(visit, error)
    return visit.go(f"{home(visit)}/maintainers", done="maintainer-added")


async def _find(tx: Unit, access: Access, who: str) -> tuple[str | None, str | None]:
    """The id of the member or of the team that was typed.

    Raises:
        Invalid: there is none, or the caller does not see it.
    """
    person = await find_member_by_email(tx, access.id, who) if "@" in who else None
    if person is not None:
        return person[1].id, None
    try:
        return None, (await find_team_by_slug(tx, access, who)).id
    except NotFound:
        raise Invalid(
            "There is no member with this email, and no team with this slug.", code="unknown_maintainer"
        ) from None


@get(MAINTAINERS + "/{maintainer:str}/remove", opt=page("maintainer.delete"))
async def ask_before_removal(request: WebRequest) -> Page:
    """What the maintainer may not do afterwards."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> tuple[Cluster, Appointment]:
        cluster = await cluster_here(visit, tx, access)
        return cluster, await find_appointment(tx, access, cluster, visit.path("maintainer"))

    cluster, one = await visit.read(work)
    return visit.show("maintainers/remove.html", cluster=cluster, one=one)


@post(MAINTAINERS + "/{maintainer:str}/remove", opt=page("maintainer.delete", fresh=True), status_code=200)
async def remove_maintainer(request: WebRequest) -> Page:
    """Take the cluster from a person or a team, from the next request on."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> None:
        cluster = await cluster_here(visit, tx, access)
        found = await find_appointment(tx, access, cluster, visit.path("maintainer"))
        await dismiss(visit.context, tx, access, found.maintainer)

    await visit.write(work)
    return visit.go(f"{home(visit)}/maintainers", done="maintainer-removed")


HANDLERS = (list_maintainers, add_maintainer, ask_before_removal, remove_maintainer)
