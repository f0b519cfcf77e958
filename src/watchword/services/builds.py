"""Builds: pipelines, builds of their steps, cancelling and repeating them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from watchword.domain.accounts import check_slug, slugify
from watchword.domain.environment import NO_REPOSITORY
from watchword.domain.errors import Conflict, Invalid, NotFound
from watchword.domain.events import Action
from watchword.domain.ids import BuildId, ClusterId, OrganizationId, PipelineId, UserId
from watchword.domain.pipelines import Build, BuildState, Job, JobState, Pipeline
from watchword.domain.steps import Document, Step, StepType
from watchword.services.accounts import check_name
from watchword.services.context import Caller, Context
from watchword.services.logs import check_meta_data
from watchword.services.making import Maker, check_environment, ground_of
from watchword.services.scheduling import Moved, Scheduler
from watchword.store.base import Duplicate, Transaction

MAX_TIMEOUT_MINUTES = 366 * 24 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandStep:
    """One command to run. `agents` are rules an agent's tags must satisfy, `queue=KEY` among them."""

    command: str
    label: str = ""
    key: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    agents: tuple[str, ...] = ()
    priority: int = 0

    def step(self) -> Step:
        """The step of a document."""
        said = {"command": self.command, "label": self.label, "key": self.key, "env": dict(self.env)}
        return Step(
            type=StepType.COMMAND,
            command=self.command,
            label=self.label,
            key=self.key,
            env=self.env,
            rules=self.agents,
            priority=self.priority,
            document={name: value for name, value in said.items() if value},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """What a caller asks of a new build."""

    commit: str = "HEAD"
    branch: str = ""
    message: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    source: str = "api"
    tag: str = ""
    author: Mapping[str, str] = field(default_factory=dict)
    pull_request: Mapping[str, str] = field(default_factory=dict)
    meta_data: Mapping[str, str] = field(default_factory=dict)
    rebuilt_from: BuildId | None = None


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
    document: str = "",
    default_branch: str = "main",
    created_by: UserId | None = None,
    description: str = "",
    env: Mapping[str, str] | None = None,
    default_timeout_minutes: int = 0,
    maximum_timeout_minutes: int = 0,
    tags: tuple[str, ...] = (),
) -> Pipeline:
    """Create a pipeline inside a unit of work; its slug is made of its name.

    Raises:
        Invalid: the name cannot become a slug, or a time-out or variable is not acceptable.
        Conflict: the slug is taken.
        NotFound: the organization has no such cluster.
    """
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
        description,
        env or {},
        default_timeout_minutes,
        maximum_timeout_minutes,
        document,
        tags=tags,
    )
    await _check_pipeline(tx, pipeline)
    try:
        await tx.builds.add_pipeline(pipeline)
    except Duplicate:
        raise Conflict(f"Validation failed: Name {name} already exists", code="taken") from None
    await context.record(
        tx, caller, Action.PIPELINE_CREATED, organization_id, ("pipeline", pipeline.id), {"name": name}
    )
    return pipeline


async def update_pipeline(context: Context, tx: Transaction, caller: Caller, pipeline: Pipeline) -> Pipeline:
    """Write a changed pipeline inside a unit of work; its slug stays.

    Raises:
        Invalid: the name, a time-out or a variable is not acceptable.
        NotFound: the organization has no such cluster.
        Conflict: it is archived.
    """
    if pipeline.archived_at:
        raise Conflict("Pipeline is archived; unarchive it first.", code="pipeline_archived")
    changed = replace(
        pipeline, name=check_name(pipeline.name), repository=pipeline.repository or NO_REPOSITORY
    )
    await _check_pipeline(tx, changed)
    await tx.builds.save_pipeline(changed)
    await context.record(
        tx,
        caller,
        Action.PIPELINE_UPDATED,
        pipeline.organization_id,
        ("pipeline", pipeline.id),
        {"name": changed.name},
    )
    return changed


async def _check_pipeline(tx: Transaction, pipeline: Pipeline) -> None:
    if (
        pipeline.cluster_id is not None
        and await tx.accounts.cluster(pipeline.organization_id, pipeline.cluster_id) is None
    ):
        raise NotFound("No cluster found")
    check_environment(pipeline.env)
    check_timeouts(pipeline.default_timeout_minutes, pipeline.maximum_timeout_minutes)


def check_timeouts(default: int, maximum: int) -> None:
    """Refuse command time-outs that cannot be.

    Raises:
        Invalid: one is negative or longer than a year, or the default exceeds the maximum.
    """
    if not all(0 <= minutes <= MAX_TIMEOUT_MINUTES for minutes in (default, maximum)):
        raise Invalid(
            f"Validation failed: a time-out is 1 to {MAX_TIMEOUT_MINUTES} minutes", code="invalid_timeout"
        )
    if maximum and default > maximum:
        raise Invalid(
            "Validation failed: the default time-out is longer than the maximum", code="invalid_timeout"
        )


