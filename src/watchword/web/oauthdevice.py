"""Letting a device in that has no browser: its code is typed or followed (RFC 8628 §3.3)."""

from litestar import get, post

from watchword.domain.errors import NotFound, WatchwordError
from watchword.domain.oauth import read_user_code
from watchword.domain.scopewords import sentences
from watchword.services.access import enter_in_person
from watchword.services.oauthconsent import choices_in
from watchword.services.oauthdevices import Waiting, approve_in, deny_in
from watchword.services.queries import Unit
from watchword.web.forms import Problem
from watchword.web.needs import PERSONAL, page
from watchword.web.oauthconsent import APPROVE
from watchword.web.visit import Page, Visit, WebRequest

DEVICE = "/oauth/device"
DEVICE_OF = DEVICE + "/{user_code:str}"


def _enter_code(visit: Visit, typed: str = "", *errors: WatchwordError) -> Page:
    return visit.show(
        "oauth/device.html",
        status=next((error.status for error in errors), 200),
        problems=[Problem.of(error, "user_code") for error in errors],
        typed=typed,
        waiting=None,
        decided="",
    )


@get(DEVICE, opt=page(PERSONAL))
async def enter_code(request: WebRequest) -> Page:
    """Ask for the code that the device shows."""
    visit = Visit.of(request)
    typed = visit.query.text("user_code")
    code = read_user_code(typed)
    if code:
        return visit.go(f"{DEVICE}/{code}")
    wrong = NotFound("A code has eight letters, like BCDF-GHJK.", code="no_such_user_code")
    return _enter_code(visit, typed, *([wrong] if typed else []))


async def _find(visit: Visit) -> Waiting:
    return await visit.authority.oauth.waiting(visit.caller, visit.path("user_code"))


async def _show(visit: Visit, waiting: Waiting, *errors: WatchwordError) -> Page:
    choice = await visit.context.store.read(lambda tx: choices_in(tx, visit.user, waiting.application))
    return visit.show(
        "oauth/device.html",
        status=next((error.status for error in errors), 200),
        problems=[Problem.of(error, "") for error in errors],
        typed="",
        waiting=waiting,
        opens=sentences(waiting.device.scopes.split()),
        choice=choice,
        chosen=visit.form.raw("organization"),
        decided="",
    )


@get(DEVICE_OF, opt=page(PERSONAL))
async def ask(request: WebRequest) -> Page:
    """Show which application asks from where, and for what."""
    visit = Visit.of(request)
    try:
        return await _show(visit, await _find(visit))
    except WatchwordError as error:
        return _enter_code(visit, visit.path("user_code"), error)


@post(DEVICE_OF, opt=page(PERSONAL, fresh=True), status_code=200)
async def decide(request: WebRequest) -> Page:
    """Let the device in, or refuse it; it hears of that when it asks again."""
    visit = Visit.of(request)
    try:
        waiting = await _find(visit)
    except WatchwordError as error:
        return _enter_code(visit, visit.path("user_code"), error)
    approved = visit.form.raw("decision") == APPROVE

    async def work(tx: Unit) -> None:
        if not approved:
            await deny_in(visit.context, tx, visit.user, waiting)
            return
        access = await enter_in_person(tx, visit.user, visit.form.text("organization"), visit.caller)
        await approve_in(visit.context, tx, access, waiting)

    try:
        await visit.context.store.write(work)
    except WatchwordError as error:
        return await _show(visit, waiting, error)
    decided = "approved" if approved else "denied"
    return visit.show("oauth/device.html", waiting=waiting, decided=decided, typed="", problems=[])


HANDLERS = (enter_code, ask, decide)
