"""The audit trail checked against its chain and its published heads, and taken away whole."""

from collections.abc import AsyncIterator

from litestar import get, post
from litestar.response import Stream

from watchword.domain.ids import OrganizationId
from watchword.services.queries import Access, Unit
from watchword.services.trailchecks import Check
from watchword.services.trailexport import encode_line, export_lines
from watchword.web.audit import AUDIT
from watchword.web.needs import page
from watchword.web.settings import base
from watchword.web.visit import Page, Visit, WebRequest

# For how long a form waits for the end of a check; the page looks again afterwards.
_WAIT_S = 3.0
_PIECE = 64 * 1024


async def _owner(_tx: Unit, access: Access) -> OrganizationId:
    return access.id


@get(AUDIT + "/verify", opt=page("audit_event.read"))
async def show_check(request: WebRequest) -> Page:
    """The latest check of the trail: what it came to, or how far it is."""
    visit = Visit.of(request)
    owner = await visit.read(_owner)
    check: Check | None = visit.authority.trail_checks.latest(owner)
    return visit.show("settings/audit_verify.html", check=check)


@post(AUDIT + "/verify", opt=page("audit_event.read"), status_code=200)
async def begin_check(request: WebRequest) -> Page:
    """Check the whole trail; a check that is under way is joined."""
    visit = Visit.of(request)
    owner = await visit.read(_owner)
    await visit.authority.trail_checks.begin(owner, visit.user.name, _WAIT_S)
    return visit.go(f"{base(visit)}/audit/verify")


@get(AUDIT + ".jsonl", opt=page("audit_event.read"))
async def export(request: WebRequest) -> Stream:
    """The whole trail and its heads, one JSON object a line, as `watchword audit export` writes them."""
    visit = Visit.of(request)
    owner = await visit.read(_owner)
    name = f"{visit.path('org')}-audit.jsonl"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Stream(_pieces(visit, owner), media_type="application/jsonl", headers=headers)


async def _pieces(visit: Visit, owner: OrganizationId) -> AsyncIterator[bytes]:
    """Lines, many of them together."""
    piece = bytearray()
    async for line in export_lines(visit.context.store, visit.context.keys, owner):
        piece += encode_line(line)
        if len(piece) >= _PIECE:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)


HANDLERS = (show_check, begin_check, export)
