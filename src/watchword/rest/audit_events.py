"""The audit trail (contract rest-graphql §2.14), and the signed heads by which it is checked."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec
from litestar import Response, get

from watchword.domain import accounts
from watchword.domain.audittrail import Head
from watchword.domain.errors import Malformed, NotFound
from watchword.domain.eventcatalogue import class_style
from watchword.domain.ids import is_uuid
from watchword.rest.call import CURSORED, PAGED, Call, RestRequest, needs
from watchword.rest.formats import Site, graphql_id, instant
from watchword.rest.pages import CursorRequest
from watchword.services.auditing import (
    Entry,
    EventFilter,
    earlier,
    find_event,
    heads_page,
    latest,
    public_keys,
)
from watchword.services.queries import Access, Unit

EVENTS = "/v2/organizations/{org:str}/audit_events"
HEADS = "/v2/organizations/{org:str}/audit_heads"
_FILTERS = ("type", "actor", "subject")
_ACTORS = {"user": "User", "agent": "Agent"}


class Actor(msgspec.Struct, kw_only=True):
    """Who did it."""

    type: str
    uuid: str
    name: str


class Subject(msgspec.Struct, kw_only=True):
    """What it was done to."""

    type: str
    uuid: str
    name: str


class EventContext(msgspec.Struct, kw_only=True):
    """How it came about; `request_api_access_token_uuid` and `request_id` are Watchword's own."""

    type: str
    request_ip: str | None
    request_user_agent: str | None
    request_api_access_token_uuid: str | None
    request_id: str | None


class AuditEvent(msgspec.Struct, kw_only=True):
    """One event of the trail; `sequence` is Watchword's own and has no gaps."""

    uuid: str
    graphql_id: str
    type: str
    occurred_at: str
    actor: Actor | None
    subject: Subject
    context: EventContext | None
    data: dict[str, Any]
    url: str
    sequence: int


