"""Invitations into the organization: those that wait, a new one, sent again, revoked."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from litestar import get, post

from watchword.domain.accounts import Role, SsoMode, User
from watchword.domain.errors import Invalid, WatchwordError
from watchword.domain.ids import UserId
from watchword.domain.invitations import MAX_PENDING, Invitation
from watchword.domain.teams import Team, TeamRole
from watchword.services.invitations import (
    InvitationRequest,
    find_invitation,
    invitations_of,
    invite,
    resend,
    revoke_invitation,
    teams_of_invitation,
)
from watchword.services.lookups import EVERYTHING
from watchword.services.queries import Access, Unit, people
from watchword.services.teams import teams_of
from watchword.web.forms import Form
from watchword.web.needs import page
from watchword.web.paging import Paging
from watchword.web.settings import SETTINGS, base
from watchword.web.visit import Page, Visit, WebRequest

INVITATIONS = SETTINGS + "/invitations"
INVITATION = INVITATIONS + "/{invitation:str}"
# The field of a team's role in the form; the team's id follows.
_TEAM = "team-"


class _Listed(NamedTuple):
    rows: Sequence[tuple[Invitation, Sequence[Team]]]
    paging: Paging
    known: Mapping[UserId, User]
    teams: Sequence[Team]


async def _list(visit: Visit) -> _Listed:
    async def work(tx: Unit, access: Access) -> _Listed:
        found = await invitations_of(visit.context, tx, access.id, visit.paging.window)
        paging, shown = visit.paging.cut(found)
        rows = [(one, await teams_of_invitation(tx, one)) for one in shown]
        known = await people(tx, [one.created_by for one in shown])
        return _Listed(rows, paging, known, await teams_of(tx, access, EVERYTHING))

    return await visit.read(work)


async def _show(visit: Visit, *errors: WatchwordError) -> Page:
    found = await _list(visit)
    template = "settings/invitations.html"
    if errors:
        return visit.show_again(template, *errors, found=found, most=MAX_PENDING)
    return visit.show(template, found=found, most=MAX_PENDING)


@get(INVITATIONS, opt=page("invitation.read"))
async def list_invitations(request: WebRequest) -> Page:
    """Invitations in any state, newest first, and the form of new ones."""
    return await _show(Visit.of(request))


def read_request(form: Form) -> InvitationRequest:
    """Whom to invite, as what, as a form says it.

    Raises:
        Invalid: a choice is none of those offered.
    """
    try:
        teams = [
            (name.removeprefix(_TEAM), TeamRole(value))
            for name, value in form
            if name.startswith(_TEAM) and value
        ]
        return InvitationRequest(
            emails=form.lines("email"),
            role=Role(form.text("role")),
            sso_mode=SsoMode(form.text("sso_mode")),
            teams=teams,
        )
    except ValueError:
        raise Invalid("Choose one of the roles and ways of signing in.", code="invalid_choice") from None


@post(INVITATIONS, opt=page("invitation.create", fresh=True), status_code=200)
async def create_invitations(request: WebRequest) -> Page:
    """Invite people by mail: all of them, or none where one cannot be invited."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> None:
        await invite(visit.context, tx, access, read_request(visit.form))

    try:
        await visit.write(work)
    except WatchwordError as error:
        return await _show(visit, error)
    return visit.go(f"{base(visit)}/invitations", done="invited")


@post(INVITATION + "/resend", opt=page("invitation.create", fresh=True), status_code=200)
async def resend_invitation(request: WebRequest) -> Page:
    """Send a pending invitation again, with another address and seven more days."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> None:
        found = await find_invitation(visit.context, tx, access.id, visit.path("invitation"))
        await resend(visit.context, tx, access, found)

    try:
        await visit.write(work)
    except WatchwordError as error:
        return await _show(visit, error)
    return visit.go(f"{base(visit)}/invitations", done="invitation-resent")


@post(INVITATION + "/revoke", opt=page("invitation.revoke"), status_code=200)
async def delete_invitation(request: WebRequest) -> Page:
    """Revoke a pending invitation: the address in its mail opens nothing any more."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> None:
        found = await find_invitation(visit.context, tx, access.id, visit.path("invitation"))
        await revoke_invitation(visit.context, tx, access, found)

    try:
        await visit.write(work)
    except WatchwordError as error:
        return await _show(visit, error)
    return visit.go(f"{base(visit)}/invitations", done="invitation-revoked")


HANDLERS = (list_invitations, create_invitations, resend_invitation, delete_invitation)
