"""Builds: pipelines, builds of one command, cancelling, and what a build shows."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from watchword.domain.accounts import Cluster, Queue, check_slug, slugify
from watchword.domain.environment import AGENT_OWNED, NO_REPOSITORY
from watchword.domain.errors import Conflict, Invalid, NotFound
from watchword.domain.events import Action
from watchword.domain.ids import BuildId, ClusterId, JobId, OrganizationId, PipelineId, UserId
from watchword.domain.pipelines import Build, BuildState, Job, JobState, Pipeline
from watchword.services.accounts import check_name
from watchword.services.context import Caller, Context
from watchword.services.dispatching import Dispatcher
from watchword.services.finishing import Finisher
from watchword.store.base import Duplicate, Transaction

MAX_COMMAND = 64 * 1024
MAX_ENV = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandStep:
    """One command to run. `agents` are rules an agent's tags must satisfy, `queue=KEY` among them."""

    command: str
    label: str = ""
    key: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    agents: tuple[str, ...] = ()
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """What a caller asks of a new build."""

    commit: str = "HEAD"
    branch: str = ""
    message: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    source: str = "api"


async def create_pipeline(
    context: Context,
    tx: Transaction,
    caller: Caller,
    organization_id: OrganizationId,
    name: str,
    *,
    cluster_id: ClusterId | None,
    repository: str = "",
    configuration: str = "",
    default_branch: str = "main",
    created_by: UserId | None = None,
) -> Pipeline:
    """Create a pipeline inside a unit of work; its slug is made of its name.

    Raises:
        Invalid: the name cannot become a slug.
        Conflict: the slug is taken.
        NotFound: the organization has no such cluster.
    """
    if cluster_id is not None and await tx.accounts.cluster(organization_id, cluster_id) is None:
        raise NotFound("No cluster found")
    pipeline = Pipeline(
        organization_id,
        PipelineId(context.new_id()),
        cluster_id,
        check_slug(slugify(check_name(name))),
        check_name(name),
        repository or NO_REPOSITORY,
        default_branch,
        configuration,
        context.clock.now(),
        created_by,
    )
    try:
        await tx.builds.add_pipeline(pipeline)
    except Duplicate:
        raise Conflict(f"Validation failed: Name {name} already exists", code="taken") from None
    await context.record(
        tx, caller, Action.PIPELINE_CREATED, organization_id, ("pipeline", pipeline.id), {"name": name}
    )
    return pipeline


def check_environment(env: Mapping[str, str]) -> Mapping[str, str]:
    """Refuse variables that only an agent may set: they could shadow its tokens.

    Raises:
        Invalid: a name is such a variable or no name, or there are too many.
    """
    if len(env) > MAX_ENV:
        raise Invalid(f"Validation failed: Env takes at most {MAX_ENV} variables", code="invalid_env")
    for name in env:
        if name in AGENT_OWNED:
            raise Invalid(f"Validation failed: {name} is set by the agent alone", code="protected_variable")
        if not name or "=" in name or "\0" in name or "\0" in env[name]:
            raise Invalid("Validation failed: Env has a name or value with = or NUL", code="invalid_env")
    return env


