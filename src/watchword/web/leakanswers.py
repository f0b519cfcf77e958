"""What people do about a leak on the console: answer, release, close, reopen it; take the new value."""

from collections.abc import Awaitable, Callable

from litestar import post

from watchword.crypto.values import Secret, fingerprint
from watchword.domain.errors import Invalid, NotFound, WatchwordError
from watchword.domain.leakpolicy import Rule, read_rule
from watchword.domain.leaks import Response
from watchword.domain.tokens import Token
from watchword.services.access import Access
from watchword.services.leakcases import Case, find_case
from watchword.services.leakresponding import Done
from watchword.services.queries import Unit
from watchword.web.forms import Form, Problem
from watchword.web.leaks import LEAK, show_case_page
from watchword.web.needs import page
from watchword.web.visit import Page, Visit, WebRequest

_SHOWN_OF_ID = 8
Change = Callable[[Unit, Access, Case], Awaitable[Done]]


def read_answer(form: Form) -> Rule:
    """The answer that a form asks for.

    Raises:
        Invalid: nothing was chosen, or nothing that there is.
    """
    word = form.text("response")
    if not word:
        raise Invalid("Choose what is to be done.", code="answer_missing")
    more = {
        Response.REVOKE.value: form.text("leak_mode"),
        Response.ROTATE.value: form.text("grace_minutes"),
    }
    return read_rule(f"{word}:{more[word]}" if more.get(word) else word)


async def _change(visit: Visit, change: Change, done_word: str) -> Page:
    async def work(tx: Unit, access: Access) -> Done:
        return await change(tx, access, await find_case(tx, access, visit.operation, visit.path("leak")))

    try:
        done = await visit.write(work, defer=True)
    except WatchwordError as error:
        field = "response" if error.code in ("answer_missing", "invalid_leak_rule") else None
        return await show_case_page(visit, Problem.of(error, field) if field else error)
    await visit.authority.responder.settle([done])
    return visit.go(f"/organizations/{visit.path('org')}/leaks/{done.leak.id}", done=done_word)


@post(LEAK + "/respond", opt=page("leak.respond", fresh=True), status_code=200)
async def respond(request: WebRequest) -> Page:
    """Answer the leak as the form asks."""
    visit = Visit.of(request)

    async def change(tx: Unit, access: Access, case: Case) -> Done:
        rule = read_answer(visit.form)
        return await visit.authority.leak_actions.respond_in(tx, access, case, rule)

    return await _change(visit, change, "leak-answered")


@post(LEAK + "/release", opt=page("leak.respond", fresh=True), status_code=200)
async def release(request: WebRequest) -> Page:
    """Lift the quarantine."""
    visit = Visit.of(request)

    async def change(tx: Unit, access: Access, case: Case) -> Done:
        return Done(await visit.authority.leak_actions.release_in(tx, access, case))

    return await _change(visit, change, "leak-released")


@post(LEAK + "/close", opt=page("leak.close", fresh=True), status_code=200)
async def close(request: WebRequest) -> Page:
    """Close the case with a note."""
    visit = Visit.of(request)

    async def change(tx: Unit, access: Access, case: Case) -> Done:
        note = visit.form.text("note")
        return Done(await visit.authority.leak_actions.close_in(tx, access, case, note))

    return await _change(visit, change, "leak-closed")


@post(LEAK + "/reopen", opt=page("leak.close", fresh=True), status_code=200)
async def reopen(request: WebRequest) -> Page:
    """Open a closed case again."""
    visit = Visit.of(request)

    async def change(tx: Unit, access: Access, case: Case) -> Done:
        return Done(await visit.authority.leak_actions.reopen_in(tx, access, case))

    return await _change(visit, change, "leak-reopened")


def show_value(visit: Visit, successor: Token, value: Secret, back: str) -> Page:
    """The new value, in this one answer; the value leaves for its holder here."""
    return visit.show(
        "leaks/value.html",
        token=successor,
        value=value.reveal(),
        fingerprint=fingerprint(successor.digest),
        file_name=f"token-{successor.id[-_SHOWN_OF_ID:]}",
        back=back,
    )


@post(LEAK + "/value", opt=page("leak.respond", fresh=True), status_code=200)
async def take_value(request: WebRequest) -> Page:
    """Show the new value of a rotated token: once, to whoever takes it over."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> tuple[Token, Secret]:
        case = await find_case(tx, access, visit.operation, visit.path("leak"))
        return await visit.authority.leak_actions.take_value_in(tx, access.caller, case, access.user)

    try:
        successor, value = await visit.write(work, defer=True)
    except NotFound as error:
        if error.code not in ("value_taken", "value_lost"):
            raise
        return await show_case_page(visit, Problem.of(error))
    back = f"/organizations/{visit.path('org')}/leaks/{visit.path('leak')}"
    return show_value(visit, successor, value, back)


HANDLERS = (respond, release, close, reopen, take_value)
