"""A scene for services: one organization's agents, builds and jobs on a real database, without a network."""

from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, TypeVar

from support import SECOND_US, World, put_into_state
from watchword.domain.errors import Refused
from watchword.domain.events import Action, Event
from watchword.domain.fleet import Agent
from watchword.domain.ids import AgentId, JobId
from watchword.domain.kinds import Kind
from watchword.domain.pipelines import Build, Job, JobState
from watchword.domain.restrictions import UNRESTRICTED, Restrictions
from watchword.domain.tokens import Token
from watchword.services.accounts import add_queue
from watchword.services.authority import Authority
from watchword.services.builds import BuildRequest, CommandStep, create_pipeline
from watchword.services.context import LOCAL
from watchword.services.dispatching import Accepted
from watchword.services.exchanging import Joined, Registration, register
from watchword.services.issuing import Issued, TokenRequest, issue_agent_token
from watchword.services.verifying import Presented
from watchword.store.base import Transaction

T = TypeVar("T")

ADDRESS = "192.0.2.1"
AGENT_TOKENS = (Kind.AGENT, Kind.UNCLUSTERED_AGENT)
SESSIONS = (Kind.AGENT_SESSION,)


class Scene:
    """Short words for what tests of services do again and again."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.first = world.first
        self.organization_id = world.first.organization.id

    @property
    def authority(self) -> Authority:
        return self.world.authority

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.world.run(work)

    def configure(self, **changes: Any) -> None:
        """Go on with other settings of the installation."""
        context = replace(
            self.authority.context, installation=replace(self.authority.context.installation, **changes)
        )
        self.world.authority = Authority.wire(context)
        self.run(self.world.authority.load())

    def forward(self, seconds: float) -> None:
        self.world.clock.forward(round(seconds * SECOND_US))

    def sweep(self) -> None:
        self.run(self.authority.sweep(LOCAL))

    # -- tokens and agents -----------------------------------------------------------------------

    def token(
        self,
        *,
        restrictions: Restrictions = UNRESTRICTED,
        max_uses: int = 0,
        unclustered: bool = False,
        expires_in: float = 0,
    ) -> Issued:
        now = self.world.clock.now()
        request = TokenRequest(
            organization_id=self.organization_id,
            cluster_id=None if unclustered else self.first.cluster.id,
            description="for a test",
            restrictions=restrictions,
            max_uses=max_uses,
            expires_at=now + round(expires_in * SECOND_US) if expires_in else 0,
        )
        context = self.authority.context
        return self.run(
            context.store.write(
                lambda tx: issue_agent_token(context, tx, LOCAL, request, self.first.admin.id)
            )
        )

    def queue(self, key: str) -> None:
        """Add a queue to the default cluster."""
        context = self.authority.context
        self.run(context.store.write(lambda tx: add_queue(context, tx, LOCAL, self.first.cluster, key)))

    def present(self, value: str, kinds: tuple[Kind, ...] = AGENT_TOKENS) -> Presented:
        return self.run(self.authority.verifier.verify(value, kinds, address=ADDRESS))

    def reason(self, value: str, kinds: tuple[Kind, ...] = SESSIONS) -> str:
        """Why a value is refused; empty if it passes."""
        try:
            self.present(value, kinds)
        except Refused as error:
            return error.code
        return ""

    def reason_from(self, value: str, address: str | None, kinds: tuple[Kind, ...] = AGENT_TOKENS) -> str:
        """Why a value is refused from an address; empty if it passes."""
        try:
            self.run(self.authority.verifier.verify(value, kinds, address=address))
        except Refused as error:
            return error.code
        return ""

    def register(self, issued: Issued | None = None, **registration: Any) -> Joined:
        token = issued or self.first.agent_token
        presented = self.present(token.value.reveal())
        asked = Registration(**({"name": "one", "hostname": "host", "version": "3.100.0"} | registration))
        return self.run(register(self.authority.context, self.authority.fleet, LOCAL, presented, asked))

    def connect(self, joined: Joined) -> None:
        self.run(self.authority.fleet.connect(LOCAL, self.organization_id, joined.agent.id))

    def agent(self, issued: Issued | None = None, **registration: Any) -> Joined:
        """An agent that is connected."""
        joined = self.register(issued, **registration)
        self.connect(joined)
        return joined

    # -- builds and jobs -------------------------------------------------------------------------

    def build(
        self, *commands: str, agents: tuple[str, ...] = (), priority: int = 0, unclustered: bool = False
    ) -> tuple[Build, list[Job]]:
        context, first = self.authority.context, self.first
        name = "loose" if unclustered else "app"
        steps = tuple(CommandStep(command=command, agents=agents, priority=priority) for command in commands)

        async def work(tx: Transaction) -> tuple[Build, list[Job]]:
            pipeline = await tx.builds.pipeline_by_slug(self.organization_id, name)
            if pipeline is None:
                cluster_id = None if unclustered else first.cluster.id
                pipeline = await create_pipeline(
                    context, tx, LOCAL, self.organization_id, name, cluster_id=cluster_id
                )
            return await self.authority.builder.create_in(
                tx, LOCAL, pipeline, steps, BuildRequest(), first.admin.id
            )

        build, jobs = self.run(context.store.write(work))
        self.authority.builder.announce(jobs)
        return build, jobs

    def one_job(self, **named: Any) -> Job:
        return self.build("true", **named)[1][0]

    def ping(self, joined: Joined) -> JobId | None:
        return self.authority.dispatcher.ping(joined.agent.id)

    def accept(self, joined: Joined, job: Job) -> Accepted:
        return self.run(self.authority.dispatcher.accept(LOCAL, joined.agent.id, job.id))

    def start(self, job: Job) -> None:
        self.run(self.authority.finisher.start(LOCAL, job))

    def finish(self, job: Job, exit_status: str = "0", **named: Any) -> Job:
        outcome = replace(job, exit_status=exit_status, finished_at=self.world.clock.now())
        return self.run(self.authority.finisher.finish(LOCAL, outcome, **named))

    def set_state(self, job: Job, state: JobState) -> None:
        """Put a job into a state that others bring about."""
        self.run(put_into_state(self.world.store, job.id, state))

    def running(self, joined: Joined) -> Accepted:
        """A job that the agent runs."""
        accepted = self.accept(joined, self.one_job())
        self.start(accepted.job)
        return accepted

    def verify_job(self, value: str, job: Job) -> Job:
        return self.run(self.authority.verifier.verify_job(value, job.id, address=ADDRESS))

    def job_reason(self, value: str, job: Job) -> str:
        """Why a value is refused on a route of the job; empty if it passes."""
        try:
            self.verify_job(value, job)
        except Refused as error:
            return error.code
        return ""

    # -- what is written -------------------------------------------------------------------------

    def job(self, job: Job) -> Job:
        found = self.run(self.world.store.read(lambda tx: tx.builds.job(job.organization_id, job.id)))
        assert found is not None
        return found

    def build_state(self, build: Build) -> str:
        found = self.run(self.world.store.read(lambda tx: tx.builds.build(build.organization_id, build.id)))
        assert found is not None
        return found.state.value

    def row(self, agent_id: AgentId) -> Agent:
        found = self.run(self.world.store.read(lambda tx: tx.fleet.find(self.organization_id, agent_id)))
        assert found is not None
        return found

    def record(self, token: Token) -> Token:
        found = self.run(self.world.store.read(lambda tx: tx.tokens.find(token.organization_id, token.id)))
        assert found is not None
        return found

    def events(self, action: Action) -> list[Event]:
        found = self.run(self.world.store.read(lambda tx: tx.audit.events(self.organization_id, 0, 10_000)))
        return [event for event in found if event.action is action]
