"""Maintainers of clusters (contract rest-graphql §2.8)."""

from collections.abc import Iterable
from typing import Annotated

import msgspec
from litestar import Response, delete, get, post
from msgspec import Meta

from watchword.rest.bodies import Body
from watchword.rest.call import PAGED, Call, RestRequest, needs
from watchword.rest.formats import graphql_id
from watchword.services.maintainers import (
    Appointment,
    appoint,
    appointments_of,
    dismiss,
    find_appointment,
)
from watchword.services.queries import Access, Unit, find_cluster

MAINTAINERS = "/v2/organizations/{org:str}/clusters/{cluster:str}/maintainers"
MAINTAINER = MAINTAINERS + "/{maintainer:str}"

_Id = Annotated[str, Meta(max_length=64)]


class Actor(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Who maintains: `type` is user or team; a user has an email, a team has a slug."""

    id: str
    graphql_id: str
    name: str
    type: str
    email: str | None = None
    slug: str | None = None


class Maintainer(msgspec.Struct, kw_only=True):
    """A cluster given to a person or team; `id` is that of the giving."""

    id: str
    actor: Actor


class Maintainers(msgspec.Struct, kw_only=True):
    """Who maintains a cluster besides the organization's administrators."""

    users: list[Maintainer]
    teams: list[Maintainer]


class NewMaintainer(Body):
    """Whom to give the cluster to: the id of a user or of a team."""

    user: _Id | None = None
    team: _Id | None = None


def show_maintainer(one: Appointment) -> Maintainer:
    """A maintainer as JSON."""
    if one.team is not None:
        actor = Actor(
            id=one.team.id,
            graphql_id=graphql_id("Team", one.team.id),
            name=one.team.name,
            type="team",
            slug=one.team.slug,
        )
    else:
        user_id = one.maintainer.user_id or ""
        actor = Actor(
            id=user_id,
            graphql_id=graphql_id("User", user_id),
            name=one.user.name if one.user is not None else "",
            type="user",
            email=one.user.email if one.user is not None else "",
        )
    return Maintainer(id=one.maintainer.id, actor=actor)


def show_maintainers(found: Iterable[Appointment]) -> Maintainers:
    """All maintainers of a cluster as JSON."""
    shown = [show_maintainer(one) for one in found]
    return Maintainers(
        users=[one for one in shown if one.actor.type == "user"],
        teams=[one for one in shown if one.actor.type == "team"],
    )


@get(MAINTAINERS, opt=needs("maintainer.read", query=PAGED), summary="List maintainers")
async def list_maintainers(request: RestRequest) -> Response[list[Maintainer]]:
    """Maintainers of a cluster, oldest first."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> list[Appointment]:
        cluster = await find_cluster(tx, access.id, call.path("cluster"))
        window = call.page.window
        return (await appointments_of(tx, access, cluster))[window.offset : window.offset + window.limit]

    rows = await call.read(work)
    return call.listed([show_maintainer(one) for one in call.page.cut(rows)], rows)


@get(MAINTAINER, opt=needs("maintainer.read"), summary="Get a maintainer")
async def get_maintainer(request: RestRequest) -> Maintainer:
    """One maintainer by the id of the giving."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> Maintainer:
        cluster = await find_cluster(tx, access.id, call.path("cluster"))
        return show_maintainer(await find_appointment(tx, access, cluster, call.path("maintainer")))

    return await call.read(work)


@post(MAINTAINERS, opt=needs("maintainer.create", body=NewMaintainer, keyed=True), summary="Add a maintainer")
async def create_maintainer(request: RestRequest) -> Response[Maintainer]:
    """Give a cluster to a person or a team."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> Maintainer:
        cluster = await find_cluster(tx, access.id, call.path("cluster"))
        asked = call.decode(NewMaintainer)
        return show_maintainer(await appoint(call.context, tx, access, cluster, asked.user, asked.team))

    return await call.create(work)


@delete(MAINTAINER, opt=needs("maintainer.delete"), summary="Remove a maintainer")
async def delete_maintainer(request: RestRequest) -> None:
    """Take a cluster from a person or a team, from the next call on."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> None:
        cluster = await find_cluster(tx, access.id, call.path("cluster"))
        found = await find_appointment(tx, access, cluster, call.path("maintainer"))
        await dismiss(call.context, tx, access, found.maintainer)

    await call.write(work)


HANDLERS = (list_maintainers, get_maintainer, create_maintainer, delete_maintainer)