def document_of(steps: Document | tuple[CommandStep, ...]) -> Document:
    """Steps as a document."""
    if isinstance(steps, Document):
        return steps
    return Document(steps=tuple(step.step() for step in steps))


@dataclass(slots=True)
class Builder:
    """Makes and cancels builds."""

    context: Context
    scheduler: Scheduler
    maker: Maker

    async def _require_room(self, tx: Transaction, organization_id: OrganizationId) -> None:
        limit = self.context.installation.quotas.organization_builds
        if limit and await tx.house.open_builds(organization_id) >= limit:
            raise Conflict(
                f"Your organization has {limit} builds that have not ended, the most it may have.",
                code="build_quota",
            )

    async def create_in(
        self,
        tx: Transaction,
        caller: Caller,
        pipeline: Pipeline,
        steps: Document | tuple[CommandStep, ...],
        request: BuildRequest,
        created_by: UserId | None,
    ) -> tuple[Build, list[Job]]:
        """Create a build with its jobs inside a unit of work; call `announce` after the commit.

        Raises:
            Invalid: a step or variable is not acceptable, or a queue does not exist.
            Conflict: the organization has as many open builds as it may have, or the pipeline is archived.
        """
        if pipeline.archived_at:
            raise Conflict("Pipeline is archived; unarchive it first.", code="pipeline_archived")
        await self._require_room(tx, pipeline.organization_id)
        document = document_of(steps)
        if not document.steps:
            raise Invalid("Validation failed: a build needs at least one step", code="no_steps")
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
            created_at=self.context.clock.now(),
            created_by=created_by,
            started_at=0,
            finished_at=0,
            tag=request.tag,
            author=request.author,
            pull_request=request.pull_request,
            rebuilt_from=request.rebuilt_from,
        )
        await tx.builds.add_build(build)
        for key, value in request.meta_data.items():
            check_meta_data(key, value)
            await tx.logs.set_meta_data(organization_id, build.id, key, value)
        await self.maker.add_in(tx, await ground_of(tx, pipeline, build), document)
        await self.context.record(
            tx,
            caller,
            Action.BUILD_CREATED,
            organization_id,
            ("build", build.id),
            {"pipeline": pipeline.slug, "number": build.number},
        )
        await self.scheduler.advance_in(tx, organization_id, build.id)
        return await _again(tx, build), list(await tx.builds.jobs(organization_id, build.id))

    def announce(self, jobs: list[Job]) -> None:
        """Put committed jobs before the agents."""
        for job in jobs:
            if job.state is JobState.SCHEDULED:
                self.scheduler.dispatcher.lines.enqueue(job)

    async def rebuild_in(
        self, tx: Transaction, caller: Caller, pipeline: Pipeline, build: Build, created_by: UserId | None
    ) -> tuple[Build, list[Job]]:
        """Make a build of what another one began with; call `announce` after the commit."""
        rows = await tx.steps.of_build(build.organization_id, build.id)
        own = [row for row in rows if row.uploaded_by is None]
        place = {row.id: at for at, row in enumerate(own)}
        steps = tuple(
            replace(row.step, group=place.get(row.group_id) if row.group_id is not None else None)
            for row in own
        )
        request = BuildRequest(
            commit=build.commit,
            branch=build.branch,
            message=build.message,
            env=build.env,
            source=build.source,
            tag=build.tag,
            author=build.author,
            pull_request=build.pull_request,
            rebuilt_from=build.id,
        )
        return await self.create_in(tx, caller, pipeline, Document(steps=steps), request, created_by)

    async def cancel_in(
        self, tx: Transaction, caller: Caller, build: Build, reason: str = ""
    ) -> tuple[Build, Moved]:
        """Cancel a build: waiting jobs end at once, running ones are told by their agents.

        It is part of a unit of work; `Scheduler.settle` follows it.

        Raises:
            Conflict: it has ended.
        """
        entered = await tx.builds.enter_build(build.organization_id, build.id)
        if entered is None or entered.state.ended:
            raise Conflict("Build can't be canceled because it's already finished.", code="build_ended")
        now = self.context.clock.now()
        await tx.builds.cancel_build(build.organization_id, build.id, now, reason)
        await self.context.record(
            tx, caller, Action.BUILD_CANCELED, build.organization_id, ("build", build.id)
        )
        moved = await self.scheduler.advance_in(tx, build.organization_id, build.id)
        return await _again(tx, build), moved

    async def cancel(self, caller: Caller, build: Build, reason: str = "") -> Build:
        """`cancel_in` as a unit of its own.

        Raises:
            Conflict: it has ended.
        """
        canceled, moved = await self.context.store.write(lambda tx: self.cancel_in(tx, caller, build, reason))
        self.scheduler.settle(moved)
        return canceled


async def _again(tx: Transaction, build: Build) -> Build:
    """The build as it stands now."""
    return await tx.builds.build(build.organization_id, build.id) or build
