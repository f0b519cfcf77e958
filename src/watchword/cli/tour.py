"""`tour`: the life of a token in one minute, on a scratch folder, with a real server and a real agent."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from watchword.app import Application, SystemClock
from watchword.cli.childagent import start_agent
from watchword.cli.ports import free_port
from watchword.domain.ids import BuildId
from watchword.domain.pipelines import Job
from watchword.domain.tokens import MIN_LIFETIME_US
from watchword.edge.logging import configure
from watchword.services.accounts import FirstThings, create_organization
from watchword.services.builds import BuildRequest, CommandStep, create_pipeline
from watchword.services.context import LOCAL
from watchword.services.issuing import Issued, TokenRequest, issue_agent_token
from watchword.services.logs import read_log
from watchword.services.revoking import revoke
from watchword.settings import Settings
from watchword.store.base import Transaction

_PATIENCE = 30.0
_REFUSED = 1


class ShiftedClock(SystemClock):
    """The machine's clock, moved forward by what the tour skips."""

    def __init__(self) -> None:
        self.shift = 0

    def now(self) -> int:
        """Microseconds since the epoch, shifted."""
        return super().now() + self.shift


def tour() -> None:
    """Play the life of a token: join, two jobs, revoke, expiry, leave.

    Everything happens in a temporary folder with a server of its own; nothing is left behind.
    """
    configure("error", "text", ("bk",))
    with tempfile.TemporaryDirectory(prefix="watchword-tour-") as folder:
        if not asyncio.run(_play(Path(folder))):
            sys.exit(1)


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
        authority = self.application.authority
        organization_id = self.first.organization.id

        async def work(tx: Transaction) -> list[Job]:
            found = await tx.builds.pipeline_by_slug(organization_id, "tour")
            pipeline = found or await create_pipeline(
                authority.context, tx, LOCAL, organization_id, "tour", cluster_id=self.first.cluster.id
            )
            step = CommandStep(command=command)
            _, jobs = await authority.builder.create_in(tx, LOCAL, pipeline, (step,), BuildRequest(), None)
            return jobs

        (job,) = await authority.context.store.write(work)
        authority.builder.announce([job])
        return await self._ended(job.build_id)

    async def _ended(self, build_id: BuildId) -> Job:
        store = self.application.authority.context.store
        organization_id = self.first.organization.id
        async with asyncio.timeout(_PATIENCE):
            while True:
                (job,) = await store.read(lambda tx: tx.builds.jobs(organization_id, build_id))
                if job.state.ended:
                    return job
                await asyncio.sleep(0.1)

    async def agent(self, issued: Issued, name: str) -> asyncio.subprocess.Process:
        """Start a reference agent with a token."""
        url = self.application.settings.public_url
        return await start_agent(url, issued.value, self.folder / "builds", name, quiet=True)

    async def log(self, job: Job) -> str:
        """What a job printed."""
        return (await read_log(self.application.authority.context, job)).decode(errors="replace")


@asynccontextmanager
async def _stage(folder: Path) -> AsyncIterator[Stage]:
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


async def _play(folder: Path) -> bool:
    async with _stage(folder) as stage:
        stage.console.print(f"A server of its own runs on {stage.application.settings.public_url}")
        stage.say("1. Issue an agent token, and join with it")
        issued = await stage.issue("tour machines")
        stage.check(f"issued {issued.value}; only its digest is stored", holds=True)
        agent = await stage.agent(issued, "tourist")
        try:
            await _work(stage, issued)
            await _revoke(stage, issued)
            await _expire(stage)
        finally:
            agent.terminate()
            code = await asyncio.wait_for(agent.wait(), _PATIENCE)
        stage.say("5. Leave")
        stage.check("the agent disconnected gracefully; its session token is dead", holds=code == 0)
        stage.check("no agent is left", holds=not stage.application.authority.fleet.agents)
        return stage.failures == 0


async def _work(stage: Stage, issued: Issued) -> None:
    stage.say("2. Run two jobs, each with a token of its own")
    for number in ("one", "two"):
        job = await stage.run_job(f"echo job {number} says hello")
        text = await stage.log(job)
        stage.check(f"job {number}: passed; its token died with it", holds=job.passed)
        stage.check("its log is here", holds=f"job {number} says hello" in text)
    use = await stage.application.authority.ledger.last_used(issued.token.organization_id, issued.token.id)
    stage.check(f"the agent token was last used from {use.address if use else '?'}", holds=use is not None)


async def _revoke(stage: Stage, issued: Issued) -> None:
    stage.say("3. Revoke the agent token")
    context = stage.application.authority.context
    await context.store.write(
        lambda tx: revoke(context, tx, LOCAL, issued.token, stage.first.admin.id, "tour")
    )
    job = await stage.run_job("echo still here")
    stage.check("the connected agent goes on: it ran another job", holds=job.passed)
    await _refused(stage, issued, "revoked")


async def _expire(stage: Stage) -> None:
    stage.say("4. Let a token expire (ten minutes are skipped)")
    brief = await stage.issue("ten minutes", expires_in=MIN_LIFETIME_US + 1_000_000)
    stage.clock.shift += MIN_LIFETIME_US + 2_000_000
    await _refused(stage, brief, "expired")


async def _refused(stage: Stage, issued: Issued, word: str) -> None:
    process = await stage.agent(issued, "latecomer")
    output, _ = await asyncio.wait_for(process.communicate(), _PATIENCE)
    said = output.decode(errors="replace")
    line = next((line.strip() for line in said.splitlines() if word in line), "")
    stage.check(f"a new agent is refused: {line}", holds=process.returncode == _REFUSED and bool(line))
    stage.check("the refusal shows no token", holds=issued.value.reveal() not in said)
