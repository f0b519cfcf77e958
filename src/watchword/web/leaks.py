"""Leaks on the console: the inbox, one case from the leak to its answer, exports."""

from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Response, get

from watchword.domain.errors import NotFound, WatchwordError
from watchword.domain.formats import Site
from watchword.domain.kinds import VALUED
from watchword.domain.leaks import LeakState
from watchword.domain.lifecycle import Mode
from watchword.domain.restrictions import load
from watchword.services.access import Access
from watchword.services.leakcases import Case, cases_in, find_case, query_for, reporters_in, tally_in
from watchword.services.leakdocument import Document, document
from watchword.services.leakexport import file_name, leak_csv, leak_markdown
from watchword.services.leakview import MAX_AGENTS, LeakTrail, LeakView, trail_of, view_leak
from watchword.services.queries import Unit
from watchword.web.forms import Problem
from watchword.web.leakwords import EVIDENCE, MODES, kind_name, rule_words, show_case, show_place
from watchword.web.needs import page
from watchword.web.rendering import capital
from watchword.web.trailwords import in_words
from watchword.web.visit import Page, Visit, WebRequest

LEAKS = "/organizations/{org:str}/leaks"
LEAK = LEAKS + "/{leak:str}"
GRACES = (("60", "1 hour"), ("240", "4 hours"), ("1440", "1 day"), ("4320", "3 days"), ("10080", "7 days"))
_USUAL_GRACE = "1440"
_TABS = {
    "": (LeakState.HELD, LeakState.OPEN),
    "held": (LeakState.HELD,),
    "open": (LeakState.OPEN,),
    "closed": (LeakState.CLOSED,),
    "all": (),
}
_INDENT = 2


@dataclass(frozen=True, slots=True)
class Inbox:
    """What the list shows."""

    cases: list[Case]
    counts: dict[str, int]
    reporters: list[str]


@get(LEAKS, opt=page("leak.read"))
async def list_leaks(request: WebRequest) -> Page:
    """Cases, the most urgent first."""
    visit = Visit.of(request)
    query, window = visit.query, visit.paging.window
    tab = query.text("state") if query.text("state") in _TABS else ""
    kind = next((each for each in VALUED if each.value == query.text("kind")), None)
    reporter = query.text("reporter")

    async def work(tx: Unit, access: Access) -> Inbox:
        asked = query_for(access, states=_TABS[tab], kind=kind, reporter=reporter)
        counts = await tally_in(tx, asked)
        held, opened, closed = (counts[each] for each in (LeakState.HELD, LeakState.OPEN, LeakState.CLOSED))
        return Inbox(
            await cases_in(tx, asked, window),
            {"": held + opened, "held": held, "closed": closed, "all": held + opened + closed},
            await reporters_in(tx, access.id),
        )

    inbox = await visit.read(work, defer=True)
    paging, shown = visit.paging.cut(inbox.cases)
    slug = visit.path("org")
    return visit.show(
        "leaks/index.html",
        at=f"/organizations/{slug}",
        cases=[show_case(slug, each, visit.now) for each in shown],
        counts=inbox.counts,
        tab=tab,
        kinds=[("", "Any"), *((each.value, kind_name(each)) for each in VALUED)],
        kind=kind.value if kind is not None else "",
        reporters=[("", "Anybody"), *((each, each) for each in inbox.reporters)],
        reporter=reporter,
        filtered=bool(kind or reporter),
        paging=paging,
    )


async def look(visit: Visit) -> tuple[LeakView, LeakTrail]:
    """A case of the organization of the path, as far as the handler's operation lets the person see it."""

    async def work(tx: Unit, access: Access) -> LeakView:
        case = await find_case(tx, access, visit.operation, visit.path("leak"))
        return await view_leak(tx, visit.authority, access.organization, case)

    view = await visit.read(work, defer=True)
    return view, await trail_of(visit.authority, view.leak)


def values_of(visit: Visit, view: LeakView, trail: LeakTrail) -> dict[str, Any]:
    """What the templates of a case stand on."""
    slug = view.organization.slug
    return {
        "home": view.organization,
        "at": f"/organizations/{slug}",
        "case_at": f"/organizations/{slug}/leaks/{view.leak.id}",
        "shown": show_case(slug, view.case, visit.now),
        "view": view,
        "leak": view.leak,
        "trail": trail,
        "places": [show_place(each) for each in view.sightings],
        "evidence": EVIDENCE[view.leak.evidence],
        "rule": rule_words(view.rule),
        "modes": [(mode.value, capital(text)) for mode, text in MODES.items()],
        "graces": GRACES,
        "usual_grace": _USUAL_GRACE,
        "usual_mode": Mode.STOP_JOINING.value,
        "max_agents": MAX_AGENTS,
        "networks": load(view.token.restrictions).networks if view.token is not None else (),
        "in_words": in_words,
    }


async def show_case_page(visit: Visit, *errors: WatchwordError | Problem) -> Page:
    """The page of a case, with what is wrong with a form of it."""
    view, trail = await look(visit)
    values = values_of(visit, view, trail)
    if errors:
        return visit.show_again("leaks/one.html", *errors, **values)
    return visit.show("leaks/one.html", **values)


@get(LEAK, opt=page("leak.read"))
async def show_leak(request: WebRequest) -> Page:
    """One case: where it was found, what it reaches, who used it since, what was done, what to do."""
    return await show_case_page(Visit.of(request))


@get(LEAK + "/export", opt=page("leak.read"))
async def export(request: WebRequest) -> Response[bytes]:
    """A case as JSON, CSV or Markdown: a file to keep with a ticket; never a value."""
    visit = Visit.of(request)
    view, trail = await look(visit)
    whole = document(Site(visit.context.installation.url), view, trail, visit.now)
    kind = visit.query.text("format", "json")
    if kind not in _FILES:
        raise NotFound("No such export found")
    media_type, write = _FILES[kind]
    headers = {"content-disposition": f'attachment; filename="{file_name(whole, kind)}"'}
    return Response(write(whole), media_type=media_type, headers=headers)


def _json(whole: Document) -> bytes:
    return msgspec.json.format(msgspec.json.encode(whole), indent=_INDENT)


_FILES = {
    "json": ("application/json", _json),
    "csv": ("text/csv", lambda whole: leak_csv(whole).encode()),
    "md": ("text/markdown", lambda whole: leak_markdown(whole).encode()),
}


HANDLERS = (list_leaks, show_leak, export)