@dataclass(slots=True)
class Builder:
    """Makes and cancels builds, and tells the dispatcher."""

    context: Context
    dispatcher: Dispatcher
    finisher: Finisher

    async def create_in(
        self,
        tx: Transaction,
        caller: Caller,
        pipeline: Pipeline,
        steps: tuple[CommandStep, ...],
        request: BuildRequest,
        created_by: UserId | None,
    ) -> tuple[Build, list[Job]]:
        """Create a build with its jobs inside a unit of work; call `announce` after the commit.

        Raises:
            Invalid: a step or variable is not acceptable, or a queue does not exist.
        """
        now = self.context.clock.now()
        if not steps:
            raise Invalid("Validation failed: a build needs at least one command step", code="no_steps")
        organization_id = pipeline.organization_id
        build = Build(
            organization_id=organization_id,
            id=BuildId(self.context.new_id()),
            pipeline_id=pipeline.id,
            number=await tx.builds.next_build_number(organization_id, pipeline.id),
            state=BuildState.SCHEDULED,
            branch=request.branch or pipeline.default_branch,
            commit=request.commit or "HEAD",
            message=request.message,
            env=check_environment(request.env),
            source=request.source,
            created_at=now,
            created_by=created_by,
            started_at=0,
            finished_at=0,
        )
        await tx.builds.add_build(build)
        jobs = [await self._add_job(tx, pipeline, build, step) for step in steps]
        await self.context.record(
            tx,
            caller,
            Action.BUILD_CREATED,
            organization_id,
            ("build", build.id),
            {"pipeline": pipeline.slug, "number": build.number},
        )
        return build, jobs

    async def _add_job(self, tx: Transaction, pipeline: Pipeline, build: Build, step: CommandStep) -> Job:
        if not step.command.strip() or len(step.command) > MAX_COMMAND:
            raise Invalid(
                f"Validation failed: a command has 1 to {MAX_COMMAND} characters", code="invalid_command"
            )
        cluster = None
        if pipeline.cluster_id is not None:
            cluster = await tx.accounts.cluster(pipeline.organization_id, pipeline.cluster_id)
            if cluster is None:  # without it the job would wait in the line of unclustered agents
                raise Invalid("Validation failed: the pipeline's cluster was deleted", code="unknown_cluster")
        queue = await _queue_of(tx, cluster, step.agents)
        rules = step.agents
        if queue is not None and not any(rule.startswith("queue=") for rule in rules):
            rules = (f"queue={queue.key}", *rules)
        now = self.context.clock.now()
        job = Job(
            organization_id=pipeline.organization_id,
            id=JobId(self.context.new_id()),
            build_id=build.id,
            cluster_id=pipeline.cluster_id,
            queue_id=queue.id if queue is not None else None,
            label=step.label,
            step_key=step.key,
            command=step.command,
            env=check_environment(step.env),
            rules=rules,
            state=JobState.SCHEDULED,
            priority=step.priority,
            timeout_minutes=0,
            fence=0,
            agent_id=None,
            token_key=0,
            token_issued_at=0,
            token_expires_at=0,
            exit_status="",
            signal="",
            signal_reason="",
            chunks_failed=0,
            log_size=0,
            created_at=now,
            runnable_at=now,
            accepted_at=0,
            started_at=0,
            canceling_at=0,
            finished_at=0,
        )
        await tx.builds.add_job(job)
        return job

    def announce(self, jobs: list[Job]) -> None:
        """Put committed jobs before the agents."""
        for job in jobs:
            self.dispatcher.lines.enqueue(job)

    async def cancel(self, caller: Caller, build: Build) -> Build:
        """Cancel a build: waiting jobs end at once, running ones are told by their agents.

        Raises:
            Conflict: it has ended.
        """
        now = self.context.clock.now()

        async def work(tx: Transaction) -> tuple[Build | None, list[Job]]:
            jobs = await tx.builds.jobs(build.organization_id, build.id)
            states = [await tx.builds.cancel(job, now) for job in jobs]
            if not any(states):
                raise Conflict("Build can't be canceled because it's already finished.", code="build_ended")
            held = any(state is not None and state.held for state in states)
            state = BuildState.CANCELING if held else BuildState.CANCELED
            await tx.builds.set_build_state(build.organization_id, build.id, state, now)
            await self.context.record(
                tx, caller, Action.BUILD_CANCELED, build.organization_id, ("build", build.id)
            )
            found = await tx.builds.build(build.organization_id, build.id)
            return found, list(await tx.builds.jobs(build.organization_id, build.id))

        canceled, jobs = await self.context.store.write(work)
        for job in jobs:
            self.dispatcher.lines.withdraw(job)
            if job.id in self.dispatcher.held:
                self.dispatcher.held[job.id] = job
        return canceled or build


async def _queue_of(tx: Transaction, cluster: Cluster | None, rules: tuple[str, ...]) -> Queue | None:
    """The queue that a step's rules name, or the cluster's default one."""
    if cluster is None:
        return None
    key = next((rule[6:] for rule in rules if rule.startswith("queue=")), "")
    if key:
        queue = await tx.accounts.queue_by_key(cluster.organization_id, cluster.id, key)
    elif cluster.default_queue_id is not None:
        queue = await tx.accounts.queue(cluster.organization_id, cluster.default_queue_id)
    else:
        raise Invalid(
            "Validation failed: the cluster has no default queue; name one with agents: queue=KEY",
            code="no_default_queue",
        )
    if queue is None:
        raise Invalid(f"Validation failed: the cluster has no queue {key!r}", code="unknown_queue")
    return queue
