"""A pipeline with builds, agents and logs, as the console's pages of builds need them."""

from console_client import Console
from services.scene import Scene
from support import World
from watchword.domain.buildsteps import BuildStep
from watchword.domain.pipelines import Build, Job, Pipeline
from watchword.services.builds import BuildRequest, create_pipeline
from watchword.services.context import LOCAL
from watchword.services.logs import Note, add_chunk, annotate
from watchword.services.queries import Page, builds_of, jobs_of, steps_of
from watchword.services.steps import document_of_pipeline, read_configuration
from watchword.store.base import Transaction


class BuildScene(Scene):
    """Short words for tests of pages of builds."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._written: dict[str, int] = {}

    def visitor(self) -> Console:
        made = Console(self.world)
        made.sign_in_as(self.first.admin)
        return made

    def pipeline(self, steps: str = 'steps: [{command: "true"}]', name: str = "App") -> Pipeline:
        async def make() -> Pipeline:
            context = self.authority.context
            configuration = (await read_configuration(steps)).checked()

            async def work(tx: Transaction) -> Pipeline:
                return await create_pipeline(
                    context,
                    tx,
                    LOCAL,
                    self.organization_id,
                    name,
                    cluster_id=self.first.cluster.id,
                    configuration=configuration.text,
                    document=configuration.document,
                    created_by=self.first.admin.id,
                )

            return await context.store.write(work)

        return self.run(make())

    def build_of(self, pipeline: Pipeline, message: str = "", branch: str = "") -> Build:
        builder = self.authority.builder

        async def work(tx: Transaction) -> tuple[Build, list[Job]]:
            steps = document_of_pipeline(pipeline)
            request = BuildRequest(message=message, branch=branch)
            return await builder.create_in(tx, LOCAL, pipeline, steps, request, self.first.admin.id)

        build, jobs = self.run(self.world.store.write(work))
        builder.announce(jobs)
        return build

    def builds(self) -> list[Build]:
        """All builds, newest first."""
        return self.run(
            self.world.store.read(lambda tx: builds_of(tx, self.organization_id, None, Page(100), None))
        )

    def jobs(self, build: Build) -> list[Job]:
        return self.run(self.world.store.read(lambda tx: jobs_of(tx, build)))

    def steps(self, build: Build) -> list[BuildStep]:
        return self.run(self.world.store.read(lambda tx: steps_of(tx, build)))

    def begin(self, job: Job) -> Job:
        """An agent of its own runs the job."""
        accepted = self.accept(self.agent(name=f"agent-{job.id[-6:]}"), job)
        self.start(accepted.job)
        return self.job(job)

    def ended(self, job: Job, exit_status: str = "0", log: bytes = b"") -> Job:
        """The job ran to its end."""
        running = self.begin(job)
        if log:
            self.write(running, log)
        self.finish(running, exit_status)
        return self.job(job)

    def write(self, job: Job, text: bytes) -> None:
        """Go on with the job's log."""
        at = self._written.get(job.id, 0)
        self.run(add_chunk(self.authority.context, job, at + 1, at, text))
        self._written[job.id] = at + len(text)

    def annotate(self, job: Job, body: str, style: str = "info", context: str = "default") -> None:
        self.run(annotate(self.authority.context, job, Note(body=body, style=style, context=context)))
