"""The stage of tours: a server of its own on a scratch folder, a clock that can be moved, real agents."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from watchword.app import Application, SystemClock
from watchword.cli.childagent import start_agent
from watchword.cli.ports import free_port
from watchword.domain.ids import BuildId
from watchword.domain.pipelines import Job
from watchword.edge.logging import configure
from watchword.services.accounts import FirstThings, create_organization
from watchword.services.builds import BuildRequest, CommandStep, create_pipeline
from watchword.services.context import LOCAL
from watchword.services.issuing import Issued, TokenRequest, issue_agent_token
from watchword.services.logs import read_log
from watchword.settings import Settings
from watchword.store.base import Transaction, Work

T = TypeVar("T")

PATIENCE = 30.0


class ShiftedClock(SystemClock):
    """The machine's clock, moved forward by what the tour skips."""

    def __init__(self) -> None:
        self.shift = 0

    def now(self) -> int:
        """Microseconds since the epoch, shifted."""
        return super().now() + self.shift


@dataclass(slots=True)
class Stage:
    """What the scenes share."""

    application: Application
    clock: ShiftedClock
    first: FirstThings
    folder: Path
    console: Console = field(default_factory=Console)
    failures: int = 0

    def say(self, text: str) -> None:
        """Tell what happens next."""
        self.console.print(f"\n[bold]{text}[/bold]")

    def check(self, text: str, *, holds: bool) -> None:
        """Show whether something is as promised."""
        self.failures += not holds
        self.console.print(f"  {'[green]✓[/green]' if holds else '[red]✗[/red]'} {text}", highlight=False)

    async def read(self, work: Work[T]) -> T:
        """A unit of work that reads."""
        return await self.application.authority.context.store.read(work)

    async def write(self, work: Work[T]) -> T:
        """A unit of work."""
        return await self.application.authority.context.store.write(work)

    async def issue(self, description: str, *, expires_in: int = 0) -> Issued:
        """An agent token of the default cluster."""
        context = self.application.authority.context
        request = TokenRequest(
            organization_id=self.first.organization.id,
            cluster_id=self.first.cluster.id,
            description=description,
            expires_at=self.clock.now() + expires_in if expires_in else 0,
        )
        return await context.store.write(
            lambda tx: issue_agent_token(context, tx, LOCAL, request, self.first.admin.id)
        )

    async def run_job(self, command: str) -> Job:
        """Create a build of one command and wait until its job has ended."""
        (job,) = await self.ended(await self.build(command))
        return job

    async def build(self, *commands: str) -> BuildId:
        """Create a build with a job for each command."""
        authority = self.application.authority
        organization_id = self.first.organization.id

        async def work(tx: Transaction) -> list[Job]:
            found = await tx.builds.pipeline_by_slug(organization_id, "tour")
            pipeline = found or await create_pipeline(
                authority.context, tx, LOCAL, organization_id, "tour", cluster_id=self.first.cluster.id
            )
            steps = tuple(CommandStep(command=command) for command in commands)
            _, jobs = await authority.builder.create_in(tx, LOCAL, pipeline, steps, BuildRequest(), None)
            return jobs

        jobs = await authority.context.store.write(work)
        authority.builder.announce(jobs)
        return jobs[0].build_id

    async def ended(self, build_id: BuildId) -> list[Job]:
        """Jobs of a build, once all of them have ended."""
        store = self.application.authority.context.store
        organization_id = self.first.organization.id
        jobs: list[Job] = []
        async with asyncio.timeout(PATIENCE):
            while not jobs or not all(job.state.ended for job in jobs):
                await asyncio.sleep(0.1)
                jobs = list(await store.read(lambda tx: tx.builds.jobs(organization_id, build_id)))
        return jobs

    async def agent(self, issued: Issued, name: str) -> asyncio.subprocess.Process:
        """Start a reference agent with a token."""
        url = self.application.settings.public_url
        return await start_agent(url, issued.value, self.folder / "builds", name, quiet=True)

    async def log(self, job: Job) -> str:
        """What a job printed."""
        return (await read_log(self.application.authority.context, job)).decode(errors="replace")


@asynccontextmanager
async def open_stage(folder: Path) -> AsyncIterator[Stage]:
    """A stage with its server running."""
    clock = ShiftedClock()
    settings = Settings(
        data=folder / "data",
        listen=f"127.0.0.1:{free_port('127.0.0.1')}",
        ping_interval=1,
        job_status_interval=1,
        sweep_interval=3600,  # skipping time must not lose the agent that is connected
    )
    application = await Application.open(settings, clock)
    first = await create_organization(
        application.authority.context, LOCAL, "acme", "Acme", "admin@example.com", "Administrator"
    )
    ready = asyncio.Event()
    serving = asyncio.create_task(application.serve(ready.set))
    await ready.wait()
    try:
        yield Stage(application, clock, first, folder)
    finally:
        application.stop()
        await serving
        await application.close()


def play(story: Callable[[Stage], Awaitable[None]]) -> None:
    """Play a story on a stage in a temporary folder; exit status 1 if something was not as promised."""
    configure("error", "text", ("bk",))
    with tempfile.TemporaryDirectory(prefix="watchword-tour-") as folder:
        if not asyncio.run(_on_stage(Path(folder), story)):
            sys.exit(1)


async def _on_stage(folder: Path, story: Callable[[Stage], Awaitable[None]]) -> bool:
    async with open_stage(folder) as stage:
        stage.console.print(f"A server of its own runs on {stage.application.settings.public_url}")
        await story(stage)
        return stage.failures == 0
