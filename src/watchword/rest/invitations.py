"""Invitations into an organization (contract rest-graphql §2.3)."""

from typing import Annotated
from urllib.parse import urlencode

import msgspec
from litestar import Response, delete, get, post
from msgspec import Meta

from watchword.domain import accounts, invitations
from watchword.domain.accounts import Role, SsoMode
from watchword.domain.ids import UserId
from watchword.domain.teams import TeamRole
from watchword.rest.bodies import Body
from watchword.rest.call import CURSORED, Call, RestRequest, needs
from watchword.rest.formats import graphql_id, instant, maybe_instant
from watchword.rest.jobs import Cursors
from watchword.rest.pages import CursorRequest
from watchword.services.invitations import (
    InvitationRequest,
    find_invitation,
    invite,
    pending_invitations,
    revoke_invitation,
    teams_of_invitation,
)
from watchword.services.queries import Access, Unit, people

INVITATIONS = "/v2/organizations/{org:str}/invitations"
INVITATION = INVITATIONS + "/{invitation:str}"


class Inviter(msgspec.Struct, kw_only=True):
    """A person who had to do with an invitation."""

    id: str
    name: str
    email: str


class InvitedTeam(msgspec.Struct, kw_only=True):
    """A team that whoever accepts joins."""

    id: str
    graphql_id: str
    slug: str


class Invitation(msgspec.Struct, kw_only=True):
    """An invitation."""

    id: str
    graphql_id: str
    url: str
    email: str
    state: str
    role: str
    sso_mode: str
    teams: list[InvitedTeam]
    created_at: str
    created_by: Inviter | None
    accepted_at: str | None
    accepted_by: Inviter | None
    revoked_at: str | None
    revoked_by: Inviter | None
    expired_at: str | None


class InvitationList(msgspec.Struct, kw_only=True):
    """Part of the pending invitations."""

    items: list[Invitation]
    links: Cursors


class WantedTeam(msgspec.Struct, kw_only=True):
    """A team to join, and as what."""

    id: str
    role: TeamRole = TeamRole.MEMBER


class NewInvitations(Body):
    """Whom to invite, as what."""

    emails: Annotated[list[str], Meta(max_length=1000)] | None = None
    role: Role = Role.MEMBER
    sso_mode: SsoMode = SsoMode.OPTIONAL
    teams: Annotated[list[WantedTeam], Meta(max_length=250)] | None = None


async def _show(call: Call, tx: Unit, access: Access, one: invitations.Invitation) -> Invitation:
    known = await people(tx, [one.created_by, one.accepted_by, one.revoked_by])
    return Invitation(
        id=one.id,
        graphql_id=graphql_id("OrganizationInvitation", one.id),
        url=call.site.rest("organizations", access.organization.slug, "invitations", one.id),
        email=one.email,
        state=one.state.value,
        role=one.role.value,
        sso_mode=one.sso_mode.value,
        teams=[
            InvitedTeam(id=team.id, graphql_id=graphql_id("Team", team.id), slug=team.slug)
            for team in await teams_of_invitation(tx, one)
        ],
        created_at=instant(one.created_at),
        created_by=_person(known, one.created_by),
        accepted_at=maybe_instant(one.accepted_at),
        accepted_by=_person(known, one.accepted_by),
        revoked_at=maybe_instant(one.revoked_at),
        revoked_by=_person(known, one.revoked_by),
        expired_at=maybe_instant(one.expired_at),
    )


def _person(known: dict[UserId, accounts.User], user_id: UserId | None) -> Inviter | None:
    user = known.get(user_id) if user_id is not None else None
    return Inviter(id=user.id, name=user.name, email=user.email) if user is not None else None


@get(INVITATIONS, opt=needs("invitation.read", query=CURSORED), summary="List pending invitations")
async def list_invitations(request: RestRequest) -> Response[InvitationList]:
    """Invitations that can be accepted, newest first, a part at a time."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> tuple[InvitationList, str, str]:
        wanted = CursorRequest.read(request.query_params)
        rows = await pending_invitations(call.context, tx, access.id)
        cut, back, on = wanted.cut(rows, [one.id for one in rows])
        url = call.site.rest("organizations", access.organization.slug, "invitations")

        def neighbour(name: str, cursor: str) -> str | None:
            return f"{url}?{urlencode([(name, cursor), ('per_page', wanted.size)])}" if cursor else None

        links = Cursors(self=url, next=neighbour("after", on), prev=neighbour("before", back))
        return (
            InvitationList(items=[await _show(call, tx, access, one) for one in cut], links=links),
            back,
            on,
        )

    shown, _, _ = await call.read(work)
    named = {"next": shown.links.next, "prev": shown.links.prev}
    link = ", ".join(f'<{url}>; rel="{name}"' for name, url in named.items() if url)
    return Response(shown, headers={"link": link} if link else {}, media_type="application/json")


@get(INVITATION, opt=needs("invitation.read"), summary="Get an invitation")
async def get_invitation(request: RestRequest) -> Invitation:
    """One invitation in any state by its id."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> Invitation:
        found = await find_invitation(call.context, tx, access.id, call.path("invitation"))
        return await _show(call, tx, access, found)

    return await call.read(work)


@post(
    INVITATIONS,
    opt=needs("invitation.create", body=NewInvitations, keyed=True),
    summary="Invite people",
)
async def create_invitations(request: RestRequest) -> Response[list[Invitation]]:
    """Invite people by mail: all of them, or none where one cannot be invited."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> list[Invitation]:
        asked = call.decode(NewInvitations)
        made = await invite(
            call.context,
            tx,
            access,
            InvitationRequest(
                emails=asked.emails or (),
                role=asked.role,
                sso_mode=asked.sso_mode,
                teams=[(team.id, team.role) for team in asked.teams or ()],
            ),
        )
        return [await _show(call, tx, access, one.invitation) for one in made]

    return await call.create(work)


@delete(INVITATION, opt=needs("invitation.revoke"), summary="Revoke an invitation")
async def delete_invitation(request: RestRequest) -> None:
    """Revoke a pending invitation."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> None:
        found = await find_invitation(call.context, tx, access.id, call.path("invitation"))
        await revoke_invitation(call.context, tx, access, found)

    await call.write(work)


HANDLERS = (list_invitations, get_invitation, create_invitations, delete_invitation)
