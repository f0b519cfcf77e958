"""Pipelines: the list with the latest build of each, and a new one."""

from collections.abc import Callable
from dataclasses import dataclass

from litestar import get, post

from watchword.domain.accounts import Cluster
from watchword.domain.errors import WatchwordError
from watchword.domain.ids import ClusterId
from watchword.domain.pipelines import Build, Pipeline, PipelineWork
from watchword.services.builds import create_pipeline
from watchword.services.pipelines import work_of
from watchword.services.queries import Access, Unit, builds_of, clusters_of, pipelines_of
from watchword.services.queries import Page as Window
from watchword.services.steps import read_configuration
from watchword.web import states
from watchword.web.needs import page
from watchword.web.places import PIPELINES, Place
from watchword.web.visit import Page, Visit, WebRequest

_MAX_CLUSTERS = 200
MAX_TEXT = 1024
MAX_NAME = 255
EXAMPLE = 'steps:\n  - label: "Test"\n    command: "make test"\n'


@dataclass(frozen=True, slots=True)
class Listed:
    """A pipeline of the list, with its latest build and what of it has not ended."""

    place: Place
    latest: Build | None
    work: PipelineWork


@get(PIPELINES, opt=page("pipeline.read"))
async def list_pipelines(request: WebRequest) -> Page:
    """All pipelines, oldest first; those whose name holds a text where one is given."""
    visit = Visit.of(request)
    wanted = visit.query.text("q").casefold()
    fits: Callable[[Pipeline], bool] | None = None
    if wanted:
        fits = lambda one: wanted in f"{one.name} {one.slug}".casefold()  # noqa: E731 - one of two

    async def work(tx: Unit, access: Access) -> list[Listed]:
        open_work = await work_of(tx, access.id)
        found = []
        for one in await pipelines_of(tx, access.id, visit.paging.window, fits):
            latest = await builds_of(tx, access.id, one, Window(1), None)
            idle = PipelineWork(one.id)
            place = Place(access.organization.slug, one)
            found.append(Listed(place, latest[0] if latest else None, open_work.get(one.id, idle)))
        return found

    paging, shown = visit.paging.cut(await visit.read(work))
    return visit.show(
        "pipelines/index.html",
        pipelines=shown,
        paging=paging,
        states=states,
        wanted=visit.query.text("q"),
    )


async def _clusters(tx: Unit, access: Access) -> list[Cluster]:
    return await clusters_of(tx, access.id, Window(_MAX_CLUSTERS))


@get(PIPELINES + "/new", opt=page("pipeline.create"))
async def ask_for_pipeline(request: WebRequest) -> Page:
    """The form of a new pipeline."""
    visit = Visit.of(request)
    clusters = await visit.read(_clusters)
    visit.form.given.append(("configuration", EXAMPLE))
    return visit.show("pipelines/new.html", clusters=clusters)


@post(PIPELINES, opt=page("pipeline.create"), status_code=200)
async def create_one(request: WebRequest) -> Page:
    """Create a pipeline and show it."""
    visit = Visit.of(request)
    form = visit.form
    written = await read_configuration(form.text("configuration"))

    async def work(tx: Unit, access: Access) -> Pipeline:
        configuration = written.checked()
        return await create_pipeline(
            visit.context,
            tx,
            access.caller,
            access.id,
            form.text("name"),
            cluster_id=ClusterId(form.text("cluster")) if form.text("cluster") else None,
            repository=form.short("repository", MAX_TEXT),
            configuration=configuration.text,
            document=configuration.document,
            default_branch=form.short("default_branch", MAX_NAME) or "main",
            created_by=access.user.id,
            description=form.short("description", MAX_TEXT),
        )

    try:
        pipeline = await visit.write(work)
    except WatchwordError as error:
        return visit.show_again("pipelines/new.html", error, clusters=await visit.read(_clusters))
    return visit.go(Place(visit.path("org"), pipeline).at(), done="pipeline-created")


HANDLERS = (list_pipelines, ask_for_pipeline, create_one)
