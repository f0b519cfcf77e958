"""Leaks of one's own API access tokens: what is known of each, and the new value where one waits."""

from litestar import get, post

from watchword.crypto.values import Secret
from watchword.domain.accounts import Organization
from watchword.domain.errors import NotFound
from watchword.domain.tokens import Token
from watchword.services.access import enter_in_person
from watchword.services.leakcases import Case, find_own_case, own_cases
from watchword.services.leakview import LeakView, trail_of, view_leak
from watchword.services.queries import Unit
from watchword.web.forms import Problem
from watchword.web.leakanswers import show_value
from watchword.web.leaks import values_of
from watchword.web.leakwords import show_case
from watchword.web.needs import PERSONAL, page
from watchword.web.visit import Page, Visit, WebRequest

OWN_LEAKS = "/user/leaks"
OWN_LEAK = OWN_LEAKS + "/{leak:str}"


@get(OWN_LEAKS, opt=page(PERSONAL))
async def list_own_leaks(request: WebRequest) -> Page:
    """Cases of one's own tokens."""
    visit = Visit.of(request)

    async def work(tx: Unit) -> list[tuple[Organization, Case]]:
        return await own_cases(tx, visit.user)

    found = await visit.context.store.read(work)
    shown = [(organization, show_case(organization.slug, case, visit.now)) for organization, case in found]
    return visit.show("leaks/own.html", cases=shown)


async def _look(visit: Visit, *problems: Problem) -> Page:
    async def work(tx: Unit) -> LeakView:
        organization, case = await find_own_case(tx, visit.user, visit.path("leak"))
        await enter_in_person(tx, visit.user, organization.slug, visit.caller)
        return await view_leak(tx, visit.authority, organization, case)

    view = await visit.context.store.read(work)
    values = values_of(visit, view, await trail_of(visit.authority, view.leak))
    values["case_at"] = f"{OWN_LEAKS}/{view.leak.id}"
    if problems:
        return visit.show_again("leaks/own_one.html", *problems, **values)
    return visit.show("leaks/own_one.html", **values)


@get(OWN_LEAK, opt=page(PERSONAL))
async def show_own_leak(request: WebRequest) -> Page:
    """One case of one's own token."""
    return await _look(Visit.of(request))


@post(OWN_LEAK + "/value", opt=page(PERSONAL, fresh=True), status_code=200)
async def take_own_value(request: WebRequest) -> Page:
    """Show the new value of one's own rotated token, once."""
    visit = Visit.of(request)

    async def work(tx: Unit) -> tuple[Token, Secret]:
        organization, case = await find_own_case(tx, visit.user, visit.path("leak"))
        access = await enter_in_person(tx, visit.user, organization.slug, visit.caller)
        return await visit.authority.leak_actions.take_value_in(tx, access.caller, case, visit.user)

    try:
        successor, value = await visit.context.store.write(work)
    except NotFound as error:
        if error.code not in ("value_taken", "value_lost"):
            raise
        return await _look(visit, Problem.of(error))
    return show_value(visit, successor, value, f"{OWN_LEAKS}/{visit.path('leak')}")


HANDLERS = (list_own_leaks, show_own_leak, take_own_value)
