"""The audit trail: looked through, and one event of it."""

from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlencode

import msgspec
from litestar import get

from watchword.domain.audittrail import Head
from watchword.domain.errors import Invalid, NotFound
from watchword.domain.eventcatalogue import class_style
from watchword.domain.events import Event
from watchword.domain.ids import OrganizationId, is_uuid
from watchword.services.auditing import Entry, describe, find_event, head_over
from watchword.services.queries import Access, Unit
from watchword.services.trailsearch import MAX_SEARCHED, Found, TrailQuery, read_query, search_trail
from watchword.web.forms import Form, Problem
from watchword.web.needs import page
from watchword.web.settings import SETTINGS, base, nothing
from watchword.web.trailplaces import actor_page, name_of, subject_page
from watchword.web.trailwords import FIELDS, FILTERS, action_groups, in_words, read_time
from watchword.web.visit import Page, Visit, WebRequest

AUDIT = SETTINGS + "/audit"
EVENT = AUDIT + "/{event:str}"
_PER_PAGE = 50
_INDENT = 2


class Row(NamedTuple):
    """An event as pages show it.

    Attributes:
        words: what happened.
        about: what kind of thing it was done to.
        subject: the name of the thing, else its id.
        subject_page: its page; empty where it has none.
        actor: the name of who did it.
        actor_page: their page; empty where they have none.
    """

    entry: Entry
    words: str
    about: str
    subject: str
    subject_page: str
    actor: str
    actor_page: str


async def _row(tx: Unit, access: Access, event: Event) -> Row:
    entry = await describe(tx, event)
    subject = entry.subject_name or await name_of(tx, access, event.subject_kind, event.subject_id)
    actor = event.actor_name or await name_of(tx, access, event.actor_kind, event.actor_id)
    return Row(
        entry,
        in_words(entry.type),
        in_words(entry.subject_type),
        subject,
        await subject_page(tx, access, entry),
        actor or "Watchword",
        await actor_page(tx, access, entry),
    )


def _cursor(query: Form) -> int:
    """The number before which the page begins; 0 for the newest."""
    return query.number("before")


async def _search(visit: Visit, since: int, until: int) -> tuple[Found, Sequence[Row]]:
    query = visit.query

    async def read(tx: Unit, access: Access) -> tuple[OrganizationId, TrailQuery | None]:
        asked = {name: query.text(name) for name in ("action", "who", "token", "agent")}
        return access.id, await read_query(tx, **asked)

    owner, asked = await visit.read(read)
    found = Found((), 0, whole=False)
    if asked is not None:
        before = _cursor(query)
        found = await search_trail(
            visit.context.store, owner, asked, since=since, until=until, before=before, limit=_PER_PAGE
        )

    async def show(tx: Unit, access: Access) -> list[Row]:
        return [await _row(tx, access, event) for event in found.events]

    return found, await visit.read(show)


@get(AUDIT, opt=page("audit_event.read"))
async def list_events(request: WebRequest) -> Page:
    """Events, newest first, a part at a time; filters are fields of the address."""
    visit = Visit.of(request)
    query = visit.query
    problems: list[Problem] = []
    found, rows = Found((), 0, whole=False), list[Row]()
    try:
        since, until = read_time(query, "since"), read_time(query, "until")
        found, shown = await _search(visit, since, until)
        rows = list(shown)
    except Invalid as error:
        await visit.read(nothing)
        problems.append(Problem.of(error, FIELDS.get(error.code, "")))
    kept = [(name, query.text(name)) for name in FILTERS if query.text(name)]
    path = f"{base(visit)}/audit"
    return visit.show(
        "settings/audit.html",
        status=422 if problems else 200,
        problems=problems,
        form=query,
        rows=rows,
        found=found,
        filtered=bool(kept),
        newest=path + (f"?{urlencode(kept)}" if kept else ""),
        older=f"{path}?{urlencode([*kept, ('before', found.before)])}" if found.before else "",
        later=bool(_cursor(query)),
        groups=action_groups(),
        most=MAX_SEARCHED,
    )


@get(EVENT, opt=page("audit_event.read"))
async def show_event(request: WebRequest) -> Page:
    """One event with all that is known of it."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> tuple[Row, Head | None]:
        text = visit.path("event")
        entry = await find_event(tx, access.id, text.lower()) if is_uuid(text) else None
        if entry is None:
            raise NotFound("No audit event found")
        return await _row(tx, access, entry.event), await head_over(tx, entry.event)

    row, head = await visit.read(work)
    data = {name: _text(value) for name, value in row.entry.data.items()}
    kind = class_style(row.entry.type) + "Event"
    return visit.show("settings/audit_event.html", row=row, head=head, data=data, kind=kind)


def _text(value: object) -> str:
    """A detail of an event: a text as it is, anything else as JSON."""
    if isinstance(value, str):
        return value
    return msgspec.json.format(msgspec.json.encode(value), indent=_INDENT).decode()


HANDLERS = (list_events, show_event)
