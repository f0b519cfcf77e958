"""A build's page: its steps and jobs in order, what jobs wrote about it, and what people may do."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from litestar import get
from markupsafe import Markup

from watchword.domain.accounts import User
from watchword.domain.fleet import Agent
from watchword.domain.ids import AgentId, UserId
from watchword.domain.outline import Row, outline
from watchword.domain.pipelines import Annotation, Build, Job, JobState
from watchword.services.notes import Notes
from watchword.services.queries import (
    Access,
    Unit,
    agents_by_id,
    annotations_of,
    artifacts_of,
    jobs_of,
    people,
    rebuilt_from,
    steps_of,
)
from watchword.web import states
from watchword.web.needs import page
from watchword.web.places import BUILD, BuildPlace, find_build_place
from watchword.web.visit import Page, Visit, WebRequest

ROWS = 200
# Names of the ways to narrow the jobs, and what each shows.
SHOWN: Mapping[str, tuple[str, Callable[[Job], bool]]] = {
    "": ("All", lambda _: True),
    "failed": ("Failed", lambda job: job.state is JobState.TIMED_OUT or _failed(job)),
    "running": ("Running", lambda job: job.state.held),
    "waiting": ("Waiting", lambda job: not job.state.held and not job.state.ended),
    "passed": ("Passed", lambda job: job.passed),
}


def _failed(job: Job) -> bool:
    return job.state is JobState.FINISHED and not job.passed


@dataclass(frozen=True, slots=True)
class Note:
    """An annotation, formatted; its HTML comes from the sanitiser."""

    annotation: Annotation
    html: Markup


@dataclass(frozen=True, slots=True)
class Whole:
    """All that a build's page shows."""

    place: BuildPlace
    rows: list[Row]
    people: Mapping[UserId, User]
    agents: Mapping[AgentId, Agent]
    annotations: list[Annotation]
    artifacts: int
    source: Build | None

    @property
    def jobs(self) -> list[Job]:
        """The latest attempts."""
        return [row.job for row in self.rows if row.job is not None]


@get(BUILD, opt=page("build.read"))
async def show_build(request: WebRequest) -> Page:
    """The build."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> Whole:
        return await _whole(tx, access, await find_build_place(visit, tx, access))

    whole = await visit.read(work)
    shown = visit.query.text("show") if visit.query.text("show") in SHOWN else ""
    fits = SHOWN[shown][1]
    rows = [row for row in whole.rows if not shown or (row.job is not None and fits(row.job))]
    paging, cut = replace(visit.paging, size=ROWS).cut_all(rows)
    return visit.show(
        "builds/show.html",
        place=whole.place,
        whole=whole,
        rows=cut,
        paging=paging,
        counts=_counts(whole.jobs),
        shown=shown,
        notes=await format_notes(visit.authority.notes, whole.place, whole.annotations),
        retryable=any(job.retried_in is None and SHOWN["failed"][1](job) for job in whole.jobs),
        states=states,
    )


async def _whole(tx: Unit, access: Access, place: BuildPlace) -> Whole:
    build = place.build
    steps, jobs = await steps_of(tx, build), await jobs_of(tx, build)
    return Whole(
        place,
        outline(steps, jobs),
        await people(tx, [build.created_by, *(step.unblocked_by for step in steps)]),
        await agents_by_id(tx, access.id, [job.agent_id for job in jobs]),
        await annotations_of(tx, build),
        sum(one.state.kept for one in await artifacts_of(tx, build)),
        await rebuilt_from(tx, build),
    )


def _counts(jobs: Sequence[Job]) -> list[tuple[str, str, int]]:
    """For each way to narrow the jobs: its name in the address, its name on the page, how many it shows."""
    counted = Counter(key for job in jobs for key, (_, fits) in SHOWN.items() if fits(job))
    return [(key, title, counted[key]) for key, (title, _) in SHOWN.items() if counted[key] or not key]


async def format_notes(notes: Notes, place: BuildPlace, annotations: list[Annotation]) -> list[Note]:
    """Annotations as HTML in which nothing acts; links to artifacts lead to the build's."""
    made = await notes.show(annotations, place.of_build("artifacts") + "?path=")
    return [Note(one, Markup(html)) for one, html in zip(annotations, made, strict=True)]  # noqa: S704 - sanitised


HANDLERS = (show_build,)
