"""Artifacts of builds and jobs (contract rest-graphql §2.17): list, get, download, delete."""

import msgspec
from litestar import Response, delete, get

from watchword.domain import artifacts
from watchword.domain.artifacts import ArtifactState, content_type_of, matches
from watchword.domain.errors import Conflict, Invalid
from watchword.rest.call import PAGED, Call, RestRequest, needs
from watchword.rest.jobs import BUILD, JOB, locate
from watchword.rest.jobshapes import Place
from watchword.services import artifacts as service
from watchword.services.context import Caller
from watchword.services.links import DOWNLOAD_SECONDS, download_link
from watchword.services.queries import Access, Unit, artifacts_of, find_build, find_pipeline

ARTIFACTS = [path + "/artifacts" for path in JOB]
ARTIFACT = [path + "/{artifact:str}" for path in ARTIFACTS]
_FILTERS = ("state", "path", *PAGED)


class Artifact(msgspec.Struct, kw_only=True):
    """A file that a job left behind; its bytes are at `download_url`."""

    id: str
    job_id: str
    url: str
    download_url: str
    state: str
    path: str
    dirname: str
    filename: str
    mime_type: str
    file_size: int
    glob_path: str | None
    original_path: str
    sha1sum: str
    sha256sum: str | None


class Download(msgspec.Struct, kw_only=True):
    """Where the bytes are for the next minutes."""

    url: str


def show_artifact(place: Place, artifact: artifacts.Artifact) -> Artifact:
    """An artifact as JSON."""
    url = place.url("jobs", artifact.job_id, "artifacts", artifact.id)
    dirname, _, filename = artifact.path.replace("\\", "/").rpartition("/")
    return Artifact(
        id=artifact.id,
        job_id=artifact.job_id,
        url=url,
        download_url=f"{url}/download",
        state=artifact.state.value,
        path=artifact.path,
        dirname=dirname or ".",
        filename=filename,
        mime_type=content_type_of(artifact.content_type),
        file_size=artifact.size,
        glob_path=artifact.glob_path or None,
        original_path=artifact.absolute_path,
        sha1sum=artifact.sha1,
        sha256sum=artifact.sha256 or None,
    )


def _fitting(call: Call, rows: list[artifacts.Artifact]) -> list[artifacts.Artifact]:
    """Rows that the query's filters let through, as far as the page needs them.

    Raises:
        Invalid: a state is not one of an artifact.
    """
    states, paths = call.query("state"), call.query("path")
    known = [state.value for state in ArtifactState]
    if not set(states) <= set(known):
        raise Invalid(f"The state of an artifact is one of {', '.join(known)}.", code="invalid_state")
    fitting = [
        row
        for row in rows
        if (not states or row.state in states) and (not paths or any(matches(one, row.path) for one in paths))
    ]
    window = call.page.window
    return fitting[window.offset : window.offset + window.limit]


@get(BUILD + "/artifacts", opt=needs("artifact.read", query=_FILTERS), summary="List artifacts of a build")
async def list_of_build(request: RestRequest) -> Response[list[Artifact]]:
    """Artifacts of all jobs of a build, oldest first."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> tuple[Place, list[artifacts.Artifact]]:
        pipeline = await find_pipeline(tx, access.id, call.path("pipeline"))
        build = await find_build(tx, pipeline, call.path("number"))
        place = Place(call.site, access.organization, pipeline, build)
        return place, _fitting(call, await artifacts_of(tx, build))

    place, rows = await call.read(work)
    return call.listed([show_artifact(place, one) for one in call.page.cut(rows)], rows)


@get(ARTIFACTS, opt=needs("artifact.read", query=_FILTERS), summary="List artifacts of a job")
async def list_of_job(request: RestRequest) -> Response[list[Artifact]]:
    """Artifacts of a job, oldest first."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> tuple[Place, list[artifacts.Artifact]]:
        place, job = await locate(call, tx, access)
        found = [one for one in await artifacts_of(tx, place.build) if one.job_id == job.id]
        return place, _fitting(call, found)

    place, rows = await call.read(work)
    return call.listed([show_artifact(place, one) for one in call.page.cut(rows)], rows)


async def _located(call: Call) -> tuple[Place, artifacts.Artifact, Caller]:
    """The artifact of the path, where it is, and who asks."""

    async def work(tx: Unit, access: Access) -> tuple[Place, artifacts.Artifact, Caller]:
        place, job = await locate(call, tx, access)
        found = await service.find(tx, access.id, call.path("artifact"), job.id)
        return place, found, access.caller

    return await call.read(work)


@get(ARTIFACT, opt=needs("artifact.read"), summary="Get an artifact")
async def get_artifact(request: RestRequest) -> Artifact:
    """One artifact by its id."""
    place, artifact, _ = await _located(Call.of(request))
    return show_artifact(place, artifact)


@get(
    [path + "/download" for path in ARTIFACT],
    opt=needs("artifact.read"),
    status_code=302,
    summary="Download an artifact",
)
async def download(request: RestRequest) -> Response[Download]:
    """Send the caller to the bytes: an address that needs no token and serves for ten minutes."""
    call = Call.of(request)
    _, artifact, _ = await _located(call)
    url = download_link(call.context, call.site.url, artifact, DOWNLOAD_SECONDS)
    if artifact.state is not ArtifactState.FINISHED or not url:
        raise Conflict(f"This artifact has no bytes here: it is {artifact.state.value}.", code="no_bytes")
    return Response(
        Download(url=url), status_code=302, headers={"location": url}, media_type="application/json"
    )


@delete(ARTIFACT, opt=needs("artifact.delete"), status_code=204, summary="Delete an artifact")
async def delete_artifact(request: RestRequest) -> None:
    """Delete an artifact's bytes; its record says so from then on."""
    call = Call.of(request)
    _, artifact, caller = await _located(call)
    await service.delete(call.context, caller, artifact)


HANDLERS = (list_of_build, list_of_job, get_artifact, download, delete_artifact)
