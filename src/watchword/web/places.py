"""Places: where a pipeline, a build or a job of the path stands, and the addresses of what belongs to it."""

from dataclasses import dataclass
from urllib.parse import quote

from watchword.domain.pipelines import Build, Job, Pipeline
from watchword.services.queries import Access, Unit, find_build, find_job, find_pipeline
from watchword.web.visit import Visit

PIPELINES = "/organizations/{org:str}/pipelines"
PIPELINE = "/{org:str}/{pipeline:str}"
BUILDS = PIPELINE + "/builds"
BUILD = BUILDS + "/{number:str}"
JOB = BUILD + "/jobs/{job:str}"


@dataclass(frozen=True, slots=True)
class Place:
    """A pipeline, and the addresses of its pages."""

    organization: str
    pipeline: Pipeline

    @property
    def index(self) -> str:
        """The list of pipelines."""
        return f"/organizations/{self.organization}/pipelines"

    def at(self, *parts: object) -> str:
        """The pipeline, or something below it."""
        return "/" + "/".join(
            quote(str(part), safe="") for part in (self.organization, self.pipeline.slug, *parts)
        )

    @property
    def crumbs(self) -> "list[tuple[str, str]]":
        """Addresses and names of what this is a part of, itself the last."""
        return [(self.index, "Pipelines"), (self.at(), self.pipeline.name)]


@dataclass(frozen=True, slots=True)
class BuildPlace(Place):
    """A build, and the addresses of its pages."""

    build: Build

    def of_build(self, *parts: object) -> str:
        """The build, or something below it."""
        return self.at("builds", self.build.number, *parts)

    def of_job(self, job: Job, *parts: object) -> str:
        """A job of the build, or something below it."""
        return self.of_build("jobs", job.id, *parts)

    @property
    def crumbs(self) -> "list[tuple[str, str]]":
        """Addresses and names of what this is a part of, itself the last."""
        found = [(self.index, "Pipelines"), (self.at(), self.pipeline.name)]
        return [*found, (self.of_build(), f"Build {self.build.number}")]


async def find_place(visit: Visit, tx: Unit, access: Access) -> Place:
    """The pipeline of the path.

    Raises:
        NotFound: there is none.
    """
    return Place(access.organization.slug, await find_pipeline(tx, access.id, visit.path("pipeline")))


async def find_build_place(visit: Visit, tx: Unit, access: Access) -> BuildPlace:
    """The build of the path.

    Raises:
        NotFound: there is none.
    """
    pipeline = await find_pipeline(tx, access.id, visit.path("pipeline"))
    build = await find_build(tx, pipeline, visit.path("number"))
    return BuildPlace(access.organization.slug, pipeline, build)


async def find_job_place(visit: Visit, tx: Unit, access: Access) -> tuple[BuildPlace, Job]:
    """The job of the path, which is one of its build.

    Raises:
        NotFound: there is none.
    """
    place = await find_build_place(visit, tx, access)
    return place, await find_job(tx, access.id, visit.path("job"), place.build)