class Links(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Addresses of this part of the trail and of its neighbours."""

    self: str
    first: str | None = None
    prev: str | None = None
    next: str | None = None


class AuditEventList(msgspec.Struct, kw_only=True):
    """A part of the trail, newest first."""

    items: list[AuditEvent]
    links: Links


class AuditHead(msgspec.Struct, kw_only=True):
    """What the chain of events comes to at one of them, signed with Ed25519; bytes are hexadecimal."""

    organization_id: str
    sequence: int
    link: str
    through: int
    sealed_at: int
    key: int
    public_key: str
    signature: str


def show_event(site: Site, organization: accounts.Organization, entry: Entry) -> AuditEvent:
    """An event as JSON."""
    event = entry.event
    known = _ACTORS.get(event.actor_kind)
    actor = Actor(type=known, uuid=event.actor_id, name=event.actor_name) if known else None
    return AuditEvent(
        uuid=event.id,
        graphql_id=graphql_id("AuditEvent", event.id),
        type=class_style(entry.type) + "Event",
        occurred_at=instant(event.at),
        actor=actor,
        subject=Subject(type=class_style(entry.subject_type), uuid=event.subject_id, name=entry.subject_name),
        context=_context(entry),
        data=dict(entry.data),
        url=site.rest("organizations", organization.slug, "audit_events", event.id),
        sequence=event.sequence,
    )


def _context(entry: Entry) -> EventContext | None:
    event = entry.event
    if event.actor_kind == "system":
        return None
    kind = "AgentAPIContext"
    if event.actor_kind == "user":
        kind = "APIContext" if event.token_id else "WebContext"
    return EventContext(
        type=kind,
        request_ip=event.address or None,
        request_user_agent=event.user_agent or None,
        request_api_access_token_uuid=event.token_id or None,
        request_id=event.request_id or None,
    )


def _filter(call: Call) -> EventFilter | None:
    """Which events the query asks for; types are taken in both spellings."""
    types, actors, subjects = (frozenset(call.query(name)) for name in _FILTERS)
    if not (types or actors or subjects):
        return None
    words = frozenset(_enum_style(word) for word in types)
    return EventFilter(types=words, actors=actors, subjects=subjects)


def _enum_style(word: str) -> str:
    """`ClusterTokenCreatedEvent` as the GraphQL enum has it; that spelling is left as it is."""
    if word.isupper():
        return word
    plain = word.removesuffix("Event").replace("API", "Api")
    return "".join(f"_{letter}" if letter.isupper() else letter for letter in plain).upper().lstrip("_")


def _sequence(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) <= 18):  # noqa: PLR2004 - fits 63 bits
        raise Malformed("The cursor is not of this list.", code="invalid_cursor")
    return int(cursor)


async def _part(call: Call, tx: Unit, access: Access, asked: CursorRequest) -> tuple[list[Entry], bool, bool]:
    """A part of the trail; whether there are newer and older ones."""
    wanted = _filter(call)
    if asked.before:
        first = _sequence(asked.before)
        if wanted is None:
            found = await earlier(tx, access.id, first, asked.size + 1)
            return found[-asked.size :], len(found) > asked.size, True
        newer = [
            entry for entry in await latest(tx, access.id, 0, _ALL, wanted) if entry.event.sequence > first
        ]
        return newer[-asked.size :], len(newer) > asked.size, True
    after = _sequence(asked.after) if asked.after else 0
    found = await latest(tx, access.id, after, asked.size + 1, wanted)
    return found[: asked.size], bool(after), len(found) > asked.size


_ALL = 20_000


@get(EVENTS, opt=needs("audit_event.read", query=(*_FILTERS, *CURSORED)), summary="List audit events")
async def list_audit_events(request: RestRequest) -> Response[AuditEventList]:
    """Events of the organization, newest first, a part at a time.

    A filter looks at the newest 20,000 events.
    """
    call = Call.of(request)
    asked = CursorRequest.read(request.query_params)

    async def work(tx: Unit, access: Access) -> tuple[AuditEventList, str]:
        entries, newer, older = await _part(call, tx, access, asked)
        base = call.site.rest("organizations", access.organization.slug, "audit_events")
        kept = [(name, value) for name in _FILTERS for value in call.query(name)]

        def address(**cursor: str) -> str:
            return f"{base}?{urlencode([*cursor.items(), *kept, ('per_page', asked.size)])}"

        links = Links(self=address(), first=address())
        if entries and newer:
            links.prev = address(before=asked.encode(str(entries[0].event.sequence)))
        if entries and older:
            links.next = address(after=asked.encode(str(entries[-1].event.sequence)))
        items = [show_event(call.site, access.organization, entry) for entry in entries]
        named: Mapping[str, str | None] = {"first": links.first, "prev": links.prev, "next": links.next}
        header = ", ".join(f'<{url}>; rel="{name}"' for name, url in named.items() if url)
        return AuditEventList(items=items, links=links), header

    shown, header = await call.read(work)
    return Response(shown, headers={"link": header}, media_type="application/json")


@get(EVENTS + "/{event:str}", opt=needs("audit_event.read"), summary="Get an audit event")
async def get_audit_event(request: RestRequest) -> AuditEvent:
    """One event by its id."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> AuditEvent:
        text = call.path("event")
        entry = await find_event(tx, access.id, text.lower()) if is_uuid(text) else None
        if entry is None:
            raise NotFound("No audit event found")
        return show_event(call.site, access.organization, entry)

    return await call.read(work)


@get(HEADS, opt=needs("audit_event.read", query=PAGED), summary="List signed heads of the audit trail")
async def list_audit_heads(request: RestRequest) -> Response[list[AuditHead]]:
    """Signed heads, newest first: kept elsewhere, they show whether the trail was changed since."""
    call = Call.of(request)
    keys = public_keys(call.context.keys)

    async def work(tx: Unit, access: Access) -> list[Head]:
        return await heads_page(tx, access.id, call.page.window)

    rows = await call.read(work)
    return call.listed([show_head(head, keys[head.key]) for head in call.page.cut(rows)], rows)


def show_head(head: Head, public_key: bytes) -> AuditHead:
    """A head as JSON, as it also stands in the file of published heads."""
    return AuditHead(
        organization_id=head.organization_id,
        sequence=head.sequence,
        link=head.link.hex(),
        through=head.through,
        sealed_at=head.sealed_at,
        key=head.key,
        public_key=public_key.hex(),
        signature=head.signature.hex(),
    )


HANDLERS = (list_audit_events, get_audit_event, list_audit_heads)
