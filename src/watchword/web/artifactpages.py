"""Artifacts of a build: the list, and the way to each one's bytes."""

from litestar import get

from watchword.domain.artifacts import Artifact, ArtifactState, newest_by_path
from watchword.domain.errors import Conflict, NotFound
from watchword.services import artifacts as service
from watchword.services.links import DOWNLOAD_SECONDS, download_link
from watchword.services.queries import Access, Unit, artifacts_of
from watchword.web.needs import page
from watchword.web.places import BUILD, BuildPlace, find_build_place
from watchword.web.visit import Page, Visit, WebRequest

ARTIFACTS = BUILD + "/artifacts"


@get(ARTIFACTS, opt=page("artifact.read"))
async def list_artifacts(request: WebRequest) -> Page:
    """Files that the build's jobs left behind; `path` leads to the newest one of that path."""
    visit = Visit.of(request)
    path = visit.query.text("path")

    async def work(tx: Unit, access: Access) -> tuple[BuildPlace, list[Artifact]]:
        place = await find_build_place(visit, tx, access)
        return place, await artifacts_of(tx, place.build)

    place, found = await visit.read(work)
    if path:
        named = [one for one in found if one.path == path and one.state is ArtifactState.FINISHED]
        return visit.go(place.of_build("artifacts", newest_by_path(named)[0].id)) if named else _absent()
    paging, shown = visit.paging.cut_all(found)
    return visit.show("builds/artifacts.html", place=place, artifacts=shown, paging=paging)


def _absent() -> Page:
    raise NotFound("No artifact found")


@get(ARTIFACTS + "/{artifact:str}", opt=page("artifact.read"))
async def download(request: WebRequest) -> Page:
    """Send the browser to the bytes: an address that serves for ten minutes and shows nothing as a page."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> Artifact:
        place = await find_build_place(visit, tx, access)
        found = await service.find(tx, access.id, visit.path("artifact"))
        if found.build_id != place.build.id:
            raise NotFound("No artifact found")
        return found

    artifact = await visit.read(work)
    url = download_link(visit.context, "", artifact, DOWNLOAD_SECONDS)
    if artifact.state is not ArtifactState.FINISHED or not url.startswith(("/", "https://", "http://")):
        raise Conflict(f"This artifact has no bytes here: it is {artifact.state.value}.", code="no_bytes")
    return Page("", status_code=302, media_type="text/html", headers={"location": url})


HANDLERS = (list_artifacts, download)
