"""A job's page: where it stands, and a window on its log, however long that is."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from litestar import get

from watchword.domain.accounts import Queue
from watchword.domain.ansi import Line, sections, title_of
from watchword.domain.errors import Invalid, NotFound
from watchword.domain.fleet import Agent
from watchword.domain.pipelines import Job
from watchword.domain.stacks import Stack, StackNotification
from watchword.services.logwindows import Found, LogWindow
from watchword.services.queries import Access, Unit, agents_by_id, jobs_of
from watchword.web import states
from watchword.web.forms import Form, Problem
from watchword.web.needs import page
from watchword.web.places import JOB, BuildPlace, find_job_place
from watchword.web.visit import Page, Visit, WebRequest

LINES = 1000
# Lines that are shown before the one that an address names.
_ABOVE = 20
_MOST_FOUND = 200


@dataclass(frozen=True, slots=True)
class JobPlace:
    """All that a job's page shows but the log.

    Attributes:
        stack: the stack that reserved the job last.
        said: what stacks said of it.
    """

    place: BuildPlace
    job: Job
    agent: Agent | None
    queue: Queue | None
    former: Job | None
    later: Job | None
    stack: Stack | None
    said: Sequence[StackNotification]

    def at(self, *parts: object) -> str:
        """Address of the job, or of something below it."""
        return self.place.of_job(self.job, *parts)


async def find_whole(visit: Visit, tx: Unit, access: Access) -> JobPlace:
    """The job of the path.

    Raises:
        NotFound: there is none.
    """
    place, job = await find_job_place(visit, tx, access)
    agents = await agents_by_id(tx, access.id, [job.agent_id])
    queue = await tx.accounts.queue(access.id, job.queue_id) if job.queue_id is not None else None
    near = {one.id: one for one in await jobs_of(tx, place.build)} if job.retries or job.retried_in else {}
    return JobPlace(
        place,
        job,
        agents.get(job.agent_id) if job.agent_id is not None else None,
        queue,
        near.get(job.retry_source) if job.retry_source is not None else None,
        near.get(job.retried_in) if job.retried_in is not None else None,
        await tx.stacks.find(access.id, job.reserved_by) if job.reserved_by is not None else None,
        await tx.stacks.notifications(access.id, job.id),
    )


@dataclass(frozen=True, slots=True)
class Section:
    """Lines under one heading, or those before the first; `open` is whether they are shown at first.

    Attributes:
        first: number of the first of its lines.
    """

    first: int
    lines: Sequence[Line]
    heading: Line | None
    open: bool

    @property
    def title(self) -> Line:
        """The heading without its mark."""
        return title_of(self.heading) if self.heading is not None else Line(())


def sections_of(window: LogWindow) -> list[Section]:
    """The window's lines by section; the last one is open, so that what fails or runs is seen."""
    starts = sections(window.lines)
    found = [Section(window.first, window.lines[: starts[0][0] if starts else None], None, open=True)]
    for at, (start, is_open) in enumerate(starts):
        end = starts[at + 1][0] if at + 1 < len(starts) else None
        lines = window.lines[start + 1 : end]
        shown = is_open or end is None
        found.append(Section(window.first + start + 1, lines, window.lines[start], open=shown))
    return found


@dataclass(frozen=True, slots=True)
class Hit:
    """A line that a search found: its text in pieces, each with whether it is what was looked for."""

    number: int
    pieces: list[tuple[str, bool]]


_SHOWN = 300


def hits(found: Found, needle: str) -> list[Hit]:
    """What a search found, with the places marked; long lines are cut around the first."""
    pattern = re.compile(f"({re.escape(needle)})", re.IGNORECASE)
    shown = []
    for number, text in found.lines:
        first = pattern.search(text)
        start = max(0, (first.start() if first else 0) - _SHOWN // 3)
        parts = pattern.split(text[start : start + _SHOWN])
        shown.append(Hit(number, [(part, bool(at % 2)) for at, part in enumerate(parts) if part]))
    return shown


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which part of the log an address asks for.

    Attributes:
        first: number of the first line; 0 for the log's end.
        marked: number of the line that is meant; 0 for none.
        needle: text that is looked for.
    """

    first: int
    marked: int
    needle: str

    @classmethod
    def of(cls, query: Form) -> "Wanted":
        """What the query says: `line` names one line, `from` the first one."""
        marked = query.number("line")
        first = max(1, marked - _ABOVE) if marked else query.number("from")
        return cls(first, marked, query.text("q"))

    def at(self, path: str, **changes: object) -> str:
        """The address of another part; the search stays."""
        pairs = {"q": self.needle, **changes}
        query = urlencode({name: value for name, value in pairs.items() if value})
        return f"{path}?{query}" if query else path


@get(JOB, opt=page("log.read"))
async def show_job(request: WebRequest) -> Page:
    """The job, and the end of its log or the part that is asked for."""
    visit = Visit.of(request)
    wanted = Wanted.of(visit.query)

    async def work(tx: Unit, access: Access) -> JobPlace:
        return await find_whole(visit, tx, access)

    whole = await visit.read(work)
    reading = await _read(visit, whole.job, wanted)
    return visit.show(
        "builds/job.html",
        whole=whole,
        place=whole.place,
        wanted=wanted,
        reading=reading,
        window=reading.window,
        problems=reading.problems,
        page_lines=LINES,
        states=states,
    )


@dataclass(slots=True)
class Reading:
    """What a page shows of the log; nothing of one that was deleted, which is no failure of the page."""

    window: LogWindow | None = None
    sections: Sequence[Section] = ()
    found: Found | None = None
    hits: Sequence[Hit] = ()
    problems: Sequence[Problem] = ()


async def _read(visit: Visit, job: Job, wanted: Wanted) -> Reading:
    windows = visit.authority.windows
    reading = Reading()
    try:
        window = await (windows.view(job, wanted.first, LINES) if wanted.first else windows.tail(job, LINES))
        reading.window, reading.sections = window, sections_of(window)
        if wanted.needle:
            reading.found = await windows.search(job, wanted.needle, most=_MOST_FOUND)
            reading.hits = hits(reading.found, wanted.needle)
    except NotFound:
        reading.window = None
    except Invalid as error:
        reading.problems = [Problem.of(error, "q")]
    return reading


HANDLERS = (show_job,)
