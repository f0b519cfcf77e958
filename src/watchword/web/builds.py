"""Builds of a pipeline: the list, and a new one."""

from collections.abc import Mapping

from litestar import get, post

from watchword.domain.accounts import User
from watchword.domain.errors import Invalid, WatchwordError
from watchword.domain.ids import UserId
from watchword.domain.pipelines import Build, Job, branch_fits
from watchword.services.builds import BuildRequest
from watchword.services.queries import Access, Unit, builds_of, people
from watchword.services.steps import document_of_pipeline
from watchword.web import states
from watchword.web.forms import Form
from watchword.web.needs import page
from watchword.web.places import BUILDS, PIPELINE, BuildPlace, Place, find_place
from watchword.web.visit import Page, Visit, WebRequest

_SOURCE = "ui"
_MAX_NAME = 255
_MAX_MESSAGE = 65_536


@get([PIPELINE, BUILDS], opt=page("build.read"))
async def list_builds(request: WebRequest) -> Page:
    """Builds of the pipeline, newest first, narrowed by state and branch."""
    visit = Visit.of(request)
    state, branch = visit.query.text("state"), visit.query.text("branch")

    def fits(build: Build) -> bool:
        return (not state or state in (build.state, build.blocked_state)) and (
            not branch or branch_fits(branch, build.branch)
        )

    async def work(tx: Unit, access: Access) -> tuple[Place, list[Build], Mapping[UserId, User]]:
        place = await find_place(visit, tx, access)
        wanted = fits if state or branch else None
        builds = await builds_of(tx, access.id, place.pipeline, visit.paging.window, wanted)
        return place, builds, await people(tx, [build.created_by for build in builds])

    place, builds, found = await visit.read(work)
    paging, shown = visit.paging.cut(builds)
    return visit.show(
        "pipelines/builds.html",
        place=place,
        builds=shown,
        paging=paging,
        people=found,
        states=states,
        state=state,
        branch=branch,
    )


@get(BUILDS + "/new", opt=page("build.create"))
async def ask_for_build(request: WebRequest) -> Page:
    """The form of a new build; a query may fill it in."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> Place:
        return await find_place(visit, tx, access)

    place = await visit.read(work)
    visit.form = visit.query
    return visit.show("builds/new.html", place=place)


@post(BUILDS, opt=page("build.create"), status_code=200)
async def create_build(request: WebRequest) -> Page:
    """Run the pipeline's steps and show the build."""
    visit = Visit.of(request)
    builder = visit.authority.builder

    async def work(tx: Unit, access: Access) -> tuple[BuildPlace, list[Job]]:
        place = await find_place(visit, tx, access)
        steps = document_of_pipeline(place.pipeline)
        request = _request(visit.form)
        build, jobs = await builder.create_in(
            tx, access.caller, place.pipeline, steps, request, access.user.id
        )
        return BuildPlace(place.organization, place.pipeline, build), jobs

    async def find(tx: Unit, access: Access) -> Place:
        return await find_place(visit, tx, access)

    try:
        place, jobs = await visit.write(work)
    except WatchwordError as error:
        return visit.show_again("builds/new.html", error, place=await visit.read(find))
    builder.announce(jobs)
    return visit.go(place.of_build())


def _request(form: Form) -> BuildRequest:
    """What the form asks of the build.

    Raises:
        Invalid: a line of the variables is none, or a text is too long.
    """
    return BuildRequest(
        commit=form.short("commit", _MAX_NAME) or "HEAD",
        branch=form.short("branch", _MAX_NAME),
        message=form.short("message", _MAX_MESSAGE),
        env=_variables(form.text("env"))
        | ({"BUILDKITE_CLEAN_CHECKOUT": "true"} if form.ticked("clean_checkout") else {}),
        source=_SOURCE,
    )


def _variables(text: str) -> dict[str, str]:
    """Variables, one in a line: `NAME=value`."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, mark, value = line.partition("=")
        if line.strip() and not (mark and name.strip()):
            raise Invalid(f"{line!r} is no variable; write NAME=value.", code="invalid_env")
        if line.strip():
            found[name.strip()] = value
    return found


HANDLERS = (list_builds, ask_for_build, create_build)
