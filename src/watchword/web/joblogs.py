"""A job's log beside its page: as it was written, and as it grows."""

import json
from collections.abc import AsyncIterator
from contextlib import aclosing

from litestar import get
from litestar.response import Stream

from watchword.domain.errors import WatchwordError
from watchword.domain.pipelines import Job
from watchword.services.house import require_log
from watchword.services.logwindows import LogWindow
from watchword.services.queries import Access, Unit
from watchword.services.tailing import read_parts
from watchword.web import states
from watchword.web.forms import Form
from watchword.web.jobs import JobPlace, find_whole, sections_of
from watchword.web.needs import page
from watchword.web.places import JOB, find_job_place
from watchword.web.rendering import environment
from watchword.web.security import csrf_token
from watchword.web.visit import Visit, WebRequest

_SSE = "text/event-stream"


@get(JOB + "/log.txt", opt=page("log.read"))
async def download(request: WebRequest) -> Stream:
    """The log as the job wrote it, colours and all, as a file."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> Job:
        return (await find_job_place(visit, tx, access))[1]

    job = await visit.read(work)
    await require_log(visit.context, job)
    headers = {"content-disposition": f'attachment; filename="job-{job.id}.log"'}
    return Stream(_bytes(visit, job), media_type="text/plain", headers=headers)


async def _bytes(visit: Visit, job: Job) -> AsyncIterator[bytes]:
    async with aclosing(read_parts(visit.context, job, 0)) as parts:
        async for _, text in parts:
            yield text


@get(JOB + "/log/events", opt=page("log.read"))
async def follow(request: WebRequest) -> Stream:
    """Server-sent events: `lines` with the lines from a number on, `head` where the job moved, `ended`.

    The id of an event is how many lines change no more, so that a browser that lost touch goes on there.
    """
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> Job:
        return (await find_job_place(visit, tx, access))[1]

    job = await visit.read(work)
    known = Form([("last", visit.request.headers.get("last-event-id", ""))])
    first = known.number("last", visit.query.number("from", 1) - 1) + 1
    return Stream(_events(visit, job, first), media_type=_SSE, headers={"x-accel-buffering": "no"})


async def _events(visit: Visit, job: Job, first: int) -> AsyncIterator[bytes]:
    """Each time it is looked anew whether the person may still read this: no stream outlives its right."""

    async def work(tx: Unit, access: Access) -> JobPlace:
        return await find_whole(visit, tx, access)

    yield b"retry: 3000\n\n"
    state = None
    try:
        async with aclosing(visit.authority.windows.follow(job, first)) as windows:
            async for window in windows:
                await visit.authority.signing_in.authenticate(visit.key)
                whole = await visit.read(work)
                if window is None:
                    yield b": still here\n\n"
                    continue
                yield _event("lines", _lines(window, whole), window.settled)
                if window.job.state is not state:
                    state = window.job.state
                    yield _event("head", {"html": _part("head", visit, whole)}, window.settled)
    except WatchwordError:
        pass  # the log was deleted, the session ended, or the right to it: the page looks for itself
    yield b"event: ended\ndata: -\n\n"


def _event(name: str, said: object, settled: int) -> bytes:
    return f"id: {settled}\nevent: {name}\ndata: {json.dumps(said)}\n\n".encode()


def _lines(window: LogWindow, whole: JobPlace) -> dict[str, object]:
    macro = environment().get_template("builds/log.html").module.lines  # type: ignore[attr-defined]
    html = str(macro(sections_of(window), whole.at()))
    return {"first": window.first, "total": window.total, "html": html}


def _part(name: str, visit: Visit, whole: JobPlace) -> str:
    """A part of the job's page, as the page itself has it."""
    template = environment().get_template(f"builds/job_{name}.html")
    return template.render(
        whole=whole,
        place=whole.place,
        access=visit.access,
        organization=visit.access.organization if visit.access else None,
        csrf=csrf_token(visit.key),
        now=visit.now,
        states=states,
    )


HANDLERS = (download, follow)
