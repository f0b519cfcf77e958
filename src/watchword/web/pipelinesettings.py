"""A pipeline's settings: its name and steps; archived, brought back, deleted."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from litestar import get, post

from watchword.domain.errors import Invalid, WatchwordError
from watchword.domain.pipelines import Pipeline
from watchword.services.builds import update_pipeline
from watchword.services.pipelines import archive_pipeline, delete_pipeline, unarchive_pipeline
from watchword.services.queries import Access, Unit
from watchword.services.steps import read_configuration
from watchword.web.forms import Form
from watchword.web.needs import page
from watchword.web.pipelines import MAX_NAME, MAX_TEXT
from watchword.web.places import PIPELINE, Place, find_place
from watchword.web.visit import Page, Visit, WebRequest

SETTINGS = PIPELINE + "/settings"
_TEMPLATE = "pipelines/settings.html"


@get(SETTINGS, opt=page("pipeline.update"))
async def ask_for_settings(request: WebRequest) -> Page:
    """The pipeline's settings, filled in as they are."""
    visit = Visit.of(request)
    place = await visit.read(_find(visit))
    pipeline = place.pipeline
    visit.form = Form(
        [
            ("name", pipeline.name),
            ("description", pipeline.description),
            ("repository", pipeline.repository),
            ("default_branch", pipeline.default_branch),
            ("configuration", pipeline.configuration),
        ]
    )
    return visit.show(_TEMPLATE, place=place)


def _find(visit: Visit) -> Callable[[Unit, Access], Awaitable[Place]]:
    async def work(tx: Unit, access: Access) -> Place:
        return await find_place(visit, tx, access)

    return work


@post(SETTINGS, opt=page("pipeline.update"), status_code=200)
async def change_settings(request: WebRequest) -> Page:
    """Change what the form says; the slug stays."""
    visit = Visit.of(request)
    form = visit.form
    written = await read_configuration(form.text("configuration"))

    async def work(tx: Unit, access: Access) -> Place:
        place = await find_place(visit, tx, access)
        configuration = written.checked()
        changed = replace(
            place.pipeline,
            name=form.text("name"),
            description=form.short("description", MAX_TEXT),
            repository=form.short("repository", MAX_TEXT),
            default_branch=form.short("default_branch", MAX_NAME) or "main",
            configuration=configuration.text,
            document=configuration.document,
        )
        await update_pipeline(visit.context, tx, access.caller, changed)
        return place

    try:
        place = await visit.write(work)
    except WatchwordError as error:
        return visit.show_again(_TEMPLATE, error, place=await visit.read(_find(visit)))
    return visit.go(place.at("settings"), done="pipeline-updated")


Change = Callable[[Unit, Access, Pipeline], Awaitable[object]]


async def _change(visit: Visit, change: Change, done: str) -> Page:
    async def work(tx: Unit, access: Access) -> Place:
        place = await find_place(visit, tx, access)
        await change(tx, access, place.pipeline)
        return place

    try:
        place = await visit.write(work)
    except WatchwordError as error:
        return visit.show_again(_TEMPLATE, error, place=await visit.read(_find(visit)))
    return visit.go(place.index if done == "pipeline-deleted" else place.at("settings"), done=done)


@post(SETTINGS + "/archive", opt=page("pipeline.archive"), status_code=200)
async def archive(request: WebRequest) -> Page:
    """Let the pipeline take no new builds."""
    visit = Visit.of(request)

    async def change(tx: Unit, access: Access, pipeline: Pipeline) -> object:
        return await archive_pipeline(visit.context, tx, access.caller, pipeline)

    return await _change(visit, change, "pipeline-archived")


@post(SETTINGS + "/unarchive", opt=page("pipeline.archive"), status_code=200)
async def unarchive(request: WebRequest) -> Page:
    """Let the pipeline take builds again."""
    visit = Visit.of(request)

    async def change(tx: Unit, access: Access, pipeline: Pipeline) -> object:
        return await unarchive_pipeline(visit.context, tx, access.caller, pipeline)

    return await _change(visit, change, "pipeline-unarchived")


@post(SETTINGS + "/delete", opt=page("pipeline.delete"), status_code=200)
async def delete(request: WebRequest) -> Page:
    """Delete the pipeline and all that it holds; its name is typed, so that it is the one that is meant."""
    visit = Visit.of(request)

    async def change(tx: Unit, access: Access, pipeline: Pipeline) -> None:
        if visit.form.text("confirm") != pipeline.slug:
            raise Invalid("Type the pipeline's slug to delete it.", code="not_confirmed")
        await delete_pipeline(visit.context, tx, access.caller, pipeline)

    return await _change(visit, change, "pipeline-deleted")


HANDLERS = (ask_for_settings, change_settings, archive, unarchive, delete)
