"""Reporting a leaked token by hand: what was found, and where; the value is never shown again."""

from typing import Any

from litestar import get, post

from watchword.crypto.values import Secret
from watchword.domain.errors import Invalid, NotFound, WatchwordError
from watchword.domain.formats import read_time
from watchword.domain.leaks import Leak, Visibility
from watchword.services.access import Access
from watchword.services.leakactions import Told
from watchword.services.leakcases import with_token
from watchword.services.leakresponding import Done
from watchword.services.queries import Unit
from watchword.web.forms import Form, Problem
from watchword.web.leaks import LEAKS
from watchword.web.leakwords import VISIBILITIES, WHO_SEES
from watchword.web.needs import page
from watchword.web.settings import nothing
from watchword.web.visit import Page, Visit, WebRequest

REPORT = LEAKS + "/report"
_FIELDS = {
    "token_unknown": "value",
    "leak_not_named": "value",
    "pasted_too_long": "value",
    "invalid_time": "exposed_at",
}


def _show(visit: Visit, *errors: WatchwordError | Problem) -> Page:
    # What was pasted is not sent back: it may be a live value.
    form = Form([(name, text) for name, text in visit.form if name != "value"])
    values: dict[str, Any] = {
        "at": f"/organizations/{visit.path('org')}",
        "form": form,
        "visibilities": [
            (each.value, words[0], WHO_SEES[each]) for each, words in reversed(VISIBILITIES.items())
        ],
    }
    if errors:
        return visit.show_again("leaks/report.html", *errors, **values)
    return visit.show("leaks/report.html", **values)


@get(REPORT, opt=page("leak.report"))
async def ask_for_report(request: WebRequest) -> Page:
    """The form."""
    visit = Visit.of(request)
    await visit.read(nothing)
    return _show(visit)


def _told(form: Form) -> Told:
    """What a form reports.

    Raises:
        Invalid: a field cannot be read.
    """
    seen = form.text("visibility")
    if seen not in list(Visibility):
        raise Invalid("Choose who could see it.", code="invalid_visibility")
    value = form.raw("value")
    return Told(
        value=Secret(value) if value.strip() else None,
        token_id=form.text("token_id"),
        url=form.text("url"),
        place=form.text("place"),
        visibility=Visibility(seen),
        exposed_at=read_time("Readable since", form.text("exposed_at")),
    )


@post(REPORT, opt=page("leak.report"), status_code=200)
async def report(request: WebRequest) -> Page:
    """Take a report; the rules answer at once."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> tuple[Done, bool]:
        done = await visit.authority.leak_actions.report_in(tx, access, _told(visit.form))
        case = await with_token(tx, done.leak)
        return done, access.may("leak.read", cluster=case.cluster_id)

    try:
        done, sees = await visit.write(work)
        await visit.authority.responder.settle([done])
        _require_ours(visit, done.leak)
    except WatchwordError as error:
        await visit.read(nothing)
        return _show(visit, Problem.of(error, _FIELDS.get(error.code)))
    at = f"/organizations/{visit.path('org')}/leaks"
    return visit.go(f"{at}/{done.leak.id}" if sees else f"{at}/report", done="leak-reported")


def _require_ours(visit: Visit, leak: Leak) -> None:
    """Another organization's token has its case there; here nobody hears of it."""
    if visit.access is None or leak.organization_id != visit.access.id:
        raise NotFound("That is no token of this organization.", code="token_unknown")


HANDLERS = (ask_for_report, report)
