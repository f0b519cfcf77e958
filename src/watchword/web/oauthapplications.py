"""Applications that people may let into the organization: listed, registered, deleted."""

from typing import Any

from litestar import get, post

from watchword.crypto.values import Secret
from watchword.domain.accounts import User
from watchword.domain.errors import Forbidden, NotFound, WatchwordError
from watchword.domain.ids import TokenId, UserId
from watchword.domain.oauth import AUTHORIZATION_CODE, DEVICE_CODE
from watchword.domain.oauthapplications import Application
from watchword.domain.scopewords import GROUPS, sentences
from watchword.services.access import Access
from watchword.services.lookups import EVERYTHING
from watchword.services.oauthapplications import (
    DEFAULT_SECONDS,
    ApplicationRequest,
    applications_of,
    delete_in,
    find_application,
    register_in,
)
from watchword.services.queries import Unit, people
from watchword.web.forms import Problem
from watchword.web.needs import page
from watchword.web.once import fresh_once, mint_once
from watchword.web.visit import Page, Visit, WebRequest

APPLICATIONS = "/organizations/{org:str}/oauth-applications"
DELETE = APPLICATIONS + "/{application:str}/delete"
LIVES = (
    ("3600", "1 hour"),
    (str(DEFAULT_SECONDS), "8 hours"),
    ("86400", "1 day"),
    ("0", "Until it is revoked"),
)
_FIELDS = {
    "invalid_redirect_uri": "redirect_uris",
    "invalid_flows": "flows",
    "invalid_lifetime": "token_lifetime",
}


def _at(visit: Visit) -> str:
    return f"/organizations/{visit.path('org')}/oauth-applications"


async def _list(visit: Visit, *errors: WatchwordError, **more: object) -> Page:
    async def work(tx: Unit, access: Access) -> tuple[list[Application], dict[UserId, User]]:
        found = await applications_of(tx, access, EVERYTHING)
        return found, await people(tx, [one.created_by for one in found])

    found, known = await visit.read(work)
    paging, rows = visit.paging.cut_all(found)
    values: dict[str, Any] = {
        "at": _at(visit),
        "rows": rows,
        "paging": paging,
        "people": known,
        "opens": sentences,
        "groups": GROUPS,
        "lives": LIVES,
        "flows": ((AUTHORIZATION_CODE, "By the browser"), (DEVICE_CODE, "By a device code")),
        "once": fresh_once(),
        "made": None,
        "secret": "",
        **more,
    }
    problems = [Problem.of(error, _FIELDS.get(error.code)) for error in errors]
    return visit.show_again("oauth/applications.html", *problems, **values)


@get(APPLICATIONS, opt=page("oauth_application.read"))
async def list_applications(request: WebRequest) -> Page:
    """What the organization registered, and the form for another."""
    return await _list(Visit.of(request))


def _read(visit: Visit) -> ApplicationRequest:
    form = visit.form
    return ApplicationRequest(
        name=form.text("name"),
        redirect_uris=form.lines("redirect_uris"),
        confidential=form.ticked("confidential"),
        flows=form.texts("flows"),
        scopes=form.texts("scopes"),
        token_seconds=form.number("token_lifetime", DEFAULT_SECONDS),
        refresh=form.ticked("refresh"),
    )


@post(APPLICATIONS, opt=page("oauth_application.create", fresh=True), status_code=200)
async def create_application(request: WebRequest) -> Page:
    """Register one; the page that follows alone shows the secret of a confidential one."""
    visit = Visit.of(request)
    made: list[Application] = []

    async def entered(_tx: Unit, access: Access) -> Access:
        return access

    access = await visit.read(entered)

    async def work(tx: Unit) -> tuple[TokenId, Secret]:
        inside = await visit.enter(tx)
        inside.require(visit.operation)
        found = await register_in(visit.context, tx, inside, _read(visit))
        made[:] = [found.application]
        return TokenId(found.application.id), found.secret or Secret("")

    try:
        minted = await mint_once(visit, access.id, work)
    except (NotFound, Forbidden):
        raise
    except WatchwordError as error:
        return await _list(visit, error)
    if minted.value is None:
        return visit.go(_at(visit))
    return await _list(visit, made=made[0], secret=minted.value.reveal())


@post(DELETE, opt=page("oauth_application.delete", fresh=True), status_code=200)
async def delete_application(request: WebRequest) -> Page:
    """Delete one; what people let it do ends at once."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> None:
        await delete_in(
            visit.context, tx, access, await find_application(tx, access, visit.path("application"))
        )

    await visit.write(work)
    return visit.go(_at(visit), done="application-deleted")


HANDLERS = (list_applications, create_application, delete_application)
