"""Server-sent events: an open page hears what kinds of things changed, and looks at itself anew."""

from collections.abc import AsyncIterator

from litestar import get
from litestar.response import Stream

from watchword.domain.errors import WatchwordError
from watchword.services.access import Access
from watchword.services.queries import Unit
from watchword.web.forms import Form
from watchword.web.needs import page
from watchword.web.visit import Visit, WebRequest

_SSE = "text/event-stream"


@get("/organizations/{org:str}/events", opt=page("organization.read"))
async def listen(request: WebRequest) -> Stream:
    """`data:` lines with the kinds of what changed, until the session ends or the person leaves."""
    visit = Visit.of(request)
    access = await visit.read(_enter)
    # Proxies that keep answers back would keep these back (nginx).
    return Stream(_lines(visit, access), media_type=_SSE, headers={"x-accel-buffering": "no"})


async def _enter(_tx: Unit, access: Access) -> Access:
    return access


async def _lines(visit: Visit, access: Access) -> AsyncIterator[bytes]:
    """Each time it is looked anew whether the person still belongs here: no stream outlives its right."""
    yield b"retry: 3000\n\n"
    known = Form([("after", visit.request.headers.get("last-event-id", visit.query.text("after")))])
    after = known.number("after")
    async for position, kinds in visit.authority.following.changes(access.id, after):
        try:
            await visit.authority.signing_in.authenticate(visit.key)
            await visit.read(_enter)
        except WatchwordError:
            yield b"event: ended\ndata: -\n\n"
            return
        if kinds:
            yield f"id: {position}\ndata: {' '.join(sorted(kinds))}\n\n".encode()
        else:
            yield b": still here\n\n"


HANDLERS = (listen,)
